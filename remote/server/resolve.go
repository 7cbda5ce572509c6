package server

import (
	"runtime"
	"strconv"
	"strings"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The links of /proc that are none (proc_pid_fd(5), proc_pid_root(5)) lead to descriptors of the server and out of its root directory. Only
// openat2(2) can be told not to follow them. So the paths of all other calls are resolved by it first: to the file itself, or, for those that
// are about a name, to the directory that it is in.

// A named is a path of a call: its argument, that of the directory it is relative to, and whether it is the file's or the name's.
type named struct {
	dir, path int  // arguments; dir is -1 for a call that has none
	name      bool // the call is about the name, and follows no link in its place
	flags     int  // the argument with flags such as AT_SYMLINK_NOFOLLOW, 0 if there is none
	nofollow  bool // it never follows the last link
}

// paths are the paths of calls, except openat, which is made by openat2.
var paths = map[string][]named{
	"statx": {{path: 1, flags: 2}}, "faccessat": {{path: 1}}, "faccessat2": {{path: 1, flags: 3}}, "readlinkat": {{path: 1, nofollow: true}},
	"fchmodat": {{path: 1}}, "fchmodat2": {{path: 1, flags: 3}}, "fchownat": {{path: 1, flags: 4}}, "utimensat": {{path: 1, flags: 3}},
	"mkdirat": {{path: 1, name: true}}, "mknodat": {{path: 1, name: true}}, "unlinkat": {{path: 1, name: true}}, "symlinkat": {{dir: 1, path: 2, name: true}},
	"renameat2": {{path: 1, name: true}, {dir: 2, path: 3, name: true}}, "linkat": {{path: 1, flags: 4, nofollow: true}, {dir: 2, path: 3, name: true}},
	"statfs": {{dir: -1}}, "truncate": {{dir: -1}},
	"getxattr": {{dir: -1}}, "listxattr": {{dir: -1}}, "setxattr": {{dir: -1}}, "removexattr": {{dir: -1}},
	"lgetxattr": {{dir: -1, nofollow: true}}, "llistxattr": {{dir: -1, nofollow: true}}, "lsetxattr": {{dir: -1, nofollow: true}}, "lremovexattr": {{dir: -1, nofollow: true}},
}

// A resolved is a call whose paths lead to descriptors.
type resolved struct {
	name  string     // of the call to make
	own   bool       // it has to be made by the thread whose working directory has them
	errno error      // why a path leads nowhere
	stand unix.Errno // what the kernel says of the one in its place, which is there so that the kernel looks at the other arguments first
	fds   []int
}

func (r *resolved) close() {
	for _, fd := range r.fds {
		unix.Close(fd)
	}
}

// result is the result of the call that was asked for.
func (r *resolved) result(ret uintptr, e unix.Errno) (uintptr, unix.Errno) {
	switch {
	case r.errno != nil && e == r.stand:
		return ret, unix.Errno(-errnoOf(r.errno))
	case r.name == "readlinkat" && len(r.fds) > 0 && e == unix.ENOENT: // what an empty path gives for a file that is no link
		return ret, unix.EINVAL
	}
	return ret, e
}

// resolve has the call's paths lead to descriptors.
func (x *execution) resolve(r *resolved) {
	r.name = x.spec.Name
	for i := range paths[r.name] {
		p, place := &paths[x.spec.Name][i], &x.arena.names[i]
		fd, err := x.resolveOne(p, place)
		if fd >= 0 {
			r.fds = append(r.fds, fd)
		}
		if err == nil && fd >= 0 && r.name == "truncate" {
			if fd, err = x.truncated(fd); err == nil {
				r.fds = append(r.fds, fd)
			}
		}
		switch {
		case err != nil:
			if r.errno == nil {
				r.errno = err
			}
			x.regs[p.path] = uint64(uintptr(unsafe.Pointer(place)))
			if p.dir < 0 {
				r.stand = unix.ENOENT
				copy(place[:], "/proc/self/fd/-/nowhere\x00")
				break
			}
			none := int64(-1)
			r.stand, x.regs[p.dir] = unix.EBADF, uint64(none)
			copy(place[:], "nowhere\x00")
		case fd < 0 || p.name:
		case r.name == "readlinkat": // that of the link in /proc would be another
			x.regs[0], place[0] = uint64(fd), 0
		case r.name == "statfs", r.name == "truncate":
			r.name, x.regs[0] = "f"+r.name, uint64(fd)
		case p.dir < 0:
			if r.own = inProc() != nil; !r.own {
				x.withoutOwn(p, place, fd)
			}
			if p.nofollow && x.regs[p.path] == uint64(uintptr(unsafe.Pointer(place))) {
				r.name = r.name[len("l"):]
			}
		}
	}
}

// withoutOwn has a call without an argument for a directory lead to a descriptor where no thread may have a working directory of its own, as in some
// containers: by /proc, as far as that is within the root directory. Where it is not, nothing leads out.
func (x *execution) withoutOwn(p *named, place *[32]byte, fd int) {
	const fds = "/proc/self/fd/"
	if unix.Access(fds, unix.F_OK) == nil {
		copy(place[:], fds+strconv.Itoa(fd)+"\x00")
		return
	}
	x.regs[p.path] = x.given
}

// resolveOne resolves a path. fd is -1 if there is nothing to resolve.
func (x *execution) resolveOne(p *named, place *[32]byte) (fd int, err error) {
	file, dir := x.path(p.path), unix.AT_FDCWD
	if p.dir >= 0 {
		dir = int(int32(x.regs[p.dir]))
	}
	if file == "" && dir == -1 && p.flags > 0 && x.regs[p.flags]&unix.AT_EMPTY_PATH != 0 {
		return -1, unix.EBADF
	}
	if x.regs[p.path] == 0 || file == "" || x.proc < 0 && !p.name {
		return -1, nil
	}
	if p.name {
		return x.resolveName(p, file, dir)
	}
	flags := uint32(unix.O_PATH)
	follows := !p.nofollow
	if p.flags > 0 {
		switch {
		case x.spec.Name == "linkat":
			follows = x.regs[p.flags]&unix.AT_SYMLINK_FOLLOW != 0
		default:
			follows = x.regs[p.flags]&unix.AT_SYMLINK_NOFOLLOW == 0
		}
	}
	if !follows {
		flags |= unix.O_NOFOLLOW
	}
	if fd, err = openat(dir, file, flags, 0); err != nil {
		return -1, err
	}
	// From here on it is followed, to where it has led just now.
	copy(place[:], strconv.Itoa(fd)+"\x00")
	x.given = x.regs[p.path]
	x.regs[p.path] = uint64(uintptr(unsafe.Pointer(place)))
	if p.dir >= 0 {
		x.regs[p.dir] = uint64(x.proc)
	}
	switch {
	case p.flags == 0:
	case x.spec.Name == "linkat":
		x.regs[p.flags] |= unix.AT_SYMLINK_FOLLOW
	default:
		x.regs[p.flags] &^= unix.AT_SYMLINK_NOFOLLOW
	}
	return fd, nil
}

// resolveName resolves the directory that a name is in.
func (x *execution) resolveName(p *named, file string, dir int) (fd int, err error) {
	at := strings.LastIndexByte(strings.TrimRight(file, "/"), '/') + 1
	if dir == -1 && file[0] != '/' {
		return -1, unix.EBADF
	}
	if at == 0 || strings.Trim(file[:at], "/") == "" { // nothing before the name that could be a link
		return -1, nil
	}
	if fd, err = openat(dir, file[:at], unix.O_PATH|unix.O_DIRECTORY, 0); err != nil {
		return -1, err
	}
	x.regs[p.dir] = uint64(fd)
	x.regs[p.path] += uint64(at)
	return fd, nil
}

// truncated opens a file for truncate(2).
func (x *execution) truncated(fd int) (int, error) {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return -1, err
	}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFREG:
		return unix.Openat(x.proc, strconv.Itoa(fd), unix.O_WRONLY|unix.O_CLOEXEC, 0)
	case unix.S_IFDIR:
		return -1, unix.EISDIR
	}
	return -1, unix.EINVAL
}

// A made is a call that is made by the thread of inProc.
type made struct {
	nr   uintptr
	args [6]uintptr
	r    uintptr
	err  unix.Errno
	done chan struct{}
}

// inProc are the calls for a thread whose working directory is /proc/self/fd, for calls that have no argument for a directory. It is nil if there is no
// /proc. It is made before the root directory is changed, and is the only thread that keeps the former one: so it resolves nothing but numbers.
var inProc = sync.OnceValue(func() chan *made {
	ready := make(chan chan *made)
	go func() {
		runtime.LockOSThread() // for good
		if unix.Unshare(unix.CLONE_FS) != nil || unix.Chdir("/proc/self/fd") != nil {
			ready <- nil
			return // the thread ends
		}
		c := make(chan *made)
		ready <- c
		for m := range c {
			m.r, _, m.err = unix.Syscall6(m.nr, m.args[0], m.args[1], m.args[2], m.args[3], m.args[4], m.args[5])
			close(m.done)
		}
	}()
	return <-ready
})

// syscall6 makes a call, in that thread if own.
func syscall6(own bool, nr uintptr, a [6]uint64) (r uintptr, err unix.Errno) {
	m := &made{nr: nr}
	for i := range a {
		m.args[i] = uintptr(a[i])
	}
	if !own {
		r, _, err = unix.Syscall6(nr, m.args[0], m.args[1], m.args[2], m.args[3], m.args[4], m.args[5])
		return r, err
	}
	m.done = make(chan struct{})
	inProc() <- m
	<-m.done
	return m.r, m.err
}

// kind is the type of the file that a path of a client leads to (S_IFMT), 0 if to none.
func kind(dir int, path string) uint32 {
	fd, err := openat(dir, path, unix.O_PATH, 0)
	if err != nil {
		return 0
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if unix.Fstat(fd, &st) != nil {
		return 0
	}
	return st.Mode & unix.S_IFMT
}
