package filter

import (
	"iter"

	"farcall/syscalls"
	"farcall/syscalls/linux"
)

// everyCall stands for the class "all", which holds every call that has a name. In a list it
// differs from the bare expression "all" by the numbers without one.
const everyCall = ^syscalls.Class(0)

// classNames are the spellings of the classes in strace(1): with a percent sign, and for the
// oldest of them without.
var classNames = []struct {
	name  string
	class syscalls.Class
}{
	{"%clock", syscalls.ClassClock},
	{"%creds", syscalls.ClassCreds},
	{"%desc", syscalls.ClassDesc},
	{"%file", syscalls.ClassFile},
	{"%fstat", syscalls.ClassFstat},
	{"%fstatfs", syscalls.ClassFstatfs},
	{"%ipc", syscalls.ClassIPC},
	{"%lstat", syscalls.ClassLstat},
	{"%memory", syscalls.ClassMemory},
	{"%net", syscalls.ClassNetwork},
	{"%network", syscalls.ClassNetwork},
	{"%process", syscalls.ClassProcess},
	{"%pure", syscalls.ClassPure},
	{"%signal", syscalls.ClassSignal},
	{"%stat", syscalls.ClassStat},
	{"%%stat", syscalls.ClassStatLike},
	{"%statfs", syscalls.ClassStatfs},
	{"%%statfs", syscalls.ClassStatfsLike},

	{"all", everyCall},
	{"desc", syscalls.ClassDesc},
	{"file", syscalls.ClassFile},
	{"ipc", syscalls.ClassIPC},
	{"memory", syscalls.ClassMemory},
	{"network", syscalls.ClassNetwork},
	{"process", syscalls.ClassProcess},
	{"signal", syscalls.ClassSignal},
}

func classOf(word string) (syscalls.Class, bool) {
	for _, c := range classNames {
		if c.name == word {
			return c.class, true
		}
	}
	return 0, false
}

// ClassNames are the classes an expression can name, in the spelling with a percent sign.
func ClassNames() []string {
	var out []string
	for _, c := range classNames {
		if c.name[0] == '%' {
			out = append(out, c.name)
		}
	}
	return out
}

// A classifier tells the classes of call nr of an ABI.
type classifier func(a syscalls.ABI, nr uint64) syscalls.Class

// described is the classifier of the descriptions, which classify every call that has a name.
func described(a syscalls.ABI, nr uint64) syscalls.Class {
	if c := linux.Describe(a, nr); c != nil {
		return c.Class
	}
	return 0
}

// calls yields the numbers of the calls of ABI a that are in the class.
func (classes classifier) calls(class syscalls.Class, a syscalls.ABI) iter.Seq[uint64] {
	return func(yield func(uint64) bool) {
		for nr := range a.Names() {
			if (class == everyCall || classes(a, nr)&class != 0) && !yield(nr) {
				return
			}
		}
	}
}
