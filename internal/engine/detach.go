package engine

import (
	"errors"
	"time"

	"golang.org/x/sys/unix"

	"farcall/internal/ptrace"
)

// ErrFiltered is returned for a detach of threads that carry Options.Filter: untraced, the calls it stops at
// would give ENOSYS.
var ErrFiltered = errors.New("detach: the seccomp filter would refuse calls without a tracer")

// Detach lets t go. In a callback it takes effect when that returns; a signal that is being delivered then still is.
// Otherwise t is stopped for it first. A group-stopped thread stays stopped.
//
// Error: ErrFiltered.
func (t *Thread) Detach() error {
	if t.filtered {
		return ErrFiltered
	}
	t.e.detach(t)
	return nil
}

func (e *Engine) detach(t *Thread) {
	if t.gone || t.detaching {
		return
	}
	t.detaching = true
	t.Proc.scan = false // or it would be found untraced, and seized again
	switch {
	case t.held:
		t.parked, t.held = false, false
		e.detachStopped(t, t.sig)
	case t.stopped: // in its callback: resume detaches
		t.parked = false
	default:
		e.stop(t)
	}
}

// stop makes a running thread report a stop.
func (e *Engine) stop(t *Thread) {
	if !e.opts.Classic {
		_ = ptrace.Interrupt(t.TID) // ESRCH: it is dead, and wait4 will say so
		return
	}
	if !t.expectStop {
		t.expectStop = true
		_ = unix.Tgkill(t.Proc.PID, t.TID, unix.SIGSTOP)
	}
}

// detachStopped detaches a thread in a ptrace-stop.
func (e *Engine) detachStopped(t *Thread, sig unix.Signal) {
	e.pin.restore(t)
	e.withoutBreakpoints(t)
	if e.opts.KillOnExit {
		_ = ptrace.SetOptions(t.TID, e.opts.ptraceOptions()&^ptrace.OptExitKill)
	}
	if ptrace.Detach(t.TID, sig) != nil {
		t.stopped = false
		return // ESRCH: it was killed, and is ours until wait4 has said so
	}
	e.forget(t)
	if t.visible() {
		e.sink.Detached(t)
	}
}

// DetachAll begins to let go of all threads; Run returns when that is done. Threads that cannot be stopped, such as a parent
// waiting in vfork(2), are let go by the end of the engine's thread; the engine is then closed.
//
// Errors: ErrFiltered if there is such a thread (nothing has been done then); ErrClosed.
func (e *Engine) DetachAll() error {
	var err error
	if derr := e.Do(func() { err = e.leave() }); derr != nil {
		return derr
	}
	return err
}

func (e *Engine) leave() error {
	for _, t := range e.threads {
		if t.filtered {
			return ErrFiltered
		}
	}
	e.leaving = true
	e.clearAll()
	for _, t := range e.Threads() {
		e.detach(t)
	}
	e.watchStuck(0)
	return nil
}

// watchStuck looks, some time after the stops were asked for, whether all threads that are left sleep
// uninterruptibly. Twice in a row means that they will not stop soon.
func (e *Engine) watchStuck(seen int) {
	const pause = 20 * time.Millisecond
	time.AfterFunc(pause, func() {
		e.post(func() {
			if !e.leaving || len(e.threads) == 0 {
				return
			}
			if !e.allStuck() {
				seen = -1
			}
			if seen == 1 && !e.opts.KillOnExit {
				e.letGo()
				return
			}
			e.watchStuck(seen + 1)
		})
	})
}

func (e *Engine) allStuck() bool {
	for tid := range e.threads {
		if st, err := readStatus(tid); err != nil || st.state != 'D' {
			return false
		}
	}
	return true
}

// letGo ends the engine's thread, by which the kernel detaches what it traces in whatever state that is.
func (e *Engine) letGo() {
	e.quit, e.abandon = true, true
	e.clearAll()
	for _, t := range e.Threads() {
		e.pin.restore(t)
		e.forget(t)
		if t.visible() {
			e.sink.Detached(t)
		}
	}
	e.finishRuns(nil)
	e.mu.Lock()
	e.closed = true
	e.mu.Unlock()
}

// KillAll sends SIGKILL to every traced process.
func (e *Engine) KillAll() error {
	return e.Do(func() {
		for pid := range e.procs {
			_ = unix.Kill(pid, unix.SIGKILL)
		}
	})
}
