package filter

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"farcall/syscalls"
)

// testClasses puts a few calls into classes, so that the tests do not depend on the tables.
func testClasses(a syscalls.ABI, nr uint64) syscalls.Class {
	switch a.Name(nr) {
	case "open", "openat":
		return syscalls.ClassFile | syscalls.ClassDesc
	case "stat", "lstat":
		return syscalls.ClassFile | syscalls.ClassStatLike
	case "close":
		return syscalls.ClassDesc
	}
	return 0
}

func testParse(expr string) (*CallSet, error) {
	p := parser{personalities: personalities["amd64"], classes: testClasses}
	return p.set(expr)
}

// members are the names in the set for one ABI.
func members(s *CallSet, a syscalls.ABI) string {
	var out []string
	for nr := range s.Calls(a) {
		out = append(out, a.Name(nr))
	}
	return strings.Join(out, ",")
}

func TestParseCallSet(t *testing.T) {
	for _, tt := range []struct {
		expr              string
		amd64, i386, x32  string
		hasUnnamed, tried bool
	}{
		{expr: "open", amd64: "open", i386: "open", x32: "open"},
		{expr: "open,close", amd64: "open,close", i386: "open,close", x32: "open,close"},
		{expr: ",open,,close,", amd64: "open,close", i386: "open,close", x32: "open,close"},
		{expr: "open@64", amd64: "open"},
		{expr: "open@32,close@x32", i386: "open", x32: "close"},
		{expr: "waitpid", i386: "waitpid"},
		{expr: "?nosuch"},
		{expr: "?nosuch,open@64", amd64: "open"},
		{expr: "???open@64", amd64: "open"},
		{expr: "2", amd64: "open", i386: "fork", x32: "open"},
		{expr: "2@64", amd64: "open"},
		{expr: "512@x32", x32: "rt_sigaction"},
		{expr: "/^openat", amd64: "openat,openat2", i386: "openat,openat2", x32: "openat,openat2"},
		{expr: "/^openat$@64,/^clos(e)?$@64", amd64: "close,openat"},
		{expr: "%file@64", amd64: "open,stat,lstat,openat"},
		{expr: "file@64,%desc@32", amd64: "open,stat,lstat,openat", i386: "open,close,openat"},
		{expr: "%%stat@64", amd64: "stat,lstat"},
		{expr: "stat@64", amd64: "stat"}, // the call, not the class
		{expr: "none"},
		{expr: "!all"},
		{expr: "!!open@64", amd64: "open"},
	} {
		set, err := testParse(tt.expr)
		if err != nil {
			t.Errorf("%s: %v", tt.expr, err)
			continue
		}
		for _, abi := range []struct {
			abi  syscalls.ABI
			want string
		}{{syscalls.AMD64, tt.amd64}, {syscalls.I386, tt.i386}, {syscalls.X32, tt.x32}, {syscalls.ARM64, ""}} {
			if got := members(set, abi.abi); got != abi.want {
				t.Errorf("%s: %s: %q, want %q", tt.expr, abi.abi, got, abi.want)
			}
		}
		if set.Unnamed() || set.Has(syscalls.AMD64, 9999) || set.Has(syscalls.AMD64, 1<<40) {
			t.Errorf("%s: holds calls without a name", tt.expr)
		}
	}
}

// TestClasses uses the real tables: each class has members, and a few that strace(1) promises.
func TestClasses(t *testing.T) {
	for _, class := range ClassNames() {
		set, err := ParseCallSet(class)
		if err != nil || set.Len(syscalls.AMD64) == 0 || set.Unnamed() {
			t.Errorf("%s: %v, %v", class, set, err)
		}
	}
	for _, tt := range []struct{ class, yes, no string }{
		{"%file", "openat", "close"},
		{"%desc", "close", "getpid"},
		{"%net", "socket", "pipe"},
		{"%process", "execve", "getpid"},
		{"%signal", "kill", "open"},
		{"%memory", "mmap", "read"},
		{"%ipc", "shmget", "pipe"},
		{"%creds", "setuid", "getpid"},
		{"%clock", "clock_gettime", "nanosleep"},
		{"%pure", "getpid", "setuid"},
		{"%stat", "stat", "lstat"},
		{"%lstat", "lstat", "stat"},
		{"%fstat", "statx", "stat"},
		{"%%stat", "statx", "statfs"},
		{"%statfs", "statfs", "fstatfs"},
		{"%fstatfs", "fstatfs", "statfs"},
		{"%%statfs", "ustat", "stat"},
	} {
		set, err := ParseCallSet(tt.class)
		if err != nil {
			t.Errorf("%s: %v", tt.class, err)
			continue
		}
		yes, _ := syscalls.AMD64.Number(tt.yes)
		no, _ := syscalls.AMD64.Number(tt.no)
		if !set.Has(syscalls.AMD64, yes) || set.Has(syscalls.AMD64, no) {
			t.Errorf("%s holds %s: %v, %s: %v", tt.class, tt.yes, set.Has(syscalls.AMD64, yes), tt.no, set.Has(syscalls.AMD64, no))
		}
	}
}

// TestComplement: what "!" leaves are all other calls, unknown ones too, in every ABI.
func TestComplement(t *testing.T) {
	set, err := testParse("!open")
	if err != nil {
		t.Fatal(err)
	}
	for a := syscalls.ABI(0); a < syscalls.NumABI; a++ {
		for nr, name := range a.Names() {
			if got, want := set.Has(a, nr), name != "open"; got != want {
				t.Errorf("%s %s: %v", a, name, got)
			}
		}
	}
	for _, nr := range []uint64{maxCall - 1, maxCall, 1 << 31, ^uint64(0)} {
		if !set.Has(syscalls.AMD64, nr) {
			t.Errorf("call %#x is missing", nr)
		}
	}
	if !set.Unnamed() || set.IsAll() || set.IsEmpty() {
		t.Error("!open is not all, and not nothing")
	}
	if all, _ := testParse("all"); !all.IsAll() {
		t.Error("all is not all")
	}
	// In a list "all" stands for the calls that have a name.
	if list, _ := testParse("all,open"); list.IsAll() || list.Unnamed() || list.Len(syscalls.I386) != AllCalls().Len(syscalls.I386) {
		t.Error("all,open")
	}
}

func TestX32NumbersCarryTheirBit(t *testing.T) {
	set, err := testParse("open@x32")
	if err != nil {
		t.Fatal(err)
	}
	if !set.Has(syscalls.X32, 2) || !set.Has(syscalls.X32, 2|syscalls.X32Bit) || set.Has(syscalls.AMD64, 2) {
		t.Error("open@x32 has the wrong members")
	}
	if got := slices.Collect(set.Calls(syscalls.X32)); !slices.Equal(got, []uint64{2 | syscalls.X32Bit}) {
		t.Errorf("calls %#x", got)
	}
	number, err := testParse("1073741826") // with the bit
	if err != nil || *number != *set {
		t.Errorf("by number: %v, %v", number, err)
	}
}

func TestParseErrors(t *testing.T) {
	for _, tt := range []struct {
		expr, message, hint string
		usage               bool
	}{
		{expr: "", message: "invalid system call ''"},
		{expr: "!,", message: "invalid system call '!,'"},
		{expr: "opne", message: "invalid system call 'opne'", hint: "did you mean 'open'?"},
		{expr: "opnat", message: "invalid system call 'opnat'", hint: "did you mean 'openat'?"},
		{expr: "?open,opne@64", message: "invalid system call 'opne@64'", hint: "did you mean 'open'?"},
		{expr: "%flie", message: "invalid system call '%flie'", hint: "did you mean '%file'?"},
		{expr: "creds", message: "invalid system call 'creds'", hint: "did you mean '%creds'?"},
		{expr: "xyzzyplugh", message: "invalid system call 'xyzzyplugh'"},
		{expr: "open,!close", message: "invalid system call '!close'", hint: "'!' negates the whole set and stands only at its beginning"},
		{expr: "99999", message: "invalid system call '99999'", hint: "no system call has this number"},
		{expr: "/nosuch", message: "invalid system call '/nosuch'", hint: "no system call's name matches the regular expression"},
		{expr: "open@foo", message: "incorrect personality designator 'foo' in qualification 'open@foo'",
			hint: "one of @64, @32, @x32 can follow the name", usage: true},
		{expr: `/(a)\1`, message: `regcomp: (a)\1: Invalid back reference`, hint: "back references are not supported"},
		{expr: "/[", message: "regcomp: [: Invalid regular expression"},
	} {
		_, err := testParse(tt.expr)
		var pe *ParseError
		if !errors.As(err, &pe) {
			t.Errorf("%s: %v", tt.expr, err)
			continue
		}
		if pe.Message != tt.message || tt.hint != "" && pe.Hint != tt.hint || pe.Usage != tt.usage {
			t.Errorf("%s: %+v", tt.expr, *pe)
		}
	}
}

func TestOtherArchitecture(t *testing.T) {
	p := parser{personalities: personalities["arm64"], classes: testClasses}
	set, err := p.set("openat@64,!")
	if err == nil {
		t.Errorf("openat@64,! is %s", set)
	}
	if set, err = p.set("openat"); err != nil || members(set, syscalls.ARM64) != "openat" || set.Len(syscalls.AMD64) != 0 {
		t.Errorf("openat is %s, %v", set, err)
	}
	if set, err = p.set("open"); err == nil {
		t.Errorf("open, which arm64 lacks, is %s", set)
	}
}

// TestCallSetHoldsEveryTable fails when a table outgrows the bitset.
func TestCallSetHoldsEveryTable(t *testing.T) {
	for a := syscalls.ABI(0); a < syscalls.NumABI; a++ {
		for nr, name := range a.Names() {
			if nr&^syscalls.X32Bit >= maxCall {
				t.Fatalf("%s %s is %d; callWords must grow", a, name, nr)
			}
		}
	}
}

func TestAlgebra(t *testing.T) {
	open, _ := testParse("open")
	both, _ := testParse("open,close")
	closeOnly, _ := testParse("close")
	if got := open.Union(closeOnly); *got != *both {
		t.Errorf("union: %s", got)
	}
	if got := both.Intersect(open.Complement()); *got != *closeOnly {
		t.Errorf("difference: %s", got)
	}
	if got := open.Intersect(closeOnly); !got.IsEmpty() {
		t.Errorf("intersection: %s", got)
	}
	var byName CallSet
	if !byName.AddName("open") || byName.AddName("nosuch") || !byName.Has(syscalls.I386, 5) {
		t.Errorf("by name: %s", &byName)
	}
	byName.Add(syscalls.AMD64, 1<<40) // no room: left out
	if byName.Unnamed() {
		t.Error("a single number brought all without a name")
	}
}

func TestCallSetString(t *testing.T) {
	for expr, want := range map[string]string{
		"all":               "all",
		"none":              "none",
		"open@64":           "amd64: open",
		"open@64,close@x32": "amd64: open; x32: close",
		"!open":             "amd64: !open; i386: !open; x32: !open; arm64: !; numbers from 768",
	} {
		set, err := testParse(expr)
		if err != nil || set.String() != want {
			t.Errorf("%s: %q, %v", expr, set, err)
		}
	}
}

// TestERE checks what the translated expressions match; their messages are compared with
// strace's in internal/cli.
func TestERE(t *testing.T) {
	for _, tt := range []struct {
		pattern, yes, no string
	}{
		{"", "open", ""},
		{"^open$", "open", "openat"},
		{"pen", "openat", "read"},
		{"o(p|q)en", "open", "oen"},
		{"a**", "x", ""},
		{"o+?pen", "pen", "xen"},
		{"a)", "a)", "a"},
		{`\<open\>`, "x open y", "openat"},
		{`\bat`, "at", "openat"},
		{`\w{4}\b`, "open", "op"},
		{`[\w]`, `\`, "x"},
		{"[]a]", "]", "b"},
		{"[^]a]", "b", "]"},
		{"[[:digit:]]", "dup2", "dup"},
		{"[a[:digit:]-]x", "-x", "bx"},
		{`\.`, ".", "x"},
		{"a{2}", "aa", "a"},
		{"(|a)$", "", ""},
		{"x|", "", ""},
	} {
		re, err := compileERE(tt.pattern)
		if err != nil {
			t.Errorf("%s: %v", tt.pattern, err)
			continue
		}
		if !re.MatchString(tt.yes) {
			t.Errorf("%s does not match %q", tt.pattern, tt.yes)
		}
		if tt.no != "" && re.MatchString(tt.no) {
			t.Errorf("%s matches %q", tt.pattern, tt.no)
		}
	}
}

func TestNearest(t *testing.T) {
	names := []string{"open", "openat", "close", "fcntl"}
	for word, want := range map[string]string{
		"opne": "open", "opeat": "openat", "cloes": "close", "zzzzzz": "", "fctnl": "fcntl", "opennat": "openat", "": "",
	} {
		if got := Nearest(word, slices.Values(names)); got != want {
			t.Errorf("%q: %q, want %q", word, got, want)
		}
	}
}

// FuzzParseCallSet: every expression has an answer; negation gives the complement; a set never
// has single members that no table names.
func FuzzParseCallSet(f *testing.F) {
	for _, s := range []string{
		"open", "!open,close", "%file", "/^open", "?nosuch", "open@32", "all", "none", "!!none", "512@x32", ",", "",
		`/\w+\>`, "/[[:alpha:]", "/a{3}", "/(((", "creds", "99999999999999999999", "@", "?@64", "/[^]", "open@foo",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, expr string) {
		set, err := ParseCallSet(expr)
		negated, negatedErr := ParseCallSet("!" + expr)
		if (err == nil) != (negatedErr == nil) {
			t.Fatalf("%q: %v; negated: %v", expr, err, negatedErr)
		}
		if err != nil {
			var pe *ParseError
			if !errors.As(err, &pe) || pe.Message == "" {
				t.Fatalf("%q: %#v", expr, err)
			}
			return
		}
		if *set.Complement() != *negated {
			t.Fatalf("%q: %s; negated: %s", expr, set, negated)
		}
		if set.Has(syscalls.AMD64, 9999) != set.Unnamed() || set.Has(syscalls.I386, maxCall-1) != set.Unnamed() {
			t.Fatalf("%q: single members without a name: %s", expr, set)
		}
		if set.IsAll() && set.IsEmpty() {
			t.Fatalf("%q is both all and none", expr)
		}
	})
}

func BenchmarkHas(b *testing.B) {
	set, err := ParseCallSet("open,close")
	if err != nil {
		b.Fatal(err)
	}
	n := 0
	for i := range b.N {
		if set.Has(syscalls.AMD64, uint64(i)&511) {
			n++
		}
	}
	_ = n
}
