package wire

import (
	"encoding/binary"
	"errors"
	"math/bits"
	"slices"

	"farcall/decode"
	"farcall/syscalls"
)

// Limits of a call.
const (
	MaxRoom   = MaxIO + 1<<20 // bytes behind all pointers together
	maxRelocs = 4096
)

// registerSlot marks the slot of a relocation as the index of a register; otherwise it is an offset in the arena.
const registerSlot = 1 << 31

// ErrNotCarried is the error of a call that cannot be executed elsewhere.
var ErrNotCarried = errors.New("call cannot be executed elsewhere")

// A Call is a system call on its way to a server: registers, and one buffer with everything they point to.
//
// Pointers are offsets into an arena of Room bytes that the server provides, of which the first are Data and the rest is room for
// what the kernel writes. Relocs lists the places where such offsets stand; the server adds the arena's address to each.
type Call struct {
	Number uint16 // generic
	Room   uint32
	Regs   [6]uint64
	Relocs []uint32 // ascending: offsets of pointers in Data, then, with bit 31 set, indices of registers
	Data   []byte
}

// AppendCall appends the payload of a CALL.
func (c *Call) AppendCall(b []byte) []byte {
	b = binary.LittleEndian.AppendUint16(b, c.Number)
	b = binary.LittleEndian.AppendUint16(b, uint16(len(c.Relocs)))
	b = binary.LittleEndian.AppendUint32(b, c.Room)
	for _, r := range c.Regs {
		b = binary.LittleEndian.AppendUint64(b, r)
	}
	for _, r := range c.Relocs {
		b = binary.LittleEndian.AppendUint32(b, r)
	}
	return append(b, c.Data...)
}

// Size is how many bytes AppendCall appends.
func (c *Call) Size() int { return 2 + 2 + 4 + 8*len(c.Regs) + 4*len(c.Relocs) + len(c.Data) }

// Decode reads the payload of a CALL. Data refers to b.
func (c *Call) Decode(b []byte) error {
	cur := cursor{b: b}
	c.Number = cur.u16()
	n := int(cur.u16())
	c.Room = cur.u32()
	for i := range c.Regs {
		c.Regs[i] = cur.u64()
	}
	if n > maxRelocs {
		return corrupt("CALL with %d pointers, at most %d are allowed", n, maxRelocs)
	}
	c.Relocs = c.Relocs[:0]
	last := -1
	for range n {
		r := int(cur.u32())
		if r <= last {
			return corrupt("CALL whose pointers are not in order")
		}
		last = r
		c.Relocs = append(c.Relocs, uint32(r))
	}
	c.Data = cur.b
	switch {
	case cur.bad:
		return corrupt("CALL is too short")
	case c.Room > MaxRoom:
		return corrupt("CALL wants %d bytes of room, at most %d are allowed", c.Room, MaxRoom)
	case len(c.Data) > int(c.Room):
		return corrupt("CALL with %d bytes of data for a room of %d", len(c.Data), c.Room)
	}
	return nil
}

// An Arena is the memory in which a call is executed: Bytes lies at address Base.
type Arena struct {
	Base  uint64
	Bytes []byte
}

// contains tells whether n bytes at addr are in the arena.
func (a *Arena) contains(addr uint64, n int) bool {
	off := addr - a.Base
	return off <= uint64(len(a.Bytes)) && uint64(n) <= uint64(len(a.Bytes))-off
}

// Read implements decode.Memory.
func (a *Arena) Read(addr uint64, b []byte) int {
	off := addr - a.Base
	if off >= uint64(len(a.Bytes)) {
		return 0
	}
	return copy(b, a.Bytes[off:])
}

// ReadV implements decode.Memory.
func (a *Arena) ReadV(ranges []decode.Range) {
	for i := range ranges {
		ranges[i].N = a.Read(ranges[i].Addr, ranges[i].Buf)
	}
}

// Place moves a call into the arena, which has Room bytes that are zero, and makes its pointers addresses. It returns the registers
// to execute it with; d, entered, is what to make Results from.
//
// Nothing that comes from the wire is trusted: after Place every piece of memory that the kernel will read or write for the call, as
// its description and its arguments have it, lies in the arena, and every pointer was a relocation.
//
// Errors: ErrNotCarried, after which the session can go on; ErrCorrupt.
func (c *Call) Place(a *Arena, d *decode.Call) (regs [6]uint64, err error) {
	spec := Lookup(c.Number)
	if spec == nil {
		return regs, ErrNotCarried
	}
	if len(a.Bytes) != int(c.Room) {
		return regs, errors.New("wire: place: the arena has another size than the call's room")
	}
	copy(a.Bytes, c.Data)
	regs = c.Regs
	var seenReg, isReg uint8
	memory := c.Relocs
	for i, r := range c.Relocs {
		if r&registerSlot == 0 {
			off := uint64(r)
			if off+8 > uint64(len(c.Data)) {
				return regs, corrupt("%s: pointer at %#x outside of the data", spec.Name, off)
			}
			at := a.Bytes[off:]
			v := binary.LittleEndian.Uint64(at)
			if v > uint64(c.Room) {
				return regs, corrupt("%s: pointer at %#x to %#x outside of the room", spec.Name, off, v)
			}
			binary.LittleEndian.PutUint64(at, a.Base+v)
			continue
		}
		if len(memory) == len(c.Relocs) {
			memory = c.Relocs[:i]
		}
		n := r &^ registerSlot
		if n >= 6 {
			return regs, corrupt("%s: pointer in register %d", spec.Name, n)
		}
		if regs[n] > uint64(c.Room) {
			return regs, corrupt("%s: pointer in register %d to %#x outside of the room", spec.Name, n, regs[n])
		}
		regs[n] += a.Base
		isReg |= 1 << n
	}

	d.Enter(spec.Desc, ABI, uint64(c.Number), regs, a, decode.Options{StringLimit: -1})
	if !spec.allows(d.Desc.Variant) {
		return regs, ErrNotCarried
	}
	seen := 0
	d.Pointers(func(r decode.Region) {
		if err != nil {
			return
		}
		known := false
		if r.Slot < 6 {
			known = isReg&(1<<r.Slot) != 0
			seenReg |= 1 << r.Slot
		} else if _, known = slices.BinarySearch(memory, uint32(r.Slot-a.Base)); known {
			seen++
		}
		switch {
		case !known:
			err = corrupt("%s: a pointer is missing from the list of pointers", spec.Name)
		case r.Len == 0:
			err = corrupt("%s: a pointer with nothing behind it that is described or within the room", spec.Name)
		case !a.contains(r.Addr, r.Len):
			err = corrupt("%s: %d bytes behind a pointer do not lie within the room", spec.Name, r.Len)
		}
	})
	if err == nil && (seenReg&isReg != isReg || seen != len(memory)) {
		err = corrupt("%s: the list of pointers has %d too many", spec.Name,
			len(memory)-seen+bits.OnesCount8(isReg&^seenReg))
	}
	return regs, err
}

// A Result is what came of a call: its result, or its negated error number, and pieces of the arena that the kernel wrote.
type Result struct {
	Ret    int64
	Pieces []Piece
}

// A Piece is a part of the arena.
type Piece struct {
	Off  uint32
	Data []byte
}

// Results collects the result of a call that was placed and executed with d. The pieces refer to the arena.
func (r *Result) Results(a *Arena, d *decode.Call, ret int64) {
	r.Ret, r.Pieces = ret, r.Pieces[:0]
	failed := ret < 0 && ret >= -4095
	d.Exit(ret, failed)
	if failed {
		return
	}
	d.Regions(func(g decode.Region) {
		if g.Dir&syscalls.Out != 0 && a.contains(g.Addr, g.Len) {
			off := g.Addr - a.Base
			r.Pieces = append(r.Pieces, Piece{uint32(off), a.Bytes[off : off+uint64(g.Len)]})
		}
	})
}

// AppendResult appends the payload of a RESULT.
func (r *Result) AppendResult(b []byte) []byte {
	b = binary.LittleEndian.AppendUint64(b, uint64(r.Ret))
	for i := range r.Pieces {
		b = binary.LittleEndian.AppendUint32(b, r.Pieces[i].Off)
		b = appendBlob(b, r.Pieces[i].Data)
	}
	return b
}

// Decode reads the payload of a RESULT; pieces refer to b.
func (r *Result) Decode(b []byte) error {
	c := cursor{b: b}
	r.Ret, r.Pieces = int64(c.u64()), r.Pieces[:0]
	for !c.bad && len(c.b) > 0 {
		if len(r.Pieces) == maxRelocs {
			return corrupt("RESULT with more than %d pieces", maxRelocs)
		}
		off := c.u32()
		r.Pieces = append(r.Pieces, Piece{off, c.blob()})
	}
	return c.end(OpResult)
}
