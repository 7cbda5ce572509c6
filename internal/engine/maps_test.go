package engine

import (
	"testing"

	"farcall/syscalls"
)

// TestMapCalls holds the numbers to the tables of system calls.
func TestMapCalls(t *testing.T) {
	for abi := syscalls.ABI(0); abi < syscalls.NumABI; abi++ {
		want := map[int64]bool{}
		for _, name := range []string{"mmap", "mmap2", "mprotect", "pkey_mprotect"} {
			if nr, ok := abi.Number(name); ok {
				want[int64(nr)] = true
			}
		}
		for _, m := range MapCalls(abi) {
			if !want[m.Number] {
				t.Errorf("%v: %d is none of the calls", abi, m.Number)
			}
			delete(want, m.Number)
			call := Call{ABI: abi, Number: m.Number}
			if mapsCode(&call) != (m.Prot < 0) {
				t.Errorf("%v: %d without PROT_EXEC: %v", abi, m.Number, mapsCode(&call))
			}
			if call.Args[2] = 1 | ProtExec; !mapsCode(&call) {
				t.Errorf("%v: %d with PROT_EXEC does not map code", abi, m.Number)
			}
		}
		for nr := range want {
			t.Errorf("%v: %d is missing", abi, nr)
		}
	}
}
