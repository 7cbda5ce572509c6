package server

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"path"
	"strconv"
	"strings"

	"farcall/remote/wire"

	"golang.org/x/sys/unix"
)

// A Destination is where clients may connect to, or what they may listen on.
type Destination struct {
	Prefix netip.Prefix
	Port   uint16 // 0: any
	Unix   string // not "": unix sockets at this path or below it, instead
}

// ParseDestination reads all, CIDR, ADDRESS, one of these and :PORT, :PORT, unix or unix:PATH; the address of IPv6 stands in brackets if there
// is a port.
func ParseDestination(s string) ([]Destination, error) {
	if name, ok := strings.CutPrefix(s, "unix"); ok && (name == "" || name[0] == ':') {
		if name = strings.TrimPrefix(name, ":"); name == "" {
			name = "/"
		}
		if !path.IsAbs(name) {
			return nil, fmt.Errorf("destination %q: the path is not absolute", s)
		}
		return []Destination{{Unix: path.Clean(name)}}, nil
	}
	addr, port := s, uint64(0)
	if i := strings.LastIndexByte(s, ':'); i >= 0 && (strings.Count(s, ":") == 1 || s[i-1] == ']') {
		var err error
		if port, err = strconv.ParseUint(s[i+1:], 10, 16); err != nil || port == 0 {
			return nil, fmt.Errorf("destination %q: bad port", s)
		}
		addr = strings.Trim(s[:i], "[]")
	}
	if addr == "all" || addr == "" && port != 0 {
		return []Destination{
			{Prefix: netip.MustParsePrefix("0.0.0.0/0"), Port: uint16(port)},
			{Prefix: netip.MustParsePrefix("::/0"), Port: uint16(port)},
		}, nil
	}
	p, err := netip.ParsePrefix(addr)
	if err != nil {
		a, aerr := netip.ParseAddr(addr)
		if aerr != nil {
			return nil, fmt.Errorf("destination %q: not all, CIDR, ADDRESS, one of these and :PORT, or unix:PATH", s)
		}
		p = netip.PrefixFrom(a, a.BitLen())
	}
	return []Destination{{Prefix: p.Masked(), Port: uint16(port)}}, nil
}

// An address is one that a client has named: of a file if path is not "", else of the Internet.
type address struct {
	netip.AddrPort
	family uint16
	path   string
}

func (a address) String() string {
	if a.path != "" {
		return "unix:" + a.path
	}
	return a.AddrPort.String()
}

// among tells whether destinations have an address.
func (a address) among(ds []Destination) bool {
	for _, d := range ds {
		switch {
		case a.path != "":
			name := path.Clean(a.path)
			if d.Unix != "" && (name == d.Unix || strings.HasPrefix(name, strings.TrimSuffix(d.Unix, "/")+"/")) {
				return true
			}
		case d.Unix == "" && d.Prefix.Contains(a.Addr().Unmap().WithZone("")) && (d.Port == 0 || d.Port == a.Port()):
			return true
		}
	}
	return false
}

// parseSockaddr reads a struct sockaddr_in, sockaddr_in6 or sockaddr_un with a path.
func parseSockaddr(b []byte) (a address, errno unix.Errno) {
	if len(b) < 2 {
		return a, unix.EINVAL
	}
	a.family = binary.LittleEndian.Uint16(b)
	switch {
	case a.family == unix.AF_INET && len(b) >= 8:
		a.AddrPort = netip.AddrPortFrom(netip.AddrFrom4([4]byte(b[4:8])), binary.BigEndian.Uint16(b[2:]))
	case a.family == unix.AF_INET6 && len(b) >= 24:
		ip := netip.AddrFrom16([16]byte(b[8:24]))
		if len(b) >= 28 {
			if zone := binary.LittleEndian.Uint32(b[24:]); zone != 0 {
				ip = ip.WithZone(strconv.Itoa(int(zone)))
			}
		}
		a.AddrPort = netip.AddrPortFrom(ip, binary.BigEndian.Uint16(b[2:]))
	case a.family == unix.AF_UNIX:
		a.path = unix.ByteSliceToString(b[2:])
		if !path.IsAbs(a.path) { // relative to what, or abstract
			return a, unix.EINVAL
		}
	default:
		return a, unix.EAFNOSUPPORT
	}
	return a, 0
}

// sockaddr is the address for the kernel.
func (a address) sockaddr() unix.Sockaddr {
	if a.family == unix.AF_INET {
		return &unix.SockaddrInet4{Port: int(a.Port()), Addr: a.Addr().As4()}
	}
	zone, _ := strconv.Atoi(a.Addr().Zone()) // it is a number or not there
	return &unix.SockaddrInet6{Port: int(a.Port()), Addr: a.Addr().As16(), ZoneId: uint32(zone)}
}

// appendSockaddr makes a struct sockaddr of the family that the client used.
func appendSockaddr(family uint16, a netip.AddrPort) []byte {
	b := binary.LittleEndian.AppendUint16(nil, family)
	if family == unix.AF_UNIX {
		return b
	}
	b = binary.BigEndian.AppendUint16(b, a.Port())
	if family == unix.AF_INET {
		ip := a.Addr().Unmap()
		if !ip.Is4() {
			ip = netip.IPv4Unspecified()
		}
		v4 := ip.As4()
		return append(append(b, v4[:]...), make([]byte, 8)...)
	}
	ip := netip.IPv6Unspecified().As16()
	zone := 0
	if a.IsValid() {
		ip = a.Addr().As16()
		zone, _ = strconv.Atoi(a.Addr().Zone())
	}
	b = append(append(b, 0, 0, 0, 0), ip[:]...)
	return binary.LittleEndian.AppendUint32(b, uint32(zone))
}

// nameOf is the address that a socket of this process has.
func nameOf(fd int, family uint16) []byte {
	sa, err := unix.Getsockname(fd)
	if err != nil {
		return nil
	}
	switch sa := sa.(type) {
	case *unix.SockaddrInet4:
		return appendSockaddr(family, netip.AddrPortFrom(netip.AddrFrom4(sa.Addr), uint16(sa.Port)))
	case *unix.SockaddrInet6:
		return appendSockaddr(family, netip.AddrPortFrom(netip.AddrFrom16(sa.Addr), uint16(sa.Port)))
	}
	return appendSockaddr(family, netip.AddrPort{})
}

// has tells whether an option is set.
func has(set, option wire.BindOptions) int {
	if set&option != 0 {
		return 1
	}
	return 0
}
