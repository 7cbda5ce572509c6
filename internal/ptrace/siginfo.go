package ptrace

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Siginfo is the kernel's siginfo_t of a 64-bit process: 128 bytes, of which the accessors read the
// member of the union that Layout names. Others give numbers without meaning.
type Siginfo struct {
	Signo int32
	Errno int32
	Code  int32
	_     int32
	union [112]byte
}

// A SiginfoLayout tells which member of the union is in use.
type SiginfoLayout uint8

// The layouts, as the kernel's siginfo_layout() has them (kernel/signal.c).
const (
	LayoutKill      SiginfoLayout = iota // PID, UID
	LayoutTimer                          // TimerID, Overrun, Value
	LayoutPoll                           // Band, FD
	LayoutFault                          // Addr
	LayoutFaultMCE                       // Addr, AddrLSB
	LayoutFaultBnd                       // Addr, Lower, Upper
	LayoutFaultKey                       // Addr, PKey
	LayoutFaultPerf                      // Addr, PerfData, PerfType
	LayoutChild                          // PID, UID, Status, Utime, Stime
	LayoutQueue                          // PID, UID, Value
	LayoutSys                            // CallAddr, Syscall, Arch
)

var layoutNames = [...]string{"kill", "timer", "poll", "fault", "fault-mce", "fault-bounds", "fault-pkey",
	"fault-perf", "child", "queue", "sys"}

func (l SiginfoLayout) String() string {
	if int(l) < len(layoutNames) {
		return layoutNames[l]
	}
	return fmt.Sprintf("SiginfoLayout(%d)", uint8(l))
}

// Values of Code (include/uapi/asm-generic/siginfo.h).
const (
	CodeUser   = 0
	CodeQueue  = -1
	CodeKernel = 0x80
	codeTimer  = -2
	codeSigIO  = -5
	// Codes of particular signals whose layout is special.
	codeBusMCEAR  = 4
	codeBusMCEAO  = 5
	codeSegvBnd   = 3
	codeSegvPKU   = 4
	codeTrapPerf  = 6
	maxCodePoll   = 6
	codeTrapTrace = 2
)

// codeLimits has the highest code that belongs to each signal; codes above have no layout of their own.
var codeLimits = map[unix.Signal]struct {
	max    int32
	layout SiginfoLayout
}{
	unix.SIGILL:  {11, LayoutFault},
	unix.SIGFPE:  {15, LayoutFault},
	unix.SIGSEGV: {10, LayoutFault},
	unix.SIGBUS:  {5, LayoutFault},
	unix.SIGTRAP: {6, LayoutFault},
	unix.SIGCHLD: {6, LayoutChild},
	unix.SIGPOLL: {6, LayoutPoll},
	unix.SIGSYS:  {2, LayoutSys},
}

// Layout finds the member of the union from Signo and Code.
func (s *Siginfo) Layout() SiginfoLayout {
	if s.Code > CodeUser && s.Code < CodeKernel {
		sig := unix.Signal(s.Signo)
		if l, ok := codeLimits[sig]; ok && s.Code <= l.max {
			return s.refine(sig, l.layout)
		}
		if s.Code <= maxCodePoll {
			return LayoutPoll
		}
		return LayoutKill
	}
	switch {
	case s.Code == codeTimer:
		return LayoutTimer
	case s.Code == codeSigIO:
		return LayoutPoll
	case s.Code < 0:
		return LayoutQueue
	}
	return LayoutKill
}

func (s *Siginfo) refine(sig unix.Signal, l SiginfoLayout) SiginfoLayout {
	switch {
	case sig == unix.SIGBUS && (s.Code == codeBusMCEAR || s.Code == codeBusMCEAO):
		return LayoutFaultMCE
	case sig == unix.SIGSEGV && s.Code == codeSegvBnd:
		return LayoutFaultBnd
	case sig == unix.SIGSEGV && s.Code == codeSegvPKU:
		return LayoutFaultKey
	case sig == unix.SIGTRAP && s.Code == codeTrapPerf:
		return LayoutFaultPerf
	}
	return l
}

func (s *Siginfo) u16(off int) uint16 { return *(*uint16)(unsafe.Pointer(&s.union[off])) }
func (s *Siginfo) u32(off int) uint32 { return *(*uint32)(unsafe.Pointer(&s.union[off])) }
func (s *Siginfo) u64(off int) uint64 { return *(*uint64)(unsafe.Pointer(&s.union[off])) }

// Bytes are the 128 bytes as the kernel wrote them; the slice aliases s.
func (s *Siginfo) Bytes() []byte { return (*[128]byte)(unsafe.Pointer(s))[:] }

// Signal is Signo as a signal.
func (s *Siginfo) Signal() unix.Signal { return unix.Signal(s.Signo) }

// PID is the sender or child (LayoutKill, LayoutQueue, LayoutChild), in the tracee's pid namespace.
func (s *Siginfo) PID() int { return int(int32(s.u32(0))) }

// UID is the real user id of PID, in the tracee's user namespace.
func (s *Siginfo) UID() int { return int(s.u32(4)) }

// TimerID is the kernel's id of a POSIX timer (LayoutTimer).
func (s *Siginfo) TimerID() int { return int(int32(s.u32(0))) }

// Overrun is the timer's overrun count (LayoutTimer).
func (s *Siginfo) Overrun() int { return int(int32(s.u32(4))) }

// Value is the sigval of sigqueue(3) or a timer: a pointer, or an int in its low 32 bits.
func (s *Siginfo) Value() uint64 { return s.u64(8) }

// Status is the exit status or signal of a child (LayoutChild).
func (s *Siginfo) Status() int { return int(int32(s.u32(8))) }

// Utime and Stime are a child's processor times in clock ticks, 1/100 s (LayoutChild).
func (s *Siginfo) Utime() int64 { return int64(s.u64(16)) }

// Stime: see Utime.
func (s *Siginfo) Stime() int64 { return int64(s.u64(24)) }

// Addr is the address of the fault or instruction (LayoutFault and its kin).
func (s *Siginfo) Addr() uint64 { return s.u64(0) }

// SetAddr sets Addr.
func (s *Siginfo) SetAddr(v uint64) { *(*uint64)(unsafe.Pointer(&s.union[0])) = v }

// AddrLSB is the least significant bit of a corrupted address (LayoutFaultMCE).
func (s *Siginfo) AddrLSB() int { return int(int16(s.u16(8))) }

// Lower and Upper are the bounds that an access violated (LayoutFaultBnd).
func (s *Siginfo) Lower() uint64 { return s.u64(16) }

// Upper: see Lower.
func (s *Siginfo) Upper() uint64 { return s.u64(24) }

// PKey is the protection key of the page (LayoutFaultKey).
func (s *Siginfo) PKey() uint32 { return s.u32(16) }

// PerfData is perf_event_attr.sig_data (LayoutFaultPerf).
func (s *Siginfo) PerfData() uint64 { return s.u64(8) }

// PerfType is perf_event_attr.type (LayoutFaultPerf).
func (s *Siginfo) PerfType() uint32 { return s.u32(16) }

// Band is the poll(2) event mask (LayoutPoll).
func (s *Siginfo) Band() int64 { return int64(s.u64(0)) }

// FD is the file descriptor (LayoutPoll).
func (s *Siginfo) FD() int { return int(int32(s.u32(8))) }

// CallAddr is the address behind the system call instruction (LayoutSys).
func (s *Siginfo) CallAddr() uint64 { return s.u64(0) }

// Syscall is the number of the refused call (LayoutSys).
func (s *Siginfo) Syscall() int { return int(int32(s.u32(8))) }

// Arch is the AUDIT_ARCH of the refused call (LayoutSys).
func (s *Siginfo) Arch() uint32 { return s.u32(12) }

// NewQueued is a siginfo as sigqueue(3) makes it, from the calling process.
func NewQueued(sig unix.Signal, value uint64) Siginfo {
	s := Siginfo{Signo: int32(sig), Code: CodeQueue}
	*(*uint32)(unsafe.Pointer(&s.union[0])) = uint32(unix.Getpid())
	*(*uint32)(unsafe.Pointer(&s.union[4])) = uint32(unix.Getuid())
	*(*uint64)(unsafe.Pointer(&s.union[8])) = value
	return s
}

// QueueSiginfo sends a signal with a siginfo to a thread (rt_tgsigqueueinfo(2)). Its code has to be negative and other than SI_TKILL.
//
// Errors: EAGAIN at the limit of pending signals; EINVAL; EPERM for a code that only the kernel uses; ESRCH.
func QueueSiginfo(pid, tid int, info *Siginfo) error {
	_, _, e := unix.RawSyscall6(unix.SYS_RT_TGSIGQUEUEINFO, uintptr(pid), uintptr(tid), uintptr(info.Signo),
		uintptr(unsafe.Pointer(info)), 0, 0)
	return errnoErr(e)
}
