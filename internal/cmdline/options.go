// Package cmdline is the command line of "farcall trace" and "farcall run": strace's options and farcall's own, read as
// getopt_long(3) does, their help and their completion. It ends in Options; nothing is opened or started here.
package cmdline

import (
	"time"

	"farcall"
	"farcall/filter"
	"farcall/internal/inject"
)

// Options is what "farcall trace" was asked to do: the command line, parsed, checked and
// with its defaults filled in. It holds no kernel state and nothing of it is resolved against
// the machine yet (no program looked up, no file opened). Parse makes one.
type Options struct {
	// Called is the name that messages begin with: the first argument of the process itself.
	Called string
	// AsStrace tells that farcall was called under the name strace: messages are strace's and
	// nothing more.
	AsStrace bool

	TargetOptions
	FilterOptions
	ConditionOptions
	RuleOptions
	FormatOptions
	SummaryOptions
	StackOptions

	// Regions limit the trace to functions (--in and its like).
	Regions farcall.Regions
	// Injections are the -e inject= and -e fault= in the order given.
	Injections []inject.Injection
	// Describe names a file of further descriptions, "" for none.
	Describe string
	// Debug asks for farcall's own debugging output on stderr.
	Debug bool
}

// TargetOptions says what to trace and how to hold it.
type TargetOptions struct {
	Command []string    // the program and its arguments, empty with -p alone
	Argv0   *string     // replaces Command[0] in the program's own arguments, nil: keep
	Env     []EnvChange // changes to the program's environment, in order
	User    string      // run the program as this user, "": as the caller
	Attach  []int       // processes to attach to, in order, not deduplicated

	Follow        bool        // trace children (-f)
	DetachOnExec  bool        // -b execve
	Daemon        DaemonMode  // -D
	Interruptible Interrupt   // resolved: never InterruptDefault
	KillOnExit    bool        // kill the tracees when the tracer dies
	SyscallLimit  uint64      // stop after this many calls, 0: no limit
	Seccomp       SeccompMode // --seccomp-bpf
	Seize         bool        // PTRACE_SEIZE; false: PTRACE_ATTACH and PTRACE_TRACEME
	CPU           CPUMode     // --cpu
}

// An EnvChange sets a variable of the program's environment or, with Unset, removes it.
type EnvChange struct {
	Name, Value string
	Unset       bool
}

// FilterOptions says which events are shown.
type FilterOptions struct {
	Calls    *filter.CallSet // -e trace=
	Signals  SignalSet       // -e signal=
	Status   StatusSet       // -e status=, -z, -Z
	Paths    []string        // -P: calls that access one of these; empty: all
	TraceFDs *NumberSet      // --trace-fds: calls on these descriptors; nil: all
}

// FormatOptions says how events are shown and where.
type FormatOptions struct {
	Output           string // file, "|command" or "!command"; "": stderr
	OutputAppend     bool   // -A
	OutputSeparately bool   // one file for each thread, Output.PID; never without Output
	Format           OutputFormat
	Color            ColorMode

	AlignColumn    int // column of the "=" (-a)
	StringLimit    int // bytes shown of a string (-s)
	Abbrev         *filter.CallSet
	Verbose        *filter.CallSet
	Raw            *filter.CallSet
	ReadDump       *NumberSet // descriptors whose input is dumped; nil: none
	WriteDump      *NumberSet // descriptors whose output is dumped; nil: none
	ConstStyle     ConstStyle
	HexStrings     HexStrings
	DecodeFDs      FDDetails
	DecodePIDs     PIDDetails
	Quiet          Quiet
	Timestamps     TimeFormat
	TimePrecision  Precision
	Relative       bool // -r
	RelPrecision   Precision
	CallTimes      bool // -T
	CallPrecision  Precision
	InstructionPtr bool // -i
	SyscallNumber  bool // -n
	ArgNames       bool // -N
	AlwaysShowPID  bool
}

// SummaryOptions says whether calls are counted (-c, -C) and how the table looks.
type SummaryOptions struct {
	Summary        SummaryMode
	SortBy         SummaryColumn   // ColumnNone: do not sort
	SummaryColumns []SummaryColumn // in order of display
	WallClock      bool            // -w: time from entry to exit, not processor time
	Overhead       Overhead        // what to subtract for each call
}

// An Overhead is a correction of a call's measured time; Set distinguishes 0 from unknown.
type Overhead struct {
	Time time.Duration
	Set  bool
}

// ShowsPID tells whether each line of a single output file begins with a thread's number, as in
// strace: always when threads can come and go in one file.
func (o *Options) ShowsPID() bool {
	return o.AlwaysShowPID ||
		o.Output != "" && !o.OutputSeparately && (o.Follow || len(o.Attach) > 1)
}

// Pipes tells whether the output goes to a command, and which.
func (o *Options) Pipes() (command string, ok bool) {
	if o.Output != "" && (o.Output[0] == '|' || o.Output[0] == '!') {
		return o.Output[1:], true
	}
	return "", false
}

// defaults is what holds where no option says otherwise.
func defaults() *Options {
	o := new(Options)
	o.Seize = true
	o.Calls = filter.AllCalls()
	o.Signals = allSignals
	o.Status = AllStatuses
	o.AlignColumn = 40
	o.StringLimit = 32
	o.Abbrev = filter.AllCalls()
	o.Verbose = filter.AllCalls()
	o.Raw = new(filter.CallSet)
	o.RelPrecision = Microseconds
	o.CallPrecision = Microseconds
	o.SortBy = ColumnTotalTime
	o.SummaryColumns = []SummaryColumn{
		ColumnPercent, ColumnTotalTime, ColumnAvgTime, ColumnCalls, ColumnErrors, ColumnName,
	}
	return o
}
