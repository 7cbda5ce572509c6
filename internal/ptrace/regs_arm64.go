package ptrace

import "unsafe"

// Regs are the general registers of a thread of the running machine.
type Regs = ARM64Regs

// FPRegs are its floating-point and SIMD registers.
type FPRegs = ARM64FPRegs

// GetRegs reads the general registers and the number of the call, which are two register sets
// (the requests PTRACE_GETREGS and PTRACE_SETREGS do not exist here).
//
// Errors: ESRCH as usual.
func GetRegs(tid int, r *Regs) error {
	if _, err := getRegSet(tid, SetPrstatus, unsafe.Pointer(r), arm64RegsSize); err != nil {
		return err
	}
	_, err := getRegSet(tid, SetARMSystemCall, unsafe.Pointer(&r.number), unsafe.Sizeof(r.number))
	r.numberRead()
	return err
}

// SetRegs writes the general registers and, if it was changed, the number of the call.
//
// Errors: EINVAL if Pstate is not one of user mode; ESRCH as usual.
func SetRegs(tid int, r *Regs) error {
	if _, err := setRegSet(tid, SetPrstatus, unsafe.Pointer(r), arm64RegsSize); err != nil {
		return err
	}
	if !r.numberChanged() {
		return nil
	}
	_, err := setRegSet(tid, SetARMSystemCall, unsafe.Pointer(&r.number), unsafe.Sizeof(r.number))
	if err == nil {
		r.numberRead()
	}
	return err
}

// GetFPRegs reads the register set NT_PRFPREG.
//
// Errors: ESRCH as usual.
func GetFPRegs(tid int, r *FPRegs) error {
	_, err := getRegSet(tid, SetFPRegSet, unsafe.Pointer(r), unsafe.Sizeof(*r))
	return err
}

// SetFPRegs writes it.
//
// Errors: ESRCH as usual.
func SetFPRegs(tid int, r *FPRegs) error {
	_, err := setRegSet(tid, SetFPRegSet, unsafe.Pointer(r), unsafe.Sizeof(*r))
	return err
}
