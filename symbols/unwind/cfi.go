package unwind

import (
	"cmp"
	"slices"
	"sort"
	"strings"
)

// cie is what several functions' frames have in common (DWARF 5, 6.4.1).
type cie struct {
	code    uint64 // factor of distances
	data    int64  // factor of offsets
	ra      uint64 // number of the return address's column
	enc     byte   // of addresses in the FDEs
	aug     bool   // FDEs have a block of augmentation data
	signal  bool   // 'S': frame of a signal handler's return
	program []byte
	segment int
}

// fde is a function's frame information.
type fde struct {
	cie        *cie
	start, end uint64 // in-file addresses
	program    []byte
}

// frames is a section of frame information: .eh_frame or .debug_frame.
type frames struct {
	m     *Machine
	b     []byte
	addr  uint64 // in-file address of b
	debug bool   // .debug_frame: CIEs are referred to by offset in the section

	search func(addr uint64) (offset uint64, ok bool) // .eh_frame_hdr
	cies   map[uint64]*cie
	index  []span // of all records, sorted; made when search does not find
	listed bool
}

type span struct {
	start, end uint64
	offset     uint64
}

// Limits: the largest browser has about a million records.
const (
	maxCIEs = 1 << 16
	maxFDEs = 1 << 23
)

func (f *frames) reader(offset uint64) *reader {
	if offset > uint64(len(f.b)) {
		offset = uint64(len(f.b))
	}
	return &reader{b: f.b, at: int(offset), order: f.m.order}
}

// record reads a record's header and returns a reader that ends with the record. id is 0 for a CIE, else
// the offset of the FDE's CIE plus 1. next is the offset of the following record.
func (f *frames) record(offset uint64) (r *reader, id, next uint64, ok bool) {
	r = f.reader(offset)
	length, size := r.length()
	if r.bad || length == 0 || length > uint64(r.rest()) {
		return nil, 0, 0, false
	}
	end := r.at + int(length)
	r.b = r.b[:end]
	here := uint64(r.at)
	v := r.fixed(size)
	switch {
	case r.bad:
		return nil, 0, 0, false
	case f.debug && (v == 1<<32-1 && size == 4 || v == 1<<64-1), !f.debug && v == 0:
		return r, 0, uint64(end), true
	case f.debug:
		return r, v + 1, uint64(end), v < uint64(len(f.b))
	}
	return r, here - v + 1, uint64(end), v <= here
}

// cie reads the CIE at an offset.
func (f *frames) cie(offset uint64) *cie {
	if c, ok := f.cies[offset]; ok {
		return c
	}
	if len(f.cies) >= maxCIEs {
		return nil
	}
	c := f.readCIE(offset)
	if f.cies == nil {
		f.cies = map[uint64]*cie{}
	}
	f.cies[offset] = c
	return c
}

func (f *frames) readCIE(offset uint64) *cie {
	r, id, _, ok := f.record(offset)
	if !ok || id != 0 {
		return nil
	}
	version := r.byte()
	aug := r.name()
	c := &cie{}
	if strings.HasPrefix(aug, "eh") { // gcc before 3.0
		r.take(uint64(f.m.Word))
		aug = aug[2:]
	}
	if version >= 4 {
		if r.byte() != byte(f.m.Word) {
			return nil
		}
		c.segment = int(r.byte())
	}
	c.code, c.data = r.uleb(), r.sleb()
	if version == 1 {
		c.ra = r.fixed(1)
	} else {
		c.ra = r.uleb()
	}
	if version == 0 || version > 5 || version == 2 || c.ra >= maxRegs || c.segment != 0 {
		return nil
	}
	if strings.HasPrefix(aug, "z") {
		c.aug = true
		data := r.block()
		a := &reader{b: data, order: f.m.order}
		here := f.addr + uint64(r.at-len(data))
		for _, letter := range aug[1:] {
			switch letter {
			case 'R':
				c.enc = a.byte()
			case 'P': // personality routine
				a.pointer(a.byte(), here, 0, f.m.Word)
			case 'L': // encoding of the language's data
				a.byte()
			case 'S':
				c.signal = true
			case 'B', 'G': // arm64: signed with key B, tagged stack
			default:
				return nil // the rest cannot be read
			}
		}
		if a.bad {
			return nil
		}
	} else if aug != "" {
		return nil
	}
	if r.bad {
		return nil
	}
	c.program = r.b[r.at:]
	return c
}

// fde reads the record at an offset; nil for one that is no FDE.
func (f *frames) fde(offset uint64) (d fde, next uint64, ok bool) {
	r, id, next, ok := f.record(offset)
	if !ok {
		return fde{}, 0, false
	}
	if id == 0 {
		return fde{}, next, true
	}
	d.cie = f.cie(id - 1)
	if d.cie == nil {
		return fde{}, next, true
	}
	start, known := r.pointer(d.cie.enc, f.addr, 0, f.m.Word)
	length, _ := r.value(d.cie.enc, f.m.Word)
	if d.cie.aug {
		r.block()
	}
	if r.bad || !known || length == 0 || start+length < start {
		d.cie = nil
		return d, next, true
	}
	d.start, d.end, d.program = start, start+length, r.b[r.at:]
	return d, next, true
}

// find is the FDE of an in-file address.
func (f *frames) find(addr uint64) (fde, bool) {
	if len(f.b) == 0 {
		return fde{}, false
	}
	if f.search != nil {
		if offset, ok := f.search(addr); ok {
			if d, _, ok := f.fde(offset); ok && d.cie != nil && addr >= d.start && addr < d.end {
				return d, true
			}
		}
		return fde{}, false
	}
	f.list()
	i := sort.Search(len(f.index), func(i int) bool { return f.index[i].start > addr }) - 1
	if i < 0 || addr >= f.index[i].end {
		return fde{}, false
	}
	d, _, ok := f.fde(f.index[i].offset)
	return d, ok && d.cie != nil
}

// list makes the index of all records.
func (f *frames) list() {
	if f.listed {
		return
	}
	f.listed = true
	for at := uint64(0); at+4 <= uint64(len(f.b)) && len(f.index) < maxFDEs; {
		d, next, ok := f.fde(at)
		if !ok {
			if f.reader(at).fixed(4) != 0 {
				break
			}
			at += 4 // an end mark; the linker may have put another table behind it
			continue
		}
		if d.cie != nil {
			f.index = append(f.index, span{d.start, d.end, at})
		}
		at = next
	}
	slices.SortFunc(f.index, func(a, b span) int { return cmp.Compare(a.start, b.start) })
}

// header reads .eh_frame_hdr (Linux Standard Base, 10.6.2): version, three encodings, the address of
// .eh_frame, the number of entries, and a table of pairs, start and FDE, by address. It returns that
// address and a search; the search is nil where the table is missing or has an encoding other than the
// one that linkers write, 4 bytes from the header's start.
func header(m *Machine, b []byte, addr uint64) (ehFrame uint64, search func(uint64) (uint64, bool), ok bool) {
	r := &reader{b: b, order: m.order}
	version, encFrame, encCount, encTable := r.byte(), r.byte(), r.byte(), r.byte()
	if version != 1 {
		return 0, nil, false
	}
	ehFrame, ok = r.pointer(encFrame, addr, addr, m.Word)
	if !ok {
		return 0, nil, false
	}
	count, known := r.pointer(encCount, addr, addr, m.Word)
	if !known || encTable != encDataRel|0x0b || count == 0 || count > uint64(r.rest())/8 {
		return ehFrame, nil, true
	}
	table := r.b[r.at : r.at+int(count)*8]
	at := func(i int) (start, fde uint64) {
		e := table[i*8:]
		return m.narrow(addr + uint64(int64(int32(m.order.Uint32(e))))), m.narrow(addr + uint64(int64(int32(m.order.Uint32(e[4:])))))
	}
	return ehFrame, func(pc uint64) (uint64, bool) {
		i := sort.Search(int(count), func(i int) bool { start, _ := at(i); return start > pc }) - 1
		if i < 0 {
			return 0, false
		}
		_, fde := at(i)
		return fde - ehFrame, fde >= ehFrame
	}, true
}

// narrow cuts an address to the machine's size.
func (m *Machine) narrow(v uint64) uint64 {
	if m.Word == 4 {
		return uint64(uint32(v))
	}
	return v
}
