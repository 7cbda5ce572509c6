package cli

import (
	"fmt"
	"strings"
)

// signalNames are the signals below the real-time ones, by number, in their names on x86 and
// ARM (include/uapi/asm-generic/signal.h, without SIG).
var signalNames = names{
	"0", "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2",
	"PIPE", "ALRM", "TERM", "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG",
	"XCPU", "XFSZ", "VTALRM", "PROF", "WINCH", "IO", "PWR", "SYS",
}

const (
	firstRealtime = 32 // the kernel's; the C library keeps the first two for itself
	lastRealtime  = 64
)

// signalName is the signal's name without SIG, or its number where it has none.
func signalName(n int) string {
	switch {
	case n == firstRealtime:
		return "RTMIN"
	case n > firstRealtime && n <= lastRealtime:
		return fmt.Sprintf("RT_%d", n-firstRealtime)
	case n >= 0 && n < len(signalNames):
		return signalNames[n]
	}
	return fmt.Sprint(n)
}

// parseSignal reads a signal's number up to 255, or its name with or without SIG in any case.
func parseSignal(word string) (int, bool) {
	if word != "" && word[0] >= '0' && word[0] <= '9' {
		return parseUint(word, 255, "")
	}
	word, _ = cutPrefixFold(word, "SIG")
	for n := 1; n <= lastRealtime; n++ {
		if strings.EqualFold(word, signalName(n)) {
			return n, true
		}
	}
	return 0, false
}
