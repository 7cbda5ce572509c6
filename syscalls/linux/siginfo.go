package linux

import "farcall/syscalls"

// Siginfo describes siginfo_t, 128 bytes, as waitid(2), rt_sigtimedwait(2) and signals show it.
func Siginfo() *syscalls.Struct { return &zstruct_siginfo }
