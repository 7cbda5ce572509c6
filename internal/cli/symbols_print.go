package cli

import (
	"bufio"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"farcall/symbols"
)

// symbolRow is a line of output, and its JSON object. Addresses are hexadecimal text, because a
// JSON number loses digits above 2^53.
type symbolRow struct {
	Object    string `json:"object"`
	Address   string `json:"address"`
	Process   string `json:"process_address,omitempty"`
	Type      string `json:"type"`
	Binding   string `json:"binding,omitempty"`
	Size      uint64 `json:"size"`
	Name      string `json:"name"`
	Demangled string `json:"demangled,omitempty"`
	Version   string `json:"version,omitempty"`
	Default   bool   `json:"default_version,omitempty"`
	Section   string `json:"section,omitempty"`
	Source    string `json:"source,omitempty"`
	Offset    uint64 `json:"offset,omitempty"`
	File      string `json:"file,omitempty"`
	Line      int    `json:"line,omitempty"`

	order uint64 // address to sort by
	addr  uint64
	shown string // name in the text output
}

// symbolPrinter collects rows and prints them sorted.
type symbolPrinter struct {
	w       *bufio.Writer
	options symbolsOptions
	process bool
	rows    []symbolRow
}

func newSymbolPrinter(w io.Writer, o symbolsOptions, process bool) *symbolPrinter {
	return &symbolPrinter{w: bufio.NewWriterSize(w, 1<<16), options: o, process: process}
}

// row makes the line of a symbol at an in-file address.
func (p *symbolPrinter) row(ob *object, s symbols.Symbol, addr uint64) symbolRow {
	r := symbolRow{
		Object: ob.name, Address: hexAddr(addr), Type: s.Type.String(), Binding: s.Binding.String(), Size: s.Size, Name: s.Name,
		Version: s.Version, Default: s.Default, Section: ob.file.SectionName(s.Section), Source: s.Source.String(),
		addr: addr, order: addr, shown: s.VersionedName(),
	}
	if s.Name == "" {
		r.Type, r.Binding, r.Source, r.Section, r.shown = "", "", "", "", "?"
	}
	if p.options.demangle == "yes" {
		if d := s.Demangled(); d != s.Name {
			r.Demangled, r.shown = d, d
			if s.Version != "" {
				r.shown += strings.TrimPrefix(s.VersionedName(), s.Name)
			}
		}
	}
	if s.Type != symbols.TypeTLS && addr > s.Addr && s.Name != "" {
		r.Offset = addr - s.Addr
		r.shown += "+" + hexAddr(r.Offset)
	}
	return r
}

func hexAddr(v uint64) string { return fmt.Sprintf("0x%x", v) }

// add keeps the row once for each loading of the object.
func (p *symbolPrinter) add(ob *object, r symbolRow, tls bool) {
	if !p.process || tls {
		p.rows = append(p.rows, r)
		return
	}
	for _, bias := range ob.biases {
		r.order = r.addr + bias
		r.Process = hexAddr(r.order)
		p.rows = append(p.rows, r)
	}
}

// all adds every symbol of an object; false where there are none.
func (p *symbolPrinter) all(ob *object) bool {
	any := false
	for s := range ob.file.Each {
		any = true
		p.add(ob, p.row(ob, s, s.Addr), s.Type == symbols.TypeTLS)
	}
	return any
}

// match adds a place; lines says whether to look for the source line of it.
func (p *symbolPrinter) match(ob *object, m symbols.Match, lines bool) {
	r := p.row(ob, m.Symbol, m.Addr)
	r.File, r.Line = m.File, m.Line
	if lines {
		r.File, r.Line, _ = ob.file.Line(m.Addr)
	}
	p.add(ob, r, m.Symbol.Type == symbols.TypeTLS)
}

// address adds what is at an address of the process, if it is this object's.
func (p *symbolPrinter) address(ob *object, addr uint64) bool {
	for _, bias := range ob.biases {
		m, err := ob.file.Resolve(symbols.Pattern{Addr: addr - bias, HasAddr: true})
		if err != nil {
			continue
		}
		r := p.row(ob, m.Symbol, m.Addr)
		r.File, r.Line, _ = ob.file.Line(m.Addr)
		r.order, r.Process = addr, hexAddr(addr)
		p.rows = append(p.rows, r)
		return true
	}
	return false
}

// flush prints the rows by address. Later calls print what came since.
func (p *symbolPrinter) flush() error {
	rows := p.rows
	p.rows = nil
	slices.SortStableFunc(rows, func(a, b symbolRow) int {
		return cmp.Or(cmp.Compare(a.order, b.order), cmp.Compare(a.Object, b.Object), cmp.Compare(a.Name, b.Name))
	})
	rows = slices.CompactFunc(rows, func(a, b symbolRow) bool { return a == b })
	if p.options.json {
		enc := json.NewEncoder(p.w)
		enc.SetEscapeHTML(false)
		for i := range rows {
			if err := enc.Encode(&rows[i]); err != nil {
				return err
			}
		}
	} else if len(rows) > 0 {
		// Two mangled names of one function, as constructors have, look alike.
		rows = slices.CompactFunc(rows, func(a, b symbolRow) bool {
			return a.shown == b.shown && a.order == b.order && a.Object == b.Object && a.Type == b.Type && a.Size == b.Size
		})
		p.text(rows)
	}
	return p.w.Flush()
}

func (p *symbolPrinter) text(rows []symbolRow) {
	if p.process {
		fmt.Fprintf(p.w, "%-18s %-16s %-6s %8s %s\n", "ADDRESS", "IN FILE", "TYPE", "SIZE", "OBJECT:NAME")
	} else {
		fmt.Fprintf(p.w, "%-18s %-6s %-6s %8s %s\n", "ADDRESS", "TYPE", "BIND", "SIZE", "NAME")
	}
	for _, r := range rows {
		if p.process {
			fmt.Fprintf(p.w, "%-18s %-16s %-6s %8d %s:%s", r.Process, r.Address, r.Type, r.Size, path.Base(r.Object), r.shown)
		} else {
			fmt.Fprintf(p.w, "%-18s %-6s %-6s %8d %s", r.Address, r.Type, r.Binding, r.Size, r.shown)
		}
		if r.File != "" {
			fmt.Fprintf(p.w, " %s:%d", r.File, r.Line)
		}
		p.w.WriteByte('\n')
	}
}

// sectionRow is the JSON object of a section or a segment.
type sectionRow struct {
	Object  string `json:"object"`
	Index   int    `json:"index"`
	Name    string `json:"name,omitempty"`
	Type    string `json:"type"`
	Address string `json:"address"`
	Process string `json:"process_address,omitempty"`
	Offset  uint64 `json:"offset"`
	Size    uint64 `json:"size"`
	Memory  uint64 `json:"memory_size,omitempty"`
	Flags   string `json:"flags"`
}

// sections prints the section tables.
func (p *symbolPrinter) sections(objects []object) {
	for i := range objects {
		var rows []sectionRow
		for _, s := range objects[i].file.Sections() {
			if s.Index == 0 {
				continue
			}
			flags := ""
			for _, f := range []struct {
				bit  uint64
				name string
			}{{1, "W"}, {2, "A"}, {4, "X"}, {0x10, "M"}, {0x20, "S"}, {0x40, "I"}, {0x80, "L"}, {0x200, "G"}, {0x400, "T"}, {0x800, "C"}} {
				if uint64(s.Flags)&f.bit != 0 {
					flags += f.name
				}
			}
			rows = append(rows, sectionRow{
				Index: s.Index, Name: s.Name, Type: strings.TrimPrefix(s.Type.String(), "SHT_"), Address: hexAddr(s.Addr),
				Process: p.loaded(&objects[i], s.Addr, uint64(s.Flags)&2 != 0), Offset: s.Offset, Size: s.Size, Flags: flags,
			})
		}
		p.table(&objects[i], rows)
	}
}

// segments prints the program headers.
func (p *symbolPrinter) segments(objects []object) {
	for i := range objects {
		var rows []sectionRow
		for n, s := range objects[i].file.Segments() {
			flags := ""
			for bit, name := range []string{"x", "w", "r"} {
				if uint32(s.Flags)&(1<<bit) != 0 {
					flags = name + flags
				}
			}
			rows = append(rows, sectionRow{
				Index: n, Type: strings.TrimPrefix(s.Type.String(), "PT_"), Address: hexAddr(s.Vaddr),
				Process: p.loaded(&objects[i], s.Vaddr, s.Memsz > 0), Offset: s.Offset, Size: s.Filesz, Memory: s.Memsz, Flags: flags,
			})
		}
		p.table(&objects[i], rows)
	}
}

// loaded is the address in the process, "" for what is not loaded.
func (p *symbolPrinter) loaded(ob *object, addr uint64, is bool) string {
	if !p.process || !is || len(ob.biases) == 0 {
		return ""
	}
	return hexAddr(addr + ob.biases[0])
}

func (p *symbolPrinter) table(ob *object, rows []sectionRow) {
	if p.options.json {
		enc := json.NewEncoder(p.w)
		for _, r := range rows {
			r.Object = ob.name
			_ = enc.Encode(&r) // into the buffer; flush reports its errors
		}
		return
	}
	if p.process {
		fmt.Fprintf(p.w, "%s:\n", ob.name)
	}
	fmt.Fprintf(p.w, "%3s %-18s %-14s %-18s ", "NR", "NAME", "TYPE", "ADDRESS")
	if p.process {
		fmt.Fprintf(p.w, "%-18s ", "IN PROCESS")
	}
	fmt.Fprintf(p.w, "%10s %10s %s\n", "OFFSET", "SIZE", "FLAGS")
	for _, r := range rows {
		fmt.Fprintf(p.w, "%3d %-18s %-14s %-18s ", r.Index, r.Name, r.Type, r.Address)
		if p.process {
			fmt.Fprintf(p.w, "%-18s ", r.Process)
		}
		fmt.Fprintf(p.w, "0x%-8x 0x%-8x %s\n", r.Offset, r.Size, r.Flags)
	}
}
