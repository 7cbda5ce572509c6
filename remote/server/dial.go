package server

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"syscall"
	"time"

	"farcall/remote/wire"

	"golang.org/x/sys/unix"
)

// maxStreams is how many connections a session may have.
const maxStreams = 512

// dialTimeout is how long a connection may take, as the kernel's own would take (tcp(7), tcp_syn_retries).
const dialTimeout = 130 * time.Second

// A Destination is where clients may connect to.
type Destination struct {
	Prefix netip.Prefix
	Port   uint16 // 0: any
}

// ParseDestination reads all, CIDR, CIDR:PORT, ADDRESS or ADDRESS:PORT; the address of IPv6 stands in brackets if there is a port.
func ParseDestination(s string) ([]Destination, error) {
	if s == "all" {
		return []Destination{{Prefix: netip.MustParsePrefix("0.0.0.0/0")}, {Prefix: netip.MustParsePrefix("::/0")}}, nil
	}
	addr, port := s, uint64(0)
	if i := strings.LastIndexByte(s, ':'); i >= 0 && (strings.Count(s, ":") == 1 || s[i-1] == ']') {
		var err error
		if port, err = strconv.ParseUint(s[i+1:], 10, 16); err != nil || port == 0 {
			return nil, fmt.Errorf("destination %q: bad port", s)
		}
		addr = strings.Trim(s[:i], "[]")
	}
	p, err := netip.ParsePrefix(addr)
	if err != nil {
		a, aerr := netip.ParseAddr(addr)
		if aerr != nil {
			return nil, fmt.Errorf("destination %q: not all, CIDR, ADDRESS, or one of these and :PORT", s)
		}
		p = netip.PrefixFrom(a, a.BitLen())
	}
	return []Destination{{p.Masked(), uint16(port)}}, nil
}

// mayConnect tells whether clients may connect to an address.
func (s *Server) mayConnect(a netip.AddrPort) bool {
	for _, d := range s.opts.Connect {
		if d.Prefix.Contains(a.Addr().Unmap()) && (d.Port == 0 || d.Port == a.Port()) {
			return true
		}
	}
	return false
}

// sockaddr reads a struct sockaddr_in or sockaddr_in6.
func sockaddr(b []byte) (netip.AddrPort, unix.Errno) {
	if len(b) < 2 {
		return netip.AddrPort{}, unix.EINVAL
	}
	switch family := binary.LittleEndian.Uint16(b); {
	case family == unix.AF_INET && len(b) >= 8:
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte(b[4:8])), binary.BigEndian.Uint16(b[2:])), 0
	case family == unix.AF_INET6 && len(b) >= 24:
		a := netip.AddrFrom16([16]byte(b[8:24]))
		if len(b) >= 28 {
			if zone := binary.LittleEndian.Uint32(b[24:]); zone != 0 {
				a = a.WithZone(strconv.Itoa(int(zone)))
			}
		}
		return netip.AddrPortFrom(a, binary.BigEndian.Uint16(b[2:])), 0
	}
	return netip.AddrPort{}, unix.EAFNOSUPPORT
}

// appendSockaddr makes one, of the family that the client used.
func appendSockaddr(family uint16, a netip.AddrPort) []byte {
	b := binary.LittleEndian.AppendUint16(nil, family)
	b = binary.BigEndian.AppendUint16(b, a.Port())
	if family == unix.AF_INET {
		ip := a.Addr().Unmap().As4()
		return append(append(b, ip[:]...), make([]byte, 8)...)
	}
	ip := a.Addr().As16()
	b = append(append(b, 0, 0, 0, 0), ip[:]...)
	return append(b, 0, 0, 0, 0)
}

// dial connects a socket for the client. It may take long, so the session goes on meanwhile.
func (s *session) dial(f wire.Frame) error {
	var d wire.Dial
	if err := d.Decode(f.Payload); err != nil {
		return err
	}
	answer := func(r wire.Dialed) error {
		return s.send(wire.Frame{Op: wire.OpDialed, ID: f.ID, Payload: r.Encode()})
	}
	to, errno := sockaddr(d.Addr)
	if errno == 0 && !s.mayConnect(to) {
		errno = unix.EACCES
	}
	if errno != 0 {
		s.record("connect", to.String(), -int64(errno))
		return answer(wire.Dialed{Ret: -int64(errno)})
	}
	st, err := s.mux.Open(d.Stream)
	if errors.Is(err, unix.EMFILE) {
		return answer(wire.Dialed{Ret: -int64(unix.EMFILE)})
	}
	if err != nil {
		return err
	}
	family := binary.LittleEndian.Uint16(d.Addr) // in a buffer that the next frame is read into
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), dialTimeout)
		defer cancel()
		go func() {
			select {
			case <-s.quit:
				cancel()
			case <-ctx.Done():
			}
		}()
		network := "tcp"
		if d.Datagram {
			network = "udp"
		}
		conn, err := new(net.Dialer).DialContext(ctx, network, to.String())
		if err != nil {
			st.Drop()
			e := dialErrno(err)
			s.record("connect", to.String(), -int64(e))
			_ = answer(wire.Dialed{Ret: -int64(e)})
			return
		}
		s.record("connect", to.String(), 0)
		r := wire.Dialed{Local: appendSockaddr(family, addrOf(conn.LocalAddr())), Peer: appendSockaddr(family, addrOf(conn.RemoteAddr()))}
		if answer(r) != nil {
			st.Drop()
			conn.Close()
			return
		}
		if u, ok := conn.(*net.UDPConn); ok {
			st.Attach(datagrams{u}, nil)
		} else {
			st.Attach(conn.(*net.TCPConn), nil)
		}
	}()
	return nil
}

// datagrams is a UDP socket, which has no half that could be closed.
type datagrams struct{ *net.UDPConn }

// CloseWrite closes it: the client will not send, so nothing can come back.
func (d datagrams) CloseWrite() error { return d.Close() }

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
