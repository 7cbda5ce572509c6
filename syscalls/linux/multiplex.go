package linux

import (
	"encoding/binary"
	"sync"

	"farcall/syscalls"
)

// i386 has two calls that stand for many: socketcall(2) and ipc(2), whose first argument says which.

// subcalls of socketcall (linux/net.h, SYS_SOCKET and on) with the number of their arguments.
var socketcalls = [...]struct {
	name string
	args int
}{
	1: {"socket", 3}, 2: {"bind", 3}, 3: {"connect", 3}, 4: {"listen", 2}, 5: {"accept", 3}, 6: {"getsockname", 3},
	7: {"getpeername", 3}, 8: {"socketpair", 4}, 9: {"send", 4}, 10: {"recv", 4}, 11: {"sendto", 6}, 12: {"recvfrom", 6},
	13: {"shutdown", 2}, 14: {"setsockopt", 5}, 15: {"getsockopt", 5}, 16: {"sendmsg", 3}, 17: {"recvmsg", 3},
	18: {"accept4", 4}, 19: {"recvmmsg", 5}, 20: {"sendmmsg", 4},
}

// subcalls of ipc (asm-generic/ipc.h) with the register of each argument: ipc(call, first, second, third, ptr, fifth).
var ipccalls = map[uint32]struct {
	name string
	regs []int
}{
	1: {"semop", []int{1, 4, 2}}, 2: {"semget", []int{1, 2, 3}}, 3: {"semctl", []int{1, 2, 3, 4}}, 4: {"semtimedop", []int{1, 4, 2, 5}},
	11: {"msgsnd", []int{1, 4, 2, 3}}, 12: {"msgrcv", []int{1, 4, 2, 5, 3}}, 13: {"msgget", []int{1, 2}}, 14: {"msgctl", []int{1, 2, 4}},
	21: {"shmat", []int{1, 4, 2}}, 22: {"shmdt", []int{4}}, 23: {"shmget", []int{1, 2, 3}}, 24: {"shmctl", []int{1, 2, 4}},
}

// Multiplexes tells whether a call of the ABI stands for others.
func Multiplexes(abi syscalls.ABI, name string) bool {
	return abi == syscalls.I386 && (name == "socketcall" || name == "ipc")
}

// Demultiplex returns the call that i386's socketcall or ipc stands for, with its arguments. Those of socketcall are in memory, which
// read reads as decode.Memory does. ok is false if there is no such call, or its arguments cannot be read.
func Demultiplex(name string, args [6]uint64, read func(addr uint64, b []byte) int) (c *syscalls.Call, sub [6]uint64, ok bool) {
	var in []int
	if name == "ipc" {
		i, known := ipccalls[uint32(args[0])&0xffff] // the upper half is a version
		if !known {
			return nil, sub, false
		}
		name, in = i.name, i.regs
		if n := args[0]; n&0xffff == 12 && n>>16 == 0 { // msgrcv of old: pointer and type behind one pointer
			var b [8]byte
			if read(args[4]&0xffffffff, b[:]) < len(b) {
				return nil, sub, false
			}
			args[4] = uint64(binary.LittleEndian.Uint32(b[:]))
			args[5] = uint64(binary.LittleEndian.Uint32(b[4:]))
		}
		for i, r := range in {
			sub[i] = args[r]
		}
		c = Subcall(name)
		return c, sub, c != nil
	}
	n := uint32(args[0])
	if n == 0 || int(n) >= len(socketcalls) {
		return nil, sub, false
	}
	s := socketcalls[n]
	var b [24]byte
	if read(args[1]&0xffffffff, b[:4*s.args]) < 4*s.args {
		return nil, sub, false
	}
	for i := range s.args {
		sub[i] = uint64(binary.LittleEndian.Uint32(b[4*i:]))
	}
	c = Subcall(s.name)
	return c, sub, c != nil
}

// short are send and recv, which Linux has as a call only in socketcall: sendto and recvfrom without an address.
var short = sync.OnceValue(func() map[string]*syscalls.Call {
	m := map[string]*syscalls.Call{}
	for name, long := range map[string]string{"send": "sendto", "recv": "recvfrom"} {
		c := *numbered(long)
		c.Name, c.Args = name, c.Args[:4]
		c.Defer = min(c.Defer, 4)
		m[name] = &c
	}
	return m
})

// Subcall describes a call that i386's socketcall or ipc stands for, nil if there is none of that name.
func Subcall(name string) *syscalls.Call {
	if name == "send" || name == "recv" {
		return short()[name]
	}
	return numbered(name)
}

// numbered describes a call that has a number of its own.
func numbered(name string) *syscalls.Call {
	for _, abi := range []syscalls.ABI{syscalls.I386, syscalls.AMD64} { // accept has a number on amd64 only
		if nr, ok := abi.Number(name); ok {
			return Describe(abi, nr)
		}
	}
	return nil
}

// Multiplexed yields the name of each call of i386 that stands for others with the names of those.
func Multiplexed(yield func(name, sub string) bool) {
	for _, s := range socketcalls {
		if s.name != "" && !yield("socketcall", s.name) {
			return
		}
	}
	for _, i := range ipccalls {
		if !yield("ipc", i.name) {
			return
		}
	}
}
