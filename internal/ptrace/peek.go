package ptrace

import "unsafe"

// PeekText reads the machine word at addr of the tracee's memory. Page protection is not obeyed: what is only
// executable can be read. Linux has one address space for text and data.
//
// Errors: EIO (not EFAULT) if no memory is mapped at addr, or if the tracee's image forbids it
// (not dumpable and no CAP_SYS_PTRACE); ESRCH as usual.
func PeekText(tid int, addr uint64) (uint64, error) { return peek(ReqPeekText, tid, addr) }

// PeekData is the same request as PeekText under its other name.
// Errors: as PeekText.
func PeekData(tid int, addr uint64) (uint64, error) { return peek(ReqPeekData, tid, addr) }

// PeekUser reads a word at byte offset off of struct user: registers, then (x86) debug registers.
//
// Errors: EIO if off is not a multiple of the word size or is outside the structure, and always on arm64,
// which has no user area.
func PeekUser(tid int, off uint64) (uint64, error) { return peek(ReqPeekUser, tid, off) }

// PokeText writes the machine word at addr, also in a read-only private mapping, which is then copied.
//
// Errors: EIO if nothing is mapped at addr or the mapping is shared and not writable; ESRCH as usual.
func PokeText(tid int, addr, word uint64) error {
	return do(ReqPokeText, tid, uintptr(addr), uintptr(word))
}

// PokeData is the same request as PokeText under its other name.
// Errors: as PokeText.
func PokeData(tid int, addr, word uint64) error {
	return do(ReqPokeData, tid, uintptr(addr), uintptr(word))
}

// PokeUser writes a word at byte offset off of struct user.
//
// Errors: EIO as PeekUser, and if the value is one the kernel refuses (a segment register with
// kernel privilege, an address outside user space in a base or debug register); EINVAL for a debug register
// with an impossible length or type.
func PokeUser(tid int, off, word uint64) error {
	return do(ReqPokeUser, tid, uintptr(off), uintptr(word))
}

// peek: the system call itself stores the word through its last argument; returning it is the C library's
// doing.
func peek(r Request, tid int, addr uint64) (uint64, error) {
	var word uint64
	_, err := doPtr(r, tid, uintptr(addr), unsafe.Pointer(&word))
	return word, err
}
