package rule

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"farcall/filter"
	"farcall/syscalls"
)

func TestParse(t *testing.T) {
	for _, tt := range []struct{ text, actions string }{
		{`openat then skip`, "skip"},
		{`openat if args.filename glob "/etc/*" and args.flags has O_CREAT then fail EROFS`, "fail EROFS"},
		{`read | pread64 if fd.path == "/data" then short 7`, "short 7"},
		{`%net then delay 20ms, log`, "delay 20ms; log"},
		{`/^stat/ if (args.filename == "x" or args.filename glob "y*") and count > 3 then fail ENOENT, signal SIGUSR1 after`, "fail ENOENT; signal SIGUSR1 after"},
		{`any if name == write and ret > 3 then result 3`, "result 3"},
		{"write\tif args.count == 0 then return 0", "return 0"},
	} {
		r, err := Parse(tt.text, Env{})
		if err != nil {
			t.Errorf("%s: %v", tt.text, err)
			continue
		}
		var texts []string
		for _, a := range r.Actions {
			texts = append(texts, a.Text)
		}
		if got := strings.Join(texts, "; "); got != tt.actions {
			t.Errorf("%s: %s, want %s", tt.text, got, tt.actions)
		}
		again, err := Parse(r.Text, Env{})
		if err != nil || again.Text != r.Text {
			t.Errorf("%s: once more: %v", tt.text, err)
		}
	}
}

func TestParseErrors(t *testing.T) {
	for _, tt := range []struct {
		text, message string
		column        int // from 1
	}{
		{``, "a system call is expected", 1},
		{`opnat then skip`, "there is no system call 'opnat'", 1},
		{`openat`, "'then' and what to do is expected", 7},
		{`openat fail EIO`, "'then' and what to do is expected", 8},
		{`openat thenfail EIO`, "'then' and what to do is expected", 8},
		{`openat if args.foo == 1 then skip`, "has no argument 'foo'", 16},
		{`openat if then skip`, "", 11},
		{`openat then`, "", 12},
		{`openat then fail EFOO`, "no error", 18},
		{`openat then fail EIO, return 1`, "only one of them can be done", 23},
		{`openat if ret == 3 then skip`, "is done before the call", 25},
		{`openat then set foo 3`, "foo", 17},
	} {
		_, err := Parse(tt.text, Env{})
		var ee *filter.ExprError
		if !errors.As(err, &ee) {
			t.Errorf("%q: %v", tt.text, err)
			continue
		}
		if !strings.Contains(ee.Message, tt.message) || ee.Column() != tt.column {
			t.Errorf("%q: column %d: %s; want column %d: %s", tt.text, ee.Column(), ee.Message, tt.column, tt.message)
		}
	}
}

func TestParseFile(t *testing.T) {
	rules, err := ParseFile("f", "# none\n\nopenat then skip\n\t# none\r\nread then short 1\r\n", Env{})
	if err != nil || len(rules) != 2 || rules[1].Text != "read then short 1" {
		t.Errorf("%v, %v", rules, err)
	}
	_, err = ParseFile("f", "openat then skip\n\nread then nothing\n", Env{})
	var fe *FileError
	if !errors.As(err, &fe) || fe.Line != 3 || !strings.HasPrefix(err.Error(), "f:3: column 11: ") {
		t.Errorf("%v", err)
	}
}

// TestReach: the program stops at no call for which a rule cannot match.
func TestReach(t *testing.T) {
	abi := syscalls.AMD64
	openat, _ := abi.Number("openat")
	read, _ := abi.Number("read")
	for _, x := range []struct {
		text         string
		openat, read bool // it may match
	}{
		{`openat if args.filename glob "/etc/*" then fail ENOENT`, true, false},
		{`any if name == read then short 1`, false, true},
		{`any then log`, true, true},
		{`openat|read if args.filename == "x" then fail EIO`, true, false},
	} {
		r, err := Parse(x.text, Env{})
		if err != nil {
			t.Fatal(err)
		}
		reach := r.Reach()
		if got := reach.Calls.Has(abi, openat); got != x.openat {
			t.Errorf("%s: openat: %v", x.text, got)
		}
		if got := reach.Calls.Has(abi, read); got != x.read {
			t.Errorf("%s: read: %v", x.text, got)
		}
	}
	r, err := Parse(`read if args.count > 1M then short 1`, Env{})
	if err != nil {
		t.Fatal(err)
	}
	cond := r.Reach().When(abi, read)
	if cond == nil || cond.Holds(&[6]uint64{2: 1 << 20}) || !cond.Holds(&[6]uint64{2: 1<<20 + 1}) {
		t.Errorf("the kernel is asked for %v", cond)
	}
}

// TestDocumentation reads the rules in docs/interception.md.
func TestDocumentation(t *testing.T) {
	text, err := os.ReadFile("../docs/interception.md")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for line := range strings.Lines(string(text)) {
		line, found := strings.CutPrefix(strings.TrimRight(line, "\n"), "    ")
		if !found || !strings.Contains(line, " then ") || strings.Contains(line, "CALLS") || strings.HasPrefix(line, "farcall") || strings.HasPrefix(line, "rule ") || strings.HasPrefix(line, "$") || strings.HasPrefix(line, " ") {
			continue
		}
		n++
		if _, err := Parse(line, Env{}); err != nil {
			t.Errorf("%s: %v", line, err)
		}
	}
	if n < 10 {
		t.Errorf("%d rules in the page", n)
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"openat then skip", `read if fd.path == "x" and count == 2 then short 1, delay 1ms..2ms after`, "any then", "if if then then", "openat if ( then fail",
		`/^open/ then skip`, `statx then set buffer.stx_size 5, set buffer.stx_uid 0`, `read if failed then result -EIO`, `openat,read@32 then return -0x10`,
		`openat then set filename "x\x41" , signal USR1 after`, `write then replace getpid()`, "\x80 then \xff", `read then set buf hex:00ff`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		r, err := Parse(text, Env{})
		if err != nil {
			var ee *filter.ExprError
			if !errors.As(err, &ee) || ee.Offset < 0 || ee.Offset > len(text) {
				t.Fatalf("%q: %v", text, err)
			}
			_, _ = ee.Caret()
			return
		}
		again, err := Parse(r.Text, Env{})
		if err != nil || *again.Calls != *r.Calls || fmt.Sprint(again.Actions) != fmt.Sprint(r.Actions) {
			t.Fatalf("%q: again: %v, %v", text, again, err)
		}
		if _, err := Compile([]*Rule{r, again}, Options{}); err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		if err := Explain(io.Discard, []*Rule{r, again}, func(*Rule) bool { return false }); err != nil {
			t.Fatal(err)
		}
	})
}
