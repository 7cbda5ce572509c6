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

// goroutineOf is the goroutine whose stack the thread is on: in Go functions r14 points to it, in older ones the word
// below the thread pointer does (cmd/compile/abi-internal.md; runtime/asm_amd64.s).
func goroutineOf(t *engine.Thread, r *ptrace.Regs) (g, hi uint64, ok bool) {
	const belowThreadPointer = 8
	old, _ := word(t, r.FsBase-belowThreadPointer)
	for _, g := range [...]uint64{r.R14, old} {
		lo, ok := word(t, g)
		hi, ok2 := word(t, g+offsetStackHi)
		if ok && ok2 && lo <= r.SP() && r.SP() < hi {
			return g, hi, true
		}
	}
	return 0, 0, false
}

// firstGoArgument is the register of a Go function's first argument.
func firstGoArgument(r *ptrace.Regs) uint64 { return r.Rax }

// goArgument is the register of argument i of a Go function, of the first six.
func goArgument(r *ptrace.Regs, i int) uint64 {
	return [...]uint64{r.Rax, r.Rbx, r.Rcx, r.Rdi, r.Rsi, r.R8}[i]
}
