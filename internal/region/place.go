package region

import (
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"strings"

	"farcall/internal/engine"
	"farcall/internal/linux"
	"farcall/symbols"
)

// sites are the places of interest in an address space.
type sites struct {
	pid     int // of the process that has the memory for itself; vfork children use it too
	entries map[uint64]*Region
	from    map[uint64]key // the object that an entry is in
	returns map[uint64]int // how many frames return there
	loader  uint64         // the function that the loader calls when the list of objects has changed; 0 for none
	base    uint64         // where the loader itself is, 0 for none
	start   uint64         // the program's entry point, while it is awaited
	known   map[key]bool   // objects that were looked at
	hooks   *hooks         // of a Go program
	strict  bool           // what cannot be a region there ends the trace
	inGo    int            // goroutines that are inside
	settled map[*spec]bool // found in the program: not looked for in libraries

	resolvers map[uint64]*resolver   // of indirect functions that are awaited
	resolving map[uint64][]resolving // calls of them, by where they return

	inspection *inspection // nil for none
}

type key struct {
	dev   string
	inode uint64
	at    uint64
}

func (tr *Tracker) sites(t *engine.Thread) *sites {
	s := tr.spaces[t.Space()]
	if s == nil {
		s = &sites{pid: t.PID(), entries: map[uint64]*Region{}, from: map[uint64]key{}, returns: map[uint64]int{}, known: map[key]bool{}, settled: map[*spec]bool{},
			resolvers: map[uint64]*resolver{}, resolving: map[uint64][]resolving{}}
		tr.spaces[t.Space()] = s
	}
	return s
}

// copied is s for a forked process.
func (s *sites) copied() *sites {
	c := *s
	c.entries, c.from, c.known, c.settled = maps.Clone(s.entries), maps.Clone(s.from), maps.Clone(s.known), maps.Clone(s.settled)
	c.returns, c.inGo = map[uint64]int{}, 0
	c.resolvers, c.resolving = maps.Clone(s.resolvers), map[uint64][]resolving{}
	c.inspection = nil
	return &c
}

// needs tells whether a breakpoint has to stand at addr.
func (s *sites) needs(addr uint64) bool {
	return s.entries[addr] != nil || s.returns[addr] > 0 || addr == s.loader || addr == s.start || s.resolvers[addr] != nil ||
		len(s.resolving[addr]) > 0 || s.inGo > 0 && has(s.hooks.all(), addr)
}

// release removes a breakpoint that was needed for something that is over.
func (tr *Tracker) release(t *engine.Thread, s *sites, addr uint64) {
	if !s.needs(addr) {
		t.RemoveBreakpoint(addr)
	}
}

// An Error says why a pattern cannot be a region.
type Error struct {
	Pattern string
	Object  string // file that was looked at, "" for none
	Err     error
	hint    string
}

func (e *Error) Error() string {
	text := e.Err.Error()
	if !strings.Contains(text, "'"+e.Pattern+"'") {
		text = "'" + e.Pattern + "': " + text
	}
	if e.Object != "" {
		text = e.Object + ": " + text
	}
	return text
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
	tr.programs++
	s.strict = tr.programs == 1 || !tr.opts.Follow
	s.base, s.start = auxv.Base, auxv.Entry
	tr.look(t, s, im)
	switch complete := tr.complete(s); {
	case tr.done, complete && len(s.resolvers) == 0:
		s.start = 0
		return
	case auxv.Base == 0:
		s.start = 0
		tr.missing(t, s, im)
		tr.resolveAll(t, s, im)
		return
	case !complete:
		s.loader = tr.loaderHook(im, auxv)
	}
	for _, a := range []uint64{s.loader, s.start} {
		if a != 0 {
			tr.insert(t, "start", a)
		}
	}
}

// Attached looks for the regions of a running process, all of whose threads are held.
func (tr *Tracker) Attached(t *engine.Thread) {
	if len(tr.specs) == 0 || tr.done {
		return
	}
	t.Space().Hardware = tr.opts.Hardware
	s := tr.sites(t)
	if len(s.known) > 0 {
		return // another of its threads
	}
	im, err := linux.ReadImages(t.PID())
	if err != nil {
		return
	}
	auxv := symbols.ParseAuxv(im.Auxv, elf.ELFCLASS64, binary.NativeEndian)
	s.base, s.strict = auxv.Base, true
	tr.look(t, s, im)
	tr.missing(t, s, im)
	if auxv.Base != 0 && !tr.complete(s) && !tr.done {
		if s.loader = tr.loaderHook(im, auxv); s.loader != 0 {
			tr.insert(t, "loader", s.loader)
		}
	}
	tr.inspect(t, s)
}

func (tr *Tracker) insert(t *engine.Thread, name string, addr uint64) {
	if err := t.InsertBreakpoint(addr); err != nil {
		hint := ""
		if errors.Is(err, engine.ErrNoDebugRegister) {
			hint = "there are four, of which one is for the return; use fewer symbols, or leave --hw out"
		} else if errors.Is(err, engine.ErrNoBreakpoint) {
			hint = "--hw needs no breakpoints in memory"
		}
		tr.fail(t, &Error{Pattern: name, Err: err, hint: hint})
	}
}

func (tr *Tracker) fail(t *engine.Thread, err error) {
	if !tr.done {
		tr.done = true
		tr.to.Fail(t, err)
	}
}

// refuse is fail for the program that the trace is about. Those that it starts need not have the function at all: then it is said at the
// end if nobody has it.
func (tr *Tracker) refuse(t *engine.Thread, s *sites, p *spec, err error) {
	if s.strict {
		tr.fail(t, err)
		return
	}
	p.err = err
}

// loaded handles the arrival at the loader's hook or at the program's entry point.
func (tr *Tracker) loaded(t *engine.Thread, s *sites, addr uint64) {
	im, err := linux.ReadImages(t.PID())
	if err != nil {
		return
	}
	if addr == s.start {
		s.start = 0
		tr.release(t, s, addr)
		tr.look(t, s, im)
		tr.missing(t, s, im)
		tr.resolveAll(t, s, im)
	} else {
		tr.look(t, s, im)
	}
	if s.start == 0 && s.loader != 0 && tr.complete(s) {
		hook := s.loader
		s.loader = 0
		tr.release(t, s, hook)
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
		tr.fail(t, tr.notFound(p, im))
		return
	}
}

// notFound explains why a pattern was not found.
func (tr *Tracker) notFound(p *spec, im *linux.Images) error {
	e := &Error{Pattern: p.Text, Err: &symbols.NotFoundError{Pattern: p.Text}}
	if im.Exe >= 0 {
		e.Object = im.Files[im.Exe].Path
	}
	var near *symbols.NotFoundError
	if errors.As(p.err, &near) {
		e.Err = near
	} else if p.err != nil {
		return p.err
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
		if p.err != nil {
			out = append(out, p.err)
			continue
		}
		e := &Error{Pattern: p.Text}
		switch {
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
	tr.unloaded(t, s, im)
	order := make([]int, 0, len(im.Files))
	if im.Exe >= 0 {
		order = append(order, im.Exe)
	}
	for i := range im.Files {
		if i != im.Exe && im.Files[i].Mappings[0].Start != s.base {
			order = append(order, i)
		}
	}
	tr.lookAt(t, s, im, order)
	if s.start != 0 {
		return
	}
	// The loader has functions of its own under names of the C library, which are meant by nobody who does not name it. It
	// comes last, once the libraries are there. (Musl's is the C library.)
	tr.settleFound(s)
	for i := range im.Files {
		if i != im.Exe && im.Files[i].Mappings[0].Start == s.base {
			tr.lookAt(t, s, im, []int{i})
		}
	}
	tr.settleFound(s)
}

// settleFound notes which patterns without an object need not be looked for any more.
func (tr *Tracker) settleFound(s *sites) {
	for _, p := range tr.specs {
		if p.Object == "" && tr.has(s, p) {
			s.settled[p] = true
		}
	}
}

// lookAt searches those of the files that are new.
func (tr *Tracker) lookAt(t *engine.Thread, s *sites, im *linux.Images, files []int) {
	for _, i := range files {
		image := &im.Files[i]
		k := keyOf(image)
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
			if program && s.strict {
				tr.fail(t, &Error{Pattern: tr.specs[0].Text, Object: image.Path, Err: err, hint: "regions work in programs of the machine's own 64-bit architecture"})
			}
			continue
		}
		if f.IsGo() && s.hooks == nil {
			if s.hooks = goHooks(f, placements[0].Bias); s.hooks != nil && tr.opts.Hardware {
				tr.fail(t, &Error{Pattern: tr.specs[0].Text, Object: image.Path, Err: errGoHardware, hint: "leave --hw out"})
			}
		}
		for _, place := range placements {
			for _, p := range tr.specs {
				local := (p.HasAddr || p.Line > 0) && p.Object == "" // means the program
				if s.settled[p] || local && !program || !p.InObject(image.Path) {
					continue
				}
				tr.search(t, s, p, im, found{f, image.Path, place.Bias, k})
				// What the program has is not looked for in libraries, and what is in a library may go and come again.
				if program && tr.has(s, p) {
					s.settled[p] = true
				}
			}
		}
	}
}

// unloaded forgets the objects that are there no more.
func (tr *Tracker) unloaded(t *engine.Thread, s *sites, im *linux.Images) {
	there := map[key]bool{}
	for i := range im.Files {
		there[keyOf(&im.Files[i])] = true
	}
	for k := range s.known {
		if there[k] {
			continue
		}
		delete(s.known, k)
		for addr, from := range s.from {
			if from == k {
				delete(s.entries, addr)
				delete(s.from, addr)
				t.RemoveBreakpoint(addr)
			}
		}
		for addr, r := range s.resolvers {
			if r.from == k {
				delete(s.resolvers, addr)
				t.RemoveBreakpoint(addr)
			}
		}
	}
}

func keyOf(image *symbols.Image) key { return key{image.Dev, image.Inode, image.Mappings[0].Start} }

// has tells whether a pattern has places in an address space.
func (tr *Tracker) has(s *sites, p *spec) bool {
	for _, g := range s.entries {
		if g.spec == p {
			return true
		}
	}
	for _, r := range s.resolvers {
		if r.spec == p {
			return true
		}
	}
	return false
}

// A found is an object that is loaded.
type found struct {
	*symbols.File
	path string
	bias uint64
	key  key
}

// search looks a pattern up in one object and sets breakpoints.
func (tr *Tracker) search(t *engine.Thread, s *sites, p *spec, im *linux.Images, in found) {
	matches, err := in.Find(p.Pattern)
	if err != nil {
		if p.err == nil || better(err, p.err) {
			p.err = &Error{Pattern: p.Text, Object: in.path, Err: err}
		}
		return
	}
	var places []symbols.Match
	for _, m := range matches {
		switch m.Symbol.Type {
		case symbols.TypeObject, symbols.TypeTLS, symbols.TypeCommon:
			continue
		case symbols.TypePLT:
			if !strings.HasSuffix(p.Name, "@plt") {
				continue
			}
		}
		if m.Symbol.Name == "" && !in.Executable(m.Addr) {
			tr.refuse(t, s, p, &Error{Pattern: p.Text, Object: in.path, Err: errors.New("there is no code"), hint: "an address is one of the file, as 'farcall symbols " + in.path + "' shows it"})
			return
		}
		if m.Symbol.Name != "" && m.Symbol.Addr != m.Addr {
			tr.refuse(t, s, p, &Error{Pattern: p.Text, Object: in.path, Err: fmt.Errorf("it is inside '%s', not where that begins", m.Symbol.Demangled()),
				hint: "a region is a function: --in '" + m.Symbol.Demangled() + "'"})
			return
		}
		if len(places) == 0 || places[len(places)-1].Addr != m.Addr {
			places = append(places, m)
		}
	}
	if len(places) == 0 {
		if p.err == nil {
			p.err = &Error{Pattern: p.Text, Object: in.path, Err: errors.New("it is no function")}
		}
		return
	}
	if len(places) > 1 && !p.glob() {
		tr.refuse(t, s, p, &Error{Pattern: p.Text, Object: in.path, Err: &symbols.AmbiguousError{Pattern: p.Text, Candidates: places}})
		return
	}
	p.found = true
	for i := range places {
		tr.use(t, s, p, im, in, &places[i])
	}
}

// use makes a function that was found a region.
func (tr *Tracker) use(t *engine.Thread, s *sites, p *spec, im *linux.Images, in found, m *symbols.Match) {
	name := p.Name
	if p.glob() || name == "" {
		if name = m.Symbol.Demangled(); name == "" {
			name = p.Text
		}
	}
	addr := m.Addr + in.bias
	if m.Symbol.Type == symbols.TypeIFunc {
		tr.indirect(t, s, im, &resolver{name, p, in.key, in.File, in.bias, symbols.Unversioned(m.Symbol.Name)}, addr)
		return
	}
	goes := s.hooks != nil && m.Symbol.Source != symbols.SourcePLT && in.IsGo()
	tr.place(t, s, &Region{Name: name, Addr: addr, size: m.Symbol.Size, spec: p, goes: goes}, in.key)
}

// place sets the breakpoint of a region, unless there is one at that place already.
func (tr *Tracker) place(t *engine.Thread, s *sites, g *Region, from key) {
	if s.entries[g.Addr] == nil && !tr.done {
		s.entries[g.Addr], s.from[g.Addr] = g, from
		tr.insert(t, g.spec.Text, g.Addr)
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
