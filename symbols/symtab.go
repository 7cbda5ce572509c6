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
			e.version = versions.of(i)
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

// readVersions reads .gnu.version and .gnu.version_d (Linux Standard Base, symbol versioning).
// Versions that cannot be read are left out: names without them still help.
func (t *table) readVersions(m *image) *versionTable {
	index, defs := m.sectionOf(elf.SHT_GNU_VERSYM), m.sectionOf(elf.SHT_GNU_VERDEF)
	if index == nil || defs == nil || int(defs.Link) >= len(m.sections) {
		return nil
	}
	v := &versionTable{m: m, known: map[uint16]uint16{}}
	var err error
	if v.index, err = m.data(index); err != nil {
		return nil
	}
	b, err := m.data(defs)
	if err != nil {
		return nil
	}
	strs := &m.sections[defs.Link]
	names, err := m.readString("section "+strs.Name, strs.Offset, strs.Size)
	if err != nil {
		return nil
	}
	// Elf64_Verdef: version, flags, number, count of names (16 bits each), hash, offset of the
	// first Verdaux, offset of the next Verdef (32 bits each). Verdaux: name, next.
	for off, n := uint64(0), 0; n < maxVersions && off+20 <= uint64(len(b)); n++ {
		d := b[off:]
		number, base := m.order.Uint16(d[4:]), m.order.Uint16(d[2:])&1 != 0
		aux := off + uint64(m.order.Uint32(d[12:]))
		if aux+8 <= uint64(len(b)) && !base {
			if name := cString(names, uint64(m.order.Uint32(b[aux:])), 1024); name != "" {
				t.versions = append(t.versions, strings.Clone(name))
				v.known[number&^hiddenVersion] = uint16(len(t.versions) - 1)
			}
		}
		next := uint64(m.order.Uint32(d[16:]))
		if next == 0 {
			break
		}
		off += next
	}
	return v
}
