package ptrace

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"

	"farcall/syscalls"
)

// An Op tells what a SyscallInfo describes.
type Op uint8

// The kinds of stop that PTRACE_GET_SYSCALL_INFO distinguishes.
const (
	OpNone    Op = 0 // not in a stop that belongs to a call
	OpEntry   Op = 1
	OpExit    Op = 2
	OpSeccomp Op = 3 // EventSeccomp
)

var opNames = [...]string{"none", "entry", "exit", "seccomp"}

func (o Op) String() string {
	if int(o) < len(opNames) {
		return opNames[o]
	}
	return fmt.Sprintf("Op(%d)", uint8(o))
}

// The AUDIT_ARCH values (include/uapi/linux/audit.h): ELF machine, 64-bit flag, little-endian flag.
const (
	AuditArchX86_64  = unix.AUDIT_ARCH_X86_64
	AuditArchI386    = unix.AUDIT_ARCH_I386
	AuditArchAarch64 = unix.AUDIT_ARCH_AARCH64
)

// SyscallInfo is the kernel's struct ptrace_syscall_info (include/uapi/linux/ptrace.h), 88 bytes.
// The union behind SP is read and written through the accessors, which do not look at Op.
type SyscallInfo struct {
	Op       Op
	Reserved uint8
	Flags    uint16 // Linux 6.16; zero before
	Arch     uint32 // AUDIT_ARCH_*
	IP       uint64
	SP       uint64
	union    [7]uint64 // entry and seccomp: number and arguments; exit: result, is_error
	retData  uint32
	_        uint32
}

// Number is the call's number at an entry or seccomp stop. Negative numbers (-1: skipped) are possible.
func (s *SyscallInfo) Number() int64 { return int64(s.union[0]) }

// SetNumber changes the number; -1 skips the call.
func (s *SyscallInfo) SetNumber(n int64) { s.union[0] = uint64(n) }

// Args are the six arguments at an entry or seccomp stop, zero-extended for the 32-bit ABI of x86.
// They may be changed in place for SetSyscallInfo.
func (s *SyscallInfo) Args() *[6]uint64 { return (*[6]uint64)(s.union[1:7]) }

// Result is the return value at an exit stop: -errno if IsError.
func (s *SyscallInfo) Result() int64 { return int64(s.union[0]) }

// IsError tells at an exit stop whether the result is a negated errno.
func (s *SyscallInfo) IsError() bool { return uint8(s.union[1]) != 0 }

// SetResult changes the result at an exit stop: the value, or with isError the negated errno.
func (s *SyscallInfo) SetResult(v int64, isError bool) {
	s.union[0] = uint64(v)
	s.union[1] = 0
	if isError {
		s.union[1] = 1
	}
}

// SeccompData is the filter's 16 bits of data at a seccomp stop.
func (s *SyscallInfo) SeccompData() uint32 { return s.retData }

// ABI is the interface of the call. ok is false for an unknown architecture. At an exit stop x32
// cannot be told from AMD64: the number is not there. Remember it from the entry.
func (s *SyscallInfo) ABI() (abi syscalls.ABI, ok bool) {
	switch s.Arch {
	case AuditArchX86_64:
		if (s.Op == OpEntry || s.Op == OpSeccomp) && s.union[0]&syscalls.X32Bit != 0 && s.Number() >= 0 {
			return syscalls.X32, true
		}
		return syscalls.AMD64, true
	case AuditArchI386:
		return syscalls.I386, true
	case AuditArchAarch64:
		return syscalls.ARM64, true
	}
	return 0, false
}

// GetSyscallInfo fills info with what the kernel knows about the call that a stopped tracee is in and
// returns the number of bytes that are valid, which depends on the kind of stop (24 for OpNone, 33 for
// an exit, 80 for an entry, 84 or 88 for seccomp). Bytes behind that keep their former content.
//
// Errors: EIO before Linux 5.3; ESRCH as usual.
func GetSyscallInfo(tid int, info *SyscallInfo) (int, error) {
	return doPtr(ReqGetSyscallInfo, tid, unsafe.Sizeof(*info), unsafe.Pointer(info))
}

// SetSyscallInfo changes number and arguments (entry, seccomp) or result (exit) of the call the tracee is in.
// info must come from GetSyscallInfo in the same stop: Op has to agree; Arch, IP and SP are not changed.
// Number -1 at the entry skips the call; the arguments are then left as they are.
//
// Errors: EIO before Linux 6.16; EINVAL if info is for another kind of stop, or Flags or reserved fields
// are not zero; ERANGE if the number does not fit an int; ESRCH as usual. Arguments too long for a 32-bit
// ABI are cut without an error.
func SetSyscallInfo(tid int, info *SyscallInfo) error {
	_, err := doPtr(ReqSetSyscallInfo, tid, unsafe.Sizeof(*info), unsafe.Pointer(info))
	return err
}

// Errno is the error of an exit stop, or 0.
func (s *SyscallInfo) Errno() unix.Errno {
	if !s.IsError() {
		return 0
	}
	return unix.Errno(-s.Result())
}
