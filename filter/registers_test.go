package filter

import (
	"fmt"
	"math/big"
	"math/rand/v2"
	"strings"
	"testing"

	"farcall/decode"
	"farcall/syscalls"
	"farcall/syscalls/linux"
)

func TestRegisters(t *testing.T) {
	for _, tt := range []struct {
		abi         syscalls.ABI
		call, text  string
		want        string
		approximate bool
	}{
		{0, "openat", `name == openat`, "true", false},
		{0, "close", `name == openat`, "false", false},
		{0, "openat", `args.flags has O_CREAT`, "r2&0x40=0x40", false},
		{0, "openat", `args.flags has O_CREAT|O_EXCL`, "(r2&0x40=0x40 and r2&0x80=0x80)", false},
		{0, "openat", `args.flags has any O_CREAT|O_EXCL`, "(r2&0x40=0x40 or r2&0x80=0x80)", false},
		{0, "openat", `args.flags not has O_CREAT`, "r2&0x40 in 0x0..0x3f", false},
		{0, "openat", `args.flags & O_ACCMODE != O_RDONLY`, "r2&0x3 in 0x1..0x3", false},
		{0, "openat", `args.dfd == AT_FDCWD`, "r0&0xffffffff=0xffffff9c", false},
		{0, "openat", `args.dfd < 3`, "(r0&0xffffffff in 0x0..0x2 or r0&0xffffffff in 0x80000000..0xffffffff)", false},
		{0, "openat", `args.dfd > -100`, "(r0&0xffffffff in 0x0..0x7fffffff or r0&0xffffffff in 0xffffff9d..0xffffffff)", false},
		{0, "openat", `args.filename == NULL`, "r1=0x0", false},
		{syscalls.X32, "openat", `args.filename == NULL`, "r1&0xffffffff=0x0", false},
		{0, "openat", `args.filename glob "/etc/*" and args.flags has O_CREAT`, "r2&0x40=0x40", true},
		{0, "openat", `args.filename glob "/etc/*" or args.flags has O_CREAT`, "true", true},
		{0, "openat", `not (args.filename glob "/etc/*" and args.flags has O_CREAT)`, "true", true},
		{0, "openat", `not (args.filename glob "/etc/*" or args.flags has O_CREAT)`, "r2&0x40 in 0x0..0x3f", true},
		{0, "openat", `args.mode == 0644`, "r3&0xffff=0x1a4", true}, // there may be no mode
		{0, "openat", `not args.mode == 0644`, "true", true},
		{0, "openat", `failed and args.flags has O_CREAT`, "r2&0x40=0x40", true},
		{0, "read", `args.count >= 1M`, "r2 in 0x100000..0xffffffffffffffff", false},
		{syscalls.I386, "read", `args.count >= 1M`, "r2&0xffffffff in 0x100000..0xffffffff", false},
		{0, "read", `args.count >= 1M and args.filename == "x"`, "false", false},
		{0, "read", `args.count >= 1M and not args.filename == "x"`, "r2 in 0x100000..0xffffffffffffffff", false},
		{0, "lseek", `args.offset < 0`, "r1 in 0x8000000000000000..0xffffffffffffffff", false},
		{0, "lseek", `args.offset in -1..5`, "(r1=0xffffffffffffffff or r1 in 0x0..0x5)", false},
		{syscalls.I386, "pread64", `args.pos == 4G`, "true", true},
		{syscalls.I386, "chown", `args.user == 0xffff`, "r1&0xffff=0xffff", false},
		{syscalls.I386, "chown", `args.user == -1`, "r1&0xffff=0xffff", false},
		{0, "write", `fd in (1, 2)`, "(r0&0xffffffff=0x1 or r0&0xffffffff=0x2)", false},
		{0, "write", `fd == 1 and count == 3`, "r0&0xffffffff=0x1", true},
		{0, "write", `arg0 == -1`, "r0=0xffffffffffffffff", false},
		{0, "write", `args.count % 2 == 0`, "true", true},
		{0, "ioctl", `args.cmd == TCGETS`, "r1&0xffffffff=0x5401", false},
		{0, "ioctl", `args.fd == 1`, "r0&0xffffffff=0x1", false},
		{syscalls.I386, "socketcall", `name == connect and fd == 3`, "true", true},
		{syscalls.I386, "socketcall", `name == openat`, "false", false},
		{syscalls.ARM64, "openat", `args.flags has O_DIRECTORY`, "r2&0x4000=0x4000", false},
		{0, "openat", `args.flags has O_DIRECTORY`, "r2&0x10000=0x10000", false},
		{0, "clone", `args.flags has CLONE_VM`, "r0&0x100=0x100", false},
	} {
		nr, ok := tt.abi.Number(tt.call)
		if !ok {
			t.Errorf("no %s", tt.call)
			continue
		}
		e, err := Parse(tt.text)
		if err != nil {
			t.Errorf("%s: %v", tt.text, err)
			continue
		}
		if err := e.Check(Table{}); err != nil {
			t.Errorf("%s: %v", tt.text, err)
		}
		r := e.Registers(Table{}, tt.abi, nr)
		if got := r.Cond.String(); got != tt.want || r.Exact == tt.approximate {
			t.Errorf("%v %s: %s: %s, exact %v; want %s", tt.abi, tt.call, tt.text, got, r.Exact, tt.want)
		}
	}
}

func TestReach(t *testing.T) {
	for text, want := range map[string]string{
		`name == openat`:                             "amd64: openat; i386: openat; x32: openat; arm64: openat",
		`name == openat and abi == amd64`:            "amd64: openat",
		`abi == amd64 and args.how.resolve == 1`:     "amd64: openat2",
		`abi == amd64 and args.umyaddr.sin_port > 0`: "amd64: bind",
		`abi == i386 and name == accept`:             "amd64: accept; i386: socketcall", // the first stands for the second, see addMultiplexed
		`failed`:                                     "all",
		`name == "syscall_0x3e8"`:                    "amd64: !read",
	} {
		e, err := Parse(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		got := e.Reach(Table{}).Calls
		if strings.HasPrefix(text, `name == "syscall_`) {
			if got.Has(syscalls.AMD64, 0) || !got.Has(syscalls.AMD64, 1000) || !got.Has(syscalls.AMD64, 700) {
				t.Errorf("%s: %s", text, got)
			}
			continue
		}
		if got.String() != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
	parse := func(text string) *Reach {
		e, err := Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		return e.Reach(Table{})
	}
	creat, close3 := parse(`name in (openat, read) and (name == read or args.flags has O_CREAT)`), parse(`name in (close, openat) and fd == 3`)
	both := creat.Union(close3)
	for name, want := range map[string]string{"openat": "(r2&0x40=0x40 or r0&0xffffffff=0x3)", "close": "r0&0xffffffff=0x3", "read": "<nil>"} {
		nr, _ := syscalls.AMD64.Number(name)
		got := "<nil>"
		if c := both.When(syscalls.AMD64, nr); c != nil {
			got = c.String()
		}
		if got != want || !both.Calls.Has(syscalls.AMD64, nr) {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
}

// A comparison with numbers, made at random, whose answer is known.
type randomLeaf struct {
	text string
	want bool
}

// number is an argument's value as a whole number, by the rules of C and the kernel: those of its type in the program. It is
// taken from the decoded value, not from what this package thinks of registers.
func number(v *decode.Value, a syscalls.ABI) (n *big.Int, width uint) {
	width = uint(8 * v.Type.Extent(a.Layout()))
	if v.Type.Kind == syscalls.KindConst { // only these bits choose a variant
		width = 32
	}
	n = new(big.Int).SetUint64(v.Num)
	mask := new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), width), big.NewInt(1))
	n.And(n, mask)
	switch v.Type.Kind {
	case syscalls.KindInt, syscalls.KindFD, syscalls.KindDirFD, syscalls.KindPID, syscalls.KindSignal, syscalls.KindErrno, syscalls.KindTime, syscalls.KindDate:
		if n.Bit(int(width)-1) == 1 {
			n.Sub(n, new(big.Int).Lsh(big.NewInt(1), width))
		}
	}
	return n, width
}

// randomComparison compares an argument with a constant near its value.
func randomComparison(r *rand.Rand, name string, v *decode.Value, a syscalls.ABI) (leaf randomLeaf, ok bool) {
	n, width := number(v, a)
	near := new(big.Int).Add(n, big.NewInt(r.Int64N(3)-1))
	if r.IntN(3) == 0 {
		near.SetInt64(r.Int64N(9) - 4)
	}
	half := new(big.Int).Lsh(big.NewInt(1), width-1)
	low, high := new(big.Int).Neg(half), new(big.Int).Sub(new(big.Int).Lsh(half, 1), big.NewInt(1))
	if near.Cmp(low) < 0 || near.Cmp(high) > 0 {
		return leaf, false
	}
	// Equality is that of the bits.
	same := func(x *big.Int) bool {
		modulus := new(big.Int).Lsh(big.NewInt(1), width)
		return new(big.Int).Mod(new(big.Int).Sub(n, x), modulus).Sign() == 0
	}
	subject := "args." + name
	switch r.IntN(9) {
	case 0:
		return randomLeaf{fmt.Sprintf("%s == %d", subject, near), same(near)}, true
	case 1:
		return randomLeaf{fmt.Sprintf("%s != %d", subject, near), !same(near)}, true
	case 2:
		return randomLeaf{fmt.Sprintf("%s < %d", subject, near), n.Cmp(near) < 0}, true
	case 3:
		return randomLeaf{fmt.Sprintf("%s <= %d", subject, near), n.Cmp(near) <= 0}, true
	case 4:
		return randomLeaf{fmt.Sprintf("%s > %d", subject, near), n.Cmp(near) > 0}, true
	case 5:
		return randomLeaf{fmt.Sprintf("%s >= %d", subject, near), n.Cmp(near) >= 0}, true
	case 6:
		to := new(big.Int).Add(near, big.NewInt(r.Int64N(4)))
		if to.Cmp(high) > 0 {
			return leaf, false
		}
		return randomLeaf{fmt.Sprintf("%s in (%d..%d, 12345)", subject, near, to), n.Cmp(near) >= 0 && n.Cmp(to) <= 0 || n.Int64() == 12345}, width > 16
	case 7:
		mask := uint64(1)<<r.UintN(width) | 1
		bits := v.Num & mask
		return randomLeaf{fmt.Sprintf("%s & %#x == %#x", subject, mask, bits&1), bits == bits&1}, true
	}
	if v.Type.Kind != syscalls.KindUint && v.Type.Kind != syscalls.KindHex {
		return leaf, false
	}
	mask := uint64(1)<<r.UintN(width) | 1
	return randomLeaf{fmt.Sprintf("%s has %#x", subject, mask), v.Num&mask == mask}, true
}

// TestRegistersAgainstArithmetic makes conditions on the arguments of calls of every ABI whose answers are computed
// apart, in whole numbers, and compares closures and conditions on registers with them.
func TestRegistersAgainstArithmetic(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 26))
	var c decode.Call
	tried, exact, never := 0, 0, 0
	for a := syscalls.ABI(0); a < syscalls.NumABI; a++ {
		for nr, name := range a.Names() {
			if linux.Multiplexes(a, name) {
				continue
			}
			for range 12 {
				regs := randomRegs(r, a)
				c.Enter(linux.Describe(a, nr), a, nr, regs, space{}, decode.Options{})
				var parts []randomLeaf
				for i := range c.Args {
					v := c.Argument(i)
					if v == nil || v.State != decode.Known || v.Type.Dir != 0 || v.Type.Format != syscalls.FormatNone || v.Type.Extent(a.Layout()) == 0 {
						continue
					}
					if cat, _ := categoryOf(v.Type); cat != catNumber || v.Type.Kind == syscalls.KindPort || v.Type.Kind == syscalls.KindBits || v.Type.Kind == syscalls.KindPtr {
						continue
					}
					if l, ok := randomComparison(r, v.Name, v, a); ok {
						parts = append(parts, l)
					}
				}
				if len(parts) == 0 {
					continue
				}
				text, want := combined(r, parts, 3)
				e, err := Parse(text)
				if err != nil {
					t.Fatalf("%s: %v", text, err)
				}
				p := &Program{code: map[codeKey]predicate{}, rest: e.root}
				got := p.Entry(&Env{Call: &c})
				if got == Unknown || got == True != want {
					t.Fatalf("%v %s %#x: %s: %v, want %v", a, name, regs, text, got, want)
				}
				regsOf := e.Registers(Table{}, a, nr)
				holds := regsOf.Cond.Holds(&regs)
				if want && !holds || regsOf.Exact && holds != want {
					t.Fatalf("%v %s %#x: %s: registers %s (exact %v) give %v, want %v", a, name, regs, text, regsOf.Cond, regsOf.Exact, holds, want)
				}
				tried++
				if regsOf.Exact {
					exact++
				}
				if !holds {
					never++
				}
			}
		}
	}
	if tried < 5000 || exact < tried/2 || never < tried/10 {
		t.Errorf("%d conditions, %d exact, %d refused by registers", tried, exact, never)
	}
}

// randomRegs are registers with small and large numbers, and with garbage above 32 bits.
func randomRegs(r *rand.Rand, a syscalls.ABI) (regs [6]uint64) {
	for i := range regs {
		switch r.IntN(4) {
		case 0:
			regs[i] = r.Uint64()
		case 1:
			regs[i] = r.Uint64N(8)
		case 2:
			regs[i] = -r.Uint64N(8)
		case 3:
			regs[i] = r.Uint64N(8) | r.Uint64()<<32
		}
		if a == syscalls.I386 {
			regs[i] &= 0xffffffff
		}
	}
	return regs
}

// combined joins leaves by and, or and not.
func combined(r *rand.Rand, parts []randomLeaf, depth int) (string, bool) {
	if depth == 0 || r.IntN(3) == 0 {
		p := parts[r.IntN(len(parts))]
		return p.text, p.want
	}
	left, l := combined(r, parts, depth-1)
	right, w := combined(r, parts, depth-1)
	switch r.IntN(3) {
	case 0:
		return "(" + left + ") and (" + right + ")", l && w
	case 1:
		return "(" + left + ") or (" + right + ")", l || w
	}
	return "not (" + left + ")", !l
}
