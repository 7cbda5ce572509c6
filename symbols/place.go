package symbols

import (
	"cmp"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Mapping is a line of /proc/PID/maps (proc_pid_maps(5)).
type Mapping struct {
	Start, End uint64
	Read       bool
	Write      bool
	Exec       bool
	Shared     bool
	Offset     uint64 // in the file, bytes
	Dev        string // major:minor, hexadecimal
	Inode      uint64 // 0 for no file
	Path       string // as the kernel shows it, without the mark of a deleted file
	Deleted    bool
}

// IsFile reports whether the mapping shows a file: one of a file system, or of memfd_create.
func (m Mapping) IsFile() bool { return m.Inode != 0 && strings.HasPrefix(m.Path, "/") }

// deletedMark is what the kernel puts behind the path of a file without a name.
const deletedMark = " (deleted)"

// ParseMaps reads the text of /proc/PID/maps.
func ParseMaps(text string) ([]Mapping, error) {
	var out []Mapping
	for n, line := range strings.Split(text, "\n") {
		if line == "" {
			continue
		}
		m, ok := parseMapping(line)
		if !ok {
			return nil, fmt.Errorf("maps: line %d: '%.60s' is no mapping", n+1, line)
		}
		out = append(out, m)
	}
	return out, nil
}

func parseMapping(line string) (m Mapping, ok bool) {
	var fields [5]string
	rest := line
	for i := range fields {
		rest = strings.TrimLeft(rest, " ")
		end := strings.IndexByte(rest, ' ')
		if end < 0 {
			end = len(rest)
		}
		fields[i], rest = rest[:end], rest[end:]
	}
	from, to, _ := strings.Cut(fields[0], "-")
	var errs [4]error
	m.Start, errs[0] = strconv.ParseUint(from, 16, 64)
	m.End, errs[1] = strconv.ParseUint(to, 16, 64)
	m.Offset, errs[2] = strconv.ParseUint(fields[2], 16, 64)
	m.Inode, errs[3] = strconv.ParseUint(fields[4], 10, 64)
	p := fields[1]
	if errs != [4]error{} || len(p) != 4 || m.End < m.Start {
		return m, false
	}
	m.Read, m.Write, m.Exec, m.Shared = p[0] == 'r', p[1] == 'w', p[2] == 'x', p[3] == 's'
	m.Dev, m.Path = fields[3], unescapePath(strings.TrimLeft(rest, " "))
	m.Path, m.Deleted = strings.CutSuffix(m.Path, deletedMark)
	return m, true
}

// unescapePath undoes the one escape that the kernel writes in maps: \012 for a line feed.
func unescapePath(s string) string { return strings.ReplaceAll(s, `\012`, "\n") }

// Auxv is what the kernel told a program at its start (getauxval(3)), as far as it matters here.
type Auxv struct {
	Phdr  uint64 // AT_PHDR: address of the program's headers
	Entry uint64 // AT_ENTRY: address of the program's entry point
	Base  uint64 // AT_BASE: bias of the dynamic loader, 0 for none
	VDSO  uint64 // AT_SYSINFO_EHDR: address of the vDSO's ELF header
}

// The numbers of the entries (elf.h, AT_).
const (
	atPhdr  = 3
	atBase  = 7
	atEntry = 9
	atVDSO  = 33
)

// ParseAuxv reads /proc/PID/auxv of a process of that class and byte order. An end before AT_NULL
// is accepted.
func ParseAuxv(b []byte, class elf.Class, order binary.ByteOrder) Auxv {
	m := image{wide: class != elf.ELFCLASS32, order: order}
	var a Auxv
	word := m.wordSize()
	for ; len(b) >= 2*word; b = b[2*word:] {
		v := m.word(b[word:])
		switch m.word(b) {
		case 0:
			return a
		case atPhdr:
			a.Phdr = v
		case atBase:
			a.Base = v
		case atEntry:
			a.Entry = v
		case atVDSO:
			a.VDSO = v
		}
	}
	return a
}

// ByteOrder is that of the file.
func (f *File) ByteOrder() binary.ByteOrder { return f.image.order }

// BiasFromAuxv is what to add to the program's in-file addresses to get those of the process: 0
// for a program at a fixed address. It uses the entry point, and for a check the program headers.
// An error says that the process does not run this file.
func (f *File) BiasFromAuxv(a Auxv) (uint64, error) {
	if a.Entry == 0 {
		return 0, fmt.Errorf("auxv: no entry point: %w", ErrNotMapped)
	}
	bias := a.Entry - f.Entry
	if vaddr, ok := f.headersAt(); ok && a.Phdr != 0 && a.Phdr-vaddr != bias {
		return 0, fmt.Errorf("auxv: entry point and program headers disagree: the process runs another file: %w", ErrNotMapped)
	}
	if f.Type == elf.ET_EXEC && bias != 0 {
		return 0, fmt.Errorf("auxv: entry point 0x%x of a program at fixed addresses is not its 0x%x: %w", a.Entry, f.Entry, ErrNotMapped)
	}
	return bias, nil
}

// headersAt is the in-file address of the program headers.
func (f *File) headersAt() (uint64, bool) {
	for _, s := range f.image.segments {
		if s.Type == elf.PT_PHDR {
			return s.Vaddr, true
		}
	}
	for _, s := range f.image.segments {
		if s.Type == elf.PT_LOAD && f.Phoff >= s.Offset && f.Phoff-s.Offset < s.Filesz {
			return s.Vaddr + (f.Phoff - s.Offset), true
		}
	}
	return 0, false
}

// Placement is one loading of a file into a process.
type Placement struct {
	Bias       uint64 // added to in-file addresses, modulo 2^64
	Start, End uint64 // of the mappings of the file that belong to it
	Mappings   []Mapping
}

// pageSize is the smallest that Linux has; segments are mapped at multiples of it.
const pageSize = 4096

// Placements finds where the file is loaded: maps are those mappings of the process that show it
// (see [Images]). A file may be loaded several times (dlmopen(3)); a mapping that only reads it is no
// placement. They are in order of address; none is ErrNotMapped.
//
// A loader maps each PT_LOAD segment from the page its file offset is in, so that address minus
// offset differs from vaddr minus offset by the bias, the same for all segments. Only executable
// mappings of executable segments tell it; the others are added where they agree.
func (f *File) Placements(maps []Mapping) ([]Placement, error) {
	byBias := map[uint64]*Placement{}
	for _, m := range maps {
		if !m.Exec {
			continue
		}
		for _, s := range f.image.segments {
			if s.Type == elf.PT_LOAD && s.Flags&elf.PF_X != 0 && shows(m, s) {
				bias := (m.Start - m.Offset) - (s.Vaddr - s.Offset)
				if f.Type == elf.ET_EXEC && bias != 0 || bias%pageSize != 0 {
					continue
				}
				if byBias[bias] == nil {
					byBias[bias] = &Placement{Bias: bias, Start: m.Start, End: m.End}
				}
			}
		}
	}
	if len(byBias) == 0 {
		return nil, fmt.Errorf("maps: no executable mapping of the file: %w", ErrNotMapped)
	}
	out := make([]Placement, 0, len(byBias))
	for _, p := range byBias {
		for _, m := range maps {
			for _, s := range f.image.segments {
				if s.Type == elf.PT_LOAD && shows(m, s) && (m.Start-m.Offset)-(s.Vaddr-s.Offset) == p.Bias {
					p.Mappings = append(p.Mappings, m)
					p.Start, p.End = min(p.Start, m.Start), max(p.End, m.End)
					break
				}
			}
		}
		out = append(out, *p)
	}
	slices.SortFunc(out, func(a, b Placement) int { return cmp.Compare(a.Start, b.Start) })
	return out, nil
}

// shows reports whether a mapping shows a part of the segment's bytes of the file.
func shows(m Mapping, s Segment) bool {
	first := s.Offset &^ (pageSize - 1)
	if s.Filesz == 0 || m.End <= m.Start {
		return false
	}
	return m.Offset < s.Offset+s.Filesz && m.Offset+(m.End-m.Start) > first
}

// Image is a file of which a process has executable mappings.
type Image struct {
	Path     string
	Dev      string
	Inode    uint64
	Deleted  bool
	Mappings []Mapping // all of this file, in order of address
}

// Images groups the mappings of a process by file, in order of their first address, for files of
// which a part is executable. Files are told apart by device and inode: several may have had the
// same path. The kernel's own ([vdso]) are left out: they have no file.
func Images(maps []Mapping) []Image {
	type key struct {
		dev   string
		inode uint64
	}
	index := map[key]int{}
	var out []Image
	exec := map[int]bool{}
	for _, m := range maps {
		if !m.IsFile() {
			continue
		}
		k := key{m.Dev, m.Inode}
		i, ok := index[k]
		if !ok {
			i = len(out)
			index[k] = i
			out = append(out, Image{Path: m.Path, Dev: m.Dev, Inode: m.Inode, Deleted: m.Deleted})
		}
		out[i].Mappings = append(out[i].Mappings, m)
		exec[i] = exec[i] || m.Exec
	}
	kept := out[:0]
	for i, image := range out {
		if exec[i] {
			kept = append(kept, image)
		}
	}
	return kept
}
