package action

import (
	"errors"
	"strings"
	"testing"
	"time"

	"farcall/filter"
)

func calls(t testing.TB, expr string) *filter.CallSet {
	t.Helper()
	s, err := filter.ParseCallSet(expr)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// What is read says itself again, in one form.
func TestParse(t *testing.T) {
	for _, tt := range []struct{ calls, text, want string }{
		{"", "skip", "skip"}, {"", "fail EROFS", "fail EROFS"}, {"", "fail 2", "fail ENOENT"}, {"", " fail  enoent ", "fail ENOENT"},
		{"", "return -1", "return -1"}, {"", "return 0xffffffffffffffff", "return -1"}, {"", "result -EIO", "result -5"}, {"", "result 7", "result 7"},
		{"", "replace getpid", "replace getpid()"}, {"", "replace kill(0, 9)", "replace kill(0, 9)"}, {"", "replace getpid()", "replace getpid()"},
		{"openat", "set mode 0600", "set mode 384"}, {"openat", `set filename "a, \"b\""`, `set filename "a, \"b\""`},
		{"openat", "set flags O_RDWR|O_CLOEXEC", "set flags O_RDWR|O_CLOEXEC"}, {"openat", "set dfd AT_FDCWD", "set dfd AT_FDCWD"},
		{"write", "set buf hex:4142", "set buf 4142"}, {"newfstatat", "set statbuf.st_size 4096", "set statbuf.st_size 4096"},
		{"read,write", "short 7", "short 7"},
		{"", "delay 200ms", "delay 200ms"}, {"", "delay 1s..2s after", "delay 1s..2s after"}, {"", "delay exp 5ms before", "delay exp 5ms"},
		{"", "signal USR1", "signal SIGUSR1"}, {"", "signal 9 after", "signal SIGKILL after"},
		{"", "kill, stop,log", "kill; stop; log"}, {"", "delay 1ms, fail EIO, delay 1ms after", "delay 1ms; fail EIO; delay 1ms after"},
	} {
		env := Env{}
		if tt.calls != "" {
			env.Calls = calls(t, tt.calls)
		}
		list, err := Parse(tt.text, env)
		var texts []string
		for _, a := range list {
			texts = append(texts, a.String())
		}
		if got := strings.Join(texts, "; "); err != nil || got != tt.want {
			t.Errorf("%s: %q, %v; want %q", tt.text, got, err, tt.want)
		}
	}
}

func TestParseErrors(t *testing.T) {
	for _, tt := range []struct {
		calls, text string
		column      int
		words       string
	}{
		{"", "", 0, "want an action"}, {"", "explode", 0, "no action; there are skip"}, {"", "skip skip", 5, "want a comma"}, {"", "skip,", 5, "want an action"},
		{"", "fail EFOO", 5, "no error"}, {"", "fail 0", 5, "no error"}, {"", "fail 4096", 5, "no error"}, {"", "return x", 7, "no number"},
		{"", "return 99999999999999999999", 7, "no number"}, {"", "result -EFOO", 7, "neither"}, {"", "replace nosuch", 8, "no call"},
		{"", "replace kill(1", 14, "comma"}, {"", "replace kill(1,2,3,4,5,6,7)", 26, "six"},
		{"openat", "set nope 1", 4, "it has dfd, filename"}, {"openat", "set flags O_NOPE", 10, "none of open_flags"}, {"openat", `set flags "x"`, 10, "no pointer"},
		{"openat", `set filename "x`, 13, "no end"}, {"openat", "set filename hex:1", 13, "pairs"}, {"newfstatat", "set statbuf.st_sise 1", 4, "st_size"},
		{"openat", "set filename.x 1", 4, "no structure"}, {"openat,read", "set filename 1", 4, "read has no argument"},
		{"newfstatat", `set statbuf.st_size "x"`, 20, "arguments only"},
		{"", "short -1", 5, "not negative"}, {"", "delay 10", 6, "units"}, {"", "delay 2s..1s", 6, "smaller first"}, {"", "delay exp", 9, "a time"},
		{"", "signal NOPE", 7, "no signal"}, {"", "signal 65", 7, "no signal"}, {"", "fail EIO, return 3", 10, "only one of them"},
	} {
		env := Env{}
		if tt.calls != "" {
			env.Calls = calls(t, tt.calls)
		}
		_, err := Parse(tt.text, env)
		var pe *ParseError
		if !errors.As(err, &pe) || pe.Column != tt.column || !strings.Contains(pe.Message, tt.words) {
			t.Errorf("%q: %v, want column %d and %q", tt.text, err, tt.column+1, tt.words)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{`set filename "x"`, "delay 1s..2s after, fail EIO", "replace kill(1, 0x2)", "set flags O_RDWR|1", "signal KILL", "result -EIO", "set a.b hex:00"} {
		f.Add(s)
	}
	openat := calls(f, "openat")
	f.Fuzz(func(t *testing.T, text string) {
		for _, env := range []Env{{}, {Calls: openat}} {
			_, err := Parse(text, env)
			var pe *ParseError
			if err != nil && (!errors.As(err, &pe) || pe.Column < 0 || pe.Column > len(text)) {
				t.Fatalf("%q: %v", text, err)
			}
		}
	})
}

func TestOccurrenceHas(t *testing.T) {
	for _, tt := range []struct {
		o    Occurrence
		want string
	}{
		{Occurrence{}, "123456789"}, {Only(3), "3"}, {Occurrence{First: 2, Step: 1}, "23456789"}, {Occurrence{First: 2, Step: 3}, "258"},
		{Occurrence{First: 2, Last: 4, Step: 1}, "234"},
	} {
		got := ""
		for n := 1; n < 10; n++ {
			if tt.o.Has(n) {
				got += string(rune('0' + n))
			}
		}
		if got != tt.want {
			t.Errorf("%+v: %s, want %s", tt.o, got, tt.want)
		}
	}
}

func TestDurations(t *testing.T) {
	u, e := Uniform{time.Second, 2 * time.Second}, Exponential(time.Second)
	var sum time.Duration
	const draws = 10000
	for range draws {
		if d := u.Next(); d < u.Min || d > u.Max {
			t.Fatalf("%v is not in %v", d, u)
		}
		d := e.Next()
		if d < 0 || d > 100*time.Second {
			t.Fatalf("%v", d)
		}
		sum += d
	}
	if mean := sum / draws; mean < 900*time.Millisecond || mean > 1100*time.Millisecond { // ten standard deviations
		t.Errorf("mean %v, want about 1s", mean)
	}
}
