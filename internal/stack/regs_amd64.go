package stack

import (
	"farcall/internal/ptrace"
	"farcall/symbols/unwind"
)

// Registers numbers the registers of the running machine, nil for code that cannot be unwound.
func Registers(r *ptrace.Regs, out *unwind.Regs) *unwind.Machine { return X86(r, out) }
