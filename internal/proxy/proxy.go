// Package proxy runs programs some of whose files are another host's: it decides for each system call on which side it is executed, and has
// a server execute those of the other side. The mechanisms that intercept calls, seccomp user notification and ptrace, are in files of
// their own.
package proxy

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"

	"farcall/decode"
	"farcall/event"
	"farcall/filter"
	"farcall/internal/proxy/attr"
	"farcall/internal/proxy/cache"
	"farcall/internal/proxy/network"
	"farcall/internal/proxy/view"
	"farcall/remote/client"
	"farcall/remote/wire"

	"golang.org/x/sys/unix"
)

// Options are the options of a Proxy.
type Options struct {
	View view.View

	// Naive forwards call by call: nothing is fetched ahead, nothing is answered from what is known already.
	Naive bool

	// Local keeps the identity of this host: by default uname(2), getuid(2) and their like tell of the server.
	Local bool

	// ReadOnly has nothing changed there, and reading and writing not intercepted.
	ReadOnly bool

	// StandIns say what stands in for files of the server.
	StandIns StandIns

	// Net has sockets connected by the server.
	Net bool

	// Caching says how long what is known about the server's files is believed.
	Caching cache.Caching

	// Savers are the ways in which round trips are saved.
	Savers cache.Savers

	// Profile, if not nil, is what the command asked for last time; it becomes what it asks for this time.
	Profile *cache.Profile

	// Calls, if not nil, says which calls are executed there; the others are this host's, unless they are about what is open there.
	Calls *filter.Program

	// Events, if not nil, is told of each call and where it was executed, one after the other.
	Events func(*event.Event)

	// Explain, if not nil, is told where each path leads, and which rule says so, nil for none. It is called by several goroutines.
	Explain func(name string, side view.Side, rule *view.Rule)

	// Debug, if not nil, is told what is done with each call that does not simply stay here.
	Debug func(format string, args ...any)

	// Warn, if not nil, is told what the user should know.
	Warn func(text string)
}

// What is fetched when a file is opened for reading, in bytes.
const (
	maxData = 128 << 10 // with the answer
	maxFill = 64 << 20  // in pieces that are under way at the same time; larger files are read as the program reads them
)

// A Proxy decides and carries.
type Proxy struct {
	conn        *client.Conn
	opts        Options
	cache       *cache.Cache
	behind      behind
	objects     *objects
	network     *network.Network
	dirs        *directories
	locks       locks
	maps        mappings
	temp        string
	credentials credentials // that programs start with
	counts      counts
	copies      atomic.Uint64 // of programs
	asked       decode.Call   // of which it is decided whether it is wanted
	telling     sync.Mutex    // of events
	failed      sync.Once
	lost        func(error) // the session is over
}

// Counts say what became of the calls that were intercepted.
type Counts struct {
	Local    int64 `json:"local"`    // executed here
	Remote   int64 `json:"remote"`   // needed the server
	Answered int64 `json:"answered"` // answered on the spot
	Denied   int64 `json:"denied"`   // about a remote file, but cannot be carried: ENOSYS
}

type counts struct{ local, remote, answered, denied atomic.Int64 }

// New makes a proxy, which has to begin a session by Connect. lost is called once if that ends while it is needed.
func New(opts Options, lost func(error)) (*Proxy, error) {
	temp, err := os.MkdirTemp("", "farcall-proxy-")
	if errors.Is(err, os.ErrNotExist) { // TMPDIR may be meant for the program, and a directory of the server
		temp, err = os.MkdirTemp("/tmp", "farcall-proxy-")
	}
	if err != nil {
		return nil, err
	}
	// Without links, as /proc shows it.
	if real, err := filepath.EvalSymlinks(temp); err == nil {
		temp = real
	}
	if opts.Naive {
		opts.Caching, opts.Savers = cache.Caching{}, cache.NoSavers
	}
	p := &Proxy{opts: opts, cache: cache.New(opts.Caching), temp: temp, lost: lost}
	p.behind.moved.L = &p.behind.mu
	p.credentials = credentialsOf(os.Getpid())
	p.dirs = &directories{root: filepath.Join(temp, "cwd"), byStub: map[string]*directory{}, byInode: map[attr.Inode]*directory{}}
	err = os.Mkdir(p.dirs.root, 0o711)
	if err == nil {
		err = os.Chmod(temp, 0o711) // programs of other users have to get through
	}
	if err == nil {
		p.objects, err = newObjects(p)
	}
	if err != nil {
		os.RemoveAll(temp)
		return nil, fmt.Errorf("proxy: %w", err)
	}
	if p.objects.mount == nil {
		go p.objects.watch()
	}
	return p, nil
}

// Close removes what was kept in files. The programs must have ended.
func (p *Proxy) Close() error {
	p.closeMappings()
	unix.Close(p.objects.inotify)
	if p.objects.mount != nil {
		p.objects.mount.Close()
	}
	if p.network != nil {
		p.network.Close()
	}
	return os.RemoveAll(p.temp)
}

// Counts are the counters.
func (p *Proxy) Counts() Counts {
	c := &p.counts
	return Counts{c.local.Load(), c.remote.Load(), c.answered.Load(), c.denied.Load()}
}

// release tells the server that nobody has an object open any more.
func (p *Proxy) release(o *object) {
	o.mu.Lock()
	o.dropped = true
	o.mu.Unlock()
	p.unhold(o)
	p.objects.forget(o)
	p.closedFile(o)
	if o.writable() && o.statx != nil {
		p.cache.Writing(o.statx, -1)
	}
}

// unhold closes an object's file on the server.
func (p *Proxy) unhold(o *object) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.held {
		o.held = false
		p.conn.CloseHandle(o.handle)
	}
}

// handle returns the server's handle of an object. One that has been closed there meanwhile is opened again.
//
// Errors: an errno, ESTALE if the path leads elsewhere by now; those of client.Conn.
func (p *Proxy) handle(o *object) (uint32, error) {
	if o.opening != nil {
		<-o.opening
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.held {
		return o.handle, nil
	}
	r, err := p.conn.OpenX(&wire.OpenX{Dir: wire.CWD, Path: o.path, Flags: o.flags &^ (unix.O_CREAT | unix.O_EXCL | unix.O_TRUNC)})
	switch {
	case err != nil:
		return 0, err
	case r.Ret < 0:
		return 0, unix.ESTALE
	case attr.InodeOf(r.Statx) != attr.InodeOf(o.statx):
		p.conn.CloseHandle(uint32(r.Ret))
		return 0, unix.ESTALE
	}
	o.handle, o.held = uint32(r.Ret), true
	return o.handle, nil
}

// fstat asks for the attributes of an open file. A negative ret is the error.
func (p *Proxy) fstat(h uint32) (x *unix.Statx_t, ret int64, err error) {
	var s wire.Space
	name, buf := s.PutString(""), s.Room(wire.StatxSize)
	ret, err = p.conn.Syscall("statx", [6]uint64{uint64(h), name, unix.AT_EMPTY_PATH, unix.STATX_BASIC_STATS, buf}, &s)
	return attr.Statx(s.Bytes(buf, wire.StatxSize)), ret, err
}

// fail tells that the session is over.
func (p *Proxy) fail(err error) {
	p.failed.Do(func() { p.lost(err) })
}

func (p *Proxy) warn(text string) {
	if p.opts.Warn != nil {
		p.opts.Warn(text)
	}
}

func (p *Proxy) debug(format string, args ...any) {
	if p.opts.Debug != nil {
		p.opts.Debug(format, args...)
	}
}
