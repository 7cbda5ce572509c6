package cmdline

import (
	"slices"
	"strings"
	"testing"
)

func TestSplitSymbols(t *testing.T) {
	for in, want := range map[string][]string{
		"main":                    {"main"},
		"a,b":                     {"a", "b"},
		"f(int, char),g":          {"f(int, char)", "g"},
		"map<int,long>::at,x":     {"map<int,long>::at", "x"},
		"main.(*T).M,libc.so.6:f": {"main.(*T).M", "libc.so.6:f"},
		"a,":                      {"a", ""},
		"operator>>,b":            {"operator>>", "b"},
	} {
		if got := splitSymbols(in); !slices.Equal(got, want) {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

func FuzzSplitSymbols(f *testing.F) {
	for _, s := range []string{"main", "f(a,b),g", "a<b,c", "operator>>,x", ")(,", "["} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if got := strings.Join(splitSymbols(s), ","); got != s {
			t.Errorf("%q became %q", s, got)
		}
	})
}
