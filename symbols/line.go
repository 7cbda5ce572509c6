package symbols

import (
	"cmp"
	"debug/dwarf"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"slices"
	"sort"
	"strings"
	"sync"
)

// Limits on DWARF, for tables that refer to the same bytes again and again.
const (
	maxUnits        = 1 << 20
	maxRanges       = 1 << 22
	maxRows         = 1 << 25 // decoded for one question
	keptRows        = 1 << 20 // decoded rows that are kept, 24 bytes each
	maxLineFiles    = 1 << 22
	maxAbbrevBytes  = 1 << 29 // read again for every unit that has its own
	maxDebugSection = 1 << 30 // all of them together, unpacked
)

// lineTable answers questions about source lines from DWARF.
type lineTable struct {
	data   *dwarf.Data
	units  []dwarf.Offset // of the units' first entries
	ranges []unitRange    // sorted by low

	mu      sync.Mutex
	decoded map[int]*unitLines // by unit
	rows    int                // in decoded

	functions map[int]*unitFunctions // by unit
}

type unitRange struct {
	low, high uint64
	unit      int
}

type unitLines struct {
	files []string
	rows  []lineRow // by address
}

type lineRow struct {
	addr uint64
	line int32
	file int32 // -1: the end of a sequence
	stmt bool
}

type lineMatch struct {
	addr uint64
	file string
	line int
}

// lineTable opens the DWARF of the file or of its debug file, once.
func (f *File) lineTable() (*lineTable, error) {
	f.loadSymbols()
	f.lineOnce.Do(func() {
		f.lines, f.lineErr = f.openLines()
		if f.lineErr != nil {
			f.lineErr = fmt.Errorf("dwarf: %w", f.lineErr)
		}
	})
	return f.lines, f.lineErr
}

// hasLines reports whether the file has line tables, under one of the names they may have.
func (m *image) hasLines() bool {
	for _, name := range []string{".debug_line", ".zdebug_line"} {
		if s := m.section(name); s != nil && s.Type != elf.SHT_NOBITS {
			return true
		}
	}
	return false
}

func (f *File) openLines() (*lineTable, error) {
	m := f.image
	if !m.hasLines() {
		if m = f.debug; m == nil && f.opts.Finder != nil {
			m, _ = f.findDebugFile() // a file with .symtab whose lines are elsewhere
		}
		if m == nil || !m.hasLines() {
			return nil, ErrNoLines
		}
	}
	total, err := m.checkDebug()
	if err != nil {
		return nil, err
	}
	e, err := elf.NewFile(io.NewSectionReader(m.r, 0, m.size))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	info, abbrev, err := unitSections(e)
	if err != nil {
		return nil, err
	}
	lt := &lineTable{decoded: map[int]*unitLines{}}
	if lt.units, err = scanUnits(m, info, abbrev); err != nil {
		return nil, err
	}
	if lt.data, err = e.DWARF(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	lt.readRanges()
	f.held.Add(int64(total) + int64(len(lt.units))*4 + int64(len(lt.ranges))*24)
	return lt, nil
}

// checkDebug bounds what debug/elf will read: it unpacks sections to whatever size they claim, and
// copies each section's name.
func (m *image) checkDebug() (total uint64, err error) {
	if names := m.header.shstr; names < len(m.sections) && m.sections[names].Size*uint64(len(m.sections)) > maxDebugSection {
		return 0, fmt.Errorf("section names: %w", ErrTooLarge)
	}
	for i := range m.sections {
		s := &m.sections[i]
		if !strings.HasPrefix(s.Name, ".debug_") && !strings.HasPrefix(s.Name, ".zdebug_") || s.Type == elf.SHT_NOBITS {
			continue
		}
		size := s.Size
		if s.Offset > uint64(m.size) || size > uint64(m.size)-s.Offset {
			return 0, fmt.Errorf("section %s: %w", s.Name, ErrTruncated)
		}
		if s.Flags&elf.SHF_COMPRESSED != 0 {
			// Elf64_Chdr: type, reserved, size, alignment; Elf32_Chdr has no reserved.
			b, err := m.read(s.Name, s.Offset, min(s.Size, m.pick(12, 24)))
			if err != nil || len(b) < int(m.pick(12, 24)) {
				return 0, fmt.Errorf("section %s: %w", s.Name, ErrTruncated)
			}
			size = m.word(b[m.pick(4, 8):])
		} else if strings.HasPrefix(s.Name, ".z") {
			// "ZLIB" and the size, 64 bit big endian.
			b, err := m.read(s.Name, s.Offset, min(s.Size, 12))
			if err != nil || len(b) < 12 {
				return 0, fmt.Errorf("section %s: %w", s.Name, ErrTruncated)
			}
			for _, c := range b[4:] {
				if size > maxDebugSection {
					break
				}
				size = size<<8 | uint64(c)
			}
		}
		if size > maxDebugSection {
			return 0, fmt.Errorf("section %s: %w", s.Name, ErrTooLarge)
		}
		if total += size; total > maxDebugSection {
			return 0, fmt.Errorf("debug sections: %w", ErrTooLarge)
		}
	}
	return total, nil
}

func unitSections(e *elf.File) (info, abbrev []byte, err error) {
	for _, s := range e.Sections {
		switch s.Name {
		case ".debug_info", ".zdebug_info":
			if info == nil {
				info, err = s.Data()
			}
		case ".debug_abbrev", ".zdebug_abbrev":
			if abbrev == nil {
				abbrev, err = s.Data()
			}
		}
		if err != nil {
			return nil, nil, fmt.Errorf("section %s: %w: %w", s.Name, ErrMalformed, err)
		}
	}
	return info, abbrev, nil
}

// scanUnits walks the headers of .debug_info (DWARF 5, 7.5.1) and returns the offsets of the
// compilation units' first entries. It also adds up the bytes of abbreviations that debug/dwarf is
// going to read, which a hostile file can make the square of its size.
func scanUnits(m *image, info, abbrev []byte) ([]dwarf.Offset, error) {
	var out []dwarf.Offset
	seen := map[uint64]bool{}
	cost := 0
	for at := uint64(0); at+11 < uint64(len(info)); {
		b := info[at:]
		length, word, header := uint64(m.order.Uint32(b)), 4, uint64(4)
		if length == 0xffffffff {
			if len(b) < 24 {
				break
			}
			length, word, header = m.order.Uint64(b[4:]), 8, 12
		}
		if length > uint64(len(b))-header {
			return nil, fmt.Errorf("unit at 0x%x: %w", at, ErrTruncated)
		}
		if length == 0 {
			at += header // padding
			continue
		}
		unit := b[:header+length]
		if len(unit) < int(header)+3+word+2 {
			return nil, fmt.Errorf("unit at 0x%x: %w", at, ErrTruncated)
		}
		version := m.order.Uint16(unit[header:])
		p := header + 2
		kind := byte(1) // DW_UT_compile
		if version >= 5 {
			kind = unit[p]
			p += 2
		}
		offset := uint64(m.order.Uint32(unit[p:]))
		if word == 8 {
			offset = m.order.Uint64(unit[p:])
		}
		p += uint64(word)
		if version < 5 {
			p++
		}
		switch kind {
		case 4, 5: // skeleton, split: an identifier follows
			p += 8
		case 2, 6: // type units
			p += 8 + uint64(word)
		}
		if !seen[offset] {
			seen[offset] = true
			if offset < uint64(len(abbrev)) {
				cost += abbrevLength(abbrev[offset:])
			}
			if cost > maxAbbrevBytes {
				return nil, fmt.Errorf("abbreviations: %w", ErrTooLarge)
			}
		}
		if kind == 1 || kind == 3 || kind == 4 {
			out = append(out, dwarf.Offset(at+p))
		}
		if len(out) > maxUnits {
			return nil, fmt.Errorf("%d units: %w", len(out), ErrTooLarge)
		}
		at += header + length
	}
	return out, nil
}

// abbrevLength is the length of an abbreviation table: code, tag, children, pairs of attribute and
// form up to a pair of zeros, until the code is 0.
func abbrevLength(b []byte) int {
	all := len(b)
	uleb := func() (v uint64) {
		for shift := 0; len(b) > 0; shift += 7 {
			c := b[0]
			b = b[1:]
			v |= uint64(c&0x7f) << min(shift, 63)
			if c < 0x80 {
				break
			}
		}
		return v
	}
	for len(b) > 0 && uleb() != 0 {
		uleb()
		b = b[min(1, len(b)):]
		for len(b) > 0 {
			attr, form := uleb(), uleb()
			if form == 0x21 { // DW_FORM_implicit_const
				uleb()
			}
			if attr == 0 && form == 0 {
				break
			}
		}
	}
	return all - len(b)
}

// root reads a unit's first entry.
func (lt *lineTable) root(unit int) *dwarf.Entry {
	r := lt.data.Reader()
	r.Seek(lt.units[unit])
	e, err := r.Next()
	if err != nil || e == nil || e.Tag != dwarf.TagCompileUnit && e.Tag != dwarf.TagPartialUnit && e.Tag != dwarf.TagSkeletonUnit {
		return nil
	}
	return e
}

// readRanges sorts the addresses of the units. Units that cannot be read are left out.
func (lt *lineTable) readRanges() {
	for i := range lt.units {
		e := lt.root(i)
		if e == nil {
			continue
		}
		ranges, err := lt.data.Ranges(e)
		if err != nil {
			continue
		}
		for _, r := range ranges {
			if r[0] < r[1] {
				lt.ranges = append(lt.ranges, unitRange{r[0], r[1], i})
			}
		}
		if len(lt.ranges) > maxRanges {
			break
		}
	}
	slices.SortFunc(lt.ranges, func(a, b unitRange) int { return cmp.Compare(a.low, b.low) })
}

// errRows ends the decoding of a table that is too large.
var errRows = fmt.Errorf("line table: %w", ErrTooLarge)

// reader is the line program of a unit; nil where it has none.
func (lt *lineTable) reader(unit int) (*dwarf.LineReader, any) {
	e := lt.root(unit)
	if e == nil {
		return nil, nil
	}
	lr, err := lt.data.LineReader(e)
	if err != nil {
		return nil, nil
	}
	return lr, e.Val(dwarf.AttrStmtList)
}

// decode runs a unit's line program. budget is reduced by the rows.
func decode(lr *dwarf.LineReader, budget *int) (*unitLines, error) {
	u := &unitLines{}
	index := map[*dwarf.LineFile]int32{}
	var le dwarf.LineEntry
	for {
		if err := lr.Next(&le); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			break // what came before it holds
		}
		if *budget--; *budget < 0 {
			return nil, errRows
		}
		row := lineRow{addr: le.Address, line: int32(le.Line), file: -1, stmt: le.IsStmt}
		if !le.EndSequence && le.File != nil {
			n, ok := index[le.File]
			if !ok {
				n = int32(len(u.files))
				index[le.File] = n
				u.files = append(u.files, le.File.Name)
			}
			row.file = n
		}
		u.rows = append(u.rows, row)
	}
	// Where one sequence ends and the next begins, the end comes first.
	slices.SortStableFunc(u.rows, func(a, b lineRow) int {
		if c := cmp.Compare(a.addr, b.addr); c != 0 {
			return c
		}
		return cmp.Compare(min(a.file, 0), min(b.file, 0))
	})
	return u, nil
}

// unit returns the decoded lines of a unit. It keeps those of the units that were asked for, until
// they are too many.
func (lt *lineTable) unit(i int) *unitLines {
	lt.mu.Lock()
	defer lt.mu.Unlock()
	if u, ok := lt.decoded[i]; ok {
		return u
	}
	u := &unitLines{}
	if lr, _ := lt.reader(i); lr != nil {
		budget := maxRows
		if d, err := decode(lr, &budget); err == nil {
			u = d
		}
	}
	if lt.rows+len(u.rows) > keptRows {
		clear(lt.decoded)
		lt.rows = 0
	}
	lt.decoded[i] = u
	lt.rows += len(u.rows)
	return u
}

// line finds an address's line.
func (lt *lineTable) line(addr uint64) (string, int, bool) {
	i := sort.Search(len(lt.ranges), func(i int) bool { return lt.ranges[i].low > addr }) - 1
	// Ranges rarely overlap; a few steps back find an enclosing one.
	for n := 0; i >= 0 && n < 8; i, n = i-1, n+1 {
		if addr >= lt.ranges[i].high {
			continue
		}
		u := lt.unit(lt.ranges[i].unit)
		k := sort.Search(len(u.rows), func(k int) bool { return u.rows[k].addr > addr }) - 1
		if k >= 0 && u.rows[k].file >= 0 && u.rows[k].line > 0 {
			return u.files[u.rows[k].file], int(u.rows[k].line), true
		}
	}
	return "", 0, false
}

// sameFile reports whether a path of a line table is the file that the user names: all of it or
// its last elements.
func sameFile(name, want string) bool {
	rest, ok := strings.CutSuffix(name, want)
	return ok && (rest == "" || strings.HasSuffix(rest, "/"))
}

// find lists the rows of the wanted line of the file, or of the nearest line behind it that has
// any, for each unit.
func (lt *lineTable) find(file string, line int) ([]lineMatch, error) {
	var out []lineMatch
	budget, files := maxRows, maxLineFiles
	done := map[any]bool{} // line programs: several units may share one
	for i := range lt.units {
		lr, program := lt.reader(i)
		if lr == nil || done[program] {
			continue
		}
		done[program] = true
		all := lr.Files()
		if files -= len(all); files < 0 {
			return nil, errRows
		}
		if !slices.ContainsFunc(all, func(f *dwarf.LineFile) bool { return f != nil && sameFile(f.Name, file) }) {
			continue
		}
		u, err := decode(lr, &budget)
		if err != nil {
			return nil, err
		}
		wanted := map[int32]bool{}
		for n, name := range u.files {
			wanted[int32(n)] = sameFile(name, file)
		}
		best := int32(0)
		for _, r := range u.rows {
			if r.file >= 0 && r.stmt && wanted[r.file] && int(r.line) >= line && (best == 0 || r.line < best) {
				best = r.line
			}
		}
		for _, r := range u.rows {
			if best > 0 && r.file >= 0 && r.stmt && r.line == best && wanted[r.file] {
				out = append(out, lineMatch{r.addr, u.files[r.file], int(r.line)})
			}
		}
	}
	return out, nil
}
