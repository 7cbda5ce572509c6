package ptrace

import "unsafe"

// Regs are the general registers of a thread of the running machine.
type Regs = X86Regs

// FPRegs are its floating-point and SSE registers.
type FPRegs = X86FPRegs

// GetRegs reads the general registers (PTRACE_GETREGS). 32-bit tracees too give the 64-bit structure.
//
// Errors: ESRCH as usual.
func GetRegs(tid int, r *Regs) error {
	_, err := doPtr(ReqGetRegs, tid, 0, unsafe.Pointer(r))
	return err
}

// SetRegs writes the general registers (PTRACE_SETREGS).
//
// Errors: EIO if a segment register or base has a value the kernel refuses; ESRCH as usual.
func SetRegs(tid int, r *Regs) error {
	_, err := doPtr(ReqSetRegs, tid, 0, unsafe.Pointer(r))
	return err
}

// GetFPRegs reads the FXSAVE area (PTRACE_GETFPREGS).
//
// Errors: ESRCH as usual.
func GetFPRegs(tid int, r *FPRegs) error {
	_, err := doPtr(ReqGetFPRegs, tid, 0, unsafe.Pointer(r))
	return err
}

// SetFPRegs writes the FXSAVE area (PTRACE_SETFPREGS).
//
// Errors: EINVAL if Mxcsr has bits that the processor does not know; ESRCH as usual.
func SetFPRegs(tid int, r *FPRegs) error {
	_, err := doPtr(ReqSetFPRegs, tid, 0, unsafe.Pointer(r))
	return err
}
