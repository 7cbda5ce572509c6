// Package seccomp compiles what is wanted of each system call into a seccomp filter: a program of classic
// BPF that the kernel runs at the entry of every call of the thread that installed it, and of its
// descendants.
//
// A [Spec] is a plain value: an action for call numbers of each ABI. [Compile] turns it into a
// [Program], which touches nothing; [Program.Encode] gives the bytes that a launcher installs before execve,
// [Program.Install] installs it in the calling thread.
//
// Several filters of one thread all run, and the one with the most drastic action wins (seccomp(2)):
// a filter of farcall never weakens one of the program's own.
package seccomp
