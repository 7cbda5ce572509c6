package cmdline

import (
	"math"
	"strconv"
	"strings"

	"farcall/internal/message"
)

// checks complete the options and find contradictions, in strace's order, which decides
// which of several mistakes is reported.
var checks = []func(*parser) error{
	(*parser).checkTarget,
	(*parser).checkDaemon,
	(*parser).checkRepeated,
	(*parser).checkFollow,
	(*parser).checkSummary,
	(*parser).checkOutput,
	(*parser).checkKill,
	(*parser).checkPipe,
	(*parser).checkInterrupt,
	(*parser).checkQuiet,
	(*parser).checkServed,
	(*parser).checkRegions,
}

func (p *parser) warn(text string) { p.warnings = append(p.warnings, text) }

func (p *parser) checkTarget() error {
	o := p.o
	switch {
	case len(o.Command) == 0 && len(o.Attach) == 0 && o.Explain:
	case len(o.Command) == 0 && len(o.Attach) == 0:
		return message.Misuse("must have PROG [ARGS] or -p PID")
	case len(o.Command) == 0 && o.Argv0 != nil:
		return message.Misuse("PROG [ARGS] must be specified with --argv0")
	}
	return nil
}

func (p *parser) checkDaemon() error {
	if p.daemonLong != DaemonNone && p.daemonShort > 0 {
		return message.Fail("-D and --daemonize cannot be provided simultaneously")
	}
	n := max(p.daemonShort, int(p.daemonLong))
	if len(p.o.Command) == 0 && n > 0 {
		return message.Misuse("PROG [ARGS] must be specified with -D/--daemonize")
	}
	if n > int(DaemonSession) {
		return message.Misuse("Too many -D's (%d), maximum supported -D count is %d", n, DaemonSession)
	}
	p.o.Daemon = DaemonMode(n)
	return nil
}

// checkRepeated resolves the options whose short form says more when it is repeated.
func (p *parser) checkRepeated() error {
	o := p.o
	if p.timesShort > 0 {
		if p.timesLong {
			return message.Fail("-t and --absolute-timestamps cannot be provided simultaneously")
		}
		o.Timestamps, o.TimePrecision = TimeOfDay, Seconds
		if p.timesShort > 1 {
			o.TimePrecision = Microseconds
		}
		if p.timesShort > 2 {
			o.Timestamps = TimeUnix
		}
	}
	switch {
	case p.hexLongSet && p.hexShort > 0:
		return message.Fail("-x and --strings-in-hex cannot be provided simultaneously")
	case p.hexLongSet:
		o.HexStrings = p.hexLong
	case p.hexShort == 1:
		o.HexStrings = HexNonASCII
	case p.hexShort > 1:
		o.HexStrings = HexAll
	}
	if p.fdsShort > 0 {
		if p.fdsSet {
			return message.Fail("-y and --decode-fds cannot be provided simultaneously")
		}
		o.DecodeFDs = FDPath
		if p.fdsShort > 1 {
			o.DecodeFDs = AllFDDetails
		}
	}
	return nil
}

func (p *parser) checkFollow() error {
	o := p.o
	o.Follow = p.followLong || p.followShort > 0
	switch {
	case p.followShort > 0 && p.followLong:
		return message.Fail("-f and --follow-forks cannot be provided simultaneously")
	case p.followShort > 1 && o.OutputSeparately:
		return message.Fail("-ff and --output-separately cannot be provided simultaneously")
	case p.followShort > 0: // a single -f overrides --output-separately, in strace too
		o.OutputSeparately = p.followShort > 1
	}
	if p.forkDeprecated {
		if o.Follow {
			p.warn("deprecated option -F ignored")
		} else {
			p.warn("option -F is deprecated, please use -f/--follow-forks instead")
			o.Follow = true
		}
	}
	return nil
}

func (p *parser) checkSummary() error {
	o := p.o
	const needed = " (-c/--summary-only or -C/--summary)"
	if o.CountWhere != nil && o.Summary == SummaryOff {
		o.Summary = SummaryOnly
	}
	counts := o.Summary != SummaryOff
	switch {
	case o.OutputSeparately && counts:
		return message.Misuse("(-c/--summary-only or -C/--summary) and -ff/--output-separately are mutually exclusive")
	case o.WallClock && !counts:
		return message.Misuse("-w/--summary-wall-clock must be given with" + needed)
	case p.columnsSet && !counts:
		return message.Misuse("-U/--summary-columns must be given with" + needed)
	case p.sortSet && !counts:
		p.warn("-S/--summary-sort-by has no effect without" + needed)
	}
	if o.Summary != SummaryOnly {
		return nil
	}
	for _, useless := range []struct {
		given  bool
		option string
	}{
		{o.InstructionPtr, "-i/--instruction-pointer"},
		{o.Stacks != StackOff, "-k/--stack-traces"},
		{o.SyscallNumber, "-n/--syscall-number"},
		{o.Relative, "-r/--relative-timestamps"},
		{o.Timestamps != TimeNone, "-t/--absolute-timestamps"},
		{o.CallTimes, "-T/--syscall-times"},
		{o.DecodeFDs != 0, "-y/--decode-fds"},
	} {
		if useless.given {
			p.warn(useless.option + " has no effect with -c/--summary-only")
		}
	}
	return nil
}

func (p *parser) checkOutput() error {
	o := p.o
	if !p.outputSet {
		if o.OutputSeparately && !o.Follow {
			p.warn("--output-separately has no effect without -o/--output")
		}
		if o.OutputAppend {
			p.warn("-A/--output-append-mode has no effect without -o/--output")
		}
	}
	if p.statusShort > 1 {
		p.warn("Only the last of -z/--successful-only/-Z/--failed-only options will take effect. " +
			"See status qualifier for more complex filters.")
	}
	if p.userSet {
		return checkUser(o.User)
	}
	return nil
}

func (p *parser) checkKill() error {
	if p.o.KillOnExit && len(p.o.Attach) > 0 {
		return message.Fail("--kill-on-exit and -p/--attach are mutually exclusive options")
	}
	return nil
}

func (p *parser) checkPipe() error {
	_, pipes := p.o.Pipes()
	if pipes && p.o.OutputSeparately {
		return message.Misuse("piping the output and -ff/--output-separately are mutually exclusive")
	}
	if !p.outputSet {
		p.o.OutputSeparately = false // -ff without -o is -f
	}
	return nil
}

// checkInterrupt chooses what signals do to the tracer where -I does not. With a file to write
// to and a program to run, ^C is meant for the program.
func (p *parser) checkInterrupt() error {
	o := p.o
	switch {
	case o.Interruptible != InterruptDefault:
	case o.Daemon != DaemonNone:
		o.Interruptible = InterruptNeverTSTP
	case p.outputSet && len(o.Command) > 0:
		o.Interruptible = InterruptNever
	default:
		o.Interruptible = InterruptWaiting
	}
	return nil
}

func (p *parser) checkQuiet() error {
	n := p.quietShort
	if n == 0 && !p.quietSet && p.outputSet && len(p.o.Command) > 0 {
		n = 1
	}
	if n == 0 {
		return nil
	}
	if p.quietSet {
		return message.Fail("-q and -e quiet/--quiet cannot be provided simultaneously")
	}
	return p.qualify("quiet", [...]string{quietOnce, quietTwice, quietAll}[min(n, 3)-1])
}

func (p *parser) checkServed() error {
	if p.o.Emulate && len(p.o.Regions.In) > 0 {
		return message.Misuse("--emulate and --in exclude each other")
	}
	if len(p.missing) > 0 {
		return message.NotYet(strings.Join(p.missing, ", "))
	}
	return nil
}

// parseLimit reads a positive number of up to 63 bits.
func parseLimit(s string) (uint64, bool) {
	n, err := strconv.ParseUint(strings.TrimPrefix(strings.TrimLeft(s, " \t\n\v\f\r"), "+"), 10, 64)
	return n, err == nil && n > 0 && n <= math.MaxInt64
}
