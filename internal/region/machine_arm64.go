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
