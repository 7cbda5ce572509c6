package engine

import "farcall/syscalls"

// The calls that the engine itself has to recognise, by ABI; x32 uses amd64's numbers with syscalls.X32Bit.
type callNumbers struct {
	fork, vfork, clone, clone3         int64 // noCall where the ABI lacks it
	execve, execveat, restart          int64
	seccomp, prctl                     int64
	schedGetaffinity, schedSetaffinity int64
	open, openat, openat2              int64
}

const noCall = -2 // -1 is the number of a skipped call

var numbers = [syscalls.NumABI]callNumbers{
	syscalls.AMD64: {fork: 57, vfork: 58, clone: 56, clone3: 435, execve: 59, execveat: 322, restart: 219,
		seccomp: 317, prctl: 157, schedGetaffinity: 204, schedSetaffinity: 203, open: 2, openat: 257, openat2: 437},
	syscalls.I386: {fork: 2, vfork: 190, clone: 120, clone3: 435, execve: 11, execveat: 358, restart: 0,
		seccomp: 354, prctl: 172, schedGetaffinity: 242, schedSetaffinity: 241, open: 5, openat: 295, openat2: 437},
	syscalls.X32: {fork: x32(57), vfork: x32(58), clone: x32(56), clone3: x32(435), execve: x32(520), execveat: x32(545),
		restart: x32(219), seccomp: x32(317), prctl: x32(157), schedGetaffinity: x32(204), schedSetaffinity: x32(203),
		open: x32(2), openat: x32(257), openat2: x32(437)},
	syscalls.ARM64: {fork: noCall, vfork: noCall, clone: 220, clone3: 435, execve: 221, execveat: 281, restart: 128,
		seccomp: 277, prctl: 167, schedGetaffinity: 123, schedSetaffinity: 122, open: noCall, openat: 56, openat2: 437},
}

func x32(n int64) int64 { return n | syscalls.X32Bit }

// Flags of clone(2) (include/uapi/linux/sched.h).
const (
	cloneThread   = 0x00010000
	cloneUntraced = 0x00800000
)

// Needs gives the calls that a filter has to stop at for the engine's own use, besides those that are wanted.
func Needs(abi syscalls.ABI) []int64 {
	n := &numbers[abi]
	return []int64{n.clone, n.clone3, n.seccomp, n.prctl}
}
