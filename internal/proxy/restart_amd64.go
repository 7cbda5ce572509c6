package proxy

import (
	"farcall/internal/ptrace"
	"farcall/syscalls"
)

// setRestart changes the call that a thread which is about to make its call again will make (arch/x86/kernel/signal.c,
// arch_do_signal_or_restart: the number is taken from orig_rax).
func setRestart(r *ptrace.Regs, number uint64, args [6]uint64) {
	r.SetSyscallNumber(int64(number))
	for i, a := range args {
		r.SetArg(syscalls.AMD64, i, a)
	}
}
