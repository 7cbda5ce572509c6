package event

import (
	"bytes"
	"strings"
	"testing"

	"farcall/decode"
	"farcall/syscalls"
)

var stackFrames = []StackFrame{
	{IP: 0x7f0000001234, Object: "/lib/libc.so.6", Position: 0x1234, BuildID: "ab12", Symbol: "write", Offset: 0x10},
	{IP: 0x7f0000009a01, Object: "/bin/x y", Position: 0x9a01, Symbol: "ns::inner(int)", File: "a.cc", Line: 3, Inline: true},
	{IP: 0x7f0000009a01, Object: "/bin/x y", Position: 0x9a01, Symbol: "outer", Offset: 0xa1, File: "a.cc", Line: 30},
	{IP: 0x7f1100000000},
	{IP: 0x7f0000009b00, Object: "/bin/x y", Position: 0x9b00, Guess: true, End: "no frame information"},
}

// TestTextStack: each event that carries a stack has it behind its line, that of a call which ends the
// thread behind the line that says so, as in strace.
func TestTextStack(t *testing.T) {
	const want = " > /lib/libc.so.6(write+0x10) [0x1234]\n" +
		" > /bin/x y(ns::inner(int)) [0x9a01] a.cc:3 (inlined)\n" +
		" > /bin/x y(outer+0xa1) [0x9a01] a.cc:30\n" +
		" > [anonymous]() [0x7f1100000000]\n" +
		" > /bin/x y() [0x9b00] (by frame pointer)\n" +
		" > no frame information\n"
	var out bytes.Buffer
	s := &stream{t: t, enc: NewText(&out, TextOptions{}), calls: map[int]*decode.Call{}}
	with := func(e *Event) { e.Stack = stackFrames }
	s.enter(10, 39)
	s.calls[10].Exit(10, false)
	s.event(10, CallExit, with)
	s.event(10, Signal, func(e *Event) { e.Signo = 10; with(e) })
	s.event(10, GroupStop, func(e *Event) { e.Signo = 19; with(e) })
	s.enter(10, 231, 0)
	s.event(10, CallExit, func(e *Event) { e.Lost = true; with(e) })
	s.event(10, Exited, with)
	if err := s.enc.Flush(); err != nil {
		t.Fatal(err)
	}
	var got []string
	for line := range strings.Lines(out.String()) {
		if !strings.HasPrefix(line, " > ") {
			got = append(got, strings.Fields(line)[0])
		}
	}
	if order := strings.Join(got, " "); order != "getpid() --- --- exit_group(0) +++" {
		t.Errorf("lines: %s", order)
	}
	if n := strings.Count(out.String(), want); n != 4 {
		t.Errorf("the stack stands there %d times, want 4:\n%s", n, out.String())
	}
	if !strings.Contains(out.String(), "= ?\n+++ exited") {
		t.Errorf("a stack before the end:\n%s", out.String())
	}
}

func TestJSONStack(t *testing.T) {
	const want = `,"stack":[{"ip":"0x7f0000001234","file":"/lib/libc.so.6","position":"0x1234","build_id":"ab12","symbol":"write","offset":16},` +
		`{"ip":"0x7f0000009a01","file":"/bin/x y","position":"0x9a01","symbol":"ns::inner(int)","source":"a.cc","line":3,"inline":true},` +
		`{"ip":"0x7f0000009a01","file":"/bin/x y","position":"0x9a01","symbol":"outer","offset":161,"source":"a.cc","line":30},` +
		`{"ip":"0x7f1100000000"},{"ip":"0x7f0000009b00","file":"/bin/x y","position":"0x9b00","guess":true,"end":"no frame information"}]`
	var out bytes.Buffer
	s := &stream{t: t, enc: NewJSON(&out, JSONOptions{}), calls: map[int]*decode.Call{}}
	s.enter(10, 39)
	s.calls[10].Exit(10, false)
	s.event(10, CallExit, func(e *Event) { e.Stack = stackFrames; e.ABI = syscalls.AMD64 })
	s.event(10, Signal, func(e *Event) { e.Signo = 10; e.Stack = stackFrames })
	if err := s.enc.Flush(); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(out.String(), want); n != 2 {
		t.Errorf("the stack stands there %d times, want 2:\n%s", n, out.String())
	}
}

// TestTextStackNames: a file cannot make lines of its own, or speak to the terminal, by what it is or calls things.
func TestTextStackNames(t *testing.T) {
	for name, want := range map[string]string{
		"plain": "plain", "ns::λ(int)": "ns::λ(int)", "a\n > /lib/x(f+0x1) [0x1]": `a\012 > /lib/x(f+0x1) [0x1]`,
		"\x1b[31m": `\033[31m`, "\x7f\x00": `\177\000`, "\xc2\x9b1m": `\302\2331m`, "\xff": `\377`,
	} {
		for _, f := range []StackFrame{{Object: name}, {Symbol: name}, {File: name, Line: 1}} {
			text := &Text{}
			text.frame(&f)
			if got := string(text.buf); !strings.Contains(got, want) || strings.Count(got, "\n") != 1 {
				t.Errorf("%q: %q, want %q in it", name, got, want)
			}
		}
	}
}
