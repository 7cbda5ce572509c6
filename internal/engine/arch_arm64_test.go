package engine

import "golang.org/x/sys/unix"

// What the C library uses instead.
const (
	sysGetpgrp = unix.SYS_GETPGID
	sysPoll    = unix.SYS_PPOLL
)
