package proxy

import (
	"runtime"

	"farcall/internal/ptrace"

	"golang.org/x/sys/unix"
)

// A detour is a thread whose call waits for our answer, and which we have make other calls in place of it: it is a tracee for that long.
// Every signal is blocked meanwhile, so that no handler runs in between. The calls are seen by the filter like any others.
type detour struct {
	tid  int
	regs ptrace.Regs // at the last stop
	args [6]uint64   // of the program's own call
	nr   uint64
	mask ptrace.Sigset
	made bool
}

// detour begins one on a locked thread. It answers the call if that is not possible; nil then.
func (t *notified) detour() *detour {
	tid := t.TID()
	err := ptrace.Seize(tid, ptrace.OptTraceSysgood)
	if err == nil {
		err = ptrace.Interrupt(tid)
	}
	if err != nil {
		_ = ptrace.Detach(tid, 0)
		t.Return(-int64(unix.EPERM))
		return nil
	}
	if t.listener.Restart(t.ID) != nil {
		return nil // killed
	}
	_, ws, err := ptrace.Wait4(tid, unix.WALL|unix.WNOTHREAD, nil)
	if err != nil || !ws.Stopped() {
		return nil // killed
	}
	if ws.Event() != ptrace.EventStop {
		// A signal is delivered first. The call is made, and arrives here, once more after that.
		_ = ptrace.Detach(tid, ws.StopSignal())
		return nil
	}
	d := &detour{tid: tid, args: t.Args, nr: uint64(uint32(t.Number))}
	if err = ptrace.GetRegs(tid, &d.regs); err == nil {
		d.mask, err = ptrace.GetSigmask(tid)
	}
	if err != nil {
		_ = ptrace.Detach(tid, 0)
		return nil
	}
	return d
}

// replace sets the call that the thread makes next.
func (d *detour) replace(number uint64, args [6]uint64) error {
	if !d.made {
		d.made = true
		setRestart(&d.regs, number, args)
		return ptrace.SetRegs(d.tid, &d.regs)
	}
	d.regs.SetSyscallNumber(int64(number))
	for i, a := range args {
		d.regs.SetArg(nativeABI, i, a)
	}
	d.regs.Rewind()
	return ptrace.SetRegs(d.tid, &d.regs)
}

// call has the thread make a call and returns its result; false if it has been killed.
func (d *detour) call(number uint64, args [6]uint64) (ret int64, ok bool) {
	if ptrace.SetSigmask(d.tid, ^ptrace.Sigset(0)) != nil || d.replace(number, args) != nil {
		return 0, false
	}
	sig := unix.Signal(0)
	for stops := 0; stops < 2; { // its entry and its exit
		if ptrace.Syscall(d.tid, sig) != nil {
			return 0, false
		}
		_, ws, err := ptrace.Wait4(d.tid, unix.WALL|unix.WNOTHREAD, nil)
		if err != nil || !ws.Stopped() {
			return 0, false
		}
		switch sig = 0; {
		case ws.SyscallStop():
			stops++
		case ws.SignalStop(): // SIGSTOP cannot be blocked
			sig = ws.StopSignal()
		}
	}
	if ptrace.GetRegs(d.tid, &d.regs) != nil {
		return 0, false
	}
	return d.regs.Result(), true
}

// end lets the thread go on with a result of its own call, and everything else as that would have left it.
func (d *detour) end(ret int64) {
	d.regs.Restore(nativeABI, int64(d.nr), &d.args)
	d.regs.SetResult(ret)
	_ = ptrace.SetRegs(d.tid, &d.regs) // ESRCH: killed
	_ = ptrace.SetSigmask(d.tid, d.mask)
	_ = ptrace.Detach(d.tid, 0)
}

// Redirect implements Trap. A program that is executed gets new registers, so the thread is let go before.
func (t *notified) Redirect(build func(put func([]byte) uint64) (uint64, [6]uint64)) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	d := t.detour()
	if d == nil {
		return
	}
	s := scratch{sp: d.regs.SP(), write: t.mem.Write}
	number, args := build(s.put)
	if number == unix.SYS_EXECVE {
		_ = d.replace(number, args) // ESRCH: killed
		_ = ptrace.Detach(d.tid, 0)
		return
	}
	if ret, ok := d.call(number, args); ok {
		d.end(ret)
	}
}

// Map implements Trap.
func (t *notified) Map(file int, args [6]uint64, done func()) {
	defer done()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	fd, err := t.listener.Add(t.ID, file)
	if err != nil {
		t.Return(-int64(unix.ENOMEM))
		return
	}
	d := t.detour()
	if d == nil {
		return
	}
	args[4] = uint64(fd)
	ret, ok := d.call(unix.SYS_MMAP, args)
	if ok {
		_, ok = d.call(unix.SYS_CLOSE, [6]uint64{uint64(fd)})
	}
	if ok {
		d.end(ret)
	}
}
