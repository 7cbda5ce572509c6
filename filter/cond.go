package filter

import (
	"fmt"
	"strings"
)

// A Test holds if register Reg & Mask, an unsigned number, is in Min..Max.
type Test struct {
	Reg            int
	Mask, Min, Max uint64
}

// A CondOp is what a Cond is.
type CondOp uint8

// The operations.
const (
	CondTrue  CondOp = iota // always
	CondFalse               // never
	CondTest                // Test
	CondAll                 // all of Sub, of which there are at least two
	CondAny                 // any of Sub, of which there are at least two
)

// A Cond is a condition on the six argument registers of a call, as PTRACE_GET_SYSCALL_INFO and seccomp filters see them.
// It must not be changed.
type Cond struct {
	Op   CondOp
	Test Test
	Sub  []*Cond
}

var (
	condTrue  = &Cond{Op: CondTrue}
	condFalse = &Cond{Op: CondFalse}
)

// Holds decides the condition.
func (c *Cond) Holds(regs *[6]uint64) bool {
	switch c.Op {
	case CondTest:
		v := regs[c.Test.Reg] & c.Test.Mask
		return c.Test.Min <= v && v <= c.Test.Max
	case CondAll:
		for _, s := range c.Sub {
			if !s.Holds(regs) {
				return false
			}
		}
		return true
	case CondAny:
		for _, s := range c.Sub {
			if s.Holds(regs) {
				return true
			}
		}
		return false
	}
	return c.Op == CondTrue
}

// value decides a condition on a single value, whatever the register it names.
func (c *Cond) value(v uint64) bool {
	switch c.Op {
	case CondTest:
		v &= c.Test.Mask
		return c.Test.Min <= v && v <= c.Test.Max
	case CondAll:
		for _, s := range c.Sub {
			if !s.value(v) {
				return false
			}
		}
		return true
	case CondAny:
		for _, s := range c.Sub {
			if s.value(v) {
				return true
			}
		}
		return false
	}
	return c.Op == CondTrue
}

// Size is the number of tests.
func (c *Cond) Size() int {
	if c.Op == CondTest {
		return 1
	}
	n := 0
	for _, s := range c.Sub {
		n += s.Size()
	}
	return n
}

// String is for messages and tests.
func (c *Cond) String() string {
	switch c.Op {
	case CondTrue:
		return "true"
	case CondFalse:
		return "false"
	case CondTest:
		t := &c.Test
		s := fmt.Sprintf("r%d&%#x", t.Reg, t.Mask)
		if t.Mask == ^uint64(0) {
			s = fmt.Sprintf("r%d", t.Reg)
		}
		if t.Min == t.Max {
			return fmt.Sprintf("%s=%#x", s, t.Min)
		}
		return fmt.Sprintf("%s in %#x..%#x", s, t.Min, t.Max)
	}
	var parts []string
	for _, s := range c.Sub {
		parts = append(parts, s.String())
	}
	sep := " or "
	if c.Op == CondAll {
		sep = " and "
	}
	return "(" + strings.Join(parts, sep) + ")"
}

// test makes a test, or what it amounts to.
func test(reg int, mask, lo, hi uint64) *Cond {
	hi = min(hi, mask)
	switch {
	case lo > hi, lo == hi && lo&^mask != 0:
		return condFalse
	case lo == 0 && hi == mask:
		return condTrue
	}
	return &Cond{Op: CondTest, Test: Test{reg, mask, lo, hi}}
}

// all is true where every part is.
func all(parts ...*Cond) *Cond {
	out := combine(CondAll, condTrue, condFalse, parts)
	if out.Op != CondAll {
		return out
	}
	// Tests of the same bits become one.
	var sub []*Cond
next:
	for _, p := range out.Sub {
		if p.Op == CondTest {
			for i, q := range sub {
				if q.Op == CondTest && q.Test.Reg == p.Test.Reg && q.Test.Mask == p.Test.Mask {
					both := test(p.Test.Reg, p.Test.Mask, max(p.Test.Min, q.Test.Min), min(p.Test.Max, q.Test.Max))
					if both.Op == CondFalse {
						return condFalse
					}
					sub[i] = both
					continue next
				}
			}
		}
		sub = append(sub, p)
	}
	return combine(CondAll, condTrue, condFalse, sub)
}

// anyOf is true where some part is.
func anyOf(parts ...*Cond) *Cond { return combine(CondAny, condFalse, condTrue, parts) }

// combine joins parts by an operation whose neutral element changes nothing and whose absorbing one decides.
func combine(op CondOp, neutral, absorbing *Cond, parts []*Cond) *Cond {
	var sub []*Cond
	for _, p := range parts {
		switch {
		case p.Op == absorbing.Op:
			return absorbing
		case p.Op == neutral.Op:
		case p.Op == op:
			sub = append(sub, p.Sub...)
		default:
			sub = append(sub, p)
		}
	}
	switch len(sub) {
	case 0:
		return neutral
	case 1:
		return sub[0]
	}
	return &Cond{Op: op, Sub: sub}
}

// not is the opposite.
func (c *Cond) not() *Cond {
	switch c.Op {
	case CondTrue:
		return condFalse
	case CondFalse:
		return condTrue
	case CondTest:
		t := &c.Test
		var parts []*Cond
		if t.Min > 0 {
			parts = append(parts, test(t.Reg, t.Mask, 0, t.Min-1))
		}
		if t.Max < t.Mask {
			parts = append(parts, test(t.Reg, t.Mask, t.Max+1, t.Mask))
		}
		return anyOf(parts...)
	}
	sub := make([]*Cond, len(c.Sub))
	for i, s := range c.Sub {
		sub[i] = s.not()
	}
	if c.Op == CondAll {
		return anyOf(sub...)
	}
	return all(sub...)
}
