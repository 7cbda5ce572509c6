package ptrace

import "farcall/syscalls"

// X86Regs is the kernel's struct user_regs_struct of x86-64 (arch/x86/include/asm/user_64.h),
// which PTRACE_GETREGS gives to a 64-bit tracer for 32-bit tracees too. It exists on every
// architecture so that its layout can be tested anywhere; Regs is the one of the running machine.
type X86Regs struct {
	R15, R14, R13, R12, Rbp, Rbx, R11, R10, R9, R8 uint64
	Rax, Rcx, Rdx, Rsi, Rdi, OrigRax, Rip, Cs      uint64
	Eflags, Rsp, Ss, FsBase, GsBase, Ds, Es, Fs    uint64
	Gs                                             uint64
}

// The code segments of user mode (arch/x86/include/asm/segment.h).
const (
	x86UserCS32 = 0x23
	x86UserCS64 = 0x33
)

// Compat tells whether the thread runs 32-bit code.
func (r *X86Regs) Compat() bool { return r.Cs == x86UserCS32 }

// ABI is the interface that a call from the present code segment would use. It cannot see an int 0x80 in
// 64-bit code (AMD64 is the answer, I386 would be right): at a stop take SyscallInfo.ABI.
func (r *X86Regs) ABI() syscalls.ABI {
	switch {
	case r.Compat():
		return syscalls.I386
	case int32(r.OrigRax) >= 0 && r.OrigRax&syscalls.X32Bit != 0:
		return syscalls.X32
	}
	return syscalls.AMD64
}

// arg gives the register of argument i (System V psABI appendix A.2.1; syscall(2)).
func (r *X86Regs) arg(abi syscalls.ABI, i int) *uint64 {
	if abi == syscalls.I386 {
		return [...]*uint64{&r.Rbx, &r.Rcx, &r.Rdx, &r.Rsi, &r.Rdi, &r.Rbp}[i]
	}
	return [...]*uint64{&r.Rdi, &r.Rsi, &r.Rdx, &r.R10, &r.R8, &r.R9}[i]
}

// SyscallNumber is the number of the call the thread is in, -1 outside of calls. The kernel looks at 32
// bits of it.
func (r *X86Regs) SyscallNumber() int64 { return int64(int32(r.OrigRax)) }

// SetSyscallNumber changes the call at its entry; -1 skips it, and Result is then what the program sees.
func (r *X86Regs) SetSyscallNumber(n int64) { r.OrigRax = uint64(n) }

// Arg is argument i, 0 to 5, of a call through abi; those of I386 are zero-extended from 32 bits.
func (r *X86Regs) Arg(abi syscalls.ABI, i int) uint64 {
	v := *r.arg(abi, i)
	if abi == syscalls.I386 {
		v = uint64(uint32(v))
	}
	return v
}

// SetArg changes argument i, 0 to 5.
func (r *X86Regs) SetArg(abi syscalls.ABI, i int, v uint64) {
	if abi == syscalls.I386 {
		v = uint64(uint32(v))
	}
	*r.arg(abi, i) = v
}

// Result is what the call returned, -4095 to -1 being negated errnos.
func (r *X86Regs) Result() int64 { return int64(r.Rax) }

// SetResult changes it.
func (r *X86Regs) SetResult(v int64) { r.Rax = uint64(v) }

// Rewind takes registers from the entry of a call back to before the instruction that makes it, so that the thread makes the
// call again: syscall, int 0x80 and, as the vdso has an int 0x80 for restarts at the place where it returns, sysenter have two
// bytes.
func (r *X86Regs) Rewind() {
	r.Rip -= 2
	r.Rax = uint64(r.SyscallNumber())
	r.OrigRax = ^uint64(0)
}

// Restore gives a thread at the exit of a call the number and the arguments of its entry.
func (r *X86Regs) Restore(abi syscalls.ABI, number int64, args *[6]uint64) {
	r.SetSyscallNumber(number)
	for i, a := range args {
		r.SetArg(abi, i, a)
	}
}

// ReturnValue is the register in which a function returns an integer or pointer.
func (r *X86Regs) ReturnValue() uint64 { return r.Rax }

// SetReturnValue changes it.
func (r *X86Regs) SetReturnValue(v uint64) { r.Rax = v }

// PC is the address of the next instruction.
func (r *X86Regs) PC() uint64 { return r.Rip }

// SetPC changes it.
func (r *X86Regs) SetPC(v uint64) { r.Rip = v }

// SP is the stack pointer.
func (r *X86Regs) SP() uint64 { return r.Rsp }

// SetSP changes it.
func (r *X86Regs) SetSP(v uint64) { r.Rsp = v }

// X86FPRegs is struct user_i387_struct of x86-64 (512 bytes), the FXSAVE area.
type X86FPRegs struct {
	Cwd, Swd, Twd, Fop uint16
	Rip, Rdp           uint64
	Mxcsr, MxcsrMask   uint32
	StSpace            [32]uint32 // 8 x87 registers of 16 bytes
	XmmSpace           [64]uint32 // 16 SSE registers of 16 bytes
	_                  [24]uint32
}
