package attr

import (
	"golang.org/x/sys/unix"
)

// setWidths sets the fields whose width depends on the architecture.
func setWidths(st *unix.Stat_t, x *unix.Statx_t) {
	st.Nlink, st.Blksize = x.Nlink, int32(x.Blksize)
}
