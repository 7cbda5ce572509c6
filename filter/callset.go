// Package filter says which events of a trace are wanted.
//
// A [CallSet] is the part of that answer the kernel can be asked to give: a set of system calls
// for each ABI, from which a seccomp program is built. [ParseCallSet] reads the sets of
// strace's -e trace= and its relatives.
//
// The package touches no process and builds on any operating system.
package filter

import (
	"iter"
	"math/bits"
	"strconv"
	"strings"

	"farcall/syscalls"
)

// callWords bounds the numbers a CallSet can tell apart: 64 for each word. The highest number of
// any table is below 600 (x32); [TestCallSetHoldsEveryTable] fails when one outgrows it.
const callWords = 12

// maxCall is the first number that a CallSet does not store.
const maxCall = callWords * 64

// A CallSet is a set of system calls, kept for each ABI as one bit a number. It is a plain value:
// copying and comparing with == work, and the zero value is the empty set.
//
// Numbers that no table names (a newer kernel's calls, or nonsense) are in the set together or
// not at all: in complements such as "!open", not in enumerations such as "open,close".
type CallSet struct {
	bits [syscalls.NumABI][callWords]uint64
	rest bool // membership of numbers from maxCall up
}

// AllCalls is the set of every call of every ABI, numbers without a name included.
func AllCalls() *CallSet {
	return new(CallSet).Complement()
}

// Has tells whether call nr of ABI a is in the set. X32 numbers are understood with and without
// [syscalls.X32Bit].
func (s *CallSet) Has(a syscalls.ABI, nr uint64) bool {
	if a == syscalls.X32 {
		nr &^= syscalls.X32Bit
	}
	if nr >= maxCall || a >= syscalls.NumABI {
		return s.rest
	}
	return s.bits[a][nr/64]>>(nr%64)&1 != 0
}

// Add puts call nr of ABI a into the set. Numbers beyond every table are left out; see [CallSet].
func (s *CallSet) Add(a syscalls.ABI, nr uint64) {
	if a == syscalls.X32 {
		nr &^= syscalls.X32Bit
	}
	if nr < maxCall && a < syscalls.NumABI {
		s.bits[a][nr/64] |= 1 << (nr % 64)
	}
}

// AddName puts the call of that name into the set, in every ABI that has it, and tells whether
// any has.
func (s *CallSet) AddName(name string) bool {
	found := false
	for a := syscalls.ABI(0); a < syscalls.NumABI; a++ {
		if nr, ok := a.Number(name); ok {
			s.Add(a, nr)
			found = true
		}
	}
	return found
}

// Complement is the set of every call that is not in s.
func (s *CallSet) Complement() *CallSet {
	return s.combine(s, func(x, _ uint64) uint64 { return ^x })
}

// Union is the set of the calls that are in s, in t or in both.
func (s *CallSet) Union(t *CallSet) *CallSet {
	return s.combine(t, func(x, y uint64) uint64 { return x | y })
}

// Intersect is the set of the calls that are both in s and in t.
func (s *CallSet) Intersect(t *CallSet) *CallSet {
	return s.combine(t, func(x, y uint64) uint64 { return x & y })
}

func (s *CallSet) combine(t *CallSet, op func(x, y uint64) uint64) *CallSet {
	var out CallSet
	for a := range out.bits {
		for i := range out.bits[a] {
			out.bits[a][i] = op(s.bits[a][i], t.bits[a][i])
		}
	}
	out.rest = op(word(s.rest), word(t.rest))&1 != 0
	return &out
}

func word(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}

// IsAll tells whether no call at all is missing, so that filtering would save nothing.
func (s *CallSet) IsAll() bool { return *s == *AllCalls() }

// IsEmpty tells whether no call at all is in the set.
func (s *CallSet) IsEmpty() bool { return *s == CallSet{} }

// Unnamed tells whether numbers that no table names are in the set. A seccomp program built from
// the set takes its default from this.
func (s *CallSet) Unnamed() bool { return s.rest }

// Calls yields the numbers of the calls of ABI a that are in the set and have a name, ascending.
// X32 numbers carry [syscalls.X32Bit].
func (s *CallSet) Calls(a syscalls.ABI) iter.Seq[uint64] {
	return func(yield func(uint64) bool) {
		for nr := range a.Names() {
			if s.Has(a, nr) && !yield(nr) {
				return
			}
		}
	}
}

// Len is the number of calls of ABI a that are in the set and have a name.
func (s *CallSet) Len(a syscalls.ABI) int {
	n := 0
	for range s.Calls(a) {
		n++
	}
	return n
}

// weight counts the stored bits of ABI a, calls without a name included.
func (s *CallSet) weight(a syscalls.ABI) int {
	n := 0
	for _, w := range s.bits[a] {
		n += bits.OnesCount64(w)
	}
	return n
}

// String is for messages and tests: "all", "none", or for each ABI with members its names, the
// shorter of the list and its complement.
func (s *CallSet) String() string {
	switch {
	case s.IsAll():
		return "all"
	case s.IsEmpty():
		return "none"
	}
	var out []string
	for a := syscalls.ABI(0); a < syscalls.NumABI; a++ {
		set, not := s, ""
		if s.weight(a) > maxCall/2 {
			set, not = s.Complement(), "!"
		}
		var names []string
		for nr := range set.Calls(a) {
			names = append(names, a.Name(nr))
		}
		if len(names) > 0 || not != "" {
			out = append(out, a.String()+": "+not+strings.Join(names, ","))
		}
	}
	if s.rest {
		out = append(out, "numbers from "+strconv.Itoa(maxCall))
	}
	return strings.Join(out, "; ")
}
