package decode_test

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"farcall/decode"
	"farcall/event"
	"farcall/syscalls"
	"farcall/syscalls/linux"
)

// A space is a program's memory made of a few pieces; between them nothing is readable.
type space map[uint64][]byte

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

func words(ws ...uint64) []byte {
	var b []byte
	for _, w := range ws {
		b = binary.LittleEndian.AppendUint64(b, w)
	}
	return b
}

func describe(t testing.TB, name string) (*syscalls.Call, uint64) {
	t.Helper()
	nr, ok := syscalls.AMD64.Number(name)
	if !ok {
		t.Fatalf("no call %s", name)
	}
	return linux.Describe(syscalls.AMD64, nr), nr
}

// line decodes a call and writes it as text.
func line(t testing.TB, name string, args [6]uint64, mem, after space, ret int64, o decode.Options) string {
	t.Helper()
	desc, nr := describe(t, name)
	var c decode.Call
	c.Enter(desc, syscalls.AMD64, nr, args, mem, o)
	for a, b := range after {
		mem[a] = b
	}
	c.Exit(ret, ret < 0 && ret >= -4095)
	var out strings.Builder
	enc := event.NewText(&out, event.TextOptions{Style: event.Style{Verbose: o.Verbose}, WholeLines: true})
	if err := enc.Encode(&event.Event{Kind: event.CallExit, TID: 1, Call: &c}); err != nil {
		t.Fatal(err)
	}
	if err := enc.Flush(); err != nil {
		t.Fatal(err)
	}
	return strings.TrimSuffix(out.String(), "\n")
}

func TestDecode(t *testing.T) {
	long := strings.Repeat("x", 40)
	for _, c := range []struct {
		name  string
		args  [6]uint64
		mem   space
		after space
		ret   int64
		opts  decode.Options
		want  string
	}{
		{"read", [6]uint64{3, 0x1000, 100}, space{}, space{0x1000: []byte("hello")}, 5, decode.Options{}, `read(3, "hello", 100) = 5`},
		{"read", [6]uint64{3, 0x1000, 100}, space{}, space{}, -11, decode.Options{}, `read(3, 0x1000, 100) = -1 EAGAIN (Resource temporarily unavailable)`},
		{"read", [6]uint64{3, 0x1000, 100}, space{}, space{0x1000: []byte(long)}, 40, decode.Options{}, `read(3, "` + long[:32] + `"..., 100) = 40`},
		{"read", [6]uint64{3, 0x1000, 100}, space{}, space{0x1000: []byte(long)}, 40, decode.Options{StringLimit: 3}, `read(3, "xxx"..., 100) = 40`},
		// The kernel said 40, but only 5 bytes are there to be read.
		{"read", [6]uint64{3, 0x1000, 100}, space{}, space{0x1000: []byte("hello")}, 40, decode.Options{}, `read(3, 0x1000, 100) = 40`},
		{"write", [6]uint64{1, 0x1000, 2}, space{0x1000: []byte("\x00\n")}, nil, 2, decode.Options{}, `write(1, "\0\n", 2) = 2`},
		{"openat", [6]uint64{^uint64(99), 0x1ffa, 0x80241, 0o644}, space{0x1ffa: append([]byte("/etc/x"), "/y\x00"...)}, nil, 3, decode.Options{},
			`openat(AT_FDCWD, "/etc/x/y", O_WRONLY|O_CREAT|O_TRUNC|O_CLOEXEC, 0644) = 3`},
		{"openat", [6]uint64{5, 0x10, 0}, space{}, nil, -14, decode.Options{}, `openat(5, 0x10, O_RDONLY) = -1 EFAULT (Bad address)`},
		{"openat", [6]uint64{5, 0, 0}, space{}, nil, -14, decode.Options{}, `openat(5, NULL, O_RDONLY) = -1 EFAULT (Bad address)`},
		{"writev", [6]uint64{1, 0x1000, 2}, space{0x1000: words(0x2000, 3, 0x3000, 1), 0x2000: []byte("abc"), 0x3000: []byte("d")}, nil, 4, decode.Options{},
			`writev(1, [{iov_base="abc", iov_len=3}, {iov_base="d", iov_len=1}], 2) = 4`},
		{"pipe2", [6]uint64{0x1000, 0x80000}, space{}, space{0x1000: []byte{3, 0, 0, 0, 4, 0, 0, 0}}, 0, decode.Options{}, `pipe2([3, 4], O_CLOEXEC) = 0`},
	} {
		if got := line(t, c.name, c.args, c.mem, c.after, c.ret, c.opts); got != c.want {
			t.Errorf("got  %s\nwant %s", got, c.want)
		}
	}
}

func TestRegions(t *testing.T) {
	mem := space{
		0x1000: words(0x2000, 16, 0x3000, 2, 0x4000, 8, 0), // struct msghdr
		0x3000: words(0x5000, 10, 0x6000, 20), 0x2000: make([]byte, 16), 0x4000: make([]byte, 8),
		0x5000: make([]byte, 10), 0x6000: make([]byte, 20),
		0x7000: []byte("/etc/passwd\x00"),
	}
	for _, c := range []struct {
		name string
		args [6]uint64
		want string
	}{
		{"read", [6]uint64{0, 0x5000, 10}, "5000+10 out"},
		{"write", [6]uint64{0, 0x5000, 10}, "5000+10 in"},
		{"openat", [6]uint64{0, 0x7000, 0}, "7000+12 in"},
		{"writev", [6]uint64{0, 0x3000, 2}, "3000+32 in, 5000+10 in, 6000+20 in"},
		{"readv", [6]uint64{0, 0x3000, 2}, "3000+32 in, 5000+10 out, 6000+20 out"},
		{"pipe", [6]uint64{0x5000}, "5000+8 out"},
	} {
		desc, nr := describe(t, c.name)
		var call decode.Call
		call.Enter(desc, syscalls.AMD64, nr, c.args, mem, decode.Options{})
		var got []string
		call.Regions(func(r decode.Region) { got = append(got, fmt.Sprintf("%x+%d %v", r.Addr, r.Len, r.Dir)) })
		if s := strings.Join(got, ", "); s != c.want {
			t.Errorf("%s: %s, want %s", c.name, s, c.want)
		}
	}
}

// TestPointers holds every pointer that the kernel may follow, and the place where it stands, against what is said in the manual pages.
func TestPointers(t *testing.T) {
	mem := space{
		0x1000: words(0x2000, 16, 0x3000, 2, 0x4000, 8, 0), // struct msghdr
		0x3000: words(0x5000, 10, 0x6000, 20), 0x2000: make([]byte, 16), 0x4000: make([]byte, 8),
		0x5000: make([]byte, 10), 0x6000: make([]byte, 20),
		0x7000: []byte("/etc/passwd\x00"), 0x8000: words(0x7000, 0x9999, 0),
	}
	for _, c := range []struct {
		name string
		args [6]uint64
		want string
	}{
		{"read", [6]uint64{0, 0x5000, 10}, "1:5000+10"},
		{"read", [6]uint64{0, 0x5000, 0}, "1:5000+0"},
		{"openat", [6]uint64{0, 0xdead, 0}, "1:dead+0"}, // not readable
		{"writev", [6]uint64{0, 0x3000, 2}, "1:3000+32 3000:5000+10 3010:6000+20"},
		{"sendmsg", [6]uint64{0, 0x1000, 0}, "1:1000+56 1000:2000+16 1010:3000+32 3000:5000+10 3010:6000+20 1020:4000+8"},
		{"execve", [6]uint64{0x7000, 0x8000, 0}, "0:7000+12 1:8000+24 8000:7000+12 8008:9999+0"},
		{"nfsservctl", [6]uint64{0, 0x11, 0x22}, "1:11+0 2:22+0"}, // not described
		{"getcwd", [6]uint64{0x5000, 10}, "0:5000+10"},
	} {
		desc, nr := describe(t, c.name)
		var call decode.Call
		call.Enter(desc, syscalls.AMD64, nr, c.args, mem, decode.Options{})
		var got []string
		call.Pointers(func(r decode.Region) { got = append(got, fmt.Sprintf("%x:%x+%d", r.Slot, r.Addr, r.Len)) })
		if s := strings.Join(got, " "); s != c.want {
			t.Errorf("%s: %s, want %s", c.name, s, c.want)
		}
	}
}

// hostile is memory whose every byte depends on its address and a seed, and of which some pages are missing.
type hostile struct{ seed uint64 }

func (h hostile) Read(addr uint64, b []byte) int {
	for i := range b {
		a := addr + uint64(i)
		page := (a>>12 + h.seed) * 0x9e3779b97f4a7c15
		if page>>60 == 0 {
			return i
		}
		x := (a>>3 ^ h.seed) * 0xff51afd7ed558ccd
		b[i] = byte(x >> (8 * (a & 7)))
		if x>>56 < 100 { // many small numbers, so that lengths and selectors lead somewhere
			b[i] = byte(x>>32) & 7
			if a&7 != 0 {
				b[i] = 0
			}
		}
	}
	return len(b)
}

func (h hostile) ReadV(ranges []decode.Range) {
	for i := range ranges {
		ranges[i].N = h.Read(ranges[i].Addr, ranges[i].Buf)
	}
}

// everything decodes every call of every ABI with arguments and memory that a hostile program may choose, in all forms.
func everything(seed uint64) {
	r := rand.New(rand.NewPCG(seed, 1))
	mem := hostile{seed}
	var c decode.Call
	text := event.NewText(discard{}, event.TextOptions{WholeLines: true, Columns: 40})
	js := event.NewJSON(discard{}, event.JSONOptions{})
	for abi := syscalls.ABI(0); abi < syscalls.NumABI; abi++ {
		for nr := range abi.Names() {
			desc := linux.Describe(abi, nr)
			for range 2 {
				var regs [6]uint64
				for i := range regs {
					switch r.IntN(5) {
					case 0:
						regs[i] = r.Uint64()
					case 1:
						regs[i] = r.Uint64N(32)
					case 2:
						regs[i] = ^r.Uint64N(32)
					default:
						regs[i] = 0x10000 + r.Uint64N(1<<20)&^7
					}
				}
				if len(desc.Variants) > 0 && r.IntN(4) > 0 {
					v := desc.Variants[r.IntN(len(desc.Variants))]
					for i := range v.Args {
						if k := v.Args[i].Type.Kind; k == syscalls.KindConst {
							if reg := v.Args[i].Register(abi); reg < 6 {
								regs[reg] = v.Args[i].Type.Set.Vals[0].Value
							}
						}
					}
				}
				c.Enter(desc, abi, nr, regs, mem, decode.Options{Verbose: r.IntN(2) == 0})
				n := 0
				c.Regions(func(decode.Region) { n++ })
				ret := int64(r.IntN(70)) - 10
				c.Exit(ret, ret < 0)
				ev := event.Event{Kind: event.CallExit, TID: 1, Call: &c}
				_ = text.Encode(&ev)
				_ = js.Encode(&ev)
			}
		}
	}
}

type discard struct{}

func (discard) Write(b []byte) (int, error) { return len(b), nil }

func TestHostileMemory(t *testing.T) {
	for seed := range uint64(2) {
		everything(seed)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(uint64(1))
	f.Add(uint64(0xdeadbeef))
	f.Fuzz(func(_ *testing.T, seed uint64) { everything(seed) })
}

// TestDecodeAllocatesNothing holds the hot path to its promise for calls that programs make all the time.
func TestDecodeAllocatesNothing(t *testing.T) {
	mem := space{0x1000: make([]byte, 4096), 0x7000: []byte("/etc/passwd\x00")}
	for _, c := range []struct {
		name string
		args [6]uint64
		ret  int64
	}{
		{"read", [6]uint64{0, 0x1000, 100}, 100}, {"write", [6]uint64{0, 0x1000, 1}, 1},
		{"openat", [6]uint64{0, 0x7000, 0}, 3}, {"close", [6]uint64{3}, 0},
		{"newfstatat", [6]uint64{3, 0x7000, 0x1000, 0}, 0}, {"mmap", [6]uint64{0, 4096, 3, 0x22, ^uint64(0)}, 0x1000},
		{"futex", [6]uint64{0x1000, 128, 0}, 0}, {"lseek", [6]uint64{3, 0, 0}, 0},
		{"writev", [6]uint64{0, 0x1000, 0}, 0}, {"epoll_wait", [6]uint64{3, 0x1000, 4, 0}, 1},
		{"poll", [6]uint64{0x1000, 1, 0}, 1}, {"recvfrom", [6]uint64{3, 0x1000, 100, 0, 0, 0}, 10},
		{"rt_sigaction", [6]uint64{2, 0x1000, 0x1000, 8}, 0}, {"rt_sigprocmask", [6]uint64{2, 0x1000, 0x1000, 8}, 0},
		{"fcntl", [6]uint64{3, 1, 0}, 0}, {"ioctl", [6]uint64{1, 0x5401, 0x1000}, 0}, {"statx", [6]uint64{3, 0x7000, 0, 0xfff, 0x1000}, 0},
	} {
		desc, nr := describe(t, c.name)
		var call decode.Call
		text := event.NewText(discard{}, event.TextOptions{Columns: 40})
		ev := event.Event{TID: 1, Call: &call}
		n := testing.AllocsPerRun(100, func() {
			call.Enter(desc, syscalls.AMD64, nr, c.args, mem, decode.Options{})
			ev.Kind = event.CallEntry
			_ = text.Encode(&ev)
			call.Exit(c.ret, false)
			ev.Kind = event.CallExit
			_ = text.Encode(&ev)
		})
		if n != 0 {
			t.Errorf("%s: %v allocations", c.name, n)
		}
	}
}

func BenchmarkReadAsText(b *testing.B) {
	mem := space{0x1000: make([]byte, 4096)}
	desc, nr := describe(b, "read")
	var call decode.Call
	text := event.NewText(discard{}, event.TextOptions{Columns: 40})
	ev := event.Event{TID: 1, Call: &call}
	for b.Loop() {
		call.Enter(desc, syscalls.AMD64, nr, [6]uint64{0, 0x1000, 1}, mem, decode.Options{})
		ev.Kind = event.CallEntry
		_ = text.Encode(&ev)
		call.Exit(1, false)
		ev.Kind = event.CallExit
		_ = text.Encode(&ev)
	}
}
