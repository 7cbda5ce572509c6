package stack

import (
	"debug/elf"

	"farcall/internal/ptrace"
	"farcall/symbols/unwind"
)

// X86 numbers registers of x86 as DWARF does, and says for which of the two machines.
func X86(r *ptrace.X86Regs, out *unwind.Regs) *unwind.Machine {
	*out = unwind.Regs{}
	if r.Compat() {
		for n, v := range [...]uint64{r.Rax, r.Rcx, r.Rdx, r.Rbx, r.Rsp, r.Rbp, r.Rsi, r.Rdi, r.Rip} {
			out.Set(n, uint64(uint32(v)))
		}
		return unwind.MachineOf(elf.EM_386)
	}
	for n, v := range [...]uint64{
		r.Rax, r.Rdx, r.Rcx, r.Rbx, r.Rsi, r.Rdi, r.Rbp, r.Rsp, r.R8, r.R9, r.R10, r.R11, r.R12, r.R13, r.R14, r.R15, r.Rip,
	} {
		out.Set(n, v)
	}
	return unwind.MachineOf(elf.EM_X86_64)
}

// ARM64 numbers registers of arm64; nil for a thread that runs 32-bit code.
func ARM64(r *ptrace.ARM64Regs, out *unwind.Regs) *unwind.Machine {
	*out = unwind.Regs{}
	if r.Compat() {
		return nil
	}
	for n, v := range r.X {
		out.Set(n, v)
	}
	m := unwind.MachineOf(elf.EM_AARCH64)
	out.Set(m.SP, r.Sp)
	out.Set(m.PC, r.Pc)
	return m
}
