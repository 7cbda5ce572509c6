package engine

import (
	"golang.org/x/sys/unix"

	"farcall/internal/ptrace"
)

// waitOptions select the tracees of the engine's own thread and nothing else. WNOTHREAD alone is not enough: the thread may have
// run other goroutines, and os/exec in them, before the engine got hold of it, and it can inherit children of threads that
// end. Of children that are not traced, WCLONE takes only those that signal their exit by something else than SIGCHLD, which
// Go does not make; tracees are taken in any case (kernel/exit.c, eligible_child).
const waitOptions = unix.WCLONE | unix.WNOTHREAD

// An event is a change of state that wait4 has reported and that is not handled yet.
type event struct {
	tid int // 0 if a later event has made it stale
	ws  ptrace.WaitStatus
}

// gatherEvery is how many stops may be handled before all pending ones are collected. wait4 gives the first tracee of the
// kernel's list that has something to report, so a busy one could hide those behind it for ever.
const gatherEvery = 8

// step waits for one event and handles it. It returns without one if there is mail.
func (e *Engine) step() {
	if e.head == len(e.queue) && !e.fill() {
		return
	}
	ev := e.queue[e.head]
	e.head++
	if ev.tid != 0 {
		e.handle(ev.tid, ev.ws)
	}
}

// fill waits for at least one event.
func (e *Engine) fill() bool {
	e.queue, e.head = e.queue[:0], 0
	e.inWait.Store(true)
	if e.bell.Load() {
		e.inWait.Store(false)
		return false
	}
	var ru *unix.Rusage
	if e.opts.Rusage {
		ru = &e.rusage
	}
	tid, ws, err := ptrace.Wait4(-1, waitOptions, ru)
	e.inWait.Store(false)
	if err != nil {
		if err == unix.ECHILD {
			e.nobodyLeft()
		}
		return false
	}
	e.enqueue(tid, ws)
	if e.streak++; e.streak < gatherEvery || len(e.threads) == 1 {
		return true
	}
	e.streak = 0
	for {
		tid, ws, err := ptrace.RawWait4(-1, waitOptions|unix.WNOHANG, ru)
		if err != nil || tid == 0 {
			return true
		}
		e.enqueue(tid, ws)
	}
}

// enqueue adds an event. A thread that has one in the queue already did not go on by our doing: it was killed, or another thread
// has taken over its id by execve. What it had stopped for is then over, and a request meant for that
// stop would hit the next one.
func (e *Engine) enqueue(tid int, ws ptrace.WaitStatus) {
	t := e.last
	if t == nil || t.TID != tid {
		t = e.threads[tid]
	}
	if t != nil {
		if e.opts.Rusage {
			t.Rusage = e.rusage
		}
		if e.pending(t) {
			e.queue[t.queued-1].tid = 0
		}
		t.queued = len(e.queue) + 1
	}
	e.queue = append(e.queue, event{tid, ws})
}

// nobodyLeft drops threads that the kernel says are no children or tracees of ours (any more).
func (e *Engine) nobodyLeft() {
	for _, t := range e.Threads() {
		e.lost(t)
	}
}

// lost removes a thread whose end was not reported.
func (e *Engine) lost(t *Thread) {
	e.forget(t)
	if t.visible() {
		e.sink.Exited(t, Status{Lost: true})
	}
}

// handle is told of one change of state.
func (e *Engine) handle(tid int, ws ptrace.WaitStatus) {
	t := e.last
	if t == nil || t.TID != tid {
		if t = e.threads[tid]; t == nil {
			if t = e.unknown(tid, ws); t == nil {
				return
			}
		}
		e.last = t
		e.pin.changed(e)
	}
	t.queued = 0
	if !ws.Stopped() {
		if ws.Exited() || ws.Signaled() {
			e.exited(t, statusOf(ws))
		}
		return
	}
	t.stopped, t.groupStop, t.parked, t.held = true, false, false, false
	t.sig = 0
	if !t.attached {
		e.firstStop(t, ws)
	}
	t.trapped = ws.Event() == ptrace.EventNone && ws.StopSignal() == unix.SIGTRAP && !ws.SyscallStop()
	if f := t.onStop; f != nil {
		t.onStop = nil
		if ws.Event() != ptrace.EventExec && t.visible() {
			f()
		}
	}
	if ws.SyscallStop() {
		e.pin.count(e, t)
		e.syscallStop(t)
		return
	}
	switch ev := ws.Event(); ev {
	case ptrace.EventNone:
		e.signalStop(t, ws.StopSignal())
	case ptrace.EventSeccomp:
		e.pin.count(e, t)
		e.seccompStop(t)
	case ptrace.EventFork, ptrace.EventVfork, ptrace.EventClone:
		e.created(t, ev)
		e.resume(t, 0)
	case ptrace.EventExec:
		e.execed(t)
	case ptrace.EventStop:
		e.eventStop(t, ws.StopSignal())
	default:
		e.resume(t, 0)
	}
}

// resume lets a stopped thread go on, delivering sig, in the way that leads to its next stop of interest.
func (e *Engine) resume(t *Thread, sig unix.Signal) {
	if t.parked && !e.leaving && !t.detaching {
		t.held = true
		t.sig = sig
		return
	}
	if t.emulating {
		e.emulated(t)
		if t.parked && !e.leaving && !t.detaching {
			t.held, t.sig = true, sig
			return
		}
	}
	if (t.detaching || e.leaving) && !t.expectStop && t.exec == nil && !e.trapPending(t) {
		e.detachStopped(t, sig)
		return
	}
	t.singling = false
	if e.opts.Breakpoints != nil {
		e.setDebug(t, false)
	}
	// Errors: ESRCH, when it was killed in the meantime, as wait4 will say; others do not occur for a stopped thread.
	switch {
	case t.groupStop:
		_ = ptrace.Listen(t.TID)
	case t.emulates():
		t.sysemu = true
		_ = ptrace.Sysemu(t.TID, sig)
	case t.step != nil || t.stepsThere():
		t.singling = true
		_ = ptrace.SingleStep(t.TID, sig)
	case t.wantsSyscallStop():
		t.sysemu = false
		_ = ptrace.Syscall(t.TID, sig)
	default:
		t.passing = t.inCall
		_ = ptrace.Cont(t.TID, sig)
	}
	t.stopped = false
}

// wantsSyscallStop tells whether t has to stop at its next entry or exit, for whichever of the two it is heading to.
func (t *Thread) wantsSyscallStop() bool {
	if t.launch != nil || t.exec != nil || !t.native && (!t.filtered || t.full) {
		return true
	}
	return t.inCall && t.shown && !t.skipExit || t.force || t.mustExit || t.maps
}
