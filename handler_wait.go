package farcall

import "time"

// Delay holds the thread for d. Other threads go on. Error: ErrGone if the thread ends meanwhile.
func (c *Call) Delay(d time.Duration) error {
	h := c.handling
	h.injected.Delayed = true
	return h.pause(func(done func()) { h.after(d, done) })
}

// DelayReturn holds the thread for d before it goes on with the result of the call. Unlike Delay after next, it does not
// keep the observers waiting: they are told first.
func (c *Call) DelayReturn(d time.Duration) {
	c.handling.injected.Delayed = true
	c.handling.linger += d
}

// Await calls f in a goroutine of its own and returns when it is done. The thread stays where it is, others go on: this is for all that
// takes time, such as asking a server. f must not use the Call. If it panics, so does Await.
//
// Error: ErrGone if the thread ends meanwhile; f then still runs.
func (c *Call) Await(f func()) error {
	h := c.handling
	var panicked any
	turn := h.turn
	err := h.pause(func(done func()) {
		go func() {
			defer func() {
				panicked = recover()
				h.finish(turn, done)
			}()
			f()
		}()
	})
	if err == nil && panicked != nil {
		panic(panicked)
	}
	return err
}

// pause parks the thread and suspends the coroutine until done, which start is given, has been called on the tracer's thread.
func (h *handling) pause(start func(done func())) error {
	if h.gone {
		return ErrGone
	}
	if !h.exited {
		h.tellEntry()
	}
	h.call.thread.Park()
	over := false
	start(func() {
		over = true
		if h.waits == forTime && !h.gone {
			h.run()
		}
	})
	for !over && !h.gone {
		if !h.yield(forTime) {
			break
		}
	}
	if h.gone {
		return ErrGone
	}
	return nil
}

// after calls f on the tracer's thread once d has passed, and lets the thread go on if nothing else holds it.
func (h *handling) after(d time.Duration, f func()) {
	turn := h.turn
	time.AfterFunc(d, func() { h.finish(turn, f) })
}

// finish calls f on the tracer's thread, unless the call of that turn is over, and lets the thread go on if nothing else holds it.
func (h *handling) finish(turn uint64, f func()) {
	t := h.call.Task
	_ = t.tracer.engine.Do(func() { // ErrClosed: the trace is over
		if h.turn != turn || h.gone {
			return
		}
		f()
		if h.waits != forTime && !h.lingering {
			t.thread.Resume()
		}
	})
}
