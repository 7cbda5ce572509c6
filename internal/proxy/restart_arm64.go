package proxy

import (
	"farcall/internal/ptrace"
	"farcall/syscalls"
)

// setRestart changes the call that a thread which is about to make its call again will make (arch/arm64/kernel/signal.c, do_signal:
// the registers have been set back to the instruction before a tracer sees the stop, and the number is in x8).
func setRestart(r *ptrace.Regs, number uint64, args [6]uint64) {
	for i, a := range args {
		r.SetArg(syscalls.ARM64, i, a)
	}
	r.X[8] = number
}
