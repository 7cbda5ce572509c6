package proxy

import (
	"encoding/binary"
	"math"
	"os"
	"strconv"
	"sync"

	"farcall/internal/proxy/attr"
	"farcall/remote/wire"

	"golang.org/x/sys/unix"
)

// Locks of fcntl(2) belong to a process and a file, whatever descriptors it has of it. On the server they are locks of an open file that
// nobody reads or writes, one for each process and file here: so they are kept apart from those of other processes and other clients.
//
// They end when the process closes any descriptor of the file, which is not intercepted: so whoever asks for a lock first looks what has been
// closed meanwhile, and whether the others who have locks still have the file open.

// An owner is a process that has asked for locks of a file.
type owner struct {
	pid    int
	handle uint32 // the open file that has the locks
	ranges []lockRange
	waits  *lockRange // that it waits for
}

// A lockRange is a lock that the owner has.
type lockRange struct {
	kind       int16 // F_RDLCK or F_WRLCK
	start, end int64 // end is the first byte behind it
}

// locks are the owners, by file.
type locks struct {
	mu     sync.Mutex
	byFile map[attr.Inode][]*owner
	waits  map[int]bool // processes whose end is waited for
}

// struct flock, asm-generic/fcntl.h: its size, and the offsets of l_whence, l_start, l_len and l_pid.
const (
	flockSize   = 32
	flockWhence = 2
	flockStart  = 8
	flockLen    = 16
	flockPID    = 24
)

// lock carries a lock of a process.
func lock(q *request) {
	o := q.objs[0]
	b := make([]byte, flockSize)
	if q.Read(q.args[2], b) < flockSize {
		q.result(-int64(unix.EFAULT), nil)
		return
	}
	cmd, kind := uint32(q.args[1]), int16(binary.NativeEndian.Uint16(b))
	mode := o.flags & unix.O_ACCMODE
	if cmd != unix.F_GETLK && (kind == unix.F_RDLCK && mode == unix.O_WRONLY || kind == unix.F_WRLCK && mode == unix.O_RDONLY) {
		q.result(-int64(unix.EBADF), nil)
		return
	}
	ret, err := q.fromStart(o, b)
	if err != nil || ret < 0 {
		q.result(ret, err)
		return
	}
	own, ret, err := q.owner(o)
	if err != nil || ret < 0 {
		q.result(ret, err)
		return
	}
	clear(b[flockPID:])           // as F_OFD_* want it (fcntl_locking(2))
	s := wire.Space{Else: q.Trap} // which knows when the program is interrupted
	addr := s.Put(b)
	if cmd == unix.F_SETLKW {
		if q.locks.wait(attr.InodeOf(o.statx), own, kind, b) {
			q.result(-int64(unix.EDEADLK), nil)
			return
		}
		defer q.locks.waited(own)
	}
	to := map[uint32]uint64{unix.F_GETLK: fOFDGetLk, unix.F_SETLK: fOFDSetLk, unix.F_SETLKW: fOFDSetLkw}[cmd]
	ret, err = q.conn.Syscall("fcntl", [6]uint64{uint64(own.handle), to, addr}, &s)
	if err == nil && ret == 0 {
		q.locks.mu.Lock()
		if cmd == unix.F_GETLK {
			b = s.Bytes(addr, flockSize)
			if int16(binary.NativeEndian.Uint16(b)) == unix.F_UNLCK {
				b = b[:flockWhence] // all that is changed then
			} else {
				q.locks.name(attr.InodeOf(o.statx), own, b)
			}
			if _, werr := q.Write(q.args[2], b); werr != nil {
				ret = -int64(unix.EFAULT)
			}
		} else {
			own.set(kind, b)
		}
		q.locks.mu.Unlock()
	}
	q.result(ret, err)
}

// nameOwner puts the number of the process that has a lock into what F_OFD_GETLK found.
func (q *request) nameOwner(ret int64) int64 {
	b := make([]byte, flockSize)
	if q.Read(q.args[2], b) == flockSize && int16(binary.NativeEndian.Uint16(b)) != unix.F_UNLCK {
		q.locks.mu.Lock()
		q.locks.name(attr.InodeOf(q.objs[0].statx), nil, b)
		q.locks.mu.Unlock()
		_, _ = q.Write(q.args[2], b) // was written a moment ago
	}
	return ret
}

// fromStart makes the range of a struct flock one from the beginning of the file. A negative ret is the error.
func (q *request) fromStart(o *object, b []byte) (ret int64, err error) {
	h, err := q.handle(o)
	if err != nil {
		return 0, err
	}
	fd := int(int32(q.args[0]))
	if err := q.settle(o, fd, h); err != nil {
		return 0, err
	}
	from := int64(0)
	switch binary.NativeEndian.Uint16(b[flockWhence:]) {
	case unix.SEEK_CUR:
		if o.filled.Load() || o.node != nil {
			from, err = q.positionHere(fd)
		} else {
			from, err = q.conn.Syscall("lseek", [6]uint64{uint64(h), 0, unix.SEEK_CUR}, &wire.Space{})
		}
	case unix.SEEK_END:
		var x *unix.Statx_t
		if x, from, err = q.fstat(h); err == nil && from == 0 {
			from = int64(x.Size)
		}
	default: // SEEK_SET, or what the server's kernel refuses
		return 0, nil
	}
	if err != nil || from < 0 {
		return from, err
	}
	binary.NativeEndian.PutUint16(b[flockWhence:], unix.SEEK_SET)
	binary.NativeEndian.PutUint64(b[flockStart:], uint64(from)+binary.NativeEndian.Uint64(b[flockStart:]))
	return 0, nil
}

// owner is the owner of the process's locks of a file. A negative ret is the error.
func (q *request) owner(o *object) (own *owner, ret int64, err error) {
	pid, ino := processOf(q.TID()), attr.InodeOf(o.statx)
	q.endLocks(ino, pid)
	ls := &q.locks
	ls.mu.Lock()
	defer ls.mu.Unlock()
	for _, other := range ls.byFile[ino] {
		if other.pid == pid {
			own = other
		}
	}
	if own != nil {
		return own, 0, nil
	}
	h, err := q.handle(o)
	if err != nil {
		return nil, 0, err
	}
	var r *wire.Opened
	for _, flags := range []uint32{unix.O_RDWR, o.flags & unix.O_ACCMODE} { // as much as is allowed
		if r, err = q.conn.OpenX(&wire.OpenX{Dir: h, Flags: flags}); err != nil || r.Ret >= 0 {
			break
		}
	}
	if err != nil || r.Ret < 0 {
		if err == nil {
			ret = r.Ret
		}
		return nil, ret, err
	}
	own = &owner{pid: pid, handle: uint32(r.Ret)}
	if ls.byFile == nil {
		ls.byFile, ls.waits = map[attr.Inode][]*owner{}, map[int]bool{}
	}
	ls.byFile[ino] = append(ls.byFile[ino], own)
	if !ls.waits[pid] {
		if pidfd, err := unix.PidfdOpen(pid, 0); err == nil {
			ls.waits[pid] = true
			go q.Proxy.unlockAfter(pid, pidfd)
		}
	}
	return own, 0, nil
}

// endLocks ends the locks of a file that have ended until now, for a process that is going to ask for one.
func (p *Proxy) endLocks(ino attr.Inode, pid int) {
	p.objects.drain() // what has been closed
	p.locks.mu.Lock()
	defer p.locks.mu.Unlock()
	for _, own := range append([]*owner(nil), p.locks.byFile[ino]...) {
		if own.pid != pid && !p.hasOpen(own.pid, ino) {
			p.dropLocks(ino, own)
		}
	}
}

// unlockAfter waits for the end of a process, whose locks end then.
func (p *Proxy) unlockAfter(pid, pidfd int) {
	for {
		if _, err := unix.Poll([]unix.PollFd{{Fd: int32(pidfd), Events: unix.POLLIN}}, -1); err != unix.EINTR {
			break
		}
	}
	unix.Close(pidfd)
	p.locks.mu.Lock()
	defer p.locks.mu.Unlock()
	delete(p.locks.waits, pid)
	for ino, owners := range p.locks.byFile {
		for _, own := range append([]*owner(nil), owners...) {
			if own.pid == pid {
				p.dropLocks(ino, own)
			}
		}
	}
}

// closedFile ends the locks of the process that had opened a file and has closed it.
func (p *Proxy) closedFile(o *object) {
	p.locks.mu.Lock()
	defer p.locks.mu.Unlock()
	ino := attr.InodeOf(o.statx)
	for _, own := range append([]*owner(nil), p.locks.byFile[ino]...) {
		if own.pid == o.pid {
			p.dropLocks(ino, own)
		}
	}
}

// dropLocks ends the locks of an owner. p.locks.mu is held.
func (p *Proxy) dropLocks(ino attr.Inode, own *owner) {
	p.conn.CloseHandle(own.handle)
	owners := p.locks.byFile[ino]
	for i := range owners {
		if owners[i] == own {
			owners = append(owners[:i:i], owners[i+1:]...)
			break
		}
	}
	if p.locks.byFile[ino] = owners; len(owners) == 0 {
		delete(p.locks.byFile, ino)
	}
}

// hasOpen tells whether a process has a file open.
func (p *Proxy) hasOpen(pid int, ino attr.Inode) bool {
	dir := "/proc/" + strconv.Itoa(pid) + "/fd"
	entries, err := os.ReadDir(dir)
	if err != nil {
		return false
	}
	for _, e := range entries {
		if o := p.objects.named(procLink(pid, "fd/"+e.Name())); o != nil && attr.InodeOf(o.statx) == ino {
			return true
		}
	}
	return false
}

// rangeOf is the range of a struct flock from the beginning of the file.
func rangeOf(b []byte) (start, end int64) {
	start = int64(binary.NativeEndian.Uint64(b[flockStart:]))
	switch n := int64(binary.NativeEndian.Uint64(b[flockLen:])); {
	case n > 0:
		return start, start + n
	case n < 0:
		return start + n, start
	}
	return start, math.MaxInt64
}

// wait notes that the owner is going to wait for a lock, if it has to. It tells whether that would be for ever, as the one who has it waits for the
// owner's process, itself or by others.
func (ls *locks) wait(ino attr.Inode, own *owner, kind int16, b []byte) (deadlock bool) {
	if kind == unix.F_UNLCK {
		return false
	}
	ls.mu.Lock()
	defer ls.mu.Unlock()
	start, end := rangeOf(b)
	own.waits = &lockRange{kind, start, end}
	seen := map[*owner]bool{}
	var reaches func(ino attr.Inode, w *owner) bool
	reaches = func(ino attr.Inode, w *owner) bool {
		if seen[w] {
			return false
		}
		seen[w] = true
		for _, has := range ls.byFile[ino] {
			if has == w || !has.blocks(w.waits) {
				continue
			}
			if has.pid == own.pid {
				return true
			}
			for other, owners := range ls.byFile { // what its process waits for
				for _, next := range owners {
					if next.pid == has.pid && next.waits != nil && reaches(other, next) {
						return true
					}
				}
			}
		}
		return false
	}
	if deadlock = reaches(ino, own); deadlock {
		own.waits = nil
	}
	return deadlock
}

func (ls *locks) waited(own *owner) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	own.waits = nil
}

// blocks tells whether the owner has a lock that is in the way of another's.
func (own *owner) blocks(w *lockRange) bool {
	for _, r := range own.ranges {
		if r.start < w.end && w.start < r.end && (r.kind == unix.F_WRLCK || w.kind == unix.F_WRLCK) {
			return true
		}
	}
	return false
}

// set notes that the owner has a lock, or, with F_UNLCK, no longer.
func (own *owner) set(kind int16, b []byte) {
	start, end := rangeOf(b)
	var out []lockRange
	for _, r := range own.ranges {
		if r.start < start {
			out = append(out, lockRange{r.kind, r.start, min(r.end, start)})
		}
		if r.end > end {
			out = append(out, lockRange{r.kind, max(r.start, end), r.end})
		}
	}
	if kind != unix.F_UNLCK {
		out = append(out, lockRange{kind, start, end})
	}
	own.ranges = out
}

// name puts the number of the process that has a lock into a struct flock, if it is one of ours. ls.mu is held.
func (ls *locks) name(ino attr.Inode, asks *owner, b []byte) {
	kind := int16(binary.NativeEndian.Uint16(b))
	start, _ := rangeOf(b)
	for _, own := range ls.byFile[ino] {
		for _, r := range own.ranges {
			if own != asks && r.kind == kind && r.start <= start && start < r.end {
				binary.NativeEndian.PutUint32(b[flockPID:], uint32(own.pid))
				return
			}
		}
	}
}
