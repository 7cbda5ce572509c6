package symbols

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"farcall/filter"
)

// Match is a place that a pattern names.
type Match struct {
	Addr   uint64 // in-file address
	Symbol Symbol // the symbol there, or the one that Addr lies in; its Name is "" where there is none
	File   string // source file and line, for patterns that ask for them
	Line   int
}

// label names the match in a message.
func (m Match) label() string {
	name := m.Symbol.VersionedName()
	if d := m.Symbol.Demangled(); d != m.Symbol.Name {
		name = d
	}
	if m.File != "" {
		return fmt.Sprintf("%s:%d in %s", m.File, m.Line, name)
	}
	return name
}

// Resolve finds the one place that a pattern names; the Object of the pattern is the caller's to
// choose files by. Several names of one place are one. Errors: *NotFoundError, *AmbiguousError,
// ErrNoLines.
func (f *File) Resolve(p Pattern) (Match, error) {
	all, err := f.Find(p)
	if err != nil {
		return Match{}, err
	}
	distinct := slices.CompactFunc(slices.Clone(all), func(a, b Match) bool { return a.Addr == b.Addr })
	if len(distinct) > 1 {
		return Match{}, &AmbiguousError{Pattern: p.Text, Candidates: distinct}
	}
	return distinct[0], nil
}

// Find lists the places that a pattern names, by address. For a name, what it is tried as, until
// something is found: the name or versioned name of the file; the name as in the source (in full,
// without parameters, without template arguments; for Go without the path before the package);
// the name of a function that the compiler made variants of (f.isra.0); a glob over all of these.
// A name without a version that has a default version means that one. Errors: *NotFoundError, and
// for source lines ErrNoLines.
func (f *File) Find(p Pattern) ([]Match, error) {
	f.loadSymbols()
	if p.HasAddr {
		m := Match{Addr: p.Addr}
		if s, _, ok := f.Lookup(p.Addr); ok {
			m.Symbol = s
		} else if !f.mapped(p.Addr) {
			return nil, f.notFound(p)
		}
		return []Match{m}, nil
	}
	// A name may look like an object and a name: Go's go:buildid.
	if found := f.byName(p.Text); len(found) > 0 {
		return found, nil
	}
	if p.Line > 0 {
		found, err := f.byLine(p.File, p.Line)
		if err == nil && len(found) == 0 {
			err = f.noLine(p)
		}
		return found, err
	}
	for _, by := range []func(string) []Match{f.byName, f.bySource, f.byVariant, f.byGlob} {
		if found := by(p.Name); len(found) > 0 {
			return found, nil
		}
	}
	return nil, f.notFound(p)
}

// mapped reports whether the address is in a segment of the loaded file.
func (f *File) mapped(addr uint64) bool {
	return f.image.memory(addr, 1) != nil || f.image.executable(addr)
}

// matches lists the symbols for which is returns true.
func (f *File) matches(is func(e *entry) bool) []Match {
	var out []Match
	for i := range f.table.entries {
		if is(&f.table.entries[i]) {
			s := f.table.symbol(i)
			out = append(out, Match{Addr: s.Addr, Symbol: s})
		}
	}
	return out
}

// rest is the string table from the entry's name on.
func (t *table) rest(e *entry) string {
	b := t.blobs[e.blob]
	return b[min(uint64(e.name), uint64(len(b))):]
}

// named reports whether the entry has this name, without looking at all of a long one.
func (t *table) named(e *entry, name string) bool {
	rest := t.rest(e)
	return strings.HasPrefix(rest, name) && (len(rest) == len(name) || rest[len(name)] == 0)
}

func (f *File) byName(name string) []Match {
	if base, version, ok := strings.Cut(name, "@"); ok && version != "plt" && base != "" {
		version = strings.TrimPrefix(version, "@")
		return f.matches(func(e *entry) bool {
			if e.version != 0 {
				return f.table.versions[e.version&^versionDefault] == version && f.table.named(e, base)
			}
			return f.table.named(e, base+"@"+version) || f.table.named(e, base+"@@"+version)
		})
	}
	// .symtab has versions in the names, the default one with two signs.
	suffixed := func(sign string) func(e *entry) bool {
		return func(e *entry) bool {
			if e.source > SourceDebugData || e.version != 0 {
				return false
			}
			rest := f.table.rest(e)
			return strings.HasPrefix(rest, name) && strings.HasPrefix(rest[len(name):], sign)
		}
	}
	current := suffixed("@@")
	found := f.matches(func(e *entry) bool { return f.table.named(e, name) || current(e) })
	if slices.ContainsFunc(found, func(m Match) bool { return m.Symbol.Default }) {
		return slices.DeleteFunc(found, func(m Match) bool { return !m.Symbol.Default })
	}
	if len(found) > 0 {
		return found
	}
	return f.matches(suffixed("@"))
}

// cold reports whether the name is that of the part of a function that the compiler moved away:
// it is no place where the function begins.
func cold(name string) bool { return strings.HasSuffix(name, ".cold") }

func (f *File) bySource(name string) []Match {
	must := identifier(name)
	compact := strings.ReplaceAll(name, " ", "")
	return f.matches(func(e *entry) bool {
		n := f.table.name(e)
		if f.pcln != nil && strings.HasSuffix(n, name) && strings.HasSuffix(n[:len(n)-len(name)], "/") {
			return true
		}
		if !mangled(n) || cold(n) || must != "" && !strings.Contains(n, must) && !abbreviated(n) {
			return false
		}
		return slices.ContainsFunc(demangledForms(n), func(form string) bool {
			return form == name || strings.ReplaceAll(form, " ", "") == compact
		})
	})
}

// identifier is a word that a mangled name must contain to be that of a function written like
// this: the last one before parameters. It is "" where no such word is certain.
func identifier(name string) string {
	if strings.Contains(name, "operator") || strings.ContainsAny(name, "{'") {
		return ""
	}
	if i := strings.IndexAny(name, "(<"); i > 0 {
		name = name[:i]
	}
	name = name[strings.LastIndexByte(name, ':')+1:]
	name = name[strings.LastIndexByte(name, ' ')+1:]
	return strings.TrimLeft(name, "~")
}

// abbreviated reports whether a mangled name has one of the standard library's classes in short
// form, so that a constructor's or destructor's word is not in it.
func abbreviated(mangled string) bool {
	for _, s := range []string{"Sa", "Sb", "Ss", "Si", "So", "Sd"} {
		if i := strings.Index(mangled, s); i >= 0 && i+2 < len(mangled) && strings.IndexByte("CDI", mangled[i+2]) >= 0 {
			return true
		}
	}
	return false
}

// variants are the marks that compilers put behind the name of a function that they changed.
var variants = []string{".isra.", ".constprop.", ".part.", ".lto_priv.", ".llvm."}

func (f *File) byVariant(name string) []Match {
	return f.matches(func(e *entry) bool {
		if !strings.HasPrefix(f.table.rest(e), name+".") {
			return false
		}
		n := f.table.name(e)
		return !cold(n) && slices.ContainsFunc(variants, func(v string) bool { return strings.HasPrefix(n[len(name):], v) })
	})
}

func (f *File) byGlob(glob string) []Match {
	if !isGlob(glob) {
		return nil
	}
	base, version, versioned := strings.Cut(glob, "@")
	if strings.Contains(base, "[") && !strings.Contains(base, "]") {
		base, versioned = glob, false // the sign is in a set
	}
	version = strings.TrimPrefix(version, "@")
	return f.matches(func(e *entry) bool {
		n := f.table.name(e)
		if matchGlob(glob, n) {
			return true
		}
		own := f.table.versions[e.version&^versionDefault]
		if e.version == 0 && e.source <= SourceDebugData {
			n, own, _ = strings.Cut(n, "@")
			own = strings.TrimPrefix(own, "@")
		}
		if versioned && own != "" {
			return matchGlob(base, n) && matchGlob(version, own)
		}
		if matchGlob(glob, n) {
			return true
		}
		if !mangled(n) {
			return false
		}
		return slices.ContainsFunc(demangledForms(n), func(form string) bool { return matchGlob(glob, form) })
	})
}

// maxCompared bounds the names that a misspelt one is compared with; mangled ones cost about 5 us each.
const maxCompared = 1 << 17

// maxNear is the length of the longest name that is proposed for a misspelt one.
const maxNear = 1 << 10

// notFound makes the error, with suggestions: functions that have the name in another namespace
// or package, else the name at the least distance.
func (f *File) notFound(p Pattern) error {
	e := &NotFoundError{Pattern: p.Text, Empty: len(f.table.entries) == 0}
	if p.Name == "" || isGlob(p.Name) || e.Empty {
		return e
	}
	name, _, _ := strings.Cut(p.Name, "@")
	seen := map[string]bool{}
	add := func(s string) {
		if len(e.Near) < 3 && !seen[s] && s != "" {
			seen[s] = true
			e.Near = append(e.Near, s)
		}
	}
	last := func(s string) string { return s[strings.LastIndexAny(s, ":.")+1:] }
	want := last(name)
	names := func(yield func(string) bool) {
		for i := range min(len(f.table.entries), maxCompared) {
			n := f.table.name(&f.table.entries[i])
			n, _, _ = strings.Cut(n, "@")
			if len(n) > maxNear {
				continue
			}
			if mangled(n) {
				if forms := demangledForms(n); len(forms) > 0 {
					n = forms[len(forms)-1]
				}
			}
			if len(n) < 4*len(name)+64 && !yield(n) {
				return
			}
		}
	}
	for n := range names {
		if want != "" && len(n) > len(want) && last(n) == want {
			add(n)
		}
	}
	add(filter.Nearest(name, names))
	return e
}

func (f *File) noLine(p Pattern) error {
	return &NotFoundError{Pattern: p.Text}
}

// Line finds the source line of an in-file address. Inlined functions count as the lines that they
// were written on. It is false where the address has no line; errors of reading are ErrNoLines and
// those of the format.
func (f *File) Line(addr uint64) (file string, line int, ok bool) {
	f.loadSymbols()
	if lt, err := f.lineTable(); err == nil {
		if file, line, ok := lt.line(addr); ok {
			return file, line, true
		}
	}
	if f.pcln != nil {
		return f.pcln.line(addr)
	}
	return "", 0, false
}

// byLine lists the first address of a source line in each function that has code of it. A line
// without code stands for the next one that has some.
func (f *File) byLine(file string, line int) ([]Match, error) {
	lt, err := f.lineTable()
	var rows []lineMatch
	if err == nil {
		rows, err = lt.find(file, line)
	}
	if f.pcln != nil && len(rows) == 0 {
		rows, err = f.pcln.find(file, line), nil
	}
	if err != nil {
		return nil, err
	}
	// Only the best line: the nearest at or behind the one that was asked for.
	best := 0
	for _, r := range rows {
		if best == 0 || r.line < best {
			best = r.line
		}
	}
	rows = slices.DeleteFunc(rows, func(r lineMatch) bool { return r.line != best })
	slices.SortFunc(rows, func(a, b lineMatch) int { return cmp.Compare(a.addr, b.addr) })
	var out []Match
	inside := map[uint64]bool{} // functions, by address
	for _, r := range rows {
		m := Match{Addr: r.addr, File: r.file, Line: r.line}
		if s, _, ok := f.Lookup(r.addr); ok {
			m.Symbol = s
			if inside[s.Addr] {
				continue
			}
			inside[s.Addr] = true
		}
		out = append(out, m)
	}
	return out, nil
}
