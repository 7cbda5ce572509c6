package engine

import (
	"errors"

	"golang.org/x/sys/unix"

	"farcall/internal/ptrace"
)

// An execution is a call that the tracer has a thread make, in place of the one at whose entry it is stopped: the number and the
// arguments are exchanged, and when the kernel has answered, the thread is set back to before the instruction that makes the
// call, so that it enters its own call once more. Every signal is blocked meanwhile, or a handler could run in between, and
// its calls be taken for that one. SIGKILL and SIGSTOP cannot be blocked, and do no harm.
type execution struct {
	regs ptrace.Regs // at the entry
	mask ptrace.Sigset
	made bool // the call has been made, the thread is on its way back
	ret  int64
	done func(ret int64)
}

// ErrNoCall is returned by Execute for a thread that is not at the entry of a call.
var ErrNoCall = errors.New("execute: the thread is not at the entry of a call")

// Execute has t execute another call before its own. It is called from Enter, or later while t is parked there. When t is at the entry of its
// own call again, done is called with the result, a value or a negated errno; if t is killed before that, done is never
// called. The sink is not told of any of this.
//
// The number is one of t.Call.ABI. Calls that do not return where they were made (execve, rt_sigreturn, exit), or return twice, are not possible.
// A seccomp filter of the program applies to it.
//
// Errors: ErrNoCall, also with Options.Emulate; ESRCH.
func (t *Thread) Execute(number int64, args [6]uint64, done func(ret int64)) error {
	if !t.inCall || t.passing || t.exec != nil || !t.stopped || t.emulating {
		return ErrNoCall
	}
	x := &execution{done: done}
	err := ptrace.GetRegs(t.TID, &x.regs)
	if err == nil {
		x.mask, err = ptrace.GetSigmask(t.TID)
	}
	if err == nil {
		err = ptrace.SetSigmask(t.TID, ^ptrace.Sigset(0))
	}
	if err == nil {
		err = t.SetCall(number, args)
		t.altered = false // all registers are put back
	}
	if err != nil {
		return err
	}
	t.exec = x
	return nil
}

// executing handles a stop of a call while an execution is under way.
func (e *Engine) executing(t *Thread) {
	x := t.exec
	switch {
	case e.info.Op == ptrace.OpExit && !x.made:
		x.made, x.ret = true, e.info.Result()
		x.regs.Rewind()
		_ = ptrace.SetRegs(t.TID, &x.regs) // ESRCH: killed
	case e.info.Op == ptrace.OpEntry && x.made:
		_ = ptrace.SetSigmask(t.TID, x.mask)
		t.exec = nil
		x.done(x.ret)
	}
}

// A signal that Queue has sent, and what the program is to see of it.
type queued struct {
	cookie uint64
	info   ptrace.Siginfo
}

// maxQueued bounds how many signals of a thread can wait for their delivery. Those that are not real-time signals are lost when one of
// their kind is pending already.
const maxQueued = 64

// Queue makes a signal pending for t, which the program sees with the siginfo that is given: any siginfo, also one that only the
// kernel makes. It needs a stop to put it there; if t takes the signal out of the queue by sigwaitinfo(2) or a
// signalfd(2) before it is delivered, it sees one by sigqueue(3) of the tracer instead.
//
// Errors: ESRCH; EAGAIN if too many signals are pending (RLIMIT_SIGPENDING); EINVAL for a signal that does not exist.
func (t *Thread) Queue(info *ptrace.Siginfo) error {
	t.e.cookie++
	q := queued{cookieMark | t.e.cookie, *info}
	carrier := ptrace.NewQueued(unix.Signal(info.Signo), q.cookie)
	if err := ptrace.QueueSiginfo(t.Proc.PID, t.TID, &carrier); err != nil {
		return err
	}
	if len(t.signals) == maxQueued {
		t.signals = t.signals[1:]
	}
	t.signals = append(t.signals, q)
	return nil
}

// cookieMark tells the values of our signals from a program's own.
const cookieMark = 0xfa7ca11 << 36

// disguise gives e.siginfo, which t is stopped for, the contents that Queue was asked for.
func (e *Engine) disguise(t *Thread) {
	if e.siginfo.Code != ptrace.CodeQueue {
		return
	}
	for i := range t.signals {
		if q := &t.signals[i]; q.cookie == e.siginfo.Value() && q.info.Signo == e.siginfo.Signo {
			e.siginfo = q.info
			_ = ptrace.SetSiginfo(t.TID, &e.siginfo)
			t.signals = append(t.signals[:i], t.signals[i+1:]...)
			return
		}
	}
}
