package attr

import (
	"golang.org/x/sys/unix"
)

// setWidths sets the fields whose width depends on the architecture.
func setWidths(st *unix.Stat_t, x *unix.Statx_t) {
	st.Nlink, st.Blksize = uint64(x.Nlink), int64(x.Blksize)
}
