package region

import (
	"debug/elf"

	"farcall/internal/engine"
	"farcall/internal/ptrace"
)

const machine = elf.EM_X86_64

// onStack tells that a call puts the return address on the stack.
const onStack = true

// returnPlace is where the return address of the function that has just been called is, and what it is (System V psABI, 3.2.2).
func returnPlace(t *engine.Thread, r *ptrace.Regs) (sp, ret uint64, ok bool) {
	ret, ok = word(t, r.SP())
	return r.SP(), ret, ok
}

// callerSP is the stack pointer after the return of a function whose return address was at sp.
func callerSP(sp uint64) uint64 { return sp + 8 }

// argument is the register that passes argument i of a function (System V psABI, 3.2.3).
func argument(r *ptrace.Regs, i int) uint64 {
	return [...]uint64{r.Rdi, r.Rsi, r.Rdx, r.Rcx, r.R8, r.R9}[i]
}
