// Package fuse makes open files whose reading and writing this process answers: files of a file system in user space (fuse(4)) that has no place in the
// tree of directories. So nobody has them but those who were given a descriptor.
//
// It is not a library for file systems: such a one answers requests in whatever order, and here the order matters in which files are closed and
// opened.
package fuse

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"sync"

	"golang.org/x/sys/unix"
)

// A Mount is such a file system.
type Mount struct {
	root   int
	opener opener

	sending sync.RWMutex
	dev     int // /dev/fuse, -1 when it is over

	mu    sync.Mutex
	next  uint64              // number of a node or of an open file
	time  uint64              // see changed
	nodes map[uint64]*opening // what is being opened, by the number of its node
	names map[string]*opening // and by its name
	files map[uint64]*open    // by the handle that the kernel has
	asked map[uint64]*Request // what is not answered yet
}

// A Node is what the kernel takes for one file: what it keeps of a file's content and its size is one for all who have it open.
type Node struct {
	id      uint64
	opening sync.Mutex // one after the other
}

// An opening is a file that is being opened.
type opening struct {
	node *Node
	file File
	size uint64
}

// open is an open file.
type open struct {
	File
	node *Node
}

// A File answers what the kernel asks about an open file. Its methods are called one after the other, and must not wait: what takes time is
// answered later, by another goroutine, exactly once.
type File interface {
	// Kind tells what is opened, when it is opened. content is all of a Cached file; of others it is ignored.
	Kind() (kind Kind, content []byte)
	// Read asks for n bytes, at most, from an offset: answered by Data or Fail.
	Read(q *Request, at int64, n int)
	// Write has bytes written, which stay until the answer, Written or Fail.
	Write(q *Request, at int64, b []byte)
	// Size asks for the size of the file: answered by Size or Fail.
	Size(q *Request)
	// Seek looks for data or a hole: answered by Position or Fail.
	Seek(q *Request, at int64, whence uint32)
	// Sync is fsync(2): answered by Done or Fail.
	Sync(q *Request)
	// Closed tells that nobody has it open any more.
	Closed()
}

// A Kind says how the kernel reads a file.
type Kind int

const (
	// Direct files are asked each time.
	Direct Kind = iota
	// Cached files have content that the kernel keeps until Expire.
	Cached
	// Stream files have no position.
	Stream
	// Directory files cannot be read.
	Directory
)

// New makes a file system. It needs CAP_SYS_ADMIN, or user namespaces that anybody may make, and fsmount(2): Linux 5.2.
//
// Errors: an errno wrapped with what failed; ENOENT or EACCES where there is no /dev/fuse, ENODEV where the kernel has none, EPERM, ENOSYS.
func New() (*Mount, error) {
	dev, root, err := mountHere()
	if errors.Is(err, unix.EPERM) {
		dev, root, err = mountElsewhere()
	}
	if err != nil {
		return nil, err
	}
	return begin(dev, root), nil
}

// begin serves a mount.
func begin(dev, root int) *Mount {
	m := &Mount{
		dev: dev, root: root, next: rootNode, nodes: map[uint64]*opening{}, names: map[string]*opening{}, files: map[uint64]*open{}, asked: map[uint64]*Request{},
	}
	go m.serve()
	return m
}

// rootNode is the number of the root (FUSE_ROOT_ID).
const rootNode = 1

// mountHere makes a mount, and returns the descriptors of /dev/fuse and of its root.
func mountHere() (dev, root int, err error) {
	dev, err = unix.Open("/dev/fuse", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, -1, fmt.Errorf("open /dev/fuse: %w", err)
	}
	if root, err = mount(dev); err != nil {
		unix.Close(dev)
		return -1, -1, err
	}
	return dev, root, nil
}

// mount makes a mount that is in no tree, and returns its root.
func mount(dev int) (root int, err error) {
	fs, err := unix.Fsopen("fuse", unix.FSOPEN_CLOEXEC)
	if err != nil {
		return -1, fmt.Errorf("fsopen fuse: %w", err)
	}
	defer unix.Close(fs)
	for _, o := range [][2]string{
		{"source", "farcall"}, {"fd", strconv.Itoa(dev)}, {"rootmode", "40000"},
		{"user_id", strconv.Itoa(unix.Geteuid())}, {"group_id", strconv.Itoa(unix.Getegid())},
	} {
		if err := unix.FsconfigSetString(fs, o[0], o[1]); err != nil {
			return -1, fmt.Errorf("fsconfig fuse %s=%s: %w", o[0], o[1], err)
		}
	}
	if err := unix.FsconfigCreate(fs); err != nil {
		return -1, fmt.Errorf("fsconfig fuse: %w", err)
	}
	root, err = unix.Fsmount(fs, unix.FSMOUNT_CLOEXEC, unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NODEV|unix.MOUNT_ATTR_NOATIME)
	if err != nil {
		return -1, fmt.Errorf("fsmount fuse: %w", err)
	}
	return root, nil
}

// NewNode makes a node.
func (m *Mount) NewNode() *Node {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.next++
	return &Node{id: m.next}
}

// Open opens a file of a node and returns its descriptor. name, which nothing else that is open should have, and which has no slash, is what /proc shows,
// behind a slash. size is the size that it has, as far as is known; of a Cached one that of its content counts.
//
// Errors: an errno of open(2).
func (m *Mount) Open(n *Node, f File, name string, size uint64, flags int) (fd int, err error) {
	if kind, content := f.Kind(); kind == Cached {
		size = uint64(len(content))
	}
	if fd, err = m.openAs(&opening{n, f, size}, name, flags); err != nil {
		return -1, fmt.Errorf("open %s: %w", name, err)
	}
	return fd, nil
}

// Resize tells the kernel what size a node has, of which f is open: it uses that where a program appends. Other than by writing it is not told.
func (m *Mount) Resize(n *Node, f File, size uint64) {
	if fd, err := m.openAs(&opening{n, f, size}, "size-"+strconv.FormatUint(n.id, 10), unix.O_PATH); err == nil { // looks it up
		unix.Close(fd)
	}
}

// openAs opens a file by a name that it has for this.
func (m *Mount) openAs(as *opening, name string, flags int) (fd int, err error) {
	n := as.node
	n.opening.Lock()
	defer n.opening.Unlock()
	m.mu.Lock()
	m.names[name], m.nodes[n.id] = as, as
	m.mu.Unlock()
	defer func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		delete(m.names, name)
		delete(m.nodes, n.id)
	}()
	return m.opener.open(m.root, name, flags)
}

// Wait waits until all files that have been closed until now have been told so.
func (m *Mount) Wait() {
	_, _ = m.opener.open(m.root, "", 0) // what that asks for comes behind them
}

// Expire tells that a file is no longer Cached: each reading asks for its size, and for what is read. What is mapped may stay as it was. It does not wait
// for anybody.
func (m *Mount) Expire(n *Node) {
	b := notification(notifyInvalInode, invalSize)
	putU64(b, outHeaderSize, n.id)
	putU64(b, outHeaderSize+8, math.MaxUint64) // -1: only the attributes, without which the kernel does not use its content
	_ = m.send(b, nil)                         // ENOENT: it knows nothing of it
}

// store gives the kernel content to keep.
func (m *Mount) store(n *Node, content []byte) {
	b := notification(notifyStore, storeSize)
	putU64(b, outHeaderSize, n.id)
	putU64(b, outHeaderSize+8, 0)
	putU32(b, outHeaderSize+16, uint32(len(content)))
	_ = m.send(b, content) // what it does not take it asks for
}

// Close lets go of it: it is over when the last file has been closed.
func (m *Mount) Close() error {
	m.opener.close()
	return unix.Close(m.root)
}
