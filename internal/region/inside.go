package region

import (
	"farcall/internal/engine"
	"farcall/internal/ptrace"
	"farcall/internal/stack"
	"farcall/symbols/unwind"
)

// When the tracer comes to a process that runs, its threads may be in regions already. Each of them is stopped once for its stack to be walked: a
// function of which there is a frame has been entered, by as many frames as there are, and where it will return to is known too. A thread that comes to a
// breakpoint before that is looked at there.

// An inspection is of the threads of a process that have not been looked at since the attach.
type inspection struct {
	left   map[*engine.Thread]bool
	walker stack.Walker
	files  stack.Files
	space  *stack.Space
	regs   unwind.Regs
}

// inspect has the stacks of all threads of t's process looked at.
func (tr *Tracker) inspect(t *engine.Thread, s *sites) {
	if len(s.entries) == 0 || tr.done {
		return
	}
	in := &inspection{left: map[*engine.Thread]bool{}}
	in.walker.Limit = unwind.MaxLimit
	in.space = stack.NewSpace(s.pid, memory{t.Memory()}, &in.files)
	s.inspection = in
	threads := t.Engine().Threads()
	for _, o := range threads {
		if o.Space() == t.Space() {
			in.left[o] = true
		}
	}
	for _, o := range threads {
		if in.left[o] {
			o.AtStop(func() { tr.inspected(o) })
		}
	}
}

// inspected looks at the stack of t, which is stopped, unless that was done before.
func (tr *Tracker) inspected(t *engine.Thread) {
	s := tr.spaces[t.Space()]
	if s == nil || s.inspection == nil || !s.inspection.left[t] || t.TrapPending() {
		return // with a trap pending it is going to come to a breakpoint, at which its registers will be as they should
	}
	in := s.inspection
	tr.uninspected(s, t)
	var r ptrace.Regs
	if tr.done || t.Regs(&r) != nil {
		return
	}
	m := stack.Registers(&r, &in.regs)
	if m == nil {
		return
	}
	in.space.Thread, in.space.Memory = t.TID, memory{t.Memory()}
	frames := in.walker.Frames(in.space, m, &in.regs)
	for i := len(frames) - 2; i >= 0; i-- { // of the outermost frame it is not known where it returns to
		f, caller := &frames[i], &frames[i+1]
		if g := s.regionAt(f); g != nil && (caller.How == unwind.ByTable || caller.How == unwind.ByGo) {
			tr.wasInside(t, s, g, caller, &r)
		}
	}
}

// wasInside brings t into a region that it entered before the attach. caller is the frame that the region's function returns to.
func (tr *Tracker) wasInside(t *engine.Thread, s *sites, g *Region, caller *unwind.Frame, r *ptrace.Regs) {
	sp := caller.SP - callerSP(0)
	if onStack {
		if ret, ok := word(t, sp); !ok || ret != caller.PC {
			return
		}
	}
	if g.goes {
		_, hi, ok := goroutineOf(t, r)
		if !ok || sp < r.SP() || sp >= hi {
			return // the goroutine is not the one that the thread runs
		}
		tr.goEntered(t, s, r)
	}
	tr.push(t, Frame{Region: g, sp: sp, ret: caller.PC, attached: true})
}

// uninspected notes that t is not to be looked at any more.
func (tr *Tracker) uninspected(s *sites, t *engine.Thread) {
	in := s.inspection
	if in == nil {
		return
	}
	if delete(in.left, t); len(in.left) == 0 {
		in.space.Close()
		s.inspection = nil
	}
}

// regionAt is the region whose function a frame is of, nil for none. One that is at a function's very beginning is only about to enter it.
func (s *sites) regionAt(f *unwind.Frame) *Region {
	if f.Area == nil {
		return nil
	}
	pc := f.LookupPC()
	for _, g := range s.entries {
		switch {
		case pc < g.Addr || !f.Call && pc == g.Addr:
		case g.size > 0:
			if pc-g.Addr < g.size {
				return g
			}
		case f.Area.Table != nil:
			if start, ok := f.Area.Table.Function(pc - f.Area.Bias); ok && start+f.Area.Bias == g.Addr {
				return g
			}
		}
	}
	return nil
}

// WasInside tells whether the thread was in the region when the tracer came: there are no arguments, and Since is that moment.
func (f *Frame) WasInside() bool { return f.attached }

// memory reads a thread's memory for the walker.
type memory struct{ *ptrace.Memory }

func (m memory) Read(addr uint64, b []byte) int {
	n, _ := m.Memory.Read(addr, b)
	return n
}
