package linux

import (
	"runtime"

	"golang.org/x/sys/unix"
)

// OnOwnThread calls f on a thread that ends after it, and with it what belongs to the thread: filters, tracees,
// namespaces. It returns when f has; the thread may live a little longer. tid is given to f.
func OnOwnThread(f func(tid int)) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // never unlocked, so that the thread ends
		tid := unix.Gettid()
		if tid != unix.Getpid() {
			f(tid)
			return
		}
		// The main thread cannot end. As long as it is held here, the next goroutine gets another.
		OnOwnThread(f)
		runtime.UnlockOSThread()
	}()
	<-done
}
