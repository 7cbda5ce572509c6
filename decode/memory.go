package decode

// Memory is the memory of the program whose call is decoded: a live process, a recording or
// a remote peer.
type Memory interface {
	// Read reads up to len(b) bytes at addr. It returns how many it got: fewer than asked
	// when the memory behind them is not readable.
	Read(addr uint64, b []byte) int
	// ReadV reads several ranges at once and sets the N of each.
	ReadV(ranges []Range)
}

// A Range is one piece of a vectored read.
type Range struct {
	Addr uint64
	Buf  []byte
	N    int // how many bytes of Buf were read
}

const pageSize = 4096 // no smaller on any ABI that farcall decodes

// A cached piece is memory that was read ahead for the stage being decoded.
type cached struct {
	addr uint64
	data []byte
}

// read returns n bytes at addr, or as many as are readable. The bytes stay valid until the
// next Enter.
func (c *Call) read(addr uint64, n int) []byte {
	if n <= 0 {
		return nil
	}
	for i := range c.cache[:c.cached] {
		p := &c.cache[i]
		if off := addr - p.addr; off < uint64(len(p.data)) && uint64(len(p.data))-off >= uint64(n) {
			return p.data[off : off+uint64(n)]
		}
	}
	b := c.alloc(n)
	return b[:c.mem.Read(addr, b)]
}

// readString returns the bytes at addr up to the first NUL, at most limit, and whether the NUL
// was found. It never asks for bytes of a page that it has no reason to touch. ok is false
// when the memory is not readable.
func (c *Call) readString(addr uint64, limit int) (s []byte, nul, ok bool) {
	for i := range c.cache[:c.cached] {
		p := &c.cache[i]
		if off := addr - p.addr; off < uint64(len(p.data)) {
			s = p.data[off:]
			break
		}
	}
	if n := indexNUL(s, limit); n >= 0 {
		return s[:n], true, true
	}
	s = s[:min(len(s), limit)]
	if len(s) > 0 {
		s = append(c.alloc(len(s))[:0], s...)
	}
	for len(s) < limit {
		at := addr + uint64(len(s))
		n := int(pageSize - at%pageSize)
		n = min(n, limit-len(s))
		b := c.alloc(n)
		b = b[:c.mem.Read(at, b)]
		if len(b) == 0 {
			return s, false, false
		}
		if z := indexNUL(b, len(b)); z >= 0 {
			if len(s) == 0 {
				return b[:z], true, true
			}
			return append(s, b[:z]...), true, true
		}
		if len(s) == 0 {
			s = b
		} else {
			s = append(s, b...)
		}
	}
	return s, false, true
}

func indexNUL(b []byte, limit int) int {
	for i := 0; i < len(b) && i < limit; i++ {
		if b[i] == 0 {
			return i
		}
	}
	return -1
}

// alloc returns n bytes that stay valid until the next Enter.
func (c *Call) alloc(n int) []byte {
	if len(c.bytes)+n > cap(c.bytes) {
		c.bytes = make([]byte, 0, max(2*cap(c.bytes), n, 4096))
	}
	b := c.bytes[len(c.bytes) : len(c.bytes)+n : len(c.bytes)+n]
	c.bytes = c.bytes[:len(c.bytes)+n]
	return b
}

// values returns n zero Values that stay valid until the next Enter.
func (c *Call) values(n int) []Value {
	if len(c.vals)+n > cap(c.vals) {
		c.vals = make([]Value, 0, max(2*cap(c.vals), n, 32))
	}
	v := c.vals[len(c.vals) : len(c.vals)+n : len(c.vals)+n]
	c.vals = c.vals[:len(c.vals)+n]
	clear(v)
	c.spare -= n
	return v
}

// reset forgets the last call, and the room that an unusually large one took.
func (c *Call) reset() {
	c.vals, c.bytes, c.types = c.vals[:0], c.bytes[:0], c.types[:0]
	if cap(c.vals) > 1<<12 {
		c.vals = nil
	}
	if cap(c.bytes) > 1<<18 {
		c.bytes = nil
	}
}
