package region

import (
	"errors"

	"farcall/internal/engine"
	"farcall/internal/ptrace"
	"farcall/symbols"
)

// In Go a region belongs to the goroutine that entered it, not to the thread. While a goroutine is inside, breakpoints on the
// runtime's scheduler tell which threads run it: every goroutine begins to run on a thread in runtime.gogo, and has ceased to
// when the thread comes to runtime.schedule or to another gogo (runtime/proc.go, asm_amd64.s). runtime.goexit0 ends it.
//
// A goroutine's stack moves when it grows. The distance of a frame from the stack's upper end stays the same, and the addresses of
// the frames are corrected by that.

// hooks are the places in the runtime of a Go program.
type hooks struct {
	gogo, schedule, goexit []uint64
}

// Offsets in the runtime's structures, the same since Go 1.3: g begins with stack.lo and stack.hi; of gobuf, g is the
// third word (runtime/runtime2.go).
const (
	offsetStackHi = 8
	offsetGobufG  = 16
	maxSched      = 256 // g.sched is not further from g than this
)

// goHooks finds the runtime's functions in a Go program, nil in others.
func goHooks(f *symbols.File, bias uint64) *hooks {
	h := &hooks{}
	for name, to := range map[string]*[]uint64{"runtime.gogo": &h.gogo, "runtime.schedule": &h.schedule, "runtime.goexit0": &h.goexit} {
		// Assembly functions are called .abi0 in the symbol table; there may be another one that calls it.
		for _, form := range [...]string{name, name + ".abi0"} {
			found, _ := f.Find(symbols.Pattern{Text: form, Name: form})
			for _, m := range found {
				if !has(*to, m.Addr+bias) {
					*to = append(*to, m.Addr+bias)
				}
			}
		}
		if len(*to) == 0 {
			return nil
		}
	}
	return h
}

func (h *hooks) all() []uint64 {
	return append(append(append([]uint64(nil), h.gogo...), h.schedule...), h.goexit...)
}

func has(addrs []uint64, a uint64) bool {
	for _, x := range addrs {
		if x == a {
			return true
		}
	}
	return false
}

// goKey names a goroutine by the address of its g.
type goKey struct {
	space *engine.Space
	g     uint64
}

var errGoHardware = errors.New("a region of a Go program needs more breakpoints than there are debug registers")

// goEntered makes the goroutine that t runs the one that t's frames belong to.
func (tr *Tracker) goEntered(t *engine.Thread, s *sites, r *ptrace.Regs) {
	g, hi, ok := goroutineOf(t, r)
	if !ok {
		return // not on a goroutine's stack: a region of the thread
	}
	k := goKey{t.Space(), g}
	h := tr.goroutines[k]
	if h == nil {
		h = &thread{key: k, hi: hi}
		tr.goroutines[k] = h
		if len(tr.hooked(s)) == 0 {
			for _, a := range s.hooks.all() {
				tr.insert(t, "runtime", a)
			}
		}
		s.inGo++
	}
	tr.running[t] = h
}

// hooked lists the hooks that are in place.
func (tr *Tracker) hooked(s *sites) []uint64 {
	if s.hooks == nil || s.inGo == 0 {
		return nil
	}
	return s.hooks.all()
}

// goLeft forgets a goroutine that is in no region any more.
func (tr *Tracker) goLeft(t *engine.Thread, h *thread) {
	delete(tr.goroutines, h.key)
	for o, x := range tr.running {
		if x == h {
			delete(tr.running, o)
		}
	}
	s := tr.spaces[h.key.space]
	if s == nil {
		return
	}
	if s.inGo--; s.inGo == 0 && t.Space() == h.key.space {
		for _, a := range s.hooks.all() {
			tr.release(t, s, a)
		}
	}
}

// scheduled handles the arrival at one of the hooks.
func (tr *Tracker) scheduled(t *engine.Thread, s *sites, addr uint64, r *ptrace.Regs) {
	switch {
	case has(s.hooks.gogo, addr):
		g, ok := gogoTarget(t, r)
		delete(tr.running, t)
		if h := tr.goroutines[goKey{t.Space(), g}]; ok && h != nil {
			tr.running[t] = h
		}
	case has(s.hooks.schedule, addr):
		delete(tr.running, t)
	case has(s.hooks.goexit, addr):
		if h := tr.goroutines[goKey{t.Space(), firstGoArgument(r)}]; h != nil {
			tr.running[t] = h
			tr.unwind(t, 0, Unwound)
		}
	}
	tr.settle(t)
}

// gogoTarget is the goroutine that gogo goes to: its argument, in a register or on the stack, points to the member sched of it.
func gogoTarget(t *engine.Thread, r *ptrace.Regs) (uint64, bool) {
	onStack, _ := word(t, callerSP(r.SP()))
	for _, buf := range [...]uint64{onStack, firstGoArgument(r)} {
		if g, ok := word(t, buf+offsetGobufG); ok && g < buf && buf-g < maxSched {
			return g, true
		}
	}
	return 0, false
}

// rebase corrects the frames of a goroutine whose stack has moved.
func (h *thread) rebase(t *engine.Thread) {
	if h.key.g == 0 || len(h.frames) == 0 {
		return
	}
	hi, ok := word(t, h.key.g+offsetStackHi)
	if !ok || hi == h.hi {
		return
	}
	for i := range h.frames {
		h.frames[i].sp += hi - h.hi
	}
	h.hi = hi
}

// onGoStack tells whether sp is in the goroutine's stack: the runtime works for it on others too.
func (h *thread) onGoStack(t *engine.Thread, sp uint64) bool {
	lo, ok := word(t, h.key.g)
	return ok && lo <= sp && sp < h.hi
}

// endGoroutines ends all that are inside in an address space that is no more.
func (tr *Tracker) endGoroutines(t *engine.Thread, space *engine.Space, end End) {
	for k, h := range tr.goroutines {
		if k.space != space {
			continue
		}
		for i := len(h.frames) - 1; i >= 0; i-- {
			tr.to.LeaveRegion(t, &h.frames[i], end)
		}
		delete(tr.goroutines, k)
	}
	for o, h := range tr.running {
		if h.key.space == space {
			delete(tr.running, o)
		}
	}
}
