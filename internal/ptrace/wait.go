package ptrace

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Wait4 waits for a change of a child or tracee: pid and options as in wait4(2). The normal
// options of a tracer are unix.WALL|unix.WNOTHREAD: children of other threads, such as those of
// os/exec, then stay theirs. ru may be nil.
//
// With WNOHANG and no change it gives pid 0. Errors: ECHILD (nothing to wait for), EINTR (a signal handler
// of the Go runtime ran; call again), EINVAL (options).
func Wait4(pid int, options int, ru *unix.Rusage) (wpid int, ws WaitStatus, err error) {
	var status uint32
	n, _, e := unix.Syscall6(unix.SYS_WAIT4, uintptr(pid), uintptr(unsafe.Pointer(&status)),
		uintptr(options), uintptr(unsafe.Pointer(ru)), 0, 0)
	if e != 0 {
		return 0, 0, e
	}
	return int(n), WaitStatus(status), nil
}

// RawWait4 is Wait4 that does not tell the Go scheduler that it may block. With WNOHANG it is the
// right choice. Without, it keeps the thread's processor (P): a garbage collection started by another
// goroutine has to wait until the call returns, for ever if the tracee sleeps.
//
// It buys nothing for that: one cycle of Syscall, wait and GetSyscallInfo (BenchmarkStop) took 9.5 to 9.6
// us with Wait4 and 9.8 to 9.9 us with RawWait4 with the tracee on the same processor, and 13 to 55 us with
// either on two, where the spread between runs was larger than any difference (2 processors in a VM, Linux
// 6.18, Go 1.26). With a goroutine that allocates all the time RawWait4 slowed that goroutine down by a
// third.
//
// Errors: as Wait4.
func RawWait4(pid int, options int, ru *unix.Rusage) (wpid int, ws WaitStatus, err error) {
	var status uint32
	n, _, e := unix.RawSyscall6(unix.SYS_WAIT4, uintptr(pid), uintptr(unsafe.Pointer(&status)),
		uintptr(options), uintptr(unsafe.Pointer(ru)), 0, 0)
	if e != 0 {
		return 0, 0, e
	}
	return int(n), WaitStatus(status), nil
}

// A WaitStatus is what wait4(2) stores, ptrace's additions in the upper bits included.
type WaitStatus uint32

// Exited tells whether the thread ended by exit; ExitStatus is then its status.
func (w WaitStatus) Exited() bool { return w&0x7f == 0 }

// ExitStatus is the exit status, 0 to 255, or -1 if the thread did not exit.
func (w WaitStatus) ExitStatus() int {
	if !w.Exited() {
		return -1
	}
	return int(w>>8) & 0xff
}

// Signaled tells whether a signal killed it: Signal and CoreDump then apply.
func (w WaitStatus) Signaled() bool {
	return w&0x7f != 0 && w&0x7f != statusStopped && w != statusContinued
}

// Signal is the signal that killed it, or -1.
func (w WaitStatus) Signal() unix.Signal {
	if !w.Signaled() {
		return -1
	}
	return unix.Signal(w & 0x7f)
}

// CoreDump tells whether the killing signal came with a core dump.
func (w WaitStatus) CoreDump() bool { return w.Signaled() && w&statusCoreDumpFlag != 0 }

// Continued tells that a child resumed by SIGCONT (only with WCONTINUED, only for real children).
func (w WaitStatus) Continued() bool { return w == statusContinued }

// Stopped tells whether the thread is stopped, by ptrace or otherwise.
func (w WaitStatus) Stopped() bool { return w&0xff == statusStopped }

// StopSignal is the signal of a stop without the syscall-stop bit: SIGTRAP for events and syscall-stops,
// the stopping signal for a group-stop, the pending one in a signal-delivery-stop; -1 if not stopped.
func (w WaitStatus) StopSignal() unix.Signal {
	if !w.Stopped() {
		return -1
	}
	if w.SyscallStop() {
		return unix.SIGTRAP
	}
	return unix.Signal(w>>8) & 0xff
}

// SyscallStop tells whether this is an entry or exit stop under OptTraceSysgood.
func (w WaitStatus) SyscallStop() bool {
	return w.Stopped() && w>>8 == WaitStatus(unix.SIGTRAP|syscallStopBit)
}

// Event is the event of a PTRACE_EVENT stop, EventNone for all others. EventStop comes with
// SIGTRAP (Interrupt, a new child) or the stopping signal of a group-stop; the others with SIGTRAP.
func (w WaitStatus) Event() Event {
	if !w.Stopped() {
		return EventNone
	}
	return Event(w >> 16)
}

// GroupStop tells whether a seized tracee takes part in a group-stop. (Without Seize a group-stop looks like a
// signal-delivery-stop; GetSiginfo then fails with EINVAL.)
func (w WaitStatus) GroupStop() bool {
	return w.Event() == EventStop && w.StopSignal() != unix.SIGTRAP
}

// SignalStop tells whether it is a signal-delivery-stop of a seized tracee.
func (w WaitStatus) SignalStop() bool {
	return w.Stopped() && w.Event() == EventNone && !w.SyscallStop()
}

// String describes the status for logs.
func (w WaitStatus) String() string {
	switch {
	case w.Continued():
		return "continued"
	case w.Exited():
		return fmt.Sprintf("exited with %d", w.ExitStatus())
	case w.SyscallStop():
		return "syscall-stop"
	case w.GroupStop():
		return "group-stop by " + signalName(w.StopSignal())
	case w.Event() != EventNone:
		return w.Event().String()
	case w.Stopped():
		return "stopped by " + signalName(w.StopSignal())
	case w.CoreDump():
		return "killed by " + signalName(w.Signal()) + " (core dumped)"
	}
	return "killed by " + signalName(w.Signal())
}

func signalName(s unix.Signal) string {
	if n := unix.SignalName(s); n != "" {
		return n
	}
	return fmt.Sprintf("signal %d", int(s))
}
