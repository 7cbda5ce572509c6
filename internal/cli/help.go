package cli

const rootHelp = `farcall stands between a program and the Linux kernel. It shows the system calls
that the program makes and the signals it gets.

  farcall trace ls -l          what does ls ask of the kernel?
  farcall trace -f -p 1234     and what does that running process?
  farcall trace --in main PROG what does its main ask for?
  farcall run --rule RULE PROG what if some of its calls went otherwise?
  farcall proxy --to HOST PROG run it here, on the files of another host
  farcall doctor               does tracing work here, and if not, why?
  farcall symbols a.out main   where is the function main?`
