package proxy

import (
	"io"
	"net"
	"time"
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
func (q *request) mine() (s *socket, own int) {
	fd := int(int32(q.args[0]))
	if s = q.sockets.of(q.TID(), fd); s == nil {
		return nil, -1
	}
	own, err := q.grab(fd)
	if err != nil {
		return nil, -1
	}
	return s, own
}

// connect connects a socket there.
func connect(q *request) func() {
	if q.sockets.listening.Load() { // what programs here have closed is not to be reached
		q.sockets.sweep()
	}
	addr := q.address(q.args[1], q.args[2])
	if familyOf(addr) == unix.AF_UNIX {
		if far, ok := q.socketPath(addr); ok {
			return q.connectUnix(far)
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
	if s.datagram {
		return func() {
			defer unix.Close(own)
			q.counts.remote.Add(1)
			q.result(q.connectDatagram(s, own, addr))
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
		q.answer(-int64(e))
		return nil
	}
	done := s.done
	return func() {
		if !q.await(done) {
			q.Return(-errRestart)
			return
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.state == socketFailed {
			q.result(-int64(q.failure(s)), nil)
			return
		}
		s.told = true
		q.result(0, nil)
	}
}

// failure is what a connect says about one that has failed. s.mu is held.
func (q *request) failure(s *socket) unix.Errno {
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
func (q *request) dial(s *socket, own int, addr []byte, ahead bool) unix.Errno {
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
	q.counts.remote.Add(1)
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
		if err != nil {
			s.state = socketFailed
			if e, ok := err.(unix.Errno); ok {
				s.errno = e
			} else { // the connection to the server's
				s.errno = unix.EIO
				q.fail(err)
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
		st.Attach(near, q.sockets.sweep)
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
func (q *request) connectUnix(far string) func() {
	if nscd[far] {
		return q.refuse(unix.ENOENT)
	}
	fd := int(int32(q.args[0]))
	if q.sockets.of(q.TID(), fd) != nil {
		return q.refuse(unix.EISCONN)
	}
	own, err := q.grab(fd)
	if err != nil {
		return q.refuse(unix.EBADF)
	}
	kind, err := unix.GetsockoptInt(own, unix.SOL_SOCKET, unix.SO_TYPE)
	if err != nil || kind != unix.SOCK_STREAM {
		unix.Close(own)
		q.debug("%d connect %s: a socket of the server, but not for streams: not carried", q.TID(), far)
		q.refuseCarrying(unix.ECONNREFUSED)
		return nil
	}
	addr := unixAddress(far)
	return func() {
		defer unix.Close(own)
		q.counts.remote.Add(1)
		r, st, err := q.conn.Dial(false, addr)
		if err != nil || r.Ret < 0 {
			q.result(r.Ret, err)
			return
		}
		s := &socket{family: unix.AF_UNIX, options: -1, state: socketConnected, told: true, joined: true, local: r.Local, peer: addr}
		near, err := q.sockets.join(own, false)
		if err == nil {
			err = q.sockets.add(own, s)
		}
		if err != nil {
			st.Refuse(unix.ECONNRESET)
			q.result(-int64(unix.ENOBUFS), nil)
			return
		}
		st.Attach(near, q.sockets.sweep)
		q.result(0, nil)
	}
}

// unixAddress is a struct sockaddr_un.
func unixAddress(path string) []byte {
	return append(append(anyAddress(unix.AF_UNIX), path...), 0)
}

// bind gives a socket an address there.
func bind(q *request) func() {
	addr := q.address(q.args[1], q.args[2])
	if familyOf(addr) == unix.AF_UNIX {
		if far, ok := q.socketPath(addr); ok {
			return q.bindUnix(far)
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
	return func() {
		defer unix.Close(own)
		q.counts.remote.Add(1)
		s.mu.Lock()
		defer s.mu.Unlock()
		q.result(q.bindLocked(s, own, addr))
	}
}

// bindLocked gives a socket an address. s.mu is held.
func (q *request) bindLocked(s *socket, own int, addr []byte) (ret int64, err error) {
	if s.state != socketFresh || s.stream != nil {
		return -int64(unix.EINVAL), nil
	}
	var o wire.BindOptions
	for _, opt := range []struct {
		level, name int
		bit         wire.BindOptions
	}{
		{unix.SOL_SOCKET, unix.SO_REUSEADDR, wire.BindReuseAddr}, {unix.SOL_SOCKET, unix.SO_REUSEPORT, wire.BindReusePort},
		{unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, wire.BindV6Only},
	} {
		if s.family == unix.AF_UNIX || opt.level == unix.IPPROTO_IPV6 && s.family != unix.AF_INET6 {
			continue
		}
		if v, err := unix.GetsockoptInt(s.options, opt.level, opt.name); err == nil && v != 0 {
			o |= opt.bit
		}
	}
	if s.datagram {
		return q.bindDatagram(s, own, o, addr)
	}
	var r *wire.Dialed
	var id uint32
	q.insist(func() int64 {
		if r, id, err = q.conn.Bind(o, addr); err != nil {
			return 0
		}
		return r.Ret
	})
	if err != nil || r.Ret < 0 {
		return r.Ret, err
	}
	s.id, s.state, s.local = id, socketBound, r.Local
	return 0, nil
}

// insist makes a socket with an address again if the address is in use: a program may have closed what has it a moment ago, of which the server
// is only now told.
func (q *request) insist(bind func() (ret int64)) {
	for range 3 {
		if bind() != -int64(unix.EADDRINUSE) {
			return
		}
		q.sockets.sweep()
		time.Sleep(5 * time.Millisecond)
	}
}

// bindUnix gives a unix socket a name there.
func (q *request) bindUnix(far string) func() {
	fd := int(int32(q.args[0]))
	own, err := q.grab(fd)
	if err != nil {
		return q.refuse(unix.EBADF)
	}
	kind, err := unix.GetsockoptInt(own, unix.SOL_SOCKET, unix.SO_TYPE)
	if name, nerr := unixName(unix.Getsockname(own)); err != nil || nerr != nil || name != "" || kind != unix.SOCK_STREAM || !q.opts.Net {
		unix.Close(own)
		if name != "" {
			return q.refuse(unix.EINVAL)
		}
		q.debug("%d bind %s: a socket of the server: not carried", q.TID(), far)
		q.refuseCarrying(unix.EADDRNOTAVAIL)
		return nil
	}
	return func() {
		defer unix.Close(own)
		q.counts.remote.Add(1)
		s := &socket{family: unix.AF_UNIX, options: -1}
		ret, err := q.bindLocked(s, own, unixAddress(far))
		q.cache.flush()
		if err == nil && ret == 0 {
			if aerr := q.sockets.add(own, s); aerr != nil {
				q.conn.Release(s.id)
				ret = -int64(unix.ENOBUFS)
			}
		}
		q.result(ret, err)
	}
}

// listen has a socket wait for connections there, and its unix socket here.
func listen(q *request) func() {
	s, own := q.mine()
	if s == nil {
		return q.aside()
	}
	if s.datagram {
		unix.Close(own)
		return q.refuse(unix.EOPNOTSUPP)
	}
	backlog := int(int32(q.args[1]))
	return func() {
		defer unix.Close(own)
		q.counts.remote.Add(1)
		s.mu.Lock()
		defer s.mu.Unlock()
		switch s.state {
		case socketListening: // with another backlog
			q.result(0, nil)
			return
		case socketFresh:
			if ret, err := q.bindLocked(s, own, anyAddress(s.family)); err != nil || ret < 0 {
				q.result(ret, err)
				return
			}
		case socketBound:
		default:
			q.result(-int64(unix.EINVAL), nil)
			return
		}
		if err := unix.Listen(own, max(backlog, 1)); err != nil {
			q.result(-int64(unix.ENOBUFS), nil)
			return
		}
		r, err := q.conn.Listen(s.id, backlog, func(a *wire.Accepted, st *stream.Stream) { go q.Proxy.arrive(s, a, st) })
		if err == nil && r.Ret == 0 {
			s.state, s.local = socketListening, r.Local
			q.sockets.listening.Store(true)
		}
		q.result(r.Ret, err)
	}
}

// arrive connects to a program that listens, for one that has connected there.
func (p *Proxy) arrive(s *socket, a *wire.Accepted, st *stream.Stream) {
	in := &socket{family: s.family, options: -1, state: socketConnected, told: true, joined: true, accepted: true, local: a.Local, peer: a.Peer}
	if s.family == unix.AF_UNIX {
		in.local = s.local
	}
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		st.Refuse(unix.ECONNRESET)
		return
	}
	ss := &p.sockets
	name, err := autobind(fd)
	if err == nil {
		ss.mu.Lock()
		ss.arrived[name] = in
		ss.mu.Unlock()
		err = unix.Connect(fd, &unix.SockaddrUnix{Name: s.name})
	}
	var near *net.UnixConn
	if err == nil {
		near, err = unixConn(fd)
	} else {
		unix.Close(fd)
	}
	if err != nil {
		ss.mu.Lock()
		delete(ss.arrived, name)
		ss.mu.Unlock()
		st.Refuse(unix.ECONNRESET)
		ss.sweep()
		return
	}
	st.Attach(near, func() {
		ss.mu.Lock()
		delete(ss.arrived, name)
		ss.mu.Unlock()
		ss.remove(func(s *socket) bool { return s == in })
	})
}

// accept gives the program a connection.
func accept(q *request) func() {
	s, own := q.mine()
	if s == nil {
		return q.aside()
	}
	s.mu.Lock()
	listens := s.state == socketListening
	s.mu.Unlock()
	if !listens || q.acceptNow(s, own) {
		unix.Close(own)
		if !listens {
			return q.refuse(unix.EINVAL)
		}
		return nil
	}
	if nonblocking(own) {
		unix.Close(own)
		return q.refuse(unix.EAGAIN)
	}
	return func() {
		defer unix.Close(own)
		for {
			if e := q.ready(own, unix.POLLIN, 0); e != 0 {
				q.Return(-int64(e))
				return
			}
			if q.acceptNow(s, own) {
				return
			}
		}
	}
}

// acceptNow accepts a connection if there is one.
func (q *request) acceptNow(s *socket, own int) bool {
	s.accepting.Lock() // between looking and taking
	defer s.accepting.Unlock()
	for {
		if n, err := unix.Poll([]unix.PollFd{{Fd: int32(own), Events: unix.POLLIN}}, 0); n <= 0 {
			if err == unix.EINTR {
				continue
			}
			return false
		}
		fd, sa, err := unix.Accept4(own, unix.SOCK_CLOEXEC)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			q.result(0, err)
			return true
		}
		name, _ := unixName(sa, nil)
		q.sockets.mu.Lock()
		in := q.sockets.arrived[name]
		delete(q.sockets.arrived, name)
		q.sockets.mu.Unlock()
		if in == nil { // not ours: somebody of this host who has guessed the name
			unix.Close(fd)
			continue
		}
		q.handOver(in, fd)
		return true
	}
}

// handOver gives the program a connection that has been accepted.
func (q *request) handOver(in *socket, fd int) {
	defer unix.Close(fd)
	var err error
	if in.family != unix.AF_UNIX {
		in.options, err = unix.Socket(int(in.family), unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	}
	if err == nil {
		err = q.sockets.add(fd, in)
	}
	flags := uint64(0)
	if q.name == "accept4" {
		flags = q.args[3]
	}
	if err == nil && flags&unix.SOCK_NONBLOCK != 0 {
		err = unix.SetNonblock(fd, true)
	}
	if err != nil {
		q.result(-int64(unix.ENOBUFS), nil)
		return
	}
	if q.args[1] != 0 && !q.putAddress(in.peer, q.args[1], q.args[2]) {
		return
	}
	q.counts.answered.Add(1)
	q.Install(fd, flags&unix.SOCK_CLOEXEC != 0)
}
