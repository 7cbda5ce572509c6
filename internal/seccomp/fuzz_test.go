package seccomp

import (
	"encoding/binary"
	"errors"
	"testing"

	"farcall/filter"
	"farcall/syscalls"
)

// reader takes numbers from fuzz data; behind the end it gives zeros.
type reader []byte

func (r *reader) byte() byte {
	if len(*r) == 0 {
		return 0
	}
	b := (*r)[0]
	*r = (*r)[1:]
	return b
}

func (r *reader) uint16() uint16 { return uint16(r.byte()) | uint16(r.byte())<<8 }

// wide makes interesting 64-bit numbers from two bytes: a small value, shifted anywhere.
func (r *reader) wide() uint64 {
	v, shift := uint64(r.byte()), r.byte()
	if shift&0x80 != 0 {
		v = ^v
	}
	return v << (shift & 0x3f)
}

func (r *reader) action() Action {
	b := r.byte()
	return [...]Action{Allow, Trace(uint16(b)), Errno(1), Trap(uint16(b)), KillThread, KillProcess, Log, Notify}[b%8]
}

// tree reads a tree of conditions, and puts arguments near their ends into args.
func (r *reader) tree(depth int, args *[6]uint64) *filter.Cond {
	b := r.byte()
	if depth > 0 && b%3 > 0 {
		c := &filter.Cond{Op: filter.CondAll}
		if b%3 == 1 {
			c.Op = filter.CondAny
		}
		for range 2 + r.byte()%3 {
			c.Sub = append(c.Sub, r.tree(depth-1, args))
		}
		return c
	}
	if b%16 == 0 {
		return &filter.Cond{Op: filter.CondOp(b / 16 % 2)}
	}
	t := filter.Test{Reg: int(r.byte() % 3), Mask: r.wide(), Min: r.wide(), Max: r.wide()}
	switch r.byte() % 4 {
	case 0:
		t.Max = t.Min
	case 1:
		t.Max |= t.Min
	}
	args[t.Reg] = t.Min + uint64(r.byte()%3) - 1
	if r.byte()%2 == 0 {
		args[t.Reg] = t.Max + uint64(r.byte()%3) - 1
	}
	return &filter.Cond{Op: filter.CondTest, Test: t}
}

// spec reads a Spec, and the calls to try on it.
func (r *reader) spec() (Spec, []call) {
	s := Spec{Other: r.action(), Calls: map[syscalls.ABI]Calls{}}
	probes := []call{{number: 0xffffffff}, {abi: syscalls.I386, number: 0x7fffffff}, {abi: syscalls.ARM64}}
	for len(*r) > 0 && len(probes) < 2000 {
		abi := allABIs[r.byte()%4]
		c := s.Calls[abi]
		switch r.byte() % 8 {
		case 0:
			c.Default = r.action()
		default:
			rule := Rule{Number: uint32(r.uint16()) % 2048, Action: r.action()}
			var args [6]uint64
			for range r.byte() % 4 {
				cond := Condition{Arg: int(r.byte() % 6), Mask: r.wide(), Min: r.wide(), Max: r.wide()}
				if r.byte()%2 == 0 {
					cond.Max = cond.Min
				}
				args[cond.Arg] = cond.Min + uint64(r.byte()%3) - 1
				rule.When = append(rule.When, cond)
			}
			if r.byte()%2 == 0 {
				if t := r.tree(3, &args); Fits(t) && len(rule.When) == 0 {
					rule.If = t
				}
			}
			c.Rules = append(c.Rules, rule)
			nr := rule.Number
			if abi == syscalls.X32 {
				nr |= syscalls.X32Bit
			}
			other := args
			other[0], other[1] = args[0]^1<<63, args[1]^1<<32
			probes = append(probes, call{abi, nr, args}, call{abi, nr, other}, call{abi, nr + 1, args}, call{abi, nr, [6]uint64{}})
			if rule.Number > 0 {
				probes = append(probes, call{abi, nr - 1, args})
			}
		}
		s.Calls[abi] = c
	}
	return s, probes
}

func FuzzCompile(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte{0, 0, 1, 5, 0, 1, 0})
	f.Add([]byte{5, 0, 1, 5, 0, 1, 1, 2, 255, 0, 7, 32, 9, 33, 1, 1, 1, 0, 4, 2, 1, 59, 0, 1, 0, 3, 1, 63, 1, 2, 0})
	var many []byte
	for i := range uint16(400) {
		many = append(many, byte(i%4), 1)
		many = binary.LittleEndian.AppendUint16(many, 3*i)
		many = append(many, 1, 0)
	}
	f.Add(many)
	f.Fuzz(func(t *testing.T, data []byte) {
		r := reader(data)
		s, probes := r.spec()
		p, err := Compile(s)
		if errors.Is(err, ErrTooLong) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		_, in := compile(t, s)
		if p.Depth() > p.Len() {
			t.Errorf("depth %d of %d instructions", p.Depth(), p.Len())
		}
		for _, c := range probes {
			in.check(&s, c)
		}
	})
}
