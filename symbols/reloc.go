package symbols

import (
	"debug/elf"
	"encoding/binary"
	"slices"
)

// rela is a relocation with addend (elf(5), Elf64_Rela).
type rela struct {
	offset uint64
	kind   uint32
	sym    uint32
	addend uint64
	link   uint32 // section with the symbols
}

// relocations are the numbers of the kinds that matter here, by machine (the psABIs).
var relocations = map[elf.Machine]struct{ relative, jumpSlot, globDat, irelative uint32 }{
	elf.EM_X86_64:  {8, 7, 6, 37},
	elf.EM_386:     {8, 7, 6, 42},
	elf.EM_AARCH64: {1027, 1026, 1025, 1032},
}

func relativeType(m elf.Machine) uint32 { return relocations[m].relative }

// maxRelocations bounds the relocations that are looked at.
const maxRelocations = 1 << 24

// eachRela calls f with the relocations that the loader applies.
func (m *image) eachRela(f func(rela)) {
	left := maxRelocations
	for i := range m.sections {
		s := &m.sections[i]
		if s.Flags&elf.SHF_ALLOC == 0 || s.Type != elf.SHT_RELA && s.Type != elf.SHT_REL {
			continue
		}
		b, err := m.data(s)
		if err != nil {
			continue
		}
		step := int(m.pick(8, 16))
		if s.Type == elf.SHT_RELA {
			step = int(m.pick(12, 24))
		}
		for ; len(b) >= step && left > 0; b, left = b[step:], left-1 {
			r := rela{offset: m.word(b), link: s.Link}
			info := m.word(b[m.wordSize():])
			if m.wide {
				r.kind, r.sym = uint32(info), uint32(info>>32)
			} else {
				r.kind, r.sym = uint32(info&0xff), uint32(info>>8)
			}
			if s.Type == elf.SHT_RELA {
				r.addend = m.word(b[2*m.wordSize():])
			}
			f(r)
		}
	}
}

// ResolverSlots lists the in-file addresses of the words that hold, once they are relocated, the function that the resolver at an in-file
// address has chosen: those of the kind R_*_IRELATIVE.
func (f *File) ResolverSlots(resolver uint64) []uint64 {
	kinds, ok := relocations[f.Machine]
	var out []uint64
	f.image.eachRela(func(r rela) {
		if ok && r.kind == kinds.irelative && r.addend == resolver {
			out = append(out, r.offset)
		}
	})
	return out
}

// ImportSlots lists the in-file addresses of the words through which the file reaches the function with that name, without a version, once they are
// bound: those of the kinds R_*_JUMP_SLOT and R_*_GLOB_DAT.
func (f *File) ImportSlots(name string) []uint64 {
	kinds, ok := relocations[f.Machine]
	var out []uint64
	names := dynamicNames{m: f.image}
	f.image.eachRela(func(r rela) {
		if ok && (r.kind == kinds.jumpSlot || r.kind == kinds.globDat) && names.get(r.link, r.sym) == name {
			out = append(out, r.offset)
		}
	})
	return out
}

// pltSections hold the stubs that the compiler's calls of other objects' functions go to.
var pltSections = []string{".plt", ".plt.sec", ".plt.got", ".plt.bnd", ".iplt"}

// addPLT names the stubs of the linkage table as name@plt: each jumps through a word that a
// relocation fills with that function's address.
func (f *File) addPLT() {
	m := f.image
	kinds, ok := relocations[m.header.Machine]
	if !ok || m.header.Machine == elf.EM_386 {
		return // i386 reaches the table through a register
	}
	var stubs []*Section
	for _, name := range pltSections {
		if s := m.section(name); s != nil && s.Type != elf.SHT_NOBITS && s.Size <= 1<<24 {
			stubs = append(stubs, s)
		}
	}
	if len(stubs) == 0 {
		return
	}
	slots := map[uint64]string{} // the word's address: the function's name
	names := dynamicNames{m: m}
	var resolvers map[uint64]string
	m.eachRela(func(r rela) {
		switch r.kind {
		case kinds.jumpSlot, kinds.globDat:
			if name := names.get(r.link, r.sym); name != "" {
				slots[r.offset] = name
			}
		case kinds.irelative:
			if resolvers == nil {
				resolvers = map[uint64]string{}
				best := map[uint64]*entry{}
				for i := range f.table.entries {
					e := &f.table.entries[i]
					if b := best[e.addr]; e.typ == TypeIFunc && (b == nil || f.table.preferred(e, b) < 0) {
						best[e.addr] = e
					}
				}
				for a, e := range best {
					resolvers[a] = f.table.name(e)
				}
			}
			if name := resolvers[r.addend]; name != "" {
				slots[r.offset] = name
			}
		}
	})
	if len(slots) == 0 {
		return
	}
	for _, s := range stubs {
		b, err := m.data(s)
		if err != nil {
			continue
		}
		size := uint64(16)
		if s.Entsize == 8 || s.Name == ".plt.got" && s.Size%16 != 0 {
			size = 8
		}
		jumps := jumpsX86
		if m.header.Machine == elf.EM_AARCH64 {
			jumps = jumpsARM64
		}
		done := map[uint64]bool{}
		jumps(b, s.Addr, func(at, slot uint64) {
			start := s.Addr + (at-s.Addr)/size*size
			if name := slots[slot]; name != "" && !done[start] {
				done[start] = true
				f.table.addNamed(name+"@plt", entry{
					addr: start, size: size, typ: TypePLT, binding: BindLocal, source: SourcePLT, section: uint16(s.Index),
				})
			}
		})
	}
}

// jumpsX86 finds "jmp *disp32(%rip)", the heart of every stub.
func jumpsX86(b []byte, addr uint64, found func(at, slot uint64)) {
	for i := 0; i+6 <= len(b); i++ {
		if b[i] == 0xff && b[i+1] == 0x25 {
			disp := int32(binary.LittleEndian.Uint32(b[i+2:]))
			found(addr+uint64(i), addr+uint64(i)+6+uint64(int64(disp)))
			i += 5
		}
	}
}

// jumpsARM64 finds "adrp x16, page; ldr x17, [x16, offset]".
func jumpsARM64(b []byte, addr uint64, found func(at, slot uint64)) {
	for i := 0; i+8 <= len(b); i += 4 {
		adrp, ldr := binary.LittleEndian.Uint32(b[i:]), binary.LittleEndian.Uint32(b[i+4:])
		if adrp&0x9f00001f != 0x90000010 || ldr&0xffc003ff != 0xf9400211 {
			continue
		}
		page := int64(int32(adrp<<8)>>13)<<2 | int64(adrp>>29&3)
		pc := addr + uint64(i)
		found(pc, (pc&^0xfff)+uint64(page<<12)+uint64(ldr>>10&0xfff)*8)
	}
}

// dynamicNames reads names of the symbols that relocations refer to.
type dynamicNames struct {
	m    *image
	link uint32
	syms []byte
	strs string
}

func (d *dynamicNames) get(link, sym uint32) string {
	if link == 0 || int(link) >= len(d.m.sections) {
		return ""
	}
	if d.link != link {
		s := &d.m.sections[link]
		d.link, d.syms, d.strs = link, nil, ""
		if int(s.Link) < len(d.m.sections) && slices.Contains([]elf.SectionType{elf.SHT_DYNSYM, elf.SHT_SYMTAB}, s.Type) {
			d.syms, _ = d.m.data(s)
			d.strs, _ = d.m.readString("names", d.m.sections[s.Link].Offset, d.m.sections[s.Link].Size)
		}
	}
	step := d.m.pick(16, 24)
	if (uint64(sym)+1)*step > uint64(len(d.syms)) {
		return ""
	}
	return cString(d.strs, uint64(d.m.order.Uint32(d.syms[uint64(sym)*step:])), maxName)
}
