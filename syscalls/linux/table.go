// Package linux holds the descriptions of Linux's system calls: the *.sys files, the facts of
// the kernel that they are checked against, and the tables generated from them.
package linux

import "farcall/syscalls"

//go:generate go run farcall/internal/gen/sysgen . zcalls.go

// The names that the generated tables use.
type (
	call         = syscalls.Call
	structure    = syscalls.Struct
	union        = syscalls.Union
	alt          = syscalls.Alt
	field        = syscalls.Field
	set          = syscalls.Set
	val          = syscalls.Val
	typ          = syscalls.Type
	expr         = syscalls.Expr
	named[T any] struct {
		name string
		it   *T
	}
)

var tables = [syscalls.NumABI][]*call{
	syscalls.AMD64: zcallsAMD64[:],
	syscalls.I386:  zcallsI386[:],
	syscalls.X32:   zcallsX32[:],
	syscalls.ARM64: zcallsARM64[:],
}

// Describe returns the description of a call by its number, nil if there is no such call.
// X32 numbers are given with or without syscalls.X32Bit.
func Describe(a syscalls.ABI, nr uint64) *syscalls.Call {
	if a >= syscalls.NumABI {
		return nil
	}
	if a == syscalls.X32 {
		nr &^= syscalls.X32Bit
	}
	if t := tables[a]; nr < uint64(len(t)) {
		return t[nr]
	}
	return nil
}

// Base returns what the descriptions define, as the base for descriptions that a user adds.
func Base() *syscalls.Table {
	t := &syscalls.Table{
		Structs: byName(zstructs[:]), Unions: byName(zunions[:]),
		Sets: byName(zsets[:]), Types: byName(ztypes[:]),
	}
	for a := range t.Calls {
		t.Calls[a] = map[string]*call{}
		for _, c := range tables[a] {
			if c != nil {
				t.Calls[a][c.Name] = c
			}
		}
	}
	return t
}

func byName[T any](all []named[T]) map[string]*T {
	m := make(map[string]*T, len(all))
	for _, n := range all {
		m[n.name] = n.it
	}
	return m
}
