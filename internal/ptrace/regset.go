package ptrace

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A RegSet names a register set by the ELF note type it has in a core dump (include/uapi/linux/elf.h, NT_*).
type RegSet uint32

// Register sets.
const (
	SetPrstatus      RegSet = 1     // general registers, in the layout of the tracee's own word size
	SetFPRegSet      RegSet = 2     // NT_PRFPREG
	SetX86Xstate     RegSet = 0x202 // XSAVE area
	SetARMTLS        RegSet = 0x401
	SetARMSystemCall RegSet = 0x404
)

var regSetNames = map[RegSet]string{
	SetPrstatus: "NT_PRSTATUS", SetFPRegSet: "NT_PRFPREG", SetX86Xstate: "NT_X86_XSTATE",
	SetARMTLS: "NT_ARM_TLS", SetARMSystemCall: "NT_ARM_SYSTEM_CALL",
}

func (s RegSet) String() string {
	if n, ok := regSetNames[s]; ok {
		return n
	}
	return fmt.Sprintf("RegSet(%#x)", uint32(s))
}

// GetRegSet reads a register set into buf and returns its number of bytes; what does not fit in buf is cut
// off. The length tells the tracee's word size: NT_PRSTATUS has 216 bytes for 64-bit and 68 for 32-bit code
// on x86.
//
// Errors: EINVAL if the machine has no such set or len(buf) is not a multiple of its element (4 or 8
// bytes); ENODEV if the processor lacks it; ESRCH as usual.
func GetRegSet(tid int, set RegSet, buf []byte) (int, error) {
	return getRegSet(tid, set, unsafe.Pointer(unsafe.SliceData(buf)), uintptr(len(buf)))
}

// SetRegSet writes a register set, or its first len(buf) bytes, and returns how many bytes were taken.
//
// Errors: those of GetRegSet; EINVAL if the contents are invalid, EFAULT if an XSAVE area is cut short; EIO
// for segment registers as in SetRegs.
func SetRegSet(tid int, set RegSet, buf []byte) (int, error) {
	return setRegSet(tid, set, unsafe.Pointer(unsafe.SliceData(buf)), uintptr(len(buf)))
}

func getRegSet(tid int, set RegSet, p unsafe.Pointer, size uintptr) (int, error) {
	iov := unix.Iovec{Base: (*byte)(p), Len: uint64(size)}
	_, err := doPtr(ReqGetRegSet, tid, uintptr(set), unsafe.Pointer(&iov))
	if err != nil {
		return 0, err
	}
	return int(iov.Len), nil
}

func setRegSet(tid int, set RegSet, p unsafe.Pointer, size uintptr) (int, error) {
	iov := unix.Iovec{Base: (*byte)(p), Len: uint64(size)}
	_, err := doPtr(ReqSetRegSet, tid, uintptr(set), unsafe.Pointer(&iov))
	if err != nil {
		return 0, err
	}
	return int(iov.Len), nil
}
