package region

import (
	"debug/elf"

	"farcall/internal/engine"
	"farcall/internal/ptrace"
)

const machine = elf.EM_AARCH64

const onStack = false

func returnPlace(_ *engine.Thread, r *ptrace.Regs) (sp, ret uint64, ok bool) {
	return r.SP(), r.X[30], true
}

func callerSP(sp uint64) uint64 { return sp }

func argument(r *ptrace.Regs, i int) uint64 { return r.X[i] }

// goroutineOf is the goroutine whose stack the thread is on: register 28 points to it (cmd/compile/abi-internal.md).
func goroutineOf(t *engine.Thread, r *ptrace.Regs) (g, hi uint64, ok bool) {
	g = r.X[28]
	lo, ok := word(t, g)
	hi, ok2 := word(t, g+offsetStackHi)
	return g, hi, ok && ok2 && lo <= r.SP() && r.SP() < hi
}

func firstGoArgument(r *ptrace.Regs) uint64 { return r.X[0] }

func goArgument(r *ptrace.Regs, i int) uint64 { return r.X[i] }
