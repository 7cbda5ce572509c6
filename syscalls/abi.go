package syscalls

import "fmt"

// An ABI is one of the kernel's system-call interfaces: it fixes the numbers of the
// calls, the registers of their arguments and the layout of the structures they use.
type ABI uint8

// The ABIs that farcall decodes. The first three are those of an x86-64 kernel.
const (
	AMD64  ABI = iota // 64-bit x86, the syscall instruction
	I386              // 32-bit x86, int 0x80 and sysenter; also from 64-bit code
	X32               // 32-bit pointers in 64-bit mode; numbers carry X32Bit
	ARM64             // 64-bit ARM
	NumABI = 4
)

// X32Bit marks a call number as one of the x32 ABI (asm/unistd.h, __X32_SYSCALL_BIT).
const X32Bit = 0x40000000

func (a ABI) String() string {
	switch a {
	case AMD64:
		return "amd64"
	case I386:
		return "i386"
	case X32:
		return "x32"
	case ARM64:
		return "arm64"
	}
	return fmt.Sprintf("ABI(%d)", uint8(a))
}

// WordSize is the size in bytes of a pointer and of an unsigned long of the ABI.
func (a ABI) WordSize() int {
	if a == I386 || a == X32 {
		return 4
	}
	return 8
}
