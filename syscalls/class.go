package syscalls

import "math/bits"

// A Class is a set of the classes that a call belongs to, as -e trace=%class names them.
type Class uint32

// The classes of strace(1), -e trace.
const (
	ClassFile Class = 1 << iota
	ClassDesc
	ClassMemory
	ClassProcess
	ClassSignal
	ClassIPC
	ClassNetwork
	ClassCreds
	ClassClock
	ClassStat
	ClassLstat
	ClassFstat
	ClassStatLike
	ClassStatfs
	ClassFstatfs
	ClassStatfsLike
	ClassPure
	ClassNever // calls that never return: exit, exit_group, a successful rt_sigreturn
)

var classNames = [...]string{
	"file", "desc", "memory", "process", "signal", "ipc", "network", "creds", "clock",
	"stat", "lstat", "fstat", "%stat", "statfs", "fstatfs", "%statfs", "pure", "never",
}

// ClassByName returns the class with the name that strace gives it behind a percent sign.
func ClassByName(name string) (Class, bool) {
	for i, n := range classNames {
		if n == name {
			return 1 << i, true
		}
	}
	return 0, false
}

func (c Class) String() string {
	s := ""
	for ; c != 0; c &= c - 1 {
		if s != "" {
			s += " "
		}
		s += classNames[bits.TrailingZeros32(uint32(c))]
	}
	return s
}
