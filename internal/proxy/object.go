package proxy

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"farcall/internal/fuse"
	"farcall/internal/proxy/attr"
	"farcall/remote/wire"
	"farcall/syscalls"

	"golang.org/x/sys/unix"
)

// An object is a file of the server that a program has open. The program has a memfd in its place, the stand-in, whose name says
// which object it is. So there is no table of descriptors to keep: dup, fork, exec, close-on-exec and passing over sockets are the kernel's
// business, and so is telling us when nobody has it open any more.
type object struct {
	id    uint64
	path  string // the server's name for it when it was opened
	flags uint32 // generic O_*
	pid   int    // the process that opened it
	statx []byte // attributes when it was opened, nil if they were not asked for

	// filled tells that the stand-in has the file's whole content, so that what only reads needs no server. It ends when a program
	// opens the file for writing: then the server has to be asked, also by those who have had it open before.
	filled atomic.Bool

	setfl atomic.Bool // its flags have been changed

	turn   uint64 // of the cache when it was opened
	opened time.Time

	// opening, if not nil, is closed once the server has opened it, or has said why not.
	opening chan struct{}

	writes writes // behind.mu is held for it

	// Of a served one.
	content []byte     // all of it, if it is filled
	node    *fuse.Node // nil if it has a memfd
	shares  bool       // the node with others that are the same file

	mu      sync.Mutex
	dropped bool // nobody has it open any more
	handle  uint32
	held    bool         // handle is valid
	here    bool         // the position is the stand-in's, not the handle's
	entries []wire.Entry // of a directory that was read as a whole
	at      int          // the next of them
	large   bool         // it has too many for that
	rewound bool         // it is to be read anew
}

// writable tells whether it can be written through this object.
func (o *object) writable() bool {
	return o.flags&unix.O_ACCMODE != unix.O_RDONLY && o.flags&unix.O_PATH == 0
}

// isDir tells whether it is known to be a directory.
func (o *object) isDir() bool {
	return o.statx != nil && attr.Statx(o.statx).Mode&unix.S_IFMT == unix.S_IFDIR
}

// objects are the objects that stand-ins exist for.
type objects struct {
	prefix  string // of the names of stand-ins
	link    string // what links of /proc to them begin with
	inotify int
	mount   *fuse.Mount // that they are files of; nil: they are memfds
	proxy   *Proxy

	draining sync.Mutex // reading of inotify

	all, unfilled atomic.Int64 // how many there are, and how many of them without content

	mu   sync.Mutex
	next uint64
	byID map[uint64]*object
	byWD map[int32]*object

	full  map[attr.Inode]map[*object]bool // those that are filled
	nodes map[attr.Inode]*node            // those that are served and were not filled when they were opened
	kept  []*object                       // those whose handles are open, though they are filled, in the order in which they were opened
}

// maxKept is how many files that are filled are kept open on the server: for what is asked about them after they have lost their names.
const maxKept = 256

func newObjects(p *Proxy) (*objects, error) {
	var nonce [8]byte
	rand.Read(nonce[:])
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return nil, fmt.Errorf("inotify_init1: %w", err)
	}
	mount, err := newMount(p.opts.StandIns)
	if err != nil {
		unix.Close(fd)
		return nil, err
	}
	prefix := "farcall-" + hex.EncodeToString(nonce[:]) + "-"
	link := "/memfd:" + prefix
	if mount != nil {
		link = "/" + prefix
	}
	return &objects{
		prefix: prefix, link: link, inotify: fd, mount: mount, proxy: p,
		byID: map[uint64]*object{}, byWD: map[int32]*object{},
		full: map[attr.Inode]map[*object]bool{}, nodes: map[attr.Inode]*node{},
	}, nil
}

// standIn makes the stand-in of an object, with its content if it is filled. When the returned descriptor and all copies of it are closed, the
// object is too.
func (os *objects) standIn(o *object, content []byte) (fd int, err error) {
	os.mu.Lock()
	os.next++
	o.id = os.next
	os.byID[o.id] = o
	os.all.Add(1)
	if !o.filled.Load() {
		os.unfilled.Add(1)
	}
	os.mu.Unlock()
	name := os.prefix + strconv.FormatUint(o.id, 10)
	if os.mount != nil {
		o.content = content
		fd, err = os.serve(o, name)
	} else {
		fd, err = os.memfd(o, name, content)
	}
	if err != nil {
		os.drop(o)
	}
	return fd, err
}

// memfd makes the descriptor of an object that is not served.
//
// It is sealed: a call that is not intercepted must not write into it, as what it writes would be lost. It can be read and written as the
// object can, so that the kernel itself refuses what the object's flags do not allow.
func (os *objects) memfd(o *object, name string, content []byte) (fd int, err error) {
	fd, err = unix.MemfdCreate(name, unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING|unix.MFD_NOEXEC_SEAL)
	if errors.Is(err, unix.EINVAL) { // MFD_NOEXEC_SEAL is of Linux 6.3
		fd, err = unix.MemfdCreate(name, unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	}
	if err != nil {
		return -1, err
	}
	for n := 0; n < len(content) && err == nil; {
		var m int
		m, err = unix.Pwrite(fd, content[n:], int64(n))
		n += m
	}
	if err == nil {
		_, err = unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, unix.F_SEAL_WRITE|unix.F_SEAL_GROW|unix.F_SEAL_SHRINK|unix.F_SEAL_SEAL)
	}
	if err == nil {
		var as int
		as, err = unix.Open(fmt.Sprintf("/proc/self/fd/%d", fd), int(o.flags&unix.O_ACCMODE)|unix.O_CLOEXEC, 0)
		unix.Close(fd)
		fd = as
	}
	var wd int
	if err == nil {
		os.mu.Lock() // before the event is looked at
		wd, err = unix.InotifyAddWatch(os.inotify, fmt.Sprintf("/proc/self/fd/%d", fd), unix.IN_DELETE_SELF)
		if err == nil {
			os.byWD[int32(wd)] = o
		}
		os.mu.Unlock()
	}
	if err != nil {
		if fd >= 0 {
			unix.Close(fd)
		}
		return -1, err
	}
	return fd, nil
}

// fill notes that the stand-in of an object is going to have the file's content. What it returns is an object that need not be kept open any
// more for that, or nil.
func (os *objects) fill(o *object) *object {
	os.mu.Lock()
	defer os.mu.Unlock()
	o.filled.Store(true)
	o.here = true
	ino := attr.InodeOf(o.statx)
	if os.full[ino] == nil {
		os.full[ino] = map[*object]bool{}
	}
	os.full[ino][o] = true
	os.kept = append(os.kept, o)
	if len(os.kept) <= maxKept {
		return nil
	}
	old := os.kept[0]
	os.kept = os.kept[1:]
	return old
}

// changes tells that the content of a file is going to change, of all files if ino is zero: those who have it open have to ask for it.
func (os *objects) changes(ino attr.Inode) {
	os.mu.Lock()
	defer os.mu.Unlock()
	os.altered(ino)
	if ino != (attr.Inode{}) {
		os.empty(ino)
		return
	}
	for ino := range os.full {
		os.empty(ino)
	}
}

func (os *objects) empty(ino attr.Inode) {
	for o := range os.full[ino] {
		if o.filled.Swap(false) && os.byID[o.id] == o {
			os.unfilled.Add(1)
			if o.node != nil {
				os.mount.Expire(o.node)
			}
		}
	}
	delete(os.full, ino)
}

func (os *objects) drop(o *object) {
	os.mu.Lock()
	delete(os.byID, o.id)
	os.all.Add(-1)
	if !o.filled.Load() {
		os.unfilled.Add(-1)
	}
	os.leave(o)
	os.mu.Unlock()
	os.proxy.release(o)
}

// forget undoes fill.
func (os *objects) forget(o *object) {
	os.mu.Lock()
	defer os.mu.Unlock()
	if ino := attr.InodeOf(o.statx); os.full[ino][o] {
		delete(os.full[ino], o)
		if len(os.full[ino]) == 0 {
			delete(os.full, ino)
		}
	}
}

// plainIO are the native calls that transfer to or from a descriptor: true for those that a stand-in with content can serve.
var plainIO = func() map[uint64]bool {
	m := map[uint64]bool{}
	for name, reads := range map[string]bool{
		"read": true, "readv": true, "pread64": true, "preadv": true, "preadv2": true, "lseek": true,
		"write": false, "writev": false, "pwrite64": false, "pwritev": false, "pwritev2": false,
	} {
		if nr, ok := nativeABI.Number(name); ok {
			m[nr] = reads
		}
	}
	return m
}()

// none tells whether a call is plain input or output and there is no object that it could be about: most of what programs do with this host's
// files is that, and need not be looked at.
func (os *objects) none(abi syscalls.ABI, nr uint64) bool {
	reads, io := plainIO[nr]
	if !io || abi != nativeABI {
		return false
	}
	if reads {
		return os.unfilled.Load() == 0
	}
	return os.all.Load() == 0
}

// watch reports objects that nobody has open any more, until close.
func (os *objects) watch() {
	for {
		fds := []unix.PollFd{{Fd: int32(os.inotify), Events: unix.POLLIN}}
		if _, err := unix.Poll(fds, -1); err != nil && err != unix.EINTR {
			return
		}
		if fds[0].Revents&^unix.POLLIN != 0 || !os.drain() {
			return
		}
	}
}

// drain reports the objects that have been closed until now. It tells whether there can be more.
func (os *objects) drain() bool {
	if os.mount != nil {
		os.mount.Wait()
		return true
	}
	os.draining.Lock()
	defer os.draining.Unlock()
	buf := make([]byte, 16<<10)
	for {
		n, err := unix.Read(os.inotify, buf)
		switch {
		case err == unix.EINTR:
			continue
		case err == unix.EAGAIN:
			return true
		case err != nil || n <= 0:
			return false
		}
		for b := buf[:n]; len(b) >= unix.SizeofInotifyEvent; {
			ev := (*unix.InotifyEvent)(unsafe.Pointer(unsafe.SliceData(b)))
			b = b[unix.SizeofInotifyEvent+int(ev.Len):]
			if ev.Mask&unix.IN_DELETE_SELF == 0 {
				continue
			}
			os.mu.Lock()
			o := os.byWD[ev.Wd]
			delete(os.byWD, ev.Wd)
			os.mu.Unlock()
			if o != nil {
				os.drop(o)
			}
		}
	}
}

// of returns the object that a descriptor of a thread stands for, nil if it is none of ours.
func (os *objects) of(tid, fd int) *object {
	return os.named(openLink(tid, fd))
}

// named returns the object whose stand-in has the name that /proc shows.
func (os *objects) named(link string) *object {
	rest, ok := strings.CutPrefix(link, os.link)
	if !ok {
		return nil
	}
	rest, _, _ = strings.Cut(rest, " ")
	id, err := strconv.ParseUint(rest, 10, 64)
	if err != nil {
		return nil
	}
	os.mu.Lock()
	defer os.mu.Unlock()
	return os.byID[id]
}

// procLink reads a link in /proc/TID, "" if that is not possible.
func procLink(tid int, what string) string {
	var buf [4200]byte
	n, err := unix.Readlink("/proc/"+strconv.Itoa(tid)+"/"+what, buf[:])
	if err != nil {
		return ""
	}
	return string(buf[:n])
}

// openLink reads what a thread has open as a descriptor, "" if that is nothing.
func openLink(tid, fd int) string {
	if fd < 0 {
		return ""
	}
	return procLink(tid, fdLink(fd))
}

func fdLink(fd int) string { return "fd/" + strconv.Itoa(fd) }
