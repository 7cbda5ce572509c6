package cnumber

import (
	"testing"
	"time"
)

func TestNumbers(t *testing.T) {
	for _, tt := range []struct {
		s    string
		n    int
		rest string
		ok   bool
	}{
		{"12", 12, "", true}, {" \t+7x", 7, "x", true}, {"-0", 0, "", true}, {"-1", 0, "", false}, {"", 0, "", false}, {"x", 0, "", false},
		{"1001", 0, "", false}, {"1000", 1000, "", true}, {"99999999999999999999", 0, "", false}, {"0x10", 0, "x10", true},
	} {
		n, rest, ok := Scan(tt.s, 1000)
		if n != tt.n || rest != tt.rest || ok != tt.ok {
			t.Errorf("%q: %d %q %v, want %d %q %v", tt.s, n, rest, ok, tt.n, tt.rest, tt.ok)
		}
		if _, ok := Uint(tt.s, 1000); ok != (tt.ok && tt.rest == "") {
			t.Errorf("Uint(%q): %v", tt.s, ok)
		}
	}
}

func TestDurations(t *testing.T) {
	for s, want := range map[string]time.Duration{
		"5": 5 * time.Microsecond, "1.5ms": 1500 * time.Microsecond, "2s": 2 * time.Second, "3us": 3 * time.Microsecond, "7ns": 7,
		"1e3": time.Millisecond, "": -1, "x": -1, "-1": -1, "1m": -1, "1e300s": -1,
	} {
		d, ok := Duration(s)
		if ok != (want >= 0) || ok && d != want {
			t.Errorf("%q: %v %v, want %v", s, d, ok, want)
		}
	}
}
