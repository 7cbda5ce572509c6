// Package attr reads the attributes of files as servers send them: struct statx (statx(2)).
package attr

import (
	"unsafe"

	"farcall/remote/wire"

	"golang.org/x/sys/unix"
)

// ToStat turns attributes into the native struct stat (asm/stat.h).
func ToStat(statx []byte) []byte {
	x := Statx(statx)
	st := new(unix.Stat_t)
	st.Dev = unix.Mkdev(x.Dev_major, x.Dev_minor)
	st.Rdev = unix.Mkdev(x.Rdev_major, x.Rdev_minor)
	st.Ino, st.Mode, st.Uid, st.Gid = x.Ino, uint32(x.Mode), x.Uid, x.Gid
	setWidths(st, x)
	st.Size, st.Blocks = int64(x.Size), int64(x.Blocks)
	st.Atim = unix.Timespec{Sec: x.Atime.Sec, Nsec: int64(x.Atime.Nsec)}
	st.Mtim = unix.Timespec{Sec: x.Mtime.Sec, Nsec: int64(x.Mtime.Nsec)}
	st.Ctim = unix.Timespec{Sec: x.Ctime.Sec, Nsec: int64(x.Ctime.Nsec)}
	return unsafe.Slice((*byte)(unsafe.Pointer(st)), unsafe.Sizeof(*st))
}

// Statx gives access to the fields of a struct statx.
func Statx(b []byte) *unix.Statx_t {
	return (*unix.Statx_t)(unsafe.Pointer(unsafe.SliceData(b[:wire.StatxSize])))
}

// An Inode names a file among all of a server.
type Inode struct {
	major, minor uint32
	ino          uint64
}

// InodeOf is the file whose attributes these are; the zero value for none.
func InodeOf(statx []byte) Inode {
	if statx == nil {
		return Inode{}
	}
	x := Statx(statx)
	return Inode{x.Dev_major, x.Dev_minor, x.Ino}
}
