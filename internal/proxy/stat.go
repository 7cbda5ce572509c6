package proxy

import (
	"unsafe"

	"farcall/remote/wire"

	"golang.org/x/sys/unix"
)

// toStat turns attributes into the native struct stat (asm/stat.h).
func toStat(statx []byte) []byte {
	x := statxOf(statx)
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

// statxOf gives access to the fields of a struct statx.
func statxOf(b []byte) *unix.Statx_t {
	return (*unix.Statx_t)(unsafe.Pointer(unsafe.SliceData(b[:wire.StatxSize])))
}
