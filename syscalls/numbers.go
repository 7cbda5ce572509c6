package syscalls

import (
	"cmp"
	"iter"
	"sort"
)

//go:generate go run farcall/internal/gen/facts znumbers .

// numberTable holds the calls of one ABI. Both slices are views of static arrays.
type numberTable struct {
	names  []string // indexed by number, "" in gaps
	sorted []uint16 // numbers, in the order of their names
	bit    uint64   // what the ABI adds to each number
}

var numberTables = [NumABI]numberTable{
	AMD64: {names: namesAMD64[:], sorted: sortedAMD64[:]},
	I386:  {names: namesI386[:], sorted: sortedI386[:]},
	X32:   {names: namesX32[:], sorted: sortedX32[:], bit: X32Bit},
	ARM64: {names: namesARM64[:], sorted: sortedARM64[:]},
}

func (a ABI) table() *numberTable {
	if int(a) >= len(numberTables) {
		return &numberTable{}
	}
	return &numberTables[a]
}

// Name is the name of call number nr, as the kernel's headers (__NR_name in asm/unistd.h) and
// strace spell it, or "" for a number that the ABI does not have. An X32 number is understood
// with and without X32Bit.
func (a ABI) Name(nr uint64) string {
	t := a.table()
	nr &^= t.bit
	if nr >= uint64(len(t.names)) {
		return ""
	}
	return t.names[nr]
}

// Number is the number of the call name, and whether the ABI has a call of that name. An X32
// number carries X32Bit, as it does in a register and in seccomp_data.nr.
func (a ABI) Number(name string) (nr uint64, ok bool) {
	t := a.table()
	i, ok := sort.Find(len(t.sorted), func(i int) int {
		return cmp.Compare(name, t.names[t.sorted[i]])
	})
	if !ok {
		return 0, false
	}
	return uint64(t.sorted[i]) | t.bit, true
}

// Names yields the number and the name of each call of the ABI, by number. X32 numbers carry
// X32Bit.
func (a ABI) Names() iter.Seq2[uint64, string] {
	t := a.table()
	return func(yield func(uint64, string) bool) {
		for nr, name := range t.names {
			if name != "" && !yield(uint64(nr)|t.bit, name) {
				return
			}
		}
	}
}
