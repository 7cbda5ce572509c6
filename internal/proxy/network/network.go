// Package network has the sockets of proxied programs that are the server's: what stands for them here, and the calls about them.
package network

import (
	"encoding/binary"
	"errors"
	"sync/atomic"

	"farcall/remote/client"

	"golang.org/x/sys/unix"
)

// A Request is a call that waits for an answer, as package proxy has it.
type Request interface {
	TID() int
	Process() int       // that the thread belongs to
	Link(fd int) string // what /proc says that a descriptor is, "" if it is none
	Read(addr uint64, b []byte) int
	Write(addr uint64, b []byte) (int, error)

	Here()                          // the kernel is to execute it
	Asked()                         // the server is asked
	Answer(v int64)                 // without it
	Result(ret int64, err error)    // with it
	Return(v int64)                 // with a number that is for the kernel
	Deny(e unix.Errno)              // it cannot be carried
	Install(file int, cloexec bool) // the result is a descriptor
	Redirect(args [6]uint64)        // the kernel is to execute it with other arguments

	Place(addr []byte) (far string, ok bool) // the server's name of a struct sockaddr_un, ok if it is there
	Changed()                                // files have changed there
	Lost(err error)                          // the session is over
	Debug(format string, args ...any)
}

// A Network are the sockets of the programs of one session.
type Network struct {
	conn     *client.Conn
	all      bool
	warn     func(string)
	sessions atomic.Int64 // that there have been
	sockets  sockets
}

// New makes a Network. With all, all sockets of the Internet are the server's; without, only unix sockets whose paths are.
// warn is told what the user should know.
func New(conn *client.Conn, all bool, warn func(string)) *Network {
	n := &Network{conn: conn, all: all, warn: warn}
	n.sockets.free = conn.Release
	go func() {
		<-conn.Ended()
		n.Restarted()
	}()
	return n
}

// Close ends all that there is. The programs must have ended.
func (n *Network) Close() { n.sockets.close() }

// Datagrams tells whether there is a datagram socket, which reads and writes may be about.
func (n *Network) Datagrams() bool { return n.sockets.datagrams.Load() > 0 }

// Handle handles a call if it is about a socket: it answers it, or returns the part of that which waits. ok is false for calls that it does not know and, among
// those of DatagramIO, for those that are about files.
func (n *Network) Handle(r Request, name string, number uint64, args [6]uint64) (rest func(), ok bool) {
	q := &call{r, n, name, number, args}
	if f := handlers[name]; f != nil && (n.all || filesNetwork[name]) {
		return f(q), true
	}
	if n.Datagrams() && DatagramIO[name] {
		if s := n.sockets.of(r.Link(int(int32(args[0])))); s != nil && s.datagram {
			return q.datagrams(s), true
		}
	}
	return nil, false
}

// Knows tells whether a call is one about sockets, and whether it has to be seen.
func Knows(name string, all bool) (known, seen bool) {
	known = handlers[name] != nil
	return known, known && (all || filesNetwork[name])
}

// A call is one that is being handled.
type call struct {
	Request
	*Network
	name string
	nr   uint64
	args [6]uint64
}

// handlers are the calls about sockets that may be the server's. What they return waits, and is to be run anywhere.
var handlers map[string]func(*call) func()

func init() { // its functions refer to it
	handlers = map[string]func(*call) func(){
		"socket": newSocket, "connect": connect, "bind": bind, "listen": listen, "accept": accept, "accept4": accept,
		"getsockname": func(q *call) func() { return q.socketName(func(s *socket) []byte { return s.local }) },
		"getpeername": func(q *call) func() { return q.socketName(func(s *socket) []byte { return s.peer }) },
		"getsockopt":  getsockopt,
		"setsockopt":  setsockopt,
		"recvfrom":    transfer, "sendto": transfer, "recvmsg": transfer, "sendmsg": transfer, "recvmmsg": transfer, "sendmmsg": transfer,
	}
}

// filesNetwork are those that can be about a unix socket, which is a file there, whoseever the network is.
var filesNetwork = map[string]bool{"connect": true, "bind": true}

// DatagramIO are the calls of files that datagram sockets know too.
var DatagramIO = map[string]bool{"read": true, "readv": true, "write": true, "writev": true}

// aside lets the kernel execute a call about a socket of this host.
func (q *call) aside() func() {
	q.Here()
	return nil
}

// put writes an answer into the program's memory.
func (q *call) put(addr uint64, b []byte) bool {
	if _, err := q.Write(addr, b); err != nil {
		q.Answer(-int64(unix.EFAULT))
		return false
	}
	return true
}

// refuse answers with an error.
func (q *call) refuse(e unix.Errno) func() {
	q.Answer(-int64(e))
	return nil
}

// newSocket makes sockets of the Internet.
func newSocket(q *call) func() {
	family, kind, protocol := uint16(q.args[0]), int(q.args[1]&0xf), int(int32(q.args[2]))
	if family != unix.AF_INET && family != unix.AF_INET6 {
		return q.aside()
	}
	switch {
	case kind == unix.SOCK_STREAM && (protocol == 0 || protocol == unix.IPPROTO_TCP):
	case kind == unix.SOCK_DGRAM && (protocol == 0 || protocol == unix.IPPROTO_UDP):
	case kind == unix.SOCK_RAW:
		q.Debug("%d socket: raw: not carried", q.TID())
		return q.refuse(unix.EPERM)
	default:
		fd, err := unix.Socket(int(family), kind, protocol)
		if e, ok := err.(unix.Errno); ok {
			return q.refuse(e)
		}
		unix.Close(fd)
		q.Debug("%d socket: type %d, protocol %d: not carried", q.TID(), kind, protocol)
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
	q.Install(fd, q.args[1]&unix.SOCK_CLOEXEC != 0)
	return nil
}

// grab makes a copy of a descriptor of the program.
func (q *call) grab(fd int) (int, error) {
	pidfd, err := unix.PidfdOpen(q.Process(), 0)
	if err != nil {
		return -1, err
	}
	defer unix.Close(pidfd)
	return unix.PidfdGetfd(pidfd, fd, 0)
}

// address reads a struct sockaddr from the program.
func (q *call) address(addr, size uint64) []byte {
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
