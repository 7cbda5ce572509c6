package syscalls

import (
	"strings"
	"testing"
)

func TestSignalName(t *testing.T) {
	for n, want := range map[int]string{
		-1: "", 0: "", 1: "SIGHUP", 6: "SIGABRT", 17: "SIGCHLD", 29: "SIGIO", 31: "SIGSYS",
		32: "SIGRTMIN", 33: "SIGRT_1", 64: "SIGRT_32", 65: "",
	} {
		if got := SignalName(n); got != want {
			t.Errorf("SignalName(%d) = %q; want %q", n, got, want)
		}
	}
}

func TestSignalNumberRoundTrip(t *testing.T) {
	for n := 1; n <= 64; n++ {
		name := SignalName(n)
		for _, s := range []string{name, strings.ToLower(name), strings.TrimPrefix(name, "SIG")} {
			if got, ok := SignalNumber(s); !ok || got != n {
				t.Errorf("SignalNumber(%q) = %d, %v; want %d", s, got, ok, n)
			}
		}
	}
}

// What strace 6.1 takes and refuses in -e signal=, and the second names, which it refuses.
func TestSignalNumber(t *testing.T) {
	for _, tt := range []struct {
		name string
		n    int
		ok   bool
	}{
		{"0", 0, true}, {"34", 34, true}, {"255", 255, true}, {"256", 0, false}, {"0x2", 0, false}, {"-1", 0, false},
		{"SIGIOT", 6, true}, {"cld", 17, true}, {"SIGPOLL", 29, true}, {"SIGRTMAX", 64, true},
		{"RT_0", 0, false}, {"RT_33", 0, false}, {"RT_01", 0, false}, {"RT_", 0, false}, {"RTMIN+1", 0, false},
		{"", 0, false}, {"SIG", 0, false}, {"SIGSIGINT", 0, false}, {"FOO", 0, false}, {"9x", 0, false},
	} {
		n, ok := SignalNumber(tt.name)
		if ok != tt.ok || ok && n != tt.n {
			t.Errorf("SignalNumber(%q) = %d, %v; want %d, %v", tt.name, n, ok, tt.n, tt.ok)
		}
	}
}
