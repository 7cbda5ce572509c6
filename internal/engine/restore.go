package engine

import "farcall/internal/ptrace"

// A call leaves its arguments in their registers, and compilers rely on that; a call that is restarted after a signal finds its number and
// arguments there. So what SetCall has changed is put back at the exit.

// leavesRegisters tells whether the registers at the exit of a call are no longer those of its entry.
func leavesRegisters(name string, failed bool) bool {
	switch name {
	case "rt_sigreturn", "sigreturn":
		return true
	case "execve", "execveat":
		return !failed
	}
	return false
}

// restoreArgs gives t the registers that its own call had. The result stays.
func (e *Engine) restoreArgs(t *Thread) {
	c := &t.Call
	t.altered = false
	failed := e.info.IsError()
	if leavesRegisters(c.ABI.Name(uint64(c.Number)), failed) || leavesRegisters(c.ABI.Name(uint64(t.executed)), failed) {
		return
	}
	r := &e.regs
	if ptrace.GetRegs(t.TID, r) != nil {
		return // ESRCH: killed
	}
	r.Restore(c.ABI, c.Number, &c.Args)
	_ = ptrace.SetRegs(t.TID, r)
}
