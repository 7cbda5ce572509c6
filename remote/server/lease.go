package server

import (
	"os"
	"path"
	"strings"
	"sync"
	"unsafe"

	"farcall/remote/wire"

	"golang.org/x/sys/unix"
)

// leases are the directories of which a session's client is told what changes in them. What inotify(7) does not tell cannot be leased:
// changes by other hosts of a network file system, those of a file through another of its names, or through a mapping of it.
type leases struct {
	session *session
	file    *os.File

	mu     sync.Mutex
	buf    [16 << 10]byte // for events
	byWD   map[int32]*leased
	byPath map[string]*leased
}

// A leased directory is watched for what happens in it, or, if it is only above of such a one, for what happens to it.
type leased struct {
	path   string
	inside bool
	told   map[string]bool // changes that the client knows of and has not asked about since
}

const (
	maxLeases = 4096
	maxTold   = 4096

	watchSelf   = unix.IN_DELETE_SELF | unix.IN_MOVE_SELF
	watchNames  = unix.IN_CREATE | unix.IN_DELETE | unix.IN_MOVED_FROM | unix.IN_MOVED_TO
	watchInside = watchSelf | watchNames | unix.IN_MODIFY | unix.IN_ATTRIB
)

// leasable are the file systems all whose changes this kernel makes itself, by their magic numbers (linux/magic.h, fs/xfs, ...).
var leasable = map[uint32]bool{
	unix.EXT4_SUPER_MAGIC: true, unix.XFS_SUPER_MAGIC: true, unix.BTRFS_SUPER_MAGIC: true, unix.TMPFS_MAGIC: true,
	unix.OVERLAYFS_SUPER_MAGIC: true, unix.F2FS_SUPER_MAGIC: true, unix.SQUASHFS_MAGIC: true, unix.EROFS_SUPER_MAGIC_V1: true,
	unix.RAMFS_MAGIC: true, unix.ISOFS_SUPER_MAGIC: true, 0x2fc12fc1: true, // ZFS
}

// newLeases prepares leases for a session; nil if this kernel cannot, or there are too many already.
func newLeases(s *session) *leases {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return nil
	}
	l := &leases{session: s, file: os.NewFile(uintptr(fd), "inotify"), byWD: map[int32]*leased{}, byPath: map[string]*leased{}}
	raw, err := l.file.SyscallConn()
	if err != nil {
		l.file.Close()
		return nil
	}
	go func() {
		_ = raw.Read(func(uintptr) bool { // until it is closed
			l.tell()
			return false
		})
	}()
	return l
}

func (l *leases) close() {
	if l != nil {
		l.file.Close()
	}
}

// lease watches a directory, given by its path without links and a descriptor of it. What is read of it from now on is true until an
// INVALIDATE says otherwise, if it returns true.
func (l *leases) lease(dir string, fd int) bool {
	if l == nil || !strings.HasPrefix(dir, "/") {
		return false
	}
	l.tell() // what is known to be watched has to be that
	var fs unix.Statfs_t
	if unix.Fstatfs(fd, &fs) != nil || !leasable[uint32(fs.Type)] {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for at := dir; at != "/"; {
		at = path.Dir(at)
		if !l.watch(at, false) {
			return false
		}
	}
	if !l.watch(dir, true) {
		return false
	}
	var named, open unix.Stat_t
	err := unix.Fstatat(unix.AT_FDCWD, dir, &named, unix.AT_SYMLINK_NOFOLLOW)
	if err == nil {
		err = unix.Fstat(fd, &open)
	}
	if err != nil || named.Dev != open.Dev || named.Ino != open.Ino || l.session.pathOf(fd) != dir {
		return false
	}
	clear(l.byPath[dir].told)
	return true
}

// parent leases the directory that an open file's name is in.
func (l *leases) parent(file string) bool {
	if l == nil || !strings.HasPrefix(file, "/") {
		return false
	}
	dir := path.Dir(file)
	fd, err := openat(unix.AT_FDCWD, dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return false
	}
	defer unix.Close(fd)
	return l.lease(dir, fd)
}

// watch sees to it that a directory is watched. l.mu is held.
func (l *leases) watch(dir string, inside bool) bool {
	d := l.byPath[dir]
	if d != nil && (d.inside || !inside) {
		return true
	}
	if len(l.byPath) >= maxLeases {
		return false
	}
	mask := uint32(watchSelf)
	if inside {
		mask = watchInside
	}
	conn, err := l.file.SyscallConn()
	if err != nil {
		return false
	}
	var wd int
	cerr := conn.Control(func(fd uintptr) {
		wd, err = unix.InotifyAddWatch(int(fd), dir, mask|unix.IN_MASK_ADD|unix.IN_ONLYDIR|unix.IN_DONT_FOLLOW)
	})
	if err != nil || cerr != nil {
		return false
	}
	if d == nil {
		if l.byWD[int32(wd)] != nil { // the same directory by another name
			return false
		}
		d = &leased{path: dir, told: map[string]bool{}}
		l.byWD[int32(wd)], l.byPath[dir] = d, d
	}
	d.inside = inside
	return true
}

// tell sends what has changed. It is called before each answer, so that a client which has one knows of all changes before it.
func (l *leases) tell() {
	l.mu.Lock()
	defer l.mu.Unlock()
	var inv wire.Invalidate
	size := 0
	conn, err := l.file.SyscallConn()
	if err != nil {
		return
	}
	for {
		n := 0
		cerr := conn.Control(func(fd uintptr) { n, err = unix.Read(int(fd), l.buf[:]) })
		if err == unix.EINTR {
			continue
		}
		if cerr != nil || err != nil || n <= 0 {
			break
		}
		for b := l.buf[:n]; len(b) >= unix.SizeofInotifyEvent; {
			ev := (*unix.InotifyEvent)(unsafe.Pointer(unsafe.SliceData(b)))
			end := unix.SizeofInotifyEvent + int(ev.Len)
			name := unix.ByteSliceToString(b[unix.SizeofInotifyEvent:end])
			b = b[end:]
			if ch, ok := l.changed(ev, name, &inv); ok && !inv.All {
				inv.Changes = append(inv.Changes, ch)
				if size += len(ch.Dir) + len(ch.Name) + 8; size > 1<<20 {
					inv.All = true
				}
			}
		}
	}
	if inv.All {
		for _, d := range l.byPath {
			clear(d.told)
		}
	}
	if inv.All || len(inv.Changes) > 0 {
		_ = l.session.write(wire.Frame{Op: wire.OpInvalidate, Payload: inv.Encode()}) // run finds a broken connection
	}
}

// changed makes a change of an event; not if the client has been told already. l.mu is held.
func (l *leases) changed(ev *unix.InotifyEvent, name string, inv *wire.Invalidate) (ch wire.Change, ok bool) {
	if ev.Mask&unix.IN_Q_OVERFLOW != 0 {
		inv.All = true
		return ch, false
	}
	d := l.byWD[ev.Wd]
	if d == nil {
		return ch, false
	}
	if ev.Mask&(watchSelf|unix.IN_UNMOUNT|unix.IN_IGNORED) != 0 { // nothing that is below is where it was
		l.drop(d.path, ev.Mask&unix.IN_IGNORED != 0)
		return wire.Change{Dir: d.path}, true
	}
	ch = wire.Change{Dir: d.path, Name: name, Names: ev.Mask&watchNames != 0}
	key := name
	if ch.Names {
		key = "/" + name
	}
	if d.told[key] {
		return ch, false
	}
	if len(d.told) >= maxTold {
		clear(d.told)
	}
	d.told[key] = true
	return ch, true
}

// drop forgets a directory and all below. l.mu is held.
func (l *leases) drop(dir string, ended bool) {
	conn, err := l.file.SyscallConn()
	if err != nil {
		return
	}
	for wd, d := range l.byWD {
		if d.path != dir && !strings.HasPrefix(d.path, strings.TrimSuffix(dir, "/")+"/") {
			continue
		}
		delete(l.byWD, wd)
		delete(l.byPath, d.path)
		if !ended || d.path != dir {
			_ = conn.Control(func(fd uintptr) { _, _ = unix.InotifyRmWatch(int(fd), uint32(wd)) }) // EINVAL: it has ended
		}
	}
}
