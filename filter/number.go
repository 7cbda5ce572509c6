package filter

import "farcall/syscalls"

// A resolver finds the named constants that suit a subject.
type resolver func(name string) (constant, bool)

// resolverOf looks names up in the types that a subject has, in their order.
func resolverOf(types []*syscalls.Type, a syscalls.ABI) resolver {
	return func(name string) (constant, bool) {
		for _, t := range types {
			if c, ok := lookup(t, a, name); ok {
				return c, true
			}
		}
		return constant{}, false
	}
}

// joined is the value of terms joined by |, in the width of mask.
func joined(terms []term, mask uint64, names resolver) (n integer, ok bool) {
	if len(terms) == 1 {
		t := &terms[0]
		if t.name == "" {
			return t.n, true
		}
		c, ok := names(t.name)
		return c.n, ok
	}
	for i := range terms {
		one, ok := joined(terms[i:i+1], mask, names)
		if !ok {
			return n, false
		}
		bits, fits := one.pattern(mask)
		if !fits {
			return n, false
		}
		n.mag |= bits
	}
	return n, true
}

// number makes the condition of a leaf on a number in a register, with the layout that it has there. bits says that the
// constants are the numbers of bits. A constant that has no value for the type makes the comparison false, whichever it is:
// there is nothing to compare with.
func (l *leaf) number(reg int, lay layout, bits bool, names resolver) *Cond {
	mask, signed := lay.mask(), lay.signed()
	if l.mask != nil {
		n, ok := joined(l.mask.terms, mask, names)
		m, _ := n.pattern(mask)
		if !ok {
			return condFalse
		}
		mask, signed = m, false
	}
	c := comparison{reg, mask, signed, bits, names}
	var parts []*Cond
	some := false
	for i := range l.values {
		p, ok := c.one(l.op, &l.values[i])
		some = some || ok
		parts = append(parts, p)
	}
	if !some {
		return condFalse
	}
	out := anyOf(parts...)
	if l.neg {
		return out.not()
	}
	return out
}

// A comparison is what values are compared with.
type comparison struct {
	reg    int
	mask   uint64
	signed bool
	bits   bool
	names  resolver
}

// one compares with one constant; ok is false if that has no value.
func (c *comparison) one(o op, v *value) (cond *Cond, ok bool) {
	switch v.kind {
	case valNull:
		return test(c.reg, c.mask, 0, 0), true
	case valRange:
		lo, ok := joined(v.lo.terms, c.mask, c.names)
		hi, ok2 := joined(v.hi.terms, c.mask, c.names)
		if !ok || !ok2 {
			return condFalse, false
		}
		return c.between(lo, hi), true
	case valNumber, valDuration:
	default:
		return condFalse, false
	}
	if o == opHasAll || o == opHasAny {
		return c.has(o, v)
	}
	n, ok := joined(v.terms, c.mask, c.names)
	if !ok {
		return condFalse, false
	}
	switch o {
	case opGe:
		return c.atLeast(n), true
	case opLe:
		return c.atMost(n), true
	case opLt:
		return c.atLeast(n).not(), true
	case opGt:
		return c.atMost(n).not(), true
	}
	pattern, fits := n.pattern(c.mask)
	if !fits {
		return condFalse, true
	}
	return test(c.reg, c.mask, pattern, pattern), true
}

// atLeast holds for numbers from n up.
func (c *comparison) atLeast(n integer) *Cond {
	if !c.signed {
		if n.neg {
			return condTrue
		}
		return test(c.reg, c.mask, n.mag, c.mask)
	}
	top := c.mask >> 1 // the highest number; the patterns above are those below zero
	switch {
	case n.neg && n.mag > top+1:
		return condTrue
	case n.neg:
		return anyOf(test(c.reg, c.mask, -n.mag&c.mask, c.mask), test(c.reg, c.mask, 0, top))
	}
	return test(c.reg, c.mask, n.mag, top)
}

// atMost holds for numbers up to n.
func (c *comparison) atMost(n integer) *Cond {
	if !c.signed {
		if n.neg {
			return condFalse
		}
		return test(c.reg, c.mask, 0, n.mag)
	}
	top := c.mask >> 1
	switch {
	case n.neg && n.mag > top+1:
		return condFalse
	case n.neg:
		return test(c.reg, c.mask, top+1, -n.mag&c.mask)
	}
	return anyOf(test(c.reg, c.mask, 0, min(n.mag, top)), test(c.reg, c.mask, top+1, c.mask))
}

// between holds for numbers from lo to hi.
func (c *comparison) between(lo, hi integer) *Cond {
	if !c.signed {
		return all(c.atLeast(lo), c.atMost(hi))
	}
	top := c.mask >> 1
	low := max(-lo.mag&c.mask, top+1) // of those below zero
	if lo.neg && lo.mag > top+1 {
		low = top + 1
	}
	switch {
	case lo.neg && !hi.neg:
		return anyOf(test(c.reg, c.mask, low, c.mask), test(c.reg, c.mask, 0, min(hi.mag, top)))
	case lo.neg && hi.mag <= top+1:
		return test(c.reg, c.mask, low, -hi.mag&c.mask)
	case lo.neg || hi.neg:
		return condFalse
	}
	return test(c.reg, c.mask, lo.mag, min(hi.mag, top))
}

// has tests for bits.
func (c *comparison) has(o op, v *value) (*Cond, bool) {
	var parts []*Cond
	for i := range v.terms {
		t := &v.terms[i]
		k := constant{t.n, t.n.mag}
		if t.name != "" {
			var ok bool
			if k, ok = c.names(t.name); !ok {
				return condFalse, false
			}
		}
		switch {
		case c.bits:
			k = constant{integer{mag: 1 << (k.n.mag & 63)}, 1 << (k.n.mag & 63)}
		case t.name == "" && o == opHasAny && !t.n.neg:
			parts = append(parts, test(c.reg, c.mask&k.mask, 1, ^uint64(0)))
			continue
		case t.n.neg:
			k.mask = ^uint64(0)
		}
		pattern, fits := k.n.pattern(^uint64(0))
		if !fits {
			return condFalse, false
		}
		if k.mask == 0 { // the name for no bits at all
			k.mask = c.mask
		}
		if k.mask&c.mask == 0 || pattern&^c.mask != 0 && !k.n.neg {
			parts = append(parts, condFalse)
			continue
		}
		parts = append(parts, test(c.reg, k.mask&c.mask, pattern&c.mask, pattern&c.mask))
	}
	if o == opHasAny {
		return anyOf(parts...), true
	}
	return all(parts...), true
}
