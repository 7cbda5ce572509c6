package proxy

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"farcall/remote/wire"

	"golang.org/x/sys/unix"
)

// A program whose working directory is on the server has, for the kernel, an empty directory of ours as working directory. So it is
// inherited, shared between threads and changed by the kernel, as any other.

// A directory is one of the server's that is, or was, somebody's working directory.
type directory struct {
	stub   string // the empty directory
	path   string // the server's name for it
	handle uint32
}

type inode struct {
	major, minor uint32
	ino          uint64
}

func inodeOf(statx []byte) inode {
	if statx == nil {
		return inode{}
	}
	x := statxOf(statx)
	return inode{x.Dev_major, x.Dev_minor, x.Ino}
}

type directories struct {
	root string // where the stubs are

	mu      sync.Mutex
	byStub  map[string]*directory
	byInode map[inode]*directory
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
	// With "." behind it, the directory has to be searchable, as for chdir(2).
	ask := strings.TrimSuffix(path, "/") + "/."
	r, err := p.conn.OpenX(&wire.OpenX{Dir: dir, Path: ask, Flags: unix.O_PATH | unix.O_DIRECTORY})
	if err != nil {
		return nil, 0, err
	}
	if r.Ret < 0 {
		return nil, r.Ret, nil
	}
	ds := p.dirs
	ds.mu.Lock()
	defer ds.mu.Unlock()
	ino := inodeOf(r.Statx)
	if d := ds.byInode[ino]; d != nil && d.path == r.Path {
		p.conn.CloseHandle(uint32(r.Ret))
		return d, 0, nil
	}
	d = &directory{stub: filepath.Join(ds.root, strconv.Itoa(len(ds.byStub))), path: r.Path, handle: uint32(r.Ret)}
	if d.path == "" { // no /proc there
		d.path = path
	}
	if err := os.Mkdir(d.stub, 0o555); err != nil {
		p.conn.CloseHandle(d.handle)
		return nil, -int64(unix.EIO), nil
	}
	ds.byStub[d.stub], ds.byInode[ino] = d, d
	return d, 0, nil
}
