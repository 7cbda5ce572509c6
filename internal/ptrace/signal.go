package ptrace

import (
	"math/bits"
	"unsafe"

	"golang.org/x/sys/unix"
)

// GetSiginfo reads the signal that the stop is about.
//
// Errors: EINVAL in a group-stop of a tracee that was not seized, which is how such a stop is told from a
// signal-delivery-stop; ESRCH as usual.
func GetSiginfo(tid int, info *Siginfo) error {
	_, err := doPtr(ReqGetSiginfo, tid, 0, unsafe.Pointer(info))
	return err
}

// SetSiginfo replaces the signal that is about to be delivered; the number passed to the resuming
// request has to be the same, or the kernel makes up a new siginfo.
//
// Errors: as GetSiginfo.
func SetSiginfo(tid int, info *Siginfo) error {
	_, err := doPtr(ReqSetSiginfo, tid, 0, unsafe.Pointer(info))
	return err
}

// PeekSiginfo copies queued signals without taking them from the queue: of the thread group if shared,
// otherwise of the thread, starting at position off. It returns how many. Only 0 means the end of the
// queue: the kernel also stops early when a signal is pending for the tracer's thread itself, which the Go
// runtime's SIGURG often is.
//
// Errors: EINVAL if len(infos) is above 2^31-1; ESRCH as usual.
func PeekSiginfo(tid int, off uint64, shared bool, infos []Siginfo) (int, error) {
	arg := struct {
		off   uint64
		flags uint32
		nr    int32
	}{off: off, nr: int32(len(infos))}
	if shared {
		arg.flags = 1 // PTRACE_PEEKSIGINFO_SHARED
	}
	n, _, e := unix.RawSyscall6(unix.SYS_PTRACE, uintptr(ReqPeekSiginfo), uintptr(tid),
		uintptr(unsafe.Pointer(&arg)), uintptr(unsafe.Pointer(unsafe.SliceData(infos))), 0, 0)
	if e != 0 {
		return 0, e
	}
	return int(n), nil
}

// A Sigset is a kernel sigset_t: signal n is bit n-1.
type Sigset uint64

// Has tells whether the set contains s.
func (m Sigset) Has(s unix.Signal) bool { return s >= 1 && s <= 64 && m>>(s-1)&1 != 0 }

// With gives the set with s added.
func (m Sigset) With(s unix.Signal) Sigset { return m | 1<<(s-1) }

// Without gives the set with s removed.
func (m Sigset) Without(s unix.Signal) Sigset { return m &^ (1 << (s - 1)) }

// Len is the number of signals in the set.
func (m Sigset) Len() int { return bits.OnesCount64(uint64(m)) }

// GetSigmask reads the set of blocked signals; inside sigsuspend, ppoll and their like the one that will be
// restored.
//
// Errors: EINVAL on a kernel whose sigset_t is not 8 bytes; ESRCH as usual.
func GetSigmask(tid int) (Sigset, error) {
	var m Sigset
	_, err := doPtr(ReqGetSigmask, tid, unsafe.Sizeof(m), unsafe.Pointer(&m))
	return m, err
}

// SetSigmask replaces the set of blocked signals; SIGKILL and SIGSTOP in it are ignored.
//
// Errors: as GetSigmask.
func SetSigmask(tid int, m Sigset) error {
	_, err := doPtr(ReqSetSigmask, tid, unsafe.Sizeof(m), unsafe.Pointer(&m))
	return err
}
