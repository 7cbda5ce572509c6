// Package linux finds out from the running system what the numbers that programs pass to it stand
// for: file descriptors, sockets, processes and network interfaces.
package linux

import (
	"bytes"
	"strconv"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"

	"farcall/event"
)

// A Show is a set of things to say about descriptors and process ids.
type Show uint8

// The things. The first four are strace's --decode-fds, the last two its --decode-pids.
const (
	Paths      Show = 1 << iota // the path of a descriptor
	Sockets                     // protocol and addresses of a socket
	Devices                     // kind and numbers of a device
	PIDFDs                      // the process that a pidfd refers to
	Commands                    // the name of a process
	Namespaces                  // the id of a process in our namespace where it differs from the program's
)

// FDInfo describes descriptors and process ids of tracees. Nothing is remembered by descriptor,
// which a program may close and open again between two calls, only by inode number, and only what
// cannot change while the inode exists. It may be used by several goroutines.
type FDInfo struct {
	show Show

	mu     sync.Mutex
	final  map[uint64]string // descriptions of connected sockets by inode
	diag   map[uint64]int    // sock_diag sockets by the inode of their network namespace
	ifaces int               // a socket to ask for interface names, 0 if there is none yet
}

// maxFinal bounds the number of remembered sockets.
const maxFinal = 1 << 14

// NewFDInfo returns an FDInfo that says what is in show.
func NewFDInfo(show Show) *FDInfo {
	return &FDInfo{show: show, final: map[uint64]string{}, diag: map[uint64]int{}}
}

// Close gives back the sockets that were opened for queries.
func (f *FDInfo) Close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, fd := range f.diag {
		unix.Close(fd)
	}
	clear(f.diag)
	if f.ifaces != 0 {
		unix.Close(f.ifaces)
		f.ifaces = 0
	}
}

// Task returns what describes the descriptors of the thread: a decode.Resolver and decode.Network. It is
// meant to be kept with the thread and is used by one goroutine at a time.
func (f *FDInfo) Task(tid int) *TaskInfo { return &TaskInfo{info: f, tid: tid} }

// TaskInfo describes descriptors and process ids as one thread sees them.
type TaskInfo struct {
	info *FDInfo
	tid  int
	name [64]byte   // of a file in /proc
	attr [64]byte   // the name of a protocol
	link [4096]byte // PATH_MAX, linux/limits.h
}

// proc writes the NUL-terminated name of a file of the thread to t.name: dir and number are joined to
// /proc/TID/; a negative number is left out.
func (t *TaskInfo) proc(dir string, number int) *byte {
	b := append(t.name[:0], "/proc/"...)
	b = strconv.AppendInt(b, int64(t.tid), 10)
	b = append(append(b, '/'), dir...)
	if number >= 0 {
		b = strconv.AppendInt(b, int64(number), 10)
	}
	return &append(b, 0)[0]
}

// readlink reads a symbolic link without allocating; nil if it cannot be read.
func (t *TaskInfo) readlink(name *byte) []byte {
	dir := unix.AT_FDCWD
	n, _, errno := unix.Syscall6(unix.SYS_READLINKAT, uintptr(dir), uintptr(unsafe.Pointer(name)),
		uintptr(unsafe.Pointer(&t.link[0])), uintptr(len(t.link)), 0, 0)
	if errno != 0 || int(n) <= 0 {
		return nil
	}
	return t.link[:n]
}

// FD implements decode.Resolver: it appends what strace shows between < and > behind a descriptor. The
// description of a deleted file ends in ">(deleted)", where the > is strace's.
func (t *TaskInfo) FD(dst []byte, fd int32) []byte {
	show := t.info.show
	if show&(Paths|Sockets|Devices|PIDFDs) == 0 {
		return dst
	}
	if fd == unix.AT_FDCWD {
		if show&Paths == 0 {
			return dst
		}
		return appendPath(dst, t.readlink(t.proc("cwd", -1)))
	}
	if fd < 0 {
		return dst
	}
	link := t.readlink(t.proc("fd/", int(fd)))
	switch {
	case link == nil:
		return dst
	case show&Sockets != 0 && bytes.HasPrefix(link, []byte("socket:[")):
		if out := t.socket(dst, fd, inodeOf(link)); len(out) > len(dst) {
			return out
		}
	case show&PIDFDs != 0 && string(link) == "anon_inode:[pidfd]":
		if pid := t.pidOf(fd); pid > 0 {
			return strconv.AppendInt(append(dst, "pid:"...), int64(pid), 10)
		}
	case link[0] == '/':
		return t.file(dst, fd, link)
	}
	if show&Paths == 0 {
		return dst
	}
	return appendPath(dst, link)
}

// file describes a descriptor that has a path.
func (t *TaskInfo) file(dst []byte, fd int32, link []byte) []byte {
	show := t.info.show
	path, deleted := bytes.CutSuffix(link, []byte(" (deleted)"))
	var st unix.Stat_t
	if deleted || show&Devices != 0 {
		if !stat(t.proc("fd/", int(fd)), &st) {
			st = unix.Stat_t{}
		}
	}
	if deleted { // unless that is how the file is called
		var named unix.Stat_t
		if unix.Stat(string(link), &named) == nil && named.Ino == st.Ino && named.Dev == st.Dev {
			path, deleted = link, false
		}
	}
	device := ""
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFCHR:
		device = "<char "
	case unix.S_IFBLK:
		device = "<block "
	}
	if show&Devices == 0 {
		device = ""
	}
	if device == "" && show&Paths == 0 {
		return dst
	}
	dst = appendPath(dst, path)
	if device != "" {
		dst = strconv.AppendUint(append(dst, device...), uint64(unix.Major(st.Rdev)), 10)
		dst = strconv.AppendUint(append(dst, ':'), uint64(unix.Minor(st.Rdev)), 10)
		dst = append(dst, '>')
	}
	if deleted {
		dst = append(dst, ">(deleted)"...)
	}
	return dst
}

func stat(name *byte, st *unix.Stat_t) bool {
	dir := unix.AT_FDCWD
	_, _, errno := unix.Syscall6(unix.SYS_NEWFSTATAT, uintptr(dir), uintptr(unsafe.Pointer(name)),
		uintptr(unsafe.Pointer(st)), 0, 0, 0)
	return errno == 0
}

// pidOf reads the process that a pidfd refers to, 0 if it has ended.
func (t *TaskInfo) pidOf(fd int32) int {
	return int(fieldOf(t.readFile(t.proc("fdinfo/", int(fd))), "\nPid:\t"))
}

// readFile reads the beginning of a file of /proc into t.link.
func (t *TaskInfo) readFile(name *byte) []byte {
	dir := unix.AT_FDCWD
	fd, _, errno := unix.Syscall6(unix.SYS_OPENAT, uintptr(dir), uintptr(unsafe.Pointer(name)),
		unix.O_RDONLY|unix.O_CLOEXEC, 0, 0, 0)
	if errno != 0 {
		return nil
	}
	defer unix.Close(int(fd))
	n := 0
	for n < len(t.link) {
		m, err := unix.Read(int(fd), t.link[n:])
		if err == unix.EINTR {
			continue
		}
		if err != nil || m <= 0 {
			break
		}
		n += m
	}
	return t.link[:n]
}

// fieldOf returns the number behind a key in the text of a file, 0 if there is none.
func fieldOf(text []byte, key string) int64 {
	_, rest, ok := bytes.Cut(text, []byte(key))
	if !ok {
		return 0
	}
	line, _, _ := bytes.Cut(rest, []byte("\n"))
	n, err := strconv.ParseInt(string(bytes.TrimSpace(line)), 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// inodeOf returns the number in brackets at the end of a link such as socket:[123].
func inodeOf(link []byte) uint64 {
	i := bytes.IndexByte(link, '[')
	if i < 0 || link[len(link)-1] != ']' {
		return 0
	}
	var n uint64
	for _, c := range link[i+1 : len(link)-1] {
		if c < '0' || c > '9' {
			return 0
		}
		n = n*10 + uint64(c-'0')
	}
	return n
}

// appendPath appends a path as it stands between < and >: both, and what is not printable, escaped.
func appendPath(dst, path []byte) []byte {
	var plain event.Style
	for len(path) > 0 {
		i := bytes.IndexAny(path, "<>")
		if i < 0 {
			return plain.AppendEscaped(dst, path, '"')
		}
		dst = plain.AppendEscaped(dst, path[:i], '"')
		next := byte(0)
		if i+1 < len(path) {
			next = path[i+1]
		}
		// The escape is written in full where a digit follows, which would be read as a part of it.
		if c := path[i]; next >= '0' && next <= '9' {
			dst = append(dst, '\\', '0', '0'+c>>3&7, '0'+c&7)
		} else {
			dst = append(dst, '\\', '0'+c>>3&7, '0'+c&7)
		}
		path = path[i+1:]
	}
	return dst
}
