package symbols

import (
	"cmp"
	"debug/dwarf"
	"slices"
	"sort"
)

// SourceFrame is a function that an instruction belongs to: the one that was compiled, or one that
// was inlined into it.
type SourceFrame struct {
	Func   string // as in the source, "" where it is not known
	File   string // where in it the instruction is, or the call that was inlined
	Line   int
	Inline bool
}

// Frames lists the functions that the instruction at an in-file address belongs to, innermost first;
// the last is the one that was compiled. It is nil where neither DWARF nor Go's function table tells.
func (f *File) Frames(addr uint64) []SourceFrame {
	f.loadSymbols()
	if f.pcln != nil {
		if out := f.pcln.frames(addr); out != nil {
			return out
		}
	}
	lt, err := f.lineTable()
	if err != nil {
		return nil
	}
	return lt.frames(addr)
}

// Limits on the trees of functions.
const (
	maxTreeEntries = 1 << 22 // read of one unit
	maxInlineDepth = 64
	maxFunctions   = 1 << 20 // of one unit
	maxScopes      = 64      // inside each other
	maxOrigins     = 8       // from an inlined function to its declaration
)

// unitFunctions are the functions of a unit that have code.
type unitFunctions struct {
	spans []functionSpan // by low
	files []*dwarf.LineFile

	// scopes are the namespaces and types that functions without a linker's name are in, as a prefix.
	scopes map[dwarf.Offset]string
}

type functionSpan struct {
	low, high uint64
	entry     dwarf.Offset
}

// inlined is a function inlined into another.
type inlined struct {
	origin dwarf.Offset
	file   int64
	line   int64
}

func covers(ranges [][2]uint64, addr uint64) bool {
	return slices.ContainsFunc(ranges, func(r [2]uint64) bool { return addr >= r[0] && addr < r[1] })
}

// unitOf is the number of the unit that an address belongs to, or -1.
func (lt *lineTable) unitOf(addr uint64) int {
	i := sort.Search(len(lt.ranges), func(i int) bool { return lt.ranges[i].low > addr }) - 1
	for n := 0; i >= 0 && n < 8; i, n = i-1, n+1 {
		if addr < lt.ranges[i].high {
			return lt.ranges[i].unit
		}
	}
	return -1
}

func (lt *lineTable) frames(addr uint64) []SourceFrame {
	unit := lt.unitOf(addr)
	if unit < 0 {
		return nil
	}
	lt.mu.Lock()
	u, ok := lt.functions[unit]
	if !ok {
		u = lt.readFunctions(unit)
		if lt.functions == nil {
			lt.functions = map[int]*unitFunctions{}
		}
		lt.functions[unit] = u
	}
	lt.mu.Unlock()
	i := sort.Search(len(u.spans), func(i int) bool { return u.spans[i].low > addr }) - 1
	if i < 0 || addr >= u.spans[i].high {
		return nil
	}
	file, line, _ := lt.line(addr)
	var out []SourceFrame
	chain := lt.inlinedAt(u.spans[i].entry, addr)
	for k := len(chain) - 1; k >= 0; k-- {
		c := chain[k]
		out = append(out, SourceFrame{Func: lt.name(u, c.origin), File: file, Line: line, Inline: true})
		file, line = "", int(c.line)
		if c.file >= 0 && c.file < int64(len(u.files)) && u.files[c.file] != nil {
			file = u.files[c.file].Name
		}
	}
	return append(out, SourceFrame{Func: lt.name(u, u.spans[i].entry), File: file, Line: line})
}

// readFunctions lists the functions of a unit: those at its top, and in its namespaces and types.
func (lt *lineTable) readFunctions(unit int) *unitFunctions {
	u := &unitFunctions{scopes: map[dwarf.Offset]string{}}
	if lr, _ := lt.reader(unit); lr != nil {
		u.files = lr.Files()
	}
	r := lt.data.Reader()
	r.Seek(lt.units[unit])
	var scope []string // of the entries that are open
	for range maxTreeEntries {
		e, err := r.Next()
		if err != nil || e == nil || len(u.spans) > maxFunctions {
			break
		}
		if e.Tag == 0 {
			if len(scope) <= 1 {
				break
			}
			scope = scope[:len(scope)-1]
			continue
		}
		outer := ""
		if n := len(scope); n > 0 {
			outer = scope[n-1]
		}
		if e.Tag == dwarf.TagSubprogram {
			if outer != "" && e.Val(dwarf.AttrLinkageName) == nil {
				u.scopes[e.Offset] = outer
			}
			if ranges, err := lt.data.Ranges(e); err == nil {
				for _, x := range ranges {
					if x[0] < x[1] {
						u.spans = append(u.spans, functionSpan{x[0], x[1], e.Offset})
					}
				}
			}
		}
		if !e.Children {
			continue
		}
		switch e.Tag {
		case dwarf.TagCompileUnit, dwarf.TagPartialUnit, dwarf.TagSkeletonUnit:
			scope = append(scope, "")
		case dwarf.TagNamespace, dwarf.TagModule, dwarf.TagStructType, dwarf.TagClassType, dwarf.TagUnionType:
			name, ok := e.Val(dwarf.AttrName).(string)
			if !ok {
				name = "(anonymous namespace)"
			}
			if len(scope) > maxScopes {
				r.SkipChildren()
				continue
			}
			scope = append(scope, outer+name+"::")
		default:
			r.SkipChildren()
		}
	}
	slices.SortFunc(u.spans, func(a, b functionSpan) int { return cmp.Compare(a.low, b.low) })
	return u
}

// inlinedAt lists the functions inlined at an address of a function, outermost first.
func (lt *lineTable) inlinedAt(function dwarf.Offset, addr uint64) []inlined {
	r := lt.data.Reader()
	r.Seek(function)
	if e, err := r.Next(); err != nil || e == nil || !e.Children {
		return nil
	}
	var out []inlined
	depth := 1
	for range maxTreeEntries {
		e, err := r.Next()
		if err != nil || e == nil {
			break
		}
		if e.Tag == 0 {
			if depth--; depth == 0 {
				break
			}
			continue
		}
		enter := false
		switch e.Tag {
		case dwarf.TagInlinedSubroutine, dwarf.TagLexDwarfBlock:
			ranges, err := lt.data.Ranges(e)
			if enter = err == nil && (covers(ranges, addr) || e.Tag == dwarf.TagLexDwarfBlock && len(ranges) == 0); enter && e.Tag == dwarf.TagInlinedSubroutine {
				c := inlined{file: -1}
				c.origin, _ = e.Val(dwarf.AttrAbstractOrigin).(dwarf.Offset)
				if n, ok := e.Val(dwarf.AttrCallFile).(int64); ok {
					c.file = n
				}
				c.line, _ = e.Val(dwarf.AttrCallLine).(int64)
				if out = append(out, c); len(out) >= maxInlineDepth {
					return out
				}
			}
		}
		if !e.Children {
			continue
		}
		if enter {
			depth++
		} else {
			r.SkipChildren()
		}
	}
	return out
}

// name is the name of the function whose entry is at an offset: the linker's, demangled, or that of the source.
func (lt *lineTable) name(u *unitFunctions, at dwarf.Offset) string {
	plain, scope := "", ""
	for range maxOrigins {
		r := lt.data.Reader()
		r.Seek(at)
		e, err := r.Next()
		if err != nil || e == nil {
			break
		}
		for _, attr := range []dwarf.Attr{dwarf.AttrLinkageName, attrMIPSLinkageName} {
			if s, ok := e.Val(attr).(string); ok && s != "" {
				return Demangle(s)
			}
		}
		if s, ok := e.Val(dwarf.AttrName).(string); ok && plain == "" {
			plain = s
		}
		if scope == "" {
			scope = u.scopes[e.Offset]
		}
		next, ok := e.Val(dwarf.AttrAbstractOrigin).(dwarf.Offset)
		if !ok {
			next, ok = e.Val(dwarf.AttrSpecification).(dwarf.Offset)
		}
		if !ok {
			break
		}
		at = next
	}
	return scope + plain
}

// attrMIPSLinkageName is what compilers used before DWARF 4 had an attribute of its own.
const attrMIPSLinkageName = dwarf.Attr(0x2007)
