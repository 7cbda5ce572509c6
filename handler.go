package farcall

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"runtime/debug"
	"time"

	"golang.org/x/sys/unix"

	"farcall/event"
)

// A Handler handles one call, from before the kernel sees it until the program gets its result. An
// error ends the trace: [Tracer.Wait] returns it. Handlers of all threads run on the tracer's thread, one at a time;
// while one is inside next, [Call.Delay] or [Call.Await] others run.
type Handler func(ctx context.Context, call *Call) error

// A Middleware wraps a Handler. next executes the call and returns when the kernel has answered; its
// error, such as ErrGone, should be returned. A handler that does not call next answers the call itself:
// the kernel does not execute it, and the program gets what [Call.Return] or [Call.Fail] said, ENOSYS
// if neither was called.
type Middleware func(next Handler) Handler

// A PanicError is the error of a handler that panicked.
type PanicError struct {
	Value any    // what it panicked with
	Call  string // the name of the call
	Stack []byte // of the panic, as runtime/debug.Stack gives it
}

func (e *PanicError) Error() string {
	return fmt.Sprintf("the handler of %s panicked: %v\n\n%s", e.Call, e.Value, e.Stack)
}

// Unwrap gives the value that the handler panicked with if it is an error.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// A handling is the coroutine in which a thread's calls are handled, one after the other. It runs until its
// handler waits for the kernel or for time, and is resumed at the stop, or the moment, that it waits for.
type handling struct {
	call      Call
	resume    func() (wait, bool)
	stop      func()
	yield     func(wait) bool
	waits     wait
	told      bool // the observers know of the entry
	exited    bool // the call's exit has been seen, its event is still to be told
	gone      bool // the thread has ended
	turn      uint64
	err       error
	result    int64 // of what execute was asked for
	injected  event.Injected
	linger    time.Duration // to be held after its exit has been told
	lingering bool          // it is
	loans     []loan
	places    []place // scratch memory in use
}

// A wait is why a handler's coroutine does not run.
type wait uint8

const (
	forCall      wait = iota // no call is being handled
	forKernel                // until the call's exit
	forTime                  // until a delay is over, or another goroutine is done
	forExecution             // until a call of ours has been executed
)

func newHandling(t *Task) *handling {
	h := &handling{call: Call{Task: t}}
	h.call.handling = h
	h.resume, h.stop = iter.Pull(func(yield func(wait) bool) {
		h.yield = yield
		handler := t.tracer.chain(h.kernel)
		for {
			h.err = h.guarded(handler)
			if !yield(forCall) {
				return
			}
		}
	})
	return h
}

// guarded calls the handler and makes an error of a panic.
func (h *handling) guarded(handler Handler) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &PanicError{Value: v, Call: h.call.Name(), Stack: debug.Stack()}
		}
	}()
	return handler(h.call.tracer.ctx, &h.call)
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
	h.tellEntry()
	if !call.changed && neverReturns(call.call.Desc) {
		call.leave()
	}
	if !h.yield(forKernel) || h.gone {
		return ErrGone
	}
	h.settle()
	return nil
}

// enter begins to handle the thread's call, at its entry.
func (h *handling) enter() {
	c := &h.call
	c.number, c.args = c.Task.call.Number, c.Task.call.Regs
	c.Result, c.Errno = 0, 0
	c.changed, c.answered, c.done, c.dirty = false, false, false, false
	h.told, h.exited, h.linger, h.turn = false, false, 0, h.turn+1
	h.injected = event.Injected{Rules: h.injected.Rules[:0], Actions: h.injected.Actions[:0]}
	c.ev.Injected = nil
	h.run()
}

// tellEntry tells the observers of the call as it stands when its handler first waits for something, so that they see what it
// has written to the program's memory.
func (h *handling) tellEntry() {
	if h.told {
		return
	}
	h.told = true
	t := h.call.Task
	if h.call.dirty {
		h.call.dirty = false
		t.begin(t.call.Number, &t.thread.Call)
	}
	t.ev.Time, t.ev.Lost = t.at, false
	t.tell(event.CallEntry)
}

// exit goes on with the handler when the kernel has answered.
func (h *handling) exit() {
	h.exited = true
	h.call.dirty = false
	switch h.waits {
	case forKernel:
		h.call.done = true
		h.call.Task.ev.Duration = int64(time.Since(h.call.Task.entered)) // for conditions
		h.call.result(h.call.thread.Call.Ret, h.call.thread.Call.IsError)
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
	if !c.done && !c.answered && h.err == nil {
		_ = c.Fail(unix.ENOSYS) // ESRCH: the thread is gone, nobody will see the answer
	}
	h.tellEntry()
	if h.exited {
		h.tell()
	}
}

// tell tells the observers of the call's exit with the result that the program gets.
func (h *handling) tell() {
	c := &h.call
	h.freePlaces()
	t := c.Task
	t.call.Ret, t.call.Failed = t.thread.Call.Ret, t.thread.Call.IsError
	t.call.Result.Num = uint64(t.call.Ret)
	if c.dirty && !t.tracer.opts.Undecoded {
		t.call.ExitAgain(t.call.Ret, t.call.Failed)
	}
	t.ev.Injected = nil
	if i := &h.injected; i.Args || i.Result || i.Delayed || len(i.Rules) > 0 {
		t.ev.Injected = i
	}
	t.tellExit()
	t.ev.Injected = nil
	if h.linger > 0 {
		t.thread.Park()
		h.lingering = true
		h.after(h.linger, func() { h.lingering = false })
	}
}
