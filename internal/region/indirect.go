package region

import (
	"farcall/internal/engine"
	"farcall/internal/linux"
	"farcall/internal/ptrace"
	"farcall/symbols"
)

// An indirect function (STT_GNU_IFUNC) is a name for one of several functions: what stands at its address is a resolver, which the loader, or
// the start code of a static program, calls to learn which (gABI-ext, "STT_GNU_IFUNC"). There are two ways to see the answer, and together they are
// complete without having the program execute anything:
//
//   - A resolver that is called while we are there has a breakpoint, and its return another one: the register with the result is the function. So it is in a
//     static program, in what dlopen(3) loads, and where a function is bound at its first call.
//   - What was resolved before is in the words that were relocated with it: R_*_IRELATIVE words of the object itself, whose addend is the
//     resolver, and the words through which objects reach a function of that name. Before relocation, and before a lazy word is bound, these point to
//     a stub of the linkage table or nowhere.
//
// What neither knows is nobody's, but for an address that a program got from dlsym(3) before an attach.

// A resolver is the resolver of an indirect function that is to be a region and is not resolved yet.
type resolver struct {
	name   string
	spec   *spec
	from   key
	file   *symbols.File
	bias   uint64
	symbol string
}

// A resolving is a call of a resolver that has not returned.
type resolving struct {
	sp uint64 // of the caller, after the return
	r  *resolver
}

// maxResolving is how many calls of resolvers can be under way that return to one place.
const maxResolving = 64

// indirect makes what an indirect function stands for a region when it is known. While the loader is still at work that is left to
// resolveAll.
func (tr *Tracker) indirect(t *engine.Thread, s *sites, im *linux.Images, r *resolver, addr uint64) {
	if s.resolvers[addr] != nil {
		return
	}
	s.resolvers[addr] = r
	if s.start == 0 {
		tr.resolve(t, s, im, addr)
	}
}

// resolveAll does for the indirect functions that were found before the program's entry point what was left.
func (tr *Tracker) resolveAll(t *engine.Thread, s *sites, im *linux.Images) {
	for addr := range s.resolvers {
		tr.resolve(t, s, im, addr)
	}
}

// resolve finds what a resolver has answered, or waits for the answer.
func (tr *Tracker) resolve(t *engine.Thread, s *sites, im *linux.Images, addr uint64) {
	r := s.resolvers[addr]
	if function := tr.bound(t, im, r, addr); function != 0 {
		delete(s.resolvers, addr)
		tr.release(t, s, addr)
		tr.resolved(t, s, r, function)
	} else if !tr.done {
		tr.insert(t, r.spec.Text, addr)
	}
}

// bound looks for what a resolver has answered before, 0 if it has not.
func (tr *Tracker) bound(t *engine.Thread, im *linux.Images, r *resolver, addr uint64) uint64 {
	vdso, at, _ := im.VDSO() // nil where there is none
	for i := range im.Files {
		f, err := im.OpenCached(i, tr.cache)
		if err != nil {
			continue
		}
		placements, err := f.Placements(im.Files[i].Mappings)
		if err != nil {
			continue
		}
		slots := f.ImportSlots(r.symbol)
		for _, p := range placements {
			own := slots
			if p.Bias == r.bias && keyOf(&im.Files[i]) == r.from {
				own = append(f.ResolverSlots(addr-r.bias), slots...)
			}
			for _, slot := range own {
				v, ok := word(t, slot+p.Bias)
				if ok && v != addr && (r.implements(v) || vdso != nil && vdso.Executable(v-at)) {
					return v
				}
			}
		}
	}
	return 0
}

// implements tells whether an address is that of a function of the resolver's object, which it can have answered with. Another one of the same name
// is an older version of it.
func (r *resolver) implements(v uint64) bool {
	if !r.file.Executable(v - r.bias) {
		return false
	}
	s, offset, ok := r.file.Lookup(v - r.bias)
	return !ok || offset == 0 && s.Type != symbols.TypePLT && symbols.Unversioned(s.Name) != r.symbol
}

// resolved makes the function that a resolver has answered with a region. Other names may stand for the same one.
func (tr *Tracker) resolved(t *engine.Thread, s *sites, r *resolver, function uint64) {
	size := uint64(0)
	if sym, _, ok := r.file.Lookup(function - r.bias); ok {
		size = sym.Size
	}
	tr.place(t, s, &Region{Name: r.name, Addr: function, size: size, spec: r.spec}, r.from)
}

// resolverCalled handles the arrival at a resolver.
func (tr *Tracker) resolverCalled(t *engine.Thread, s *sites, r *resolver, regs *ptrace.Regs) {
	sp, ret, ok := returnPlace(t, regs)
	if !ok || len(s.resolving[ret]) == maxResolving {
		return
	}
	s.resolving[ret] = append(s.resolving[ret], resolving{callerSP(sp), r})
	tr.insert(t, r.spec.Text, ret)
}

// resolverReturned handles the arrival at a place where resolvers return to.
func (tr *Tracker) resolverReturned(t *engine.Thread, s *sites, addr uint64, regs *ptrace.Regs) {
	calls := s.resolving[addr]
	left := calls[:0]
	for _, c := range calls {
		if c.sp != regs.SP() {
			left = append(left, c)
			continue
		}
		for at, r := range s.resolvers {
			if r == c.r {
				delete(s.resolvers, at)
				tr.release(t, s, at)
				tr.resolved(t, s, r, regs.ReturnValue())
			}
		}
	}
	if s.resolving[addr] = left; len(left) == 0 {
		delete(s.resolving, addr)
		tr.release(t, s, addr)
	}
}
