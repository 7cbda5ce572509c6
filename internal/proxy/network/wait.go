package network

import (
	"time"

	"farcall/internal/linux"

	"golang.org/x/sys/unix"
)

// nonblocking tells whether calls about an open file are not to wait.
func nonblocking(fd int) bool {
	fl, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
	return err == nil && fl&unix.O_NONBLOCK != 0
}

// signalInterval is how often it is looked whether a signal is to interrupt a thread that waits for us.
const signalInterval = 50 * time.Millisecond

// errRestart has the kernel make the call again behind the signal's handler, or fail with EINTR, as the handler's SA_RESTART says:
// ERESTARTSYS (linux/errno.h).
const errRestart = 512

// A patience waits for something on behalf of a thread, until a signal is to be delivered to that.
type patience struct {
	tid     int
	pending bool // it was when we looked last
	ours    bool // and no other thread can take it
}

// over tells that it is time to give up. A signal that another thread of the process takes is there for a moment only.
func (p *patience) over() bool {
	was := p.pending
	st, err := linux.ReadStatus(p.tid)
	p.pending = err != nil || st.Deliverable() != 0 // or it is gone
	p.ours = err == nil && (st.Pending&st.Deliverable() != 0 || st.Threads == 1)
	return was && p.pending
}

// errno is what a call returns then. If the signal may turn out to be another thread's, the program would see errRestart itself.
func (p *patience) errno() unix.Errno {
	if p.ours {
		return errRestart
	}
	return unix.EINTR
}

// await waits for done: 0 if it came, otherwise there is a signal.
func (q *call) await(done <-chan struct{}) unix.Errno {
	p := patience{tid: q.TID()}
	t := time.NewTicker(signalInterval)
	defer t.Stop()
	for {
		select {
		case <-done:
			return 0
		case <-t.C:
			if p.over() {
				return p.errno()
			}
		}
	}
}

// ready waits until a descriptor is ready: 0, EAGAIN if that takes longer than the limit, which 0 is none, or the number for a signal.
func (q *call) ready(fd int, events int16, limit time.Duration) unix.Errno {
	p := patience{tid: q.TID()}
	end := time.Now().Add(limit)
	for {
		d := signalInterval
		if limit > 0 {
			if d = min(d, time.Until(end)); d <= 0 {
				return unix.EAGAIN
			}
		}
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: events}}, int(d.Milliseconds())+1)
		switch {
		case n > 0:
			return 0
		case err != nil && err != unix.EINTR:
			return unix.EBADF
		case p.over():
			if limit > 0 { // as socket(7) says of SO_RCVTIMEO
				return unix.EINTR
			}
			return p.errno()
		}
	}
}
