//go:build amd64 || arm64

package mark

import (
	"runtime"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"
)

// The protocol, as docs/marks.md has it.
const (
	keyBase    = 0x7f000000         // plus the process id: a set's key
	magic      = 0x316b72616d6c6c66 // "fllmark1", in a record
	markedCall = 0x6c6c61636b726100 // plus the step: the sixth argument of each call made here
	dead       = 8192               // "target" is above it once the tracer has died
	timeout    = 10                 // seconds that an answer is waited for

	semGuard, semAttach, semTarget, semTargetExit, semDetach, semaphores = 0, 1, 2, 3, 4, 5
	stepOther, stepEnter, stepLeave                                      = 0, 1, 2
	replyNone, replyTraced                                               = 0, 1

	ipcRmid = 0  // include/uapi/linux/ipc.h
	ipcStat = 2  // the same
	getVal  = 12 // include/uapi/linux/sem.h
)

// A record is what the tracer reads of a region, at the address that the calls carry.
type record struct {
	magic           uint64
	name            unsafe.Pointer
	length          uint64
	set             int32
	process, thread int32
	reply           int32 // written by the tracer
}

// An operation is struct sembuf of semop(2).
type operation struct {
	semaphore uint16
	change    int16
	flags     int16
}

// pid does not change: a Go program cannot go on in the child of a fork.
var pid = syscall.Getpid()

// gaveUp is the set that is not used any more, plus one: its tracer did not answer.
var gaveUp atomic.Int64

func nothing() {}

// Region begins a region and returns what ends it, which the same goroutine has to call.
func Region(name string) (end func()) {
	set, _, errno := syscall.RawSyscall6(syscall.SYS_SEMGET, uintptr(keyBase+pid), semaphores, 0, 0, 0, markedCall)
	if errno != 0 || gaveUp.Load() == int64(set)+1 {
		return nothing
	}
	return enter(name, int32(set))
}

func enter(name string, set int32) func() {
	runtime.LockOSThread()
	text := append(make([]byte, 0, len(name)+1), name...) // where it stays, which a stack does not
	r := &record{magic: magic, name: unsafe.Pointer(unsafe.SliceData(text)), length: uint64(len(text)),
		set: set, process: int32(pid), thread: gettid()}
	if !r.trusted() {
		gaveUp.Store(int64(set) + 1)
	} else if r.both(stepOther, operation{semGuard, -1, 0}, operation{semAttach, 1, 0}) &&
		r.both(stepEnter, operation{semTarget, -1, 0}, operation{semGuard, 1, 0}) &&
		atomic.LoadInt32(&r.reply) == replyNone {
		r.abandon()
	}
	if atomic.LoadInt32(&r.reply) != replyTraced {
		runtime.UnlockOSThread()
		return nothing
	}
	return r.leave
}

// trusted tells whether a set was created by root or by the program's own user. Others could keep the program waiting.
func (r *record) trusted() bool {
	const creator = 3
	var status [64]uint32 // struct semid64_ds begins with key, uid, gid, cuid
	_, _, errno := syscall.RawSyscall6(syscall.SYS_SEMCTL, uintptr(r.set), 0, ipcStat, uintptr(unsafe.Pointer(&status)), 0, markedCall)
	if errno != 0 {
		return false
	}
	euid, _, _ := syscall.RawSyscall6(syscall.SYS_GETEUID, 0, 0, 0, 0, 0, markedCall)
	return status[creator] == 0 || status[creator] == uint32(euid)
}

// abandon gives up a set whose tracer has died, or that is not a tracer's.
func (r *record) abandon() {
	v, errno := r.call(syscall.SYS_SEMCTL, uintptr(r.set), semTarget, getVal)
	if errno == 0 && v > dead {
		if _, errno = r.call(syscall.SYS_SEMCTL, uintptr(r.set), 0, ipcRmid); errno == 0 {
			return
		}
	}
	gaveUp.Store(int64(r.set) + 1)
}

func (r *record) leave() {
	if atomic.SwapInt32(&r.reply, replyNone) != replyTraced || gettid() != r.thread {
		return // ended before, or by another goroutine
	}
	defer runtime.UnlockOSThread()
	if gaveUp.Load() == int64(r.set)+1 {
		return
	}
	if r.both(stepOther, operation{semGuard, -1, 0}, operation{semTargetExit, 1, 0}) {
		r.both(stepLeave, operation{semDetach, -1, 0}, operation{semGuard, 1, 0})
	}
}

// both does two operations at once, waiting until both are possible. It is false if the tracer is gone or does not answer.
func (r *record) both(step uintptr, a, b operation) bool {
	ops := [2]operation{a, b}
	left := syscall.Timespec{Sec: timeout}
	var deadline time.Time
	for {
		_, _, errno := syscall.Syscall6(sysSemtimedop, uintptr(r.set), uintptr(unsafe.Pointer(&ops[0])), uintptr(len(ops)),
			uintptr(unsafe.Pointer(&left)), uintptr(unsafe.Pointer(r)), markedCall+step)
		switch errno {
		case 0:
			return true
		case syscall.EINTR: // signals of the runtime, and the tracer's doing
			if deadline.IsZero() {
				deadline = time.Now().Add(timeout * time.Second)
			}
			rest := time.Until(deadline)
			if rest > 0 {
				left = syscall.NsecToTimespec(int64(rest))
				continue
			}
			fallthrough
		case syscall.EAGAIN:
			gaveUp.Store(int64(r.set) + 1)
		}
		return false
	}
}

func (r *record) call(number, a, b, c uintptr) (uintptr, syscall.Errno) {
	v, _, errno := syscall.RawSyscall6(number, a, b, c, 0, uintptr(unsafe.Pointer(r)), markedCall)
	return v, errno
}

func gettid() int32 {
	tid, _, _ := syscall.RawSyscall6(syscall.SYS_GETTID, 0, 0, 0, 0, 0, markedCall)
	return int32(tid)
}
