package syscalls

import (
	"strconv"
	"strings"
)

// Signals of x86 and arm64 alike (asm-generic/signal.h); the real-time ones have the names that strace
// gives them.
var signals = [...]string{
	1: "SIGHUP", 2: "SIGINT", 3: "SIGQUIT", 4: "SIGILL", 5: "SIGTRAP", 6: "SIGABRT", 7: "SIGBUS",
	8: "SIGFPE", 9: "SIGKILL", 10: "SIGUSR1", 11: "SIGSEGV", 12: "SIGUSR2", 13: "SIGPIPE",
	14: "SIGALRM", 15: "SIGTERM", 16: "SIGSTKFLT", 17: "SIGCHLD", 18: "SIGCONT", 19: "SIGSTOP",
	20: "SIGTSTP", 21: "SIGTTIN", 22: "SIGTTOU", 23: "SIGURG", 24: "SIGXCPU", 25: "SIGXFSZ",
	26: "SIGVTALRM", 27: "SIGPROF", 28: "SIGWINCH", 29: "SIGIO", 30: "SIGPWR", 31: "SIGSYS",
	32: "SIGRTMIN", 33: "SIGRT_1", 34: "SIGRT_2", 35: "SIGRT_3", 36: "SIGRT_4", 37: "SIGRT_5",
	38: "SIGRT_6", 39: "SIGRT_7", 40: "SIGRT_8", 41: "SIGRT_9", 42: "SIGRT_10", 43: "SIGRT_11",
	44: "SIGRT_12", 45: "SIGRT_13", 46: "SIGRT_14", 47: "SIGRT_15", 48: "SIGRT_16", 49: "SIGRT_17",
	50: "SIGRT_18", 51: "SIGRT_19", 52: "SIGRT_20", 53: "SIGRT_21", 54: "SIGRT_22", 55: "SIGRT_23",
	56: "SIGRT_24", 57: "SIGRT_25", 58: "SIGRT_26", 59: "SIGRT_27", 60: "SIGRT_28", 61: "SIGRT_29",
	62: "SIGRT_30", 63: "SIGRT_31", 64: "SIGRT_32",
}

// Further names of a signal in signal(7).
var signalAliases = [...]struct {
	name   string
	signal int
}{
	{"IOT", 6}, {"CLD", 17}, {"POLL", 29}, {"UNUSED", 31}, {"RTMAX", maxSignal},
}

// maxSignal is the highest signal. C libraries keep the first two or three real-time ones, from 32, to
// themselves and call a later one SIGRTMIN; strace, and this package, do not.
const maxSignal = 64

// SignalName is the name of signal n as strace prints it: SIGHUP for 1, SIGRTMIN for 32, SIGRT_1
// for 33 up to SIGRT_32 for 64. It is "" for a number that is no signal.
func SignalName(n int) string {
	if n < 1 || n > maxSignal {
		return ""
	}
	return signals[n]
}

// SignalNumber is the number of the signal that name means, and whether it means one: a name of
// SignalName or a second name of signal(7), as SIGPOLL, in upper or lower case, with or without
// SIG; or a decimal number from 0 to 255, which need not be a signal.
func SignalNumber(name string) (n int, ok bool) {
	if name != "" && '0' <= name[0] && name[0] <= '9' {
		n, err := strconv.ParseUint(name, 10, 8)
		return int(n), err == nil
	}
	name = strings.ToUpper(name)
	name = strings.TrimPrefix(name, "SIG")
	for n, s := range signals {
		if s != "" && s[len("SIG"):] == name {
			return n, true
		}
	}
	for _, alias := range signalAliases {
		if alias.name == name {
			return alias.signal, true
		}
	}
	return 0, false
}
