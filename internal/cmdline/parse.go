package cmdline

import (
	"os"
	"strings"

	"farcall/filter"
	"farcall/internal/message"
)

// A Request is a parsed command line of "farcall trace".
type Request struct {
	Options  *Options
	Warnings []string // to be shown before anything else, an error included
	Action   Action
}

// An Action is what the command line asks for.
type Action uint8

// The actions.
const (
	ActionTrace Action = iota
	ActionHelp
	ActionVersion
	ActionNothing // --tips without a program
)

// parser is the state between one option and the next: what strace keeps apart until all
// options are known, because short and long forms must not be mixed.
type parser struct {
	o        *Options
	warnings []string

	daemonShort, followShort, hexShort, quietShort, timesShort, fdsShort int

	daemonLong  DaemonMode
	followLong  bool
	hexLong     HexStrings
	hexLongSet  bool
	quietSet    bool
	timesLong   bool
	fdsSet      bool
	statusShort int // -z and -Z

	forkDeprecated bool
	columnsSet     bool
	sortSet        bool
	outputSet      bool
	userSet        bool
	tips           bool
	help, version  bool

	missing []string // options that this version accepts and cannot serve
}

// Parse reads the arguments of "farcall trace". called is the program's first argument.
// Warnings are to be shown even where there is an error.
func Parse(called string, asStrace bool, args []string) (Request, error) {
	p := &parser{o: defaults()}
	p.o.Called, p.o.AsStrace = called, asStrace

	g := getopt{table: table, args: args, strict: asStrace}
	for {
		opt, more, err := g.next()
		if err != nil {
			return Request{}, &message.Error{Text: err.Error(), Remedy: suggestOption(err), Usage: true}
		}
		if !more {
			break
		}
		if err := optionActions[opt.id](p, opt); err != nil {
			return Request{Warnings: p.warnings}, err
		}
		if p.help {
			return Request{Action: ActionHelp}, nil
		}
	}
	if p.version {
		return Request{Action: ActionVersion}, nil
	}
	p.o.Command = g.rest()
	if len(p.o.Command) == 0 && len(p.o.Attach) == 0 && p.tips {
		return Request{Action: ActionNothing}, nil
	}
	for _, step := range checks {
		if err := step(p); err != nil {
			return Request{Warnings: p.warnings}, err
		}
	}
	return Request{Options: p.o, Warnings: p.warnings}, nil
}

// badArgument is strace's message for an argument that an option cannot take.
func badArgument(opt parsedOption, hint string) error {
	return &message.Error{
		Text:   "invalid " + opt.name + " argument: '" + opt.arg + "'",
		Remedy: hint,
		Usage:  true,
	}
}

func count(counter func(*parser) *int) func(*parser, parsedOption) error {
	return func(p *parser, _ parsedOption) error {
		*counter(p)++
		return nil
	}
}

func set(flag func(*parser) *bool) func(*parser, parsedOption) error {
	return func(p *parser, _ parsedOption) error {
		*flag(p) = true
		return nil
	}
}

// setWord sets an enumeration to the value of the argument. also are other spellings.
func setWord[E ~uint8](field func(*parser) *E, words names, also map[string]E) func(*parser, parsedOption) error {
	return func(p *parser, opt parsedOption) error {
		if i, ok := words.index(opt.arg); ok {
			*field(p) = E(i)
			return nil
		}
		if v, ok := also[strings.ToLower(opt.arg)]; ok {
			*field(p) = v
			return nil
		}
		return badArgument(opt, "one of "+strings.Join(words, ", "))
	}
}

// setPrecision switches a time on, with the argument's precision or microseconds.
func setPrecision(on func(*parser) *bool, field func(*parser) *Precision) func(*parser, parsedOption) error {
	return func(p *parser, opt parsedOption) error {
		*on(p) = true
		*field(p) = Microseconds
		if !opt.hasArg {
			return nil
		}
		v, ok := parsePrecision(opt.arg)
		if !ok {
			return badArgument(opt, "one of s, ms, us, ns")
		}
		*field(p) = v
		return nil
	}
}

// qualifier makes the long name of -e KEY= an option; missing is what no argument means.
func qualifier(key, missing string) func(*parser, parsedOption) error {
	return func(p *parser, opt parsedOption) error {
		if !opt.hasArg {
			return p.qualify(key, missing)
		}
		return p.qualify(key, opt.arg)
	}
}

// optionActions is what each option does.
var optionActions = [...]func(*parser, parsedOption) error{
	optColumns: func(p *parser, opt parsedOption) error {
		n, ok := parseUint(opt.arg, maxInt)
		if !ok {
			return badArgument(opt, "a number of columns")
		}
		p.o.AlignColumn = n
		return nil
	},
	optAppend: set(func(p *parser) *bool { return &p.o.OutputAppend }),
	optDetachOn: func(p *parser, opt parsedOption) error {
		if opt.arg != "execve" {
			return &message.Error{Text: "Syscall '" + opt.arg + "' for -b isn't supported", Remedy: "-b execve is the only one"}
		}
		p.o.DetachOnExec = true
		return nil
	},
	optSummaryOnly: func(p *parser, _ parsedOption) error { return p.summary(SummaryOnly) },
	optSummary:     func(p *parser, _ parsedOption) error { return p.summary(SummaryBoth) },
	optDebug:       set(func(p *parser) *bool { return &p.o.Debug }),
	optDaemonShort: count(func(p *parser) *int { return &p.daemonShort }),
	optDaemonLong: func(p *parser, opt parsedOption) error {
		switch i, ok := daemonNames.index(opt.arg); {
		case !opt.hasArg:
			p.daemonLong = DaemonGrandchild
		case ok && i > 0:
			p.daemonLong = DaemonMode(i)
		case strings.EqualFold(opt.arg, "pgrp"):
			p.daemonLong = DaemonPgroup
		default:
			return badArgument(opt, "one of grandchild, pgroup, session")
		}
		return nil
	},
	optQualify: func(p *parser, opt parsedOption) error { return p.qualifyExpr(opt.arg) },
	optEnv: func(p *parser, opt parsedOption) error {
		name, value, ok := strings.Cut(opt.arg, "=")
		p.o.Env = append(p.o.Env, EnvChange{Name: name, Value: value, Unset: !ok})
		return nil
	},
	optFollowShort: count(func(p *parser) *int { return &p.followShort }),
	optFollowLong: func(p *parser, opt parsedOption) error {
		if opt.hasArg {
			if opt.arg != "output-separately" {
				return badArgument(opt, "--follow-forks or --follow-forks=output-separately")
			}
			p.o.OutputSeparately = true
		}
		p.followLong = true
		return nil
	},
	optForkDeprecated:     set(func(p *parser) *bool { return &p.forkDeprecated }),
	optOutputSeparately:   set(func(p *parser) *bool { return &p.o.OutputSeparately }),
	optHelp:               set(func(p *parser) *bool { return &p.help }),
	optInstructionPointer: set(func(p *parser) *bool { return &p.o.InstructionPtr }),
	optInterruptible: func(p *parser, opt parsedOption) error {
		if n, ok := parseUint(opt.arg, int(InterruptNeverTSTP)); ok && n > 0 {
			p.o.Interruptible = Interrupt(n)
			return nil
		}
		if i, ok := interruptNames.index(opt.arg); ok && i > 0 {
			p.o.Interruptible = Interrupt(i)
			return nil
		}
		if strings.EqualFold(opt.arg, "always") {
			p.o.Interruptible = InterruptAnywhere
			return nil
		}
		return badArgument(opt, "1 to 4, or one of "+strings.Join(interruptNames[1:], ", "))
	},
	optStackShort:    (*parser).stackShort,
	optStackLong:     (*parser).stackLong,
	optStackLimit:    (*parser).stackLimit,
	optSyscallNumber: set(func(p *parser) *bool { return &p.o.SyscallNumber }),
	optArgNames:      set(func(p *parser) *bool { return &p.o.ArgNames }),
	optOutput: func(p *parser, opt parsedOption) error {
		p.o.Output = opt.arg
		p.outputSet = true
		return nil
	},
	optSummaryOverhead: func(p *parser, opt parsedOption) error {
		d, ok := parseDuration(opt.arg)
		if !ok {
			return badArgument(opt, "a time such as 1.5us; the units are s, ms, us, ns")
		}
		p.o.Overhead = Overhead{Time: d, Set: true}
		return nil
	},
	optAttach: func(p *parser, opt parsedOption) error { return p.attach(opt.arg) },
	optTracePath: func(p *parser, opt parsedOption) error {
		p.o.Paths = append(p.o.Paths, opt.arg)
		return nil
	},
	optQuietShort: count(func(p *parser) *int { return &p.quietShort }),
	optRelativeTimes: setPrecision(
		func(p *parser) *bool { return &p.o.Relative },
		func(p *parser) *Precision { return &p.o.RelPrecision }),
	optStringLimit: func(p *parser, opt parsedOption) error {
		n, ok := parseUint(opt.arg, 1<<30-1) // UINT_MAX / 4
		if !ok {
			return badArgument(opt, "a number of bytes below 1073741824")
		}
		p.o.StringLimit = n
		return nil
	},
	optSummarySort: func(p *parser, opt parsedOption) (err error) {
		p.sortSet = true
		p.o.SortBy, err = parseSortBy(opt.arg)
		return err
	},
	optTimesShort: count(func(p *parser) *int { return &p.timesShort }),
	optTimesLong: func(p *parser, opt parsedOption) error {
		p.timesLong = true
		arg := opt.arg
		if !opt.hasArg {
			arg = "time"
		}
		if !p.o.parseTimestamps(arg) {
			return badArgument(opt, "a format (none, time, unix), a precision (s, ms, us, ns), or both")
		}
		return nil
	},
	optSyscallTimes: setPrecision(
		func(p *parser) *bool { return &p.o.CallTimes },
		func(p *parser) *Precision { return &p.o.CallPrecision }),
	optUser: func(p *parser, opt parsedOption) error {
		p.o.User = opt.arg
		p.userSet = true
		return nil
	},
	optSummaryColumns: func(p *parser, opt parsedOption) (err error) {
		p.columnsSet = true
		p.o.SummaryColumns, err = parseSummaryColumns(opt.arg)
		return err
	},
	optNoAbbrev: func(p *parser, _ parsedOption) error {
		p.o.Abbrev = new(filter.CallSet)
		return nil
	},
	optVersion:   set(func(p *parser) *bool { return &p.version }),
	optWallClock: set(func(p *parser) *bool { return &p.o.WallClock }),
	optHexShort:  count(func(p *parser) *int { return &p.hexShort }),
	optHexLong: func(p *parser, opt parsedOption) error {
		p.hexLongSet = true
		if !opt.hasArg {
			p.hexLong = HexAll
			return nil
		}
		return setWord(func(p *parser) *HexStrings { return &p.hexLong }, hexNames, nil)(p, opt)
	},
	optConstStyle: func(p *parser, opt parsedOption) error {
		for i, name := range constNames { // in lower case only, unlike its neighbours
			if opt.arg == name {
				p.o.ConstStyle = ConstStyle(i)
				return nil
			}
		}
		return badArgument(opt, "one of "+strings.Join(constNames, ", "))
	},
	optDecodeFDsShort: count(func(p *parser) *int { return &p.fdsShort }),
	optDecodePIDsComm: func(p *parser, _ parsedOption) error { return p.qualify("decode-pids", "comm") },
	optDecodePIDsNS:   func(p *parser, _ parsedOption) error { return p.qualify("decode-pids", "pidns") },
	optSuccessful:     func(p *parser, _ parsedOption) error { return p.status(StatusSuccessful) },
	optFailed:         func(p *parser, _ parsedOption) error { return p.status(StatusFailed) },
	optSeccomp: func(p *parser, opt parsedOption) error {
		if !opt.hasArg {
			p.o.Seccomp = SeccompOn
			return nil
		}
		return setWord(func(p *parser) *SeccompMode { return &p.o.Seccomp }, seccompNames, nil)(p, opt)
	},
	optTips: func(p *parser, opt parsedOption) error {
		if !checkTips(opt.arg) {
			return badArgument(opt, "tips are accepted for strace's sake and never shown")
		}
		p.tips = true
		return nil
	},
	optArgv0: func(p *parser, opt parsedOption) error {
		p.o.Argv0 = &opt.arg
		return nil
	},
	optKillOnExit: set(func(p *parser) *bool { return &p.o.KillOnExit }),
	optSyscallLimit: func(p *parser, opt parsedOption) error {
		n, ok := parseLimit(opt.arg)
		if !ok {
			return badArgument(opt, "a number of system calls, at least 1")
		}
		p.o.SyscallLimit = n
		return nil
	},
	optAlwaysShowPID: set(func(p *parser) *bool { return &p.o.AlwaysShowPID }),

	optQualTrace:      qualifier("trace", ""),
	optQualTraceFDs:   qualifier("trace-fds", ""),
	optQualAbbrev:     qualifier("abbrev", ""),
	optQualVerbose:    qualifier("verbose", ""),
	optQualRaw:        qualifier("raw", ""),
	optQualSignal:     qualifier("signal", ""),
	optQualStatus:     qualifier("status", ""),
	optQualRead:       qualifier("read", ""),
	optQualWrite:      qualifier("write", ""),
	optQualFault:      qualifier("fault", ""),
	optQualInject:     qualifier("inject", ""),
	optQualKVM:        qualifier("kvm", ""),
	optQualNamespace:  qualifier("namespace", "new"),
	optQualQuiet:      qualifier("quiet", quietOnce),
	optQualDecodeFDs:  qualifier("decode-fds", "path"),
	optQualDecodePIDs: qualifier("decode-pids", ""),
	optQualSecontext:  qualifier("secontext", ""),

	optFormat: setWord(func(p *parser) *OutputFormat { return &p.o.Format }, formatNames, nil),
	optColor: func(p *parser, opt parsedOption) error {
		if !opt.hasArg {
			p.o.Color = ColorAlways
			return nil
		}
		return setWord(func(p *parser) *ColorMode { return &p.o.Color }, colorNames, nil)(p, opt)
	},
	optSeize: func(p *parser, opt parsedOption) error {
		i, ok := names{"no", "yes"}.index(opt.arg)
		if !ok {
			return badArgument(opt, "yes or no")
		}
		p.o.Seize = i == 1
		return nil
	},
	optCPU:         setWord(func(p *parser) *CPUMode { return &p.o.CPU }, cpuNames, nil),
	optIn:          (*parser).regionSymbols,
	optInThreads:   set(func(p *parser) *bool { return &p.o.Regions.Threads }),
	optHardware:    set(func(p *parser) *bool { return &p.o.Regions.Hardware }),
	optStep:        set(func(p *parser) *bool { return &p.o.Regions.Step }),
	optUntilReturn: (*parser).untilReturn,
	optProfile:     (*parser).profile,
	optMarks:       (*parser).marks,
	optDescribe: func(p *parser, opt parsedOption) error {
		p.o.Describe = opt.arg
		return nil
	},
	optRule:       ruleOption(false),
	optRules:      ruleOption(true),
	optDryRun:     set(func(p *parser) *bool { return &p.o.DryRun }),
	optEmulate:    set(func(p *parser) *bool { return &p.o.Emulate }),
	optExplain:    set(func(p *parser) *bool { return &p.o.Explain }),
	optWhere:      condition(func(c *ConditionOptions) **filter.Expr { return &c.Where }),
	optCountWhere: condition(func(c *ConditionOptions) **filter.Expr { return &c.CountWhere }),
	optStopWhen:   condition(func(c *ConditionOptions) **filter.Expr { return &c.StopWhen }),
}

func (p *parser) summary(mode SummaryMode) error {
	if p.o.Summary != SummaryOff && p.o.Summary != mode {
		return message.Misuse("-c/--summary-only and -C/--summary are mutually exclusive")
	}
	p.o.Summary = mode
	return nil
}

func (p *parser) status(s StatusSet) error {
	p.o.Status = s
	p.statusShort++
	return nil
}

// unserved notes an option that is understood, but not served by this version. The complaint
// waits for mistakes that are the user's.
func (p *parser) unserved(option string) error {
	p.missing = append(p.missing, option)
	return nil
}

// attach reads a list of process numbers, separated by commas or white space.
func (p *parser) attach(arg string) error {
	for arg != "" { // a delimiter at the end is none too many
		word := arg
		arg = ""
		if i := strings.IndexAny(word, ", \n\t"); i >= 0 {
			word, arg = word[:i], word[i+1:]
		}
		pid, ok := parseUint(word, maxInt)
		if !ok || pid == 0 {
			return &message.Error{Text: "Invalid process id: '" + word + "'", Remedy: PIDHint}
		}
		if pid == os.Getpid() {
			return &message.Error{Text: "I'm sorry, I can't let you do that, Dave.", Remedy: "a tracer cannot trace itself"}
		}
		p.o.Attach = append(p.o.Attach, pid)
	}
	return nil
}
