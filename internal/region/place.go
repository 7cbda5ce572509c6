package region

import (
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"path"
	"strings"

	"farcall/internal/engine"
	"farcall/internal/linux"
	"farcall/symbols"
)

// sites are the places of interest in an address space.
type sites struct {
	entries map[uint64]*Region
	returns map[uint64]int // how many frames return there
	loader  uint64         // the function that the loader calls when the list of objects has changed; 0 for none
	start   uint64         // the program's entry point, while it is awaited
	known   map[key]bool   // objects that were looked at
	settled map[*spec]bool // found in the program: not looked for in libraries
}

type key struct {
	dev   string
	inode uint64
	at    uint64
}

func (tr *Tracker) sites(t *engine.Thread) *sites {
	s := tr.spaces[t.Space()]
	if s == nil {
		s = &sites{entries: map[uint64]*Region{}, returns: map[uint64]int{}, known: map[key]bool{}, settled: map[*spec]bool{}}
		tr.spaces[t.Space()] = s
	}
	return s
}

// copied is s for a forked process.
func (s *sites) copied() *sites {
	c := *s
	c.entries, c.known, c.settled = maps.Clone(s.entries), maps.Clone(s.known), maps.Clone(s.settled)
	c.returns = map[uint64]int{}
	return &c
}

// An Error says why a pattern cannot be a region.
type Error struct {
	Pattern string
	Object  string // file that was looked at, "" for none
	Err     error
	hint    string
}

func (e *Error) Error() string {
	if e.Object == "" {
		return fmt.Sprintf("region '%s': %v", e.Pattern, e.Err)
	}
	return fmt.Sprintf("region '%s': %s: %v", e.Pattern, e.Object, e.Err)
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// Hint is a remedy, "" where none is known.
func (e *Error) Hint() string {
	var h interface{ Hint() string }
	if e.hint == "" && errors.As(e.Err, &h) {
		return h.Hint()
	}
	return e.hint
}

// start looks for the regions of a process whose program has just been loaded, and nothing else.
func (tr *Tracker) start(t *engine.Thread) {
	if len(tr.specs) == 0 {
		return
	}
	t.Space().Hardware = tr.opts.Hardware
	t.Space().Stepped = tr.opts.Step && !tr.opts.Hardware
	s := tr.sites(t)
	im, err := linux.ReadImages(t.PID())
	if err != nil {
		return // it was killed
	}
	auxv := symbols.ParseAuxv(im.Auxv, elf.ELFCLASS64, binary.NativeEndian)
	tr.look(t, s, im)
	if tr.complete(s) {
		return
	}
	if auxv.Base == 0 {
		tr.missing(t, s, im)
		return
	}
	s.loader = tr.loaderHook(im, auxv)
	s.start = auxv.Entry
	for _, a := range []uint64{s.loader, s.start} {
		if a != 0 {
			tr.insert(t, "start", a)
		}
	}
}

// Attached looks for the regions of a running process.
func (tr *Tracker) Attached(t *engine.Thread) {
	if len(tr.specs) == 0 || tr.done {
		return
	}
	t.Space().Hardware = tr.opts.Hardware
	s := tr.sites(t)
	im, err := linux.ReadImages(t.PID())
	if err != nil {
		return
	}
	tr.look(t, s, im)
	tr.missing(t, s, im)
	if auxv := symbols.ParseAuxv(im.Auxv, elf.ELFCLASS64, binary.NativeEndian); auxv.Base != 0 && !tr.complete(s) && !tr.done {
		if s.loader = tr.loaderHook(im, auxv); s.loader != 0 {
			tr.insert(t, "loader", s.loader)
		}
	}
}

func (tr *Tracker) insert(t *engine.Thread, name string, addr uint64) {
	if err := t.InsertBreakpoint(addr); err != nil {
		hint := ""
		if errors.Is(err, engine.ErrNoDebugRegister) {
			hint = "there are four, of which one is for the return; use fewer symbols, or leave --hw out"
		} else if errors.Is(err, engine.ErrNoBreakpoint) {
			hint = "--hw needs no breakpoints in memory"
		}
		tr.fail(&Error{Pattern: name, Err: err, hint: hint})
	}
}

func (tr *Tracker) fail(err error) {
	if !tr.done {
		tr.done = true
		tr.to.Fail(err)
	}
}

// loaded handles the arrival at the loader's hook or at the program's entry point.
func (tr *Tracker) loaded(t *engine.Thread, s *sites, addr uint64) {
	im, err := linux.ReadImages(t.PID())
	if err != nil {
		return
	}
	tr.look(t, s, im)
	if addr == s.start && !tr.done {
		s.start = 0
		t.RemoveBreakpoint(addr)
		tr.missing(t, s, im)
	}
	if s.start == 0 && s.loader != 0 && tr.complete(s) {
		t.RemoveBreakpoint(s.loader)
		s.loader = 0
	}
}

// complete tells whether nothing is to be looked for in objects that are loaded later.
func (tr *Tracker) complete(s *sites) bool {
	for _, p := range tr.specs {
		if !s.settled[p] {
			return false
		}
	}
	return true
}

// missing reports patterns that are not in the program and its libraries, where nothing can bring them any more.
func (tr *Tracker) missing(t *engine.Thread, s *sites, im *linux.Images) {
	for _, p := range tr.specs {
		if s.settled[p] || p.Object != "" || tr.opts.Follow {
			continue
		}
		tr.fail(tr.notFound(p, im))
		return
	}
	_ = t
}

// notFound explains why a pattern was not found.
func (tr *Tracker) notFound(p *spec, im *linux.Images) error {
	e := &Error{Pattern: p.Text, Err: p.err}
	if im != nil && im.Exe >= 0 {
		e.Object = im.Files[im.Exe].Path
	}
	if e.Err == nil {
		e.Err = &symbols.NotFoundError{Pattern: p.Text}
	}
	if e.Hint() == "" {
		e.hint = "the program and its libraries were searched; for one that is loaded later write LIBRARY:SYMBOL, for a program that is started later use -f"
	}
	return e
}

// Missing lists what was never found, when the trace is over.
func (tr *Tracker) Missing() []error {
	var out []error
	for _, p := range tr.specs {
		if p.found || tr.done {
			continue
		}
		e := &Error{Pattern: p.Text, Err: p.err}
		switch {
		case p.err != nil:
		case p.Object != "":
			e.Err = fmt.Errorf("no object '%s' was loaded", p.Object)
			e.hint = "the name is that of the file, such as libssl.so.3, or a glob"
		default:
			e.Err = &symbols.NotFoundError{Pattern: p.Text}
		}
		out = append(out, e)
	}
	return out
}

// look searches the objects that are new, the program first.
func (tr *Tracker) look(t *engine.Thread, s *sites, im *linux.Images) {
	order := make([]int, 0, len(im.Files))
	if im.Exe >= 0 {
		order = append(order, im.Exe)
	}
	for i := range im.Files {
		if i != im.Exe {
			order = append(order, i)
		}
	}
	for _, i := range order {
		image := &im.Files[i]
		k := key{image.Dev, image.Inode, image.Mappings[0].Start}
		if s.known[k] || tr.done {
			continue
		}
		f, err := im.OpenCached(i, tr.cache)
		if err != nil {
			continue // not an ELF file, or out of reach
		}
		placements, err := f.Placements(image.Mappings)
		if err != nil {
			continue // the loader is not done with it
		}
		s.known[k] = true
		program := i == im.Exe
		if err := f.CheckArch(machine); err != nil {
			if program {
				tr.fail(&Error{Pattern: tr.specs[0].Text, Object: image.Path, Err: err, hint: "regions work in programs of the machine's own 64-bit architecture"})
			}
			continue
		}
		for _, place := range placements {
			for _, p := range tr.specs {
				if s.settled[p] || !objectMatches(p.Object, image.Path) {
					continue
				}
				tr.search(t, s, p, f, image.Path, place.Bias)
				// A pattern without an object is looked for in libraries if the program does not have it.
				if p.Object == "" && len(s.entries) > 0 && p.found && tr.has(s, p) && program {
					s.settled[p] = true
				}
			}
		}
	}
	for _, p := range tr.specs {
		if !s.settled[p] && tr.has(s, p) && (p.Object == "" || !strings.ContainsAny(p.Object, "*?[")) {
			s.settled[p] = true
		}
	}
}

// has tells whether a pattern has places in an address space.
func (tr *Tracker) has(s *sites, p *spec) bool {
	for _, g := range s.entries {
		if g.of(p) {
			return true
		}
	}
	return false
}

func (g *Region) of(p *spec) bool { return g.spec == p }

// search looks a pattern up in one object and sets breakpoints.
func (tr *Tracker) search(t *engine.Thread, s *sites, p *spec, f *symbols.File, object string, bias uint64) {
	found, err := f.Find(p.Pattern)
	if err != nil {
		if p.err == nil || better(err, p.err) {
			p.err = err
		}
		return
	}
	var places []symbols.Match
	for _, m := range found {
		indirect := m.Symbol.Type == symbols.TypeIFunc
		switch m.Symbol.Type {
		case symbols.TypeObject, symbols.TypeTLS, symbols.TypeCommon:
			continue
		case symbols.TypePLT:
			if !strings.HasSuffix(p.Name, "@plt") {
				continue
			}
		}
		inside := m.Symbol.Name != "" && m.Symbol.Addr != m.Addr
		switch {
		case indirect && !p.glob():
			tr.fail(&Error{Pattern: p.Text, Object: object, Err: errors.New("it is an indirect function: the loader chooses one of several when it starts"),
				hint: "name the one that is used; 'farcall symbols " + object + "' lists them"})
			return
		case indirect:
			continue
		case inside:
			tr.fail(&Error{Pattern: p.Text, Object: object, Err: fmt.Errorf("it is inside '%s', not where that begins", m.Symbol.Demangled()),
				hint: "a region is a function: --in '" + m.Symbol.Demangled() + "'"})
			return
		}
		if len(places) == 0 || places[len(places)-1].Addr != m.Addr {
			places = append(places, m)
		}
	}
	if len(places) == 0 {
		if p.err == nil {
			p.err = errors.New("it is no function")
		}
		return
	}
	if len(places) > 1 && !p.glob() {
		tr.fail(&Error{Pattern: p.Text, Object: object, Err: &symbols.AmbiguousError{Pattern: p.Text, Candidates: places}})
		return
	}
	p.found = true
	for _, m := range places {
		name := p.Name
		if p.glob() || name == "" {
			if name = m.Symbol.Demangled(); name == "" {
				name = p.Text
			}
		}
		addr := m.Addr + bias
		if s.entries[addr] == nil && !tr.done {
			s.entries[addr] = &Region{Name: name, Addr: addr, spec: p}
			tr.insert(t, p.Text, addr)
		}
	}
}

// better tells whether an error says more than another: near names.
func better(err, than error) bool {
	var a, b *symbols.NotFoundError
	if !errors.As(err, &a) {
		return true
	}
	return errors.As(than, &b) && len(b.Near) == 0 && len(a.Near) > 0
}

// objectMatches tells whether an object is what a pattern asks for: by its path, its name, its name up to .so, or a glob of these.
func objectMatches(want, name string) bool {
	base := path.Base(name)
	bare, _, _ := strings.Cut(base, ".so")
	for _, n := range []string{base, bare, name} {
		if ok, err := path.Match(want, n); want == "" || want == n || ok && err == nil {
			return true
		}
	}
	return false
}

// loaderHook is the address of the function that the dynamic loader calls for debuggers when objects come and go: r_debug.r_brk (link.h),
// which glibc and musl call _dl_debug_state.
func (tr *Tracker) loaderHook(im *linux.Images, auxv symbols.Auxv) uint64 {
	for i := range im.Files {
		first := im.Files[i].Mappings[0]
		if first.Start-first.Offset != auxv.Base {
			continue
		}
		f, err := im.OpenCached(i, tr.cache)
		if err != nil {
			return 0
		}
		found, err := f.Find(symbols.Pattern{Text: "_dl_debug_state", Name: "_dl_debug_state"})
		if err != nil || len(found) == 0 {
			return 0
		}
		return found[0].Addr + auxv.Base
	}
	return 0
}
