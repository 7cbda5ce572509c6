package seccomp

import (
	"golang.org/x/net/bpf"

	"farcall/filter"
)

// Fits tells whether a tree of conditions is short enough for a rule: its code must stay within reach of a conditional
// jump.
func Fits(c *filter.Cond) bool { return c.Size() <= maxSkip && len(tree(c, 1)) < maxSkip }

// A target is where a test goes on: in the code that follows, or somewhere behind it.
type target int

const (
	nextInstruction target = iota
	ifTrue
	ifFalse
	firstLabel // labels of parts within the tree
)

// A jump is an instruction of a tree whose targets are not places yet.
type jump struct {
	code    bpf.Instruction // not a jump
	cond    bpf.JumpTest
	val     uint32
	yes, no target
}

// A half is what the accumulator holds: one half of an argument, masked. Its zero value is something else.
type half struct {
	known bool
	arg   int
	high  bool
	mask  uint32
}

// A treeCompiler makes the code for a tree of conditions.
type treeCompiler struct {
	code   []jump
	labels []int // the place of firstLabel and on
}

// tree is code that goes on at its end if the tree holds, and rest instructions later if not.
func tree(c *filter.Cond, rest int) []bpf.Instruction {
	t := &treeCompiler{}
	t.cond(c, ifTrue, ifFalse, half{})
	return t.link(rest)
}

// cond makes the code for c, which goes on at yes or no. It returns what the accumulator holds there.
func (t *treeCompiler) cond(c *filter.Cond, yes, no target, acc half) (atYes, atNo half) {
	switch c.Op {
	case filter.CondTrue, filter.CondFalse:
		to := yes
		if c.Op == filter.CondFalse {
			to = no
		}
		// A comparison whose outcome does not matter: an unconditional jump that reaches as far as the others.
		t.code = append(t.code, jump{cond: bpf.JumpEqual, yes: to, no: to})
		return acc, acc
	case filter.CondTest:
		return t.test(&c.Test, yes, no, acc)
	}
	// One part after the other. For "all" the first that fails decides, for "any" the first that holds.
	var decided half
	for i, s := range c.Sub {
		last := i == len(c.Sub)-1
		if c.Op == filter.CondAll {
			next := yes
			if !last {
				next = t.label()
			}
			acc, atNo = t.cond(s, next, no, acc)
			decided = merge(decided, atNo, i == 0)
			t.place(next, last)
			continue
		}
		next := no
		if !last {
			next = t.label()
		}
		atYes, acc = t.cond(s, yes, next, acc)
		decided = merge(decided, atYes, i == 0)
		t.place(next, last)
	}
	if c.Op == filter.CondAll {
		return acc, decided
	}
	return decided, acc
}

func merge(a, b half, first bool) half {
	if first || a == b {
		return b
	}
	return half{}
}

func (t *treeCompiler) label() target {
	t.labels = append(t.labels, -1)
	return firstLabel + target(len(t.labels)-1)
}

// place puts a label here, unless it is a target outside.
func (t *treeCompiler) place(l target, outside bool) {
	if !outside {
		t.labels[l-firstLabel] = len(t.code)
	}
}

// test compares an argument half by half.
func (t *treeCompiler) test(c *filter.Test, yes, no target, acc half) (atYes, atNo half) {
	if c.Min > c.Max || c.Min > c.Mask {
		return t.cond(&filter.Cond{Op: filter.CondFalse}, yes, no, acc)
	}
	lo, hi := half{true, c.Reg, false, uint32(c.Mask)}, half{true, c.Reg, true, uint32(c.Mask >> 32)}
	if hi.mask == 0 {
		t.load(lo, acc)
		t.within(uint32(c.Min), uint32(min(c.Max, uint64(lo.mask))), lo.mask, yes, no)
		return lo, lo
	}
	minHi, maxHi := uint32(c.Min>>32), uint32(c.Max>>32)
	t.load(hi, acc)
	if minHi == maxHi { // the high half has one value, and the low half decides
		here := t.label()
		t.code = append(t.code, jump{cond: bpf.JumpEqual, val: minHi, yes: here, no: no})
		t.place(here, false)
		if lo.mask == 0 && uint32(c.Min) == 0 {
			t.code = append(t.code, jump{cond: bpf.JumpEqual, yes: yes, no: yes})
			return hi, hi
		}
		t.load(lo, half{})
		t.within(uint32(c.Min), uint32(c.Max), lo.mask, yes, no)
		return lo, half{}
	}
	// Between the ends any low half does; at an end it is to be compared.
	first, last := t.label(), t.label()
	t.code = append(t.code, jump{cond: bpf.JumpGreaterThan, val: maxHi, yes: no, no: nextInstruction},
		jump{cond: bpf.JumpEqual, val: maxHi, yes: last, no: nextInstruction},
		jump{cond: bpf.JumpGreaterThan, val: minHi, yes: yes, no: nextInstruction},
		jump{cond: bpf.JumpEqual, val: minHi, yes: first, no: no})
	t.place(first, false)
	t.load(lo, half{})
	t.code = append(t.code, jump{cond: bpf.JumpGreaterOrEqual, val: uint32(c.Min), yes: yes, no: no})
	t.place(last, false)
	t.load(lo, half{})
	t.code = append(t.code, jump{cond: bpf.JumpGreaterThan, val: uint32(c.Max), yes: no, no: yes})
	return half{}, half{}
}

// load puts half an argument into the accumulator, unless it is there.
func (t *treeCompiler) load(h, acc half) {
	if h == acc {
		return
	}
	off := uint32(offArgs + 8*h.arg)
	if h.high {
		off += word
	}
	t.code = append(t.code, jump{code: bpf.LoadAbsolute{Off: off, Size: word}})
	if h.mask != ^uint32(0) {
		t.code = append(t.code, jump{code: bpf.ALUOpConstant{Op: bpf.ALUOpAnd, Val: h.mask}})
	}
}

// within compares the accumulator, a number under mask, with both ends.
func (t *treeCompiler) within(lo, hi, mask uint32, yes, no target) {
	switch {
	case lo == hi:
		t.code = append(t.code, jump{cond: bpf.JumpEqual, val: lo, yes: yes, no: no})
	case lo == 0:
		t.code = append(t.code, jump{cond: bpf.JumpGreaterThan, val: hi, yes: no, no: yes})
	case hi == mask:
		t.code = append(t.code, jump{cond: bpf.JumpGreaterOrEqual, val: lo, yes: yes, no: no})
	default:
		t.code = append(t.code, jump{cond: bpf.JumpGreaterOrEqual, val: lo, yes: nextInstruction, no: no},
			jump{cond: bpf.JumpGreaterThan, val: hi, yes: no, no: yes})
	}
}

// link turns targets into distances.
func (t *treeCompiler) link(rest int) []bpf.Instruction {
	out := make([]bpf.Instruction, len(t.code))
	skip := func(from int, to target) uint8 {
		switch to {
		case nextInstruction:
			return 0
		case ifTrue:
			return uint8(len(t.code) - from - 1)
		case ifFalse:
			return uint8(len(t.code) + rest - from - 1)
		}
		return uint8(t.labels[to-firstLabel] - from - 1)
	}
	for i, j := range t.code {
		if j.code != nil {
			out[i] = j.code
			continue
		}
		out[i] = bpf.JumpIf{Cond: j.cond, Val: j.val, SkipTrue: skip(i, j.yes), SkipFalse: skip(i, j.no)}
	}
	return out
}
