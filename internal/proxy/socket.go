package proxy

import (
	"encoding/binary"
	"errors"
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
)

// A socket is what a unix socket of the program stands for.
type socket struct {
	family   uint16
	datagram bool
	name     string // of the unix socket, as package unix has it
	accepted bool   // the name is the listener's
	options  int    // a socket of this host with the options that the program has set, -1 if they are the unix socket's own

	accepting sync.Mutex

	mu          sync.Mutex
	state       socketState
	id          uint32 // the server's number while it is bound or listens
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
	arrived map[string]*socket // connections that nobody has accepted yet, by the name of our end
	probe   *time.Ticker
	stop    chan struct{}

	joining sync.Mutex
	ours    [2]int // listeners for stream and datagram sockets, 0: not there yet
	names   [2]unix.Sockaddr
}

// of returns the socket that a descriptor stands for, nil if it is none of ours.
func (ss *sockets) of(tid, fd int) *socket {
	if ss.count.Load() == 0 || fd < 0 {
		return nil
	}
	rest, ok := strings.CutPrefix(procLink(tid, fdLink(fd)), "socket:[")
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
		ss.byInode, ss.arrived = map[uint64]*socket{}, map[string]*socket{}
		ss.probe, ss.stop = time.NewTicker(probeInterval), make(chan struct{})
		go ss.prober(ss.probe.C, ss.stop)
	}
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
			ss.sweep()
		case <-stop:
			return
		}
	}
}

// sweep forgets the sockets that programs have closed, and has the server close those that it has for them.
func (ss *sockets) sweep() {
	for _, s := range ss.remove(func(s *socket) bool { return !s.accepted && unused(s.name, s.datagram) }) {
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
	for _, fd := range ss.ours {
		if fd > 0 {
			unix.Close(fd)
		}
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
	if s.options, err = unix.Socket(int(family), kind|unix.SOCK_CLOEXEC, protocol); err != nil {
		return -1, nil, err
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
	unix.Close(s.options)
	return -1, nil, err
}

// network are the calls about sockets that may be the server's. What they return is what Handle returns.
var network map[string]func(*request) func()

func init() { // its functions refer to it
	network = map[string]func(*request) func(){
		"socket": newSocket, "connect": connect, "bind": bind, "listen": listen, "accept": accept, "accept4": accept,
		"getsockname": func(q *request) func() { return q.socketName(func(s *socket) []byte { return s.local }) },
		"getpeername": func(q *request) func() { return q.socketName(func(s *socket) []byte { return s.peer }) },
		"getsockopt":  getsockopt,
		"setsockopt":  setsockopt,
		"recvfrom":    transfer, "sendto": transfer, "recvmsg": transfer, "sendmsg": transfer, "recvmmsg": transfer, "sendmmsg": transfer,
	}
}

// filesNetwork are those that can be about a unix socket, which is a file there, whoseever the network is.
var filesNetwork = map[string]bool{"connect": true, "bind": true}

// datagramIO are the calls of files that datagram sockets know too.
var datagramIO = map[string]bool{"read": true, "readv": true, "write": true, "writev": true}

// aside lets the kernel execute a call about a socket of this host.
func (q *request) aside() func() {
	q.counts.local.Add(1)
	q.Continue()
	return nil
}

// refuse answers with an error.
func (q *request) refuse(e unix.Errno) func() {
	q.fault(e)
	return nil
}

// newSocket makes sockets of the Internet.
func newSocket(q *request) func() {
	family, kind, protocol := uint16(q.args[0]), int(q.args[1]&0xf), int(int32(q.args[2]))
	if family != unix.AF_INET && family != unix.AF_INET6 {
		return q.aside()
	}
	switch {
	case kind == unix.SOCK_STREAM && (protocol == 0 || protocol == unix.IPPROTO_TCP):
	case kind == unix.SOCK_DGRAM && (protocol == 0 || protocol == unix.IPPROTO_UDP):
	case kind == unix.SOCK_RAW:
		q.debug("%d socket: raw: not carried", q.TID())
		return q.refuse(unix.EPERM)
	default:
		fd, err := unix.Socket(int(family), kind, protocol)
		if e, ok := err.(unix.Errno); ok {
			return q.refuse(e)
		}
		unix.Close(fd)
		q.debug("%d socket: type %d, protocol %d: not carried", q.TID(), kind, protocol)
		return q.refuse(unix.EPROTONOSUPPORT)
	}
	fd, _, err := q.sockets.newStandIn(family, kind, protocol)
	if err == nil {
		defer unix.Close(fd)
		if q.args[1]&unix.SOCK_NONBLOCK != 0 {
			err = unix.SetNonblock(fd, true)
		}
	}
	if err != nil {
		var e unix.Errno
		if !errors.As(err, &e) {
			e = unix.ENOBUFS
		}
		return q.refuse(e)
	}
	q.counts.answered.Add(1)
	q.Install(fd, q.args[1]&unix.SOCK_CLOEXEC != 0)
	return nil
}

// grab makes a copy of a descriptor of the program.
func (q *request) grab(fd int) (int, error) {
	pid := processOf(q.TID())
	pidfd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return -1, err
	}
	defer unix.Close(pidfd)
	return unix.PidfdGetfd(pidfd, fd, 0)
}

// processOf is the process that a thread belongs to, 0 if it is gone.
func processOf(tid int) int {
	n, err := strconv.Atoi(statusOf(strconv.Itoa(tid), "Tgid:"))
	if err != nil {
		return 0
	}
	return n
}

// address reads a struct sockaddr from the program.
func (q *request) address(addr, size uint64) []byte {
	b := make([]byte, min(uint64(uint32(size)), 128))
	return b[:q.Read(addr, b)]
}

func familyOf(addr []byte) uint16 {
	if len(addr) < 2 {
		return unix.AF_UNSPEC
	}
	return binary.NativeEndian.Uint16(addr)
}

// anyAddress is the address of a socket that has none: 0.0.0.0 or ::, port 0 (ip(7), ipv6(7)).
func anyAddress(family uint16) []byte {
	size := 16
	switch family {
	case unix.AF_INET6:
		size = 28
	case unix.AF_UNIX:
		size = 2
	}
	b := make([]byte, size)
	binary.NativeEndian.PutUint16(b, family)
	return b
}

// nonblocking tells whether calls about an open file are not to wait.
func nonblocking(fd int) bool {
	fl, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
	return err == nil && fl&unix.O_NONBLOCK != 0
}

// signalInterval is how often it is looked whether a signal is to interrupt a thread that waits for us.
const signalInterval = 50 * time.Millisecond

// errRestart has the kernel make the call again behind the signal's handler, or fail with EINTR, as the handler's SA_RESTART says:
// ERESTARTSYS (linux/errno.h).
const errRestart = 512

// A patience waits for something on behalf of a thread, until a signal is to be delivered to that.
type patience struct {
	tid     int
	pending bool // it was when we looked last
}

// over tells that it is time to give up. A signal that another thread of the process takes is there for a moment only.
func (p *patience) over() bool {
	was := p.pending
	p.pending = signalled(p.tid)
	return was && p.pending
}

// signalled tells whether a thread has a signal pending that it does not block or ignore (proc_pid_status(5)).
func signalled(tid int) bool {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(tid) + "/status")
	if err != nil {
		return true // gone
	}
	var pending, masked uint64
	for line := range strings.Lines(string(b)) {
		name, value, _ := strings.Cut(line, ":")
		n, err := strconv.ParseUint(strings.TrimSpace(value), 16, 64)
		if err != nil {
			continue
		}
		switch name {
		case "SigPnd", "ShdPnd":
			pending |= n
		case "SigBlk", "SigIgn":
			masked |= n
		}
	}
	return pending&^masked != 0
}

// await waits for done and tells whether it came; otherwise there is a signal.
func (q *request) await(done <-chan struct{}) bool {
	p := patience{tid: q.TID()}
	t := time.NewTicker(signalInterval)
	defer t.Stop()
	for {
		select {
		case <-done:
			return true
		case <-t.C:
			if p.over() {
				return false
			}
		}
	}
}

// ready waits until a descriptor is ready: 0, EAGAIN if that takes longer than the limit, which 0 is none, or the number for a signal.
func (q *request) ready(fd int, events int16, limit time.Duration) unix.Errno {
	p := patience{tid: q.TID()}
	end := time.Now().Add(limit)
	for {
		d := signalInterval
		if limit > 0 {
			if d = min(d, time.Until(end)); d <= 0 {
				return unix.EAGAIN
			}
		}
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: events}}, int(d.Milliseconds())+1)
		switch {
		case n > 0:
			return 0
		case err != nil && err != unix.EINTR:
			return unix.EBADF
		case p.over():
			if limit > 0 { // as socket(7) says of SO_RCVTIMEO
				return unix.EINTR
			}
			return errRestart
		}
	}
}
