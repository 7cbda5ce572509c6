package network

import (
	"errors"
	"net"
	"time"

	"farcall/remote/stream"
	"farcall/remote/wire"

	"golang.org/x/sys/unix"
)

// bind gives a socket an address there.
func bind(q *call) func() {
	return q.addressed(q.bindUnix, func(s *socket, own int, addr []byte) func() {
		return func() {
			defer unix.Close(own)
			q.Asked()
			s.mu.Lock()
			defer s.mu.Unlock()
			q.Result(q.bindLocked(s, own, addr))
		}
	})
}

// bindLocked gives a socket an address. s.mu is held.
func (q *call) bindLocked(s *socket, own int, addr []byte) (ret int64, err error) {
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
	session := q.sessions.Load() // before the request: if another begins meanwhile, it counts for the one that is over
	q.insist(func() int64 {
		if r, id, err = q.conn.Bind(o, addr); err != nil {
			return 0
		}
		return r.Ret
	})
	if err != nil || r.Ret < 0 {
		return r.Ret, err
	}
	s.id, s.session, s.state, s.local = id, session, socketBound, r.Local
	s.bound.Store(true)
	return 0, nil
}

// insist makes a socket with an address again if the address is in use: a program may have closed what has it a moment ago, of which the server
// is only now told.
func (q *call) insist(bind func() (ret int64)) {
	for range 3 {
		if bind() != -int64(unix.EADDRINUSE) {
			return
		}
		q.sockets.sweep(nil)
		time.Sleep(5 * time.Millisecond)
	}
}

// bindUnix gives a unix socket a name there.
func (q *call) bindUnix(far string) func() {
	fd := int(int32(q.args[0]))
	own, err := q.grab(fd)
	if err != nil {
		return q.refuse(unix.EBADF)
	}
	kind, err := unix.GetsockoptInt(own, unix.SOL_SOCKET, unix.SO_TYPE)
	if name, nerr := unixName(unix.Getsockname(own)); err != nil || nerr != nil || name != "" || kind != unix.SOCK_STREAM || !q.all {
		unix.Close(own)
		if name != "" {
			return q.refuse(unix.EINVAL)
		}
		q.Debug("%d bind %s: a socket of the server: not carried", q.TID(), far)
		q.Deny(unix.EADDRNOTAVAIL)
		return nil
	}
	return func() {
		defer unix.Close(own)
		q.Asked()
		s := &socket{family: unix.AF_UNIX, options: -1}
		ret, err := q.bindLocked(s, own, unixAddress(far))
		q.Changed()
		if err == nil && ret == 0 {
			if aerr := q.sockets.add(own, s); aerr != nil {
				q.conn.Release(s.id)
				ret = -int64(unix.ENOBUFS)
			}
		}
		q.Result(ret, err)
	}
}

// listen has a socket wait for connections there, and its unix socket here.
func listen(q *call) func() {
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
		q.Asked()
		s.mu.Lock()
		defer s.mu.Unlock()
		switch s.state {
		case socketListening: // with another backlog
			q.Result(0, nil)
			return
		case socketFresh:
			if ret, err := q.bindLocked(s, own, anyAddress(s.family)); err != nil || ret < 0 {
				q.Result(ret, err)
				return
			}
		case socketBound:
		default:
			q.Result(-int64(unix.EINVAL), nil)
			return
		}
		if err := unix.Listen(own, max(backlog, 1)); err != nil {
			q.Result(-int64(unix.ENOBUFS), nil)
			return
		}
		r, err := q.conn.Listen(s.id, backlog, func(a *wire.Accepted, st *stream.Stream) { go q.arrive(s, a, st) })
		if err == nil && r.Ret == 0 {
			s.state, s.local = socketListening, r.Local
			q.sockets.listening.Store(true)
		}
		q.Result(r.Ret, err)
	}
}

// An arrival is a connection that the server has accepted and the program not yet.
type arrival struct {
	local, peer []byte
	stream      *stream.Stream
}

// arrive connects to a program that listens, for one that has connected there: so it sees that somebody is there. What it gets when it accepts is another
// socket, with a name of its own.
func (n *Network) arrive(s *socket, a *wire.Accepted, st *stream.Stream) {
	in := &arrival{a.Local, a.Peer, st}
	if s.family == unix.AF_UNIX {
		in.local = s.local
	}
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		st.Refuse(unix.ECONNRESET)
		return
	}
	ss := &n.sockets
	name, err := autobind(fd)
	if err == nil {
		ss.mu.Lock()
		ss.arrived[name] = in
		ss.mu.Unlock()
		err = unix.Connect(fd, &unix.SockaddrUnix{Name: s.name})
	}
	if err == nil {
		var conn *net.UnixConn
		if conn, err = unixConn(fd); err == nil {
			_, _ = conn.Read(make([]byte, 1)) // until it is accepted, or nobody listens any more
			conn.Close()
		}
	} else {
		unix.Close(fd)
	}
	if ss.take(name) != nil {
		st.Refuse(unix.ECONNRESET)
		ss.ended(s)()
	}
}

// take returns an arrival, nil if there is none of that name or it has been taken.
func (ss *sockets) take(name string) *arrival {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	in := ss.arrived[name]
	delete(ss.arrived, name)
	return in
}

// accept gives the program a connection.
func accept(q *call) func() {
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
func (q *call) acceptNow(s *socket, own int) bool {
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
		if err != nil { // EINVAL, if it listens no more
			var e unix.Errno
			if errors.As(err, &e) {
				err = nil
			}
			q.Result(-int64(e), err)
			return true
		}
		name, _ := unixName(sa, nil)
		in := q.sockets.take(name)
		unix.Close(fd)
		if in == nil { // not ours: somebody of this host who has guessed the name
			continue
		}
		q.handOver(s.family, in)
		return true
	}
}

// handOver gives the program a connection.
func (q *call) handOver(family uint16, in *arrival) {
	flags := uint64(0)
	if q.name == "accept4" {
		flags = q.args[3]
	}
	fd, s, err := q.sockets.newStandIn(family, unix.SOCK_STREAM, 0)
	if err != nil {
		in.stream.Refuse(unix.ECONNRESET)
		q.Result(-int64(unix.ENOBUFS), nil)
		return
	}
	defer unix.Close(fd)
	near, err := q.sockets.join(fd, false)
	if err == nil && flags&unix.SOCK_NONBLOCK != 0 {
		err = unix.SetNonblock(fd, true)
	}
	if err != nil {
		in.stream.Refuse(unix.ECONNRESET)
		q.Result(-int64(unix.ENOBUFS), nil)
		return
	}
	s.mu.Lock()
	s.state, s.told, s.joined, s.local, s.peer = socketConnected, true, true, in.local, in.peer
	s.mu.Unlock()
	in.stream.Attach(&standIn{UnixConn: near, socket: s}, q.sockets.ended(s))
	if q.args[1] != 0 && !q.putAddress(in.peer, q.args[1], q.args[2]) {
		return
	}
	q.Install(fd, flags&unix.SOCK_CLOEXEC != 0)
}
