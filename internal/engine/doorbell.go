package engine

import (
	"sync"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The doorbell gets an engine's thread out of wait4(2). It is a real-time signal to that thread whose action lacks
// SA_RESTART; the handlers of the Go runtime all have it, so this one is our own, and does nothing.
const bellSignal = unix.Signal(50)

// Flags of rt_sigaction(2).
const (
	saNoCldStop = 0x00000001
	saOnStack   = 0x08000000
	saRestorer  = 0x04000000
)

// sigaction is struct sigaction as the kernel has it on 64-bit machines.
type sigaction struct {
	handler  uintptr
	flags    uint64
	restorer uintptr
	mask     uint64
}

func rtSigaction(sig unix.Signal, act, old *sigaction) error {
	_, _, e := unix.RawSyscall6(unix.SYS_RT_SIGACTION, uintptr(sig), uintptr(unsafe.Pointer(act)),
		uintptr(unsafe.Pointer(old)), 8, 0, 0)
	if e != 0 {
		return e
	}
	return nil
}

// bellHandlerAddr and bellRestorerAddr give addresses of assembly code.
func bellHandlerAddr() uintptr
func bellRestorerAddr() uintptr

var doorbells struct {
	sync.Mutex
	open    int
	noStops bool // SA_NOCLDSTOP was set by us
}

// openDoorbell sets the signal's handler. It also makes SIGCHLD come at exits only: every ptrace-stop
// would otherwise run the Go runtime's handler. (Without a handler the kernel does not even queue it.)
func openDoorbell() {
	doorbells.Lock()
	defer doorbells.Unlock()
	doorbells.open++
	setBellHandler()
	var act sigaction
	if rtSigaction(unix.SIGCHLD, nil, &act) == nil && act.handler > 1 && act.flags&saNoCldStop == 0 {
		act.flags |= saNoCldStop
		doorbells.noStops = rtSigaction(unix.SIGCHLD, &act, nil) == nil
	}
}

func closeDoorbell() {
	doorbells.Lock()
	defer doorbells.Unlock()
	if doorbells.open--; doorbells.open != 0 || !doorbells.noStops {
		return
	}
	doorbells.noStops = false
	var act sigaction
	if rtSigaction(unix.SIGCHLD, nil, &act) == nil && act.handler > 1 {
		act.flags &^= saNoCldStop
		_ = rtSigaction(unix.SIGCHLD, &act, nil)
	}
}

func setBellHandler() {
	act := sigaction{handler: bellHandlerAddr(), flags: saOnStack, mask: ^uint64(0)}
	if r := bellRestorerAddr(); r != 0 {
		act.flags |= saRestorer
		act.restorer = r
	}
	_ = rtSigaction(bellSignal, &act, nil)
}

// ring makes sure that the engine's thread comes out of wait4 to see its mail. A signal that arrives just before the call is
// entered is lost, so it is repeated until the thread is out; nothing runs while there is no mail.
func (e *Engine) ring() {
	if !e.inWait.Load() {
		return
	}
	_ = unix.Tgkill(unix.Getpid(), e.tid, bellSignal)
	if !e.ringing.CompareAndSwap(false, true) {
		return // somebody sees to the repetition
	}
	go func() {
		for {
			for pause := 200 * time.Microsecond; e.bell.Load() && e.inWait.Load(); pause = min(2*pause, 20*time.Millisecond) {
				time.Sleep(pause)
				if pause > time.Millisecond {
					setBellHandler() // os/signal may have taken it
				}
				_ = unix.Tgkill(unix.Getpid(), e.tid, bellSignal)
			}
			e.ringing.Store(false)
			if !e.bell.Load() || !e.inWait.Load() || !e.ringing.CompareAndSwap(false, true) {
				return
			}
		}
	}()
}
