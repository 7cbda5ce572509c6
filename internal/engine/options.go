package engine

import (
	"farcall/internal/ptrace"
	"farcall/syscalls"
)

// Options are fixed when an Engine is made. The zero value traces one program by PTRACE_SEIZE, sees every call, does not follow
// its children and lets it run on when the tracer dies.
type Options struct {
	// Follow traces children, whether made by fork, vfork or clone. Without it children run free, unless Filter is
	// set: a filter is inherited and would refuse its calls (ENOSYS) without a tracer, so they stay tracees whose stops
	// are not shown, and Run waits for them.
	Follow bool

	// Classic uses PTRACE_ATTACH and PTRACE_TRACEME with their SIGSTOP instead of PTRACE_SEIZE. A group-stop is then
	// reported, but not obeyed, and a detach of a running thread needs one more SIGSTOP.
	Classic bool

	// Filter is a seccomp program (struct sock_filter records) that answers SECCOMP_RET_TRACE|FilterData for the calls to
	// stop at and SECCOMP_RET_ALLOW for others. It is installed in launched programs only; those attached to are traced in full.
	// It has to contain the calls of Needs, or CLONE_UNTRACED children, and calls that the program's own filters
	// answer, are missed.
	Filter []byte

	// FilterData is the filter's SECCOMP_RET_DATA, which tells its stops from those of a filter that the program installed.
	FilterData uint16

	// Wanted says which calls the sink is to be told. nil means all. It is asked at each stop.
	Wanted func(abi syscalls.ABI, number int64) bool

	// Unseen, if not nil, is asked at the entry of each call whether the sink is not to be told of it, before Wanted is.
	Unseen func(t *Thread) bool

	// Mapped, if not nil, is told when a call of MapCalls has mapped code. t is stopped at the exit.
	Mapped func(t *Thread)

	// Breakpoints, if not nil, is told of breakpoints. Threads then start native, see Thread.Native, and the threads of a
	// process are traced even without Follow. Children that are not followed are let go without breakpoints. It cannot be combined with Filter.
	Breakpoints Breakpoints

	// KillOnExit kills the tracees when the tracer dies (PTRACE_O_EXITKILL).
	KillOnExit bool

	// Emulate leaves the calls of launched programs to the sink: see Thread.Answer. It is not for use with a Filter.
	Emulate bool

	// Registers changes calls through registers, as before Linux 6.16, even where PTRACE_SET_SYSCALL_INFO is there.
	Registers bool

	// Rusage keeps Thread.Rusage up to date, at the price of a longer wait4(2).
	Rusage bool

	// Pin keeps the tracer on the processor of the thread that it is busy with.
	Pin Pin
}

// A Pin is a policy for processors.
type Pin uint8

// The policies.
const (
	// PinOff leaves scheduling to the kernel.
	PinOff Pin = iota
	// PinAuto puts the tracer and a tracee on one processor while all stops come from that tracee, which saves waking
	// another processor twice for each stop. It is done for launched programs only, and in a way they
	// cannot see: see cpu.go.
	PinAuto
)

func (o *Options) ptraceOptions() ptrace.Options {
	opts := ptrace.OptTraceSysgood | ptrace.OptTraceExec
	if o.Follow || o.filtering() || o.Breakpoints != nil {
		opts |= ptrace.OptTraceFork | ptrace.OptTraceVfork | ptrace.OptTraceClone
	}
	if o.filtering() {
		opts |= ptrace.OptTraceSeccomp
	}
	if o.KillOnExit {
		opts |= ptrace.OptExitKill
	}
	return opts
}

func (o *Options) filtering() bool { return len(o.Filter) != 0 }
