package server

import (
	"strconv"
	"strings"
	"unsafe"

	"farcall/remote/wire"

	"golang.org/x/sys/unix"
)

// dir is the descriptor of a handle, with what releases it.
func (s *session) dir(n uint32) (fd int, release func(), ok bool) {
	if n == wire.CWD {
		return unix.AT_FDCWD, func() {}, true
	}
	h := s.get(n)
	if h == nil {
		return -1, nil, false
	}
	return h.fd, h.release, true
}

func errnoOf(err error) int64 {
	if e, ok := err.(unix.Errno); ok {
		return -int64(e)
	}
	return -int64(unix.EIO)
}

func statx(dir int, path string, flags int) ([]byte, error) {
	var st unix.Statx_t
	if err := unix.Statx(dir, path, flags, unix.STATX_BASIC_STATS|unix.STATX_BTIME, &st); err != nil {
		return nil, err
	}
	return append([]byte(nil), unsafe.Slice((*byte)(unsafe.Pointer(&st)), wire.StatxSize)...), nil
}

// openX opens a file and sends its attributes along, and its content if that is small.
func (s *session) openX(f wire.Frame) error {
	var o wire.OpenX
	if err := o.Decode(f.Payload); err != nil {
		return err
	}
	var r wire.Opened
	s.openXInto(&o, &r)
	s.record("openat", o.Path, r.Ret)
	return s.send(wire.Frame{Op: wire.OpOpened, ID: f.ID, Payload: r.Encode()})
}

func (s *session) openXInto(o *wire.OpenX, r *wire.Opened) {
	dir, release, ok := s.dir(o.Dir)
	if !ok {
		r.Ret = -int64(s.missing(o.Dir))
		return
	}
	defer release()
	flags := wire.OpenFlags(native, o.Flags, false)
	if !s.opts.Write && changes(flags) {
		r.Ret = -int64(unix.EROFS)
		return
	}
	// Without O_NONBLOCK a FIFO would hold up the session: such files are opened by a CALL.
	var st unix.Stat_t
	if flags&(unix.O_PATH|unix.O_NONBLOCK|unix.O_DIRECTORY) == 0 {
		how := 0
		if o.Path == "" && o.Dir != wire.CWD {
			how = unix.AT_EMPTY_PATH
		}
		if err := unix.Fstatat(dir, o.Path, &st, how); err == nil && (st.Mode&unix.S_IFMT == unix.S_IFIFO || st.Mode&unix.S_IFMT == unix.S_IFCHR) {
			r.Ret = -int64(unix.EMEDIUMTYPE)
			return
		}
	}
	open := openat
	if o.Path == "" && o.Dir != wire.CWD {
		open = s.reopen
	}
	fd, err := open(dir, o.Path, flags, o.Mode)
	if err != nil {
		r.Ret = errnoOf(err)
		return
	}
	if r.Statx, err = statx(fd, "", unix.AT_EMPTY_PATH); err != nil {
		unix.Close(fd)
		r.Ret = errnoOf(err)
		return
	}
	x := (*unix.Statx_t)(unsafe.Pointer(unsafe.SliceData(r.Statx)))
	if x.Mode&unix.S_IFMT == unix.S_IFDIR {
		r.Path = s.pathOf(fd)
		if o.MaxEntries > 0 && flags&(unix.O_ACCMODE|unix.O_PATH) == unix.O_RDONLY {
			s.listAlong(fd, o, r)
		}
	}
	limit := min(o.MaxData, wire.MaxIO)
	if x.Mode&unix.S_IFMT == unix.S_IFREG && flags&(unix.O_ACCMODE|unix.O_PATH) == unix.O_RDONLY && limit > 0 &&
		x.Size <= uint64(limit) && x.Size > 0 && !s.own(fd) {
		if data, ok := content(fd, int(x.Size)); ok {
			r.Whole, r.Data = true, data
		}
	}
	r.Ret = s.opened(fd)
}

// reopen opens the file of a descriptor anew, as opening /proc/self/fd/N does: with a position and flags of its own, whatever name the file
// has by now.
func (s *Server) reopen(fd int, _ string, flags, _ uint32) (int, error) {
	switch {
	case s.proc < 0:
		return -1, unix.ENOENT
	case flags&unix.O_NOFOLLOW != 0:
		return -1, unix.ELOOP
	case flags&(unix.O_CREAT|unix.O_EXCL) == unix.O_CREAT|unix.O_EXCL:
		return -1, unix.EEXIST
	case flags&unix.O_TMPFILE == unix.O_TMPFILE:
		return -1, unix.ENOTDIR
	}
	return unix.Openat(s.proc, strconv.Itoa(fd), int(flags)|unix.O_CLOEXEC|unix.O_NOCTTY, 0)
}

// listAlong lists a directory that is being opened, if it is small enough.
func (s *session) listAlong(fd int, o *wire.OpenX, r *wire.Opened) {
	own, err := openat(fd, ".", unix.O_RDONLY|unix.O_DIRECTORY, 0) // fd stays at its beginning
	if err != nil {
		return
	}
	defer unix.Close(own)
	var l wire.Listed
	if s.own(own) || s.read(own, o.MaxEntries, &l) != nil {
		return
	}
	r.Listed, r.Entries = true, l.Entries
	if len(r.Encode()) > wire.MaxPayload {
		r.Listed, r.Entries = false, nil
	}
}

// content reads a file that has size bytes; ok is false if it turns out to have another size.
func content(fd, size int) (b []byte, ok bool) {
	b = make([]byte, size+1)
	n := 0
	for n < len(b) {
		m, err := unix.Pread(fd, b[n:], int64(n))
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return nil, false
		}
		if m == 0 {
			break
		}
		n += m
	}
	return b[:n], n == size
}

// listX lists a directory with its entries' attributes.
func (s *session) listX(f wire.Frame) error {
	var l wire.ListX
	if err := l.Decode(f.Payload); err != nil {
		return err
	}
	var r wire.Listed
	err := s.list(&l, &r)
	if err != nil {
		r = wire.Listed{Ret: errnoOf(err)}
	}
	s.record("getdents64", l.Path, r.Ret)
	payload := r.Encode()
	if len(payload) > wire.MaxPayload {
		payload = (&wire.Listed{Ret: -int64(unix.EMSGSIZE)}).Encode()
	}
	return s.send(wire.Frame{Op: wire.OpListed, ID: f.ID, Payload: payload})
}

func (s *session) list(l *wire.ListX, r *wire.Listed) error {
	dir, release, ok := s.dir(l.Dir)
	if !ok {
		return s.missing(l.Dir)
	}
	defer release()
	path := l.Path
	if path == "" { // not the handle's own position
		path = "."
	}
	fd, err := openat(dir, path, unix.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if s.own(fd) {
		return unix.EACCES
	}
	return s.read(fd, l.Max, r)
}

// read reads a directory. EMSGSIZE if it has more than max entries.
func (s *session) read(fd int, max uint32, r *wire.Listed) error {
	buf := make([]byte, 64<<10)
	for {
		n, err := unix.Getdents(fd, buf)
		if err == unix.EINTR {
			continue
		}
		if err != nil || n == 0 {
			return err
		}
		if err := s.entries(fd, buf[:n], max, r); err != nil {
			return err
		}
	}
}

// entries adds what getdents64(2) returned.
func (s *session) entries(fd int, b []byte, limit uint32, r *wire.Listed) error {
	const head = 19 // offset of d_name
	for len(b) >= head {
		d := (*unix.Dirent)(unsafe.Pointer(unsafe.SliceData(b)))
		n := int(d.Reclen)
		if n < head || n > len(b) {
			return unix.EIO
		}
		name, _, _ := strings.Cut(string(b[head:n]), "\x00")
		e := wire.Entry{Ino: d.Ino, Off: d.Off, Type: d.Type, Name: name}
		b = b[n:]
		if len(r.Entries) >= int(min(limit, wire.MaxEntries)) {
			return unix.EMSGSIZE
		}
		if name != ".." { // it may lie outside of what the client knows
			s.describe(fd, &e)
		}
		r.Entries = append(r.Entries, e)
	}
	return nil
}

// describe adds an entry's attributes; one that is gone by now has none.
func (s *session) describe(fd int, e *wire.Entry) {
	st, err := statx(fd, e.Name, unix.AT_SYMLINK_NOFOLLOW)
	if err != nil {
		return
	}
	e.Statx = st
	e.NoXattrs = hasNoXattrs(fd, e.Name)
	if (*unix.Statx_t)(unsafe.Pointer(unsafe.SliceData(st))).Mode&unix.S_IFMT == unix.S_IFLNK {
		var target [4096]byte
		if n, err := unix.Readlinkat(fd, e.Name, target[:]); err == nil {
			e.Target = string(target[:n])
		}
	}
}

// hasNoXattrs tells whether a file has no extended attributes. It needs listxattrat(2), of Linux 6.13; without it nothing is known.
func hasNoXattrs(dir int, name string) bool {
	p, err := unix.BytePtrFromString(name)
	if err != nil {
		return false
	}
	const sysListxattrat = 465 // the same everywhere
	n, _, e := unix.Syscall6(sysListxattrat, uintptr(dir), uintptr(unsafe.Pointer(p)), unix.AT_SYMLINK_NOFOLLOW, 0, 0, 0)
	return e == 0 && n == 0 || e == unix.ENOTSUP
}
