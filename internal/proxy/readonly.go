package proxy

import (
	"farcall/internal/proxy/attr"
	"farcall/internal/proxy/network"
	"farcall/remote/wire"

	"golang.org/x/sys/unix"
)

// Where nothing is written there, reading and writing need not be intercepted at all: each file that can be open has all its content here. So what
// programs do with this host's files is as fast as without us.

// untouched tells whether a call is input or output that nobody has to see when nothing is written there. Datagrams are read and written by
// us.
func untouched(name string, o filterOptions) bool {
	return o.io && !(o.net && network.DatagramIO[name]) && nativeIO[name]
}

// nativeIO are plainIO by name, without lseek, which has a meaning for directories.
var nativeIO = map[string]bool{
	"read": true, "readv": true, "pread64": true, "preadv": true, "preadv2": true,
	"write": true, "writev": true, "pwrite64": true, "pwritev": true, "pwritev2": true,
}

// whole sees to it that a file which has been opened is here as a whole, with the content it has; errno is why it cannot be.
func (q *request) whole(o *object, content []byte) (whole []byte, errno unix.Errno) {
	if o.filled.Load() || o.flags&unix.O_PATH != 0 || o.flags&unix.O_DIRECTORY != 0 || o.statx == nil {
		return content, whyNot(o)
	}
	x := attr.Statx(o.statx)
	switch {
	case x.Mode&unix.S_IFMT == unix.S_IFDIR:
		return nil, 0
	case x.Mode&unix.S_IFMT != unix.S_IFREG:
		return nil, unix.EOPNOTSUPP
	case x.Size > maxFill:
		return nil, unix.EFBIG
	}
	// A file without a size may have content all the same, as those of /proc.
	for len(whole) <= maxFill {
		var s wire.Space
		buf := s.Room(wire.MaxIO)
		n, err := q.conn.Syscall("pread64", [6]uint64{uint64(o.handle), buf, wire.MaxIO, uint64(len(whole))}, &s)
		switch {
		case err != nil:
			return nil, unix.EIO
		case n < 0:
			return nil, unix.Errno(-n)
		case n == 0:
			o.filled.Store(true)
			return whole, 0
		}
		whole = append(whole, s.Bytes(buf, int(n))...)
	}
	return nil, unix.EFBIG
}

// whyNot is the error for what is no file, such as a device, of which no attributes were asked for.
func whyNot(o *object) unix.Errno {
	if !o.filled.Load() && o.statx == nil {
		return unix.EOPNOTSUPP
	}
	return 0
}
