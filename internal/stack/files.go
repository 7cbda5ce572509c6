package stack

import (
	"farcall/symbols"
	"farcall/symbols/unwind"
)

// Files keeps what was read of files: symbols, frame information, names that were asked for. Its zero
// value works. It is for one goroutine.
type Files struct {
	Limit int64 // bytes to keep, 0 for 512 MiB; what is in use may exceed it

	modules map[symbols.Key]*module
	asked   int
}

const defaultLimit = 512 << 20

// module is a file with all that is known of it.
type module struct {
	file    *symbols.File
	table   *unwind.Table
	buildID string
	names   map[uint64][]name // by in-file address of an instruction
}

// name is a function that an instruction belongs to: one that was compiled, or one that was
// inlined into it.
type name struct {
	symbol string
	offset uint64
	inline bool
	source // of an inlined function, where in it; of the others where that function goes on
}

type source struct {
	file string
	line int
}

// maxNames bounds the names that are kept of one file.
const maxNames = 1 << 15

func newModule(f *symbols.File) *module {
	m := &module{file: f, buildID: f.BuildID(), names: map[uint64][]name{}}
	m.table, _ = unwind.NewTable(f) // nil for a machine that is not known
	return m
}

// get returns the module of a key, and opens it if need be; nil if that fails.
func (f *Files) get(key symbols.Key, open func() (*symbols.File, error)) *module {
	if m, ok := f.modules[key]; ok {
		return m
	}
	if f.asked++; f.asked%64 == 0 {
		f.shrink()
	}
	var m *module
	if file, err := open(); err == nil {
		m = newModule(file)
	}
	if f.modules == nil {
		f.modules = map[symbols.Key]*module{}
	}
	f.modules[key] = m
	return m
}

// shrink forgets all files when they have become too many. Spaces hold on to those that they use.
func (f *Files) shrink() {
	limit := f.Limit
	if limit == 0 {
		limit = defaultLimit
	}
	if f.Memory() > limit {
		clear(f.modules)
	}
}

// Memory is about how many bytes are held.
func (f *Files) Memory() int64 {
	total := int64(0)
	for _, m := range f.modules {
		if m != nil {
			total += m.memory()
		}
	}
	return total
}

func (m *module) memory() int64 {
	n := m.file.Memory() + int64(len(m.names))*128
	if m.table != nil {
		n += m.table.Memory()
	}
	return n
}

// at returns the functions that an instruction belongs to, innermost first; the last one is no
// inlined one. The others, and source lines, are there if lines is set, which has to be the same for
// all calls.
func (m *module) at(addr uint64, lines bool) []name {
	if n, ok := m.names[addr]; ok {
		return n
	}
	var own name
	if s, offset, ok := m.file.Lookup(addr); ok {
		own.symbol, own.offset = s.Demangled(), offset
	}
	var out []name
	if lines {
		frames := m.file.Frames(addr)
		for _, f := range frames {
			if f.Inline {
				out = append(out, name{symbol: f.Func, inline: true, source: source{f.File, f.Line}})
				continue
			}
			own.source = source{f.File, f.Line}
			if own.symbol == "" {
				own.symbol = f.Func
			}
		}
		if frames == nil {
			own.file, own.line, _ = m.file.Line(addr)
		}
	}
	out = append(out, own)
	if len(m.names) >= maxNames {
		clear(m.names)
	}
	m.names[addr] = out
	return out
}
