package engine

import (
	"golang.org/x/sys/unix"

	"farcall/internal/ptrace"
	"farcall/syscalls"
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

// A change is what is done to the call that a thread is stopped in. It is a value, as closures would be allocated for each call.
type change struct {
	what   uint8
	number int64
	args   [6]uint64
	ret    int64
	failed bool
}

const (
	changeCall   = iota // number and args
	changeNumber        // number
	changeResult        // ret, failed
)

// apply makes a change in the kernel's description of the call, or else in the registers.
func (t *Thread) apply(c *change) error {
	e := t.e
	if !e.byRegs {
		if e.infoOf != t {
			if err := e.getInfo(t); err != nil {
				return err
			}
		}
		c.inInfo(&e.info)
		err := ptrace.SetSyscallInfo(t.TID, &e.info)
		if err != unix.EIO {
			return err
		}
		e.byRegs = true
	}
	r := &e.regs
	if err := ptrace.GetRegs(t.TID, r); err != nil {
		return err
	}
	c.inRegs(r, t.Call.ABI)
	return ptrace.SetRegs(t.TID, r)
}

func (c *change) inInfo(i *ptrace.SyscallInfo) {
	i.Flags = 0
	switch c.what {
	case changeCall:
		i.SetNumber(c.number)
		*i.Args() = c.args
	case changeNumber:
		i.SetNumber(c.number)
	case changeResult:
		i.SetResult(c.ret, c.failed)
	}
}

func (c *change) inRegs(r *ptrace.Regs, abi syscalls.ABI) {
	switch c.what {
	case changeCall:
		r.SetSyscallNumber(c.number)
		for i, a := range c.args {
			r.SetArg(abi, i, a)
		}
	case changeNumber:
		r.SetSyscallNumber(c.number)
	case changeResult:
		r.SetResult(c.ret)
	}
}

// SetCall, called from Enter, makes the kernel execute another call, or the same with other arguments; number -1 skips it. t.Call
// shows the program's own until the sink changes it.
func (t *Thread) SetCall(number int64, args [6]uint64) error {
	t.altered, t.executed = true, number
	return t.apply(&change{what: changeCall, number: number, args: args})
}

// Answer, called from Enter, keeps the kernel from executing the call and gives the program ret: a negated errno if failed is set,
// otherwise a value. Exit is called with it. With -ERESTARTSYS and its kin the kernel makes the call again after a signal, if one waits, as it
// would have if it had executed it.
func (t *Thread) Answer(ret int64, failed bool) error {
	if t.emulating {
		t.Force(ret, failed)
		return nil
	}
	err := t.apply(&change{what: changeNumber, number: -1})
	if err == nil {
		t.Force(ret, failed)
		if failed && restarts(ret) {
			t.altered, t.executed = true, -1 // with the number -1 the kernel would take it for no call (arch_do_signal_or_restart)
		}
	}
	return err
}

// restarts tells whether the kernel makes a call with that result again after a signal.
func restarts(ret int64) bool {
	switch unix.Errno(-ret) {
	case ERESTARTSYS, ERESTARTNOINTR, ERESTARTNOHAND, ERESTARTRestartblock:
		return true
	}
	return false
}

// Force, called from Enter, replaces the result of what the kernel executes by ret, as Answer does.
func (t *Thread) Force(ret int64, failed bool) { t.force, t.forced, t.forcedOK = true, ret, !failed }

// SetResult, called from Exit, gives the program another result: a negated errno if failed is set, otherwise a value. Values from
// -4095 to -1 are errors to the program all the same.
func (t *Thread) SetResult(ret int64, failed bool) error {
	err := t.apply(&change{what: changeResult, ret: ret, failed: failed})
	if err == nil {
		t.Call.Ret, t.Call.IsError = ret, failed
	}
	return err
}

// Failed tells whether a result is a negated errno.
func Failed(ret int64) bool { return ret < 0 && ret >= -maxErrno }

const maxErrno = 4095 // include/linux/err.h
