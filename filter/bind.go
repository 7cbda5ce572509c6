package filter

import (
	"slices"
	"strings"

	"farcall/syscalls"
	"farcall/syscalls/linux"
)

// A binder holds a condition against one description of a call: the call itself or one of its variants.
type binder struct {
	call    *syscalls.Call
	abi     syscalls.ABI
	family  *syscalls.Call // what the call is a variant of, or itself
	unnamed bool           // a number that no table has: its name is known only when it is met
	scratch []place
	symbols map[string]resolver // of the family, by subject
}

// A binding is what a leaf is for one description.
type binding struct {
	truth   Truth // True or False where the description decides; then nothing else counts
	cond    *Cond // what it asks of the registers, nil if that is not all of it
	missing bool  // there may be nothing to compare, although cond is not nil
	arg     int   // the argument that it begins with, -1 if none
	places  []place
	names   resolver
}

// leaf binds a leaf.
func (b *binder) leaf(l *leaf) binding {
	none := binding{truth: Unknown, arg: -1}
	switch l.field.kind {
	case fieldName:
		if b.unnamed && l.mayName() {
			return none
		}
		return decided(l.names(b.call.Name, b.class()) != l.neg)
	case fieldClass:
		return decided(l.classes(b.class()) != l.neg)
	case fieldABI:
		return decided(l.abis(b.abi) != l.neg)
	case fieldReg:
		t := l.field.ownType(b.abi)
		none.names = resolverOf(nil, b.abi)
		if l.mod == 0 {
			none.cond = l.number(l.reg, layoutOf(t, b.abi), false, none.names)
		}
		return none
	case fieldArgs, fieldFD:
		return b.argument(l)
	}
	if l.field.cat == catNumber || l.field.cat == catDuration {
		none.names = resolverOf([]*syscalls.Type{b.ownType(l.field)}, b.abi)
	}
	return none
}

// ownType is the type of a field that is no argument, in this call.
func (b *binder) ownType(f *field) *syscalls.Type {
	if f.kind == fieldRet && b.call.Ret != nil && b.call.Ret.Set != nil {
		return b.call.Ret
	}
	if f.kind == fieldRet && b.call.Aux != nil && b.call.Aux.Set != nil {
		return b.call.Aux
	}
	return f.ownType(b.abi)
}

func decided(truth bool) binding {
	if truth {
		return binding{truth: True}
	}
	return binding{truth: False}
}

func (b *binder) class() syscalls.Class { return b.call.Class }

// argument binds a leaf about an argument of the call.
func (b *binder) argument(l *leaf) binding {
	b.scratch = l.places(b.scratch[:0], b.call)
	if len(b.scratch) == 0 {
		return decided(false)
	}
	out := binding{truth: Unknown, places: slices.Clone(b.scratch), names: b.names(l)}
	out.arg = out.places[0].arg
	a := &b.call.Args[out.arg]
	out.missing = a.Cond != nil
	reg := a.Register(b.abi)
	if reg >= len([6]uint64{}) || out.places[0].inside || out.places[0].meaning != "" {
		return out
	}
	if l.isNull() {
		if _, pointer := categoryOf(a.Type); pointer {
			out.cond = l.number(reg, b.pointer(), false, out.names)
		}
		return out
	}
	lay, ok := b.inRegister(a.Type, l.op)
	if ok && l.mod == 0 {
		out.cond = l.number(reg, lay, a.Type.Kind == syscalls.KindBits, out.names)
	}
	return out
}

// isNull tells whether the leaf compares with NULL.
func (l *leaf) isNull() bool { return l.op == opEq && l.values[0].kind == valNull }

// pointer is the layout of pointers.
func (b *binder) pointer() layout {
	if b.abi.WordSize() == 4 {
		return 2
	}
	return 3
}

// inRegister tells how a number that an argument is stands in its register, and whether it stands there as it is.
func (b *binder) inRegister(t *syscalls.Type, o op) (layout, bool) {
	if t.Dir != 0 {
		return 0, false
	}
	if t.Kind == syscalls.KindUnion { // whichever alternative it is, they are numbers of one layout
		alts := alternatives(t)
		var lay layout
		for i, alt := range alts {
			l, ok := b.inRegister(alt, o)
			if !ok || alt.Kind == syscalls.KindUnion || i > 0 && l != lay {
				return 0, false
			}
			lay = l
		}
		return lay, len(alts) > 0 && t.Extent(b.abi.Layout()) == alts[0].Extent(b.abi.Layout())
	}
	if c, _ := categoryOf(t); c != catNumber {
		return 0, false
	}
	switch t.Format { // those that leave the number as it is
	case syscalls.FormatNone, syscalls.FormatClock, syscalls.FormatIoctl, syscalls.FormatDecimal, syscalls.FormatComment,
		syscalls.FormatWakeOp, syscalls.FormatIoprio:
	case syscalls.FormatClone: // it takes the signal out of the flags
		if o != opHasAll && o != opHasAny {
			return 0, false
		}
	default:
		return 0, false
	}
	w := t.Extent(b.abi.Layout())
	lay := layoutOf(t, b.abi)
	if w != 1 && w != 2 && w != 4 && w != 8 || w == 8 && b.abi == syscalls.I386 || lay.swapped() {
		return 0, false
	}
	return lay, true
}

// names finds the constants of a subject in all variants of the call: a variant alone knows only the value that chose it.
func (b *binder) names(l *leaf) resolver {
	key := string(l.subject.append(nil))
	if r, ok := b.symbols[key]; ok {
		return r
	}
	var types []*syscalls.Type
	add := func(c *syscalls.Call) {
		for _, p := range l.places(nil, c) {
			if !slices.Contains(types, p.t) {
				types = append(types, p.t)
			}
		}
	}
	add(b.family)
	for _, v := range b.family.Variants {
		add(v)
	}
	r := resolverOf(types, b.abi)
	if b.symbols == nil {
		b.symbols = map[string]resolver{}
	}
	b.symbols[key] = r
	return r
}

// names tells whether the name of a call is one of a leaf's.
func (l *leaf) names(name string, class syscalls.Class) bool {
	if l.op == opGlob || l.op == opMatches {
		return l.text([]byte(name))
	}
	for i := range l.values {
		switch v := &l.values[i]; v.kind {
		case valClass:
			c, _ := classOf(v.text)
			if c == everyCall || class&c != 0 {
				return true
			}
		case valString:
			if v.text == name {
				return true
			}
		case valNumber:
			if v.terms[0].name == name {
				return true
			}
		}
	}
	return false
}

// mayName tells whether a leaf can mean a number without a call, whose name is made of the number.
func (l *leaf) mayName() bool {
	return l.op == opGlob || l.op == opMatches || slices.ContainsFunc(l.values, func(v value) bool {
		return v.kind == valString && strings.HasPrefix(v.text, "syscall_")
	})
}

// classes tells whether a call of these classes has one of a leaf's.
func (l *leaf) classes(class syscalls.Class) bool {
	for i := range l.values {
		if c, ok := classNamed(&l.values[i]); ok && (c == everyCall || class&c != 0) {
			return true
		}
	}
	return false
}

// classNamed is the class that a constant means: %file, file or "file".
func classNamed(v *value) (syscalls.Class, bool) {
	name := v.text
	switch v.kind {
	case valNumber:
		name = "%" + v.terms[0].name
	case valString:
		name = "%" + name
	}
	return classOf(name)
}

// abis tells whether the ABI is one of a leaf's.
func (l *leaf) abis(a syscalls.ABI) bool {
	for i := range l.values {
		v := &l.values[i]
		if v.kind == valString && v.text == a.String() || v.kind == valNumber && v.terms[0].name == a.String() {
			return true
		}
	}
	return false
}

// bind makes the binder of a call and of each of its variants: that of the call itself first.
func bind(call *syscalls.Call, a syscalls.ABI) []*binder {
	first := &binder{call: call, abi: a, family: call, symbols: map[string]resolver{}}
	out := []*binder{first}
	for _, v := range call.Variants {
		out = append(out, &binder{call: v, abi: a, family: call, symbols: first.symbols})
	}
	return out
}

// multiplexed yields the descriptions of the calls that a call of i386 stands for.
func multiplexed(a syscalls.ABI, call *syscalls.Call) []*syscalls.Call {
	if !linux.Multiplexes(a, call.Name) {
		return nil
	}
	var out []*syscalls.Call
	for name, sub := range linux.Multiplexed {
		if name != call.Name {
			continue
		}
		if d := linux.Subcall(sub); d != nil {
			out = append(out, d)
		}
	}
	return out
}
