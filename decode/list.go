package decode

import "farcall/syscalls"

// A list is a sequence of structures of varying size, such as control messages, netlink messages
// and their attributes: the first member of each says how long it is, and the next begins at the
// next multiple of the alignment.

const maxList = 1 << 16 // bytes of a list that are decoded

// list decodes the elements of a list, inline or behind v.Addr.
func (c *Call) list(v *Value, inline []byte) {
	t := v.Type
	st := t.Elem.Struct
	b, base := inline, c.slot
	if t.Dir != 0 {
		n := c.length(t, maxBuffer)
		if c.budget >= 0 {
			n = min(n, c.budget)
			c.budget -= n
		}
		c.region(t, v.Addr, n)
		n, base = min(n, maxList), v.Addr
		if b = c.read(v.Addr, n); len(b) < n {
			v.State = Address
			return
		}
	}
	align := 4
	if len(t.Params) > 0 {
		align = max(1, int(t.Params[0].Eval(&c.frames[c.depth])))
	} else if w := c.ABI.WordSize(); st.Fields[0].Type.Size(c.layout) == w {
		align = w
	}
	v.Size = len(b)
	count := 0
	c.elements(b, align, st, func(int, []byte) { count++ })
	show, more := c.elems(uint64(count))
	v.Sub, v.More = c.values(show), more
	i := 0
	c.elements(b, align, st, func(off int, e []byte) {
		if i < show {
			v.Sub[i].Type = t.Elem
			c.slot = base + uint64(off)
			c.value(&v.Sub[i], 0, e)
			i++
		}
	})
}

// elements cuts a list into its elements. One that is longer than what is left is cut short; one
// that is shorter than its fixed part ends the list.
func (c *Call) elements(b []byte, align int, st *syscalls.Struct, visit func(off int, e []byte)) {
	first := st.Fields[0].Type
	for first.Kind == syscalls.KindStruct {
		first = first.Struct.Fields[0].Type
	}
	w := first.Size(c.layout)
	head := headSize(st, c.layout)
	for off := 0; len(b) >= head && len(b) >= w; {
		n := int(min(load(b, w), maxList))
		e := min(max(n, head), len(b))
		visit(off, b[:e:e])
		next := (n + align - 1) / align * align
		if n < head || next >= len(b) {
			return
		}
		b = b[next:]
		off += next
	}
}

// headSize is the size of a structure without the member of variable length at its end.
func headSize(st *syscalls.Struct, layout int) int {
	last := &st.Fields[len(st.Fields)-1]
	if open(last.Type) {
		return int(last.Off[layout])
	}
	return int(st.Size[layout])
}

// open tells whether a member has no fixed size, so that a structure which ends with it has none.
func open(t *syscalls.Type) bool {
	if t.Dir != 0 {
		return false
	}
	switch t.Kind {
	case syscalls.KindUnion:
		for i := range t.Union.Alts {
			if open(t.Union.Alts[i].Type) {
				return true
			}
		}
		return t.Union.Else != nil && open(t.Union.Else)
	case syscalls.KindStruct:
		return len(t.Struct.Fields) > 0 && open(t.Struct.Fields[len(t.Struct.Fields)-1].Type)
	case syscalls.KindList:
		return true
	case syscalls.KindBytes, syscalls.KindArray, syscalls.KindSunPath, syscalls.KindChars, syscalls.KindMAC:
		return t.Len == nil || t.Len.Op != syscalls.OpNum
	}
	return false
}

// fits tells whether the alternative says itself that fewer bytes than its size are enough.
func fits(u *syscalls.Union, alt *syscalls.Type, have int) bool {
	for i := range u.Alts {
		if u.Alts[i].Type == alt && u.Alts[i].Min > 0 {
			return have >= int(u.Alts[i].Min)
		}
	}
	return open(alt)
}

// visible hides the members that mean nothing when the call failed, and tells whether any is left.
func visible(v *Value) bool {
	if v.Type.Kind != syscalls.KindStruct && v.Type.Kind != syscalls.KindArray {
		return true
	}
	some := false
	for i := range v.Sub {
		m := &v.Sub[i]
		if m.Attr&syscalls.AttrOK != 0 {
			m.Attr |= syscalls.AttrHidden
		} else if m.State != Known || visible(m) {
			some = true
		}
	}
	return some
}
