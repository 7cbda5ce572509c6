package filter

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"farcall/decode"
	"farcall/syscalls"
	"farcall/syscalls/linux"
)

// A space is a program's memory made of a few pieces; between them nothing is readable.
type space map[uint64]string

func (s space) Read(addr uint64, b []byte) int {
	for at, piece := range s {
		if addr >= at && addr < at+uint64(len(piece)) {
			return copy(b, piece[addr-at:])
		}
	}
	return 0
}

func (s space) ReadV(ranges []decode.Range) {
	for i := range ranges {
		ranges[i].N = s.Read(ranges[i].Addr, ranges[i].Buf)
	}
}

// words are 64-bit little-endian numbers.
func words(ws ...uint64) string {
	var b []byte
	for _, w := range ws {
		for i := range 8 {
			b = append(b, byte(w>>(8*i)))
		}
	}
	return string(b)
}

// A sample is a call to hold conditions against.
type sample struct {
	abi   syscalls.ABI
	name  string
	args  [6]uint64
	mem   space
	after space // what the kernel writes
	ret   int64
	lost  bool // it never returns
	dur   time.Duration
}

// env decodes the entry of the call.
func (s *sample) env(t testing.TB) *Env {
	t.Helper()
	nr, ok := s.abi.Number(s.name)
	if !ok {
		t.Fatalf("no call %s", s.name)
	}
	c := new(decode.Call)
	mem := space{}
	for a, b := range s.mem {
		mem[a] = b
	}
	c.Enter(linux.Describe(s.abi, nr), s.abi, nr, s.args, mem, decode.Options{})
	return &Env{
		Call: c, TID: 12, PID: 11, Memory: mem,
		Comm: func(dst []byte) []byte { return append(dst, "prog"...) },
		FDPath: func(dst []byte, fd int32) []byte {
			switch fd {
			case 3:
				return append(dst, "/tmp/x"...)
			case -100:
				return append(dst, "/home"...)
			}
			return dst
		},
		FDPeer: func(dst []byte, fd int32) []byte {
			if fd == 5 {
				return append(dst, "10.0.0.1:443"...)
			}
			return dst
		},
		Region: func() (string, int) { return "parse", 2 },
		Stack:  slices.Values([]string{"write_all", "parse_line", "main"}),
	}
}

// exit completes the call.
func (s *sample) exit(env *Env) {
	if s.lost {
		return
	}
	for a, b := range s.after {
		env.Memory.(space)[a] = b
	}
	env.Call.Exit(s.ret, s.ret < 0 && s.ret > -4096)
	env.Duration = s.dur
}

func compile(t testing.TB, text string) *Program {
	t.Helper()
	e, err := Parse(text)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	p, err := e.Compile(Table{})
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return p
}

// answers gives what a condition says of a call at its entry, or "later" and what it says at its end.
func (s *sample) answers(t testing.TB, text string) string {
	t.Helper()
	p := compile(t, text)
	env := s.env(t)
	entry := p.Entry(env)
	s.exit(env)
	if entry != Unknown {
		return entry.String()
	}
	if p.Needs()&NeedExit == 0 {
		t.Errorf("%s: unknown at entry, although it does not need the exit", text)
	}
	return fmt.Sprintf("later %v", p.Exit(env))
}

var (
	openatSample = sample{name: "openat", args: [6]uint64{0xffffff9c, 0x1000, 0x80241, 0o644}, mem: space{0x1000: "/etc/passwd\x00"}, ret: 3, dur: 3 * time.Millisecond}
	failedOpen   = sample{name: "openat", args: [6]uint64{3, 0x1000, 0}, mem: space{0x1000: "nothing\x00"}, ret: -2}
	noPath       = sample{name: "openat", args: [6]uint64{3, 0, 0}, ret: -14}
	readSample   = sample{name: "read", args: [6]uint64{3, 0x1000, 100}, after: space{0x1000: "hello, world: " + strings.Repeat("x", 60) + "END"}, ret: 77}
	exitSample   = sample{name: "exit_group", args: [6]uint64{7}, lost: true}
	writevSample = sample{name: "writev", args: [6]uint64{1, 0x1000, 2}, mem: space{0x1000: words(0x2000, 3, 0x3000, 1), 0x2000: "abc", 0x3000: "d"}, ret: 4}
	connectIP    = sample{name: "connect", args: [6]uint64{5, 0x1000, 16}, mem: space{0x1000: "\x02\x00\x01\xbb\x0a\x00\x00\x01" + strings.Repeat("\x00", 8)}, ret: 0}
	openat2Call  = sample{name: "openat2", args: [6]uint64{3, 0x1000, 0x2000, 24}, mem: space{0x1000: "x\x00", 0x2000: words(0, 0, 8)}, ret: 4}
	ioctlSample  = sample{name: "ioctl", args: [6]uint64{0, 0x5401, 0x1000}, ret: -25}
	i386Pread    = sample{abi: syscalls.I386, name: "pread64", args: [6]uint64{3, 0x1000, 8, 0, 1}, after: space{0x1000: "12345678"}, ret: 8}
	execSample   = sample{name: "execve", args: [6]uint64{0x1000, 0x2000, 0x3000}, ret: 0, mem: space{
		0x1000: "/bin/cc\x00", 0x2000: words(0x4000, 0x4010, 0), 0x3000: words(0x4020, 0), 0x4000: "cc\x00", 0x4010: "a.c\x00", 0x4020: "LANG=C\x00"}}
	killSample = sample{name: "kill", args: [6]uint64{0xffffffff_fffffff0, 15}, ret: 0}
	masks      = sample{name: "rt_sigprocmask", args: [6]uint64{0, 0x1000, 0, 8}, mem: space{0x1000: words(1<<14 | 1<<1)}, ret: 0}
)
