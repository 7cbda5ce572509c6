package seccomp

import (
	"fmt"
	"slices"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"

	"farcall/filter"
	"farcall/syscalls"
)

// The AUDIT_ARCH values that the kernel puts into seccomp_data (include/uapi/linux/audit.h).
const (
	auditArchX86_64  = unix.AUDIT_ARCH_X86_64
	auditArchI386    = unix.AUDIT_ARCH_I386
	auditArchAarch64 = unix.AUDIT_ARCH_AARCH64
)

var auditArch = map[syscalls.ABI]uint32{
	syscalls.AMD64: auditArchX86_64,
	syscalls.X32:   auditArchX86_64,
	syscalls.I386:  auditArchI386,
	syscalls.ARM64: auditArchAarch64,
}

// Offsets in struct seccomp_data (include/uapi/linux/seccomp.h); all machines here are little-endian.
const (
	offNumber = 0
	offArch   = 4
	offArgs   = 16
	word      = 4
)

// maxSkip is the longest conditional jump: the skips are bytes.
const maxSkip = 255

// Compile makes the program for a Spec. The number decides by a balanced tree of comparisons, about log2 of
// the number of rules deep. Calls that are allowed whatever their arguments are cost still less: the kernel
// runs the program once for each native number when it is installed and remembers those in a bitmap
// (kernel/seccomp.c, seccomp_is_const_allow), which works because nothing but number and architecture is
// loaded on their path.
//
// Errors: a Spec outside its limits; ErrTooLong.
func Compile(s Spec) (*Program, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	code := []bpf.Instruction{bpf.LoadAbsolute{Off: offArch, Size: word}}
	for _, arch := range []uint32{auditArchX86_64, auditArchAarch64, auditArchI386} {
		t, any := s.table(arch)
		if !any {
			continue
		}
		block := append([]bpf.Instruction{bpf.LoadAbsolute{Off: offNumber, Size: word}}, t.tree()...)
		code = append(code, branch(bpf.JumpEqual, arch, block)...)
	}
	if len(code) == 1 {
		code = nil // no ABI has rules: nothing to load
	}
	code = append(code, ret(s.Other))
	if len(code) > MaxInstructions {
		return nil, fmt.Errorf("seccomp: compile: %d instructions, at most %d are possible: %w",
			len(code), MaxInstructions, ErrTooLong)
	}
	raw, err := bpf.Assemble(code)
	if err != nil {
		return nil, fmt.Errorf("seccomp: compile: %w", err)
	}
	return &Program{code: code, raw: raw}, nil
}

// branch runs block if the accumulator compares true with val and goes on behind block otherwise.
func branch(cond bpf.JumpTest, val uint32, block []bpf.Instruction) []bpf.Instruction {
	if len(block) <= maxSkip {
		return append([]bpf.Instruction{bpf.JumpIf{Cond: cond, Val: val, SkipFalse: uint8(len(block))}}, block...)
	}
	return append([]bpf.Instruction{
		bpf.JumpIf{Cond: cond, Val: val, SkipTrue: 1},
		bpf.Jump{Skip: uint32(len(block))},
	}, block...)
}

// fork runs yes or no, both of which end in a return.
func fork(cond bpf.JumpTest, val uint32, yes, no []bpf.Instruction) []bpf.Instruction {
	var code []bpf.Instruction
	if len(no) <= maxSkip {
		code = append(code, bpf.JumpIf{Cond: cond, Val: val, SkipTrue: uint8(len(no))})
	} else {
		code = append(code, bpf.JumpIf{Cond: cond, Val: val, SkipFalse: 1}, bpf.Jump{Skip: uint32(len(no))})
	}
	code = append(code, no...)
	return append(code, yes...)
}

func ret(a Action) bpf.Instruction { return bpf.RetConstant{Val: a.Ret()} }

// A leaf is what happens to an interval of numbers: rules with conditions, then a default.
type leaf struct {
	rules    []Rule
	fallback Action
}

// same tells whether two leaves do the same, as far as that is easily seen: their conditions are the same trees.
func (l leaf) same(o leaf) bool {
	return l.fallback == o.fallback && slices.EqualFunc(l.rules, o.rules, func(a, b Rule) bool {
		return len(a.When) == 0 && len(b.When) == 0 && a.If == b.If && a.Action == b.Action
	})
}

// A table divides all 2^32 numbers of one architecture into intervals; interval i ends where i+1 starts.
type table []struct {
	start uint32
	leaf  leaf
}

// add appends an interval unless it only continues the last one.
func (t *table) add(start uint32, l leaf) {
	if n := len(*t); n > 0 && (*t)[n-1].leaf.same(l) {
		return
	}
	*t = append(*t, struct {
		start uint32
		leaf  leaf
	}{start, l})
}

// section adds the intervals of one ABI, whose numbers are first..last.
func (t *table) section(first, last uint32, c Calls) {
	byNumber := map[uint32][]Rule{}
	for _, r := range c.Rules {
		nr := first | r.Number
		byNumber[nr] = append(byNumber[nr], r)
	}
	numbers := make([]uint32, 0, len(byNumber))
	for nr := range byNumber {
		numbers = append(numbers, nr)
	}
	slices.Sort(numbers)
	next := first
	for _, nr := range numbers {
		if nr > next {
			t.add(next, leaf{fallback: c.Default})
		}
		t.add(nr, newLeaf(byNumber[nr], c.Default))
		next = nr + 1
	}
	if next <= last {
		t.add(next, leaf{fallback: c.Default})
	}
}

// newLeaf drops what cannot be reached: rules that never hold, and rules behind an unconditional one, which becomes the default.
func newLeaf(rules []Rule, fallback Action) leaf {
	rules = slices.DeleteFunc(rules, func(r Rule) bool { return r.If != nil && r.If.Op == filter.CondFalse })
	for i, r := range rules {
		if len(r.When) == 0 && (r.If == nil || r.If.Op == filter.CondTrue) {
			return leaf{rules[:i], r.Action}
		}
	}
	return leaf{rules, fallback}
}

// table builds the intervals of an architecture; any is false if the Spec has none of its ABIs.
func (s *Spec) table(arch uint32) (t table, any bool) {
	calls := func(abi syscalls.ABI) Calls {
		c, ok := s.Calls[abi]
		if !ok {
			return Calls{Default: s.Other}
		}
		any = true
		return c
	}
	const last = ^uint32(0)
	switch arch {
	case auditArchX86_64:
		native := calls(syscalls.AMD64)
		t.section(0, syscalls.X32Bit-1, native)
		t.section(syscalls.X32Bit, 2*syscalls.X32Bit-1, calls(syscalls.X32))
		t.section(2*syscalls.X32Bit, last, Calls{Default: native.Default})
	case auditArchI386:
		t.section(0, last, calls(syscalls.I386))
	case auditArchAarch64:
		t.section(0, last, calls(syscalls.ARM64))
	}
	return t, any
}

// tree is the code that finds the interval of the number in the accumulator and does what its leaf says.
func (t table) tree() []bpf.Instruction {
	switch {
	case len(t) == 1:
		return t[0].leaf.code()
	case t.isolated():
		// A comparison for each number, and two shared returns.
		yes, code := t[1].leaf.code(), t[0].leaf.code()
		skip := uint8(len(code))
		for i := len(t) - 2; i > 0; i -= 2 {
			code = append([]bpf.Instruction{bpf.JumpIf{Cond: bpf.JumpEqual, Val: t[i].start, SkipTrue: skip}}, code...)
			skip++
		}
		return append(code, yes...)
	}
	mid := len(t) / 2
	return fork(bpf.JumpGreaterOrEqual, t[mid].start, t[mid:].tree(), t[:mid].tree())
}

// maxIsolated intervals, three numbers and what is around them, are as quick to compare one by one as by
// halves, and take half of the instructions.
const maxIsolated = 7

// isolated tells whether the table is a few single numbers with one action, everything around them having
// another.
func (t table) isolated() bool {
	if len(t) > maxIsolated || len(t)%2 == 0 {
		return false
	}
	for i := 1; i < len(t); i += 2 {
		if t[i].start+1 != t[i+1].start || i > 1 && !t[i].leaf.same(t[1].leaf) || !t[i+1].leaf.same(t[0].leaf) {
			return false
		}
	}
	// With one number its leaf may have conditions; the other must be a return, for the skips.
	return len(t[0].leaf.rules) == 0
}

// code tries the rules in order.
func (l leaf) code() []bpf.Instruction {
	var code []bpf.Instruction
	for _, r := range l.rules {
		code = append(code, r.code()...)
	}
	return append(code, ret(l.fallback))
}

// code returns the action if all conditions hold and otherwise goes on behind its end. It is made from
// its end: each condition has to know how far it is from there.
func (r Rule) code() []bpf.Instruction {
	code := []bpf.Instruction{ret(r.Action)}
	if r.If != nil {
		code = append(tree(r.If, len(code)), code...)
	}
	for _, c := range slices.Backward(r.When) {
		code = append(c.code(len(code)), code...)
	}
	return code
}

// code goes on at its end if the condition holds, and rest instructions later if not.
func (c Condition) code(rest int) []bpf.Instruction {
	mask := c.mask()
	if c.Min > c.Max || c.Min > mask {
		return []bpf.Instruction{bpf.Jump{Skip: uint32(rest)}}
	}
	if c.Min == c.Max {
		lo := c.equal(0, rest)
		return append(c.equal(1, rest+len(lo)), lo...)
	}
	var code []bpf.Instruction
	if c.Max < mask { // otherwise every masked value is below it
		code = c.atMost(rest)
	}
	if c.Min > 0 {
		code = append(c.atLeast(rest+len(code)), code...)
	}
	return code
}

// load puts the masked low (0) or high (1) half of the argument into the accumulator.
func (c Condition) load(half int) []bpf.Instruction {
	code := []bpf.Instruction{bpf.LoadAbsolute{Off: uint32(offArgs + 8*c.Arg + word*half), Size: word}}
	if m := uint32(c.mask() >> (32 * half)); m != ^uint32(0) {
		code = append(code, bpf.ALUOpConstant{Op: bpf.ALUOpAnd, Val: m})
	}
	return code
}

// equal checks one half against Min.
func (c Condition) equal(half, rest int) []bpf.Instruction {
	mask, val := uint32(c.mask()>>(32*half)), uint32(c.Min>>(32*half))
	switch {
	case val&^mask != 0:
		return []bpf.Instruction{bpf.Jump{Skip: uint32(rest)}}
	case mask == 0:
		return nil
	}
	return append(c.load(half), bpf.JumpIf{Cond: bpf.JumpEqual, Val: val, SkipFalse: uint8(rest)})
}

// atLeast checks against Min: the high half decides unless it is equal.
func (c Condition) atLeast(rest int) []bpf.Instruction {
	lo := append(c.load(0), bpf.JumpIf{Cond: bpf.JumpGreaterOrEqual, Val: uint32(c.Min), SkipFalse: uint8(rest)})
	hi := uint32(c.Min >> 32)
	return slices.Concat(c.load(1), []bpf.Instruction{
		bpf.JumpIf{Cond: bpf.JumpGreaterThan, Val: hi, SkipTrue: uint8(1 + len(lo))},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: hi, SkipFalse: uint8(len(lo) + rest)},
	}, lo)
}

// atMost checks against Max.
func (c Condition) atMost(rest int) []bpf.Instruction {
	lo := append(c.load(0), bpf.JumpIf{Cond: bpf.JumpGreaterThan, Val: uint32(c.Max), SkipTrue: uint8(rest)})
	hi := uint32(c.Max >> 32)
	return slices.Concat(c.load(1), []bpf.Instruction{
		bpf.JumpIf{Cond: bpf.JumpGreaterThan, Val: hi, SkipTrue: uint8(1 + len(lo) + rest)},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: hi, SkipFalse: uint8(len(lo))},
	}, lo)
}
