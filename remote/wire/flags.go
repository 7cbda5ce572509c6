package wire

import "farcall/syscalls"

// The flags of open(2) whose values differ from the generic ones on arm64 (arch/arm64/include/uapi/asm/fcntl.h).
var arm64Flags = [...]struct{ generic, arm64 uint32 }{
	{0o200000, 0o40000},  // O_DIRECTORY
	{0o400000, 0o100000}, // O_NOFOLLOW
	{0o40000, 0o200000},  // O_DIRECT
	{0o100000, 0o400000}, // O_LARGEFILE
}

// OpenFlags turns flags of open(2) of an ABI into generic ones, or back.
func OpenFlags(abi syscalls.ABI, flags uint32, toGeneric bool) uint32 {
	if abi != syscalls.ARM64 {
		return flags
	}
	out := flags
	for _, f := range arm64Flags { // both columns have the same four bits
		out &^= f.generic
	}
	for _, f := range arm64Flags {
		from, to := f.arm64, f.generic
		if !toGeneric {
			from, to = to, from
		}
		if flags&from != 0 {
			out |= to
		}
	}
	return out
}

// Flags of open(2) with their generic values (asm-generic/fcntl.h), where architectures differ.
const (
	OpenDirectory uint32 = 0o200000
	OpenNoFollow  uint32 = 0o400000
	OpenLargeFile uint32 = 0o100000
	OpenTmpFile   uint32 = 0o20000000 | OpenDirectory
)
