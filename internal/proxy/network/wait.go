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

// A patience waits for something on behalf of a thread, until a signal is to be delivered to that.
type patience struct {
	tid   int
	errno unix.Errno // what its call returns then, as far as was known when we looked last; 0: no signal waited
}

// over tells that it is time to give up. A signal that another thread of the process takes is there for a moment only.
func (p *patience) over() bool {
	was := p.errno
	p.errno = linux.Interrupted(p.tid)
	return was != 0 && p.errno != 0
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
				return p.errno
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
			return p.errno
		}
	}
}
