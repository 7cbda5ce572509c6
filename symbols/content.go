package symbols

import (
	"bytes"
	"compress/zlib"
	"debug/elf"
	"fmt"
	"io"
)

// Content reads a section of the file; where the file has none of that name, or has it without
// content, that of its separate debug file. It unpacks what is compressed with zlib. The bytes are
// nil where there is no such section.
func (f *File) Content(name string) ([]byte, Section, error) {
	for _, m := range []*image{f.image, f.debugImage()} {
		if m == nil {
			continue
		}
		if s := m.section(name); s != nil && s.Type != elf.SHT_NOBITS && s.Size > 0 {
			b, err := m.unpacked(s)
			return b, *s, err
		}
	}
	return nil, Section{}, nil
}

// Loaded returns up to n bytes of the file as it is loaded, at an in-file address; fewer at the end
// of a segment, none outside of all.
func (f *File) Loaded(addr, n uint64) []byte { return f.image.memory(addr, n) }

// Executable reports whether an in-file address is in a segment that is loaded executable.
func (f *File) Executable(addr uint64) bool { return f.image.executable(addr) }

// debugImage is the separate debug file if there is one.
func (f *File) debugImage() *image {
	f.loadSymbols()
	return f.debug
}

// unpacked is the content of a section that may be compressed (elf(5), Elf64_Chdr).
func (m *image) unpacked(s *Section) ([]byte, error) {
	b, err := m.data(s)
	if err != nil || s.Flags&elf.SHF_COMPRESSED == 0 {
		return b, err
	}
	header := int(m.pick(12, 24))
	if len(b) < header {
		return nil, fmt.Errorf("section %s: %w", s.Name, ErrTruncated)
	}
	size := m.word(b[m.pick(4, 8):])
	if kind := elf.CompressionType(m.order.Uint32(b)); kind != elf.COMPRESS_ZLIB {
		return nil, fmt.Errorf("section %s: %v: %w", s.Name, kind, ErrMalformed)
	}
	if size > maxDebugData {
		return nil, fmt.Errorf("section %s of 0x%x bytes: %w", s.Name, size, ErrTooLarge)
	}
	z, err := zlib.NewReader(bytes.NewReader(b[header:]))
	if err != nil {
		return nil, fmt.Errorf("section %s: %w: %w", s.Name, ErrMalformed, err)
	}
	var out bytes.Buffer
	if n, err := io.Copy(&out, io.LimitReader(z, int64(size))); err != nil || uint64(n) != size {
		return nil, fmt.Errorf("section %s: %w", s.Name, ErrMalformed)
	}
	return out.Bytes(), nil
}
