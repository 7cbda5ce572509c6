package network

import (
	"io"
	"net"
	"unsafe"

	"farcall/remote/stream"
	"farcall/remote/wire"

	"golang.org/x/sys/unix"
)

func rawBind(fd int, addr []byte) error {
	_, _, e := unix.Syscall(unix.SYS_BIND, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(addr))), uintptr(len(addr)))
	if e != 0 {
		return e
	}
	return nil
}

// mine finds the socket that a call's first argument stands for, and a copy of it.
func (q *call) mine() (s *socket, own int) {
	fd := int(int32(q.args[0]))
	if s = q.sockets.of(q.Link(fd)); s == nil {
		return nil, -1
	}
	own, err := q.grab(fd)
	if err != nil {
		return nil, -1
	}
	return s, own
}

// addressed handles a call that names an address, bind or connect: one of a unix socket there is for unixSocket, with the server's name of it; one of a socket
// that stands for one there is for socket, which closes own; all others are this host's.
func (q *call) addressed(unixSocket func(far string) func(), socket func(s *socket, own int, addr []byte) func()) func() {
	addr := q.address(q.args[1], q.args[2])
	if familyOf(addr) == unix.AF_UNIX {
		if far, ok := q.Place(addr); ok {
			return unixSocket(far)
		}
		return q.aside()
	}
	s, own := q.mine()
	if s == nil {
		return q.aside()
	}
	if len(addr) < 2 {
		unix.Close(own)
		return q.refuse(unix.EINVAL)
	}
	return socket(s, own, addr)
}

// connect connects a socket there.
func connect(q *call) func() {
	if q.sockets.listening.Load() { // what programs here have closed is not to be reached
		q.sockets.sweep((*socket).isBound)
	}
	return q.addressed(q.connectUnix, q.connectSocket)
}

// connectSocket connects a socket of the Internet.
func (q *call) connectSocket(s *socket, own int, addr []byte) func() {
	if s.datagram {
		return func() {
			defer unix.Close(own)
			q.Asked()
			q.Result(q.connectDatagram(s, own, addr))
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	e := unix.Errno(0)
	wait := !nonblocking(own)
	switch s.state {
	case socketConnecting:
		if !wait {
			e = unix.EALREADY
		}
	case socketConnected, socketListening:
		if s.told || s.state == socketListening {
			e = unix.EISCONN
		}
		s.told, wait = true, false
	case socketFailed:
		e, wait = q.failure(s), false
	case socketLost:
		e = unix.EINVAL
	default:
		if familyOf(addr) == unix.AF_UNSPEC {
			wait = false
			break
		}
		keep, err := unix.FcntlInt(uintptr(own), unix.F_DUPFD_CLOEXEC, 0)
		if err != nil {
			e = unix.ENOBUFS
			break
		}
		if e = q.dial(s, keep, addr, !wait); e == 0 && !wait {
			e = unix.EINPROGRESS
		}
	}
	unix.Close(own)
	if e != 0 || !wait {
		q.Answer(-int64(e))
		return nil
	}
	done := s.done
	return func() {
		if e := q.await(done); e != 0 {
			q.Return(-int64(e))
			return
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.state == socketFailed {
			q.Result(-int64(q.failure(s)), nil)
			return
		}
		s.told = true
		q.Result(0, nil)
	}
}

// failure is what a connect says about one that has failed. s.mu is held.
func (q *call) failure(s *socket) unix.Errno {
	e := s.errno
	s.errno = 0
	if !s.joined {
		s.state = socketFresh
	}
	if e == 0 {
		e = unix.ECONNABORTED
	}
	return e
}

// dial has the server connect a socket, and comes back at once. own is a copy of the unix socket, which dial closes. ahead is for programs
// that do not wait: the unix socket is connected already, but cannot be written to until that which it stands for is. s.mu is held.
func (q *call) dial(s *socket, own int, addr []byte, ahead bool) unix.Errno {
	var near *net.UnixConn
	var lift func() error
	if ahead {
		var err error
		if near, err = q.sockets.join(own, false); err == nil {
			s.joined = true
			lift, err = obstruct(own, near)
		}
		if err != nil {
			unix.Close(own)
			return unix.ENOBUFS
		}
	}
	s.state, s.told, s.done = socketConnecting, false, make(chan struct{})
	id := s.id
	q.Asked()
	go func() {
		defer unix.Close(own)
		var r *wire.Dialed
		var st *stream.Stream
		var err error
		if id != 0 {
			r, st, err = q.conn.DialFrom(id, false, addr)
		} else {
			r, st, err = q.conn.Dial(false, addr)
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		defer close(s.done)
		if err == nil && r.Ret < 0 {
			err = unix.Errno(-r.Ret)
		}
		if err == nil && near == nil {
			near, err = q.sockets.join(own, false)
			s.joined = err == nil
		}
		if err == nil && lift != nil {
			err = lift()
		}
		s.id = 0
		s.bound.Store(false)
		if err != nil {
			s.state = socketFailed
			if e, ok := err.(unix.Errno); ok {
				s.errno = e
			} else { // the connection to the server's
				s.errno = unix.EIO
				q.Lost(err)
			}
			if st != nil {
				st.Refuse(unix.ECONNRESET)
			}
			if near != nil {
				near.Close()
			}
			return
		}
		s.state, s.local, s.peer = socketConnected, r.Local, r.Peer
		st.Attach(&standIn{UnixConn: near, socket: s}, q.sockets.ended(s))
	}()
	return 0
}

// obstruct makes a unix socket unable to be written to, until lift is called: with bytes that its peer does not read before. If the peer is
// closed instead, the socket has an error, as has one that could not be connected.
func obstruct(own int, near *net.UnixConn) (lift func() error, err error) {
	size, err := unix.GetsockoptInt(own, unix.SOL_SOCKET, unix.SO_SNDBUF)
	if err == nil {
		err = unix.SetsockoptInt(own, unix.SOL_SOCKET, unix.SO_SNDBUF, 0) // as small as can be
	}
	if err != nil {
		return nil, err
	}
	n := 0
	for buf := make([]byte, 2048); ; {
		m, err := unix.SendmsgN(own, buf, nil, nil, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL)
		if err == unix.EAGAIN {
			break
		}
		if err != nil {
			return nil, err
		}
		n += m
	}
	return func() error {
		if err := unix.SetsockoptInt(own, unix.SOL_SOCKET, unix.SO_SNDBUF, size/2); err != nil { // the kernel doubles it (socket(7))
			return err
		}
		_, err := io.CopyN(io.Discard, near, int64(n))
		return err
	}, nil
}

// nscd are the names of the socket of nscd(8), which the C library tries before it looks for users, groups and hosts itself. It would be handed
// descriptors there, which cannot be carried.
var nscd = map[string]bool{"/var/run/nscd/socket": true, "/run/nscd/socket": true}

// connectUnix connects a unix socket to one of the server.
func (q *call) connectUnix(far string) func() {
	if nscd[far] {
		return q.refuse(unix.ENOENT)
	}
	fd := int(int32(q.args[0]))
	if q.sockets.of(q.Link(fd)) != nil {
		return q.refuse(unix.EISCONN)
	}
	own, err := q.grab(fd)
	if err != nil {
		return q.refuse(unix.EBADF)
	}
	kind, err := unix.GetsockoptInt(own, unix.SOL_SOCKET, unix.SO_TYPE)
	if err != nil || kind != unix.SOCK_STREAM {
		unix.Close(own)
		q.Debug("%d connect %s: a socket of the server, but not for streams: not carried", q.TID(), far)
		q.Deny(unix.ECONNREFUSED)
		return nil
	}
	addr := unixAddress(far)
	return func() {
		defer unix.Close(own)
		q.Asked()
		r, st, err := q.conn.Dial(false, addr)
		if err != nil || r.Ret < 0 {
			q.Result(r.Ret, err)
			return
		}
		s := &socket{family: unix.AF_UNIX, options: -1, state: socketConnected, told: true, joined: true, local: r.Local, peer: addr}
		near, err := q.sockets.join(own, false)
		if err == nil {
			err = q.sockets.add(own, s)
		}
		if err != nil {
			st.Refuse(unix.ECONNRESET)
			q.Result(-int64(unix.ENOBUFS), nil)
			return
		}
		st.Attach(&standIn{UnixConn: near, socket: s}, q.sockets.ended(s))
		q.Result(0, nil)
	}
}

// unixAddress is a struct sockaddr_un.
func unixAddress(path string) []byte {
	return append(append(anyAddress(unix.AF_UNIX), path...), 0)
}
