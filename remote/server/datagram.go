package server

import (
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"os"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"farcall/remote/wire"

	"golang.org/x/sys/unix"
)

// datagrams is a UDP socket, whose stream carries each datagram with its address.
type datagrams struct {
	conn   *net.UDPConn
	family uint16
	ses    *session
	open   bool         // the client may have the address: whoever writes to it is answered
	failed atomic.Int32 // an error number that the client is to be told
	errors int          // of reads, one after the other
}

// bindDatagram makes one, and connects it to peer if that is not nil.
func (s *session) bindDatagram(f wire.Frame, b *wire.Bind, peer []byte) error {
	at, errno := parseSockaddr(b.Addr)
	if errno != 0 {
		return s.answerDialed(f, wire.Dialed{Ret: -int64(errno)})
	}
	st, err := s.mux.Open(b.Stream)
	if errors.Is(err, unix.EMFILE) {
		return s.answerDialed(f, wire.Dialed{Ret: -int64(unix.EMFILE)})
	}
	if err != nil {
		return err
	}
	fail := func(ret int64) error {
		st.Drop()
		return s.answerDialed(f, wire.Dialed{Ret: ret})
	}
	fd, err := boundSocket(unix.SOCK_DGRAM, at, b.Options)
	s.record("bind", at.String(), errnoOrZero(err))
	if err != nil {
		return fail(errnoOf(err))
	}
	local := nameOf(fd, at.family)
	_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_BROADCAST, 1) // whom it may write to is decided by the rules
	file := os.NewFile(uintptr(fd), "datagrams")
	conn, err := net.FilePacketConn(file)
	file.Close()
	if err != nil {
		return fail(-int64(unix.ENOBUFS))
	}
	d := &datagrams{conn: conn.(*net.UDPConn), family: at.family, ses: s, open: at.Port() != 0}
	r := wire.Dialed{Local: local}
	if peer != nil {
		r = d.connect(peer)
	}
	err = nil
	if r.Ret == 0 {
		if err = s.addSocket(b.Stream, &socket{family: at.family, fd: -1, udp: d}); errors.Is(err, unix.EMFILE) {
			r, err = wire.Dialed{Ret: -int64(unix.EMFILE)}, nil
		}
	}
	if err != nil || r.Ret != 0 {
		d.Close()
		st.Drop()
		if err != nil {
			return err
		}
		return s.answerDialed(f, r)
	}
	if err := s.answerDialed(f, r); err != nil {
		return err // the session's end closes it
	}
	st.Attach(d, func() {
		s.mu.Lock()
		delete(s.sockets, b.Stream)
		s.mu.Unlock()
	})
	return nil
}

// datagramSocket is the one that a stream has.
func (s *session) datagramSocket(id uint32) *datagrams {
	s.mu.Lock()
	defer s.mu.Unlock()
	if sk := s.sockets[id]; sk != nil {
		return sk.udp
	}
	return nil
}

// connect gives it a peer, or with AF_UNSPEC none.
func (d *datagrams) connect(addr []byte) (r wire.Dialed) {
	var to address
	unspec := len(addr) >= 2 && binary.LittleEndian.Uint16(addr) == unix.AF_UNSPEC
	if !unspec {
		var errno unix.Errno
		if to, errno = d.peer(addr); errno != 0 {
			d.ses.record("connect", to.String(), -int64(errno))
			return wire.Dialed{Ret: -int64(errno)}
		}
	}
	raw, err := d.conn.SyscallConn()
	if err != nil {
		return wire.Dialed{Ret: -int64(unix.EBADF)}
	}
	cerr := raw.Control(func(fd uintptr) {
		if unspec {
			var none [16]byte
			_, _, e := unix.Syscall(unix.SYS_CONNECT, fd, uintptr(unsafe.Pointer(&none)), uintptr(len(none)))
			if e != 0 {
				err = e
			}
		} else {
			err = unix.Connect(int(fd), to.as(d.family).sockaddr())
		}
		r.Local = nameOf(int(fd), d.family)
	})
	if err = errors.Join(cerr, err); err != nil {
		r = wire.Dialed{Ret: -int64(dialErrno(err))}
	} else if !unspec {
		r.Peer = appendSockaddr(d.family, to.AddrPort)
	}
	if !unspec {
		d.ses.record("connect", to.String(), r.Ret)
	}
	return r
}

// peer reads an address that the client wants to write to: EAFNOSUPPORT if it is none for this socket, EACCES if the client may not.
func (d *datagrams) peer(addr []byte) (to address, errno unix.Errno) {
	to, errno = parseSockaddr(addr)
	switch {
	case errno != 0:
	case to.path != "" || to.family == unix.AF_INET6 && d.family == unix.AF_INET:
		errno = unix.EAFNOSUPPORT
	case !to.among(d.ses.opts.Connect) && !d.open:
		errno = unix.EACCES
	}
	return to, errno
}

// as is the address for a socket of the family.
func (a address) as(family uint16) address {
	if family == unix.AF_INET6 && a.family == unix.AF_INET {
		a.AddrPort = netip.AddrPortFrom(netip.AddrFrom16(a.Addr().As16()), a.Port())
		a.family = family
	}
	return a
}

// Read reads a datagram and whom it is from, or an error that is the client's.
func (d *datagrams) Read(b []byte) (int, error) {
	room := b[1+28:] // an address of IPv6 takes up 28 bytes
	for {
		if e := d.failed.Swap(0); e != 0 {
			return d.failure(b, syscall.Errno(e)), nil
		}
		n, from, err := d.conn.ReadFromUDPAddrPort(room)
		var e syscall.Errno
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			_ = d.conn.SetReadDeadline(time.Time{})
			continue
		case errors.As(err, &e) && d.errors < maxErrors:
			d.errors++
			return d.failure(b, e), nil
		case err != nil:
			return 0, err
		}
		d.errors = 0
		if !d.open && !(address{AddrPort: from}).among(d.ses.opts.Connect) {
			continue // nobody that it can have asked
		}
		return len(wire.AppendDatagram(b[:0], appendSockaddr(d.family, from), room[:n])), nil
	}
}

// maxErrors is how many reads may fail one after the other: that of a peer that is not there is told once each.
const maxErrors = 1000

func (d *datagrams) failure(b []byte, e syscall.Errno) int {
	return len(wire.AppendDatagram(b[:0], nil, binary.LittleEndian.AppendUint32(nil, uint32(e))))
}

// Write sends one. That it could not be sent is told by Read, as the kernel tells of most errors.
func (d *datagrams) Write(b []byte) (int, error) {
	addr, data, err := wire.SplitDatagram(b)
	if err != nil {
		return 0, err
	}
	to, errno := d.peer(addr)
	if errno == unix.EACCES {
		d.ses.record("sendto", to.String(), -int64(errno))
	}
	if errno == 0 {
		if _, err := d.conn.WriteToUDPAddrPort(data, to.as(d.family).AddrPort); err != nil {
			if errors.Is(err, net.ErrClosed) {
				return 0, err
			}
			errno = dialErrno(err)
		}
	}
	if errno != 0 {
		d.failed.Store(int32(errno))
		_ = d.conn.SetReadDeadline(time.Unix(1, 0)) // so that Read looks
	}
	return len(b), nil
}

// Close closes it.
func (d *datagrams) Close() error { return d.conn.Close() }

// CloseWrite closes it: the client will not send, so nothing can come back.
func (d *datagrams) CloseWrite() error { return d.Close() }
