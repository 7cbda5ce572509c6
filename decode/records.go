package decode

import (
	"strconv"

	"farcall/syscalls"
)

// records decodes structures of varying size, such as the entries of a directory, each of which
// has its length in the member d_reclen (linux_dirent64 and linux_dirent, fs/readdir.c). Unless
// everything is asked for, they are only counted.
func (c *Call) records(v *Value) {
	t := v.Type
	st := t.Elem.Struct
	n := c.length(t, maxBuffer)
	c.region(t, v.Addr, n)
	if !c.Done {
		v.State = Address
		return
	}
	b := c.read(v.Addr, n)
	if len(b) < n {
		v.State = Address
		return
	}
	reclen := member(st, "d_reclen")
	count := 0
	walk := func(visit func([]byte)) {
		for b := b; len(b) >= int(reclen.Off[c.layout])+2; {
			l := int(load(b[reclen.Off[c.layout]:], 2))
			if l < int(st.Size[c.layout]) || l > len(b) {
				return
			}
			visit(b[:l])
			b = b[l:]
		}
	}
	walk(func([]byte) { count++ })
	v.Size = count
	if !c.opts.Verbose {
		v.State = Address
		note := c.alloc(24)[:0]
		v.Note = append(strconv.AppendInt(note, int64(count), 10), " entries"...)
		return
	}
	v.Sub = c.values(count)
	i := 0
	walk(func(e []byte) {
		c.dirent(&v.Sub[i], t.Elem, e)
		i++
	})
}

// dirent decodes one entry. The type of a linux_dirent stands in its last byte.
func (c *Call) dirent(v *Value, t *syscalls.Type, e []byte) {
	v.Type = t
	st := t.Struct
	v.Sub = c.values(len(st.Fields))
	for i := range st.Fields {
		f, s := &st.Fields[i], &v.Sub[i]
		s.Name, s.Type, s.Attr = f.Name, f.Type, f.Attr
		off := int(f.Off[c.layout])
		switch {
		case f.Type.Kind == syscalls.KindChars:
			s.Bytes = e[off:]
			if n := indexNUL(s.Bytes, len(s.Bytes)); n >= 0 {
				s.Bytes = s.Bytes[:n]
			}
		case i == len(st.Fields)-1:
			s.Num = uint64(e[len(e)-1])
		default:
			s.Num = load(e[off:], f.Type.Size(c.layout))
		}
	}
}

func member(st *syscalls.Struct, name string) *syscalls.Field {
	for i := range st.Fields {
		if st.Fields[i].Name == name {
			return &st.Fields[i]
		}
	}
	return nil
}
