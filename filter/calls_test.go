package filter

import (
	"errors"
	"testing"

	"farcall/syscalls"
)

func TestParseCalls(t *testing.T) {
	for _, tt := range []struct {
		text, set, rest string
	}{
		{"openat@64 if ok then fail", "openat", "if ok then fail"},
		{"openat@64|close@64 then log", "openat,close", "then log"},
		{"openat@64 | close@64", "openat,close", ""},
		{"openat@64, close@64", "openat,close", ""},
		{"  /^open(at|)$/@64 then", "openat,open", "then"},
		{"/^(open|clos[e,])$/@64|read@64", "read,open,close", ""},
		{`/^open\/|^close$/@64`, "close", ""},
		{"?nosuch|read@64", "read", ""},
	} {
		set, rest, err := ParseCalls(tt.text, 0)
		if err != nil {
			t.Errorf("%s: %v", tt.text, err)
			continue
		}
		want := new(CallSet)
		for name := range splitNames(tt.set) {
			nr, ok := syscalls.AMD64.Number(name)
			if !ok {
				t.Fatal(name)
			}
			want.Add(syscalls.AMD64, nr)
		}
		if *set != *want || tt.text[rest:] != tt.rest {
			t.Errorf("%s: %s, rest %q", tt.text, set, tt.text[rest:])
		}
	}
	all, rest, err := ParseCalls("any then log", 0)
	if err != nil || !all.IsAll() || rest != 4 {
		t.Errorf("any: %s, %d, %v", all, rest, err)
	}
	class, _, err := ParseCalls("%file | close", 0)
	if err != nil || !class.Has(syscalls.AMD64, 257) || !class.Has(syscalls.AMD64, 3) || class.Has(syscalls.AMD64, 0) {
		t.Errorf("%s, %v", class, err)
	}
	if _, rest, err := ParseCalls("rule: read then log", 5); err != nil || rest != 11 {
		t.Errorf("%d, %v", rest, err)
	}
}

func splitNames(s string) func(func(string) bool) {
	return func(yield func(string) bool) {
		start := 0
		for i := 0; i <= len(s); i++ {
			if i == len(s) || s[i] == ',' {
				if !yield(s[start:i]) {
					return
				}
				start = i + 1
			}
		}
	}
}

func TestParseCallsErrors(t *testing.T) {
	for _, tt := range []struct {
		text, message, hint string
	}{
		{"", "column 1: a system call is expected", "names of calls, %classes, /regular expressions/ or any, with | in between"},
		{"read|", "column 6: a system call is expected", "names of calls, %classes, /regular expressions/ or any, with | in between"},
		{"read | opne if ok", "column 8: there is no system call 'opne'", "did you mean 'open'?"},
		{"%flie", "column 1: there is no system call '%flie'", "did you mean '%file'?"},
		{"if ok then log", "column 1: there is no system call 'if'", "the calls come first"},
		{"all", "column 1: there is no system call 'all'", "every call is 'any'"},
		{"/open", "column 1: the regular expression does not end: there is no closing /", ""},
		{"/a(/", "column 1: regcomp: a(: Unmatched ( or \\(", ""},
		{"/nosuch/", "column 1: there is no system call '/nosuch/'", "no system call's name matches the regular expression"},
		{"open@foo", "column 1: incorrect personality designator 'foo' in qualification 'open@foo'", "one of @64, @32, @x32 can follow the name"},
	} {
		_, _, err := ParseCalls(tt.text, 0)
		var ee *ExprError
		if !errors.As(err, &ee) || ee.Error() != tt.message || ee.Hint != tt.hint {
			t.Errorf("%s: %v, %+v", tt.text, err, ee)
		}
	}
}
