package filter

import (
	"farcall/syscalls"
	"farcall/syscalls/linux"
)

// Registers is what a condition asks of the argument registers of one call: Cond holds for every call for which the whole
// condition can hold. With Exact that is the same, otherwise the rest is to be decided by a [Program].
type Registers struct {
	Cond  *Cond
	Exact bool
}

// Never tells that no call of this number satisfies the condition.
func (r Registers) Never() bool { return r.Cond.Op == CondFalse }

// Always tells that every call of this number does.
func (r Registers) Always() bool { return r.Cond.Op == CondTrue && r.Exact }

// maxGuards is how many variants of a call are told apart by their constants.
const maxGuards = 16

// maxTests is the size up to which a condition on registers is worth it.
const maxTests = 64

// Registers says what of the condition can be decided from number and registers of call nr of an ABI.
func (e *Expr) Registers(t Table, a syscalls.ABI, nr uint64) Registers {
	call := t.describe(a, nr)
	if call == nil {
		return e.unnamed(a)
	}
	return e.described(call, a)
}

// unnamed is the answer for the numbers that no table has.
func (e *Expr) unnamed(a syscalls.ABI) Registers {
	b := &binder{call: unnamedCall, abi: a, family: unnamedCall, unnamed: true}
	return b.registers(e.root, false)
}

// unnamedCall describes a number without a call: six registers.
var unnamedCall = func() *syscalls.Call {
	c := &syscalls.Call{Name: "syscall_", Ret: &longType}
	for i := range 6 {
		c.Args = append(c.Args, syscalls.Field{Name: "arg" + string(rune('0'+i)), Reg: uint8(i), Reg32: uint8(i),
			Type: &syscalls.Type{Kind: syscalls.KindHex, Width: syscalls.WidthLong}})
	}
	return c
}()

func (e *Expr) described(call *syscalls.Call, a syscalls.ABI) Registers {
	for _, sub := range multiplexed(a, call) {
		if !e.described(sub, a).Never() { // its arguments are not in these registers
			return Registers{condTrue, false}
		}
	}
	binders := bind(call, a)
	out := binders[0].registers(e.root, false)
	if len(binders) == 1 {
		return out
	}
	base := out.Cond.String()
	parts := []*Cond{out.Cond}
	for _, b := range binders[1:] {
		r := b.registers(e.root, false)
		out.Exact = out.Exact && r.Exact
		if r.Cond.String() == base {
			continue
		}
		// What holds for the call as such is asked of its variants too, which is more than is needed.
		out.Exact = false
		if !r.Never() {
			parts = append(parts, all(b.guard(), r.Cond))
		}
		if len(parts) > maxGuards {
			return Registers{condTrue, false}
		}
	}
	out.Cond = anyOf(parts...)
	if out.Cond.Size() > maxTests {
		return Registers{condTrue, false}
	}
	return out
}

// guard holds where the constants of a variant do.
func (b *binder) guard() *Cond {
	var parts []*Cond
	for i := range b.call.Args {
		if a := &b.call.Args[i]; a.Type.Kind == syscalls.KindConst {
			n := a.Type.Set.Vals[0].Value & 0xffffffff
			parts = append(parts, test(a.Register(b.abi), 0xffffffff, n, n))
		}
	}
	return all(parts...)
}

// registers is the condition of a node, or of its opposite, on the registers.
func (b *binder) registers(n *node, opposite bool) Registers {
	switch n.kind {
	case nodeLeaf:
		return b.leaf(n.leaf).registers(opposite)
	case nodeNot:
		return b.registers(n.sub[0], !opposite)
	}
	out := Registers{Exact: true}
	parts := make([]*Cond, len(n.sub))
	and := (n.kind == nodeAnd) != opposite
	for i, s := range n.sub {
		r := b.registers(s, opposite)
		parts[i] = r.Cond
		switch {
		case and && r.Never(), !and && r.Always():
			return Registers{r.Cond, true}
		case !r.Exact:
			out.Exact = false
		}
	}
	if and {
		out.Cond = all(parts...)
	} else {
		out.Cond = anyOf(parts...)
	}
	return out
}

// registers is the condition of a bound leaf, or of its opposite.
func (l binding) registers(opposite bool) Registers {
	switch {
	case l.truth != Unknown:
		if (l.truth == True) != opposite {
			return Registers{condTrue, true}
		}
		return Registers{condFalse, true}
	case l.cond == nil, l.missing && opposite: // the opposite holds too where there is nothing to compare
		return Registers{condTrue, false}
	case opposite:
		return Registers{l.cond.not(), true}
	}
	return Registers{l.cond, !l.missing}
}

// Reach is the calls for which a condition can hold, as far as their numbers and registers tell.
type Reach struct {
	Calls *CallSet
	when  map[callKey]*Cond
}

type callKey struct {
	abi syscalls.ABI
	nr  uint64
}

// When is what the registers of a call of the set must be like, nil if that does not matter.
func (r *Reach) When(a syscalls.ABI, nr uint64) *Cond {
	if a == syscalls.X32 {
		nr |= syscalls.X32Bit
	}
	return r.when[callKey{a, nr}]
}

// Reach says for which calls of the table the condition can hold.
func (e *Expr) Reach(t Table) *Reach {
	r := &Reach{Calls: new(CallSet), when: map[callKey]*Cond{}}
	known := map[string]*Cond{} // calls with equal conditions share one: neighbours then need it only once in a filter
	for a := syscalls.ABI(0); a < syscalls.NumABI; a++ {
		for nr := range a.Names() {
			if !t.has(a, nr) {
				continue
			}
			regs := e.Registers(t, a, nr)
			if regs.Never() {
				continue
			}
			r.Calls.Add(a, nr)
			if regs.Cond.Op == CondTrue {
				continue
			}
			text := regs.Cond.String()
			if known[text] == nil {
				known[text] = regs.Cond
			}
			r.when[callKey{a, nr}] = known[text]
		}
	}
	e.addMultiplexed(t, r)
	unnamed := false
	for a := syscalls.ABI(0); a < syscalls.NumABI; a++ {
		unnamed = unnamed || !e.unnamed(a).Never()
	}
	if unnamed {
		rest := NamedCalls().Complement()
		if t.Calls != nil {
			rest = rest.Intersect(t.Calls)
		}
		r.Calls = r.Calls.Union(rest)
	}
	return r
}

// addMultiplexed keeps the calls by whose names a tracer knows that it wants i386's socketcall or ipc, although they have
// a number on amd64 only and may be out of reach there.
func (e *Expr) addMultiplexed(t Table, r *Reach) {
	for _, sub := range linux.Multiplexed {
		nr, ok := syscalls.AMD64.Number(sub)
		if _, own := syscalls.I386.Number(sub); !ok || own || !t.has(syscalls.AMD64, nr) {
			continue
		}
		if d := linux.Subcall(sub); d != nil && !e.described(d, syscalls.I386).Never() {
			r.Calls.Add(syscalls.AMD64, nr)
		}
	}
}

// Union is the calls of both.
func (r *Reach) Union(o *Reach) *Reach {
	out := &Reach{Calls: r.Calls.Union(o.Calls), when: map[callKey]*Cond{}}
	for key, c := range r.when {
		switch {
		case !o.Calls.Has(key.abi, key.nr):
			out.when[key] = c
		case o.when[key] != nil:
			if both := anyOf(c, o.when[key]); both.Op != CondTrue && both.Size() <= maxTests {
				out.when[key] = both
			}
		}
	}
	for key, c := range o.when {
		if !r.Calls.Has(key.abi, key.nr) {
			out.when[key] = c
		}
	}
	return out
}

// NamedCalls is the set of the calls that have a name, of every ABI.
func NamedCalls() *CallSet {
	named := new(CallSet)
	for a := syscalls.ABI(0); a < syscalls.NumABI; a++ {
		for nr := range a.Names() {
			named.Add(a, nr)
		}
	}
	return named
}

// ReachOf is all calls of a set, whatever their registers.
func ReachOf(calls *CallSet) *Reach { return &Reach{Calls: calls} }

// Intersect is the calls that are in both.
func (r *Reach) Intersect(o *Reach) *Reach {
	out := &Reach{Calls: r.Calls.Intersect(o.Calls), when: map[callKey]*Cond{}}
	for _, from := range []*Reach{r, o} {
		for key, c := range from.when {
			if !out.Calls.Has(key.abi, key.nr) {
				continue
			}
			if had := out.when[key]; had != nil {
				c = all(had, c)
			}
			if c.Op == CondFalse || c.Size() > maxTests {
				c = from.when[key]
			}
			out.when[key] = c
		}
	}
	return out
}
