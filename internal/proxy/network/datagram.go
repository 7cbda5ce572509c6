package network

import (
	"encoding/binary"
	"errors"
	"time"

	"farcall/internal/linux"
	"farcall/remote/stream"
	"farcall/remote/wire"

	"golang.org/x/sys/unix"
)

// bindDatagram makes a socket a datagram socket of the server. s.mu is held.
func (q *call) bindDatagram(s *socket, own int, o wire.BindOptions, addr []byte) (int64, error) {
	var r *wire.Dialed
	var st *stream.Stream
	var err error
	q.insist(func() int64 {
		if r, st, err = q.conn.BindDatagram(o, addr); err != nil {
			return 0
		}
		return r.Ret
	})
	if err != nil || r.Ret < 0 {
		return r.Ret, err
	}
	return q.begin(s, own, st, r), nil
}

// begin connects the unix socket of a datagram socket, which is one on the server now, to its stream. s.mu is held.
func (q *call) begin(s *socket, own int, st *stream.Stream, r *wire.Dialed) int64 {
	near, err := q.sockets.join(own, true)
	if err != nil {
		st.Refuse(unix.ECONNRESET)
		return -int64(unix.ENOBUFS)
	}
	s.stream, s.local, s.joined = st, r.Local, true
	st.Attach(near, q.sockets.ended(s))
	return 0
}

// connectDatagram gives a datagram socket a peer, or with AF_UNSPEC none.
func (q *call) connectDatagram(s *socket, own int, addr []byte) (int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	unspec := familyOf(addr) == unix.AF_UNSPEC
	if s.stream == nil {
		if unspec {
			return 0, nil
		}
		r, st, err := q.conn.Dial(true, addr)
		if err != nil || r.Ret < 0 {
			return r.Ret, err
		}
		ret := q.begin(s, own, st, r)
		if ret == 0 {
			s.peer = r.Peer
		}
		return ret, nil
	}
	if unspec {
		addr = make([]byte, 16)
	}
	r, err := q.conn.Connect(s.stream, addr)
	if err != nil || r.Ret < 0 {
		return r.Ret, err
	}
	s.local, s.peer = r.Local, nil
	if !unspec {
		s.peer = r.Peer
	}
	return 0, nil
}

// A message is one that a call sends or receives.
type message struct {
	header  uint64 // struct msghdr, 0 without
	buffers []buffer
	name    uint64 // struct sockaddr
	size    uint64 // of name: its address when receiving, the number when sending
}

type buffer struct{ addr, size uint64 }

// Offsets in struct msghdr and struct mmsghdr (linux/socket.h), and their sizes.
const (
	msgNameLen, msgIov, msgIovLen, msgControlLen, msgFlags = 8, 16, 24, 40, 48
	msgSize, mmsgLen, mmsgSize                             = 56, 56, 64
)

// maxMessages is the largest number of messages and of buffers in each: UIO_MAXIOV (linux/uio.h).
const maxMessages = 1024

// messages are those of the call.
func (q *call) messages() (ms []message, flags int, err error) {
	a := &q.args
	switch q.name {
	case "read", "write":
		return []message{{buffers: []buffer{{a[1], a[2]}}}}, 0, nil
	case "recvfrom", "sendto":
		return []message{{buffers: []buffer{{a[1], a[2]}}, name: a[4], size: a[5]}}, int(int32(a[3])), nil
	case "readv", "writev":
		m := message{}
		m.buffers, err = q.buffers(a[1], a[2])
		return []message{m}, 0, err
	case "recvmsg", "sendmsg":
		m, err := q.header(a[1])
		return []message{m}, int(int32(a[2])), err
	}
	for i := range min(uint64(uint32(a[2])), maxMessages) {
		m, err := q.header(a[1] + i*mmsgSize)
		if err != nil {
			return nil, 0, err
		}
		ms = append(ms, m)
	}
	return ms, int(int32(a[3])), nil
}

func (q *call) header(addr uint64) (m message, err error) {
	var b [msgSize]byte
	if q.Read(addr, b[:]) < len(b) {
		return m, unix.EFAULT
	}
	u64 := func(at int) uint64 { return binary.NativeEndian.Uint64(b[at:]) }
	m = message{header: addr, name: u64(0), size: uint64(binary.NativeEndian.Uint32(b[msgNameLen:]))}
	m.buffers, err = q.buffers(u64(msgIov), u64(msgIovLen))
	return m, err
}

// buffers reads a vector of struct iovec.
func (q *call) buffers(addr, n uint64) (bs []buffer, err error) {
	if n > maxMessages {
		return nil, unix.EMSGSIZE
	}
	b := make([]byte, n*16)
	if q.Read(addr, b) < len(b) {
		return nil, unix.EFAULT
	}
	for ; len(b) > 0; b = b[16:] {
		bs = append(bs, buffer{binary.NativeEndian.Uint64(b), binary.NativeEndian.Uint64(b[8:])})
	}
	return bs, nil
}

// transfer are the calls that send or receive. Those about a connection are the kernel's, except that it does not know the peer's name.
func transfer(q *call) func() {
	s := q.sockets.of(q.Link(int(int32(q.args[0]))))
	switch {
	case s == nil:
		return q.aside()
	case s.datagram:
		return q.datagrams(s)
	case q.name == "recvfrom" && q.args[4] != 0: // TCP has no names
		if q.args[5] != 0 && !q.put(q.args[5], make([]byte, 4)) {
			return nil
		}
		q.args[4], q.args[5] = 0, 0
	case q.name == "sendto" && q.args[4] != 0: // it ignores them
		q.args[4], q.args[5] = 0, 0
	default:
		return q.aside()
	}
	return func() {
		q.Redirect(q.args)
	}
}

// receives are the calls that receive; the others send.
var receives = map[string]bool{"read": true, "readv": true, "recvfrom": true, "recvmsg": true, "recvmmsg": true}

// datagrams sends or receives datagrams.
func (q *call) datagrams(s *socket) func() {
	ms, flags, err := q.messages()
	var e unix.Errno
	if errors.As(err, &e) {
		return q.refuse(e)
	}
	own, err := q.grab(int(int32(q.args[0])))
	if err != nil {
		return q.refuse(unix.EBADF)
	}
	one, option := q.send, unix.SO_SNDTIMEO
	if receives[q.name] {
		one, option = q.receive, unix.SO_RCVTIMEO
	}
	return func() {
		defer unix.Close(own)
		var limit time.Duration
		wait := flags&unix.MSG_DONTWAIT == 0 && !nonblocking(own)
		if tv, err := unix.GetsockoptTimeval(own, unix.SOL_SOCKET, option); err == nil {
			limit = time.Duration(tv.Nano())
		}
		if err := q.exist(s, own); err != nil {
			var e unix.Errno
			if errors.As(err, &e) {
				err = nil
			}
			q.Result(-int64(e), err)
			return
		}
		for i := range ms {
			n, e := one(s, own, &ms[i], flags, wait && i == 0, limit)
			if e != 0 && i > 0 {
				q.Answer(int64(i))
				return
			}
			if e == linux.ERESTARTSYS {
				q.Return(-int64(e))
				return
			}
			if e != 0 {
				q.Answer(-int64(e))
				return
			}
			if len(ms) == 1 && q.name != "recvmmsg" && q.name != "sendmmsg" {
				q.Answer(int64(n))
				return
			}
			if !q.put(ms[i].header+mmsgLen, binary.NativeEndian.AppendUint32(nil, uint32(n))) {
				return
			}
		}
		q.Answer(int64(len(ms)))
	}
}

// exist makes the server's socket if there is none yet: with an address that the kernel there chooses (ip(7)).
func (q *call) exist(s *socket, own int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stream != nil {
		return nil
	}
	q.Asked()
	ret, err := q.bindDatagram(s, own, 0, anyAddress(s.family))
	if err == nil && ret < 0 {
		err = unix.Errno(-ret)
	}
	return err
}

// receive receives a datagram. Errors: linux.ERESTARTSYS; errnos.
func (q *call) receive(_ *socket, own int, m *message, flags int, wait bool, limit time.Duration) (int, unix.Errno) {
	if flags&unix.MSG_ERRQUEUE != 0 {
		return 0, unix.EAGAIN
	}
	buf := make([]byte, wire.MaxChunk)
	var n int
	for {
		var err error
		n, _, err = unix.Recvfrom(own, buf, flags&unix.MSG_PEEK|unix.MSG_DONTWAIT)
		if err == unix.EINTR {
			continue
		}
		if err == unix.EAGAIN && wait {
			if e := q.ready(own, unix.POLLIN, limit); e != 0 {
				return 0, e
			}
			continue
		}
		if err != nil {
			return 0, err.(unix.Errno)
		}
		break
	}
	if n == 0 { // our end is closed
		return 0, unix.EIO
	}
	addr, data, err := wire.SplitDatagram(buf[:n])
	if err != nil {
		return 0, unix.EIO
	}
	if len(addr) == 0 {
		return 0, unix.Errno(binary.LittleEndian.Uint32(data) & 0xfff)
	}
	n, whole := 0, len(data)
	for _, b := range m.buffers {
		part := data[n:][:min(uint64(len(data)-n), b.size)]
		if len(part) > 0 {
			if _, err := q.Write(b.addr, part); err != nil {
				return 0, unix.EFAULT
			}
		}
		n += len(part)
	}
	if e := q.named(m, addr, n < whole); e != 0 {
		return 0, e
	}
	if flags&unix.MSG_TRUNC != 0 {
		n = whole
	}
	return n, 0
}

// named says whom a datagram is from, and in a header also that it was cut, and that nothing else came along.
func (q *call) named(m *message, addr []byte, cut bool) unix.Errno {
	put := func(at uint64, b []byte) bool {
		_, err := q.Write(at, b)
		return err == nil
	}
	u32 := func(n uint32) []byte { return binary.NativeEndian.AppendUint32(nil, n) }
	if m.header == 0 {
		if m.name == 0 {
			return 0
		}
		var size [4]byte
		if q.Read(m.size, size[:]) < len(size) {
			return unix.EFAULT
		}
		room := int32(binary.NativeEndian.Uint32(size[:]))
		if room < 0 {
			return unix.EINVAL
		}
		if !put(m.name, addr[:min(int(room), len(addr))]) || !put(m.size, u32(uint32(len(addr)))) {
			return unix.EFAULT
		}
		return 0
	}
	flags := uint32(0)
	if cut {
		flags = unix.MSG_TRUNC
	}
	ok := put(m.header+msgFlags, u32(flags)) && put(m.header+msgControlLen, make([]byte, 8))
	if m.name != 0 {
		ok = ok && put(m.name, addr[:min(m.size, uint64(len(addr)))]) && put(m.header+msgNameLen, u32(uint32(len(addr))))
	}
	if !ok {
		return unix.EFAULT
	}
	return 0
}

// send sends one. Errors: linux.ERESTARTSYS; errnos.
func (q *call) send(s *socket, own int, m *message, _ int, wait bool, limit time.Duration) (int, unix.Errno) {
	s.mu.Lock()
	addr := s.peer
	s.mu.Unlock()
	if m.name != 0 && m.size > 0 {
		addr = q.address(m.name, m.size)
		if len(addr) < int(min(m.size, 128)) {
			return 0, unix.EFAULT
		}
	}
	if len(addr) == 0 {
		return 0, unix.EDESTADDRREQ
	}
	data := wire.AppendDatagram(make([]byte, 0, 2048), addr, nil)
	n := 0
	for _, b := range m.buffers {
		if b.size > uint64(wire.MaxDatagram-n) {
			return 0, unix.EMSGSIZE
		}
		part := make([]byte, b.size)
		if q.Read(b.addr, part) < len(part) {
			return 0, unix.EFAULT
		}
		data = append(data, part...)
		n += len(part)
	}
	for {
		err := unix.Send(own, data, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL)
		switch {
		case err == nil:
			return n, 0
		case err == unix.EINTR:
		case err == unix.EAGAIN && wait:
			if e := q.ready(own, unix.POLLOUT, limit); e != 0 {
				return 0, e
			}
		default:
			return 0, err.(unix.Errno)
		}
	}
}
