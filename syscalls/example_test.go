package syscalls_test

import (
	"fmt"

	"farcall/syscalls"
)

// Numbers and names differ from one interface of the kernel to the next.
func ExampleABI_Number() {
	for abi := syscalls.AMD64; abi < syscalls.NumABI; abi++ {
		nr, ok := abi.Number("openat")
		fmt.Println(abi, nr&^syscalls.X32Bit, ok)
	}
	_, ok := syscalls.ARM64.Number("open")
	fmt.Println("open on arm64:", ok)
	// Output:
	// amd64 257 true
	// i386 295 true
	// x32 257 true
	// arm64 56 true
	// open on arm64: false
}
