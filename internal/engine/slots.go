package engine

import (
	"debug/elf"
	"encoding/binary"
	"os"
	"strconv"

	"farcall/symbols"
)

// slotSize is how much room a copy of an instruction gets.
const slotSize = 16

// A slots is the room for copies of instructions in an address space: what the executable segments of its files leave unused of their
// last page, which the kernel maps with them. Where the program itself leaves nothing, its start code serves, which one thread executes once, and
// which is longer than a slot. What it has there is put back whenever a copy has been executed.
type slots struct {
	all []slot
}

type slot struct {
	addr     uint64
	original []byte // nil while nothing was written
	busy     bool
	borrowed bool // the program executes what is there
}

// maxSlots is how many copies of one file are executed at a time at most; more threads than these rarely are at breakpoints.
const maxSlots = 256

// findSlots looks for room in all files that t has mapped for execution.
func findSlots(t *Thread) *slots {
	s := &slots{}
	text, err := os.ReadFile("/proc/" + strconv.Itoa(t.TID) + "/maps")
	if err != nil {
		return s
	}
	maps, err := symbols.ParseMaps(string(text))
	if err != nil {
		return s
	}
	entry := entryPoint(t)
	for _, image := range symbols.Images(maps) {
		if image.Mappings[0].Offset != 0 {
			continue
		}
		room, program := len(s.all), false
		for _, m := range image.Mappings {
			if m.Exec && !m.Shared {
				s.add(m, usedUntil(t, image.Mappings[0].Start, m))
				program = program || m.Start <= entry && entry < m.End
			}
		}
		if program && len(s.all) == room && startsProgram(t, entry) {
			s.all = append(s.all, slot{addr: entry, borrowed: true})
		}
	}
	return s
}

// startsProgram tells whether at a program's entry point is what C libraries have there, which is known to be long enough.
func startsProgram(t *Thread, entry uint64) bool {
	var code [slotSize]byte
	n, _ := t.Memory().ReadForced(entry, code[:])
	s := t.Proc.space
	s.overlay(entry, code[:n])
	return n == len(code) && isStartCode(code[:])
}

// entryPoint is where t's program begins (getauxval(3), AT_ENTRY), 0 if that cannot be read. Regions are for programs of the machine's own class.
func entryPoint(t *Thread) uint64 {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(t.TID) + "/auxv")
	if err != nil {
		return 0
	}
	return symbols.ParseAuxv(b, elf.ELFCLASS64, binary.NativeEndian).Entry
}

// add adds the room in a mapping from file offset used on.
func (s *slots) add(m symbols.Mapping, used uint64) {
	if used == 0 || used < m.Offset || used-m.Offset >= m.End-m.Start {
		return
	}
	at := (m.Start + used - m.Offset + slotSize - 1) &^ (slotSize - 1)
	for n := 0; at+slotSize <= m.End && n < maxSlots; n++ {
		s.all = append(s.all, slot{addr: at})
		at += slotSize
	}
}

// usedUntil is the file offset at which the executable segment that m shows ends, from the program headers in memory
// (elf(5)); 0 where they do not tell.
func usedUntil(t *Thread, base uint64, m symbols.Mapping) uint64 {
	const (
		headerSize, entrySize = 64, 56
		ptLoad, executable    = 1, 1
		maxEntries            = 64
	)
	var h [headerSize]byte
	if n, _ := t.Memory().ReadForced(base, h[:]); n < len(h) || string(h[:5]) != "\x7fELF\x02" {
		return 0
	}
	le := binary.LittleEndian
	count := int(le.Uint16(h[56:]))
	if le.Uint16(h[54:]) != entrySize || count > maxEntries {
		return 0
	}
	table := make([]byte, count*entrySize)
	if n, _ := t.Memory().ReadForced(base+le.Uint64(h[32:]), table); n < len(table) {
		return 0
	}
	for ; len(table) > 0; table = table[entrySize:] {
		offset, filesz := le.Uint64(table[8:]), le.Uint64(table[32:])
		if le.Uint32(table) == ptLoad && le.Uint32(table[4:])&executable != 0 &&
			offset < m.Offset+(m.End-m.Start) && offset+filesz > m.Offset && filesz == le.Uint64(table[40:]) {
			return offset + filesz
		}
	}
	return 0
}

// with adds what is new in o.
func (s *slots) with(o *slots) *slots {
	if s == nil {
		return o
	}
	known := map[uint64]bool{}
	for i := range s.all {
		known[s.all[i].addr] = true
	}
	for _, sl := range o.all {
		if !known[sl.addr] {
			s.all = append(s.all, sl)
		}
	}
	return s
}

// reach tells whether there is room where a copy of the instruction at addr works.
func (s *slots) reach(in *insn, code []byte, addr uint64) bool {
	if s == nil {
		return false
	}
	for i := range s.all {
		if _, ok := in.relocated(code, addr, s.all[i].addr); ok {
			return true
		}
	}
	return false
}

// take writes the copy for st into a free slot, the nearest where distances count.
func (s *slots) take(t *Thread, st *step) bool {
	if s == nil {
		return false
	}
	best, bestDistance := -1, ^uint64(0)
	for i := range s.all {
		sl := &s.all[i]
		if sl.busy {
			continue
		}
		d := sl.addr - st.addr
		if int64(d) < 0 {
			d = -d
		}
		if d < bestDistance {
			best, bestDistance = i, d
		}
	}
	if best < 0 {
		return false
	}
	sl := &s.all[best]
	code, ok := st.in.relocated(st.code, st.addr, sl.addr)
	if !ok { // the near ones are busy
		return false
	}
	if sl.original == nil {
		b := make([]byte, slotSize)
		if n, _ := t.Memory().ReadForced(sl.addr, b); n < len(b) {
			return false
		}
		sl.original = b
	}
	if _, err := t.Memory().WriteForced(sl.addr, code); err != nil {
		return false
	}
	sl.busy, st.slot = true, sl.addr
	return true
}

// give makes a slot free again that t has been in.
func (s *slots) give(t *Thread, st *step) {
	if s == nil {
		return
	}
	for i := range s.all {
		sl := &s.all[i]
		if sl.addr != st.slot {
			continue
		}
		sl.busy = false
		if sl.borrowed && sl.original != nil {
			_, _ = t.writeShared(sl.addr, sl.original) // an error means that the memory is gone
			sl.original = nil                          // it may get a breakpoint, or lose one
		}
	}
}

// restore writes back what stood in the slots, except for those that threads are in now: their copies have to stay until they have been
// executed. A thread that is let go is taken out of its slot first (withoutBreakpoints), and restores it then, so the last one leaves none.
func (s *slots) restore(t *Thread) {
	if s == nil {
		return
	}
	for i := range s.all {
		if sl := &s.all[i]; sl.original != nil && !sl.busy {
			_, _ = t.Memory().WriteForced(sl.addr, sl.original)
			sl.original = nil
		}
	}
}

// copied is s for the copy of its memory in a forked child, where no thread is in a slot.
func (s *slots) copied() *slots {
	if s == nil {
		return nil
	}
	c := &slots{all: append([]slot(nil), s.all...)}
	for i := range c.all {
		c.all[i].busy = false
	}
	return c
}
