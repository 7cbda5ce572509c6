package event

import (
	"bytes"
	"io"
	"strconv"
	"strings"
	"testing"

	"farcall/decode"
	"farcall/syscalls"
	"farcall/syscalls/linux"
)

// memory is a program's memory of one page at address 0x1000, which holds "hello" over and over.
type memory struct{}

var page = []byte(strings.Repeat("hello ", 700))

func (memory) Read(addr uint64, b []byte) int {
	if addr < 0x1000 || addr >= 0x1000+uint64(len(page)) {
		return 0
	}
	return copy(b, page[addr-0x1000:])
}

func (m memory) ReadV(ranges []decode.Range) {
	for i := range ranges {
		ranges[i].N = m.Read(ranges[i].Addr, ranges[i].Buf)
	}
}

// A stream makes the events of threads that make calls.
type stream struct {
	t     *testing.T
	enc   Encoder
	calls map[int]*decode.Call
	time  int64
}

func (s *stream) event(tid int, k Kind, change func(*Event)) {
	s.time += 1e6
	e := Event{Kind: k, TID: tid, PID: 10, Time: s.time, Call: s.calls[tid], ABI: syscalls.AMD64}
	if change != nil {
		change(&e)
	}
	if err := s.enc.Encode(&e); err != nil {
		s.t.Fatal(err)
	}
}

func (s *stream) enter(tid int, nr uint64, args ...uint64) {
	c := s.calls[tid]
	if c == nil {
		c = new(decode.Call)
		s.calls[tid] = c
	}
	var regs [6]uint64
	copy(regs[:], args)
	c.Enter(linux.Describe(syscalls.AMD64, nr), syscalls.AMD64, nr, regs, memory{}, decode.Options{})
	s.event(tid, CallEntry, nil)
}

func (s *stream) exit(tid int, ret int64) {
	s.calls[tid].Exit(ret, ret < 0)
	s.event(tid, CallExit, nil)
}

func (s *stream) lose(tid int) { s.event(tid, CallExit, func(e *Event) { e.Lost = true }) }

// Numbers of calls on amd64.
const (
	nrRead, nrWrite, nrGetppid, nrExitGroup, nrExecve = 0, 1, 110, 231, 59
)

func TestInterleaving(t *testing.T) {
	for _, tt := range []struct {
		name string
		opts TextOptions
		run  func(*stream)
		want string
	}{
		{"one", TextOptions{Columns: 40}, func(s *stream) {
			s.enter(1, nrWrite, 1, 0x1000, 5)
			s.exit(1, 5)
		}, "write(1, \"hello\", 5)                    = 5\n"},
		{"exit alone is shown whole", TextOptions{}, func(s *stream) {
			s.calls[1] = new(decode.Call)
			s.calls[1].Enter(linux.Describe(syscalls.AMD64, nrRead), syscalls.AMD64, nrRead, [6]uint64{3, 0x1000, 5}, memory{}, decode.Options{})
			s.exit(1, 5)
		}, "read(3, \"hello\", 5) = 5\n"},
		{"resumed", TextOptions{PID: BracketPID, Columns: 30}, func(s *stream) {
			s.enter(1, nrRead, 3, 0x1000, 5)
			s.enter(2, nrGetppid)
			s.exit(2, 7)
			s.exit(1, 5)
		}, "[pid     1] read(3,  <unfinished ...>\n[pid     2] getppid()         = 7\n[pid     1] <... read resumed>\"hello\", 5) = 5\n"},
		{"three at once", TextOptions{PID: ColumnPID}, func(s *stream) {
			s.enter(1, nrRead, 3, 0x1000, 5)
			s.enter(2, nrRead, 4, 0x1000, 5)
			s.enter(12345, nrRead, 5, 0x1000, 5)
			s.exit(2, -9)
			s.exit(12345, 0)
			s.lose(1)
		}, "1     read(3,  <unfinished ...>\n2     read(4,  <unfinished ...>\n12345 read(5,  <unfinished ...>\n" +
			"2     <... read resumed>0x1000, 5) = -1 EBADF (Bad file descriptor)\n12345 <... read resumed>\"\", 5) = 0\n" +
			"1     <... read resumed> <unfinished ...>) = ?\n"},
		{"lost in its own line", TextOptions{}, func(s *stream) {
			s.enter(1, nrRead, 3, 0x1000, 5)
			s.lose(1)
			s.event(1, Killed, func(e *Event) { e.Signo, e.Core = 11, true })
		}, "read(3,  <unfinished ...>) = ?\n+++ killed by SIGSEGV (core dumped) +++\n"},
		{"nothing left to show", TextOptions{}, func(s *stream) {
			s.enter(1, nrExitGroup, 3)
			s.lose(1)
			s.event(1, Exited, func(e *Event) { e.Code = 3 })
		}, "exit_group(3) = ?\n+++ exited with 3 +++\n"},
		{"superseded", TextOptions{PID: ColumnPID}, func(s *stream) {
			s.enter(1, nrRead, 3, 0x1000, 5)
			s.enter(2, nrGetppid)
			s.lose(1)
			s.event(1, Superseded, func(e *Event) { e.By = 2 })
			s.event(1, Exec, func(e *Event) { e.By = 2 })
			s.calls[1] = s.calls[2]
			s.exit(1, 0)
		}, "1     read(3,  <unfinished ...>\n2     getppid( <unfinished ...>\n1     <... read resumed> <unfinished ...>) = ?\n" +
			"1     +++ superseded by execve in pid 2 +++\n1     <... getppid resumed>) = 0\n"},
		{"renamed in its open line", TextOptions{}, func(s *stream) {
			s.enter(2, nrGetppid)
			s.event(1, Superseded, func(e *Event) { e.By = 2 })
		}, "getppid( <pid changed to 1 ...>\n+++ superseded by execve in pid 2 +++\n"},
		{"detached", TextOptions{}, func(s *stream) {
			s.enter(1, nrGetppid)
			s.event(1, Detached, nil)
		}, "getppid( <detached ...>\n"},
		{"whole lines do not mix", TextOptions{WholeLines: true, PID: ColumnPID}, func(s *stream) {
			s.enter(1, nrRead, 3, 0x1000, 5)
			s.enter(2, nrGetppid)
			s.exit(1, 5)
			s.enc.(*Text).Drop(2)
			s.event(2, Exited, nil)
		}, "1     read(3, \"hello\", 5) = 5\n2     +++ exited with 0 +++\n"},
		{"whole lines keep the time of their entry", TextOptions{WholeLines: true, Clock: Epoch, ClockPrecision: 3}, func(s *stream) {
			s.enter(1, nrGetppid)
			s.enter(2, nrGetppid)
			s.exit(2, 1)
			s.exit(1, 1)
		}, "0.002 getppid() = 1\n0.001 getppid() = 1\n"},
		{"times", TextOptions{Relative: true, RelPrecision: 3}, func(s *stream) {
			s.enter(1, nrGetppid)
			s.exit(1, 1)
			s.enter(1, nrGetppid)
			s.exit(1, 1)
		}, "     0.000 getppid() = 1\n     0.002 getppid() = 1\n"},
		{"stops", TextOptions{Style: Style{Consts: Raw}}, func(s *stream) {
			s.event(1, GroupStop, func(e *Event) { e.Signo = 19 })
		}, "--- stopped by SIGSTOP ---\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var b bytes.Buffer
			text := NewText(&b, tt.opts)
			text.SetLive(2)
			tt.run(&stream{t: t, enc: text, calls: map[int]*decode.Call{}})
			if err := text.Flush(); err != nil {
				t.Fatal(err)
			}
			if b.String() != tt.want {
				t.Errorf("got\n%swant\n%s", b.String(), tt.want)
			}
		})
	}
}

// TestColourChangesNothingElse takes the colours out again.
func TestColourChangesNothingElse(t *testing.T) {
	run := func(color bool) string {
		var b bytes.Buffer
		s := &stream{t: t, enc: NewText(&b, TextOptions{Color: color, Columns: 40}), calls: map[int]*decode.Call{}}
		s.enter(1, nrRead, 3, 0x1000, 5)
		s.enter(2, nrGetppid)
		s.exit(2, -1)
		s.exit(1, 5)
		s.event(1, GroupStop, func(e *Event) { e.Signo = 19 })
		s.event(1, Killed, func(e *Event) { e.Signo = 9 })
		_ = s.enc.Flush()
		return b.String()
	}
	plain, coloured := run(false), run(true)
	for _, sgr := range []string{sgrName, sgrError, sgrSignal, sgrEnd, sgrOff} {
		coloured = strings.ReplaceAll(coloured, sgr, "")
	}
	if plain != coloured || strings.Contains(plain, "\x1b") {
		t.Errorf("plain\n%scoloured\n%s", plain, coloured)
	}
}

// oneCall is the work of a call without its decoding.
func oneCall(b testing.TB, opts TextOptions) func() {
	enc := NewText(io.Discard, opts)
	c := new(decode.Call)
	e := &Event{TID: 1, PID: 1, Time: 1e18, Call: c, ABI: syscalls.AMD64}
	desc := linux.Describe(syscalls.AMD64, nrWrite)
	return func() {
		c.Enter(desc, syscalls.AMD64, nrWrite, [6]uint64{1, 0x1000, 100}, memory{}, decode.Options{})
		e.Kind = CallEntry
		_ = enc.Encode(e)
		c.Exit(100, false)
		e.Kind = CallExit
		_ = enc.Encode(e)
	}
}

func TestTextDoesNotAllocate(t *testing.T) {
	for name, opts := range map[string]TextOptions{
		"plain": {Columns: 40}, "columns": {PID: ColumnPID}, "live": {FlushEach: true, PID: BracketPID},
		"times": {Clock: TimeOfDay, ClockPrecision: 6, Relative: true, RelPrecision: 6, Durations: true, DurPrecision: 6},
		"all":   {IP: true, Number: true, Color: true, WholeLines: true},
	} {
		call := oneCall(t, opts)
		call()
		if n := testing.AllocsPerRun(1000, call); n != 0 {
			t.Errorf("%s: %v allocations for a call", name, n)
		}
	}
}

func BenchmarkText(b *testing.B) {
	call := oneCall(b, TextOptions{Columns: 40})
	b.ReportAllocs()
	for b.Loop() {
		call()
	}
}

// unescape reads what AppendEscaped writes, by the rules of C.
func unescape(t *testing.T, s string) []byte {
	var out []byte
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' {
			out = append(out, s[i])
			continue
		}
		i++
		switch c := s[i]; {
		case c == 'x':
			n, err := strconv.ParseUint(s[i+1:i+3], 16, 8)
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, byte(n))
			i += 2
		case c >= '0' && c <= '7':
			n, k := 0, 0
			for k < 3 && i+k < len(s) && s[i+k] >= '0' && s[i+k] <= '7' {
				n = n*8 + int(s[i+k]-'0')
				k++
			}
			out = append(out, byte(n))
			i += k - 1
		default:
			at := strings.IndexByte(`ntrvf"\`, c)
			if at < 0 {
				t.Fatalf("%q: escape of %c", s, c)
			}
			out = append(out, "\n\t\r\v\f\"\\"[at])
		}
	}
	return out
}

func FuzzEscape(f *testing.F) {
	for _, s := range []string{"", "hello", "\x00\x001\x009", "\xff\"\\\n", "a\x7f7"} {
		f.Add([]byte(s), uint8(0))
		f.Add([]byte(s), uint8(HexAll))
	}
	f.Fuzz(func(t *testing.T, in []byte, style uint8) {
		s := Style{Hex: HexStyle(style % 4)}
		out := s.AppendQuoted(nil, in)
		for _, c := range out {
			if c < ' ' || c >= 0x7f {
				t.Fatalf("%q has a byte that is not printable", out)
			}
		}
		if got := unescape(t, string(out[1:len(out)-1])); !bytes.Equal(got, in) {
			t.Fatalf("%q became %q, which means %q", in, out, got)
		}
	})
}
