package ptrace

import "farcall/syscalls"

// ARM64Regs is the kernel's struct user_pt_regs (arch/arm64/include/uapi/asm/ptrace.h, 272 bytes), the
// register set NT_PRSTATUS, followed by the number of the call, which is the set NT_ARM_SYSTEM_CALL.
type ARM64Regs struct {
	X      [31]uint64
	Sp     uint64
	Pc     uint64
	Pstate uint64

	number int32 // NT_ARM_SYSTEM_CALL
	loaded int32 // number as it was read
}

// numberRead takes note that number is what the kernel has.
func (r *ARM64Regs) numberRead() { r.loaded = r.number }

// numberChanged tells whether number has to be written back.
func (r *ARM64Regs) numberChanged() bool { return r.number != r.loaded }

// arm64RegsSize is the part of ARM64Regs that NT_PRSTATUS covers.
const arm64RegsSize = 34 * 8

// Compat tells whether the thread runs 32-bit code (PSTATE.M[4], the execution state).
func (r *ARM64Regs) Compat() bool { return r.Pstate&0x10 != 0 }

// ABI is ARM64: 32-bit ARM code is not described.
func (r *ARM64Regs) ABI() syscalls.ABI { return syscalls.ARM64 }

// SyscallNumber is the number of the call the thread is in, -1 outside of calls.
func (r *ARM64Regs) SyscallNumber() int64 { return int64(r.number) }

// SetSyscallNumber changes the call at its entry; -1 skips it, and Result is then what the program sees.
func (r *ARM64Regs) SetSyscallNumber(n int64) { r.number = int32(n) }

// Arg is argument i, 0 to 5. At the exit the result has taken the place of argument 0.
func (r *ARM64Regs) Arg(_ syscalls.ABI, i int) uint64 { return r.X[:6][i] }

// SetArg changes argument i, 0 to 5.
func (r *ARM64Regs) SetArg(_ syscalls.ABI, i int, v uint64) { r.X[:6][i] = v }

// Result is what the call returned, -4095 to -1 being negated errnos.
func (r *ARM64Regs) Result() int64 { return int64(r.X[0]) }

// SetResult changes it.
func (r *ARM64Regs) SetResult(v int64) { r.X[0] = uint64(v) }

// Rewind takes registers from the entry of a call back to before the instruction that makes it, so that the thread makes the
// call again.
func (r *ARM64Regs) Rewind() {
	r.Pc -= 4
	r.X[8] = uint64(r.SyscallNumber())
	r.number = -1
}

// Restore gives a thread at the exit of a call the arguments of its entry, but for the first, in whose place the result is.
func (r *ARM64Regs) Restore(_ syscalls.ABI, _ int64, args *[6]uint64) { copy(r.X[1:6], args[1:]) }

// ReturnValue is the register in which a function returns an integer or pointer.
func (r *ARM64Regs) ReturnValue() uint64 { return r.X[0] }

// SetReturnValue changes it.
func (r *ARM64Regs) SetReturnValue(v uint64) { r.X[0] = v }

// PC is the address of the next instruction.
func (r *ARM64Regs) PC() uint64 { return r.Pc }

// SetPC changes it.
func (r *ARM64Regs) SetPC(v uint64) { r.Pc = v }

// SP is the stack pointer.
func (r *ARM64Regs) SP() uint64 { return r.Sp }

// SetSP changes it.
func (r *ARM64Regs) SetSP(v uint64) { r.Sp = v }

// ARM64FPRegs is struct user_fpsimd_state (528 bytes), the register set NT_PRFPREG.
type ARM64FPRegs struct {
	V          [32][2]uint64 // low half first
	Fpsr, Fpcr uint32
	_          [2]uint32
}
