package symbols

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"path"

	"github.com/ulikunitz/xz"
)

// Finder opens other files that a file refers to.
type Finder interface {
	// Open opens the file of that path. The error satisfies errors.Is(err, fs.ErrNotExist) where
	// there is none. The reader is used as long as the File is; size is in bytes.
	Open(name string) (r io.ReaderAt, size int64, err error)
}

// debugRoot is where distributions install debug files (gdb's "separate debug files").
const debugRoot = "/usr/lib/debug"

// DebugPaths lists where a file's separate debug file may be, best first: by build-id, then by the
// name in .gnu_debuglink beside the file, in .debug beside it, and below /usr/lib/debug.
func (f *File) DebugPaths() []string {
	var out []string
	if id := f.BuildID(); len(id) > 2 {
		out = append(out, debugRoot+"/.build-id/"+id[:2]+"/"+id[2:]+".debug")
	}
	name, _, ok := f.DebugLink()
	if ok && f.opts.Name != "" {
		dir := path.Dir(f.opts.Name)
		out = append(out, path.Join(dir, name), path.Join(dir, ".debug", name), path.Join(debugRoot, dir, name))
	}
	return out
}

// DebugLink is the content of .gnu_debuglink: the name of a debug file, and its CRC-32.
func (f *File) DebugLink() (name string, crc uint32, ok bool) {
	s := f.image.section(".gnu_debuglink")
	if s == nil || s.Size > 4096 {
		return "", 0, false
	}
	b, err := f.image.data(s)
	if err != nil {
		return "", 0, false
	}
	// The name, a NUL, zeros up to a multiple of 4, then the number.
	n := bytes.IndexByte(b, 0)
	at := (n + 4) &^ 3
	if n <= 0 || at+4 > len(b) || path.Base(string(b[:n])) != string(b[:n]) {
		return "", 0, false
	}
	return string(b[:n]), f.image.order.Uint32(b[at:]), true
}

// findDebugFile opens the separate debug file if there is one that belongs to this file: with its
// build-id, or with the checksum of the link.
func (f *File) findDebugFile() (*image, error) {
	if f.opts.Finder == nil {
		return nil, nil
	}
	id := f.BuildID()
	_, crc, _ := f.DebugLink()
	var problems []error
	for _, name := range f.DebugPaths() {
		if name == f.opts.Name {
			continue
		}
		r, size, err := f.opts.Finder.Open(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			problems = append(problems, fmt.Errorf("debug file: %w", err))
			continue
		}
		m, err := newImage(r, size)
		if err != nil {
			problems = append(problems, fmt.Errorf("debug file %s: %w", name, err))
			continue
		}
		if id != "" && m.buildID() == id || id == "" && checksum(r, size) == crc {
			return m, nil
		}
		problems = append(problems, fmt.Errorf("debug file %s belongs to another build", name))
	}
	return nil, errors.Join(problems...)
}

func checksum(r io.ReaderAt, size int64) uint32 {
	h := crc32.NewIEEE()
	if _, err := io.Copy(h, io.NewSectionReader(r, 0, size)); err != nil {
		return 0
	}
	return h.Sum32()
}

// Limits on .gnu_debugdata. Programs use the compressor's default dictionary of 8 MiB; its
// greatest is 64 MiB.
const (
	maxDebugData   = 256 << 20
	maxDictionary  = 64 << 20
	maxXZBlocks    = 1024
	xzFooterLength = 12
)

// debugData unpacks .gnu_debugdata: an ELF file with a symbol table and little else, compressed
// with xz (the Fedora feature MiniDebugInfo).
func (m *image) debugData(s *Section) (*image, error) {
	packed, err := m.data(s)
	if err != nil {
		return nil, err
	}
	size, err := checkXZ(packed)
	if err != nil {
		return nil, err
	}
	r, err := xz.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	if _, err := io.Copy(&out, io.LimitReader(r, size+1)); err != nil {
		return nil, err
	}
	if int64(out.Len()) > size {
		return nil, ErrMalformed
	}
	return newImage(bytes.NewReader(out.Bytes()), int64(out.Len()))
}

// checkXZ reads the index at the end of an xz stream (The .xz File Format 1.2) and returns the
// unpacked size. It refuses what would make a decoder use much memory: large sizes, and blocks that
// ask for a large dictionary.
func checkXZ(b []byte) (int64, error) {
	if len(b) < 12+xzFooterLength || string(b[:6]) != "\xfd7zXZ\x00" || string(b[len(b)-2:]) != "YZ" {
		return 0, fmt.Errorf("xz: no stream: %w", ErrMalformed)
	}
	footer := b[len(b)-xzFooterLength:]
	indexSize := (int64(binary.LittleEndian.Uint32(footer[4:])) + 1) * 4
	if indexSize > int64(len(b)-12-xzFooterLength) {
		return 0, fmt.Errorf("xz: index: %w", ErrTruncated)
	}
	index := b[int64(len(b)-xzFooterLength)-indexSize : len(b)-xzFooterLength]
	if index[0] != 0 {
		return 0, fmt.Errorf("xz: index: %w", ErrMalformed)
	}
	next := func() uint64 {
		v, n := binary.Uvarint(index)
		if n <= 0 {
			index = nil
			return 1 << 62
		}
		index = index[n:]
		return v
	}
	index = index[1:]
	blocks := next()
	if blocks > maxXZBlocks {
		return 0, fmt.Errorf("xz: %d blocks: %w", blocks, ErrTooLarge)
	}
	at, total := uint64(12), uint64(0)
	for range blocks {
		length, unpacked := next(), next()
		if length > uint64(len(b)) || unpacked > maxDebugData {
			return 0, fmt.Errorf("xz: block of %d bytes: %w", unpacked, ErrTooLarge)
		}
		if total += unpacked; total > maxDebugData {
			return 0, fmt.Errorf("xz: %d bytes: %w", total, ErrTooLarge)
		}
		if at >= uint64(len(b)) {
			return 0, fmt.Errorf("xz: block: %w", ErrTruncated)
		}
		if err := checkXZBlock(b[at:]); err != nil {
			return 0, err
		}
		at += (length + 3) &^ 3
	}
	return int64(total), nil
}

// checkXZBlock allows a block with the one filter LZMA2 (0x21) and a dictionary of bounded size.
func checkXZBlock(b []byte) error {
	header := (int(b[0]) + 1) * 4
	if header > len(b) || header < 8 {
		return fmt.Errorf("xz: block header: %w", ErrTruncated)
	}
	flags, rest := b[1], b[2:header]
	if flags&3 != 0 {
		return fmt.Errorf("xz: %d filters: %w", flags&3+1, ErrMalformed)
	}
	for bit := byte(0x40); bit != 0; bit <<= 1 { // compressed size, then uncompressed size
		if flags&bit != 0 {
			_, n := binary.Uvarint(rest)
			if n <= 0 {
				return fmt.Errorf("xz: block header: %w", ErrMalformed)
			}
			rest = rest[n:]
		}
	}
	if len(rest) < 3 || rest[0] != 0x21 || rest[1] != 1 {
		return fmt.Errorf("xz: filter is not LZMA2: %w", ErrMalformed)
	}
	bits := rest[2]
	if bits > 40 || uint64(2|bits&1)<<(bits/2+11) > maxDictionary {
		return fmt.Errorf("xz: dictionary: %w", ErrTooLarge)
	}
	return nil
}
