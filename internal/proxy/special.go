package proxy

import (
	"encoding/binary"
	"strings"
	"time"

	"farcall/internal/proxy/attr"
	"farcall/internal/proxy/cache"
	"farcall/internal/proxy/view"
	"farcall/remote/client"
	"farcall/remote/wire"

	"golang.org/x/sys/unix"
)

// special are calls about remote files that need more than to be carried.
var special map[string]func(*request)

func init() { // its functions refer to it
	special = map[string]func(*request){
		"open": open, "openat": open, "creat": open,
		"openat2":         deny, // programs fall back to openat
		"epoll_ctl":       epollCtl,
		"chdir":           chdir,
		"fchdir":          chdir,
		"mmap":            mmap,
		"fcntl":           fcntl,
		"ioctl":           ioctl,
		"execve":          execve,
		"execveat":        deny,
		"splice":          func(q *request) { q.result(-int64(unix.EINVAL), nil) },
		"tee":             func(q *request) { q.result(-int64(unix.EINVAL), nil) },
		"vmsplice":        func(q *request) { q.result(-int64(unix.EINVAL), nil) },
		"sendfile":        sendfile,
		"getdents64":      readDir,
		"lseek":           lseek,
		"flock":           func(q *request) { q.objects.drain(); carry(q) }, // a lock that has ended by a close must not be in the way
		"copy_file_range": copyRange,
		"write":           write, "writev": write, "pwrite64": write, "pwritev": write, "pwritev2": write,
		"fsync": confirm, "fdatasync": confirm, "sync_file_range": confirm, "syncfs": confirm,
	}
}

// open opens a file of the server and gives the program a stand-in.
func open(q *request) {
	f := formOf(q.name)
	spec := wire.ByName(f.name)
	regs, err := q.regs(f, spec)
	if err != nil {
		q.result(0, err)
		return
	}
	p := &q.places[0]
	native := uint32(regs[2])
	flags := wire.OpenFlags(nativeABI, native, true)
	o := &object{path: p.absolute(), flags: flags &^ unix.O_CLOEXEC, pid: processOf(q.TID())}
	mode := uint32(0)
	if flags&unix.O_CREAT != 0 || flags&wire.OpenTmpFile == wire.OpenTmpFile {
		mode = q.mode(uint32(regs[3]) & 0o7777)
	}
	if p.side == view.ReadOnly && flags&unix.O_PATH == 0 && (flags&unix.O_ACCMODE != 0 || flags&(unix.O_CREAT|unix.O_TRUNC) != 0) {
		q.result(-int64(unix.EROFS), nil)
		return
	}
	q.objects.drain() // a file that has been written and closed until now is one that can be here as a whole
	if err := q.syncMappings(); err != nil {
		q.result(0, err)
		return
	}
	var content []byte
	turn := q.cache.Now()
	o.turn, o.opened = turn, time.Now()
	ret := -int64(unix.EMEDIUMTYPE)
	if !q.opts.Naive && p.text != "" { // without a name it is an error, which the kernel finds
		content, ret, err = q.openX(p, o, flags, mode)
	}
	if err == nil && ret == -int64(unix.EMEDIUMTYPE) && p.through != nil { // a FIFO, which cannot be opened anew there
		ret = -int64(unix.ENXIO)
	}
	if err == nil && ret == -int64(unix.EMEDIUMTYPE) { // what waits when it is opened
		regs[2], regs[3] = uint64(flags), uint64(mode)
		ret, err = q.conn.Syscall("openat", regs, &q.space)
		o.handle, o.held = uint32(ret), ret >= 0
	}
	switch {
	case err == nil && ret == -int64(unix.ENOENT) && p.orHere:
		q.here()
		return
	case err != nil || ret < 0:
		q.result(ret, err)
		return
	}
	if q.opts.ReadOnly && q.objects.mount == nil {
		var errno unix.Errno
		if content, errno = q.whole(o, content); errno != 0 {
			q.release(o)
			q.result(-int64(errno), nil)
			return
		}
	}
	q.openedFor(p, o, flags)
	q.debug("%d %s%s: opened", q.TID(), q.name, q.placesText())
	q.installObject(o, content, native&unix.O_CLOEXEC != 0)
}

// openedFor forgets what opening a file has changed.
func (q *request) openedFor(p *place, o *object, flags uint32) {
	if !o.writable() && flags&(unix.O_CREAT|unix.O_TRUNC) == 0 {
		return
	}
	switch {
	case o.statx == nil:
		q.cache.Flush()
		return
	case flags&unix.O_TRUNC != 0:
		defer q.refreshMappings()
	}
	if o.writable() || flags&unix.O_TRUNC != 0 {
		q.objects.changes(attr.InodeOf(o.statx))
	}
	switch {
	case o.writable():
		q.cache.Writing(o.statx, 1)
	default:
		q.cache.Altered(o.statx)
	}
	if flags&unix.O_CREAT != 0 && flags&wire.OpenTmpFile != wire.OpenTmpFile && !q.cache.Created(p.absolute(), flags&unix.O_EXCL != 0) {
		q.cache.Flush()
	}
	q.cache.Remember(o.path, o.statx)
}

// installObject gives the program a stand-in.
func (q *request) installObject(o *object, content []byte, cloexec bool) {
	fd, err := q.objects.standIn(o, content)
	if err != nil {
		q.result(0, err)
		return
	}
	q.Install(fd, cloexec)
	unix.Close(fd)
}

// openX opens a file and gets what the program is going to ask next.
func (q *request) openX(p *place, o *object, flags, mode uint32) (content []byte, ret int64, err error) {
	dir, err := q.dir(p)
	if err != nil {
		return nil, 0, err
	}
	var r riders
	name := p.absolute()
	if flags&wire.OpenDirectory != 0 && name != "/" {
		name = strings.TrimRight(name, "/")
	}
	far := p.far
	if p.through != nil {
		far, name = "", ""
	}
	ask := &wire.OpenX{Dir: dir, Path: far, Flags: flags, Mode: mode, MaxData: maxData}
	got := r.OpenX(ask)
	var listed *wire.Listed
	looks := flags&(unix.O_ACCMODE|unix.O_PATH|unix.O_TRUNC|unix.O_CREAT) == unix.O_RDONLY
	if looks && q.cache.Keeps() && p.through == nil {
		if flags&wire.OpenDirectory != 0 {
			l := &wire.ListX{Dir: dir, Path: p.far, Max: maxRead, Described: maxRead}
			if q.opts.Savers.Has(cache.SaveLists) {
				l.Budget = subtree
			}
			listed = r.list(q.cache, o.turn, l)
		} else {
			q.withDirectory(&r, o.turn, name)
		}
		if q.opts.Savers.Has(cache.SaveContents) {
			for _, n := range q.cache.Next(name) {
				r.look(q.cache, o.turn, &wire.OpenX{Dir: wire.CWD, Path: n, Want: wire.WantClosed, MaxData: cache.AheadFile}, n)
			}
		}
	}
	if err := r.send(q); err != nil {
		return nil, 0, err
	}
	if looks || got.Ret == -int64(unix.ENOENT) {
		q.cache.Opened(o.turn, name, flags&wire.OpenNoFollow == 0, got, false)
	}
	if got.Ret < 0 {
		if looks && got.Ret == -int64(unix.ENOENT) {
			q.cache.Profile.Note(cache.UseOf(flags&wire.OpenNoFollow == 0), name, 0)
		}
		return nil, got.Ret, nil
	}
	o.statx = got.Statx
	if got.Path != "" {
		o.path = got.Path
	}
	o.handle, o.held = uint32(got.Ret), true
	if q.cache.IsHot(o.statx) { // its content is going to change
		return nil, 0, nil
	}
	if got.Whole {
		q.fill(o)
		q.cache.Profile.Note(cache.UseContent, name, len(got.Data))
		return got.Data, 0, nil
	}
	if listed != nil && listed.Ret == 0 && listed.Dirs[0].Path == o.path {
		q.cache.Profile.Note(cache.UseEntries, o.path, 0)
		o.entries = listed.Dirs[0].Entries
	}
	x := attr.Statx(got.Statx)
	if flags&(unix.O_ACCMODE|unix.O_PATH) == unix.O_RDONLY && x.Mode&unix.S_IFMT == unix.S_IFREG && x.Size > 0 && x.Size <= maxFill {
		content, err := q.fetch(o.handle, int(x.Size))
		if err != nil {
			return nil, 0, err
		}
		if content != nil {
			q.fill(o)
			q.cache.Profile.Note(cache.UseContent, name, len(content))
			whole := *got
			whole.Whole, whole.Data = true, content
			q.cache.Opened(o.turn, name, flags&wire.OpenNoFollow == 0, &whole, false)
			return content, 0, nil
		}
	}
	return nil, 0, nil
}

// fill notes that an object's content is here.
func (q *request) fill(o *object) {
	if old := q.objects.fill(o); old != nil && old.filled.Load() {
		q.unhold(old)
	}
}

// fetch reads a whole file, all its pieces being under way at once; nil if it has changed meanwhile.
func (q *request) fetch(handle uint32, size int) ([]byte, error) {
	var b client.Batch
	content := make([]byte, 0, size)
	var read []func() bool
	for from := 0; from < size; from += wire.MaxIO {
		n := min(size-from, wire.MaxIO)
		s := new(wire.Space)
		buf := s.Room(n)
		got := b.Syscall("pread64", [6]uint64{uint64(handle), buf, uint64(n), uint64(from)}, s)
		read = append(read, func() bool {
			if *got == int64(n) {
				content = append(content, s.Bytes(buf, n)...)
			}
			return *got == int64(n)
		})
	}
	if err := q.conn.DoBatch(&b); err != nil {
		return nil, err
	}
	for _, f := range read {
		if !f() {
			return nil, nil
		}
	}
	return content, nil
}

// chdir makes a directory of the server a program's working directory.
func chdir(q *request) {
	var dir uint32
	var err error
	path := "."
	if q.name == "fchdir" {
		dir, err = q.handle(q.objs[0])
	} else {
		p := &q.places[0]
		if p.text == "" {
			q.result(-int64(unix.ENOENT), nil)
			return
		}
		if path = p.far; p.through != nil {
			path = "."
		}
		dir, err = q.dir(p)
	}
	if err != nil {
		q.result(0, err)
		return
	}
	d, ret, err := q.known(), int64(0), error(nil)
	if d == nil {
		d, ret, err = q.enter(dir, path)
	}
	if err == nil && ret == -int64(unix.ENOENT) && len(q.places) > 0 && q.places[0].orHere {
		q.here()
		return
	}
	if err != nil || ret < 0 {
		q.result(ret, err)
		return
	}
	q.debug("%d %s%s: now in %s", q.TID(), q.name, q.placesText(), d.path)
	q.Redirect(func(put func([]byte) uint64) (uint64, [6]uint64) {
		return unix.SYS_CHDIR, [6]uint64{put(append([]byte(d.stub), 0))}
	})
}

// ioctl knows two commands, which are about the descriptor only.
func ioctl(q *request) {
	switch uint32(q.args[1]) {
	case fioclex, fionclex:
		q.Continue()
	default:
		q.result(-int64(unix.ENOTTY), nil)
	}
}

// Commands of ioctl(2) (asm-generic/ioctls.h) and of fcntl(2) (asm-generic/fcntl.h).
const (
	fioclex, fionclex                = 0x5451, 0x5450
	dataSync                         = 0o10000  // O_DSYNC, whose bit O_SYNC has too
	direct                           = 0o40000  // O_DIRECT
	largeFile                        = 0o100000 // O_LARGEFILE, which 64-bit programs open with, and package unix does not know
	fOFDGetLk, fOFDSetLk, fOFDSetLkw = 36, 37, 38
)

// fcntl is about the descriptor, which is the kernel's, or about what is open there, which is the server's.
func fcntl(q *request) {
	o := q.objs[0]
	cmd := uint32(q.args[1])
	switch cmd {
	case unix.F_DUPFD, unix.F_DUPFD_CLOEXEC, unix.F_GETFD, unix.F_SETFD:
		q.Continue()
		return
	default:
		if o.flags&unix.O_PATH != 0 && cmd != unix.F_GETFL { // all that is possible
			q.result(-int64(unix.EBADF), nil)
			return
		}
	}
	switch cmd {
	case unix.F_GETFL:
		if (o.filled.Load() || o.isDir()) && !o.setfl.Load() {
			flags := o.flags&^(unix.O_CREAT|unix.O_EXCL|unix.O_NOCTTY|unix.O_TRUNC) | largeFile
			if flags&unix.O_PATH != 0 { // open(2) ignores all others then
				flags &= unix.O_PATH | wire.OpenDirectory | wire.OpenNoFollow
			}
			q.result(int64(wire.OpenFlags(nativeABI, flags, false)), nil)
			return
		}
	case unix.F_SETFL:
		o.setfl.Store(true)
		if o.node != nil {
			setFlags(q)
			return
		}
		q.args[2] = uint64(wire.OpenFlags(nativeABI, uint32(q.args[2]), true))
	case unix.F_GETLK, unix.F_SETLK, unix.F_SETLKW:
		lock(q)
		return
	case fOFDGetLk, fOFDSetLk, fOFDSetLkw:
		q.endLocks(attr.InodeOf(o.statx), processOf(q.TID()))
		if err := q.position(o); err != nil {
			q.result(0, err)
			return
		}
		if cmd == fOFDGetLk {
			q.after = q.nameOwner
		}
	default:
		q.result(-int64(unix.EINVAL), nil)
		return
	}
	carry(q)
}

// copyRange between two files of the server is executed there. Offsets that are given are changed too, which the description does not
// say.
func copyRange(q *request) {
	if q.objs[0] == nil || q.objs[1] == nil {
		if q.misses() {
			carry(q)
			return
		}
		q.result(-int64(unix.EXDEV), nil) // programs read and write instead
		return
	}
	if q.objs[0].node != nil {
		copyServed(q)
		return
	}
	q.after = func(ret int64) int64 {
		for _, addr := range []uint64{q.args[1], q.args[3]} {
			var b [8]byte
			if addr == 0 || ret <= 0 {
				continue
			}
			if q.Read(addr, b[:]) < len(b) {
				return -int64(unix.EFAULT)
			}
			binary.NativeEndian.PutUint64(b[:], binary.NativeEndian.Uint64(b[:])+uint64(ret))
			if _, err := q.Write(addr, b[:]); err != nil {
				return -int64(unix.EFAULT)
			}
		}
		return ret
	}
	q.emptied(0)
	carry(q)
}

// lseek may ask where a file has holes, which its stand-in does not know.
func lseek(q *request) {
	q.emptied(0)
	carry(q)
}

// emptied makes a descriptor's position the server's, if it was its stand-in's.
func (q *request) emptied(i int) {
	if o := q.objs[i]; o.filled.Load() {
		q.objects.changes(attr.InodeOf(o.statx))
	}
}

// sendfile between two files of the server is executed there.
func sendfile(q *request) {
	if q.objs[0] == nil || q.objs[1] == nil {
		if q.misses() {
			carry(q)
			return
		}
		q.result(-int64(unix.EINVAL), nil) // programs read and write instead
		return
	}
	if q.objs[0].node != nil {
		copyServed(q)
		return
	}
	q.emptied(1)
	carry(q)
}
