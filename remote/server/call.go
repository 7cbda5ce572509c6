package server

import (
	"errors"
	"runtime"
	"strconv"
	"strings"
	"time"

	"farcall/remote/wire"
	"farcall/syscalls"

	"golang.org/x/sys/unix"
)

// call executes a CALL. Calls are executed in the order in which they come, except that those which wait for something do not keep
// others waiting.
func (s *session) call(f wire.Frame) error {
	a, err := s.arenas.get()
	if err != nil {
		return err
	}
	x := &execution{session: s, arena: a, id: f.ID}
	waits, err := x.prepare(f.Payload)
	switch {
	case err != nil:
		x.done()
		return err
	case !waits:
		defer x.done()
		return x.finish(x.execute())
	}
	select {
	case s.waiting <- struct{}{}:
	default:
		defer x.done()
		return x.finish(-int64(unix.EAGAIN))
	}
	cancelled, ended := s.waits(f.ID)
	x.cancelled = cancelled
	s.busy.Add(1)
	go func() {
		defer s.busy.Add(-1)
		defer func() { <-s.waiting }()
		defer x.done()
		defer ended()
		_ = x.finish(x.wait()) // if it cannot be sent, run finds the connection broken
	}()
	return nil
}

// An execution is one call that is being executed.
type execution struct {
	*session
	*arena
	id      uint64
	spec    *wire.Carried
	place   wire.Arena
	regs    [6]uint64
	handles [6]*handle
	refused unix.Errno
	polled  *handle // what has to be ready before the call is executed
	events  int16

	given uint64 // the path before it was resolved

	cancelled <-chan struct{}
}

func (x *execution) done() {
	for _, h := range x.handles {
		if h != nil {
			h.release()
		}
	}
	x.arenas.put(x.arena)
}

// prepare checks the call and makes it one of this process. waits tells that it may wait for others.
func (x *execution) prepare(payload []byte) (waits bool, err error) {
	if err := x.arena.call.Decode(payload); err != nil {
		return false, err
	}
	c := &x.arena.call
	x.place = x.room(int(c.Room))
	x.regs, err = c.Place(&x.place, &x.deco)
	c.Data = nil // it is in the frame's buffer, which the next frame is read into
	if errors.Is(err, wire.ErrNotCarried) {
		x.refused = unix.ENOSYS
		return false, nil
	}
	if err != nil {
		return false, err
	}
	x.spec = wire.Lookup(c.Number)
	for i := range x.deco.Desc.Args {
		a := &x.deco.Desc.Args[i]
		if k := a.Type.Kind; k != syscalls.KindFD && k != syscalls.KindDirFD {
			continue
		}
		r := a.Register(wire.ABI)
		n := uint32(x.regs[r])
		if a.Type.Kind == syscalls.KindDirFD && n == wire.CWD {
			cwd := int64(unix.AT_FDCWD)
			x.regs[r] = uint64(cwd)
			continue
		}
		h := x.get(n)
		if h == nil {
			if e := x.missing(n); e != unix.EBADF {
				x.refused = e
				return false, nil
			}
			none := int64(-1) // EBADF, if the kernel does not find another error before
			x.regs[r] = uint64(none)
			continue
		}
		x.handles[r] = h
		x.regs[r] = uint64(h.fd)
	}
	x.refused = x.permit()
	return x.refused == 0 && x.spec.Blocks && x.mayWait(), nil
}

// Commands of fcntl(2), asm-generic/fcntl.h.
const ofdGetLk, ofdSetLk, ofdSetLkw = 36, 37, 38

// permit applies what the server allows.
func (x *execution) permit() unix.Errno {
	switch x.spec.Access {
	case wire.AccessOpen:
		flags := wire.OpenFlags(native, uint32(x.regs[2]), false)
		if !x.opts.Write && changes(flags) {
			return unix.EROFS
		}
		x.regs[2] = uint64(flags | unix.O_CLOEXEC | unix.O_NOCTTY)
	case wire.AccessWrite:
		if !x.opts.Write {
			return unix.EROFS
		}
	}
	if x.spec.Name == "mknodat" { // a device would lead out of any root directory
		if t := uint32(x.regs[2]) & unix.S_IFMT; t == unix.S_IFBLK || t == unix.S_IFCHR && x.regs[3] != 0 {
			return unix.EPERM
		}
	}
	if x.spec.Name != "fcntl" {
		return 0
	}
	switch x.deco.Desc.Variant {
	case "SETFL":
		x.regs[2] = uint64(wire.OpenFlags(native, uint32(x.regs[2]), false)) &^ (unix.O_ASYNC | unix.O_DIRECT)
	case "GETLK64", "SETLK64": // not those whose owner would be the server's process
		if cmd := uint32(x.regs[1]); cmd < ofdGetLk || cmd > ofdSetLkw {
			return unix.EINVAL
		}
	}
	return 0
}

// changes tells whether opening with these native flags changes something or allows to.
func changes(flags uint32) bool {
	return flags&unix.O_PATH == 0 && (flags&unix.O_ACCMODE != unix.O_RDONLY || flags&(unix.O_CREAT|unix.O_TRUNC) != 0 ||
		flags&unix.O_TMPFILE == unix.O_TMPFILE)
}

// mayWait looks closer at a call that can wait, and says what it waits for if poll(2) can tell.
func (x *execution) mayWait() bool {
	switch x.spec.Name {
	case "openat":
		if x.regs[2]&(unix.O_PATH|unix.O_DIRECTORY|unix.O_NONBLOCK) != 0 {
			return false
		}
		t := kind(int(int32(x.regs[0])), x.path(1))
		return t == unix.S_IFIFO || t == unix.S_IFCHR
	case "flock":
		return x.regs[1]&unix.LOCK_NB == 0
	case "fcntl":
		return uint32(x.regs[1]) == ofdSetLkw
	}
	h := x.handles[0]
	if h == nil || h.plain() {
		return false
	}
	x.polled, x.events = h, unix.POLLIN
	if strings.HasPrefix(x.spec.Name, "write") {
		x.events = unix.POLLOUT
	}
	return true
}

// path is the path that argument i of the description points to.
func (x *execution) path(i int) string {
	v := &x.deco.Args[i]
	return string(v.Bytes)
}

// pollInterval is how often a call that waits looks whether its session is over, in milliseconds.
const pollInterval = 100

// wait executes a call that may wait, unless the session ends before it can be executed.
func (x *execution) wait() int64 {
	if x.spec.Name == "flock" || x.spec.Name == "fcntl" {
		if x.spec.Name == "flock" {
			x.regs[1] |= unix.LOCK_NB
		} else {
			x.regs[1] = ofdSetLk
		}
		for {
			ret := x.execute()
			if ret != -int64(unix.EWOULDBLOCK) {
				return ret
			}
			if x.over(pollInterval * time.Millisecond) {
				return -int64(unix.EINTR)
			}
		}
	}
	if x.polled == nil {
		return x.interruptible()
	}
	if flags, err := unix.FcntlInt(uintptr(x.polled.fd), unix.F_GETFL, 0); err == nil && flags&unix.O_NONBLOCK != 0 {
		return x.execute()
	}
	for {
		fds := []unix.PollFd{{Fd: int32(x.polled.fd), Events: x.events}}
		n, err := unix.Poll(fds, pollInterval)
		if n > 0 || err != nil && err != unix.EINTR {
			return x.execute()
		}
		if x.over(0) {
			return -int64(unix.EINTR)
		}
	}
}

// over waits for d and tells whether the session has ended, or the call was cancelled.
func (x *execution) over(d time.Duration) bool { return closed(d, x.quit, x.cancelled) }

// over waits for d and tells whether the session has ended.
func (s *session) over(d time.Duration) bool { return closed(d, s.quit, nil) }

// closed waits for d, or until one of the channels is closed, and tells whether one is.
func closed(d time.Duration, a, b <-chan struct{}) bool {
	select {
	case <-a:
		return true
	case <-b:
		return true
	default:
	}
	if d == 0 {
		return false
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-a:
		return true
	case <-b:
		return true
	case <-t.C:
		return false
	}
}

// execute makes the call and returns its result or negated error number. A descriptor becomes a handle.
func (x *execution) execute() int64 {
	if x.refused != 0 {
		return -int64(x.refused)
	}
	if x.spec.Name == "openat" {
		fd, err := openat(int(int32(x.regs[0])), x.path(1), uint32(x.regs[2]), uint32(x.regs[3]))
		for err == unix.EINTR && x.cancelled == nil {
			fd, err = openat(int(int32(x.regs[0])), x.path(1), uint32(x.regs[2]), uint32(x.regs[3]))
		}
		if err != nil {
			return errnoOf(err)
		}
		return x.opened(fd)
	}
	var to resolved
	x.resolve(&to)
	defer to.close()
	nr, ok := native.Number(to.name)
	if !ok {
		return -int64(unix.ENOSYS)
	}
	r, e := to.result(syscall6(to.own, uintptr(nr), x.regs))
	runtime.KeepAlive(x.arena)
	if e != 0 {
		return -int64(e)
	}
	ret := int64(r)
	if x.spec.Name == "fcntl" && x.deco.Desc.Variant == "GETFL" {
		return int64(wire.OpenFlags(native, uint32(ret), true))
	}
	return ret
}

// openat opens a file for a client, but nothing through the links of /proc that are none: they would lead to descriptors of the
// server that the client has no handles for. Flags that open(2) ignores are ignored. EINTR if a signal came while it waited.
func openat(dir int, path string, flags, mode uint32) (int, error) {
	const known = unix.O_ACCMODE | unix.O_CREAT | unix.O_EXCL | unix.O_TRUNC | unix.O_APPEND | unix.O_NONBLOCK | unix.O_SYNC |
		unix.O_DSYNC | unix.O_DIRECT | unix.O_LARGEFILE | unix.O_DIRECTORY | unix.O_NOFOLLOW | unix.O_NOATIME | unix.O_PATH |
		unix.O_TMPFILE
	how := unix.OpenHow{Flags: uint64(flags&known | unix.O_CLOEXEC | unix.O_NOCTTY), Resolve: unix.RESOLVE_NO_MAGICLINKS}
	if flags&unix.O_PATH != 0 { // all that open(2) looks at then
		how.Flags &= unix.O_PATH | unix.O_DIRECTORY | unix.O_NOFOLLOW | unix.O_CLOEXEC
	}
	if how.Flags&unix.O_CREAT != 0 || how.Flags&unix.O_TMPFILE == unix.O_TMPFILE {
		how.Mode = uint64(mode & 0o7777)
	}
	return unix.Openat2(dir, path, &how)
}

// opened makes a handle of a descriptor that a client may have.
func (s *session) opened(fd int) int64 {
	if s.own(fd) {
		unix.Close(fd)
		return -int64(unix.EACCES)
	}
	n, err := s.add(fd)
	if err != nil {
		return -int64(unix.EMFILE)
	}
	return int64(n)
}

// pathOf is the path of an open file, as seen from the server's root directory, "" if it is not known.
func (s *Server) pathOf(fd int) string {
	var buf [unix.PathMax]byte
	n, err := unix.Readlinkat(s.proc, strconv.Itoa(fd), buf[:])
	if err != nil {
		return ""
	}
	return string(buf[:n])
}

// own tells whether a file is part of /proc/PID of the server itself, through which its memory and its descriptors could be reached.
func (s *Server) own(fd int) bool {
	var fs unix.Statfs_t
	if err := unix.Fstatfs(fd, &fs); err != nil || fs.Type != unix.PROC_SUPER_MAGIC {
		return false
	}
	path := s.pathOf(fd)
	return path == "" || strings.Contains(path+"/", "/"+strconv.Itoa(unix.Getpid())+"/")
}

func (x *execution) finish(ret int64) error {
	x.audit(ret)
	r := &x.arena.res
	if x.refused != 0 {
		r.Ret, r.Pieces = ret, r.Pieces[:0]
	} else {
		r.Results(&x.place, &x.deco, ret)
	}
	return x.send(wire.Frame{Op: wire.OpResult, ID: x.id, Payload: r.AppendResult(nil)})
}
