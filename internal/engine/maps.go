package engine

import "farcall/syscalls"

// A MapCall is a call that can map code, or make code of what is mapped.
type MapCall struct {
	Number int64
	Prot   int // argument with the protection, -1 where that is in memory
}

// ProtExec is the bit of a protection that allows execution (PROT_EXEC, asm-generic/mman-common.h).
const ProtExec = 4

// MapCalls gives the calls that map code: mmap, mprotect and pkey_mprotect. A Filter has to stop at those with ProtExec for
// Options.Mapped.
func MapCalls(abi syscalls.ABI) []MapCall { return mapCalls[abi] }

var mapCalls = [syscalls.NumABI][]MapCall{
	syscalls.AMD64: {{9, 2}, {10, 2}, {329, 2}},
	syscalls.I386:  {{90, -1}, {192, 2}, {125, 2}, {380, 2}}, // the first mmap takes a pointer to its arguments
	syscalls.X32:   {{x32(9), 2}, {x32(10), 2}, {x32(329), 2}},
	syscalls.ARM64: {{222, 2}, {226, 2}, {288, 2}},
}

// mapsCode tells whether c maps code if it succeeds.
func mapsCode(c *Call) bool {
	for _, m := range mapCalls[c.ABI] {
		if m.Number == c.Number {
			return m.Prot < 0 || c.Args[m.Prot]&ProtExec != 0
		}
	}
	return false
}
