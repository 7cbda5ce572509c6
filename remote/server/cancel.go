package server

import (
	"runtime"
	"sync"
	"time"
	"unsafe"

	"farcall/remote/wire"

	"golang.org/x/sys/unix"
)

// interruption is a signal that does nothing but interrupt a thread's call. The runtime has calls restarted after all signals, so its flags
// are changed for this one.
const interruption = unix.Signal(40)

// sigaction is the kernel's structure (include/uapi/asm-generic/signal.h): restorer and mask are the rest.
type sigaction struct {
	handler uintptr
	flags   uint64
	rest    [2]uint64
}

const saRestart = 0x10000000

// mayInterrupt changes the flags, once.
var mayInterrupt = sync.OnceFunc(func() {
	var act sigaction
	sig, size := uintptr(interruption), unsafe.Sizeof(act.rest[0]) // of the set of signals
	_, _, e := unix.RawSyscall6(unix.SYS_RT_SIGACTION, sig, 0, uintptr(unsafe.Pointer(&act)), size, 0, 0)
	if e != 0 {
		return // the call goes on until it ends by itself
	}
	act.flags &^= saRestart
	_, _, _ = unix.RawSyscall6(unix.SYS_RT_SIGACTION, sig, uintptr(unsafe.Pointer(&act)), 0, size, 0, 0)
})

// interruptible makes a call that waits in the kernel, such as opening a FIFO, and interrupts it when the request is cancelled or the session over.
func (x *execution) interruptible() int64 {
	mayInterrupt()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	tid := unix.Gettid()
	returned, watched := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(watched)
		select {
		case <-returned:
			return
		case <-x.cancelled:
		case <-x.quit:
		}
		for { // it may not have begun to wait yet
			_ = unix.Tgkill(unix.Getpid(), tid, interruption)
			select {
			case <-returned:
				return
			case <-time.After(time.Millisecond):
			}
		}
	}()
	for {
		ret := x.execute()
		if ret != -int64(unix.EINTR) || x.over(0) {
			close(returned)
			<-watched // no signal comes later
			return ret
		}
	}
}

// cancel has a request that waits come to its end: with EINTR if nothing has happened, otherwise with its result.
func (s *session) cancel(f wire.Frame) error {
	id, err := wire.Count(f)
	if err != nil {
		return err
	}
	s.mu.Lock()
	stop := s.cancels[id]
	s.mu.Unlock()
	if stop != nil { // otherwise it has been answered
		stop()
	}
	return nil
}

// waits registers a request that waits, until done is called.
func (s *session) waits(id uint64) (cancelled <-chan struct{}, done func()) {
	c := make(chan struct{})
	stop := sync.OnceFunc(func() { close(c) })
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cancels[id] = stop
	return c, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.cancels, id)
	}
}

func (s *session) cancelAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, stop := range s.cancels {
		stop()
	}
}
