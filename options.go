package farcall

import (
	"farcall/decode"
	"farcall/filter"
	"farcall/syscalls"
)

// Options are the options of a Tracer. The zero value traces every call of one program, not of
// its children.
type Options struct {
	// Follow traces the children and threads that traced programs make.
	Follow bool

	// Calls are the calls to intercept; others run without being seen. nil means all.
	Calls *filter.CallSet

	// When, if not nil, narrows Calls: a call is intercepted only if what When gives for its number holds for its argument
	// registers; nil means whatever they are. [filter.Reach] has such a method. The kernel decides it where it can.
	When func(abi syscalls.ABI, number uint64) *filter.Cond

	// Regions limit interception to where threads are inside of functions.
	Regions Regions

	// Seccomp says whether the kernel's seccomp filter keeps calls that are not in Calls from
	// stopping the program, so that they run at native speed. It applies to programs that the
	// tracer starts.
	Seccomp SeccompMode

	// Refuse makes calls fail: by the filter alone where that is possible, see [Tracer.InKernel].
	Refuse []Refusal

	// Classic starts and attaches as tracers did before Linux 3.4: by PTRACE_TRACEME and
	// PTRACE_ATTACH, with their SIGSTOP, in place of PTRACE_SEIZE.
	Classic bool

	// KillOnExit has the kernel kill traced programs if the tracer dies.
	KillOnExit bool

	// KeepProcessors leaves it to the kernel on which processor tracer and program run. By default a
	// single busy tracee and the tracer share one, which halves the cost of a stop; the program
	// does not see it.
	KeepProcessors bool

	// Emulate leaves all calls of the program to handlers: the kernel executes only those for which a handler calls next, and each of the others costs one
	// stop in place of two (PTRACE_SYSEMU). Before next the call itself cannot be changed. There is no filter then.
	Emulate bool

	// Registers changes calls by way of registers, as before Linux 6.16, even where PTRACE_SET_SYSCALL_INFO is there.
	Registers bool

	// KillOnError kills the traced programs when a handler fails or panics. By default they are let go, and run on
	// untraced, unless they carry a filter, without which they cannot go on: those are killed in any case.
	KillOnError bool

	// Usage keeps [Task.SystemTime] up to date, at a small cost for each stop.
	Usage bool

	// Undecoded leaves arguments undecoded: events carry numbers and registers only.
	Undecoded bool

	// Decode says how much of the program's memory is read for a call.
	Decode decode.Options

	// Resolver, if not nil, makes the Resolver of each new task. One that is a decode.Network too says what
	// numbers of the network mean.
	Resolver func(t *Task) decode.Resolver
	// Descriptions, if not nil, describe calls in addition to, and in place of, those that farcall
	// knows; linux.ParseDescriptions makes them.
	Descriptions *syscalls.Table

	// Stacks says how call stacks are taken and which events carry theirs.
	Stacks StackOptions

	// DecodeCall, if not nil, chooses other options for some calls.
	DecodeCall func(t *Task, number uint64, o *decode.Options)
}

// SeccompMode says whether a seccomp filter is used.
type SeccompMode uint8

// The modes.
const (
	SeccompAuto SeccompMode = iota // wherever Calls is smaller than everything
	SeccompOff
)
