package seccomp

import (
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"

	"farcall/syscalls"
)

// call is a system call as a filter sees it.
type call struct {
	abi    syscalls.ABI
	number uint32
	args   [6]uint64
}

// interpreter runs programs on calls.
type interpreter struct {
	t  testing.TB
	vm *bpf.VM
}

func compile(t testing.TB, s Spec) (*Program, interpreter) {
	t.Helper()
	p, err := Compile(s)
	if err != nil {
		t.Fatal(err)
	}
	vm, err := bpf.NewVM(p.Instructions())
	if err != nil {
		t.Fatalf("%v\n%v", err, p)
	}
	return p, interpreter{t, vm}
}

// run gives the action for a call. The interpreter reads words in network order, at the kernel's offsets.
func (in interpreter) run(arch uint32, c call) Action {
	in.t.Helper()
	data := make([]byte, 64)
	binary.BigEndian.PutUint32(data[0:], c.number)
	binary.BigEndian.PutUint32(data[4:], arch)
	for i, a := range c.args {
		binary.BigEndian.PutUint32(data[16+8*i:], uint32(a))
		binary.BigEndian.PutUint32(data[20+8*i:], uint32(a>>32))
	}
	n, err := in.vm.Run(data)
	if err != nil {
		in.t.Fatal(err)
	}
	return FromRet(uint32(n))
}

func (in interpreter) check(s *Spec, c call) {
	in.t.Helper()
	want := s.Decide(c.abi, c.number, c.args)
	if got := in.run(auditArch[c.abi], c); got != want {
		in.t.Fatalf("%v call %#x %#x: %v, want %v", c.abi, c.number, c.args, got, want)
	}
}

var allABIs = []syscalls.ABI{syscalls.AMD64, syscalls.I386, syscalls.X32, syscalls.ARM64}

func TestZeroSpec(t *testing.T) {
	p, in := compile(t, Spec{})
	if p.Len() != 1 || in.run(auditArchX86_64, call{number: 5}) != Allow {
		t.Errorf("program\n%v", p)
	}
}

func TestABISplit(t *testing.T) {
	s := Spec{
		Other: KillProcess,
		Calls: map[syscalls.ABI]Calls{
			syscalls.AMD64: {Default: Errno(unix.EPERM), Rules: []Rule{{Number: 0, Action: Trace(1)}, {Number: 59, Action: Trace(2)}}},
			syscalls.X32:   {Default: Errno(unix.EXDEV), Rules: []Rule{{Number: 0, Action: Trace(3)}, {Number: 59 | syscalls.X32Bit, Action: Trace(4)}}},
			syscalls.I386:  {Rules: []Rule{{Number: 11, Action: Trace(5)}}},
		},
	}
	_, in := compile(t, s)
	for _, c := range []struct {
		arch, number uint32
		want         Action
	}{
		{auditArchX86_64, 0, Trace(1)},
		{auditArchX86_64, 1, Errno(unix.EPERM)},
		{auditArchX86_64, 59, Trace(2)},
		{auditArchX86_64, 60, Errno(unix.EPERM)},
		{auditArchX86_64, 0x3fffffff, Errno(unix.EPERM)},
		{auditArchX86_64, 0x40000000, Trace(3)},
		{auditArchX86_64, 0x40000001, Errno(unix.EXDEV)},
		{auditArchX86_64, 0x4000003b, Trace(4)},
		{auditArchX86_64, 0x7fffffff, Errno(unix.EXDEV)},
		{auditArchX86_64, 0x80000000, Errno(unix.EPERM)},
		{auditArchX86_64, 0xffffffff, Errno(unix.EPERM)},
		{auditArchI386, 11, Trace(5)},
		{auditArchI386, 59, Allow},
		{auditArchI386, 0x40000000, Allow},
		{auditArchAarch64, 0, KillProcess},
		{12345, 0, KillProcess},
	} {
		if got := in.run(c.arch, call{number: c.number}); got != c.want {
			t.Errorf("%#x call %#x: %v, want %v", c.arch, c.number, got, c.want)
		}
	}
}

// Without an entry for X32, its calls get Other although AMD64 has one.
func TestX32WithoutEntry(t *testing.T) {
	s := Spec{Other: Log, Calls: map[syscalls.ABI]Calls{syscalls.AMD64: {Default: Notify}}}
	_, in := compile(t, s)
	for number, want := range map[uint32]Action{5: Notify, 0x40000005: Log, 0xffffffff: Notify} {
		if got := in.run(auditArchX86_64, call{number: number}); got != want {
			t.Errorf("call %#x: %v, want %v", number, got, want)
		}
	}
}

func TestConditions(t *testing.T) {
	const hi = uint64(1) << 32
	conditions := []Condition{
		Equal(0, 0, 5),
		Equal(1, 0xffffffff, 0xfffffff6),
		Equal(2, 0xf0, 0x30),
		Equal(3, 0, 7*hi+3),
		Equal(4, 0xff<<40, 0x12<<40),
		Equal(0, 1, 2), // never: the value is outside of the mask
		Equal(0, 1<<40, 3<<40),
		AnyBit(0, 0x42),
		AnyBit(5, 0x8000000000000001),
		{Arg: 0, Min: 3, Max: 9},
		{Arg: 0, Min: 0, Max: 9},
		{Arg: 0, Min: 9, Max: ^uint64(0)},
		{Arg: 0, Min: 2*hi + 5, Max: 2*hi + 9},
		{Arg: 0, Min: 2*hi + 5, Max: 4*hi + 1},
		{Arg: 0, Min: 5, Max: 4 * hi},
		{Arg: 0, Mask: 0xffffffff, Min: 5, Max: 0xfffffff0},
		{Arg: 0, Mask: 0xffffffff, Min: 5, Max: hi + 3},
		{Arg: 0, Mask: 0xffff, Min: 0x10000, Max: 0x20000}, // never
		{Arg: 0, Min: 9, Max: 3},                           // never
		{Arg: 0, Max: ^uint64(0)},                          // always
	}
	var values []uint64
	for _, c := range conditions {
		for d := range uint64(3) {
			values = append(values, c.Min+d-1, c.Max+d-1, c.Min+d-1+hi, c.Max+d-1-hi, c.mask()+d-1)
		}
	}
	for i, c := range conditions {
		s := Spec{Calls: map[syscalls.ABI]Calls{syscalls.AMD64: {
			Default: Errno(unix.EPERM),
			Rules:   []Rule{{Number: 2, Action: Trace(9), When: []Condition{c}}},
		}}}
		p, in := compile(t, s)
		held := 0
		for _, v := range values {
			cl := call{number: 2}
			cl.args[c.Arg] = v
			in.check(&s, cl)
			if c.holds(&cl.args) {
				held++
			}
		}
		if held == 0 && i != 5 && i != 6 && i != 17 && i != 18 {
			t.Errorf("condition %d never held: the test tests nothing\n%v", i, p)
		}
	}
}

// The first rule of a number that applies decides, and conditions of a rule are all needed.
func TestRuleOrder(t *testing.T) {
	s := Spec{Calls: map[syscalls.ABI]Calls{syscalls.AMD64: {
		Default: Errno(1),
		Rules: []Rule{
			{Number: 7, Action: Trace(1), When: []Condition{Equal(0, 0, 1), Equal(1, 0, 1)}},
			{Number: 8, Action: Trace(8)},
			{Number: 7, Action: Trace(2), When: []Condition{Equal(0, 0, 1)}},
			{Number: 7, Action: Trace(3)},
			{Number: 7, Action: Trace(4)},
			{Number: 8, Action: Trace(9), When: []Condition{Equal(0, 0, 1)}},
		},
	}}}
	_, in := compile(t, s)
	for _, c := range []struct {
		number, a0, a1 uint64
		want           Action
	}{{7, 1, 1, Trace(1)}, {7, 1, 2, Trace(2)}, {7, 2, 1, Trace(3)}, {8, 1, 1, Trace(8)}, {9, 1, 1, Errno(1)}} {
		cl := call{number: uint32(c.number), args: [6]uint64{c.a0, c.a1}}
		if got := in.run(auditArchX86_64, cl); got != c.want || s.Decide(syscalls.AMD64, cl.number, cl.args) != c.want {
			t.Errorf("%+v: %v", c, got)
		}
	}
}

// The largest rules stay within reach of a conditional jump.
func TestManyConditions(t *testing.T) {
	var when []Condition
	for i := range MaxConditions {
		when = append(when, Condition{Arg: i % 6, Mask: ^uint64(1), Min: 1<<33 + uint64(2*i), Max: 1<<40 + 1<<34})
	}
	s := Spec{Calls: map[syscalls.ABI]Calls{syscalls.AMD64: {Rules: []Rule{
		{Number: 3, Action: Trace(1), When: when}, {Number: 3, Action: Trace(2), When: when[1:]}, {Number: 4, Action: Trace(3), When: when},
	}}}}
	_, in := compile(t, s)
	good := [6]uint64{1 << 35, 1 << 35, 1 << 35, 1 << 35, 1 << 35, 1 << 35}
	in.check(&s, call{number: 3, args: good})
	for i := range good {
		for _, v := range []uint64{0, 1 << 33, 1<<33 + 40, 1 << 41, 1<<40 + 1<<34 + 1, 1<<40 + 1<<34 + 2} {
			args := good
			args[i] = v
			in.check(&s, call{number: 3, args: args})
			in.check(&s, call{number: 4, args: args})
			in.check(&s, call{number: 5, args: args})
		}
	}
	s.Calls[syscalls.AMD64].Rules[0].When = append(when, when[0])
	if _, err := Compile(s); err == nil {
		t.Error("too many conditions accepted")
	}
}

// Random sets of all sizes, against Decide, at every number and its neighbours.
func TestRandomSets(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, size := range []int{0, 1, 2, 3, 10, 50, 150, 299, 300, 400} {
		for range 4 {
			s := Spec{Other: Errno(unix.ENOTTY), Calls: map[syscalls.ABI]Calls{}}
			for _, abi := range allABIs {
				if rng.IntN(4) == 0 {
					continue
				}
				c := Calls{Default: randomAction(rng)}
				for range size {
					r := Rule{Number: uint32(rng.IntN(600)), Action: randomAction(rng)}
					if rng.IntN(8) == 0 && size < 200 {
						r.When = []Condition{Equal(rng.IntN(6), 0, uint64(rng.IntN(3)))}
					}
					c.Rules = append(c.Rules, r)
				}
				s.Calls[abi] = c
			}
			_, in := compile(t, s)
			for _, abi := range allABIs {
				for nr := range uint32(602) {
					cl := call{abi: abi, number: nr, args: [6]uint64{1, 0, 2, 1, 0, 1}}
					if abi == syscalls.X32 {
						cl.number |= syscalls.X32Bit
					}
					in.check(&s, cl)
				}
				if abi != syscalls.X32 {
					in.check(&s, call{abi: abi, number: 0xffffffff})
				}
			}
		}
	}
}

func randomAction(rng *rand.Rand) Action {
	return []Action{Allow, Allow, Trace(7), Errno(unix.EPERM), Trap(3), KillProcess, KillThread, Log, Notify}[rng.IntN(9)]
}

// The worst useful sets: every second of 600 numbers, in all four ABIs.
func TestSize(t *testing.T) {
	s := Spec{Calls: map[syscalls.ABI]Calls{}}
	for _, abi := range allABIs {
		var c Calls
		for nr := range uint32(300) {
			c.Rules = append(c.Rules, Rule{Number: 2 * nr, Action: Trace(0)})
		}
		s.Calls[abi] = c
	}
	p, in := compile(t, s)
	for nr := range uint32(601) {
		in.check(&s, call{number: nr})
	}
	t.Logf("4 x 300 scattered numbers: %d instructions, at most %d for a call", p.Len(), p.Depth())
	if p.Len() > MaxInstructions || p.Depth() > 2*10+10 {
		t.Errorf("%d instructions, depth %d", p.Len(), p.Depth())
	}
	one := Spec{Calls: map[syscalls.ABI]Calls{syscalls.AMD64: s.Calls[syscalls.AMD64]}}
	if p, _ = compile(t, one); p.Depth() > 2*9+6 {
		t.Errorf("300 numbers: %d instructions, depth %d", p.Len(), p.Depth())
	}
	t.Logf("300 scattered numbers: %d instructions, at most %d for a call", p.Len(), p.Depth())
}

func TestErrors(t *testing.T) {
	long := Calls{}
	for nr := range uint32(5000) {
		long.Rules = append(long.Rules, Rule{Number: 2 * nr, Action: Errno(unix.Errno(nr % 100))})
	}
	for _, c := range []struct {
		name  string
		calls map[syscalls.ABI]Calls
		text  string
		is    error
	}{
		{"too long", map[syscalls.ABI]Calls{syscalls.AMD64: long}, "at most 4096", ErrTooLong},
		{"argument", map[syscalls.ABI]Calls{syscalls.AMD64: {Rules: []Rule{{When: []Condition{{Arg: 6}}}}}}, "argument 6", nil},
		{"argument", map[syscalls.ABI]Calls{syscalls.AMD64: {Rules: []Rule{{When: []Condition{{Arg: -1}}}}}}, "argument -1", nil},
		{"number", map[syscalls.ABI]Calls{syscalls.AMD64: {Rules: []Rule{{Number: syscalls.X32Bit}}}}, "out of range", nil},
		{"number", map[syscalls.ABI]Calls{syscalls.X32: {Rules: []Rule{{Number: 0x80000000}}}}, "out of range", nil},
		{"abi", map[syscalls.ABI]Calls{99: {}}, "ABI(99)", nil},
	} {
		_, err := Compile(Spec{Calls: c.calls})
		if err == nil || !strings.Contains(err.Error(), c.text) || !strings.HasPrefix(err.Error(), "seccomp: compile: ") ||
			c.is != nil && !errors.Is(err, c.is) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestActionString(t *testing.T) {
	for a, want := range map[Action]string{
		Allow: "allow", KillProcess: "kill process", KillThread: "kill thread", Trace(0): "trace", Trace(7): "trace 7",
		Errno(unix.ENOENT): "errno ENOENT", Errno(4000): "errno 4000", Trap(0): "trap", Notify: "notify", Log: "log",
		FromRet(0x12340000): "Action(0x12340000)",
	} {
		if a.String() != want {
			t.Errorf("%q, want %q", a, want)
		}
		if FromRet(a.Ret()) != a {
			t.Errorf("%v does not survive", a)
		}
	}
}

func TestEncode(t *testing.T) {
	p, _ := compile(t, Spec{Calls: map[syscalls.ABI]Calls{syscalls.AMD64: {Rules: []Rule{{Number: 258, Action: Trace(5)}}}}})
	b := p.Encode()
	if len(b) != 8*p.Len() {
		t.Fatalf("%d bytes", len(b))
	}
	// ld [4]; the first jump is to the end of the block.
	if got := b[:8]; string(got) != "\x20\x00\x00\x00\x04\x00\x00\x00" {
		t.Errorf("first instruction % x", got)
	}
	if !strings.Contains(p.String(), "ret trace 5") {
		t.Errorf("listing:\n%v", p)
	}
	f := p.EncodeFprog(0x1122334455667788)
	if len(f) != 16 || binary.LittleEndian.Uint16(f) != uint16(p.Len()) || binary.LittleEndian.Uint64(f[8:]) != 0x1122334455667788 {
		t.Errorf("% x", f)
	}
}
