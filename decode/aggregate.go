package decode

import "farcall/syscalls"

// structure decodes the members that lie within b.
func (c *Call) structure(v *Value, b []byte) {
	st := v.Type.Struct
	if c.depth+1 >= len(c.frames) {
		v.State = Address
		c.gaveUp(v.Type, c.slot, c.slot)
		return
	}
	base := c.slot
	up := &c.frames[c.depth]
	c.depth++
	c.frames[c.depth] = frame{call: c, st: st, buf: b, params: v.Type.Params, up: up, was: c.was}
	c.was = nil
	defer func() { c.depth-- }()
	f := &c.frames[c.depth]
	v.Sub = c.values(len(st.Fields))
	n := 0
	members := len(st.Fields)
	if st.Show != nil {
		members = len(st.Show)
	}
	for i := range members {
		if st.Show != nil {
			i = int(st.Show[i])
		}
		m := &st.Fields[i]
		if m.Type.Kind == syscalls.KindPad {
			continue
		}
		off, size := int(m.Off[c.layout]), m.Type.Size(c.layout)
		if size == 0 && m.Type.Dir == 0 { // of variable length, at the end
			size = max(0, min(c.inlineLen(m.Type), len(b)-off))
			if size == 0 && m.Type.Kind != syscalls.KindArray {
				continue
			}
		} else if i == len(st.Fields)-1 && m.Type.Dir == 0 && (m.Type.Kind == syscalls.KindUnion || m.Type.Kind == syscalls.KindStruct && open(m.Type)) {
			size = min(size, len(b)-off) // whether that is enough depends on the alternative
			if size <= 0 {
				continue
			}
			if open(m.Type) {
				size = len(b) - off
			}
		}
		if off+size > len(b) || m.Cond != nil && m.Cond.Eval(f) == 0 {
			continue
		}
		s := &v.Sub[n]
		s.Name, s.Type, s.Attr = m.Name, m.Type, m.Attr
		var num uint64
		if size <= 8 {
			num = load(b[off:], size)
		}
		if m.Bits[1] != 0 {
			num = num >> m.Bits[0] & (1<<m.Bits[1] - 1)
		}
		if m.Attr&syscalls.AttrNonzero != 0 {
			zero := num == 0 && (m.Bits[1] != 0 || allZero(b[off:off+size]))
			switch {
			case m.Attr&syscalls.AttrVerbose != 0 && !zero: // both: with a value it is shown in any case
				s.Attr &^= syscalls.AttrVerbose
			case m.Attr&syscalls.AttrVerbose == 0 && zero:
				continue
			}
		}
		n++
		c.slot = base + uint64(off)
		if m.When != nil && c.guarded(s, m.When, num) {
			continue
		}
		if m.Attr&syscalls.AttrBrief != 0 && !c.opts.Verbose && c.visit == nil && num != 0 {
			s.State, s.Addr = Address, num
			continue
		}
		if f.was != nil {
			c.was = Member(f.was.Sub, m.Name)
		}
		c.value(s, num, b[off:off+size:off+size])
		c.was = nil
		if m.Attr&syscalls.AttrWas != 0 && f.was != nil {
			s.Pre = Member(f.was.Sub, m.Name)
		}
	}
	v.Sub = v.Sub[:n]
	if v.Type.Dir != 0 && len(b) > int(st.Size[c.layout]) && v.Type.Len != nil && !open(st.Fields[len(st.Fields)-1].Type) {
		v.Bytes = b[st.Size[c.layout]:] // newer than the description
	}
}

func (c *Call) inlineLen(t *syscalls.Type) int {
	n := c.length(t, maxBuffer)
	if t.Kind == syscalls.KindArray {
		n *= t.Elem.Size(c.layout)
	}
	if t.Kind == syscalls.KindUnion && t.Len == nil {
		return maxBuffer
	}
	return n
}

func allZero(b []byte) bool {
	for _, x := range b {
		if x != 0 {
			return false
		}
	}
	return true
}

// union decodes the alternative that the selector chooses in place of v.
func (c *Call) union(v *Value, n uint64, inline []byte) {
	t := v.Type
	have := len(inline)
	if t.Dir != 0 {
		have = c.length(t, maxBuffer)
	} else if inline == nil {
		have = 8
	}
	alt := t.Union.Pick(t.Sel.Eval(&c.frames[c.depth]), have, c.layout)
	if alt != nil && t.Dir == 0 && alt.Size(c.layout) > have && have < alt.Extent(c.layout) && !fits(t.Union, alt, have) {
		v.State = Absent
		return
	}
	if alt == nil {
		v.State = Address
		if t.Dir == 0 {
			v.Addr = n
		}
		return
	}
	if t.Dir == 0 {
		v.Type = alt
		size := alt.Size(c.layout)
		if inline != nil && size > 0 && size <= len(inline) && !open(alt) {
			inline = inline[:size:size]
			if size <= 8 {
				n = load(inline, size)
			}
		} else if inline == nil {
			n = truncate(n, size)
		}
		if v.Attr&syscalls.AttrFlat != 0 && alt.Kind != syscalls.KindStruct {
			v.Attr &^= syscalls.AttrFlat
		}
		c.value(v, n, inline)
		return
	}
	if len(c.types) == cap(c.types) {
		c.types = make([]syscalls.Type, 0, max(4, 2*cap(c.types)))
	}
	c.types = append(c.types, *alt)
	through := &c.types[len(c.types)-1] // a pointer to the alternative
	if through.Dir == 0 {
		through.Dir = t.Dir
	}
	if through.Len == nil {
		through.Len, through.RetLen = t.Len, t.RetLen
	}
	v.Type = through
	c.pointee(v)
	if v.Type.Kind == syscalls.KindStruct { // more bytes than an alternative has are not a newer version of it
		v.Bytes = nil
	}
}

// array decodes the elements of an array, inline or behind v.Addr.
func (c *Call) array(v *Value, inline []byte) {
	t := v.Type
	es := t.Elem.Size(c.layout)
	if es == 0 {
		v.State = Address
		return
	}
	n := uint64(c.length(t, maxElems))
	if t.Len == nil {
		n = uint64(len(inline) / es)
	}
	if len(t.Params) > 0 && c.Done {
		c.budget = int(min(t.Params[0].Eval(&c.frames[c.depth]), maxBuffer))
		defer func() { c.budget = -1 }()
	}
	v.Size = int(n)
	show, more := c.elems(n)
	b, base := inline, c.slot
	if inline == nil || t.Dir != 0 {
		c.region(t, v.Addr, v.Size*es)
		b, base = c.read(v.Addr, show*es), v.Addr
		if show > 0 && len(b) < es {
			v.State = Address
			return
		}
	}
	if len(b)/es < show {
		show = len(b) / es
		v.State = Known
		more = true
	}
	v.More = more
	if more { // what the other elements point to is not known
		c.gaveUp(t, c.slot, v.Addr)
	}
	v.Sub = c.values(show)
	was := c.was
	defer func() { c.was = nil }()
	for i := range v.Sub {
		s := &v.Sub[i]
		s.Type = t.Elem
		if c.was = nil; was != nil && i < len(was.Sub) {
			c.was = &was.Sub[i]
		}
		e := b[i*es : (i+1)*es : (i+1)*es]
		var num uint64
		if es <= 8 {
			num = load(e, es)
		}
		c.slot = base + uint64(i*es)
		c.value(s, num, e)
	}
}

// strings decodes a NULL-terminated vector of pointers to strings.
func (c *Call) strings(v *Value) {
	t := v.Type
	w := syscalls.ABI(c.ABI).WordSize()
	count := 0
	limit, _ := c.elems(maxElems)
	if t.Kind == syscalls.KindEnv && !c.opts.Verbose {
		limit = 0
	}
	elem := &stringType
	var ptrs []uint64
	at := v.Addr
	for count < maxElems {
		n := int(pageSize-at%pageSize) / w * w
		if n == 0 { // a pointer across two pages
			n = w
		}
		n = min(n, 64*w)
		b := c.read(at, n)
		if len(b) < w {
			if count == 0 {
				v.State = Address
				return
			}
			v.More = true
			break
		}
		end := false
		for i := 0; i+w <= len(b); i += w {
			p := load(b[i:], w)
			if p == 0 {
				end = true
				break
			}
			if count < limit {
				ptrs = append(ptrs, p)
			}
			count++
		}
		if end {
			break
		}
		at += uint64(len(b) / w * w)
	}
	c.region(t, v.Addr, (count+1)*w)
	v.Size = count
	v.More = v.More || count > len(ptrs)
	if v.More {
		c.gaveUp(t, c.slot, v.Addr)
	}
	v.Sub = c.values(len(ptrs))
	for i, p := range ptrs {
		v.Sub[i].Type = elem
		c.slot = v.Addr + uint64(i*w)
		c.value(&v.Sub[i], p, nil)
	}
}

var intPointer = syscalls.Type{Kind: syscalls.KindInt, Dir: syscalls.InOut, Width: 4}

var stringType = syscalls.Type{Kind: syscalls.KindString, Dir: syscalls.In}
