package engine

import "golang.org/x/sys/unix"

// Calls that not every architecture has.
const (
	sysGetpgrp = unix.SYS_GETPGRP
	sysPoll    = unix.SYS_POLL
)
