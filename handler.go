package farcall

import (
	"context"
	"errors"
	"iter"
	"time"

	"golang.org/x/sys/unix"
)

// A Handler handles one call, from before the kernel sees it until the program gets its result. An
// error ends the trace: [Tracer.Wait] returns it. Handlers of all threads run on the tracer's thread, one at a time;
// while one is inside next or [Call.Delay] others run.
type Handler func(ctx context.Context, call *Call) error

// A Middleware wraps a Handler. next executes the call and returns when the kernel has answered; its
// error, such as ErrGone, should be returned. A handler that does not call next answers the call itself:
// the kernel does not execute it, and the program gets what [Call.Return] or [Call.Fail] said, ENOSYS
// if neither was called.
type Middleware func(next Handler) Handler

// A handling is the coroutine in which a thread's calls are handled, one after the other. It runs until its
// handler waits for the kernel or for time, and is resumed at the stop, or the moment, that it waits for.
type handling struct {
	call   Call
	resume func() (wait, bool)
	stop   func()
	yield  func(wait) bool
	waits  wait
	exited bool // the call's exit has been seen, its event is still to be told
	gone   bool // the thread has ended
	turn   uint64
	err    error
}

// A wait is why a handler's coroutine does not run.
type wait uint8

const (
	forCall   wait = iota // no call is being handled
	forKernel             // until the call's exit
	forTime               // until a delay is over
)

func newHandling(t *Task) *handling {
	h := &handling{call: Call{Task: t}}
	h.call.handling = h
	h.resume, h.stop = iter.Pull(func(yield func(wait) bool) {
		h.yield = yield
		handler := t.tracer.chain(h.kernel)
		for {
			h.err = handler(t.tracer.ctx, &h.call)
			if !yield(forCall) {
				return
			}
		}
	})
	return h
}

// kernel is the innermost handler: the one that executes the call.
func (h *handling) kernel(_ context.Context, call *Call) error {
	switch {
	case h.gone:
		return ErrGone
	case call.done:
		return errors.New("farcall: next was called twice for one call")
	case call.answered:
		return nil
	}
	if call.changed {
		if err := call.thread.SetCall(int64(call.number), call.args); err != nil {
			return ErrGone
		}
	}
	if !h.yield(forKernel) || h.gone {
		return ErrGone
	}
	return nil
}

// enter begins to handle the thread's call, at its entry.
func (h *handling) enter() {
	c := &h.call
	c.number, c.args = c.Task.call.Number, c.Task.call.Regs
	c.Result, c.Errno = 0, 0
	c.changed, c.answered, c.done = false, false, false
	h.exited, h.turn = false, h.turn+1
	h.run()
}

// exit goes on with the handler when the kernel has answered.
func (h *handling) exit() {
	h.exited = true
	switch h.waits {
	case forKernel:
		h.call.done = true
		h.call.result(h.call.thread.Call.Ret)
		h.run()
	case forCall: // it answered the call itself
		h.tell()
	}
}

// leave lets the handler of a thread that has ended finish.
func (h *handling) leave() {
	h.gone = true
	for h.waits != forCall {
		h.waits, _ = h.resume()
	}
	h.stop()
}

func (h *handling) run() {
	h.waits, _ = h.resume()
	if h.waits != forCall {
		return
	}
	c := &h.call
	if h.err != nil && !errors.Is(h.err, ErrGone) {
		c.tracer.fail(h.err)
	}
	if !c.done && !c.answered {
		_ = c.Fail(unix.ENOSYS) // ESRCH: the thread is gone, nobody will see the answer
	}
	if h.exited {
		h.tell()
	}
}

// tell tells the observers of the call's exit with the result that the program gets.
func (h *handling) tell() {
	t := h.call.Task
	t.call.Ret, t.call.Failed = t.thread.Call.Ret, t.thread.Call.IsError
	t.call.Result.Num = uint64(t.call.Ret)
	t.tellExit()
}

// delay holds the thread; it is called by the coroutine.
func (h *handling) delay(d time.Duration) {
	t := h.call.Task
	t.thread.Park()
	turn, e := h.turn, t.tracer.engine
	time.AfterFunc(d, func() {
		_ = e.Do(func() { // ErrClosed: the trace is over
			if h.turn == turn && h.waits == forTime && !h.gone {
				h.run()
				t.thread.Resume()
			}
		})
	})
	h.yield(forTime)
}
