package proxy

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"farcall/internal/proxy/attr"
	"farcall/internal/proxy/cache"
	"farcall/remote/wire"

	"golang.org/x/sys/unix"
)

// A program whose working directory is on the server has, for the kernel, an empty directory of ours as working directory. So it is
// inherited, shared between threads and changed by the kernel, as any other.

// A directory is one of the server's that is, or was, somebody's working directory.
type directory struct {
	stub string // the empty directory
	*object
}

// maxHeld is how many of them are kept open on the server; the others are opened again when they are needed.
const maxHeld = 200

type directories struct {
	root string // where the stubs are

	mu      sync.Mutex
	byStub  map[string]*directory
	byInode map[attr.Inode]*directory
	held    []*directory // those that may be open, in the order in which they were opened
}

// of returns the directory that a path, as /proc shows it, stands for; nil if it is none of ours.
func (ds *directories) of(stub string) *directory {
	if !strings.HasPrefix(stub, ds.root+"/") {
		return nil
	}
	ds.mu.Lock()
	defer ds.mu.Unlock()
	return ds.byStub[stub]
}

// enter opens a directory of the server and makes its stub. A negative ret is the error.
func (p *Proxy) enter(dir uint32, path string) (d *directory, ret int64, err error) {
	turn := p.cache.Now()
	r, err := p.conn.OpenX(entering(dir, path))
	if err != nil {
		return nil, 0, err
	}
	if r.Path != "" {
		p.cache.Opened(turn, r.Path, false, r, false)
		p.cache.Profile.Note(cache.UseLink, r.Path, 0)
	}
	return p.entered(path, r)
}

// known returns the directory that a chdir is about if it has been one before and is still there, nil if the server has to be asked.
func (q *request) known() *directory {
	_, name, ok := q.question()
	if !ok || q.name != "chdir" || !q.cache.IsRealDir(name) {
		return nil
	}
	k := q.cache.Look(name, false)
	if k == nil || k.Errno != 0 {
		return nil
	}
	q.dirs.mu.Lock()
	defer q.dirs.mu.Unlock()
	d := q.dirs.byInode[attr.InodeOf(k.Statx)]
	if d == nil || d.path != name {
		return nil
	}
	return d
}

// entering opens a directory that is to be a working directory. With "." behind it, it has to be searchable, as for chdir(2).
func entering(dir uint32, path string) *wire.OpenX {
	return &wire.OpenX{Dir: dir, Path: strings.TrimSuffix(path, "/") + "/.", Flags: unix.O_PATH | wire.OpenDirectory}
}

// entered makes the stub of a directory that has been opened.
func (p *Proxy) entered(path string, r *wire.Opened) (d *directory, ret int64, err error) {
	if r.Ret < 0 {
		return nil, r.Ret, nil
	}
	ds := p.dirs
	ds.mu.Lock()
	defer ds.mu.Unlock()
	ino := attr.InodeOf(r.Statx)
	if d := ds.byInode[ino]; d != nil && d.path == r.Path {
		p.conn.CloseHandle(uint32(r.Ret))
		return d, 0, nil
	}
	o := &object{path: r.Path, flags: unix.O_PATH | wire.OpenDirectory, statx: r.Statx, handle: uint32(r.Ret), held: true}
	if o.path == "" { // no /proc there
		o.path = path
	}
	d = &directory{filepath.Join(ds.root, strconv.Itoa(len(ds.byStub))), o}
	if err := os.Mkdir(d.stub, 0o555); err != nil {
		p.release(o)
		return nil, -int64(unix.EIO), nil
	}
	ds.byStub[d.stub], ds.byInode[ino] = d, d
	p.hold(d)
	return d, 0, nil
}

// hold notes that a directory is open on the server, and closes the one that has been for longest if there are too many. p.dirs.mu is held.
func (p *Proxy) hold(d *directory) {
	ds := p.dirs
	ds.held = append(ds.held, d)
	if len(ds.held) > maxHeld {
		p.release(ds.held[0].object)
		ds.held = ds.held[1:]
	}
}

// dirHandle is the server's handle of a directory. Its error is handle's.
func (p *Proxy) dirHandle(d *directory) (uint32, error) {
	d.mu.Lock()
	held := d.held
	d.mu.Unlock()
	h, err := p.handle(d.object)
	if err == nil && !held {
		p.dirs.mu.Lock()
		p.hold(d)
		p.dirs.mu.Unlock()
	}
	return h, err
}
