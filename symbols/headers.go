package symbols

import (
	"debug/elf"
	"encoding/binary"
	"fmt"
	"io"
	"strings"
)

// Limits on what a file may ask for. They are far above what programs have: the largest browsers
// have symbol tables of about 100 MiB and object files about 100,000 sections.
const (
	maxSections  = 1 << 18
	maxSegments  = 1 << 16
	maxTable     = 1 << 30 // bytes of one table held in memory
	maxName      = 1 << 15 // bytes of a symbol's name; longer ones are cut
	maxNoteBytes = 1 << 16
)

// Header is what an ELF file says of itself as a whole (elf(5), Elf64_Ehdr).
type Header struct {
	Class   elf.Class
	Data    elf.Data
	OSABI   elf.OSABI
	Type    elf.Type
	Machine elf.Machine
	Entry   uint64 // in-file address of the first instruction, 0 for none
	Phoff   uint64 // file offset of the program headers
	shoff   uint64
	phnum   int
	shnum   int
	shstr   int
}

// Section is an entry of the section table (elf(5), Elf64_Shdr). Offsets and sizes are as the file
// has them: they may point outside of it.
type Section struct {
	Index     int
	Name      string
	Type      elf.SectionType
	Flags     elf.SectionFlag
	Addr      uint64
	Offset    uint64
	Size      uint64
	Link      uint32
	Info      uint32
	Addralign uint64
	Entsize   uint64
	name      uint32
}

// Segment is a program header (elf(5), Elf64_Phdr).
type Segment struct {
	Type   elf.ProgType
	Flags  elf.ProgFlag
	Offset uint64
	Vaddr  uint64
	Filesz uint64
	Memsz  uint64
	Align  uint64
}

// image is the file as bytes, with its headers.
type image struct {
	r        io.ReaderAt
	size     int64
	order    binary.ByteOrder
	wide     bool // 64 bit
	header   Header
	sections []Section
	segments []Segment
}

// read returns the n bytes at off. Nothing is set aside before it is known that the file has them.
func (m *image) read(what string, off, n uint64) ([]byte, error) {
	if n > uint64(m.size) || off > uint64(m.size)-n {
		return nil, fmt.Errorf("%s at 0x%x, 0x%x bytes, ends outside the file: %w", what, off, n, ErrTruncated)
	}
	if n > maxTable {
		return nil, fmt.Errorf("%s of 0x%x bytes: %w", what, n, ErrTooLarge)
	}
	b := make([]byte, n)
	if got, err := m.r.ReadAt(b, int64(off)); got < len(b) {
		if err == nil || err == io.EOF {
			err = ErrTruncated
		}
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	return b, nil
}

// readString is read for a string table, which is then sliced without copies.
func (m *image) readString(what string, off, n uint64) (string, error) {
	if n > uint64(m.size) || off > uint64(m.size)-n {
		return "", fmt.Errorf("%s at 0x%x, 0x%x bytes, ends outside the file: %w", what, off, n, ErrTruncated)
	}
	if n > maxTable {
		return "", fmt.Errorf("%s of 0x%x bytes: %w", what, n, ErrTooLarge)
	}
	var b strings.Builder
	b.Grow(int(n))
	if _, err := io.CopyN(&b, io.NewSectionReader(m.r, int64(off), int64(n)), int64(n)); err != nil {
		if err == io.EOF {
			err = ErrTruncated
		}
		return "", fmt.Errorf("%s: %w", what, err)
	}
	return b.String(), nil
}

// data is the content of a section, nil for one without.
func (m *image) data(s *Section) ([]byte, error) {
	if s == nil || s.Type == elf.SHT_NOBITS {
		return nil, nil
	}
	return m.read("section "+s.Name, s.Offset, s.Size)
}

// section is the first of that name, or nil.
func (m *image) section(name string) *Section {
	for i := range m.sections {
		if m.sections[i].Name == name {
			return &m.sections[i]
		}
	}
	return nil
}

// sectionOf is the first of that type, or nil.
func (m *image) sectionOf(t elf.SectionType) *Section {
	for i := range m.sections {
		if m.sections[i].Type == t {
			return &m.sections[i]
		}
	}
	return nil
}

// memory returns up to n bytes of the loaded image at an in-file address, fewer at a segment's end.
func (m *image) memory(addr, n uint64) []byte {
	for _, s := range m.segments {
		if s.Type == elf.PT_LOAD && addr >= s.Vaddr && addr-s.Vaddr < s.Filesz {
			b, _ := m.read("segment", s.Offset+(addr-s.Vaddr), min(n, s.Filesz-(addr-s.Vaddr)))
			return b
		}
	}
	return nil
}

// executable reports whether the address lies in a segment that is mapped executable.
func (m *image) executable(addr uint64) bool {
	for _, s := range m.segments {
		if s.Type == elf.PT_LOAD && s.Flags&elf.PF_X != 0 && addr >= s.Vaddr && addr-s.Vaddr < s.Memsz {
			return true
		}
	}
	return false
}

// word reads an address-sized number, which b must have.
func (m *image) word(b []byte) uint64 {
	if m.wide {
		return m.order.Uint64(b)
	}
	return uint64(m.order.Uint32(b))
}

func (m *image) wordSize() int {
	if m.wide {
		return 8
	}
	return 4
}

// newImage reads the headers.
func newImage(r io.ReaderAt, size int64) (*image, error) {
	m := &image{r: r, size: size}
	var ident [elf.EI_NIDENT]byte
	if n, err := r.ReadAt(ident[:], 0); n < 4 || string(ident[:4]) != elf.ELFMAG {
		if err != nil && err != io.EOF {
			return nil, fmt.Errorf("header: %w", err)
		}
		return nil, ErrNotELF
	} else if n < len(ident) {
		return nil, fmt.Errorf("header: %w", ErrTruncated)
	}
	h := &m.header
	h.Class, h.Data, h.OSABI = elf.Class(ident[elf.EI_CLASS]), elf.Data(ident[elf.EI_DATA]), elf.OSABI(ident[elf.EI_OSABI])
	switch h.Class {
	case elf.ELFCLASS32:
	case elf.ELFCLASS64:
		m.wide = true
	default:
		return nil, fmt.Errorf("header: class %v: %w", h.Class, ErrMalformed)
	}
	switch h.Data {
	case elf.ELFDATA2LSB:
		m.order = binary.LittleEndian
	case elf.ELFDATA2MSB:
		m.order = binary.BigEndian
	default:
		return nil, fmt.Errorf("header: byte order %v: %w", h.Data, ErrMalformed)
	}
	if err := m.readHeader(); err != nil {
		return nil, err
	}
	if err := m.readSegments(); err != nil {
		return nil, err
	}
	if err := m.readSections(); err != nil {
		return nil, err
	}
	return m, nil
}

// fields takes numbers of the given sizes (2, 4, or 0 for an address) one after another.
func (m *image) fields(b []byte, sizes ...int) []uint64 {
	out := make([]uint64, len(sizes))
	for i, n := range sizes {
		if n == 0 {
			n = m.wordSize()
		}
		switch n {
		case 2:
			out[i] = uint64(m.order.Uint16(b))
		case 4:
			out[i] = uint64(m.order.Uint32(b))
		default:
			out[i] = m.order.Uint64(b)
		}
		b = b[n:]
	}
	return out
}

// pick is the size of a structure by class.
func (m *image) pick(narrow, wide uint64) uint64 {
	if m.wide {
		return wide
	}
	return narrow
}

func (m *image) readHeader() error {
	b, err := m.read("header", 0, m.pick(52, 64))
	if err != nil {
		return err
	}
	// type, machine, version, entry, phoff, shoff, flags, ehsize, phentsize, phnum, shentsize, shnum, shstrndx
	f := m.fields(b[elf.EI_NIDENT:], 2, 2, 4, 0, 0, 0, 4, 2, 2, 2, 2, 2, 2)
	h := &m.header
	h.Type, h.Machine, h.Entry, h.Phoff, h.shoff = elf.Type(f[0]), elf.Machine(f[1]), f[3], f[4], f[5]
	h.phnum, h.shnum, h.shstr = int(f[9]), int(f[11]), int(f[12])
	if h.phnum > 0 && f[8] != m.pick(32, 56) {
		return fmt.Errorf("header: program headers of %d bytes: %w", f[8], ErrMalformed)
	}
	if h.shoff > 0 && (h.shnum > 0 || h.shstr > 0) && f[10] != m.pick(40, 64) {
		return fmt.Errorf("header: section headers of %d bytes: %w", f[10], ErrMalformed)
	}
	// More than 16 bits can count are in the first section header (elf(5), e_phnum, e_shnum).
	if h.shoff == 0 {
		h.shnum, h.shstr = 0, 0
		return nil
	}
	if h.shnum > 0 && h.phnum < 0xffff && h.shstr != int(elf.SHN_XINDEX) {
		return nil
	}
	b, err = m.read("section header 0", h.shoff, m.pick(40, 64))
	if err != nil {
		return err
	}
	first := m.decodeSection(b)
	if h.shnum == 0 {
		if first.Size > maxSections {
			return fmt.Errorf("header: %d sections: %w", first.Size, ErrTooLarge)
		}
		h.shnum = int(first.Size)
	}
	if h.phnum == 0xffff {
		h.phnum = int(first.Info)
	}
	if h.shstr == int(elf.SHN_XINDEX) {
		h.shstr = int(first.Link)
	}
	return nil
}

func (m *image) readSegments() error {
	h := &m.header
	if h.phnum > maxSegments {
		return fmt.Errorf("header: %d program headers: %w", h.phnum, ErrTooLarge)
	}
	if h.phnum == 0 {
		return nil
	}
	step := m.pick(32, 56)
	b, err := m.read("program headers", h.Phoff, uint64(h.phnum)*step)
	if err != nil {
		return err
	}
	m.segments = make([]Segment, h.phnum)
	for i := range m.segments {
		s := &m.segments[i]
		if e := b[uint64(i)*step:]; m.wide {
			f := m.fields(e, 4, 4, 0, 0, 0, 0, 0, 0)
			*s = Segment{elf.ProgType(f[0]), elf.ProgFlag(f[1]), f[2], f[3], f[5], f[6], f[7]}
		} else {
			f := m.fields(e, 4, 0, 0, 0, 0, 0, 4, 0)
			*s = Segment{elf.ProgType(f[0]), elf.ProgFlag(f[6]), f[1], f[2], f[4], f[5], f[7]}
		}
	}
	return nil
}

// decodeSection reads one section header, without its name.
func (m *image) decodeSection(b []byte) Section {
	f := m.fields(b, 4, 4, 0, 0, 0, 0, 4, 4, 0, 0)
	return Section{
		name: uint32(f[0]), Type: elf.SectionType(f[1]), Flags: elf.SectionFlag(f[2]), Addr: f[3], Offset: f[4], Size: f[5],
		Link: uint32(f[6]), Info: uint32(f[7]), Addralign: f[8], Entsize: f[9],
	}
}

func (m *image) readSections() error {
	h := &m.header
	if h.shnum == 0 {
		return nil
	}
	if h.shnum > maxSections {
		return fmt.Errorf("header: %d sections: %w", h.shnum, ErrTooLarge)
	}
	step := m.pick(40, 64)
	b, err := m.read("section headers", h.shoff, uint64(h.shnum)*step)
	if err != nil {
		return err
	}
	m.sections = make([]Section, h.shnum)
	for i := range m.sections {
		m.sections[i] = m.decodeSection(b[uint64(i)*step:])
		m.sections[i].Index = i
	}
	if h.shstr == 0 {
		return nil
	}
	if h.shstr >= h.shnum {
		return fmt.Errorf("header: section names are in section %d of %d: %w", h.shstr, h.shnum, ErrMalformed)
	}
	names, err := m.readString("section names", m.sections[h.shstr].Offset, m.sections[h.shstr].Size)
	if err != nil {
		return err
	}
	for i := range m.sections {
		m.sections[i].Name = cString(names, uint64(m.sections[i].name), 256)
	}
	return nil
}

// cString is the text at off up to a NUL, the table's end, or limit bytes; "" where off is outside.
func cString(table string, off uint64, limit int) string {
	if off >= uint64(len(table)) {
		return ""
	}
	s := table[off:]
	if len(s) > limit {
		s = s[:limit]
	}
	if i := strings.IndexByte(s, 0); i >= 0 {
		s = s[:i]
	}
	return s
}
