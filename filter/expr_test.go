package filter

import (
	"errors"
	"strings"
	"testing"
)

func TestExprErrors(t *testing.T) {
	for _, tt := range []struct {
		text, message, hint string
	}{
		{``, "column 1: a condition is expected, not the end", ""},
		{`filename == "x"`, "column 1: there is nothing called 'filename'", "the argument is args.filename"},
		{`openat`, "column 1: there is nothing called 'openat'", "the call is name == openat"},
		{`durtion > 5ms`, "column 1: there is nothing called 'durtion'", "did you mean 'duration'?"},
		{`name = openat`, "column 6: '=' is no operator", "equality is =="},
		{`name == opnat`, "column 9: there is no system call 'opnat'", "did you mean 'openat'?"},
		{`name in %flie`, "column 9: there is no class '%flie'", "did you mean '%file'?"},
		{`name == openat and args.filname == "x"`, "column 25: openat has no argument 'filname'", "did you mean 'args.filename'?"},
		{`name == close and args.whatever == 1`, "column 24: close has no argument 'whatever'", "its arguments are fd"},
		{`args.nosuchthing == 1`, "column 6: no system call has an argument 'nosuchthing'", ""},
		{`name in (open, openat) and args.sig == 1`, "column 33: none of the calls has an argument 'sig'", ""},
		{`args.how.reslve == 1`, "column 10: args.how has no part 'reslve'", "did you mean 'resolve'?"},
		{`args.filename.x == 1`, "column 15: args.filename has no part 'x'", ""},
		{`args.count[0] == 1`, "column 11: args.count is not an array", ""},
		{`name == openat and args.flags has AF_INET`, "column 35: 'AF_INET' is no value of args.flags", "AF_INET is a value of args.family of socket"},
		{`name == openat and args.flags has O_CRAET`, "column 35: 'O_CRAET' is no value of args.flags", "did you mean 'O_CREAT'?"},
		{`args.count == FOO`, "column 15: 'FOO' is no value of args.count", "it has no named values: write a number"},
		{`args.filename == 5`, "column 18: args.filename is text: it is compared with strings in quotes", `write "5"`},
		{`args.count == "5"`, "column 15: args.count is a number, not text", ""},
		{`args.count glob "5"`, "column 12: 'glob' does not apply to args.count, which is a number", "what can be asked of it: == != < <= > >= in has has any"},
		{`args.filename has O_CREAT`, "column 15: 'has' does not apply to args.filename, which is text", "what can be asked of it: == != in contains glob =~"},
		{`name == lseek and args.whence has SEEK_SET`, "column 31: args.whence is one value, not a set of bits", "compare it by == or in"},
		{`args.vec == 1`, "column 1: args.vec is an array", "its elements are args.vec[0] and so on; args.vec[*] is any of them"},
		{`name == openat2 and args.how == 1`, "column 21: args.how is a structure", "its parts are flags, mode, resolve"},
		{`duration > 5`, "column 12: duration is compared with a time, which has a unit", "such as 5ms or 1.5s"},
		{`ret > 5ms`, "column 7: ret is not compared with a time", ""},
		{`args.dfd == 0x1ffffffff`, "column 13: 0x1ffffffff does not fit into args.dfd", ""},
		{`errno == ENOENTT`, "column 10: 'ENOENTT' is no value of errno", "did you mean 'ENOENT'?"},
		{`args.filename == "x`, "column 18: the string does not end: there is no closing \"", ""},
		{`args.filename =~ "a("`, "column 18: missing closing ): `a(`", ""},
		{`args.filename =~ "a\."`, "column 20: \\. is no escape", `write \\ for a backslash; a regular expression can stand between slashes: =~ /\.so$/`},
		{`args.filename glob "[a"`, "column 20: a [ of the pattern is not closed", ""},
		{`(ret == 1`, "column 1: this parenthesis is not closed", ""},
		{`ret == 1)`, "column 9: 'and', 'or' or the end is expected, not ')'", ""},
		{`ret == 1 adn ret == 2`, "column 10: 'and', 'or' or the end is expected, not 'adn'", "did you mean 'and'?"},
		{`ret == 1 then fail`, "column 10: 'then' belongs to rules, not to conditions", ""},
		{`ret == 1..5`, "column 8: a range can stand only behind 'in'", ""},
		{`ret in 1..5ms`, "column 8: the ends of the range are of different kinds", ""},
		{`ret == 5m`, "column 8: 5m has an unknown unit", "M is 2^20, min is minutes"},
		{`ret == 089`, "column 8: 089 is no number", "a leading 0 means octal"},
		{`ret == 99999999999999999999`, "column 8: 99999999999999999999 does not fit into 64 bits", ""},
		{`args == 1`, "column 1: the name of an argument is missing", "such as args.filename"},
		{`ret.x == 1`, "column 4: 'ret' has no parts", ""},
		{`count == 1 or failed`, "column 1: 'count' numbers the matches of the rest of the condition: it is joined to that by 'and'", "write: (the rest) and count == 3"},
		{`name == openat and name == read`, "column 1: no system call can be meant", ""},
		{`args.count == NULL`, "column 15: args.count is no pointer", ""},
		{`fd.path == 3`, "column 12: fd.path is text: it is compared with strings in quotes", `write "3"`},
		{`name == getpid and fd == 3`, "column 20: getpid has no argument that is a file descriptor", ""},
		{`abi == arm`, "column 8: there is no ABI 'arm'", "one of amd64, i386, x32, arm64"},
		{`äh == 1`, "column 1: \"ä\" is not part of the language", ""},
		{`comm == "ä" and ret = 1`, "column 21: '=' is no operator", "equality is =="},
		{`args.flags has 0`, "column 16: 0 has no bits to look for", ""},
		{`ok == 1`, "column 4: 'and', 'or' or the end is expected, not '=='", ""},
		{strings.Repeat("(", 100) + "ok", "column 65: the condition is nested more than 64 deep", ""},
	} {
		e, err := Parse(tt.text)
		if err == nil {
			err = e.Check(Table{})
		}
		var ee *ExprError
		if !errors.As(err, &ee) {
			t.Errorf("%s: %v", tt.text, err)
			continue
		}
		if ee.Error() != tt.message || ee.Hint != tt.hint {
			t.Errorf("%s:\n got %q, %q\nwant %q, %q", tt.text, ee.Error(), ee.Hint, tt.message, tt.hint)
		}
	}
}

func TestCaret(t *testing.T) {
	_, err := Parse(`args.filename == "ä" and durtion > 1s`)
	var ee *ExprError
	if !errors.As(err, &ee) {
		t.Fatal(err)
	}
	line, marks := ee.Caret()
	if line != `args.filename == "ä" and durtion > 1s` || marks != `                         ^^^^^^^` {
		t.Errorf("%s\n%s", line, marks)
	}
}

func TestParsePrefix(t *testing.T) {
	const line = `openat if args.filename glob "* then *" and args.flags has O_CREAT then fail EROFS`
	e, rest, err := ParsePrefix(line, len("openat if"))
	if err != nil || line[rest:] != "then fail EROFS" {
		t.Fatalf("%v, rest %q", err, line[rest:])
	}
	if got := e.String(); got != `args.filename glob "* then *" and args.flags has O_CREAT` {
		t.Error(got)
	}
	_, _, err = ParsePrefix(`openat if args.filename globb "x" then fail`, len("openat if"))
	if err == nil || !strings.HasPrefix(err.Error(), "column 25: ") {
		t.Error(err)
	}
	e, _, err = ParsePrefix("openat if args.nosuch == 1 then x", len("openat if"))
	if err != nil {
		t.Fatal(err)
	}
	if err = e.Check(Table{}); err == nil || !strings.HasPrefix(err.Error(), "column 16: ") {
		t.Error(err)
	}
}

func TestExprString(t *testing.T) {
	for text, want := range map[string]string{
		`!(ok||failed)&&ret<5`:                     `not (ok or failed) and ret < 5`,
		`not not ok`:                               `ok`,
		`(ok and failed) and ok`:                   `ok and failed and ok`,
		`ok or (failed or ok and failed)`:          `ok or failed or ok and failed`,
		`args.flags has any (O_CREAT | 0x40)`:      `args.flags has any O_CREAT|0x40`,
		`name matches /a\/b/`:                      `name =~ "a/b"`,
		`args.filename not in ('a"b', "\x01\n\\")`: `args.filename not in ("a\"b", "\x01\n\\")`,
		`ret in -5 .. 0x10`:                        `ret in (-5..0x10)`,
		`stack has glob "x*"`:                      `stack glob "x*"`,
		`args.vec[*].iov_len & 0xff == 1`:          `args.vec[*].iov_len & 0xff == 1`,
	} {
		e, err := Parse(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got := e.String(); got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
}
