package filter_test

import (
	"fmt"

	"farcall/decode"
	"farcall/filter"
	"farcall/syscalls"
	"farcall/syscalls/linux"
)

// A set of system calls, as strace's -e trace= has it, and what is in it.
func ExampleParseCallSet() {
	set, err := filter.ParseCallSet("close,/^openat")
	if err != nil {
		panic(err)
	}
	for nr := range set.Calls(syscalls.AMD64) {
		fmt.Println(nr, syscalls.AMD64.Name(nr))
	}
	// Output:
	// 3 close
	// 257 openat
	// 437 openat2
}

// What a condition makes of one call. Numbers alone decide this one, before the kernel executes it.
func ExampleExpr_Compile() {
	expr, err := filter.Parse("name == close and args.fd > 2")
	if err != nil {
		panic(err)
	}
	program, err := expr.Compile(filter.Table{})
	if err != nil {
		panic(err)
	}
	nr, _ := syscalls.AMD64.Number("close")
	for _, fd := range []uint64{1, 7} {
		var call decode.Call
		call.Enter(linux.Describe(syscalls.AMD64, nr), syscalls.AMD64, nr, [6]uint64{fd}, nil, decode.Options{})
		fmt.Println(fd, program.Entry(&filter.Env{Call: &call}) == filter.True)
	}
	// Output:
	// 1 false
	// 7 true
}
