package wire

import (
	"encoding/binary"
	"errors"
	"slices"
	"syscall"

	"farcall/decode"
	"farcall/syscalls"
)

// align is the alignment in the arena of what pointers point to.
const align = 16

// ErrTooLarge is the error of a call that wants to transfer more than fits into a frame. The caller makes it smaller: reads and
// writes may be short.
var ErrTooLarge = errors.New("call transfers too much at once")

// A Marshaller turns a program's calls into wire form and writes back what came of them. The zero value is ready, and meant to be used
// again; what it returns is valid until then.
type Marshaller struct {
	call  decode.Call
	out   Call
	parts []part
	slots []uint64 // where the pointer to each part stands in the program
}

// A part is a region of the program's memory and its place in the arena.
type part struct {
	addr uint64
	off  uint32
	size uint32
	dir  syscalls.Dir
}

// MarshalInto is Marshal that has the call's data in buf if there is room for it.
func (m *Marshaller) MarshalInto(buf []byte, name string, regs [6]uint64, mem decode.Memory) (*Call, error) {
	m.out.Data = buf
	return m.Marshal(name, regs, mem)
}

// Marshal makes the wire form of a call that is given by its generic name, its registers, whose descriptors are handles and whose
// flags are generic already, and the memory that they point to.
//
// Errors: ErrNotCarried; ErrTooLarge; syscall.EFAULT if memory that the call reads is not there.
func (m *Marshaller) Marshal(name string, regs [6]uint64, mem decode.Memory) (*Call, error) {
	spec := ByName(name)
	if spec == nil {
		return nil, ErrNotCarried
	}
	m.call.Enter(spec.Desc, ABI, uint64(spec.Number), regs, mem, decode.Options{StringLimit: -1})
	if !spec.allows(m.call.Desc.Variant) {
		return nil, ErrNotCarried
	}
	c := &m.out
	c.Number, c.Regs = spec.Number, [6]uint64{}
	c.Data, c.Relocs = c.Data[:0], c.Relocs[:0]
	for i := range m.call.Desc.Args { // what the call does not take is none of the server's business
		if r := m.call.Desc.Args[i].Register(ABI); r < 6 {
			c.Regs[r] = regs[r]
		}
	}
	m.parts, m.slots = m.parts[:0], m.slots[:0]
	var nulls []uint64
	total := 0
	m.call.Pointers(func(r decode.Region) {
		if r.Len == 0 {
			nulls = append(nulls, r.Slot)
			return
		}
		total += r.Len + align
		m.parts = append(m.parts, part{addr: r.Addr, size: uint32(r.Len), dir: r.Dir})
		m.slots = append(m.slots, r.Slot)
	})
	if total > MaxRoom || len(m.parts) > maxRelocs {
		return nil, ErrTooLarge
	}
	for i := range m.parts {
		p := &m.parts[i]
		if p.dir&syscalls.In == 0 {
			continue
		}
		for len(c.Data)%align != 0 {
			c.Data = append(c.Data, 0)
		}
		p.off = uint32(len(c.Data))
		c.Data = slices.Grow(c.Data, int(p.size))[:int(p.off)+int(p.size)]
		if mem.Read(p.addr, c.Data[p.off:]) < int(p.size) {
			return nil, syscall.EFAULT
		}
	}
	c.Room = uint32(len(c.Data))
	for i := range m.parts {
		p := &m.parts[i]
		if p.dir&syscalls.In == 0 {
			p.off = (c.Room + align - 1) &^ (align - 1)
			c.Room = p.off + p.size
		}
	}
	for i, p := range m.parts {
		if err := m.point(m.slots[i], uint64(p.off), true); err != nil {
			return nil, err
		}
	}
	for _, slot := range nulls {
		if err := m.point(slot, 0, false); err != nil {
			return nil, err
		}
	}
	slices.Sort(c.Relocs)
	return c, nil
}

// point sets the pointer that stands at a slot of the program.
func (m *Marshaller) point(slot, v uint64, reloc bool) error {
	c := &m.out
	if slot < 6 {
		c.Regs[slot] = v
		if reloc {
			c.Relocs = append(c.Relocs, registerSlot|uint32(slot))
		}
		return nil
	}
	for _, p := range m.parts { // outermost first: what contains the slot stands before what it points to
		if off := slot - p.addr; p.dir&syscalls.In != 0 && off < uint64(p.size) && off+8 <= uint64(p.size) {
			at := p.off + uint32(off)
			binary.LittleEndian.PutUint64(c.Data[at:], v)
			if reloc && !slices.Contains(c.Relocs, at) {
				c.Relocs = append(c.Relocs, at)
			}
			return nil
		}
	}
	return ErrNotCarried // a pointer that does not stand in memory which the call reads
}

// A Writer writes to a program's memory. n is less than len(b) only with an error, an errno.
type Writer interface {
	Write(addr uint64, b []byte) (n int, err error)
}

// Apply writes what came of the last call that was marshalled to the program's memory.
//
// Errors: ErrCorrupt if the server wants to write what it was not asked for, in which case nothing has been written; an errno if
// the program's memory cannot be written.
func (m *Marshaller) Apply(r *Result, w Writer) error {
	for _, p := range r.Pieces {
		if m.part(p) == nil {
			return corrupt("RESULT with %d bytes for %#x, which were not asked for", len(p.Data), p.Off)
		}
	}
	for _, p := range r.Pieces {
		to := m.part(p)
		if n, err := w.Write(to.addr+uint64(p.Off-to.off), p.Data); n < len(p.Data) {
			if err == nil {
				err = syscall.EFAULT
			}
			return err
		}
	}
	return nil
}

// part finds the part that the kernel may have written a piece of.
func (m *Marshaller) part(p Piece) *part {
	for i := range m.parts {
		to := &m.parts[i]
		off := uint64(p.Off) - uint64(to.off)
		if to.dir&syscalls.Out != 0 && off <= uint64(to.size) && uint64(len(p.Data)) <= uint64(to.size)-off {
			return to
		}
	}
	return nil
}

// A Space is memory of our own for calls that no program makes: what Put and Room return are addresses in it, which no
// program has. The zero value is empty.
type Space struct {
	b    []byte
	Else decode.Memory // what other addresses refer to, may be nil
}

const spaceBase = 1 << 62

// Reset empties it.
func (s *Space) Reset() { s.b = s.b[:0] }

// Take makes bytes the content of a space that is empty, without copying them, and returns their address.
func (s *Space) Take(b []byte) uint64 {
	s.b = b[:len(b):len(b)]
	return spaceBase
}

// Put stores bytes and returns their address.
func (s *Space) Put(b []byte) uint64 {
	for len(s.b)%align != 0 {
		s.b = append(s.b, 0)
	}
	at := spaceBase + uint64(len(s.b))
	s.b = append(s.b, b...)
	return at
}

// PutString stores a string with a NUL behind it.
func (s *Space) PutString(text string) uint64 { return s.Put(append([]byte(text), 0)) }

// Room makes room for n bytes.
func (s *Space) Room(n int) uint64 { return s.Put(make([]byte, n)) }

// Bytes are n bytes at an address that Put or Room returned.
func (s *Space) Bytes(addr uint64, n int) []byte { return s.b[addr-spaceBase:][:n] }

// Read implements decode.Memory.
func (s *Space) Read(addr uint64, b []byte) int {
	if off := addr - spaceBase; off < uint64(len(s.b)) {
		return copy(b, s.b[off:])
	}
	if s.Else == nil {
		return 0
	}
	return s.Else.Read(addr, b)
}

// ReadV implements decode.Memory.
func (s *Space) ReadV(ranges []decode.Range) {
	for i := range ranges {
		ranges[i].N = s.Read(ranges[i].Addr, ranges[i].Buf)
	}
}

// Interrupted is closed when the program that Else belongs to is interrupted; nil if that cannot be told.
func (s *Space) Interrupted() <-chan struct{} {
	if i, ok := s.Else.(interface{ Interrupted() <-chan struct{} }); ok {
		return i.Interrupted()
	}
	return nil
}

// Write implements Writer.
func (s *Space) Write(addr uint64, b []byte) (int, error) {
	if off := addr - spaceBase; off < uint64(len(s.b)) {
		if n := copy(s.b[off:], b); n < len(b) {
			return n, syscall.EFAULT
		}
		return len(b), nil
	}
	if w, ok := s.Else.(Writer); ok {
		return w.Write(addr, b)
	}
	return 0, syscall.EFAULT
}
