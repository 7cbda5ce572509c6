package engine

import (
	"bytes"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"farcall/internal/ptrace"
)

// A Breakpoints is told of breakpoints that were reached. It is called on the engine's thread.
type Breakpoints interface {
	// Hit: t is about to execute the instruction at addr.
	Hit(t *Thread, addr uint64)
}

// ErrNoBreakpoint is matched by errors about places where no software breakpoint can be.
var ErrNoBreakpoint = errors.New("no breakpoint possible")

// A Space is an address space with its breakpoints. Threads of a process have the same one, and so have a parent and its
// vfork child.
type Space struct {
	Hardware bool // new breakpoints are in debug registers; see Watch
	Stepped  bool // new breakpoints are found by single steps of native threads, and nothing is written

	points  map[uint64][]byte // address to the bytes that the program has there; nil for those that are not in memory
	former  map[uint64][]byte // removed ones: a thread may have run into them just before, a child may have a copy
	slots   *slots
	waiting []*Thread // at breakpoints, for a free slot
	copied  bool      // memory is a copy of another space's, whose breakpoints are in it whatever points says
}

// Space is the thread's address space.
func (t *Thread) Space() *Space {
	p := t.Proc
	if p.space == nil {
		p.space = newSpace()
	}
	return p.space
}

func newSpace() *Space {
	return &Space{points: map[uint64][]byte{}, former: map[uint64][]byte{}}
}

// HasBreakpoint tells whether there is one at addr.
func (s *Space) HasBreakpoint(addr uint64) bool {
	_, ok := s.points[addr]
	return ok
}

// InsertBreakpoint sets a breakpoint in t's address space, for all threads in it. They may run. It is kept by the copy that a fork
// makes, and lost at an execve. At an address that has one, and once all are being let go, it does nothing.
//
// Errors: ErrNoBreakpoint, EFAULT where nothing is mapped, ErrNoDebugRegister.
func (t *Thread) InsertBreakpoint(addr uint64) error {
	s := t.Space()
	if s.HasBreakpoint(addr) || t.e.leaving { // who is let go already would die of it
		return nil
	}
	if s.Hardware {
		return t.e.addHardware(s, addr)
	}
	if s.Stepped {
		s.points[addr] = nil
		return nil
	}
	var code [maxInstruction]byte
	n, err := t.Memory().ReadForced(addr, code[:])
	if n < len(breakpointCode) {
		return fmt.Errorf("breakpoint at %#x: %w", addr, err)
	}
	original := bytes.Clone(code[:len(breakpointCode)])
	if o, ok := s.former[addr]; ok && s.copied {
		original = o
		copy(code[:], o)
	}
	s.overlay(addr, code[:n])
	in := decodeInsn(code[:n])
	if !in.ok {
		return fmt.Errorf("breakpoint at %#x: %w: of the instruction there no copy can be executed", addr, ErrNoBreakpoint)
	}
	if !s.slots.reach(&in, code[:n], addr) {
		s.slots = s.slots.with(findSlots(t))
		if in.skip == 0 && !s.slots.reach(&in, code[:n], addr) {
			return fmt.Errorf("breakpoint at %#x: %w: there is no room near it for a copy of the instruction there", addr, ErrNoBreakpoint)
		}
	}
	if _, err := t.Memory().WriteForced(addr, breakpointCode); err != nil {
		return fmt.Errorf("breakpoint at %#x: %w", addr, err)
	}
	s.points[addr] = original
	delete(s.former, addr)
	return nil
}

// overlay puts the program's own bytes in place of breakpoints in code that was read at addr.
func (s *Space) overlay(addr uint64, code []byte) {
	for i := range code {
		if original := s.points[addr+uint64(i)]; original != nil {
			copy(code[i:], original)
		}
	}
}

// RemoveBreakpoint takes a breakpoint out of t's address space.
func (t *Thread) RemoveBreakpoint(addr uint64) {
	s := t.Space()
	original, ok := s.points[addr]
	if !ok {
		return
	}
	delete(s.points, addr)
	if original == nil {
		if s.Hardware {
			t.e.hardwareChanged(s)
		}
		return
	}
	s.former[addr] = original
	// An error means that the memory is gone, and with it the breakpoint.
	_, _ = t.writeShared(addr, original)
}

// clear takes all breakpoints, and copies of instructions, out of t's address space.
func (t *Thread) clear() {
	s := t.Proc.space
	if s == nil {
		return
	}
	if s.copied {
		t.reconcile()
	}
	for addr := range s.points {
		t.RemoveBreakpoint(addr)
	}
	s.slots.restore(t)
}

// writeShared writes to the memory of t's space: through another of its threads where t has ended, and has no memory any more.
func (t *Thread) writeShared(addr uint64, b []byte) (int, error) {
	n, err := t.Memory().WriteForced(addr, b)
	if err == nil {
		return n, nil
	}
	for _, o := range t.e.threads {
		if o != t && o.Proc.space == t.Proc.space {
			if n, err = o.Memory().WriteForced(addr, b); err == nil {
				return n, nil
			}
		}
	}
	return n, err
}

// reconcile makes the memory of a forked child, which is stopped for the first time, agree with its own space: other threads of the parent
// may have set and removed breakpoints since the copy was made.
func (t *Thread) reconcile() {
	s := t.Proc.space
	if s == nil || !s.copied {
		return
	}
	s.copied = false
	b := make([]byte, len(breakpointCode))
	for addr, original := range s.former {
		if n, _ := t.Memory().ReadForced(addr, b); n == len(b) && bytes.Equal(b, breakpointCode) {
			_, _ = t.Memory().WriteForced(addr, original)
		}
	}
	for addr, original := range s.points {
		if original != nil {
			_, _ = t.Memory().WriteForced(addr, breakpointCode)
		}
	}
	s.slots.restore(t)
}

// spaceOf gives a new thread its process's space: its parent's own, or a copy.
func (e *Engine) spaceOf(parent, child *Thread, how How) {
	if e.opts.Breakpoints == nil || parent == nil || child.Proc == parent.Proc || parent.Proc.space == nil {
		return
	}
	s := parent.Proc.space
	if SharesMemory(parent, child, how) {
		child.Proc.space = s
		return
	}
	c := newSpace()
	c.copied, c.Hardware = true, s.Hardware
	for a, b := range s.points {
		c.points[a] = b
	}
	for a, b := range s.former {
		c.former[a] = b
	}
	c.slots = s.slots.copied()
	child.Proc.space = c
}

// Codes of a SIGTRAP (include/uapi/asm-generic/siginfo.h).
const (
	trapBrkpt  = 1
	trapTrace  = 2
	trapHwbkpt = 4
	siKernel   = 0x80
)

// trap looks whether the SIGTRAP in e.siginfo is the doing of a breakpoint or of a single step. If so, the thread goes on, and the program
// is not to see it.
func (e *Engine) trap(t *Thread) bool {
	s := t.Proc.space
	code := e.siginfo.Code
	if s == nil || code == ptrace.CodeUser || code < 0 {
		return false
	}
	if ptrace.GetRegs(t.TID, &e.regs) != nil {
		return false
	}
	if t.step != nil && (code == trapTrace || code == trapBrkpt) {
		return e.stepped(t)
	}
	pc := e.regs.PC()
	steps := t.singling && code != siKernel && code != trapHwbkpt
	if original, ok := s.points[pc]; ok && original == nil && (steps || code == trapHwbkpt) || code == trapHwbkpt && pc == t.watch {
		e.hit(t, pc)
		return true
	}
	if code == trapHwbkpt && t.debug.has(pc) || steps {
		e.resume(t, 0) // removed in the meantime, or a step on the way
		return true
	}
	if code != siKernel && code != trapBrkpt {
		return false
	}
	at := pc - breakpointAdvance
	original, ours := s.points[at]
	ours = ours && original != nil
	if !ours {
		_, ours = s.former[at]
		ours = ours && !e.breakpointAt(t, at)
		if !ours {
			return false
		}
		e.rewind(t, at)
		e.resume(t, 0)
		return true
	}
	e.rewind(t, at)
	if bytes.Equal(original, breakpointCode) { // the program has one there itself
		t.Breakpointed(at)
		e.regs.SetPC(pc)
		_ = ptrace.SetRegs(t.TID, &e.regs)
		return false
	}
	e.hit(t, at)
	return true
}

// Breakpointed tells the sink of a hit.
func (t *Thread) Breakpointed(addr uint64) { t.e.opts.Breakpoints.Hit(t, addr) }

func (e *Engine) hit(t *Thread, addr uint64) {
	t.trapped = false
	if t.again == addr && t.againSP == e.regs.SP() {
		t.again = 0 // its instruction had begun, and faulted
	} else if !t.hidden {
		t.again = 0
		t.Breakpointed(addr)
	}
	if s := t.Proc.space; s.points[addr] != nil && !t.detaching && !e.leaving && !e.stepOver(t, addr) {
		t.parked, t.held, t.sig = true, true, 0
		s.waiting = append(s.waiting, t)
		return
	}
	e.resume(t, 0)
}

// breakpointAt tells whether memory has a breakpoint instruction at addr.
func (e *Engine) breakpointAt(t *Thread, addr uint64) bool {
	b := make([]byte, len(breakpointCode))
	n, _ := t.Memory().ReadForced(addr, b)
	return n == len(b) && bytes.Equal(b, breakpointCode)
}

// rewind sets the program counter of a thread that has executed a breakpoint to where that is.
func (e *Engine) rewind(t *Thread, addr uint64) {
	if breakpointAdvance == 0 {
		return
	}
	e.regs.SetPC(addr)
	_ = ptrace.SetRegs(t.TID, &e.regs)
}

// Native lets t run without stopping at its calls, or makes it stop again. t has to be stopped; its present call is told to the end.
func (t *Thread) Native(on bool) {
	t.native = on
	if on {
		t.e.pin.restore(t)
	}
}

// IsNative tells whether t runs without stopping at its calls.
func (t *Thread) IsNative() bool { return t.native }

// inheritBreakpoints is inherit for children that are not to be followed: threads are kept, processes in the same memory are kept out
// of sight until they have left it, others are let go at their first stop.
func (e *Engine) inheritBreakpoints(parent, child *Thread) {
	if parent == nil || child.Proc == parent.Proc {
		child.hidden = child.hidden || parent != nil && parent.hidden
		return
	}
	child.hidden = true
	if child.Proc.space == nil || child.Proc.space != parent.Proc.space {
		child.detaching = true
	}
}

// stepsThere tells whether t goes to its breakpoints by single steps.
func (t *Thread) stepsThere() bool {
	s := t.Proc.space
	return s != nil && s.Stepped && t.native && t.launch == nil && len(s.points) > 0 && !t.detaching
}

// withoutBreakpoints makes a stopped thread fit to run untraced, and its address space too: a breakpoint would kill whoever came to it.
func (e *Engine) withoutBreakpoints(t *Thread) {
	if e.opts.Breakpoints == nil {
		return
	}
	if st := t.step; st != nil {
		e.endStep(t)
		if st.stashed {
			_ = unix.Tgkill(t.Proc.PID, t.TID, unix.Signal(st.stash.Signo))
		}
	}
	e.setDebug(t, true)
	t.clear()
}

// clearAll takes the breakpoints out of all memory, at once: threads that are let go one by one would run into them.
func (e *Engine) clearAll() {
	if e.opts.Breakpoints == nil {
		return
	}
	for _, t := range e.threads {
		t.clear()
	}
}

// trapPending tells whether t, stopped for something else, has run into a breakpoint before, or ended a single step: the signal has to be
// awaited, as it would kill the program once the tracer is gone.
func (e *Engine) trapPending(t *Thread) bool {
	if e.opts.Breakpoints == nil || t.Proc.space == nil || ptrace.GetRegs(t.TID, &e.regs) != nil {
		return false
	}
	s, at := t.Proc.space, e.regs.PC()-breakpointAdvance
	if t.step == nil && !t.singling && s.points[at] == nil && s.former[at] == nil {
		return false // nor has it made a single step
	}
	st, err := readStatus(t.TID)
	return err == nil && ptrace.Sigset(st.pending).Has(unix.SIGTRAP)
}

// TrapPending tells whether t, which is stopped, has executed a breakpoint that Hit has not been called for yet. Its program counter is
// then behind that.
func (t *Thread) TrapPending() bool {
	if !t.trapped {
		return t.e.trapPending(t)
	}
	s := t.Proc.space
	if s == nil || ptrace.GetRegs(t.TID, &t.e.regs) != nil {
		return false
	}
	at := t.e.regs.PC() - breakpointAdvance
	return s.points[at] != nil || s.former[at] != nil
}

// A heldChild is a process whose first stop came before its parent's event.
type heldChild struct {
	ws    ptrace.WaitStatus
	maker int // process
}

// holdChild keeps a process stopped until its parent's event tells which thread has made it: it has a copy of the breakpoints, and is where
// that thread is.
func (e *Engine) holdChild(tid int, ws ptrace.WaitStatus, parent *Thread) bool {
	if e.opts.Breakpoints == nil || parent == nil {
		return false
	}
	e.held[tid] = heldChild{ws, parent.Proc.PID}
	return true
}

// orphaned lets the children go on whose parent's event will not come, as the process was killed.
func (e *Engine) orphaned(pid int) {
	for tid, h := range e.held {
		if h.maker == pid {
			delete(e.held, tid)
			e.handle(tid, h.ws)
		}
	}
}
