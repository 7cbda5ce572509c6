package linux

import (
	"bytes"

	"golang.org/x/sys/unix"
)

// Comm appends the name of the thread, /proc/TID/comm, nothing if it is gone.
func (t *TaskInfo) Comm(dst []byte) []byte {
	return append(dst, bytes.TrimSuffix(t.readFile(t.proc("comm", -1)), []byte("\n"))...)
}

// Path appends the link of a descriptor in /proc/TID/fd as it is: a path, or a text such as "socket:[123]". AT_FDCWD
// is the working directory. Nothing is appended for a descriptor that is not open.
func (t *TaskInfo) Path(dst []byte, fd int32) []byte {
	switch {
	case fd == unix.AT_FDCWD:
		return append(dst, t.readlink(t.proc("cwd", -1))...)
	case fd < 0:
		return dst
	}
	return append(dst, t.readlink(t.proc("fd/", int(fd)))...)
}

// Peer appends the address that a socket is connected to: "10.0.0.1:80", "[::1]:80", a path, or an abstract name behind @.
// Nothing is appended for sockets that are not connected, whose other end has no name, and for what is no socket.
func (t *TaskInfo) Peer(dst []byte, fd int32) []byte {
	if fd < 0 || !bytes.HasPrefix(t.readlink(t.proc("fd/", int(fd))), []byte("socket:[")) {
		return dst
	}
	t.borrow(fd, func(fd int) {
		sa, err := unix.Getpeername(fd)
		if err != nil {
			return
		}
		if local, ok := sa.(*unix.SockaddrUnix); ok {
			dst = append(dst, local.Name...)
		} else if a, ok := addrPort(sa); ok {
			dst = a.AppendTo(dst)
		}
	})
	return dst
}
