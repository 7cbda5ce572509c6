package region

import (
	"encoding/binary"
	"os"
	"slices"
	"strconv"

	"farcall/internal/engine"
	"farcall/internal/ptrace"
	"farcall/symbols"
)

// Hit implements engine.Breakpoints.
func (tr *Tracker) Hit(t *engine.Thread, addr uint64) {
	s := tr.spaces[t.Space()]
	var r ptrace.Regs
	if s == nil || tr.done || t.Regs(&r) != nil {
		return
	}
	tr.inspected(t)
	if s.returns[addr] > 0 || tr.opts.Hardware {
		tr.returned(t, addr, &r)
	}
	if s.inGo > 0 && has(s.hooks.all(), addr) {
		tr.scheduled(t, s, addr, &r)
	}
	if addr == s.loader || addr == s.start {
		tr.loaded(t, s, addr)
	}
	if len(s.resolving[addr]) > 0 {
		tr.resolverReturned(t, s, addr, &r)
	}
	if f := s.resolvers[addr]; f != nil && !tr.done {
		tr.resolverCalled(t, s, f, &r)
	}
	if g := s.entries[addr]; g != nil && !tr.done {
		tr.entered(t, g, &r)
	}
}

// entered handles the arrival at a function's first instruction.
func (tr *Tracker) entered(t *engine.Thread, g *Region, r *ptrace.Regs) {
	if !tr.opts.Hardware {
		t.Space().Stepped = false
	}
	sp, ret, ok := returnPlace(t, r)
	if !ok {
		return // without a stack the call has not taken place
	}
	if g.goes {
		tr.goEntered(t, tr.sites(t), r)
	}
	tr.prune(t, sp)
	// A frame at the same place was left for this one: by a jump to the function's beginning, or by something that
	// came unnoticed. Others at that place are callers whose return is this one's.
	frames := tr.thread(t).frames
	for i := range frames {
		if f := &frames[i]; !f.fixed && f.sp == sp && f.Region == g {
			if g.goes && f.ret == ret {
				return // Go has no tail calls: a function begins again when its stack has grown
			}
			tr.unwind(t, i, Repeated)
			break
		}
	}
	f := Frame{Region: g, sp: sp, ret: ret}
	for i := range f.Args {
		if f.Args[i] = argument(r, i); g.goes {
			f.Args[i] = goArgument(r, i)
		}
	}
	tr.push(t, f)
}

// returned handles the arrival at a return address: of the innermost frame whose caller now has its stack back, if there
// is one. Others just pass by.
func (tr *Tracker) returned(t *engine.Thread, addr uint64, r *ptrace.Regs) {
	tr.thread(t).rebase(t)
	frames := tr.thread(t).frames
	sp := r.SP()
	for i := len(frames) - 1; i >= 0; i-- {
		f := &frames[i]
		if f.fixed || f.ret != addr || callerSP(f.sp) != sp {
			continue
		}
		tr.unwindTo(t, i, sp)
		// Functions that were left by tail calls return with the one that they called.
		for ; i >= 0 && !tr.done; i-- {
			f := &tr.thread(t).frames[i]
			if f.fixed || f.ret != addr || callerSP(f.sp) != sp {
				break
			}
			f.Result = r.ReturnValue()
			tr.remove(t, i, Returned)
		}
		return
	}
}

// Inside tells whether t, which is at the entry of a call with that stack pointer, is in a region. Frames that it has left
// unnoticed end now.
func (tr *Tracker) Inside(t *engine.Thread, sp uint64) bool {
	tr.prune(t, sp)
	return tr.Top(t) != nil
}

// prune ends the frames that are no more when the stack pointer is sp.
func (tr *Tracker) prune(t *engine.Thread, sp uint64) {
	tr.thread(t).rebase(t)
	for f := tr.Top(t); f != nil && !f.fixed && tr.dead(t, f, sp); f = tr.Top(t) {
		tr.pop(t, Unwound)
	}
}

// dead tells whether a frame is no more. The place of its return address, which the function never writes to, is the first
// thing that a later call from its caller overwrites. If it is as it was, the stack pointer tells, unless it is in another stack, such as that
// of a signal handler (sigaltstack(2)).
func (tr *Tracker) dead(t *engine.Thread, f *Frame, sp uint64) bool {
	if onStack {
		if v, ok := word(t, f.sp); ok && v != f.ret {
			return true
		}
	}
	if h := tr.running[t]; h != nil {
		return sp > f.sp && h.onGoStack(t, sp)
	}
	return sp > f.sp && oneStack(t, f.sp, sp)
}

// oneStack tells whether two addresses are in one mapping, of which each stack has its own.
func oneStack(t *engine.Thread, a, b uint64) bool {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(t.TID) + "/maps")
	if err != nil {
		return true
	}
	maps, err := symbols.ParseMaps(string(text))
	if err != nil {
		return true
	}
	for _, m := range maps {
		if m.Start <= a && a < m.End {
			return m.Start <= b && b <= m.End
		}
	}
	return true
}

func word(t *engine.Thread, addr uint64) (uint64, bool) {
	var b [8]byte
	n, _ := t.Memory().Read(addr, b[:])
	return binary.NativeEndian.Uint64(b[:]), n == len(b)
}

// arm makes sure that the return of a frame is seen.
func (tr *Tracker) arm(t *engine.Thread, f *Frame) {
	if f.fixed || tr.opts.Hardware {
		return
	}
	s := tr.sites(t)
	if s.returns[f.ret]++; s.returns[f.ret] == 1 {
		if err := t.InsertBreakpoint(f.ret); err != nil {
			tr.to.Fail(t, &Error{Pattern: f.Region.Name, Err: err, hint: "--hw needs no breakpoints in memory"})
		}
	}
}

func (tr *Tracker) disarm(t *engine.Thread, f *Frame) {
	if f.fixed || tr.opts.Hardware {
		return
	}
	s := tr.sites(t)
	if s.returns[f.ret]--; s.returns[f.ret] > 0 {
		return
	}
	delete(s.returns, f.ret)
	tr.release(t, s, f.ret)
}

// Created notes a new thread. Threads of a process that is forked inside are inside as their parent is; of others with
// Options.Threads only.
func (tr *Tracker) Created(parent, child *engine.Thread) {
	if parent == nil || tr.done {
		return
	}
	tr.inspected(parent)
	frames := tr.thread(parent).frames
	if child.Proc == parent.Proc {
		if tr.opts.Threads && len(frames) > 0 {
			tr.push(child, Frame{Region: frames[len(frames)-1].Region, fixed: true, silent: true})
		}
		return
	}
	if from := tr.spaces[parent.Space()]; from != nil && child.Space() != parent.Space() {
		s := from.copied()
		s.pid = child.PID()
		tr.spaces[child.Space()] = s
		for ret := range from.returns {
			if !inFrames(frames, ret) {
				tr.release(child, s, ret)
			}
		}
	}
	th := tr.thread(child)
	th.owed = slices.Clone(tr.thread(parent).owed)
	for _, f := range frames {
		f.silent = f.fixed
		th.frames = append(th.frames, f)
		tr.arm(child, &f)
	}
	tr.settle(child)
}

func inFrames(frames []Frame, ret uint64) bool {
	for i := range frames {
		if !frames[i].fixed && frames[i].ret == ret {
			return true
		}
	}
	return false
}

// Execed notes that t has a new program: it is outside of everything, and regions are looked for anew. superseded is a former
// leader, nil for none.
func (tr *Tracker) Execed(t, superseded *engine.Thread) {
	if superseded != nil {
		tr.forget(superseded, Executed)
	}
	if tr.running[t] == nil {
		tr.unwind(t, 0, Executed)
	}
	if th := tr.threads[t]; th != nil {
		th.owed = nil
	}
	for space := range tr.spaces { // drop those that nobody uses any more
		if !tr.used(space) {
			if in := tr.spaces[space].inspection; in != nil {
				in.space.Close()
			}
			tr.endGoroutines(t, space, Executed)
			delete(tr.spaces, space)
		}
	}
	tr.settle(t)
	if !tr.done {
		tr.start(t)
	}
}

func (tr *Tracker) used(space *engine.Space) bool {
	for t := range tr.threads {
		if t.Space() == space {
			return true
		}
	}
	return false
}

// Exited and Detached note the end of a thread.
func (tr *Tracker) Exited(t *engine.Thread) { tr.forget(t, Exited) }

// Detached: see Exited.
func (tr *Tracker) Detached(t *engine.Thread) { tr.forget(t, Dropped) }

func (tr *Tracker) forget(t *engine.Thread, end End) {
	s := tr.spaces[t.Space()]
	if s != nil {
		tr.uninspected(s, t)
	}
	if s != nil && t.TID == s.pid { // a leader is the last of its threads
		tr.endGoroutines(t, t.Space(), end)
		defer delete(tr.spaces, t.Space())
	}
	delete(tr.running, t)
	th := tr.threads[t]
	if th == nil {
		return
	}
	// Return addresses that nobody is in any more keep their breakpoints: the memory may be gone.
	for len(th.frames) > 0 {
		f := th.frames[len(th.frames)-1]
		th.frames = th.frames[:len(th.frames)-1]
		if !f.silent {
			tr.to.LeaveRegion(t, &f, end)
		}
		if s != nil && !f.fixed && s.returns[f.ret] > 1 {
			s.returns[f.ret]--
		}
	}
	delete(tr.threads, t)
}
