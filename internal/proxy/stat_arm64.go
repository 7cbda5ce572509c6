package proxy

import (
	"farcall/syscalls"

	"golang.org/x/sys/unix"
)

const nativeABI = syscalls.ARM64

// setWidths sets the fields whose width depends on the architecture.
func setWidths(st *unix.Stat_t, x *unix.Statx_t) {
	st.Nlink, st.Blksize = x.Nlink, int32(x.Blksize)
}
