package symbols

import (
	"debug/elf"
	"fmt"
	"strings"
)

// readSymtab adds the defined symbols of a symbol table section (elf(5), Elf64_Sym).
func (t *table) readSymtab(m *image, s *Section, source Source) error {
	step := m.pick(16, 24)
	if s.Entsize != 0 && s.Entsize != step {
		return fmt.Errorf("section %s: entries of %d bytes: %w", s.Name, s.Entsize, ErrMalformed)
	}
	if s.Link == 0 || int(s.Link) >= len(m.sections) {
		return fmt.Errorf("section %s: names are in section %d of %d: %w", s.Name, s.Link, len(m.sections), ErrMalformed)
	}
	if s.Type == elf.SHT_NOBITS {
		return nil
	}
	names := &m.sections[s.Link]
	strs, err := m.readString("section "+names.Name, names.Offset, names.Size)
	if err != nil {
		return err
	}
	var versions *versionTable
	if source == SourceDynsym {
		versions = t.readVersions(m)
	}
	b, err := m.data(s)
	if err != nil {
		return err
	}
	return t.decodeSymbols(m, b, strs, source, versions)
}

// decodeSymbols adds the symbols of a table's bytes.
func (t *table) decodeSymbols(m *image, b []byte, strs string, source Source, versions *versionTable) error {
	step := int(m.pick(16, 24))
	n := len(b) / step
	if len(t.entries)+n > maxSymbols {
		return fmt.Errorf("%d symbols: %w", len(t.entries)+n, ErrTooLarge)
	}
	blob := uint8(t.addBlob(strs))
	mapping := m.header.Machine == elf.EM_AARCH64 || m.header.Machine == elf.EM_ARM || m.header.Machine == elf.EM_RISCV
	for i := 1; i < n; i++ {
		raw := b[i*step : (i+1)*step]
		e := entry{name: m.order.Uint32(raw), blob: blob, source: source}
		var info uint8
		if m.wide {
			info, e.section = raw[4], m.order.Uint16(raw[6:])
			e.addr, e.size = m.order.Uint64(raw[8:]), m.order.Uint64(raw[16:])
		} else {
			info, e.section = raw[12], m.order.Uint16(raw[14:])
			e.addr, e.size = uint64(m.order.Uint32(raw[4:])), uint64(m.order.Uint32(raw[8:]))
		}
		e.typ, e.binding = Type(info&0xf), Binding(info>>4)
		if e.section == uint16(elf.SHN_UNDEF) || e.typ == Type(elf.STT_SECTION) || e.typ == Type(elf.STT_FILE) || e.name == 0 {
			continue
		}
		if uint64(e.name) >= uint64(len(strs)) || strs[e.name] == 0 {
			continue
		}
		if mapping && e.typ == TypeNone && strs[e.name] == '$' {
			continue // marks of the ARM and RISC-V psABIs: code or data follows
		}
		if versions != nil {
			if e.version = versions.of(i); e.version&versionDefault != 0 && versions.needed[e.version&^versionDefault] {
				e.version &^= versionDefault // of another object
			}
			if e.version != 0 && e.section == uint16(elf.SHN_ABS) && t.versions[e.version&^versionDefault] == cString(strs, uint64(e.name), maxName) {
				continue // the version itself
			}
		}
		t.entries = append(t.entries, e)
	}
	return nil
}

// versionTable gives the versions of dynamic symbols.
type versionTable struct {
	index []byte // .gnu.version: 16 bits for each symbol
	m     *image
	known map[uint16]uint16 // to the index in table.versions

	needed map[uint16]bool // indexes of the versions that are other objects'
}

// hiddenVersion is the bit of .gnu.version that marks a version as not the default one.
const hiddenVersion = 0x8000

// of is entry.version of the symbol with that number.
func (v *versionTable) of(i int) uint16 {
	if 2*i+2 > len(v.index) {
		return 0
	}
	raw := v.m.order.Uint16(v.index[2*i:])
	known := v.known[raw&^hiddenVersion]
	if known == 0 || raw&hiddenVersion != 0 {
		return known
	}
	return known | versionDefault
}

// maxVersions bounds the versions of a file; there are 15 bits for their numbers.
const maxVersions = 1 << 14

// readVersions reads .gnu.version, .gnu.version_d and .gnu.version_r (Linux Standard Base, symbol
// versioning). Versions that cannot be read are left out: names without them still help.
func (t *table) readVersions(m *image) *versionTable {
	index := m.sectionOf(elf.SHT_GNU_VERSYM)
	if index == nil {
		return nil
	}
	v := &versionTable{m: m, known: map[uint16]uint16{}, needed: map[uint16]bool{}}
	var err error
	if v.index, err = m.data(index); err != nil {
		return nil
	}
	add := func(number uint16, name string) {
		if name != "" && number != 0 && len(t.versions) < maxVersions {
			t.versions = append(t.versions, strings.Clone(name))
			v.known[number&^hiddenVersion] = uint16(len(t.versions) - 1)
		}
	}
	// Elf64_Verdef: version, flags, number, count of names (16 bits each), hash, offset of the
	// first Verdaux, offset of the next Verdef (32 bits each). Verdaux: name, next.
	b, names := m.withNames(elf.SHT_GNU_VERDEF)
	for off, n := uint64(0), 0; n < maxVersions && off+20 <= uint64(len(b)); n++ {
		d := b[off:]
		number, base := m.order.Uint16(d[4:]), m.order.Uint16(d[2:])&1 != 0
		if aux := off + uint64(m.order.Uint32(d[12:])); aux+8 <= uint64(len(b)) && !base {
			add(number, cString(names, uint64(m.order.Uint32(b[aux:])), 1024))
		}
		next := uint64(m.order.Uint32(d[16:]))
		if next == 0 {
			break
		}
		off += next
	}
	// Elf64_Verneed: version, count (16 bits each), file, first Vernaux, next Verneed. Vernaux:
	// hash, flags, number (16 bits each), name, next. Variables that the program has a copy of are
	// defined in it, with the version that it needs of the library.
	b, names = m.withNames(elf.SHT_GNU_VERNEED)
	left := maxVersions
	for off := uint64(0); left > 0 && off+16 <= uint64(len(b)); {
		aux := off + uint64(m.order.Uint32(b[off+8:]))
		for ; left > 0 && aux+16 <= uint64(len(b)); left-- {
			before := len(t.versions)
			add(m.order.Uint16(b[aux+6:]), cString(names, uint64(m.order.Uint32(b[aux+8:])), 1024))
			if len(t.versions) > before {
				v.needed[uint16(before)] = true
			}
			next := uint64(m.order.Uint32(b[aux+12:]))
			if next == 0 {
				break
			}
			aux += next
		}
		next := uint64(m.order.Uint32(b[off+12:]))
		if next == 0 {
			break
		}
		off, left = off+next, left-1
	}
	return v
}

// withNames is the content of the first section of that type, and its string table.
func (m *image) withNames(kind elf.SectionType) (b []byte, names string) {
	s := m.sectionOf(kind)
	if s == nil || int(s.Link) >= len(m.sections) {
		return nil, ""
	}
	b, err := m.data(s)
	if err != nil {
		return nil, ""
	}
	strs := &m.sections[s.Link]
	if names, err = m.readString("section "+strs.Name, strs.Offset, strs.Size); err != nil {
		return nil, ""
	}
	return b, names
}
