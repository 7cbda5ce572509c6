package filter

import (
	"farcall/syscalls"
	"farcall/syscalls/linux"
)

// A Table says which calls a condition is about, and how they are described. Its zero value stands for all calls with
// farcall's own descriptions.
type Table struct {
	Calls    *CallSet                                       // nil: all
	Describe func(a syscalls.ABI, nr uint64) *syscalls.Call // nil: linux.Describe
}

func (t *Table) describe(a syscalls.ABI, nr uint64) *syscalls.Call {
	if t.Describe != nil {
		return t.Describe(a, nr)
	}
	return linux.Describe(a, nr)
}

func (t *Table) has(a syscalls.ABI, nr uint64) bool { return t.Calls == nil || t.Calls.Has(a, nr) }

// A place is what a subject leads to in one description: a type, and how far away it is.
type place struct {
	t       *syscalls.Type
	arg     int    // the argument that leads there
	inside  bool   // behind the argument's pointer or within it, not the argument itself
	late    bool   // known only after the call
	meaning string // "path" or "peer" of a descriptor
}

// maxWalk bounds the unions within unions that a step is looked for in.
const maxWalk = 16

// places appends what a subject leads to in a description: nothing if the call has no such thing, several if that
// depends on the arguments.
func (s *subject) places(dst []place, d *syscalls.Call) []place {
	arg, steps := s.argument(d)
	if arg < 0 {
		return dst
	}
	a := &d.Args[arg]
	p := place{t: a.Type, arg: arg, late: a.Type.Dir&syscalls.Out != 0 || a.Type.Dir != 0 && a.Attr&syscalls.AttrExit != 0}
	return p.walk(dst, steps, 0)
}

// argument is the index of the argument that the subject begins with, -1 if there is none, and the steps from there.
func (s *subject) argument(d *syscalls.Call) (int, []step) {
	if s.field.kind == fieldFD {
		for i := range d.Args {
			if k := d.Args[i].Type.Kind; d.Args[i].Type.Dir == 0 && (k == syscalls.KindFD || k == syscalls.KindDirFD) {
				return i, s.steps
			}
		}
		return -1, nil
	}
	for i := range d.Args {
		if d.Args[i].Name == s.steps[0].name {
			return i, s.steps[1:]
		}
	}
	return -1, nil
}

func (p place) walk(dst []place, steps []step, depth int) []place {
	if depth > maxWalk {
		return dst
	}
	t := p.t
	if t.Kind == syscalls.KindUnion && (len(steps) > 0 || t.Dir == 0 || scalarUnion(t)) {
		for _, alt := range alternatives(t) {
			q := p
			if q.t = alt; t.Dir != 0 && alt.Dir == 0 {
				through := *alt
				through.Dir = t.Dir
				q.t = &through
			}
			dst = q.walk(dst, steps, depth+1)
		}
		return dst
	}
	if len(steps) == 0 {
		return append(dst, p)
	}
	st := &steps[0]
	p.inside = true
	switch {
	case st.name == "":
		e := elementOf(t)
		if e == nil {
			return dst
		}
		p.t = e
		p.late = p.late || e.Dir&syscalls.Out != 0
		return p.walk(dst, steps[1:], depth+1)
	case t.Kind == syscalls.KindStruct:
		return p.member(dst, t.Struct, steps, depth)
	case (t.Kind == syscalls.KindFD || t.Kind == syscalls.KindDirFD) && len(steps) == 1 && (st.name == "path" || st.name == "peer"):
		p.meaning = st.name
		return append(dst, p)
	}
	return dst
}

// member goes on at the members with the name of the first step.
func (p place) member(dst []place, s *syscalls.Struct, steps []step, depth int) []place {
	for i := range s.Fields {
		f := &s.Fields[i]
		q := p
		q.t = f.Type
		q.late = p.late || f.Type.Dir&syscalls.Out != 0
		switch {
		case f.Type.Kind == syscalls.KindPad:
		case f.Name == steps[0].name:
			dst = q.walk(dst, steps[1:], depth+1)
		case f.Attr&syscalls.AttrFlat != 0:
			dst = q.walk(dst, steps, depth+1)
		}
	}
	return dst
}

func alternatives(t *syscalls.Type) []*syscalls.Type {
	var out []*syscalls.Type
	for i := range t.Union.Alts {
		out = append(out, t.Union.Alts[i].Type)
	}
	if t.Union.Else != nil {
		out = append(out, t.Union.Else)
	}
	return out
}

// scalarUnion tells whether all alternatives of a union are numbers or text, so that the union as a whole can be compared.
func scalarUnion(t *syscalls.Type) bool {
	for _, alt := range alternatives(t) {
		if c, _ := categoryOf(alt); c == catComposite {
			return false
		}
	}
	return true
}

// elementOf is the type of the elements of an array or a list, nil of anything else.
func elementOf(t *syscalls.Type) *syscalls.Type {
	switch t.Kind {
	case syscalls.KindArray, syscalls.KindList, syscalls.KindRecords:
		return t.Elem
	case syscalls.KindStrings, syscalls.KindEnv:
		return &textType
	}
	return nil
}

var textType = syscalls.Type{Kind: syscalls.KindString, Dir: syscalls.In}

// kindCategories are the categories of kinds that are no numbers.
var kindCategories = [256]category{
	syscalls.KindString: catText, syscalls.KindPath: catText, syscalls.KindBytes: catText, syscalls.KindChars: catText,
	syscalls.KindSunPath: catText, syscalls.KindIPv4: catText, syscalls.KindIPv6: catText, syscalls.KindMAC: catText,
	syscalls.KindSigset: catBits, syscalls.KindBitset: catBits,
	syscalls.KindStruct: catComposite, syscalls.KindUnion: catComposite, syscalls.KindArray: catComposite,
	syscalls.KindList: catComposite, syscalls.KindRecords: catComposite, syscalls.KindStrings: catComposite,
	syscalls.KindEnv: catComposite, syscalls.KindFDSet: catComposite, syscalls.KindPad: catComposite,
}

// categoryOf is the category of the values of a type, and whether they stand behind a pointer, which may be NULL.
func categoryOf(t *syscalls.Type) (c category, pointer bool) {
	return kindCategories[t.Kind], t.Dir != 0 || t.Kind == syscalls.KindPtr
}

// A layout is how a number is kept: its width and its sign, and whether its bytes are in network order.
type layout uint8

// The bits of a layout: two of width, as its logarithm, one of sign, one of order.
const (
	signedLayout  layout = 4
	swappedLayout layout = 8
	numLayouts           = 16

	wide = 3 | signedLayout // what is no argument
)

func layoutOf(t *syscalls.Type, a syscalls.ABI) layout {
	l := layout(3)
	switch n := t.Extent(a.Layout()); {
	case n == 1:
		l = 0
	case n == 2:
		l = 1
	case n == 4, t.Kind == syscalls.KindConst: // see syscalls.Call.Match
		l = 2
	}
	if t.Format == syscalls.FormatDecimal || t.Format == syscalls.FormatComment {
		return 2 | signedLayout // decode makes an int of them
	}
	switch t.Kind {
	case syscalls.KindInt, syscalls.KindFD, syscalls.KindDirFD, syscalls.KindPID, syscalls.KindSignal, syscalls.KindErrno,
		syscalls.KindTime, syscalls.KindDate:
		l |= signedLayout
	case syscalls.KindPort:
		l |= swappedLayout
	}
	return l
}

func (l layout) mask() uint64  { return ^uint64(0) >> (64 - 8<<(l&3)) }
func (l layout) signed() bool  { return l&signedLayout != 0 }
func (l layout) swapped() bool { return l&swappedLayout != 0 }
