package syscalls

import (
	"strconv"
	"strings"
)

// Standard signals of x86 and arm64 alike (asm-generic/signal.h), without SIG.
var signals = [...]string{
	1: "HUP", 2: "INT", 3: "QUIT", 4: "ILL", 5: "TRAP", 6: "ABRT", 7: "BUS", 8: "FPE",
	9: "KILL", 10: "USR1", 11: "SEGV", 12: "USR2", 13: "PIPE", 14: "ALRM", 15: "TERM", 16: "STKFLT",
	17: "CHLD", 18: "CONT", 19: "STOP", 20: "TSTP", 21: "TTIN", 22: "TTOU", 23: "URG", 24: "XCPU",
	25: "XFSZ", 26: "VTALRM", 27: "PROF", 28: "WINCH", 29: "IO", 30: "PWR", 31: "SYS",
}

// Further names of a signal in signal(7).
var signalAliases = [...]struct {
	name   string
	signal int
}{
	{"IOT", 6}, {"CLD", 17}, {"POLL", 29}, {"UNUSED", 31}, {"RTMAX", maxSignal},
}

// The kernel's real-time signals. C libraries keep the first two or three to themselves and
// call a later one SIGRTMIN; strace, and this package, do not.
const (
	minRealTime = 32
	maxSignal   = 64
)

// SignalName is the name of signal n as strace prints it: SIGHUP for 1, SIGRTMIN for 32, SIGRT_1
// for 33 up to SIGRT_32 for 64. It is "" for a number that is no signal.
func SignalName(n int) string {
	switch {
	case n < 1 || n > maxSignal:
		return ""
	case n < minRealTime:
		return "SIG" + signals[n]
	case n == minRealTime:
		return "SIGRTMIN"
	}
	return "SIGRT_" + strconv.Itoa(n-minRealTime)
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
	if rest, ok := strings.CutPrefix(name, "RT_"); ok {
		n, err := strconv.ParseUint(rest, 10, 8)
		if err != nil || n < 1 || n > maxSignal-minRealTime || rest[0] == '0' {
			return 0, false
		}
		return minRealTime + int(n), true
	}
	if name == "RTMIN" {
		return minRealTime, true
	}
	for n, s := range signals {
		if s == name && s != "" {
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
