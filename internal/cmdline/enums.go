package cmdline

import (
	"fmt"
	"strings"
)

// names turns the values of an enumeration into the words of the command line, by index.
type names []string

func (n names) of(v uint8, kind string) string {
	if int(v) < len(n) {
		return n[v]
	}
	return fmt.Sprintf("%s(%d)", kind, v)
}

// flags writes a set of bits as the words of its members; bits without a word are kept as a
// number.
func (n names) flags(v uint8) string {
	if v == 0 {
		return "none"
	}
	var out []string
	for i, name := range n {
		if v>>i&1 != 0 {
			out = append(out, name)
			v &^= 1 << i
		}
	}
	if v != 0 {
		out = append(out, fmt.Sprintf("%#x", v))
	}
	return strings.Join(out, ",")
}

// A DaemonMode says where the tracer stands in the tree of processes (-D).
type DaemonMode uint8

const (
	DaemonNone       DaemonMode = iota // the tracer is the program's parent
	DaemonGrandchild                   // the program keeps its parent; the tracer is its grandchild
	DaemonPgroup                       // and in a process group of its own
	DaemonSession                      // and in a session of its own
)

var daemonNames = names{"none", "grandchild", "pgroup", "session"}

func (m DaemonMode) String() string { return daemonNames.of(uint8(m), "DaemonMode") }

// An Interrupt says when signals can end the tracer (-I).
type Interrupt uint8

const (
	InterruptDefault   Interrupt = iota // not chosen; never in a finished TraceOptions
	InterruptAnywhere                   // nothing is blocked
	InterruptWaiting                    // fatal signals wait while a call is being decoded
	InterruptNever                      // fatal signals are ignored
	InterruptNeverTSTP                  // so is SIGTSTP
)

var interruptNames = names{"default", "anywhere", "waiting", "never", "never_tstp"}

func (i Interrupt) String() string { return interruptNames.of(uint8(i), "Interrupt") }

// A SeccompMode says whether calls that are not wanted are kept from stopping the tracee.
type SeccompMode uint8

const (
	SeccompAuto SeccompMode = iota // where it saves something
	SeccompOn                      // asked for: say so where it cannot be
	SeccompOff
)

var seccompNames = names{"auto", "yes", "no"}

func (m SeccompMode) String() string { return seccompNames.of(uint8(m), "SeccompMode") }

// A CPUMode says whether the tracer runs on the processor of its tracee.
type CPUMode uint8

const (
	CPUAuto CPUMode = iota // while there is one tracee
	CPUOff
)

var cpuNames = names{"auto", "off"}

func (m CPUMode) String() string { return cpuNames.of(uint8(m), "CPUMode") }

// An OutputFormat is the form of the trace.
type OutputFormat uint8

const (
	FormatText OutputFormat = iota // strace's
	FormatJSON                     // one object a line
)

var formatNames = names{"text", "json"}

func (f OutputFormat) String() string { return formatNames.of(uint8(f), "OutputFormat") }

// A ColorMode says when the trace is coloured. ColorAuto: on a terminal, unless NO_COLOR is set.
type ColorMode uint8

const (
	ColorAuto ColorMode = iota
	ColorAlways
	ColorNever
)

var colorNames = names{"auto", "always", "never"}

func (m ColorMode) String() string { return colorNames.of(uint8(m), "ColorMode") }

// A ConstStyle is how named constants are shown (-X).
type ConstStyle uint8

const (
	ConstAbbrev  ConstStyle = iota // O_RDONLY
	ConstRaw                       // 0
	ConstVerbose                   // 0 /* O_RDONLY */
)

var constNames = names{"abbrev", "raw", "verbose"}

func (s ConstStyle) String() string { return constNames.of(uint8(s), "ConstStyle") }

// HexStrings says which strings are shown in hexadecimal (-x).
type HexStrings uint8

const (
	HexNone          HexStrings = iota // octal escapes
	HexNonASCIIChars                   // hexadecimal escapes in place of octal ones
	HexNonASCII                        // whole strings that are not ASCII
	HexAll
)

var hexNames = names{"none", "non-ascii-chars", "non-ascii", "all"}

func (h HexStrings) String() string { return hexNames.of(uint8(h), "HexStrings") }

// A TimeFormat is the form of the time before each line (-t).
type TimeFormat uint8

const (
	TimeNone  TimeFormat = iota
	TimeOfDay            // 12:34:56, local time
	TimeUnix             // seconds since 1970
)

var timeNames = names{"none", "time", "unix"}

func (f TimeFormat) String() string { return timeNames.of(uint8(f), "TimeFormat") }

// A Precision is how many decimals a time has: 0, 3, 6 or 9.
type Precision uint8

const (
	Seconds Precision = iota
	Milliseconds
	Microseconds
	Nanoseconds
)

var precisionNames = names{"s", "ms", "us", "ns"}

func (p Precision) String() string { return precisionNames.of(uint8(p), "Precision") }

// Digits is the number of decimals.
func (p Precision) Digits() int { return 3 * int(p) }

// A SummaryMode says whether calls are counted.
type SummaryMode uint8

const (
	SummaryOff  SummaryMode = iota
	SummaryOnly             // -c: in place of the trace
	SummaryBoth             // -C: after the trace
)

var summaryNames = names{"off", "only", "both"}

func (m SummaryMode) String() string { return summaryNames.of(uint8(m), "SummaryMode") }

// A SummaryColumn is a column of the table of counts, and a key it is sorted by.
type SummaryColumn uint8

const (
	ColumnNone SummaryColumn = iota
	ColumnPercent
	ColumnTotalTime
	ColumnMinTime
	ColumnMaxTime
	ColumnAvgTime
	ColumnCalls
	ColumnErrors
	ColumnName
)

var columnNames = names{
	"nothing", "time-percent", "total-time", "min-time", "max-time", "avg-time", "calls", "errors",
	"name",
}

func (c SummaryColumn) String() string { return columnNames.of(uint8(c), "SummaryColumn") }

// A StatusSet says how calls must end to be shown.
type StatusSet uint8

const (
	StatusSuccessful StatusSet = 1 << iota
	StatusFailed
	StatusUnfinished  // the thread went away during the call
	StatusUnavailable // the result could not be read
	StatusDetached    // the tracer let go during the call

	AllStatuses StatusSet = 1<<iota - 1
)

var statusNames = names{"successful", "failed", "unfinished", "unavailable", "detached"}

func (s StatusSet) String() string { return statusNames.flags(uint8(s)) }

// Has tells whether every member of t is in s.
func (s StatusSet) Has(t StatusSet) bool { return s&t == t }

// Quiet says which messages of the tracer are left out.
type Quiet uint8

const (
	QuietAttach Quiet = 1 << iota
	QuietExit
	QuietPathResolution
	QuietPersonality
	QuietThreadExecve

	QuietAll Quiet = 1<<iota - 1
)

var quietNames = names{"attach", "exit", "path-resolution", "personality", "thread-execve"}

func (q Quiet) String() string { return quietNames.flags(uint8(q)) }

// Has tells whether every member of t is in q.
func (q Quiet) Has(t Quiet) bool { return q&t == t }

// FDDetails says what is shown beside a file descriptor.
type FDDetails uint8

const (
	FDPath FDDetails = 1 << iota
	FDSocket
	FDDevice
	FDPidfd
	FDSignalfd

	AllFDDetails FDDetails = 1<<iota - 1
)

var fdNames = names{"path", "socket", "dev", "pidfd", "signalfd"}

func (d FDDetails) String() string { return fdNames.flags(uint8(d)) }

// Has tells whether every member of t is in d.
func (d FDDetails) Has(t FDDetails) bool { return d&t == t }

// PIDDetails says what is shown beside a process's number.
type PIDDetails uint8

const (
	PIDComm      PIDDetails = 1 << iota // the command's name
	PIDNamespace                        // the number in the tracer's namespace

	AllPIDDetails PIDDetails = 1<<iota - 1
)

var pidNames = names{"comm", "pidns"}

func (d PIDDetails) String() string { return pidNames.flags(uint8(d)) }

// Has tells whether every member of t is in d.
func (d PIDDetails) Has(t PIDDetails) bool { return d&t == t }
