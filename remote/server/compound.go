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

// fields gives access to what statx has returned.
func fields(statx []byte) *unix.Statx_t {
	return (*unix.Statx_t)(unsafe.Pointer(unsafe.SliceData(statx)))
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
	closed := o.Want&wire.WantClosed != 0
	again := o.Path == "" && o.Dir != wire.CWD
	if flags&(unix.O_PATH|unix.O_NONBLOCK|unix.O_DIRECTORY) == 0 || closed {
		t := uint32(0)
		if again {
			var st unix.Stat_t
			if unix.Fstat(dir, &st) == nil {
				t = st.Mode & unix.S_IFMT
			}
		} else {
			t = kind(dir, o.Path)
		}
		switch {
		case t == 0:
		case closed && flags&unix.O_PATH == 0 && t != unix.S_IFREG && t != unix.S_IFDIR: // opening could do something
			flags = unix.O_PATH
		case !closed && (t == unix.S_IFIFO || t == unix.S_IFCHR):
			r.Ret = -int64(unix.EMEDIUMTYPE)
			return
		}
	}
	if closed {
		flags |= unix.O_NONBLOCK
	}
	open := openat
	if again {
		open = s.reopen
	}
	fd, err := open(dir, o.Path, flags, o.Mode)
	if err != nil {
		r.Ret = errnoOf(err)
		return
	}
	if err := s.look(fd, flags, o, r); err != nil {
		unix.Close(fd)
		*r = wire.Opened{Ret: errnoOf(err)}
		return
	}
	if r.Closed = closed; closed {
		unix.Close(fd)
		return
	}
	r.Ret = s.opened(fd)
}

// look finds out about a file that has been opened what its client wants to know.
func (s *session) look(fd int, flags uint32, o *wire.OpenX, r *wire.Opened) (err error) {
	if r.Statx, err = statx(fd, "", unix.AT_EMPTY_PATH); err != nil {
		return err
	}
	if s.own(fd) {
		return unix.EACCES
	}
	x := fields(r.Statx)
	if x.Nlink > 0 {
		r.Path = s.pathOf(fd)
	}
	looks := flags&(unix.O_ACCMODE|unix.O_PATH) == unix.O_RDONLY
	if x.Mode&unix.S_IFMT == unix.S_IFDIR {
		r.Leased = s.leases.lease(r.Path, fd)
	} else {
		r.Leased = (looks || flags&unix.O_PATH != 0) && x.Nlink == 1 && s.leases.parent(r.Path) && s.pathOf(fd) == r.Path
	}
	if r.Leased { // it may have changed before
		if r.Statx, err = statx(fd, "", unix.AT_EMPTY_PATH); err != nil {
			return err
		}
		x = fields(r.Statx)
	}
	switch {
	case x.Mode&unix.S_IFMT == unix.S_IFDIR:
		r.Bare = hasNoXattrs(fd, ".", unix.AT_SYMLINK_NOFOLLOW)
	case flags&unix.O_PATH == 0:
		r.Bare = hasNoXattrs(fd, "", unix.AT_EMPTY_PATH)
	default: // such a descriptor is not enough
		r.Bare = s.proc >= 0 && hasNoXattrs(s.proc, strconv.Itoa(fd), 0)
	}
	if x.Mode&unix.S_IFMT == unix.S_IFDIR && o.MaxEntries > 0 && looks {
		s.listAlong(fd, o, r)
	}
	limit := min(o.MaxData, wire.MaxIO)
	if x.Mode&unix.S_IFMT == unix.S_IFREG && looks && limit > 0 && x.Size <= uint64(limit) && x.Size > 0 {
		r.Data, r.Whole = content(fd, int(x.Size))
		if !r.Whole {
			r.Data = nil
		}
	}
	return nil
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
	d := wire.Directory{}
	if s.read(own, o.MaxEntries, o.MaxEntries, &d) != nil {
		return
	}
	r.Listed, r.Entries = true, d.Entries
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
	if err := s.list(&l, &r); err != nil {
		r = wire.Listed{Ret: errnoOf(err)}
	}
	s.record("getdents64", l.Path, r.Ret)
	for i := 1; i < len(r.Dirs); i++ {
		s.record("getdents64", r.Dirs[i].Path, 0)
	}
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
	d := s.directory(fd)
	if err := s.read(fd, l.Max, l.Described, &d); err != nil {
		return err
	}
	r.Dirs = append(r.Dirs, d)
	if l.Budget > 0 && d.Path != "" {
		s.below(fd, int(min(l.Budget, wire.MaxEntries))-len(d.Entries), l, r)
	}
	return nil
}

// directory begins the description of an open directory.
func (s *session) directory(fd int) wire.Directory {
	d := wire.Directory{Path: s.pathOf(fd)}
	d.Leased = s.leases.lease(d.Path, fd)
	return d
}

// maxSubtree is how many bytes the directories below another may have, which nobody has asked for one by one.
const maxSubtree = 1 << 20

// below adds directories below one, breadth first, on the same file system, as long as there is room for so many entries.
func (s *session) below(top, budget int, l *wire.ListX, r *wire.Listed) {
	var root unix.Stat_t
	if unix.Fstat(top, &root) != nil {
		return
	}
	base := r.Dirs[0].Path
	size := 0
	for at := 0; at < len(r.Dirs); at++ {
		for _, e := range r.Dirs[at].Entries {
			if e.Type != unix.DT_DIR || e.Name == "." || e.Name == ".." {
				continue
			}
			if budget <= 0 || size > maxSubtree {
				return
			}
			name := strings.TrimSuffix(r.Dirs[at].Path, "/") + "/" + e.Name
			rel := strings.TrimPrefix(strings.TrimPrefix(name, base), "/")
			fd, err := openat(top, rel, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
			if err != nil {
				continue
			}
			var st unix.Stat_t
			if unix.Fstat(fd, &st) == nil && st.Dev == root.Dev && !s.own(fd) {
				d := s.directory(fd)
				if d.Path == name && s.read(fd, min(l.Max, uint32(budget)), l.Described, &d) == nil {
					r.Dirs = append(r.Dirs, d)
					budget -= len(d.Entries)
					size += len(d.Append(nil))
				}
			}
			unix.Close(fd)
		}
	}
}

// read reads a directory. EMSGSIZE if it has more than max entries.
func (s *session) read(fd int, max, described uint32, d *wire.Directory) error {
	buf := make([]byte, 64<<10)
	for {
		n, err := unix.Getdents(fd, buf)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return err
		}
		if n == 0 {
			break
		}
		if err := entries(buf[:n], max, d); err != nil {
			return err
		}
	}
	if d.Described = len(d.Entries) <= int(described); !d.Described {
		return nil
	}
	for i := range d.Entries {
		if d.Entries[i].Name != ".." { // it may lie outside of what the client knows
			s.describe(fd, &d.Entries[i])
		}
	}
	return nil
}

// entries adds what getdents64(2) returned.
func entries(b []byte, limit uint32, d *wire.Directory) error {
	const head = 19 // offset of d_name
	for len(b) >= head {
		ent := (*unix.Dirent)(unsafe.Pointer(unsafe.SliceData(b)))
		n := int(ent.Reclen)
		if n < head || n > len(b) {
			return unix.EIO
		}
		name, _, _ := strings.Cut(string(b[head:n]), "\x00")
		if len(d.Entries) >= int(min(limit, wire.MaxEntries)) {
			return unix.EMSGSIZE
		}
		d.Entries = append(d.Entries, wire.Entry{Ino: ent.Ino, Off: ent.Off, Type: ent.Type, Name: name})
		b = b[n:]
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
	e.NoXattrs = hasNoXattrs(fd, e.Name, unix.AT_SYMLINK_NOFOLLOW)
	if fields(st).Mode&unix.S_IFMT == unix.S_IFLNK {
		var target [4096]byte
		if n, err := unix.Readlinkat(fd, e.Name, target[:]); err == nil {
			e.Target = string(target[:n])
		}
	}
}

// hasNoXattrs tells whether a file, given as to listxattrat(2), has no extended attributes. It needs that call, of Linux 6.13; without it nothing is known.
func hasNoXattrs(dir int, name string, flags uintptr) bool {
	p, err := unix.BytePtrFromString(name)
	if err != nil {
		return false
	}
	const sysListxattrat = 465 // the same everywhere
	n, _, e := unix.Syscall6(sysListxattrat, uintptr(dir), uintptr(unsafe.Pointer(p)), flags, 0, 0, 0)
	return e == 0 && n == 0 || e == unix.ENOTSUP
}
