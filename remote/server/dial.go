package server

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path"
	"strconv"
	"syscall"
	"time"

	"farcall/remote/stream"
	"farcall/remote/wire"

	"golang.org/x/sys/unix"
)

// maxStreams is how many connections a session may have, and how many sockets that have none.
const maxStreams = 512

// dialTimeout is how long a connection may take, as the kernel's own would take (tcp(7), tcp_syn_retries).
const dialTimeout = 130 * time.Second

// answerDialed answers a request about a socket.
func (s *session) answerDialed(f wire.Frame, r wire.Dialed) error {
	return s.send(wire.Frame{Op: wire.OpDialed, ID: f.ID, Payload: r.Encode()})
}

// dial connects a socket for the client. It may take long, so the session goes on meanwhile.
func (s *session) dial(f wire.Frame) error {
	var d wire.Dial
	if err := d.Decode(f.Payload); err != nil {
		return err
	}
	if u := s.datagramSocket(d.Stream); u != nil {
		return s.answerDialed(f, u.connect(d.Addr))
	}
	to, errno := parseSockaddr(d.Addr)
	if errno == 0 && !to.among(s.opts.Connect) {
		errno = unix.EACCES
	}
	if errno == 0 && to.path != "" && d.Datagram {
		errno = unix.EPROTOTYPE
	}
	if errno != 0 {
		s.record("connect", to.String(), -int64(errno))
		return s.answerDialed(f, wire.Dialed{Ret: -int64(errno)})
	}
	if d.Datagram {
		return s.bindDatagram(f, &wire.Bind{Stream: d.Stream, Addr: appendSockaddr(to.family, netip.AddrPort{})}, d.Addr)
	}
	dialer := net.Dialer{LocalAddr: s.takeBound(d.Stream)}
	st, err := s.mux.Open(d.Stream)
	if errors.Is(err, unix.EMFILE) {
		return s.answerDialed(f, wire.Dialed{Ret: -int64(unix.EMFILE)})
	}
	if err != nil {
		return err
	}
	f.Payload = nil // the next frame is read into it
	go s.dialStream(f, st, dialer, to)
	return nil
}

func (s *session) dialStream(f wire.Frame, st *stream.Stream, dialer net.Dialer, to address) {
	ctx, cancel := context.WithTimeout(context.Background(), dialTimeout)
	defer cancel()
	go func() {
		select {
		case <-s.quit:
			cancel()
		case <-ctx.Done():
		}
	}()
	var conn net.Conn
	var err error
	if to.path != "" {
		conn, err = s.dialUnix(ctx, to.path)
	} else {
		conn, err = dialer.DialContext(ctx, "tcp", to.AddrPort.String())
	}
	if err != nil {
		st.Drop()
		e := dialErrno(err)
		s.record("connect", to.String(), -int64(e))
		_ = s.answerDialed(f, wire.Dialed{Ret: -int64(e)})
		return
	}
	s.record("connect", to.String(), 0)
	r := wire.Dialed{Local: appendSockaddr(to.family, addrOf(conn.LocalAddr())), Peer: appendSockaddr(to.family, addrOf(conn.RemoteAddr()))}
	if s.answerDialed(f, r) != nil {
		st.Drop()
		conn.Close()
		return
	}
	st.Attach(socketOf(conn), nil)
}

// socketOf is a connection for a stream.
func socketOf(c net.Conn) stream.Socket {
	if t, ok := c.(*net.TCPConn); ok {
		return resettable{t}
	}
	return c.(stream.Socket)
}

// resettable is a connection that can be reset.
type resettable struct{ *net.TCPConn }

// Interrupt implements stream.Resetter.
func (r resettable) Interrupt() { _ = r.SetDeadline(time.Unix(1, 0)) }

// Reset closes it with a RST (tcp(7), SO_LINGER in socket(7)).
func (r resettable) Reset() {
	_ = r.SetLinger(0)
	r.Close()
}

// dialUnix connects to a unix socket, but not through the links of /proc that are none, which would lead out of the root directory.
func (s *session) dialUnix(ctx context.Context, name string) (net.Conn, error) {
	fd, err := openat(unix.AT_FDCWD, name, unix.O_PATH, 0)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	c, err := new(net.Dialer).DialContext(ctx, "unix", "/proc/self/fd/"+strconv.Itoa(fd))
	if errors.Is(err, unix.ENOENT) { // no /proc: no such links
		c, err = new(net.Dialer).DialContext(ctx, "unix", name)
	}
	return c, err
}

// bind makes a socket with an address.
func (s *session) bind(f wire.Frame) error {
	var b wire.Bind
	if err := b.Decode(f.Payload); err != nil {
		return err
	}
	at, errno := parseSockaddr(b.Addr)
	if errno == 0 && (at.path != "" || at.Port() != 0) && !at.among(s.opts.Bind) {
		errno = unix.EACCES
	}
	if errno == 0 && at.path != "" {
		switch {
		case b.Datagram:
			errno = unix.EPROTOTYPE
		case !s.opts.Write:
			errno = unix.EROFS
		}
	}
	if errno != 0 {
		s.record("bind", at.String(), -int64(errno))
		return s.answerDialed(f, wire.Dialed{Ret: -int64(errno)})
	}
	if b.Datagram {
		return s.bindDatagram(f, &b, nil)
	}
	fd, err := boundSocket(unix.SOCK_STREAM, at, b.Options)
	s.record("bind", at.String(), errnoOrZero(err))
	if err != nil {
		return s.answerDialed(f, wire.Dialed{Ret: errnoOf(err)})
	}
	sk := &socket{family: at.family, fd: fd, at: at, local: nameOf(fd, at.family)}
	if at.path != "" {
		sk.local = append([]byte(nil), b.Addr...)
	}
	if err := s.addSocket(b.Stream, sk); err != nil {
		unix.Close(fd)
		if errors.Is(err, unix.EMFILE) {
			return s.answerDialed(f, wire.Dialed{Ret: -int64(unix.EMFILE)})
		}
		return err
	}
	return s.answerDialed(f, wire.Dialed{Local: sk.local})
}

// boundSocket makes a socket with an address.
func boundSocket(kind int, at address, o wire.BindOptions) (fd int, err error) {
	fd, err = unix.Socket(int(at.family), kind|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return -1, err
	}
	if at.path != "" {
		err = bindUnix(fd, at.path)
	} else {
		err = errors.Join(unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, has(o, wire.BindReuseAddr)),
			unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEPORT, has(o, wire.BindReusePort)))
		if at.family == unix.AF_INET6 && err == nil {
			err = unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, has(o, wire.BindV6Only))
		}
		if err == nil {
			err = unix.Bind(fd, at.sockaddr())
		}
	}
	if err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// bindUnix makes a unix socket's file, as dialUnix finds it.
func bindUnix(fd int, name string) error {
	dir, err := openat(unix.AT_FDCWD, path.Dir(name), unix.O_PATH|unix.O_DIRECTORY, 0)
	if err != nil {
		return err
	}
	defer unix.Close(dir)
	err = unix.Bind(fd, &unix.SockaddrUnix{Name: "/proc/self/fd/" + strconv.Itoa(dir) + "/" + path.Base(name)})
	if err == unix.ENOENT {
		err = unix.Bind(fd, &unix.SockaddrUnix{Name: name})
	}
	return err
}

// listen has a socket wait for connections.
func (s *session) listen(f wire.Frame) error {
	var l wire.Listen
	if err := l.Decode(f.Payload); err != nil {
		return err
	}
	s.mu.Lock()
	sk := s.sockets[l.Stream]
	s.mu.Unlock()
	if sk == nil && s.first > 0 { // of a session before this one
		return s.answerDialed(f, wire.Dialed{Ret: -int64(unix.ESTALE)})
	}
	if sk == nil || sk.udp != nil {
		return fmt.Errorf("%w: LISTEN with stream %d, which is no socket for that", wire.ErrCorrupt, l.Stream)
	}
	at := sk.at
	if at.path == "" { // with the port that it has by now
		at, _ = parseSockaddr(sk.local)
	}
	if !at.among(s.opts.Bind) {
		s.record("listen", at.String(), -int64(unix.EACCES))
		return s.answerDialed(f, wire.Dialed{Ret: -int64(unix.EACCES)})
	}
	var err error
	if sk.listener != nil {
		err = unix.EINVAL // the backlog cannot be changed
	} else {
		err = sk.listen(int(min(l.Backlog, 1<<16)))
	}
	s.record("listen", at.String(), errnoOrZero(err))
	if err != nil {
		return s.answerDialed(f, wire.Dialed{Ret: errnoOf(err)})
	}
	if err := s.answerDialed(f, wire.Dialed{Local: sk.local}); err != nil {
		return err
	}
	go s.accept(l.Stream, sk)
	return nil
}

// listen makes it a listener.
func (sk *socket) listen(backlog int) error {
	if err := unix.Listen(sk.fd, backlog); err != nil {
		return err
	}
	file := os.NewFile(uintptr(sk.fd), "listener")
	l, err := net.FileListener(file)
	file.Close()
	sk.fd = -1
	if err != nil {
		return err
	}
	if u, ok := l.(*net.UnixListener); ok {
		u.SetUnlinkOnClose(false) // that is the client's, as everywhere
	}
	sk.listener = l
	return nil
}

// accept tells the client of connections.
func (s *session) accept(id uint32, sk *socket) {
	for {
		conn, err := sk.listener.Accept()
		if err != nil {
			if ne := net.Error(nil); errors.As(err, &ne) && ne.Timeout() || errors.Is(err, unix.EMFILE) || errors.Is(err, unix.ECONNABORTED) {
				if s.over(pollInterval * time.Millisecond) {
					return
				}
				continue
			}
			return // closed
		}
		number := s.accepted.Add(1) | wire.FromServer
		st, err := s.mux.Open(number)
		if err != nil {
			conn.Close() // too many
			continue
		}
		a := wire.Accepted{Listener: id, Stream: number,
			Local: appendSockaddr(sk.family, addrOf(conn.LocalAddr())), Peer: appendSockaddr(sk.family, addrOf(conn.RemoteAddr()))}
		s.record("accept", conn.RemoteAddr().String(), 0)
		if s.send(wire.Frame{Op: wire.OpAccepted, Payload: a.Encode()}) != nil {
			st.Drop()
			conn.Close()
			return
		}
		st.Attach(socketOf(conn), nil)
	}
}

// A socket is one that has an address but no connection: it may listen. A datagram socket stays one.
type socket struct {
	family   uint16
	at       address
	fd       int // -1 if it is one of the following
	listener net.Listener
	udp      *datagrams
	local    []byte
}

func (sk *socket) close() {
	switch {
	case sk.listener != nil:
		sk.listener.Close()
	case sk.udp != nil:
		sk.udp.Close()
	case sk.fd >= 0:
		unix.Close(sk.fd)
	}
}

// addSocket notes a socket. Errors: EMFILE; wire.ErrCorrupt.
func (s *session) addSocket(id uint32, sk *socket) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.sockets[id] != nil:
		return fmt.Errorf("%w: stream %d is in use", wire.ErrCorrupt, id)
	case s.handles == nil || len(s.sockets) >= maxStreams:
		return unix.EMFILE
	}
	s.sockets[id] = sk
	return nil
}

// takeBound closes a socket that is to be connected and returns its address, nil if there is none: a new one is made.
func (s *session) takeBound(id uint32) net.Addr {
	s.mu.Lock()
	defer s.mu.Unlock()
	sk := s.sockets[id]
	if sk == nil || sk.fd < 0 || sk.at.path != "" {
		return nil
	}
	delete(s.sockets, id)
	sk.close()
	at, _ := parseSockaddr(sk.local)
	return net.TCPAddrFromAddrPort(at.AddrPort)
}

// reset closes a socket that has no connection; others end as their streams do.
func (s *session) reset(f wire.Frame) error {
	if len(f.Payload) >= 4 {
		id := binary.LittleEndian.Uint32(f.Payload)
		s.mu.Lock()
		sk := s.sockets[id]
		delete(s.sockets, id)
		s.mu.Unlock()
		if sk != nil {
			sk.close()
		}
	}
	return s.mux.Handle(f)
}

func addrOf(a net.Addr) netip.AddrPort {
	switch a := a.(type) {
	case *net.TCPAddr:
		return a.AddrPort()
	case *net.UDPAddr:
		return a.AddrPort()
	}
	return netip.AddrPort{}
}

// dialErrno is the error number that connect(2) would have had.
func dialErrno(err error) unix.Errno {
	var e syscall.Errno
	switch {
	case errors.As(err, &e):
		return e
	case errors.Is(err, context.DeadlineExceeded):
		return unix.ETIMEDOUT
	}
	return unix.ENETUNREACH
}

func errnoOrZero(err error) int64 {
	if err == nil {
		return 0
	}
	return errnoOf(err)
}
