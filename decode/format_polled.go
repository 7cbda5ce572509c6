package decode

import "farcall/syscalls"

var fdType = syscalls.Type{Kind: syscalls.KindFD, Width: 4}

// maxFDs is the number of descriptors of which a set of select(2) is shown: more cannot be open
// at a time by default (fs.nr_open, proc_sys_fs(5)).
const maxFDs = 1 << 20

// fdset decodes the descriptors in a set of select(2), which the kernel handles in longs.
func (c *Call) fdset(v *Value) {
	n := int32(v.Type.Len.Eval(&c.frames[c.depth]))
	if n < 0 || n > maxFDs || c.opts.Shallow {
		v.State = Address
		return
	}
	word := c.ABI.WordSize()
	size := (int(n) + 8*word - 1) / (8 * word) * word
	c.region(v.Type, v.Addr, size)
	b := c.read(v.Addr, size)
	if len(b) < size {
		v.State = Address
		return
	}
	count := 0
	for i := range int(n) {
		count += int(b[i/8] >> (i % 8) & 1)
	}
	v.Sub, v.Size = c.values(count), count
	at := 0
	for i := range int(n) {
		if b[i/8]>>(i%8)&1 != 0 {
			s := &v.Sub[at]
			s.Type, s.Num = &fdType, uint64(i)
			c.resolve(s)
			at++
		}
	}
}

var setNames = [...]string{"in", "out", "except"}

// formatPolled collects what a call of the poll and select families found: the descriptors
// that are ready, and the time that was left.
func formatPolled(c *Call, v *Value) {
	v.Num = uint64(c.Ret)
	if c.Ret == 0 {
		return
	}
	if c.opts.Shallow { // strace shows what select found even then
		if c.Desc.Args[0].Type.Kind == syscalls.KindArray {
			v.State = Absent
			return
		}
		c.opts.Shallow = false
		defer func() { c.opts.Shallow = true }()
	}
	parts := c.values(5)
	n := 0
	timeout := -1
	for i := range c.Desc.Args {
		a := &c.Desc.Args[i]
		switch {
		case a.Type.Dir != syscalls.InOut || c.arg(i) == 0:
		case a.Type.Kind == syscalls.KindFDSet && n < 3:
			p := &parts[n]
			p.Name, p.Type = setNames[i-1], a.Type
			c.value(p, c.arg(i), nil)
			if len(p.Sub) == 0 {
				*p = Value{}
				break
			}
			for k := range p.Sub {
				p.Sub[k].Bytes = nil // what they are stands with the argument
			}
			n++
		case a.Type.Kind == syscalls.KindArray:
			c.ready(&parts[n], a.Type, i)
			n++
		case a.Type.Kind == syscalls.KindStruct:
			timeout = i
		}
	}
	if timeout >= 0 {
		p := &parts[n]
		p.Name, p.Type = "left", c.Desc.Args[timeout].Type
		c.value(p, c.arg(timeout), nil)
		if p.State == Known {
			n++
		}
	}
	v.Sub = parts[:n]
	if c.Desc.Args[0].Attr&syscalls.AttrFlat != 0 { // arguments in memory, whose sets are not read again
		v.State = Absent
	}
}

// ready lists the descriptors of a pollfd array that have something to report.
func (c *Call) ready(v *Value, t *syscalls.Type, arg int) {
	st := t.Elem.Struct
	v.Name, v.Type, v.Attr, v.Addr = st.Name, t, syscalls.AttrPlain, c.arg(arg)
	size := int(st.Size[c.layout])
	all := c.length(t, maxElems)
	b := c.read(v.Addr, all*size)
	if len(b) < all*size {
		v.State = Address
		return
	}
	limit, _ := c.elems(maxElems)
	fd, revents := &st.Fields[0], &st.Fields[2]
	count := 0
	for i := range all {
		if load(b[i*size+int(revents.Off[c.layout]):], 2) != 0 {
			count++
		}
	}
	v.Sub, v.Size, v.More = c.values(min(count, limit)), count, count > limit
	at := 0
	for i := 0; i < all && at < len(v.Sub); i++ {
		e := b[i*size : (i+1)*size]
		bits := load(e[revents.Off[c.layout]:], 2)
		if bits == 0 {
			continue
		}
		s := &v.Sub[at]
		at++
		s.Type = t.Elem
		s.Sub = c.values(2)
		s.Sub[0] = Value{Name: fd.Name, Type: fd.Type, Num: load(e, 4)}
		s.Sub[1] = Value{Name: revents.Name, Type: revents.Type, Num: bits}
	}
}
