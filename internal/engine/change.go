package engine

import (
	"golang.org/x/sys/unix"

	"farcall/internal/ptrace"
)

// How a call is changed: by PTRACE_SET_SYSCALL_INFO (Linux 6.16), which knows the call's ABI, or else by the registers that
// Thread.Call.ABI says the call uses.

// getInfo fills e.info for t, which is in a stop of a call.
func (e *Engine) getInfo(t *Thread) error {
	e.infoOf = nil
	_, err := ptrace.GetSyscallInfo(t.TID, &e.info)
	if err == nil {
		e.infoOf = t
	}
	return err
}

// changeCall applies a change to the call t is stopped in: to the kernel's description, or to the registers.
func (t *Thread) changeCall(info func(*ptrace.SyscallInfo), regs func(*ptrace.Regs)) error {
	e := t.e
	if !e.byRegs {
		if e.infoOf != t {
			if err := e.getInfo(t); err != nil {
				return err
			}
		}
		info(&e.info)
		e.info.Flags = 0
		err := ptrace.SetSyscallInfo(t.TID, &e.info)
		if err != unix.EIO {
			return err
		}
		e.byRegs = true
	}
	return t.changeRegs(regs)
}

func (t *Thread) changeRegs(change func(*ptrace.Regs)) error {
	r := &t.e.regs
	if err := ptrace.GetRegs(t.TID, r); err != nil {
		return err
	}
	change(r)
	return ptrace.SetRegs(t.TID, r)
}

// SetCall, called from Enter, makes the kernel execute another call, or the same with other arguments; number -1 skips it. t.Call
// shows the program's own until the sink changes it.
func (t *Thread) SetCall(number int64, args [6]uint64) error {
	t.altered, t.executed = true, number
	return t.changeCall(func(i *ptrace.SyscallInfo) {
		i.SetNumber(number)
		*i.Args() = args
	}, func(r *ptrace.Regs) {
		r.SetSyscallNumber(number)
		for i, a := range args {
			r.SetArg(t.Call.ABI, i, a)
		}
	})
}

// Answer, called from Enter, keeps the kernel from executing the call and gives the program ret: a negated errno if failed is set,
// otherwise a value. Exit is called with it.
func (t *Thread) Answer(ret int64, failed bool) error {
	if t.emulating {
		t.Force(ret, failed)
		return nil
	}
	err := t.changeCall(func(i *ptrace.SyscallInfo) { i.SetNumber(-1) }, func(r *ptrace.Regs) { r.SetSyscallNumber(-1) })
	if err == nil {
		t.Force(ret, failed)
	}
	return err
}

// Force, called from Enter, replaces the result of what the kernel executes by ret, as Answer does.
func (t *Thread) Force(ret int64, failed bool) { t.force, t.forced, t.forcedOK = true, ret, !failed }

// SetResult, called from Exit, gives the program another result: a negated errno if failed is set, otherwise a value. Values from
// -4095 to -1 are errors to the program all the same.
func (t *Thread) SetResult(ret int64, failed bool) error {
	err := t.changeCall(func(i *ptrace.SyscallInfo) { i.SetResult(ret, failed) }, func(r *ptrace.Regs) { r.SetResult(ret) })
	if err == nil {
		t.Call.Ret, t.Call.IsError = ret, failed
	}
	return err
}

// Failed tells whether a result is a negated errno.
func Failed(ret int64) bool { return ret < 0 && ret >= -maxErrno }

const maxErrno = 4095 // include/linux/err.h
