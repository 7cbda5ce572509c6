package decode

import "farcall/syscalls"

// prefetch reads in one go what the arguments from to upTo point to.
func (c *Call) prefetch(from, upTo int) {
	n, total := 0, 0
	var sizes [8]int
	for i := from; i < upTo; i++ {
		a := &c.Desc.Args[i]
		if a.Type.Dir == 0 || a.Type.Dir == syscalls.Out && !c.Done || a.Type.Dir&syscalls.Out != 0 && c.Failed ||
			c.pre[i] != nil && c.Done && a.Type.Dir == syscalls.In {
			continue
		}
		addr := c.arg(i)
		if addr == 0 {
			continue
		}
		size := c.ahead(a.Type, addr)
		if size <= 0 {
			continue
		}
		c.ranges[n].Addr = addr
		sizes[n] = size
		n++
		total += size
	}
	if n < 2 && (n == 0 || total > 1024) { // one read is read when it is needed
		return
	}
	b := c.alloc(total)
	for i := range n {
		c.ranges[i].Buf, b = b[:sizes[i]:sizes[i]], b[sizes[i]:]
		c.ranges[i].N = 0
	}
	if n == 1 {
		c.ranges[0].N = c.mem.Read(c.ranges[0].Addr, c.ranges[0].Buf)
	} else {
		c.mem.ReadV(c.ranges[:n])
	}
	for i := range n {
		c.cache[i] = cached{c.ranges[i].Addr, c.ranges[i].Buf[:c.ranges[i].N]}
	}
	c.cached = n
}

// ahead is how many bytes of a pointee are worth reading before it is decoded, 0 if
// that depends on memory which is not read yet.
func (c *Call) ahead(t *syscalls.Type, addr uint64) int {
	page := int(pageSize - addr%pageSize)
	switch t.Kind {
	case syscalls.KindPath:
		return min(page, 128)
	case syscalls.KindString:
		return min(page, c.limit()+1)
	case syscalls.KindStrings, syscalls.KindEnv, syscalls.KindUnion, syscalls.KindFDSet, syscalls.KindRecords:
		return 0
	}
	if t.Len != nil && derefs(t.Len) || t.RetLen != nil && derefs(t.RetLen) {
		return 0
	}
	switch t.Kind {
	case syscalls.KindBytes:
		return min(c.length(t, maxBuffer), c.limit())
	case syscalls.KindBitset:
		return min(c.length(t, pageSize), 128)
	case syscalls.KindSigset:
		return min(c.length(t, 128), 8)
	case syscalls.KindArray:
		show, _ := c.elems(uint64(c.length(t, maxElems)))
		return min(show*t.Elem.Size(c.layout), pageSize)
	case syscalls.KindStruct:
		if t.Len != nil {
			return c.length(t, pageSize)
		}
		return int(t.Struct.Size[c.layout])
	case syscalls.KindChars:
		return c.length(t, pageSize)
	}
	return t.Extent(c.layout)
}

func derefs(e *syscalls.Expr) bool {
	return e != nil && (e.Op == syscalls.OpDeref || derefs(e.L) || derefs(e.R))
}
