package cmdline

// An optionID stands for one meaning; several spellings may share it.
type optionID uint8

const (
	optNone optionID = iota
	optColumns
	optAppend
	optDetachOn
	optSummaryOnly
	optSummary
	optDebug
	optDaemonShort
	optDaemonLong
	optQualify
	optEnv
	optFollowShort
	optFollowLong
	optForkDeprecated
	optOutputSeparately
	optHelp
	optInstructionPointer
	optInterruptible
	optStackShort
	optStackLong
	optStackLimit
	optSyscallNumber
	optArgNames
	optOutput
	optSummaryOverhead
	optAttach
	optTracePath
	optQuietShort
	optRelativeTimes
	optStringLimit
	optSummarySort
	optTimesShort
	optTimesLong
	optSyscallTimes
	optUser
	optSummaryColumns
	optNoAbbrev
	optVersion
	optWallClock
	optHexShort
	optHexLong
	optConstStyle
	optDecodeFDsShort
	optDecodePIDsComm
	optDecodePIDsNS
	optSuccessful
	optFailed
	optSeccomp
	optTips
	optArgv0
	optKillOnExit
	optSyscallLimit
	optAlwaysShowPID

	// The long names of -e KEY=.
	optQualTrace
	optQualTraceFDs
	optQualAbbrev
	optQualVerbose
	optQualRaw
	optQualSignal
	optQualStatus
	optQualRead
	optQualWrite
	optQualFault
	optQualInject
	optQualKVM
	optQualNamespace
	optQualQuiet
	optQualDecodeFDs
	optQualDecodePIDs
	optQualSecontext

	// farcall's own.
	optFormat
	optColor
	optSeize
	optCPU
	optDescribe
	optRule
	optRules
	optDryRun
	optExplain
	optEmulate
	optWhere
	optCountWhere
	optStopWhen
	optIn
	optInThreads
	optHardware
	optStep
	optUntilReturn
	optProfile
	optMarks
)

// table are the options of "farcall trace": those of strace 6.1, in the order in which
// it names them when an abbreviation is ambiguous; then those of later versions; then farcall's
// own.
var table = []option{
	{id: optColumns, short: 'a', long: "columns", arg: requiredArg},
	{id: optAppend, short: 'A', long: "output-append-mode"},
	{id: optDetachOn, short: 'b', long: "detach-on", arg: requiredArg},
	{id: optSummaryOnly, short: 'c', long: "summary-only"},
	{id: optSummary, short: 'C', long: "summary"},
	{id: optDebug, short: 'd', long: "debug"},
	{id: optDaemonShort, short: 'D'},
	{id: optDaemonLong, long: "daemonize", arg: optionalArg},
	{id: optDaemonLong, long: "daemonised", arg: optionalArg},
	{id: optDaemonLong, long: "daemonized", arg: optionalArg},
	{id: optQualify, short: 'e', arg: requiredArg},
	{id: optEnv, short: 'E', long: "env", arg: requiredArg},
	{id: optFollowShort, short: 'f'},
	{id: optFollowLong, long: "follow-forks", arg: optionalArg},
	{id: optForkDeprecated, short: 'F'},
	{id: optOutputSeparately, long: "output-separately"},
	{id: optHelp, short: 'h', long: "help"},
	{id: optInstructionPointer, short: 'i', long: "instruction-pointer"},
	{id: optInterruptible, short: 'I', long: "interruptible", arg: requiredArg},
	{id: optStackShort, short: 'k'},
	{id: optStackLong, long: "stack-traces", arg: optionalArg},
	{id: optSyscallNumber, short: 'n', long: "syscall-number"},
	{id: optOutput, short: 'o', long: "output", arg: requiredArg},
	{id: optSummaryOverhead, short: 'O', long: "summary-syscall-overhead", arg: requiredArg},
	{id: optAttach, short: 'p', long: "attach", arg: requiredArg},
	{id: optTracePath, short: 'P', long: "trace-path", arg: requiredArg},
	{id: optQuietShort, short: 'q'},
	{id: optRelativeTimes, short: 'r', long: "relative-timestamps", arg: optionalArg},
	{id: optStringLimit, short: 's', long: "string-limit", arg: requiredArg},
	{id: optSummarySort, short: 'S', long: "summary-sort-by", arg: requiredArg},
	{id: optTimesShort, short: 't'},
	{id: optTimesLong, long: "absolute-timestamps", arg: optionalArg},
	{id: optTimesLong, long: "timestamps", arg: optionalArg},
	{id: optSyscallTimes, short: 'T', long: "syscall-times", arg: optionalArg},
	{id: optUser, short: 'u', long: "user", arg: requiredArg},
	{id: optSummaryColumns, short: 'U', long: "summary-columns", arg: requiredArg},
	{id: optNoAbbrev, short: 'v', long: "no-abbrev"},
	{id: optVersion, short: 'V', long: "version"},
	{id: optWallClock, short: 'w', long: "summary-wall-clock"},
	{id: optHexShort, short: 'x'},
	{id: optHexLong, long: "strings-in-hex", arg: optionalArg},
	{id: optConstStyle, short: 'X', long: "const-print-style", arg: requiredArg},
	{id: optDecodeFDsShort, short: 'y'},
	{id: optDecodePIDsComm, short: 'Y'},
	{id: optDecodePIDsNS, long: "pidns-translation"},
	{id: optSuccessful, short: 'z', long: "successful-only"},
	{id: optFailed, short: 'Z', long: "failed-only"},
	{id: optFailed, long: "failing-only"},
	{id: optSeccomp, long: "seccomp-bpf", arg: optionalArg},
	{id: optTips, long: "tips", arg: optionalArg},

	{id: optQualTrace, long: "trace", arg: requiredArg},
	{id: optQualAbbrev, long: "abbrev", arg: requiredArg},
	{id: optQualVerbose, long: "verbose", arg: requiredArg},
	{id: optQualRaw, long: "raw", arg: requiredArg},
	{id: optQualSignal, long: "signals", arg: requiredArg},
	{id: optQualStatus, long: "status", arg: requiredArg},
	{id: optQualRead, long: "read", arg: requiredArg},
	{id: optQualWrite, long: "write", arg: requiredArg},
	{id: optQualFault, long: "fault", arg: requiredArg},
	{id: optQualInject, long: "inject", arg: requiredArg},
	{id: optQualKVM, long: "kvm", arg: requiredArg},
	{id: optQualQuiet, long: "quiet", arg: optionalArg},
	{id: optQualQuiet, long: "silent", arg: optionalArg},
	{id: optQualQuiet, long: "silence", arg: optionalArg},
	{id: optQualDecodeFDs, long: "decode-fds", arg: optionalArg},
	{id: optQualDecodePIDs, long: "decode-pids", arg: requiredArg},
	{id: optQualSecontext, long: "secontext", arg: optionalArg},

	{id: optAlwaysShowPID, long: "always-show-pid", later: true},
	{id: optArgNames, short: 'N', long: "arg-names", later: true},
	{id: optArgv0, long: "argv0", arg: requiredArg, later: true},
	{id: optKillOnExit, long: "kill-on-exit", later: true},
	{id: optStackLong, long: "stack-trace", arg: optionalArg, later: true},
	{id: optStackLimit, long: "stack-trace-frame-limit", arg: requiredArg, later: true},
	{id: optSyscallLimit, long: "syscall-limit", arg: requiredArg, later: true},
	{id: optQualTraceFDs, long: "trace-fds", arg: requiredArg, later: true},
	{id: optQualNamespace, long: "namespace", arg: optionalArg, later: true},

	{id: optFormat, long: "format", arg: requiredArg, later: true},
	{id: optColor, long: "color", arg: optionalArg, later: true},
	{id: optSeize, long: "seize", arg: requiredArg, later: true},
	{id: optCPU, long: "cpu", arg: requiredArg, later: true},
	{id: optDescribe, long: "describe", arg: requiredArg, later: true},
	{id: optRule, long: "rule", arg: requiredArg, later: true},
	{id: optRules, long: "rules", arg: requiredArg, later: true},
	{id: optDryRun, long: "dry-run", later: true},
	{id: optExplain, long: "explain", later: true},
	{id: optEmulate, long: "emulate", later: true},
	{id: optWhere, long: "where", arg: requiredArg, later: true},
	{id: optCountWhere, long: "count-where", arg: requiredArg, later: true},
	{id: optStopWhen, long: "stop-when", arg: requiredArg, later: true},
	{id: optIn, long: "in", arg: requiredArg, later: true, concealed: true},
	{id: optInThreads, long: "in-threads", later: true},
	{id: optHardware, long: "hw", later: true},
	{id: optStep, long: "step", later: true},
	{id: optMarks, long: "marks", arg: optionalArg, later: true},
	{id: optUntilReturn, long: "until-return", arg: requiredArg, later: true},
	{id: optProfile, long: "profile", arg: requiredArg, later: true},
}

// LongOptions are the long names of the options that strace 6.1 has.
func LongOptions() (names []string) {
	for _, o := range table {
		if o.long != "" && !o.later {
			names = append(names, o.long)
		}
	}
	return names
}
