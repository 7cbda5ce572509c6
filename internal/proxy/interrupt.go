package proxy

import (
	"cmp"
	"sync"
	"time"

	"farcall/internal/linux"

	"golang.org/x/sys/unix"
)

// A call that has arrived at a listener is interrupted by nothing but being killed: the kernel would make it again after a signal, and it would be
// executed twice. So it is looked whether a signal waits, and a call that waits for something is cancelled then.

// interruptAfter is when that is looked for, and how often.
const interruptAfter = 50 * time.Millisecond

// An interruption is what can interrupt a call. The zero value is ready.
type interruption struct {
	mu      sync.Mutex
	timer   *time.Timer
	c       chan struct{}
	stopped bool
	errno   unix.Errno // what the call returns that is interrupted
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
	errno := linux.Interrupted(tid)
	if !valid() { // in this order: the status was the thread's
		errno = unix.EINTR
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	switch {
	case i.stopped:
	case errno != 0:
		i.errno = errno
		close(i.c)
	default:
		i.timer.Reset(interruptAfter)
	}
}

// result is what a call returns that was interrupted on the server.
func (i *interruption) result() int64 {
	i.mu.Lock()
	defer i.mu.Unlock()
	return -int64(cmp.Or(i.errno, unix.EINTR))
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
