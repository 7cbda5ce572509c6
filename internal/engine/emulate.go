package engine

import "farcall/internal/ptrace"

// With Options.Emulate threads are resumed by PTRACE_SYSEMU: they stop at the entry of each call, which the kernel does not execute,
// and there is no stop at an exit. What the sink answers is written to the registers when the thread goes on. A call that
// it does not answer is for the kernel: the thread is set back to before the instruction and resumed by PTRACE_SYSCALL, which first stops at
// the exit of what was not executed, enters the call once more, and stops at its exit: four stops instead of one.

// emulates tells whether t is to be resumed by PTRACE_SYSEMU: not while it has a call of the kernel's to finish.
func (t *Thread) emulates() bool {
	return t.e.opts.Emulate && t.launch == nil && !t.inCall && !t.hidden
}

// emulated ends the call that t stopped for under PTRACE_SYSEMU, before it goes on.
func (e *Engine) emulated(t *Thread) {
	t.emulating = false
	r := &e.regs
	if ptrace.GetRegs(t.TID, r) != nil {
		return // ESRCH: killed
	}
	if !t.force {
		r.Rewind()
		if ptrace.SetRegs(t.TID, r) == nil {
			t.reenters = true
		}
		return
	}
	r.SetResult(t.forced)
	if ptrace.SetRegs(t.TID, r) != nil {
		return
	}
	show := t.shown && !t.skipExit
	t.Call.Ret, t.Call.IsError = t.forced, !t.forcedOK
	t.inCall, t.force = false, false
	if show {
		e.sink.Exit(t)
	}
}
