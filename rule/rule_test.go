package rule

import (
	"errors"
	"os"
	"strings"
	"testing"

	"farcall/filter"
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
		{`openat then fail EIO, return 1`, "only one of them can be done", 12},
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
	for _, s := range []string{"openat then skip", `read if fd.path == "x" and count == 2 then short 1, delay 1ms..2ms after`, "any then", "if if then then", "openat if ( then fail"} {
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
		if _, err := Parse(r.Text, Env{}); err != nil {
			t.Fatalf("%q: again: %v", text, err)
		}
	})
}
