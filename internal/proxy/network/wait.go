package network

import (
	"os"
	"strconv"
	"strings"
	"time"

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
}

// over tells that it is time to give up. A signal that another thread of the process takes is there for a moment only.
func (p *patience) over() bool {
	was := p.pending
	p.pending = signalled(p.tid)
	return was && p.pending
}

// signalled tells whether a thread has a signal pending that it does not block or ignore (proc_pid_status(5)).
func signalled(tid int) bool {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(tid) + "/status")
	if err != nil {
		return true // gone
	}
	var pending, masked uint64
	for line := range strings.Lines(string(b)) {
		name, value, _ := strings.Cut(line, ":")
		n, err := strconv.ParseUint(strings.TrimSpace(value), 16, 64)
		if err != nil {
			continue
		}
		switch name {
		case "SigPnd", "ShdPnd":
			pending |= n
		case "SigBlk", "SigIgn":
			masked |= n
		}
	}
	return pending&^masked != 0
}

// await waits for done and tells whether it came; otherwise there is a signal.
func (q *call) await(done <-chan struct{}) bool {
	p := patience{tid: q.TID()}
	t := time.NewTicker(signalInterval)
	defer t.Stop()
	for {
		select {
		case <-done:
			return true
		case <-t.C:
			if p.over() {
				return false
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
			return errRestart
		}
	}
}
