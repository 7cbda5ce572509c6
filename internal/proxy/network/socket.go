package network

import (
	"encoding/binary"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"farcall/remote/stream"

	"golang.org/x/sys/unix"
)

// A socket of the Internet is, when the network is the server's, a unix socket from its beginning: the program can wait for it, copy it and
// pass it on before it is known what it is going to be. When the server has connected it, we connect the unix socket to one of ours; when it is to listen, the
// unix socket listens too, and we connect to it for each connection of the server's. So reading, writing, waiting and closing are
// the kernel's business. That of a datagram socket keeps the bounds of messages, and each has its address in front, so those are read and
// written by us.

// What a socket is doing.
type socketState uint8

const (
	socketFresh socketState = iota
	socketBound
	socketConnecting
	socketConnected
	socketListening
	socketFailed // to connect
	socketLost   // it was bound or listened in a session that is over
)

// A socket is what a unix socket of the program stands for.
type socket struct {
	family   uint16
	datagram bool
	name     string // of the unix socket, as package unix has it
	inode    uint64
	bound    atomic.Bool // id is not 0
	abortive atomic.Bool // SO_LINGER says that closing it resets the connection
	options  int         // a socket of this host with the options that the program has set, -1 if they are the unix socket's own

	accepting sync.Mutex

	mu          sync.Mutex
	state       socketState
	id          uint32 // the server's number while it is bound or listens
	session     int64  // that has it, by Network.sessions
	local, peer []byte // struct sockaddr, nil if it has none
	joined      bool   // the unix socket is connected
	told        bool   // the program knows that it is connected, or not
	errno       unix.Errno
	done        chan struct{}  // closed when connecting is over
	stream      *stream.Stream // of a datagram socket that is one on the server
}

// sockets are those of the programs.
type sockets struct {
	free      func(id uint32) // has the server close a socket that is not connected
	count     atomic.Int64    // without it there is nothing to look for
	datagrams atomic.Int64
	listening atomic.Bool // a program has listened

	mu      sync.Mutex
	byInode map[uint64]*socket
	arrived map[string]*arrival // connections that nobody has accepted yet, by the name of our end
	probe   *time.Ticker
	stop    chan struct{}

	joining sync.Mutex
	ours    [2]int // listeners for stream and datagram sockets, 0: not there yet
	names   [2]unix.Sockaddr
}

// of returns the socket that a descriptor stands for, nil if it is none of ours.
func (ss *sockets) of(link string) *socket {
	if ss.count.Load() == 0 || link == "" {
		return nil
	}
	rest, ok := strings.CutPrefix(link, "socket:[")
	if !ok {
		return nil
	}
	ino, err := strconv.ParseUint(strings.TrimSuffix(rest, "]"), 10, 64)
	if err != nil {
		return nil
	}
	ss.mu.Lock()
	defer ss.mu.Unlock()
	return ss.byInode[ino]
}

// add notes what a unix socket stands for. It is given a name if it has none.
func (ss *sockets) add(fd int, s *socket) error {
	var err error
	if s.name, err = autobind(fd); err != nil {
		return err
	}
	var fs unix.Stat_t
	if err := unix.Fstat(fd, &fs); err != nil {
		return err
	}
	ss.mu.Lock()
	defer ss.mu.Unlock()
	if ss.byInode == nil {
		ss.byInode, ss.arrived = map[uint64]*socket{}, map[string]*arrival{}
		ss.probe, ss.stop = time.NewTicker(probeInterval), make(chan struct{})
		go ss.prober(ss.probe.C, ss.stop)
	}
	s.inode = fs.Ino
	ss.byInode[fs.Ino] = s
	ss.count.Add(1)
	if s.datagram {
		ss.datagrams.Add(1)
	}
	return nil
}

// autobind gives a unix socket a name that the kernel chooses (unix(7)), and returns it.
func autobind(fd int) (string, error) {
	name, err := unixName(unix.Getsockname(fd))
	if err != nil || name != "" {
		return name, err
	}
	family := [2]byte{}
	binary.NativeEndian.PutUint16(family[:], unix.AF_UNIX)
	if err := rawBind(fd, family[:]); err != nil {
		return "", err
	}
	return unixName(unix.Getsockname(fd))
}

func unixName(sa unix.Sockaddr, err error) (string, error) {
	if err != nil {
		return "", err
	}
	u, ok := sa.(*unix.SockaddrUnix)
	if !ok {
		return "", unix.EAFNOSUPPORT
	}
	if u.Name == "@" { // package unix takes the name of a socket that has none for an abstract one
		return "", nil
	}
	return u.Name, nil
}

// remove forgets the sockets for which gone says so.
func (ss *sockets) remove(gone func(*socket) bool) (removed []*socket) {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	for ino, s := range ss.byInode {
		if !gone(s) {
			continue
		}
		delete(ss.byInode, ino)
		removed = append(removed, s)
		ss.count.Add(-1)
		if s.datagram {
			ss.datagrams.Add(-1)
		}
		if s.options >= 0 {
			unix.Close(s.options)
		}
	}
	return removed
}

// probeInterval is how often it is looked whether programs have closed their sockets: the kernel tells only of those that are connected.
const probeInterval = time.Second

func (ss *sockets) prober(tick <-chan time.Time, stop <-chan struct{}) {
	for {
		select {
		case <-tick:
			ss.sweep(nil)
		case <-stop:
			return
		}
	}
}

// ended returns what is to be done when a connection is over: its socket may be closed.
func (ss *sockets) ended(s *socket) func() {
	return func() { ss.sweep(func(o *socket) bool { return o == s }) }
}

// isBound tells whether the server has a socket for it that is not connected.
func (s *socket) isBound() bool { return s.bound.Load() }

// sweep forgets the sockets that programs have closed, of all or of some, and has the server close those that it has for them.
func (ss *sockets) sweep(some func(*socket) bool) {
	for _, s := range ss.remove(func(s *socket) bool { return (some == nil || some(s)) && unused(s.name, s.datagram) }) {
		s.mu.Lock()
		if s.id != 0 {
			ss.free(s.id)
			s.id = 0
		}
		s.mu.Unlock()
	}
}

// unused tells whether no unix socket has a name.
func unused(name string, datagram bool) bool {
	kind := unix.SOCK_STREAM
	if datagram {
		kind = unix.SOCK_SEQPACKET
	}
	fd, err := unix.Socket(unix.AF_UNIX, kind|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return false
	}
	defer unix.Close(fd)
	return unix.Bind(fd, &unix.SockaddrUnix{Name: name}) == nil
}

// close ends all that there is.
func (ss *sockets) close() {
	ss.mu.Lock()
	if ss.stop != nil {
		ss.probe.Stop()
		close(ss.stop)
		ss.stop = nil
	}
	ss.mu.Unlock()
	ss.remove(func(*socket) bool { return true })
	ss.joining.Lock()
	defer ss.joining.Unlock()
	for i, fd := range ss.ours {
		if fd > 0 {
			unix.Close(fd)
		}
		ss.ours[i] = -1
	}
}

// join connects a unix socket of the program to one of ours.
func (ss *sockets) join(own int, datagram bool) (*net.UnixConn, error) {
	name, err := autobind(own)
	if err != nil {
		return nil, err
	}
	kind, i := unix.SOCK_STREAM, 0
	if datagram {
		kind, i = unix.SOCK_SEQPACKET, 1
	}
	ss.joining.Lock()
	defer ss.joining.Unlock()
	if ss.ours[i] < 0 {
		return nil, net.ErrClosed
	}
	if ss.ours[i] == 0 {
		fd, err := unix.Socket(unix.AF_UNIX, kind|unix.SOCK_CLOEXEC, 0)
		if err == nil {
			if _, err = autobind(fd); err == nil {
				err = unix.Listen(fd, 16)
			}
			if err == nil {
				ss.names[i], err = unix.Getsockname(fd)
			}
			if err != nil {
				unix.Close(fd)
			}
		}
		if err != nil {
			return nil, err
		}
		ss.ours[i] = fd
	}
	if err := unix.Connect(own, ss.names[i]); err != nil {
		return nil, err
	}
	for {
		fd, sa, err := unix.Accept4(ss.ours[i], unix.SOCK_CLOEXEC)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return nil, err
		}
		if peer, _ := unixName(sa, nil); peer != name { // somebody else, to whom the name means nothing
			unix.Close(fd)
			continue
		}
		return unixConn(fd)
	}
}

// unixConn makes a connection of a descriptor, which it takes.
func unixConn(fd int) (*net.UnixConn, error) {
	file := os.NewFile(uintptr(fd), "socket")
	defer file.Close()
	c, err := net.FileConn(file)
	if err != nil {
		return nil, err
	}
	return c.(*net.UnixConn), nil
}

// newStandIn makes a socket and the unix socket that stands for it.
func (ss *sockets) newStandIn(family uint16, kind, protocol int) (fd int, s *socket, err error) {
	s = &socket{family: family, datagram: kind == unix.SOCK_DGRAM}
	if s.options = -1; family != unix.AF_UNIX {
		if s.options, err = unix.Socket(int(family), kind|unix.SOCK_CLOEXEC, protocol); err != nil {
			return -1, nil, err
		}
	}
	if s.datagram {
		kind = unix.SOCK_SEQPACKET
	}
	if fd, err = unix.Socket(unix.AF_UNIX, kind|unix.SOCK_CLOEXEC, 0); err == nil {
		if err = ss.add(fd, s); err == nil {
			return fd, s, nil
		}
		unix.Close(fd)
	}
	if s.options >= 0 {
		unix.Close(s.options)
	}
	return -1, nil, err
}
