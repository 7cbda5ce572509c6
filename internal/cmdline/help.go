package cmdline

import (
	"fmt"
	"io"
	"strings"

	"farcall/internal/wrap"
)

// A helpEntry explains one option: its spellings, then what it does.
type helpEntry struct{ option, text string }

type helpGroup struct {
	title   string
	entries []helpEntry
}

const traceSynopsis = `Usage: %[1]s [options] [--] PROG [ARG]...
       %[1]s [options] -p PID[,PID]... [PROG [ARG]...]

Print each system call of PROG, or of a running process, with its arguments and
its result, and each signal. Options end at PROG: what follows belongs to it.
Short options can be joined (-fyy), their arguments attached (-s99), and long
names shortened as long as they stay unique.
`

const traceExamples = `
Examples:
  %[1]s -f -o log make        a whole build, into the file log
  %[1]s -e %%file ls           only calls that take a file name
  %[1]s -e open,/stat ls      by name and by regular expression
  %[1]s -yy -e %%net curl URL  network calls, with addresses
  %[1]s -Z -f ./configure     only what failed
  %[1]s -c -p 1234            count the calls of a process until ^C
  %[1]s --format=json true    a JSON object a line, for programs

SET is a list with commas in between, or all or none; a leading ! means all but
those. The exit status is that of PROG; farcall ends by the signal that ended
it; farcall's own errors give 1.
`

var traceHelp = []helpGroup{
	{"What to trace", []helpEntry{
		{"-p, --attach=PID", "attach to running processes; also PID,PID and several -p"},
		{"-f, --follow-forks", "trace children as well, and with -p all threads"},
		{"-ff", "like -f, one output file for each process: FILE.PID also --follow-forks=output-separately"},
		{"-F", "old name of -f"},
		{"-b, --detach-on=execve", "let go of a process when it executes another program"},
		{"-E, --env=VAR[=VALUE]", "set a variable of PROG's environment, or remove it"},
		{"-u, --user=NAME", "run PROG as this user (root only)"},
		{"    --argv0=NAME", "the name that PROG itself is told it was called by"},
	}},
	{"How to trace", []helpEntry{
		{"-D, --daemonize[=WHERE]", "PROG keeps its parent, the tracer becomes a grandchild; -DD, pgroup: in its own process group; -DDD, session: in its own session"},
		{"-I, --interruptible=WHEN", "what ^C does to the tracer: 1 anywhere: ends it at once; 2 waiting: ends it between calls (default); 3 never: is ignored (default with -o FILE PROG); 4 never_tstp: so is ^Z"},
		{"    --kill-on-exit", "kill what is traced when the tracer dies"},
		{"    --syscall-limit=N", "detach after N calls"},
		{"    --seccomp-bpf[=yes|no]", "let calls that are not shown run at full speed; without this option farcall does so where it saves something"},
		{"    --seize=yes|no", "attach with PTRACE_SEIZE (default) or the old PTRACE_ATTACH"},
		{"    --cpu=auto|off", "share the processor of a single tracee (default auto)"},
		{"-d, --debug", "say what farcall is doing"},
	}},
	{"What to show", []helpEntry{
		{"-e, --trace=SET", "these calls: names, numbers, /regex, or classes such as %file %desc %net %process %signal %memory %ipc %creds %clock %stat %%stat %statfs %%statfs %pure; ?name: if there is such a call; name@64, name@32, name@x32: of that ABI. Also -e trace=SET"},
		{"    --signals=SET", "these signals, also -e signal=SET"},
		{"    --status=SET", "calls that end so: successful, failed, unfinished, unavailable, detached; also -e status=SET"},
		{"-z, --successful-only", "--status=successful"},
		{"-Z, --failed-only", "--status=failed; also --failing-only"},
		{"    --where=CONDITION", "calls for which the condition holds, such as 'args.filename glob \"/etc/*\" and failed': see docs/filter.md; what cannot match does not stop PROG"},
		{"    --stop-when=CONDITION", "let PROG go, or kill it with --kill-on-exit, after the first call for which the condition holds; the exit status is then 0"},
		{"-P, --trace-path=PATH", "calls on this file, may be repeated"},
		{"    --trace-fds=SET", "calls on these descriptors, also -e fd=SET"},
		{"-q, --quiet[=SET]", "leave out messages: attach, exit, path-resolution, personality, thread-execve; -q: attach and personality, -qq: exit too, -qqq: all; also --silent, --silence, -e quiet=SET"},
	}},
	{"Inside functions and marks only", []helpEntry{
		{"    --in=SYMBOL[,...]", "trace where a thread is inside of these functions, and show their entries and returns; elsewhere the program runs without stops. Names as 'farcall symbols' takes them: main, libssl.so.3:SSL_read, main.(*T).Run, file.c:120, 0xADDR, globs. Threads are traced without -f too"},
		{"    --marks[=NAME,...]", "trace between the marks that the program has set with farcall.h ('farcall header') or the Go package farcall/mark: all, or those with these names or globs; can be combined with --in"},
		{"    --in-threads", "threads that are created inside are inside"},
		{"    --until-return=N", "detach after N returns"},
		{"    --hw", "use debug registers (up to 3 functions); nothing is written to the program's memory"},
		{"    --step", "go to the first entry by single steps (slow)"},
	}},
	{"How to show it", []helpEntry{
		{"-o, --output=FILE", "write to FILE, or to a command: '|gzip>log.gz'"},
		{"-A, --output-append-mode", "append to FILE"},
		{"    --output-separately", "a file for each process: FILE.PID"},
		{"    --format=text|json", "strace's format (default), or one JSON object a line"},
		{"    --color[=WHEN]", "auto (default), always, never; NO_COLOR is respected"},
		{"-a, --columns=N", "put results in column N (default 40)"},
		{"-s, --string-limit=N", "show N bytes of a string (default 32)"},
		{"-v, --no-abbrev", "show structures in full"},
		{"    --abbrev=SET", "calls whose structures are abbreviated; also --verbose=SET: are followed at all, --raw=SET: are shown as bare numbers; and -e abbrev=..."},
		{"-x, --strings-in-hex[=WHICH]", "hexadecimal for strings: -x, non-ascii: with other bytes than ASCII; -xx, all; non-ascii-chars: for such bytes only; none"},
		{"-X, --const-print-style=HOW", "constants as names (abbrev), numbers (raw), or both (verbose)"},
		{"-y, --decode-fds[=SET]", "what a descriptor is: path, socket, dev, pidfd, signalfd; -y: path, -yy: all"},
		{"-Y, --decode-pids=SET", "what a process number is: comm (the command, -Y), pidns (the number in farcall's namespace, also --pidns-translation)"},
		{"    --read=SET", "dump what is read from these descriptors; --write=SET: what is written; also -e read=SET, -e write=SET"},
		{"-t, --absolute-timestamps[=F]", "time of day; -tt: with microseconds; -ttt: seconds since 1970. F: none, time, unix and a precision: s, ms, us, ns; also --timestamps"},
		{"-r, --relative-timestamps[=P]", "time since the last call; P: s, ms, us (default), ns"},
		{"-T, --syscall-times[=P]", "time spent in the call"},
		{"-i, --instruction-pointer", "the address the call came from"},
		{"-n, --syscall-number", "the number of the call"},
		{"-N, --arg-names", "the names of the arguments"},
		{"-k, --stack-traces[=HOW]", "also --stack-trace: the call stack, by symbol or by source (-kk)"},
		{"    --stack-trace-frame-limit=N", "frames shown of each (default 256)"},
		{"    --always-show-pid", "the process number on every line"},
		{"    --describe=FILE", "further descriptions of calls"},
	}},
	{"Counting", []helpEntry{
		{"-c, --summary-only", "count calls, errors and time, and show a table at the end"},
		{"-C, --summary", "the table after the trace"},
		{"    --count-where=CONDITION", "count only calls for which the condition holds; alone it means -c"},
		{"-w, --summary-wall-clock", "count the time that passes, not the processor's"},
		{"-S, --summary-sort-by=KEY", "a column's name, or nothing (default time)"},
		{"-U, --summary-columns=LIST", "of time-percent, total-time, min-time, max-time, avg-time, calls, errors, name"},
		{"-O, --summary-syscall-overhead=T", "subtract T from each call: a number and s, ms, us or ns"},
	}},
	{"Else", []helpEntry{
		{"    --profile=FILE", "write calls, time and bytes by call stack, for go tool pprof"},
		{"-h, --help", "this text"},
		{"-V, --version", "the version"},
		{"    --tips[=WHICH]", "accepted, without effect"},
	}},
	{"Changing calls", []helpEntry{
		{"    --rule='CALLS [if CONDITION] then ACTION'", "what to do to calls: fail ERRNO, return N, skip, set ARG VALUE, set ARG.FIELD VALUE, result N, replace CALL(ARGS), short N, delay TIME [after], signal NAME [after], stop, kill, log; several with commas; may be repeated: docs/interception.md"},
		{"    --rules=FILE", "rules from a file, one a line, # for comments"},
		{"    --explain", "say how each rule is served and which others are for the same calls; without PROG do nothing else"},
		{"    --dry-run", "do nothing, but say in --format=json what would have been done"},
		{"    --emulate", "calls that a rule answers cost one stop, others four (PTRACE_SYSEMU); not with --in"},
		{"    --inject=SET:WHAT[:...]", "change calls of SET, also -e inject=; WHAT: error=ERRNO, retval=VALUE, signal=SIG, syscall=CALL, delay_enter=TIME, delay_exit=TIME, poke_enter=@argN=HEX, poke_exit=@argN=HEX, when=FIRST[..LAST][+STEP]"},
		{"    --fault=SET[:...]", "make calls of SET fail, also -e fault=; error=ERRNO (default ENOSYS), when="},
	}},
	{"Understood, but not in this version", []helpEntry{
		{"    --kvm=vcpu", "why a virtual processor stopped"},
		{"    --namespace[=new]", "new namespaces"},
		{"    --secontext[=FORMAT]", "SELinux contexts"},
	}},
}

// printTraceHelp writes the help; command is what the user typed to get here.
func PrintHelp(w io.Writer, command string) {
	const indent = 34
	var b strings.Builder
	fmt.Fprintf(&b, traceSynopsis, command)
	for _, g := range traceHelp {
		b.WriteString("\n" + g.title + ":\n")
		for _, e := range g.entries {
			b.WriteString("  " + e.option)
			pad := indent - 2 - len(e.option)
			if pad < 1 {
				b.WriteByte('\n')
				pad = indent
			}
			b.WriteString(strings.Repeat(" ", pad) + wrap.Text(e.text, indent, 80) + "\n")
		}
	}
	fmt.Fprintf(&b, traceExamples, command)
	io.WriteString(w, b.String())
}
