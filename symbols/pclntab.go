package symbols

import (
	"debug/elf"
	"encoding/binary"
	"fmt"
)

// pclntab reads Go's function table, which a Go program needs to run and so has even when it is
// stripped. Layout: runtime/symtab.go (pcHeader, functab), runtime/runtime2.go (_func) and
// cmd/link/internal/ld/pcln.go, as of Go 1.18 and since.
type pclntab struct {
	data  string
	order binary.ByteOrder
	magic uint32
	word  int
	text  uint64 // address that function offsets count from
	quant uint64 // instruction size that offsets of addresses count in
	count int    // functions
	names uint64 // offsets in data
	cu    uint64
	files uint64
	pcs   uint64
	funcs uint64

	inline func(off, n uint64) []byte // data that functions refer to, nil where it was not found
}

// The magic numbers of the layout (internal/abi, Go118PCLnTabMagic, Go120PCLnTabMagic).
const (
	magicGo118 = 0xfffffff0
	magicGo120 = 0xfffffff1
)

func (p *pclntab) u32(off uint64) (uint32, bool) {
	if off > uint64(len(p.data)) || uint64(len(p.data))-off < 4 {
		return 0, false
	}
	var b [4]byte
	copy(b[:], p.data[off:])
	return p.order.Uint32(b[:]), true
}

func (p *pclntab) address(off uint64) uint64 {
	if off > uint64(len(p.data)) || uint64(len(p.data))-off < uint64(p.word) {
		return 0
	}
	var b [8]byte
	copy(b[:p.word], p.data[off:])
	if p.word == 4 {
		return uint64(p.order.Uint32(b[:]))
	}
	return p.order.Uint64(b[:])
}

// goSections are the names that the table's section has, PIE last.
var goSections = []string{".gopclntab", ".data.rel.ro.gopclntab"}

// loadGo reads the function table of a Go program, and adds its functions where there is no symbol
// table.
func (f *File) loadGo() error {
	var s *Section
	for _, name := range goSections {
		if s = f.image.section(name); s != nil {
			break
		}
	}
	if s == nil || s.Type == elf.SHT_NOBITS {
		return nil
	}
	data, err := f.image.readString("section "+s.Name, s.Offset, s.Size)
	if err != nil {
		return err
	}
	p, err := newPclntab(data, f.image)
	if err != nil {
		return fmt.Errorf("section %s: %w", s.Name, err)
	}
	p.text = f.goText(p, s.Addr)
	f.pcln = p
	f.goFuncData()
	f.held.Add(int64(len(data)))
	for i := range f.table.entries {
		if f.table.entries[i].source <= SourceDebugData {
			return nil
		}
	}
	if p.count > maxSymbols-len(f.table.entries) {
		return ErrTooLarge
	}
	blob := uint8(f.table.addBlob(data))
	for i := range p.count {
		start, end, info, ok := p.function(i)
		if !ok {
			break
		}
		name, ok := p.u32(info + 4)
		if !ok || p.names+uint64(name) >= uint64(len(data)) || data[p.names+uint64(name)] == 0 {
			continue
		}
		f.table.entries = append(f.table.entries, entry{
			addr: start, size: end - start, name: uint32(p.names + uint64(name)), blob: blob,
			typ: TypeFunc, binding: BindLocal, source: SourceGo, section: f.sectionAt(start),
		})
	}
	return nil
}

func newPclntab(data string, m *image) (*pclntab, error) {
	p := &pclntab{data: data, order: m.order}
	magic, ok := p.u32(0)
	p.magic = magic
	if !ok || len(data) < 8 {
		return nil, ErrTruncated
	}
	if magic != magicGo118 && magic != magicGo120 {
		return nil, fmt.Errorf("function table of a Go before 1.18 (0x%x)", magic)
	}
	p.quant, p.word = uint64(data[6]), int(data[7])
	if p.word != 4 && p.word != 8 || p.quant == 0 {
		return nil, ErrMalformed
	}
	field := func(i int) uint64 { return p.address(8 + uint64(i*p.word)) }
	p.text = field(2) // unused since Go 1.26
	p.names, p.cu, p.files, p.pcs, p.funcs = field(3), field(4), field(5), field(6), field(7)
	if p.funcs > uint64(len(data)) || field(0) > (uint64(len(data))-p.funcs)/8 {
		return nil, ErrTruncated
	}
	p.count = int(field(0))
	return p, nil
}

// function is the number'th function: its addresses, and the offset of its _func.
func (p *pclntab) function(i int) (start, end, info uint64, ok bool) {
	at := p.funcs + uint64(i)*8
	a, ok1 := p.u32(at)
	off, ok2 := p.u32(at + 4)
	b, ok3 := p.u32(at + 8) // the next function's, or the end of the text
	if !ok1 || !ok2 || !ok3 || b < a || p.funcs+uint64(off) > uint64(len(p.data)) {
		return 0, 0, 0, false
	}
	return p.text + uint64(a), p.text + uint64(b), p.funcs + uint64(off), true
}

// goText is what the function table's offsets count from: the symbol runtime.text. The table had
// it until Go 1.25, in position independent programs as a relocation. Without symbols it is in the
// moduledata, the structure that begins with the address of the table: 22 words behind that.
// The start of .text, which is the same unless the program was linked by a C linker, is the last
// resort.
func (f *File) goText(p *pclntab, tableAddr uint64) uint64 {
	text := f.image.section(".text")
	inText := func(a uint64) bool { return text != nil && a >= text.Addr && a-text.Addr < text.Size }
	for i := range f.table.entries {
		e := &f.table.entries[i]
		if e.addr != 0 && f.table.named(e, "runtime.text") {
			return e.addr
		}
	}
	if inText(p.text) {
		return p.text
	}
	const textField = 22 // words: pcHeader, 6 slices, findfunctab, minpc, maxpc
	relative := f.image.relatives()
	for _, name := range []string{".go.module", ".noptrdata", ".data", ".data.rel.ro", ".data.rel.ro.local"} {
		s := f.image.section(name)
		if s == nil || s.Type == elf.SHT_NOBITS {
			continue
		}
		b, err := f.image.data(s)
		if err != nil {
			continue
		}
		value := func(off int) uint64 {
			if v, ok := relative[s.Addr+uint64(off)]; ok {
				return v
			}
			return f.image.word(b[off:])
		}
		step := f.image.wordSize()
		for off := 0; off+(textField+1)*step <= len(b); off += step {
			if value(off) == tableAddr && inText(value(off+textField*step)) {
				return value(off + textField*step)
			}
		}
	}
	if text != nil {
		return text.Addr
	}
	return p.text
}

// relatives are the words that the loader sets to an in-file address plus the bias, by their
// in-file address: R_X86_64_RELATIVE and its like.
func (m *image) relatives() map[uint64]uint64 {
	kind := relativeType(m.header.Machine)
	out := map[uint64]uint64{}
	if kind == 0 {
		return out
	}
	m.eachRela(func(r rela) {
		if r.kind == kind {
			out[r.offset] = r.addend
		}
	})
	return out
}

// sectionAt is the number of the section that the address is in, 0 for none.
func (f *File) sectionAt(addr uint64) uint16 {
	for i := range f.image.sections {
		s := &f.image.sections[i]
		if s.Flags&elf.SHF_ALLOC != 0 && addr >= s.Addr && addr-s.Addr < s.Size && i < int(elf.SHN_LORESERVE) {
			return uint16(i)
		}
	}
	return 0
}

// line is the source line of an in-file address.
func (p *pclntab) line(addr uint64) (file string, line int, ok bool) {
	start, info, ok := p.at(addr)
	if !ok {
		return "", 0, false
	}
	// _func: entry, name, args, deferreturn, pcsp, pcfile, pcln, npcdata, cuOffset.
	pcfile, ok1 := p.u32(info + 20)
	pcln, ok2 := p.u32(info + 24)
	cu, ok3 := p.u32(info + 32)
	if !ok1 || !ok2 || !ok3 {
		return "", 0, false
	}
	n, ok1 := p.value(pcln, start, addr)
	number, ok2 := p.value(pcfile, start, addr)
	if !ok1 || !ok2 || number < 0 {
		return "", 0, false
	}
	off, ok := p.u32(p.cu + (uint64(cu)+uint64(number))*4)
	if !ok || off == 0xffffffff {
		return "", 0, false
	}
	file = cString(p.data, p.files+uint64(off), 4096)
	return file, int(n), file != ""
}

// value is the value at an address of the function that starts at pc.
func (p *pclntab) value(table uint32, pc, target uint64) (int32, bool) {
	v, _, ok := p.valueAt(table, pc, target)
	return v, ok
}

// valueAt is value, with the address up to which it holds.
func (p *pclntab) valueAt(table uint32, pc, target uint64) (value int32, next uint64, ok bool) {
	p.stretches(table, pc, func(from, to uint64, v int32) bool {
		if target < to {
			value, next, ok = v, to, true
		}
		return !ok
	})
	return value, next, ok
}

// stretches decodes a table of values by address (runtime.pcvalue): pairs of a zig-zag difference
// of the value and a difference of the address. f returns false to end it.
func (p *pclntab) stretches(table uint32, pc uint64, f func(from, to uint64, value int32) bool) {
	at := p.pcs + uint64(table)
	varint := func() (uint32, bool) {
		var v uint32
		for shift := 0; shift < 35; shift += 7 {
			if at >= uint64(len(p.data)) {
				return 0, false
			}
			b := p.data[at]
			at++
			v |= uint32(b&0x7f) << shift
			if b < 0x80 {
				return v, true
			}
		}
		return 0, false
	}
	value := int32(-1)
	for first := true; ; first = false {
		d, ok := varint()
		if !ok || d == 0 && !first {
			return
		}
		step, ok := varint()
		if !ok {
			return
		}
		value += int32(d>>1) ^ -int32(d&1)
		from := pc
		pc += uint64(step) * p.quant
		if !f(from, pc, value) {
			return
		}
	}
}

// find lists the addresses of a line of a file, or of the nearest line behind it that has code.
func (p *pclntab) find(file string, line int) []lineMatch {
	var out []lineMatch
	best, budget := 0, maxRows
	same := map[uint32]bool{} // by offset of the file's name
	for i := range p.count {
		start, _, info, ok := p.function(i)
		if !ok {
			break
		}
		pcfile, ok1 := p.u32(info + 20)
		pcln, ok2 := p.u32(info + 24)
		cu, ok3 := p.u32(info + 32)
		if !ok1 || !ok2 || !ok3 {
			continue
		}
		type span struct {
			from, to uint64
			name     uint32
		}
		var spans []span
		p.stretches(pcfile, start, func(from, to uint64, number int32) bool {
			off, ok := p.u32(p.cu + (uint64(cu)+uint64(uint32(number)))*4)
			if budget--; number < 0 || !ok || budget < 0 {
				return false
			}
			is, known := same[off]
			if !known {
				is = sameFile(cString(p.data, p.files+uint64(off), 4096), file)
				same[off] = is
			}
			if is {
				spans = append(spans, span{from, to, off})
			}
			return true
		})
		if len(spans) == 0 {
			continue
		}
		// Both lists go by address.
		p.stretches(pcln, start, func(pc, _ uint64, n int32) bool {
			for len(spans) > 0 && spans[0].to <= pc {
				spans = spans[1:]
			}
			if budget--; len(spans) == 0 || budget < 0 {
				return false
			}
			if pc >= spans[0].from && int(n) >= line && (best == 0 || int(n) <= best) {
				best = int(n)
				out = append(out, lineMatch{pc, cString(p.data, p.files+uint64(spans[0].name), 4096), int(n)})
			}
			return true
		})
	}
	return out
}
