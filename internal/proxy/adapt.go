package proxy

import (
	"bufio"
	"encoding/binary"
	"os"
	"strings"

	"farcall/internal/linux"
	"farcall/internal/proxy/attr"
	"farcall/remote/wire"

	"golang.org/x/sys/unix"
)

// lengths are the registers, in the generic form, that say how much a call may transfer: less is allowed.
var lengths = map[string]struct {
	reg int
	max uint64
}{
	"read": {2, wire.MaxIO}, "write": {2, wire.MaxIO}, "pread64": {2, wire.MaxIO}, "pwrite64": {2, wire.MaxIO},
	"getdents64": {2, 64 << 10}, "readlinkat": {3, unix.PathMax}, "sendfile": {3, 1 << 30}, "copy_file_range": {4, 1 << 30},
	// XATTR_SIZE_MAX and XATTR_LIST_MAX, linux/limits.h
	"getxattr": {3, 1 << 16}, "lgetxattr": {3, 1 << 16}, "fgetxattr": {3, 1 << 16},
	"listxattr": {2, 1 << 16}, "llistxattr": {2, 1 << 16}, "flistxattr": {2, 1 << 16},
}

// adapt changes what differs between a program's call and its generic form beside its arguments' places. What it returns, if not nil,
// makes the program's result of the server's. An error number is what the call gives before anything is looked at.
func (q *request) adapt(f form, regs *[6]uint64) (after func(int64) int64, e unix.Errno) {
	if l, ok := lengths[f.name]; ok {
		regs[l.reg] = min(regs[l.reg], l.max)
	}
	switch f.name {
	case "mkdirat":
		regs[2] = uint64(q.mode(uint32(regs[2])))
	case "mknodat":
		regs[2] = uint64(q.mode(uint32(regs[2])))
	case "readv", "writev", "preadv", "pwritev", "preadv2", "pwritev2":
		q.fitVector(regs)
	case "statx":
		return q.statInto(regs), 0
	case "utimensat":
		if q.name != "utimensat" && regs[2] != 0 {
			regs[2], e = q.times(regs[2])
		}
	}
	return nil, e
}

// statInto has attributes written where they can be turned into what the program wants.
func (q *request) statInto(regs *[6]uint64) func(int64) int64 {
	to := regs[4]
	q.statx = q.space.Room(wire.StatxSize)
	regs[4] = q.statx
	return func(ret int64) int64 {
		b := q.space.Bytes(q.statx, wire.StatxSize)
		if q.name != "statx" {
			b = attr.ToStat(b)
		}
		if _, err := q.Write(to, b); err != nil {
			return -int64(unix.EFAULT)
		}
		return ret
	}
}

// times makes the two struct timespec of utimensat(2) from what older calls have: two time_t, or two struct timeval.
func (q *request) times(addr uint64) (uint64, unix.Errno) {
	var b [32]byte
	n := 32
	if q.name == "utime" {
		n = 16
	}
	if q.Read(addr, b[:n]) < n {
		return 0, unix.EFAULT
	}
	var out [32]byte
	for i := range 2 {
		if q.name == "utime" {
			copy(out[16*i:], b[8*i:8*i+8])
			continue
		}
		copy(out[16*i:], b[16*i:16*i+8])
		usec := binary.NativeEndian.Uint64(b[16*i+8:])
		if usec >= 1e6 {
			return 0, unix.EINVAL
		}
		binary.NativeEndian.PutUint64(out[16*i+8:], usec*1000)
	}
	return q.space.Put(out[:]), 0
}

// fitVector cuts a vector of buffers so that it can be transferred at once.
func (q *request) fitVector(regs *[6]uint64) {
	const iovec = 16
	n := min(regs[2], 1024) // UIO_MAXIOV
	if regs[2] > 1024 {
		return // EINVAL
	}
	b := make([]byte, n*iovec)
	if q.Read(regs[1], b) < len(b) {
		return // EFAULT
	}
	left := uint64(wire.MaxIO)
	for i := uint64(0); i < n; i++ {
		size := binary.NativeEndian.Uint64(b[i*iovec+8:])
		if size > 1<<63 {
			return // EINVAL
		}
		if size >= left {
			binary.NativeEndian.PutUint64(b[i*iovec+8:], left)
			regs[1], regs[2] = q.space.Put(b), i+1
			return
		}
		left -= size
	}
}

// mode applies the program's umask to the permissions of a new file: the server's is 0.
func (q *request) mode(mode uint32) uint32 {
	return mode &^ umaskOf(q.TID())
}

// umaskOf reads a thread's umask, which no call tells without changing it.
func umaskOf(tid int) uint32 {
	st, err := linux.ReadStatus(tid)
	if err != nil {
		return 0o22
	}
	return st.Umask
}

// fieldOf is a field of a file of lines that begin with a name, "" if it is not there.
func fieldOf(file, field string) string {
	f, err := os.Open(file)
	if err != nil {
		return ""
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if rest, ok := strings.CutPrefix(lines.Text(), field); ok {
			return strings.TrimSpace(rest)
		}
	}
	return ""
}

// processOf is the process that a thread belongs to, 0 if it is gone.
func processOf(tid int) int {
	st, err := linux.ReadStatus(tid)
	if err != nil {
		return 0
	}
	return st.PID
}
