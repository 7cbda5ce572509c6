package engine

import (
	"encoding/binary"

	"golang.org/x/sys/unix"

	"farcall/internal/ptrace"
)

// A thread that goes on from a breakpoint executes a copy of the instruction elsewhere, so that the breakpoint can stay for
// the other threads. The copy stands where nobody else executes: see slots. A few instructions are so simple and frequent at the
// beginning of functions that the engine does what they do.

// A step is an instruction of which a thread executes a copy.
type step struct {
	addr, slot uint64
	code       []byte // as the program has it
	in         insn
	masked     bool // signals were blocked, mask is the program's own set
	mask       ptrace.Sigset
	stash      ptrace.Siginfo // a signal to be delivered behind the instruction
	stashed    bool
}

// stepOver prepares t, which is at a breakpoint, to execute the instruction there when it is resumed. e.regs are its registers
// unless a callback has changed them. It is false if t has to wait for room.
func (e *Engine) stepOver(t *Thread, addr uint64) bool {
	s := t.Proc.space
	r := &e.regs
	if ptrace.GetRegs(t.TID, r) != nil || r.PC() != addr {
		return true // gone, or it was sent elsewhere
	}
	var code [maxInstruction]byte
	n, _ := t.Memory().ReadForced(addr, code[:])
	if n < len(breakpointCode) {
		return true
	}
	s.overlay(addr, code[:n])
	in := decodeInsn(code[:n])
	if in.skip > 0 && e.imitate(t, &in) {
		return true
	}
	st := &step{addr: addr, code: append([]byte(nil), code[:n]...), in: in}
	if !s.slots.take(t, st) {
		return false
	}
	t.step = st
	r.SetPC(st.slot)
	_ = ptrace.SetRegs(t.TID, r)
	return true
}

// stepNext lets a thread have the room that has become free.
func (e *Engine) stepNext(s *Space) {
	for len(s.waiting) > 0 {
		t := s.waiting[0]
		s.waiting = s.waiting[1:]
		if t.gone || !t.held || t.Proc.space != s || ptrace.GetRegs(t.TID, &e.regs) != nil {
			continue
		}
		if s.points[e.regs.PC()] != nil && !e.stepOver(t, e.regs.PC()) {
			s.waiting = append(s.waiting, t)
			return
		}
		t.parked, t.held = false, false
		e.resume(t, 0)
	}
}

// imitate does what an instruction does that is a no-op, or pushes a register.
func (e *Engine) imitate(t *Thread, in *insn) bool {
	r := &e.regs
	if in.push >= 0 {
		var b [8]byte
		binary.NativeEndian.PutUint64(b[:], pushed(r, in.push))
		if _, err := t.Memory().Write(r.SP()-8, b[:]); err != nil {
			return false // the processor will say what is wrong
		}
		r.SetSP(r.SP() - 8)
	}
	r.SetPC(r.PC() + uint64(in.skip))
	return ptrace.SetRegs(t.TID, r) == nil
}

// stepped handles the end of a single step; e.regs are the thread's registers.
func (e *Engine) stepped(t *Thread) bool {
	st := t.step
	pc := e.regs.PC()
	if pc == st.slot && !st.in.absolute { // a repeated instruction that is not done
		e.resume(t, 0)
		return true
	}
	e.endStep(t)
	defer e.stepNext(t.Proc.space)
	if st.stashed {
		t.sig = unix.Signal(st.stash.Signo)
		_ = ptrace.SetSiginfo(t.TID, &st.stash)
		e.siginfo = st.stash
		return false // goes on as that signal
	}
	e.resume(t, 0)
	return true
}

// endStep takes t out of the copy of its instruction: behind the original if it was executed, to it if not.
func (e *Engine) endStep(t *Thread) {
	st := t.step
	t.step = nil
	t.Proc.space.slots.give(t, st)
	if ptrace.GetRegs(t.TID, &e.regs) == nil {
		done := e.regs.PC() != st.slot
		e.leaveCopy(t, st, done)
		_ = ptrace.SetRegs(t.TID, &e.regs)
	}
	if st.masked {
		_ = ptrace.SetSigmask(t.TID, st.mask)
	}
}

// leaveCopy corrects what an instruction has done that knew its address.
func (e *Engine) leaveCopy(t *Thread, st *step, done bool) {
	r := &e.regs
	delta := st.addr - st.slot
	if !done || !st.in.absolute {
		r.SetPC(r.PC() + delta)
	}
	if !done || !st.in.call && !st.in.flags {
		return
	}
	var b [8]byte
	if n, _ := t.Memory().Read(r.SP(), b[:]); n < len(b) {
		return
	}
	v := binary.NativeEndian.Uint64(b[:])
	if st.in.call {
		v += delta
	} else {
		v &^= trapFlag
	}
	binary.NativeEndian.PutUint64(b[:], v)
	_, _ = t.Memory().Write(r.SP(), b[:])
}

// trapFlag is TF of x86's flags, which a single step sets.
const trapFlag = 0x100

// signalInStep handles the signal in e.siginfo that arrives while t executes a copy. It tells whether the signal is to be kept back
// until the instruction is done; those that the instruction itself causes are not, and find the thread at the original.
func (e *Engine) signalInStep(t *Thread, sig unix.Signal) bool {
	st := t.step
	faulted := e.siginfo.Code > 0
	switch sig {
	case unix.SIGSEGV, unix.SIGBUS, unix.SIGILL, unix.SIGFPE, unix.SIGTRAP, unix.SIGSYS:
	default:
		faulted = false
	}
	if faulted {
		e.endStep(t)
		if ptrace.GetRegs(t.TID, &e.regs) == nil {
			t.again, t.againSP = st.addr, e.regs.SP()
		}
		if e.siginfo.Addr() == st.slot {
			e.siginfo.SetAddr(st.addr)
			_ = ptrace.SetSiginfo(t.TID, &e.siginfo)
		}
		return false
	}
	if st.stashed { // cannot be: signals were blocked; better early than lost
		return false
	}
	st.stash, st.stashed = e.siginfo, true
	if mask, err := ptrace.GetSigmask(t.TID); err == nil {
		st.mask, st.masked = mask, true
		synchronous := ptrace.Sigset(0).With(unix.SIGSEGV).With(unix.SIGBUS).With(unix.SIGILL).With(unix.SIGFPE).With(unix.SIGTRAP).With(unix.SIGSYS)
		_ = ptrace.SetSigmask(t.TID, mask|^synchronous)
	}
	return true
}
