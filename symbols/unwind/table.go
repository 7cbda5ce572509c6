package unwind

import (
	"debug/elf"
	"errors"

	"farcall/symbols"
)

// ErrMachine says that a file is for a machine that this package does not know.
var ErrMachine = errors.New("unwind: unknown machine")

// Table is what a file says about the frames of its functions. It is for one goroutine.
type Table struct {
	File    *symbols.File
	Machine *Machine

	ehFrame, debugFrame frames
	stubs               []span          // linkage tables, for those without frame information
	rows                map[uint64]*row // by in-file address; nil where there is none
	goFrames            map[uint64]goRow
	goCode              bool
}

// maxRows bounds the rows that are kept for one file: one for each place where a call was seen.
const maxRows = 1 << 15

// maxFrameBytes is how much frame information is read of a file without sections.
const maxFrameBytes = 64 << 20

// NewTable reads the frame information of a file. What cannot be read is taken as not there. The
// error is ErrMachine.
func NewTable(f *symbols.File) (*Table, error) {
	m := MachineOf(f.Machine)
	if m == nil {
		return nil, ErrMachine
	}
	t := &Table{File: f, Machine: m, rows: map[uint64]*row{}, goFrames: map[uint64]goRow{}}
	t.ehFrame = frames{m: m}
	if b, s, err := f.Content(".eh_frame"); err == nil && b != nil {
		t.ehFrame.b, t.ehFrame.addr = b, s.Addr
	}
	t.readHeader()
	t.debugFrame = frames{m: m, debug: true}
	if b, s, err := f.Content(".debug_frame"); err == nil && b != nil {
		t.debugFrame.b, t.debugFrame.addr = b, s.Addr
	}
	for _, s := range f.Sections() {
		switch s.Name {
		case ".plt", ".plt.sec", ".plt.got", ".plt.bnd", ".iplt":
			if s.Flags&elf.SHF_ALLOC != 0 && s.Addr+s.Size > s.Addr {
				t.stubs = append(t.stubs, span{start: s.Addr, end: s.Addr + s.Size})
			}
		}
	}
	t.goCode = f.IsGo()
	return t, nil
}

// readHeader uses the sorted table that the linker made of .eh_frame, found through its segment. The
// same tells where .eh_frame is in a file whose sections were taken off.
func (t *Table) readHeader() {
	for _, s := range t.File.Segments() {
		if s.Type != elf.PT_GNU_EH_FRAME {
			continue
		}
		b := t.File.Loaded(s.Vaddr, min(s.Filesz, maxFrameBytes))
		addr, search, ok := header(t.Machine, b, s.Vaddr)
		if !ok {
			return
		}
		if t.ehFrame.b == nil {
			t.ehFrame.b, t.ehFrame.addr = t.File.Loaded(addr, maxFrameBytes), addr
		}
		if addr == t.ehFrame.addr {
			t.ehFrame.search = search
		}
		return
	}
}

// Memory is about how many bytes the table holds beside those of its File.
func (t *Table) Memory() int64 {
	return int64(len(t.ehFrame.b)+len(t.debugFrame.b)) + int64(len(t.ehFrame.index)+len(t.debugFrame.index))*24 +
		int64(len(t.rows))*200 + int64(len(t.goFrames))*48
}

// row finds out how to leave the function that an in-file address is in, and takes the steps of that off work. Where work is used
// up, it is nil without being kept.
func (t *Table) row(addr uint64, work *int) *row {
	if r, ok := t.rows[addr]; ok {
		return r
	}
	var out *row
	for _, f := range []*frames{&t.ehFrame, &t.debugFrame} {
		if d, ok := f.find(addr); ok {
			if r, ok := d.run(t.Machine, addr, f.addr, work); ok {
				out = r
				break
			}
			if *work <= 0 {
				return nil
			}
		}
	}
	if out == nil {
		out = t.stub(addr)
	}
	if len(t.rows) >= maxRows {
		clear(t.rows)
	}
	t.rows[addr] = out
	return out
}

// stub is the row of a linkage stub: it has pushed nothing, so that the return address is on top.
func (t *Table) stub(addr uint64) *row {
	for _, s := range t.stubs {
		if addr >= s.start && addr < s.end {
			return entryRow(t.Machine)
		}
	}
	return nil
}

// entryRow is the row at a function's first instruction.
func entryRow(m *Machine) *row {
	if m.LR >= 0 {
		return &row{cfa: rule{kind: ruleCFA, reg: uint8(m.SP)}, ra: uint8(m.LR)}
	}
	word := int64(m.Word)
	return &row{
		cfa: rule{kind: ruleCFA, reg: uint8(m.SP), off: word}, ra: uint8(m.PC),
		regs: []column{{uint8(m.PC), rule{kind: ruleOffset, off: -word}}},
	}
}

// starts reports whether an in-file address is in the function that the file's entry point is: the
// kernel jumps there, and nothing calls it.
func (t *Table) starts(addr uint64) bool {
	entry := t.File.Entry
	if entry == 0 || addr < entry {
		return false
	}
	if s, _, ok := t.File.Lookup(addr); ok && s.Size > 0 {
		return s.Addr == entry
	}
	return addr-entry < maxEntryCode
}

// maxEntryCode is how long the code at the entry point of a file without symbols is taken to be.
const maxEntryCode = 64

// Function is where the function begins that an in-file address is in, by the frame information. What a compiler has moved out of a function is
// one of its own.
func (t *Table) Function(addr uint64) (start uint64, ok bool) {
	for _, f := range []*frames{&t.ehFrame, &t.debugFrame} {
		if d, ok := f.find(addr); ok {
			return d.start, true
		}
	}
	return 0, false
}

// Covers reports whether the table says how to leave the function at an in-file address.
func (t *Table) Covers(addr uint64) bool {
	if t.goCode {
		if _, ok := t.goFrame(addr); ok {
			return true
		}
	}
	work := maxWork
	return t.row(addr, &work) != nil
}
