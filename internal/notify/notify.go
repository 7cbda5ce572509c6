// Package notify is the supervisor's side of seccomp user notification (seccomp_unotify(2)): calls of other processes arrive at a
// listener and wait for an answer.
package notify

import (
	"cmp"
	"errors"
	"fmt"
	"unsafe"

	"farcall/internal/linux"

	"golang.org/x/sys/unix"
)

// A Notification is a call that waits: struct seccomp_notif (linux/seccomp.h).
type Notification struct {
	ID    uint64
	TID   uint32 // 0 if the thread is not visible from here
	Flags uint32
	Data
}

// Data are the call: struct seccomp_data.
type Data struct {
	Number int32
	Arch   uint32 // AUDIT_ARCH_*
	IP     uint64
	Args   [6]uint64
}

// response is struct seccomp_notif_resp.
type response struct {
	id    uint64
	val   int64
	err   int32
	flags uint32
}

// addFD is struct seccomp_notif_addfd.
type addFD struct {
	id         uint64
	flags      uint32
	srcFD      uint32
	newFD      uint32
	newFDFlags uint32
}

// The requests of ioctl(2) and their flags, linux/seccomp.h.
const (
	iocRecv     = 0xc0502100
	iocSend     = 0xc0182101
	iocIDValid  = 0x40082102
	iocAddFD    = 0x40182103
	iocSetFlags = 0x40082104

	flagContinue = 1 // SECCOMP_USER_NOTIF_FLAG_CONTINUE, Linux 5.5
	addFDSend    = 2 // SECCOMP_ADDFD_FLAG_SEND, Linux 5.14
	syncWakeUp   = 1 // SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP, Linux 6.6
)

// The flags of a filter with a listener, for seccomp(2).
const (
	// WaitKillable keeps signals that do not kill from interrupting a call that a listener has received: it would be made again, and
	// so executed twice. Linux 5.19.
	WaitKillable = 1 << 5
	NewListener  = unix.SECCOMP_FILTER_FLAG_NEW_LISTENER
)

// errRestart is ERESTARTNOINTR (linux/errno.h): the kernel makes the call again, with the registers as they are by then.
const errRestart = 513

// ErrDone is returned by Receive when no process has the filter any more.
var ErrDone = errors.New("no process has the filter any more")

// A Listener receives the calls for which a filter says so. Receive is for one goroutine at a time, the answers for any.
type Listener struct {
	fd       int
	patience int // how Receive waits: -1 for poll, or noPoll
}

// New wraps the descriptor that seccomp(2) returned. It takes possession of it.
func New(fd int) *Listener {
	l := &Listener{fd, -1}
	if v, err := linux.ParseVersion(linux.ReadUname().Release); err == nil && v.AtLeast(6, 11) {
		l.patience = noPoll
	}
	// The thread that we answer runs on our processor then, as we are about to wait anyway. Older kernels do without.
	_, _, _ = unix.Syscall(unix.SYS_IOCTL, uintptr(fd), iocSetFlags, syncWakeUp)
	return l
}

// Close closes the listener. Calls that wait, and all later ones, fail with ENOSYS.
func (l *Listener) Close() error { return unix.Close(l.fd) }

// FD is the descriptor.
func (l *Listener) FD() int { return l.fd }

// Receive waits for a call. Errors: ErrDone; errnos of poll(2) and ioctl(2).
func (l *Listener) Receive(n *Notification) error {
	for timeout := l.patience; ; {
		done, err := l.poll(timeout)
		if err != nil {
			return err
		}
		if done {
			return ErrDone
		}
		*n = Notification{} // the kernel wants zeros
		err = l.ioctl(iocRecv, unsafe.Pointer(n))
		switch err {
		case nil:
			return nil
		case unix.EINTR:
		case unix.ENOENT: // it was killed meanwhile, or nobody is left
			if done, err := l.poll(0); done || err != nil {
				return cmp.Or(err, ErrDone)
			}
		default:
			return fmt.Errorf("seccomp listener: receive: %w", err)
		}
	}
}

// noPoll is the patience with a kernel that ends a wait for a call when nobody is left who could make one, Linux 6.11.
const noPoll = -2

// poll waits until there is a call, at most timeout milliseconds (-1: for ever), and tells whether nobody is left who could make one.
func (l *Listener) poll(timeout int) (done bool, err error) {
	if timeout == noPoll {
		return false, nil
	}
	for {
		fds := []unix.PollFd{{Fd: int32(l.fd), Events: unix.POLLIN}}
		_, err := unix.Poll(fds, timeout)
		switch {
		case err == unix.EINTR:
			continue
		case err != nil:
			return false, fmt.Errorf("seccomp listener: poll: %w", err)
		}
		return fds[0].Revents&(unix.POLLIN|unix.POLLHUP) == unix.POLLHUP, nil
	}
}

func (l *Listener) ioctl(request uintptr, p unsafe.Pointer) error {
	if _, _, e := unix.Syscall(unix.SYS_IOCTL, uintptr(l.fd), request, uintptr(p)); e != 0 {
		return e
	}
	return nil
}

// Valid tells whether the call still waits: that what was read of /proc/TID and the thread's memory was its own.
func (l *Listener) Valid(id uint64) bool {
	return l.ioctl(iocIDValid, unsafe.Pointer(&id)) == nil
}

// Return gives a call its result, a negated error number if it is in -4095..-1. ENOENT if the call does not wait any more.
func (l *Listener) Return(id uint64, v int64) error {
	r := response{id: id, val: v}
	if v < 0 && v >= -4095 {
		r.val, r.err = 0, int32(v)
	}
	return l.ioctl(iocSend, unsafe.Pointer(&r))
}

// Continue lets the kernel execute the call. ENOENT if it does not wait any more.
func (l *Listener) Continue(id uint64) error {
	r := response{id: id, flags: flagContinue}
	return l.ioctl(iocSend, unsafe.Pointer(&r))
}

// Restart has the thread make its call again, with the registers that it has when it runs next: a tracer can change them before.
func (l *Listener) Restart(id uint64) error {
	r := response{id: id, err: -errRestart}
	return l.ioctl(iocSend, unsafe.Pointer(&r))
}

// Add puts a copy of the descriptor into the thread's process, which does not know of it, and returns its number there. The call waits on.
// Errors: ENOENT if it does not any more; EMFILE.
func (l *Listener) Add(id uint64, fd int) (int, error) {
	return l.add(addFD{id: id, srcFD: uint32(fd), newFDFlags: unix.O_CLOEXEC})
}

// Install puts a copy of the descriptor into the thread's process, and its number there, which it returns, is the call's result. Errors: ENOENT
// if the call does not wait any more; EMFILE if the process has too many open files, and the call waits on.
func (l *Listener) Install(id uint64, fd int, cloexec bool) (number int, err error) {
	a := addFD{id: id, flags: addFDSend, srcFD: uint32(fd)}
	if cloexec {
		a.newFDFlags = unix.O_CLOEXEC
	}
	return l.add(a)
}

func (l *Listener) add(a addFD) (number int, err error) {
	n, _, e := unix.Syscall(unix.SYS_IOCTL, uintptr(l.fd), iocAddFD, uintptr(unsafe.Pointer(&a)))
	if e != 0 {
		return -1, e
	}
	return int(n), nil
}
