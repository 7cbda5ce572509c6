package syscalls

// A Format names a Go formatter of package decode that refines a value which the language
// alone cannot describe. There are few on purpose: a new one wants a reason.
type Format uint8

// The formats.
const (
	FormatNone    Format = iota
	FormatClone          // flags of clone(2) with a signal in the low byte
	FormatClock          // clock ids of processes, threads and descriptors
	FormatPages          // a number of pages of 4096 bytes, shown in bytes
	FormatWakeOp         // futex(2) FUTEX_WAKE_OP
	FormatIoprio         // ioprio_set(2)
	FormatSyscall        // the number of a call, for the architecture beside it
	FormatUtime          // a time of utimensat(2): the text names UTIME_NOW and UTIME_OMIT
	FormatPolled         // the descriptors that poll(2) and select(2) report
	FormatIoctl          // a command of ioctl(2), of which the text takes an unknown one apart
	FormatCC             // control characters of a terminal, which the text shows with their names
	FormatCaps           // capability bits, of which the upper 32 stand 12 bytes behind
	FormatDecimal        // an enum that is shown in decimal where it has no name
	FormatHighLow        // an offset in two registers, the high half first
	FormatComment        // a number with its name behind it in a comment
	FormatInsn           // an instruction of a seccomp filter
	numFormats
)

var formatNames = [...]string{
	FormatNone:    "",
	FormatClone:   "clone",
	FormatClock:   "clock",
	FormatPages:   "pages",
	FormatWakeOp:  "wakeop",
	FormatIoprio:  "ioprio",
	FormatSyscall: "syscall",
	FormatCaps:    "caps",
	FormatDecimal: "decimal",
	FormatComment: "comment",
	FormatInsn:    "insn",
	FormatUtime:   "utime",
	FormatPolled:  "polled",
	FormatIoctl:   "ioctl",
	FormatCC:      "cc",
	FormatHighLow: "highlow",
}

func (f Format) String() string { return formatNames[f] }

func formatByName(name string) (Format, bool) {
	for i, n := range formatNames {
		if n == name && n != "" {
			return Format(i), true
		}
	}
	return 0, false
}
