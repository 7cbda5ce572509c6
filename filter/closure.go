package filter

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"net/netip"

	"farcall/decode"
	"farcall/syscalls"
)

// compile makes the predicate of a leaf.
func (b *binder) compile(l *leaf) compiled {
	bound := b.leaf(l)
	if bound.truth != Unknown {
		return compiled{always(bound.truth), bound.truth, 0}
	}
	if bound.cond != nil && !bound.missing {
		switch c := bound.cond; c.Op {
		case CondTrue, CondFalse:
			return compiled{always(truth(c.Op == CondTrue)), truth(c.Op == CondTrue), 0}
		case CondTest:
			t := c.Test
			return compiled{func(st *state) Truth {
				v := st.Call.Regs[t.Reg] & t.Mask
				return truth(t.Min <= v && v <= t.Max)
			}, Unknown, costRegisters}
		default:
			return compiled{func(st *state) Truth { return truth(c.Holds(&st.Call.Regs)) }, Unknown, costRegisters}
		}
	}
	if bound.arg >= 0 {
		return b.compileArgument(l, &bound)
	}
	return b.compileField(l, &bound)
}

// compileField makes the predicate of a leaf that is not about an argument.
func (b *binder) compileField(l *leaf, bound *binding) compiled {
	c := compiled{truth: Unknown, cost: costValue}
	number := func(get func(*state) (n uint64, t Truth)) predicate {
		cond := l.number(0, wide, false, bound.names)
		mod := l.mod
		return func(st *state) Truth {
			n, t := get(st)
			if t != True {
				return t
			}
			if mod != 0 {
				n = remainder(n, mod)
			}
			return truth(cond.value(n))
		}
	}
	switch l.field.kind {
	case fieldName: // of a number that no table has: the name is in its description
		c.run = always(truth(l.names(b.call.Name, b.call.Class) != l.neg))
	case fieldReg: // with a remainder
		cond, reg, mod := l.number(0, wide&^signedLayout, false, bound.names), l.reg, l.mod
		c.run = func(st *state) Truth { return truth(cond.value(st.Call.Regs[reg] % mod)) }
	case fieldPID:
		c.run = number(func(st *state) (uint64, Truth) { return uint64(st.PID), True })
	case fieldTID:
		c.run = number(func(st *state) (uint64, Truth) { return uint64(st.TID), True })
	case fieldRet:
		c.run = number(func(st *state) (uint64, Truth) {
			if st.Call.Done && st.Call.Failed {
				return ^uint64(0), True
			}
			return uint64(st.Call.Ret), st.returned()
		})
	case fieldErrno:
		c.run = number(func(st *state) (uint64, Truth) {
			if st.Call.Failed {
				return uint64(-st.Call.Ret), st.returned()
			}
			return 0, st.returned()
		})
	case fieldOK, fieldFailed:
		want := l.field.kind == fieldFailed
		c.run = func(st *state) Truth {
			if t := st.returned(); t != True {
				return t
			}
			return truth(st.Call.Failed == want)
		}
	case fieldDuration:
		c.run = number(func(st *state) (uint64, Truth) { return uint64(st.Duration), st.returned() })
	case fieldDepth:
		c.run = number(func(st *state) (uint64, Truth) {
			if st.Region == nil {
				return 0, False
			}
			_, depth := st.Region()
			return uint64(depth), True
		})
	case fieldCount:
		c.run = number(func(st *state) (uint64, Truth) { return st.count, True })
	case fieldComm:
		c.cost = costLookup
		c.run = func(st *state) Truth {
			if st.Comm == nil {
				return False
			}
			st.buf = st.Comm(st.buf[:0])
			return st.compare(l, st.buf)
		}
	case fieldRegion:
		c.run = func(st *state) Truth {
			if st.Region == nil {
				return False
			}
			name, depth := st.Region()
			if depth == 0 {
				return False
			}
			st.buf = append(st.buf[:0], name...)
			return st.compare(l, st.buf)
		}
	case fieldStack:
		c.cost = costStack
		c.run = func(st *state) Truth {
			if st.Stack == nil {
				return False
			}
			st.want, st.hit = l, false
			st.Stack(st.found)
			return truth(st.hit != l.neg)
		}
	default:
		c.run = always(False)
	}
	return c
}

// returned is True when the call has returned, Unknown while it may, and False if it never will.
func (st *state) returned() Truth {
	switch {
	case st.Call.Done:
		return True
	case st.final:
		return False
	}
	return Unknown
}

// compare holds text against a leaf; empty text is none.
func (st *state) compare(l *leaf, text []byte) Truth {
	return truth(len(text) > 0 && l.text(text) != l.neg)
}

// function looks at one function of the stack and tells whether to go on.
func (st *state) function(name string) bool {
	st.buf = append(st.buf[:0], name...)
	st.hit = st.want.text(st.buf)
	return !st.hit
}

// remainder is what is left of a number, as it is written, after division: that of a negative one is negative.
func remainder(n, mod uint64) uint64 {
	if int64(n) < 0 {
		return -(-n % mod)
	}
	return n % mod
}

// An argument decides a leaf about an argument from its decoded value.
type argument struct {
	leaf  *leaf
	steps []step
	arg   int
	abi   syscalls.ABI
	names resolver
	conds [numLayouts]*Cond // of numbers, by their layout; made when one is met
	bits  bool              // the constants are the numbers of bits
}

func (b *binder) compileArgument(l *leaf, bound *binding) compiled {
	a := &argument{leaf: l, arg: bound.arg, abi: b.abi, names: bound.names}
	_, a.steps = l.argument(b.call)
	cost := costText
	if len(bound.places) > 0 {
		if c, _ := categoryOf(bound.places[0].t); c != catText {
			cost = costValue
		}
		if bound.places[0].meaning != "" {
			cost = costLookup
		}
		a.bits = bound.places[0].t.Kind == syscalls.KindBits
	}
	field := &b.call.Args[a.arg]
	if cond := bound.cond; cond != nil { // the register tells, where the argument exists
		return compiled{func(st *state) Truth {
			v := st.Call.Argument(a.arg)
			switch {
			case v == nil:
				return st.pending()
			case v.State == decode.Absent:
				return False
			}
			return truth(cond.Holds(&st.Call.Regs))
		}, Unknown, costRegisters}
	}
	if get, lay := b.inRegisters(field, l, bound); get != nil {
		return compiled{func(st *state) Truth { return a.number(lay, get(&st.Call.Regs)) }, Unknown, costValue}
	}
	if len(a.steps) > 0 && bound.places[0].meaning != "" && field.Type.Dir == 0 && field.Cond == nil &&
		(field.Type.Kind == syscalls.KindFD || field.Type.Kind == syscalls.KindDirFD) && field.Register(b.abi) < 6 {
		reg := field.Register(b.abi) // known before anything is decoded
		return compiled{func(st *state) Truth { return a.descriptor(st, int32(st.Call.Regs[reg])) }, Unknown, cost}
	}
	return compiled{func(st *state) Truth {
		v := st.Call.Argument(a.arg)
		if v == nil {
			return st.pending()
		}
		return a.walk(st, v, a.steps)
	}, Unknown, cost}
}

// inRegisters gives a function that puts a number together which is an argument, as its registers hold it.
func (b *binder) inRegisters(f *syscalls.Field, l *leaf, bound *binding) (func(*[6]uint64) uint64, layout) {
	reg := f.Register(b.abi)
	if p := &bound.places[0]; p.inside || p.meaning != "" || bound.missing || reg > 5 || l.isNull() {
		return nil, 0
	}
	if lay, ok := b.inRegister(f.Type, l.op); ok {
		return func(regs *[6]uint64) uint64 { return regs[reg] }, lay
	}
	if c, _ := categoryOf(f.Type); c != catNumber || f.Type.Dir != 0 || f.Type.Format != syscalls.FormatNone ||
		b.abi != syscalls.I386 || f.Type.Extent(b.abi.Layout()) != 8 || reg > 4 {
		return nil, 0
	}
	return func(regs *[6]uint64) uint64 { return regs[reg]&0xffffffff | regs[reg+1]<<32 }, layoutOf(f.Type, b.abi)
}

// pending is Unknown while more may become known.
func (st *state) pending() Truth {
	if st.final || st.Call.Done {
		return False
	}
	return Unknown
}

// walk goes on from a value by steps.
func (a *argument) walk(st *state, v *decode.Value, steps []step) Truth {
	if len(steps) == 0 {
		return a.value(st, v)
	}
	switch v.State {
	case decode.Address:
		if v.Type.Dir&syscalls.Out != 0 {
			return st.pending()
		}
		return False
	case decode.Null, decode.Absent:
		return False
	}
	s := &steps[0]
	switch {
	case s.name == "":
		return a.element(st, v, steps)
	case v.Type.Kind == syscalls.KindFD || v.Type.Kind == syscalls.KindDirFD:
		return a.descriptor(st, int32(v.Num))
	}
	if m := decode.Member(v.Sub, s.name); m != nil {
		return a.walk(st, m, steps[1:])
	}
	if len(steps) == 1 && isLeftOut(v, s.name, a.abi) {
		return a.number(0, 0)
	}
	return False
}

// isLeftOut tells whether a structure has a member of that name which is not among its values because it is zero.
func isLeftOut(v *decode.Value, name string, abi syscalls.ABI) bool {
	if v.Type.Kind != syscalls.KindStruct {
		return false
	}
	for i := range v.Type.Struct.Fields {
		f := &v.Type.Struct.Fields[i]
		if f.Name == name && f.Attr&syscalls.AttrNonzero != 0 && f.Cond == nil && f.Type.Dir == 0 {
			c, _ := categoryOf(f.Type)
			end := int(f.Off[abi.Layout()]) + f.Type.Size(abi.Layout())
			return c == catNumber && (v.Size == 0 || end <= v.Size)
		}
	}
	return false
}

// element goes on at one element of an array, or at all of them until one holds.
func (a *argument) element(st *state, v *decode.Value, steps []step) Truth {
	i := steps[0].index
	if i != anyElement {
		if i < len(v.Sub) {
			return a.walk(st, &v.Sub[i], steps[1:])
		}
		return a.strings(st, v, i, i+1)
	}
	out := False
	for i := range v.Sub {
		switch a.walk(st, &v.Sub[i], steps[1:]) {
		case True:
			return True
		case Unknown:
			out = Unknown
		}
	}
	if out == False {
		out = a.strings(st, v, len(v.Sub), maxStrings)
	}
	return out
}

// strings looks at those of a vector of strings, as argv, that have not been decoded: from one on, up to another.
func (a *argument) strings(st *state, v *decode.Value, from, to int) Truth {
	if v.Type.Kind != syscalls.KindStrings && v.Type.Kind != syscalls.KindEnv || !v.More || st.Memory == nil {
		return False
	}
	w := a.abi.WordSize()
	for i := from; i < min(to, v.Size); i++ {
		word := st.word[:w]
		if clear(st.word[:]); st.Memory.Read(v.Addr+uint64(i*w), word) < w {
			return False
		}
		p := binary.LittleEndian.Uint64(st.word[:])
		if p != 0 && a.leaf.text(st.stringAt(p)) != a.leaf.neg {
			return True
		}
	}
	return False
}

// descriptor asks for the path or the peer of a descriptor.
func (a *argument) descriptor(st *state, fd int32) Truth {
	find := st.FDPath
	if a.steps[len(a.steps)-1].name == "peer" {
		find = st.FDPeer
	}
	if find == nil {
		return False
	}
	st.buf = find(st.buf[:0], fd)
	return st.compare(a.leaf, st.buf)
}

// value decides the leaf for the value that it is about.
func (a *argument) value(st *state, v *decode.Value) Truth {
	l := a.leaf
	if v.State == decode.Absent || v.Type == nil {
		return False
	}
	if l.isNull() {
		if v.Type.Dir == 0 && v.Type.Kind != syscalls.KindPtr {
			return False
		}
		null := v.State == decode.Null || v.Type.Dir == 0 && v.Num == 0
		return truth(null != l.neg)
	}
	category, _ := categoryOf(v.Type)
	plain := category == catNumber && v.Type.Dir == 0
	if v.State != decode.Known && !plain {
		if v.State == decode.Address && v.Type.Dir&syscalls.Out != 0 {
			return st.pending()
		}
		return False
	}
	switch category {
	case catNumber:
		return a.number(layoutOf(v.Type, a.abi), v.Num)
	case catText:
		text, ok := st.text(v)
		return truth(ok && l.text(text) != l.neg)
	case catBits:
		return a.has(v.Bytes, v.Type.Kind == syscalls.KindSigset)
	}
	return False
}

// number decides the leaf for a number.
func (a *argument) number(lay layout, n uint64) Truth {
	c := a.conds[lay]
	if c == nil {
		plain := lay
		if a.leaf.mod != 0 {
			plain |= 3 // a remainder is as wide as its divisor
		}
		c = a.leaf.number(0, plain&^swappedLayout, a.bits, a.names)
		a.conds[lay] = c
	}
	if lay.swapped() {
		if n = uint64(bits.ReverseBytes16(uint16(n))); lay&3 == 2 {
			n = uint64(bits.ReverseBytes32(uint32(n)))
		}
	}
	if m := a.leaf.mod; m != 0 {
		if lay.signed() {
			n = remainder(signed(n, lay), m)
		} else {
			n = n & lay.mask() % m
		}
	}
	return truth(c.value(n))
}

// signed extends the sign of a number.
func signed(n uint64, lay layout) uint64 {
	shift := 64 - 8<<(lay&3)
	return uint64(int64(n<<shift) >> shift)
}

// has decides the leaf for a set of numbers in memory; those of signals begin at 1.
func (a *argument) has(set []byte, signals bool) Truth {
	for i := range a.leaf.values[0].terms {
		t := &a.leaf.values[0].terms[i]
		n := t.n
		if t.name != "" {
			c, ok := a.names(t.name)
			if !ok {
				return False
			}
			n = c.n
		}
		bit := n.mag
		if signals {
			bit--
		}
		in := !n.neg && bit>>3 < uint64(len(set)) && set[bit>>3]>>(bit&7)&1 != 0
		if in == (a.leaf.op == opHasAny) { // that decides
			return truth(in != a.leaf.neg)
		}
	}
	return truth((a.leaf.op == opHasAll) != a.leaf.neg)
}

// Limits of what is read of the program's memory beyond what has been decoded.
const (
	maxString = 1 << 16
	maxBuffer = 1 << 20

	maxStrings = 1 << 12 // of a vector
)

// text is the text of a value: whole, although decoding may have cut it short.
func (st *state) text(v *decode.Value) (text []byte, ok bool) {
	switch v.Type.Kind {
	case syscalls.KindIPv4, syscalls.KindIPv6:
		addr, ok := netip.AddrFromSlice(v.Bytes)
		if !ok {
			return nil, false
		}
		st.buf = addr.AppendTo(st.buf[:0])
		return st.buf, true
	case syscalls.KindMAC:
		st.buf = st.buf[:0]
		for i, c := range v.Bytes {
			if i > 0 {
				st.buf = append(st.buf, ':')
			}
			st.buf = append(st.buf, "0123456789abcdef"[c>>4], "0123456789abcdef"[c&15])
		}
		return st.buf, true
	case syscalls.KindSunPath:
		if len(v.Bytes) > 0 && v.Bytes[0] == 0 { // abstract: shown with an @
			st.buf = append(append(st.buf[:0], '@'), v.Bytes[1:]...)
			return st.buf, true
		}
	}
	if !v.More || st.Memory == nil || v.Type.Dir == 0 || v.Addr == 0 {
		return v.Bytes, true
	}
	if v.Type.Kind == syscalls.KindBytes {
		n := min(v.Size, maxBuffer)
		if cap(st.buf) < n {
			st.buf = make([]byte, n)
		}
		st.buf = st.buf[:n]
		st.buf = st.buf[:st.Memory.Read(v.Addr, st.buf)]
		return st.buf, true
	}
	return st.stringAt(v.Addr), true
}

// stringAt reads a string up to its NUL, page by page.
func (st *state) stringAt(addr uint64) []byte {
	const page = 4096
	st.buf = st.buf[:0]
	for len(st.buf) < maxString {
		at := addr + uint64(len(st.buf))
		n := int(page - at%page)
		old := len(st.buf)
		if cap(st.buf) < old+n {
			grown := make([]byte, old, max(2*cap(st.buf), old+n))
			copy(grown, st.buf)
			st.buf = grown
		}
		got := st.Memory.Read(at, st.buf[old:old+n])
		st.buf = st.buf[:old+got]
		if i := bytes.IndexByte(st.buf[old:], 0); i >= 0 {
			return st.buf[:old+i]
		}
		if got < n {
			break
		}
	}
	return st.buf
}
