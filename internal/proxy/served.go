package proxy

import (
	"encoding/binary"
	"errors"
	"fmt"

	"farcall/decode"
	"farcall/internal/fuse"
	"farcall/internal/proxy/attr"
	"farcall/remote/wire"

	"golang.org/x/sys/unix"
)

// Where the kernel has file systems in user space, files of the server are files of one that is ours: the kernel asks us what is read and written. So
// reading and writing need not be intercepted, and are what they were for this host's files. Positions are the kernel's, of both.

// served answers what the kernel asks about an object.
type served struct {
	*Proxy
	o          *object
	sequential sequential
}

// newMount makes the file system, nil if that is not possible, or not wanted.
func newMount(how StandIns) (*fuse.Mount, error) {
	if how == Memfds {
		return nil, nil
	}
	m, err := fuse.New()
	switch {
	case err == nil:
		return m, nil
	case how == Auto:
		return nil, nil
	}
	return nil, &StandInsError{err}
}

// A StandInsError tells that the stand-ins that are wanted are not possible.
type StandInsError struct{ Err error }

func (e *StandInsError) Error() string { return "file system in user space: " + e.Err.Error() }

func (e *StandInsError) Unwrap() error { return e.Err }

// StandIns say what stands in for files of the server.
type StandIns int

const (
	Memfds StandIns = iota // memfds: reading and writing is intercepted
	Served                 // files of a file system in user space
	Auto                   // those where it is possible
)

// streams tells whether a file has no position: pipes, terminals.
func (o *object) streams() bool {
	return o.statx == nil || attr.Statx(o.statx).Mode&unix.S_IFMT != unix.S_IFREG && attr.Statx(o.statx).Mode&unix.S_IFMT != unix.S_IFBLK && !o.isDir()
}

// Kind implements fuse.File.
func (s *served) Kind() (fuse.Kind, []byte) {
	switch {
	case s.o.flags&unix.O_PATH != 0:
		return fuse.Direct, nil
	case s.o.isDir():
		return fuse.Directory, nil
	case s.o.filled.Load():
		return fuse.Cached, s.o.content
	case s.o.streams():
		return fuse.Stream, nil
	}
	return fuse.Direct, nil
}

// Read implements fuse.File.
func (s *served) Read(q *fuse.Request, at int64, n int) {
	switch {
	case s.o.filled.Load():
		b := s.o.content[min(int(at), len(s.o.content)):]
		q.Data(b[:min(n, len(b))])
	default:
		go s.read(q, at, n)
	}
}

func (s *served) read(q *fuse.Request, at int64, n int) {
	if b := s.ahead(at, n); b != nil {
		q.Data(b)
		return
	}
	space := wire.Space{Else: asking{q, !s.o.streams()}}
	buf := space.Room(n)
	n64, ok := s.transfer(q, "read", "pread64", buf, n, at, &space)
	if !ok {
		return
	}
	q.Data(space.Bytes(buf, int(n64)))
}

// transfer has the server read or write, without a position where the file has none. It answers if that fails.
func (s *served) transfer(q *fuse.Request, stream, positioned string, buf uint64, n int, at int64, space *wire.Space) (ret int64, ok bool) {
	name := positioned
	if s.o.streams() {
		name = stream
	}
	return s.ask(q, func(h uint32) (int64, error) {
		return s.conn.Syscall(name, [6]uint64{uint64(h), buf, uint64(n), uint64(at)}, space)
	})
}

// failed answers with an error, if there is one.
func (s *served) failed(q *fuse.Request, err error) bool {
	if err == nil {
		return false
	}
	errno, ok := err.(unix.Errno)
	if !ok { // the session's
		s.fail(err)
		errno = unix.EIO
	}
	q.Fail(errno)
	return true
}

// Write implements fuse.File.
func (s *served) Write(q *fuse.Request, at int64, b []byte) {
	go s.write(q, at, b)
}

func (s *served) write(q *fuse.Request, at int64, b []byte) {
	space := wire.Space{Else: asking{q, !s.o.streams()}}
	buf, n := space.Take(b), len(b)
	if s.mayWriteBehind(s.o) {
		h, err := s.handle(s.o)
		var ret int64
		if err == nil {
			ret, err = s.writeBehind(s.o, n, "pwrite64", [6]uint64{uint64(h), buf, uint64(n), uint64(at)}, &space)
		}
		if err == nil && ret < 0 {
			err = unix.Errno(-ret)
		}
		if !s.failed(q, err) {
			s.objects.sized(s.o, true, upTo(uint64(at)+uint64(n)))
			q.Written(n)
		}
		return
	}
	ret, ok := s.transfer(q, "write", "pwrite64", buf, n, at, &space)
	if !ok {
		return
	}
	s.refreshMappings()
	s.objects.sized(s.o, true, upTo(uint64(at)+uint64(ret)))
	q.Written(int(ret))
}

// Size implements fuse.File.
func (s *served) Size(q *fuse.Request) {
	switch {
	case s.o.filled.Load():
		q.Size(uint64(len(s.o.content)))
	case s.o.streams():
		q.Size(0)
	default:
		go s.answer(q, func(h uint32) (int64, error) {
			x, ret, err := s.fstat(h)
			if err == nil && ret == 0 {
				ret = int64(x.Size)
			}
			return ret, err
		}, func(n int64) { q.Size(uint64(n)) })
	}
}

// Seek implements fuse.File.
func (s *served) Seek(q *fuse.Request, at int64, whence uint32) {
	go s.answer(q, func(h uint32) (int64, error) {
		return s.conn.Syscall("lseek", [6]uint64{uint64(h), uint64(at), uint64(whence)}, &wire.Space{})
	}, q.Position)
}

// Sync implements fuse.File: of a write that is to be on the disk when it returns.
func (s *served) Sync(q *fuse.Request) {
	go s.answer(q, func(h uint32) (int64, error) {
		ret, err := s.conn.Syscall("fsync", [6]uint64{uint64(h)}, &wire.Space{})
		if e := s.behind.settle(s.o); e != 0 {
			ret = -int64(e)
		}
		return ret, err
	}, func(int64) { q.Done() })
}

// ask makes a call about the file's handle. It answers if that fails.
func (s *served) ask(q *fuse.Request, call func(h uint32) (int64, error)) (ret int64, ok bool) {
	s.counts.remote.Add(1)
	h, err := s.handle(s.o)
	if err == nil {
		err = s.syncMappings()
	}
	if err == nil {
		if ret, err = call(h); err == nil && ret < 0 {
			err = unix.Errno(-ret)
		}
	}
	return ret, !s.failed(q, err)
}

// answer asks, and answers with what the call returns.
func (s *served) answer(q *fuse.Request, call func(h uint32) (int64, error), answer func(int64)) {
	if ret, ok := s.ask(q, call); ok {
		answer(ret)
	}
}

// Closed implements fuse.File.
func (s *served) Closed() { s.objects.drop(s.o) }

// asking is a thread that waits for what it reads or writes.
type asking struct {
	q    *fuse.Request
	disk bool // the file is on a disk, so only a signal that kills interrupts it
}

// Interrupted implements client.Interruptible.
func (a asking) Interrupted() <-chan struct{} { return a.q.Interrupted(a.disk) }

// Read implements decode.Memory: there is none.
func (asking) Read(uint64, []byte) int { return 0 }

// ReadV implements decode.Memory.
func (asking) ReadV(ranges []decode.Range) {}

// serve makes the descriptor of an object that is served.
func (os *objects) serve(o *object, name string) (fd int, err error) {
	size := uint64(0)
	if o.statx != nil {
		size = attr.Statx(o.statx).Size
	}
	os.mu.Lock()
	if o.filled.Load() || o.streams() || o.isDir() || o.flags&unix.O_PATH != 0 {
		o.node = os.mount.NewNode()
	} else { // all have the same size
		ino := attr.InodeOf(o.statx)
		n := os.nodes[ino]
		if n == nil {
			n = &node{Node: os.mount.NewNode()}
			os.nodes[ino] = n
		}
		n.objects++
		n.size = size
		o.node, o.shares = n.Node, true
	}
	os.mu.Unlock()
	flags := int(o.flags & (unix.O_ACCMODE | unix.O_APPEND | unix.O_NONBLOCK))
	if o.flags&unix.O_PATH != 0 {
		flags = unix.O_ACCMODE // neither to be read nor written
	}
	fd, err = os.mount.Open(o.node, &served{Proxy: os.proxy, o: o}, name, size, flags)
	var errno unix.Errno
	if errors.As(err, &errno) { // what the program is told
		err = errno
	}
	return fd, err
}

// A node is what objects share that are the same file.
type node struct {
	*fuse.Node
	objects int
	size    uint64 // as far as is known here
	version uint64 // changes that are known of
}

// leave undoes what serve did. os.mu is held.
func (os *objects) leave(o *object) {
	ino := attr.InodeOf(o.statx)
	if n := os.nodes[ino]; o.shares && n != nil {
		if n.objects--; n.objects == 0 {
			delete(os.nodes, ino)
		}
	}
}

// sized notes that a call has changed the size of an object's file: to is its size then, which was was. The kernel is told if it does not know.
func (os *objects) sized(o *object, known bool, to func(was uint64) uint64) {
	os.mu.Lock()
	n := os.nodes[attr.InodeOf(o.statx)]
	if os.mount == nil || n == nil {
		os.mu.Unlock()
		return
	}
	was := n.size
	size := to(was)
	n.size = size
	n.version++
	os.mu.Unlock()
	if size != was && !known {
		os.mount.Resize(n.Node, &served{Proxy: os.proxy, o: o}, size)
	}
}

// upTo is the size of a file in which something is now in front of end.
func upTo(end uint64) func(uint64) uint64 {
	return func(was uint64) uint64 { return max(was, end) }
}

// resized is told of a call that has been carried and may have changed a size.
func (q *request) resized(ret int64) {
	if q.objects.mount == nil {
		return
	}
	for _, o := range q.objs {
		if o != nil && o.writable() {
			q.objects.sized(o, true, upTo(0)) // as it was, but not what it was
		}
	}
	if ret < 0 {
		return
	}
	switch q.name {
	case "ftruncate":
		q.objects.sized(q.objs[0], false, func(uint64) uint64 { return q.args[1] })
	case "fallocate":
		to := upTo(q.args[2] + q.args[3])
		switch mode := q.args[1]; {
		case mode&unix.FALLOC_FL_COLLAPSE_RANGE != 0:
			to = func(was uint64) uint64 { return was - min(was, q.args[3]) }
		case mode&unix.FALLOC_FL_INSERT_RANGE != 0:
			to = func(was uint64) uint64 { return was + q.args[3] }
		case mode&unix.FALLOC_FL_KEEP_SIZE != 0:
			return
		}
		q.objects.sized(q.objs[0], false, to)
	case "truncate":
		q.objects.mu.Lock()
		shared := len(q.objects.nodes) > 0
		q.objects.mu.Unlock()
		if !shared {
			return
		}
		r, err := q.conn.OpenX(&wire.OpenX{Dir: wire.CWD, Path: q.places[0].absolute(), Flags: unix.O_PATH, Want: wire.WantClosed})
		if err == nil && r.Ret >= 0 && r.Statx != nil {
			q.objects.sized(&object{statx: r.Statx}, false, func(uint64) uint64 { return q.args[1] })
		}
	}
}

// byKernel tells whether the call is about files that are served and the kernel can execute it as on any others. What is spliced it takes from what it keeps
// of a file.
func (q *request) byKernel() bool {
	if q.objects.mount == nil {
		return false
	}
	in := 0
	switch q.name {
	case "lseek":
		return !q.objs[0].isDir() && q.objs[0].flags&unix.O_PATH == 0
	case "sendfile": // (out, in)
		in = 1
	case "splice": // (in, out)
	default:
		return false
	}
	return q.objs[in] == nil || q.objs[in].filled.Load()
}

// epollCtl adds a file to what is waited for, which the kernel refuses for those that are always ready; a file that is served is not such a one to it.
func epollCtl(q *request) {
	switch o := q.objs[len(q.objs)-1]; {
	case o == nil || q.args[1] != unix.EPOLL_CTL_ADD:
		q.Continue()
	case o.flags&unix.O_PATH != 0:
		q.result(-int64(unix.EBADF), nil)
	case o.streams():
		q.Continue()
	default:
		q.result(-int64(unix.EPERM), nil)
	}
}

// setFlags changes flags of an open file, there and here.
func setFlags(q *request) {
	h, err := q.handle(q.objs[0])
	if err != nil {
		q.result(0, err)
		return
	}
	flags := wire.OpenFlags(nativeABI, uint32(q.args[2]), true)
	ret, err := q.conn.Syscall("fcntl", [6]uint64{uint64(h), unix.F_SETFL, uint64(flags)}, &wire.Space{})
	if err != nil || ret < 0 {
		q.result(ret, err)
		return
	}
	q.Continue()
}

// position makes the position of a file that is served the server's, for a lock that is relative to it.
func (q *request) position(o *object) error {
	var whence [2]byte
	if o.node == nil || q.Read(q.args[2]+flockWhence, whence[:]) < len(whence) || binary.NativeEndian.Uint16(whence[:]) != unix.SEEK_CUR {
		return nil
	}
	pos, err := q.positionHere(int(int32(q.args[0])))
	if err != nil {
		return err
	}
	return q.positionThere(o, pos)
}

// copyServed has the server copy between two files that are served, by copy_file_range(2) or sendfile(2): from and to where the kernel has their positions.
func copyServed(q *request) {
	type end struct {
		o     *object
		fd    int
		reg   int    // of the pointer to the offset, -1 if there is none
		given uint64 // the pointer
		at    int64
	}
	ends := []*end{{o: q.objs[0], fd: int(int32(q.args[0])), reg: 1}, {o: q.objs[1], fd: int(int32(q.args[2])), reg: 3}}
	if q.name == "sendfile" {
		ends = []*end{{o: q.objs[1], fd: int(int32(q.args[1])), reg: 2}, {o: q.objs[0], fd: int(int32(q.args[0])), reg: -1}}
	}
	for _, e := range ends {
		var err error
		if e.reg >= 0 {
			e.given = q.args[e.reg]
		}
		b := make([]byte, 8)
		switch {
		case e.given == 0:
			if e.at, err = q.positionHere(e.fd); err == nil && e.reg < 0 {
				err = q.positionThere(e.o, e.at)
			}
			binary.NativeEndian.PutUint64(b, uint64(e.at))
		case q.Read(e.given, b) < len(b):
			err = unix.EFAULT
		default:
			e.at = int64(binary.NativeEndian.Uint64(b))
		}
		if err != nil {
			q.result(0, err)
			return
		}
		if e.reg >= 0 {
			q.args[e.reg] = q.space.Put(b)
		}
	}
	q.after = func(ret int64) int64 {
		if ret <= 0 {
			return ret
		}
		for _, e := range ends {
			if e.given == 0 {
				if err := q.seekHere(e.fd, e.at+ret); err != nil {
					q.debug("%d %s: %v", q.TID(), q.name, err)
				}
			} else if _, err := q.Write(e.given, binary.NativeEndian.AppendUint64(nil, uint64(e.at+ret))); err != nil {
				return -int64(unix.EFAULT)
			}
		}
		q.objects.sized(ends[1].o, false, upTo(uint64(ends[1].at+ret)))
		return ret
	}
	carry(q)
}

// positionThere sets the position of a file that is served, as the server has it.
func (q *request) positionThere(o *object, pos int64) error {
	h, err := q.handle(o)
	if err == nil {
		_, err = q.conn.Syscall("lseek", [6]uint64{uint64(h), uint64(pos), unix.SEEK_SET}, &wire.Space{})
	}
	return err
}

// seekHere sets the position of a program's descriptor.
func (q *request) seekHere(fd int, to int64) error {
	pidfd, err := unix.PidfdOpen(processOf(q.TID()), 0)
	if err != nil {
		return fmt.Errorf("pidfd_open: %w", err)
	}
	defer unix.Close(pidfd)
	own, err := unix.PidfdGetfd(pidfd, fd, 0)
	if err != nil {
		return fmt.Errorf("pidfd_getfd: %w", err)
	}
	defer unix.Close(own)
	if _, err := unix.Seek(own, to, unix.SEEK_SET); err != nil {
		return fmt.Errorf("lseek: %w", err)
	}
	return nil
}
