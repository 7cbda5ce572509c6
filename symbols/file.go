package symbols

import (
	"cmp"
	"debug/elf"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"sort"
	"sync"
	"sync/atomic"
)

// Options say how to read a file. The zero value reads the file alone.
type Options struct {
	// Name is the file's path, for finding its separate debug file.
	Name string

	// Finder opens separate debug files, nil for none.
	Finder Finder
}

// File is an ELF file: a program, a library, an object or a debug file. Its headers are read at
// once, symbols and lines when they are first asked for. Its methods may be called from several
// goroutines.
type File struct {
	Header
	image *image
	opts  Options

	load     sync.Once
	table    table
	warnings []error
	debug    *image // the separate debug file, or nil
	pcln     *pclntab
	main     uint64 // address of main where it had to be computed

	lineOnce sync.Once
	lines    *lineTable
	lineErr  error

	held atomic.Int64 // bytes
}

// NewFile reads the headers of an ELF file of size bytes. Errors: ErrNotELF, ErrTruncated,
// ErrMalformed, ErrTooLarge, and those of reading.
func NewFile(r io.ReaderAt, size int64, opts Options) (*File, error) {
	m, err := newImage(r, size)
	if err != nil {
		return nil, fmt.Errorf("elf: %w", err)
	}
	return &File{Header: m.header, image: m, opts: opts}, nil
}

// Sections lists the section table, section 0 included.
func (f *File) Sections() []Section { return slices.Clone(f.image.sections) }

// Segments lists the program headers.
func (f *File) Segments() []Segment { return slices.Clone(f.image.segments) }

// SectionName is the name of the section that Symbol.Section counts, or what it stands for.
func (f *File) SectionName(i int) string {
	switch {
	case i == int(elf.SHN_ABS):
		return "*ABS*"
	case i == int(elf.SHN_COMMON):
		return "*COM*"
	case i == 0 || i >= len(f.image.sections):
		return ""
	}
	return f.image.sections[i].Name
}

// CheckArch returns an *ArchError unless the file is for that machine.
func (f *File) CheckArch(want elf.Machine) error {
	if f.Machine != want {
		return &ArchError{Have: f.Machine, Want: want}
	}
	return nil
}

// BuildID is the number that the linker gave the file, as lower-case hexadecimal digits; "" for none.
func (f *File) BuildID() string { return f.image.buildID() }

// buildID looks for the note NT_GNU_BUILD_ID (3) of the owner GNU in notes, sections first.
func (m *image) buildID() string {
	for i := range m.sections {
		if s := &m.sections[i]; s.Type == elf.SHT_NOTE && s.Size <= maxNoteBytes {
			if b, err := m.data(s); err == nil {
				if id := m.noteID(b, s.Addralign); id != "" {
					return id
				}
			}
		}
	}
	for _, s := range m.segments {
		if s.Type == elf.PT_NOTE && s.Filesz <= maxNoteBytes {
			if b, err := m.read("notes", s.Offset, s.Filesz); err == nil {
				if id := m.noteID(b, s.Align); id != "" {
					return id
				}
			}
		}
	}
	return ""
}

// noteID walks notes (elf(5), Elf64_Nhdr): sizes of name and content, type, then both, padded.
func (m *image) noteID(b []byte, align uint64) string {
	pad := uint64(3)
	if align == 8 {
		pad = 7
	}
	for len(b) >= 12 {
		namesz, descsz, kind := uint64(m.order.Uint32(b)), uint64(m.order.Uint32(b[4:])), m.order.Uint32(b[8:])
		desc := (12 + namesz + pad) &^ pad
		if desc > uint64(len(b)) || descsz > uint64(len(b))-desc {
			return ""
		}
		if kind == 3 && namesz == 4 && string(b[12:16]) == "GNU\x00" && descsz > 0 {
			return hex.EncodeToString(b[desc : desc+descsz])
		}
		next := (desc + descsz + pad) &^ pad
		if next > uint64(len(b)) {
			return ""
		}
		b = b[next:]
	}
	return ""
}

// Warnings are what could not be read of the symbols; what could be read is there. It loads them.
func (f *File) Warnings() []error {
	f.loadSymbols()
	return f.warnings
}

// Symbols lists all defined symbols by address, those without an address included. It takes a copy;
// see [File.Each].
func (f *File) Symbols() []Symbol {
	f.loadSymbols()
	out := make([]Symbol, len(f.table.entries))
	for i := range out {
		out[i] = f.table.symbol(i)
	}
	return out
}

// Each calls yield with each symbol by address until it returns false. It is an iter.Seq.
func (f *File) Each(yield func(Symbol) bool) {
	f.loadSymbols()
	for i := range f.table.entries {
		if !yield(f.table.symbol(i)) {
			return
		}
	}
}

// Lookup finds the symbol that an in-file address belongs to, and how far behind its start it is.
// Of several names of one place it takes the one that users know best.
func (f *File) Lookup(addr uint64) (s Symbol, offset uint64, ok bool) {
	f.loadSymbols()
	i := f.table.lookup(addr)
	if i < 0 {
		return Symbol{}, 0, false
	}
	s = f.table.symbol(i)
	return s, addr - s.Addr, true
}

// Memory is about how many bytes the tables that were loaded so far hold; see [Cache].
func (f *File) Memory() int64 {
	return 4096 + int64(len(f.image.sections))*96 + f.held.Load()
}

// loadSymbols reads all sources once.
func (f *File) loadSymbols() {
	f.load.Do(func() {
		f.table.versions = []string{""}
		warn := func(err error) {
			if err != nil {
				f.warnings = append(f.warnings, err)
			}
		}
		warn(f.loadPrimary())
		dynsym := f.image.sectionOf(elf.SHT_DYNSYM)
		if dynsym != nil {
			warn(f.table.readSymtab(f.image, dynsym, SourceDynsym))
		} else if len(f.image.sections) == 0 {
			warn(f.table.readDynamic(f.image))
		}
		warn(f.loadGo())
		f.table.merge()
		f.addPLT()
		f.addMain()
		f.table.index(f.codeEnd())
		f.held.Add(f.table.memory())
	})
}

// loadPrimary reads the fullest symbol table there is: .symtab, else that of the separate debug
// file, else the compressed one.
func (f *File) loadPrimary() error {
	if s := f.image.sectionOf(elf.SHT_SYMTAB); s != nil && s.Type != elf.SHT_NOBITS {
		return f.table.readSymtab(f.image, s, SourceSymtab)
	}
	var problems []error
	debug, err := f.findDebugFile()
	if err != nil {
		problems = append(problems, err)
	}
	if debug != nil {
		f.debug = debug
		if s := debug.sectionOf(elf.SHT_SYMTAB); s != nil {
			if err := f.table.readSymtab(debug, s, SourceDebugFile); err == nil {
				return errors.Join(problems...)
			} else {
				problems = append(problems, fmt.Errorf("debug file: %w", err))
			}
		}
	}
	if s := f.image.section(".gnu_debugdata"); s != nil {
		mini, err := f.image.debugData(s)
		if err == nil {
			if s := mini.sectionOf(elf.SHT_SYMTAB); s != nil {
				err = f.table.readSymtab(mini, s, SourceDebugData)
			}
		}
		if err != nil {
			problems = append(problems, fmt.Errorf(".gnu_debugdata: %w", err))
		}
	}
	return errors.Join(problems...)
}

// codeEnd finds where the section, or else the segment, ends that an address is in.
func (f *File) codeEnd() limit {
	type span struct{ start, end uint64 }
	var spans []span
	for _, s := range f.image.sections {
		if s.Flags&elf.SHF_ALLOC != 0 && s.Flags&elf.SHF_TLS == 0 && s.Size > 0 && s.Addr <= math.MaxUint64-s.Size {
			spans = append(spans, span{s.Addr, s.Addr + s.Size})
		}
	}
	if len(spans) == 0 {
		for _, s := range f.image.segments {
			if s.Type == elf.PT_LOAD && s.Vaddr <= math.MaxUint64-s.Memsz {
				spans = append(spans, span{s.Vaddr, s.Vaddr + s.Memsz})
			}
		}
	}
	slices.SortFunc(spans, func(a, b span) int { return cmp.Compare(a.start, b.start) })
	return func(addr uint64) uint64 {
		i := sort.Search(len(spans), func(i int) bool { return spans[i].start > addr })
		if i == 0 || spans[i-1].end <= addr {
			return 0
		}
		return spans[i-1].end
	}
}
