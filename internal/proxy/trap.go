package proxy

import (
	"farcall/remote/client"
	"farcall/syscalls"
)

// A Trap is a system call that a program has made and that waits for an answer: by exactly one of Return, Continue, Install,
// Map and Redirect. It is what the mechanisms, user notification and ptrace, have in common.
type Trap interface {
	client.Memory // the program's

	TID() int // the thread that made it
	Call() (abi syscalls.ABI, number uint64, args [6]uint64)

	// Return gives the program a result, or a negated error number.
	Return(v int64)
	// Continue lets the kernel execute the call.
	Continue()
	// Install gives the program a copy of the supervisor's descriptor file, whose number, which it returns, is the call's result; or a
	// negated error number, or unknownResult.
	Install(file int, cloexec bool) int64
	// Map has the kernel execute mmap(2) with the supervisor's descriptor file in place of the program's. done is called afterwards.
	Map(file int, args [6]uint64, done func())
	// Redirect has the kernel execute another call. build is called while the thread stands still; put stores bytes in the program's
	// memory, where they stay until the call is done, and returns their address.
	Redirect(build func(put func([]byte) uint64) (number uint64, args [6]uint64))
}

// unknownResult is the result of a call that the kernel executes later.
const unknownResult = -1 << 31
