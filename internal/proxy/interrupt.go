package proxy

import (
	"sync"
	"time"

	"farcall/internal/linux"

	"golang.org/x/sys/unix"
)

// A call that has arrived at a listener is interrupted by nothing but being killed: the kernel would make it again after a signal, and it would be
// executed twice. So it is looked whether a signal waits, and a call that waits for something is cancelled then.

// interruptAfter is when that is looked for, and how often.
const interruptAfter = 50 * time.Millisecond

// restartSys is ERESTARTSYS (linux/errno.h): the kernel makes it EINTR, or makes the call again, as the handler of the signal that it
// delivers says (sigaction(2), SA_RESTART). Without a signal to deliver the program would see the number itself.
const restartSys = 512

// An interruption is what can interrupt a call. The zero value is ready.
type interruption struct {
	mu      sync.Mutex
	timer   *time.Timer
	c       chan struct{}
	stopped bool
	ours    bool // the signal is the thread's: no other can take it
}

// watch returns a channel that is closed when the thread has a signal, or valid says that its call does not wait any more.
func (i *interruption) watch(tid int, valid func() bool) <-chan struct{} {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.c == nil {
		i.c = make(chan struct{})
		i.timer = time.AfterFunc(interruptAfter, func() { i.look(tid, valid) })
	}
	return i.c
}

func (i *interruption) look(tid int, valid func() bool) {
	st, err := linux.ReadStatus(tid)
	interrupted := err != nil || st.Deliverable() != 0
	interrupted = !valid() || interrupted // in this order: the status was the thread's
	i.mu.Lock()
	defer i.mu.Unlock()
	switch {
	case i.stopped:
	case interrupted:
		i.ours = err == nil && (st.Pending&st.Deliverable() != 0 || st.Threads == 1)
		close(i.c)
	default:
		i.timer.Reset(interruptAfter)
	}
}

// result is what a call returns that was interrupted on the server.
func (i *interruption) result() int64 {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.ours {
		return -restartSys
	}
	return -int64(unix.EINTR)
}

// stop ends watching.
func (i *interruption) stop() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.stopped = true
	if i.timer != nil {
		i.timer.Stop()
	}
}
