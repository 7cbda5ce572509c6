package decode

import (
	"encoding/binary"

	"farcall/syscalls"
)

// A frame is the structure being read: the scope of the expressions in its description.
type frame struct {
	call   *Call
	st     *syscalls.Struct
	buf    []byte
	params []*syscalls.Expr
	up     *frame
	was    *Value // the structure before the call, nil if it was not read then
}

func (f *frame) Arg(i int) uint64 { return f.call.arg(i) }

func (f *frame) Ret() uint64 { return f.call.ret() }

func (f *frame) Err() uint64 {
	if !f.call.Failed {
		return 0
	}
	return uint64(-f.call.Ret)
}

func (f *frame) Deref(i int) uint64 {
	c := f.call
	if i < len(c.pre) && c.pre[i] != nil && (!c.Done || c.before) && c.pre[i].Type.Kind != syscalls.KindStruct {
		return c.pre[i].Num
	}
	a := c.Desc.Args[i]
	addr := c.arg(i)
	if addr == 0 {
		return 0
	}
	n := a.Type.Extent(c.layout)
	if a.Type.Kind == syscalls.KindStruct { // its first bytes
		n = min(n, 8)
	}
	b := c.read(addr, n)
	if len(b) < n {
		return 0
	}
	return load(b, n)
}

func (f *frame) Field(i int) uint64 {
	if f.st == nil || i >= len(f.st.Fields) {
		return 0
	}
	m := &f.st.Fields[i]
	off, n := int(m.Off[f.call.layout]), m.Type.Size(f.call.layout)
	if off+n > len(f.buf) {
		return 0
	}
	if f.call.before && f.was != nil {
		if w := Member(f.was.Sub, m.Name); w != nil {
			return w.Num
		}
	}
	n = min(n, 8) // of a longer member the first bytes
	if m.Bits[1] != 0 {
		return load(f.buf[off:], n) >> m.Bits[0] & (1<<m.Bits[1] - 1)
	}
	if m.Type.Kind == syscalls.KindInt || m.Type.Kind == syscalls.KindFD {
		return uint64(signExtend(load(f.buf[off:], n), m.Type, f.call.layout))
	}
	return load(f.buf[off:], n)
}

func (f *frame) Netlink(fd int32) uint64 {
	if n := f.call.opts.Net; n != nil {
		return uint64(n.Netlink(fd) + 1)
	}
	return 0
}

func (f *frame) Param(i int) uint64 {
	if i >= len(f.params) || f.up == nil {
		return 0
	}
	return f.params[i].Eval(f.up)
}

func load(b []byte, width int) uint64 {
	switch width {
	case 1:
		return uint64(b[0])
	case 2:
		return uint64(binary.LittleEndian.Uint16(b))
	case 4:
		return uint64(binary.LittleEndian.Uint32(b))
	case 8:
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}
