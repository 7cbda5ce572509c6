package symbols

// The numbers of the tables about inlining (internal/abi/symtab.go, PCDATA_InlTreeIndex,
// FUNCDATA_InlTree), and the layout of runtime.inlinedCall since Go 1.20: kind, 3 bytes, name, the
// address of the call as an offset from the function's start, first line.
const (
	goInlineIndex = 2
	goInlineTree  = 3
	goInlineSize  = 16
)

// goFuncData keeps the data that functions refer to (moduledata.gofunc).
func (f *File) goFuncData() {
	for i := range f.table.entries {
		if e := &f.table.entries[i]; f.table.named(e, "go:func.*") {
			s := f.image.section(".rodata")
			if e.section != 0 && int(e.section) < len(f.image.sections) {
				s = &f.image.sections[e.section]
			}
			if base := e.addr; s != nil && base >= s.Addr && base-s.Addr < s.Size {
				f.pcln.inline = func(off, n uint64) []byte { return f.image.memory(base+off, n) }
			}
			return
		}
	}
}

// frames lists the functions at an address, innermost first; nil where the table does not tell of
// inlining.
func (p *pclntab) frames(addr uint64) []SourceFrame {
	start, info, ok := p.at(addr)
	if !ok || p.inline == nil || p.magic != magicGo120 {
		return nil
	}
	name, _ := p.u32(info + 4)
	npcdata, ok1 := p.u32(info + 28)
	kinds, ok2 := p.u32(info + p.tail())
	if !ok1 || !ok2 || npcdata > 64 {
		return nil
	}
	var b [4]byte
	p.order.PutUint32(b[:], kinds)
	tables := info + p.tail() + 4
	index, tree := uint32(0), ^uint32(0)
	if npcdata > goInlineIndex {
		index, _ = p.u32(tables + 4*goInlineIndex)
	}
	if b[3] > goInlineTree {
		if off, ok := p.u32(tables + 4*uint64(npcdata) + 4*goInlineTree); ok {
			tree = off
		}
	}
	var out []SourceFrame
	at := addr
	for range maxInlineDepth {
		file, line, _ := p.line(at)
		n := int32(-1)
		if index != 0 && tree != ^uint32(0) {
			if v, ok := p.value(index, start, at); ok {
				n = v
			}
		}
		if n < 0 {
			return append(out, SourceFrame{Func: cString(p.data, p.names+uint64(name), maxName), File: file, Line: line})
		}
		call := p.inline(uint64(tree)+uint64(n)*goInlineSize, goInlineSize)
		if len(call) < goInlineSize {
			return nil
		}
		out = append(out, SourceFrame{
			Func: cString(p.data, p.names+uint64(p.order.Uint32(call[4:])), maxName), File: file, Line: line, Inline: true,
		})
		at = start + uint64(p.order.Uint32(call[8:]))
	}
	return nil
}
