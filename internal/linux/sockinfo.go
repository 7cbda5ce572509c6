package linux

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"os"
	"runtime"
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"

	"farcall/event"
)

// A family says where the addresses of a protocol's sockets come from.
type family uint8

const (
	noAddress family = iota
	inet             // getsockname, getpeername
	local            // sock_diag
	netlink          // getsockname
)

// protocols are the names of protocols that strace knows; the kernel tells a socket's name by the
// extended attribute system.sockprotoname (net/socket.c).
var protocols = map[string]family{
	"UNIX": local, "UNIX-STREAM": local,
	"TCP": inet, "UDP": inet, "UDPLITE": inet, "DCCP": inet, "SCTP": inet, "L2TP/IP": noAddress, "PING": noAddress, "RAW": noAddress,
	"TCPv6": inet, "UDPv6": inet, "UDPLITEv6": inet, "DCCPv6": inet, "SCTPv6": inet, "L2TP/IPv6": noAddress,
	"PINGv6": noAddress, "RAWv6": noAddress,
	"NETLINK": netlink,
}

// netlinkFamilies are the names of linux/netlink.h.
var netlinkFamilies = [...]string{
	"ROUTE", "UNUSED", "USERSOCK", "FIREWALL", "SOCK_DIAG", "NFLOG", "XFRM", "SELINUX", "ISCSI", "AUDIT", "FIB_LOOKUP",
	"CONNECTOR", "NETFILTER", "IP6_FW", "DNRTMSG", "KOBJECT_UEVENT", "GENERIC", "", "SCSITRANSPORT", "ECRYPTFS", "RDMA",
	"CRYPTO", "SMC",
}

var protoAttr = append([]byte("system.sockprotoname"), 0)

// protocol returns the name of the socket's protocol, empty if the descriptor is not a socket.
func (t *TaskInfo) protocol(fd int32) []byte {
	n, _, errno := unix.Syscall6(unix.SYS_GETXATTR, uintptr(unsafe.Pointer(t.proc("fd/", int(fd)))),
		uintptr(unsafe.Pointer(&protoAttr[0])), uintptr(unsafe.Pointer(&t.attr[0])), uintptr(len(t.attr)), 0, 0)
	if errno != 0 || n == 0 {
		return nil
	}
	return bytes.TrimRight(t.attr[:n], "\x00")
}

// socket describes a socket as strace does: NAME:[INODE], or with its addresses. It appends nothing
// for a protocol that strace does not know.
func (t *TaskInfo) socket(dst []byte, fd int32, inode uint64) []byte {
	f := t.info
	f.mu.Lock()
	known, ok := f.final[inode]
	f.mu.Unlock()
	name := t.protocol(fd)
	fam, found := protocols[string(name)]
	if !found {
		return dst
	}
	if ok && fam != local {
		return append(dst, known...)
	}
	start := len(dst)
	dst = append(append(dst, name...), ':', '[')
	addr := len(dst)
	final := false
	switch fam {
	case inet:
		dst, final = t.inet(dst, fd)
		final = final && bytes.HasPrefix(name, []byte("TCP")) // others may be connected anew
	case netlink:
		dst = t.netlink(dst, fd)
		final = len(dst) > addr
	case local:
		dst, final = t.local(dst, inode)
		if !final && ok { // the other end is gone
			return append(dst[:start], known...)
		}
	}
	if len(dst) == addr {
		dst = strconv.AppendUint(dst, inode, 10)
	}
	dst = append(dst, ']')
	if final {
		f.mu.Lock()
		if len(f.final) >= maxFinal {
			clear(f.final)
		}
		f.final[inode] = string(dst[start:])
		f.mu.Unlock()
	}
	return dst
}

// borrow duplicates the thread's descriptor into this process for as long as use runs. That asks the
// socket itself, in whatever network namespace it is, and asks nothing of other sockets.
func (t *TaskInfo) borrow(fd int32, use func(fd int)) {
	const threadFD = unix.O_EXCL // PIDFD_THREAD, linux/pidfd.h, since Linux 6.9
	pidfd, err := unix.PidfdOpen(t.tid, threadFD)
	if err != nil {
		tgid := int(fieldOf(t.readFile(t.proc("status", -1)), "\nTgid:\t"))
		if pidfd, err = unix.PidfdOpen(tgid, 0); err != nil {
			return
		}
	}
	defer unix.Close(pidfd)
	own, err := unix.PidfdGetfd(pidfd, int(fd), 0)
	if err != nil {
		return
	}
	defer unix.Close(own)
	use(own)
}

// inet appends the addresses of an Internet socket: its own, and its peer's when it is connected.
func (t *TaskInfo) inet(dst []byte, fd int32) (_ []byte, connected bool) {
	t.borrow(fd, func(fd int) {
		sa, err := unix.Getsockname(fd)
		if err != nil {
			return
		}
		a, ok := addrPort(sa)
		if !ok || a.Port() == 0 {
			return
		}
		dst = a.AppendTo(dst)
		if sa, err = unix.Getpeername(fd); err == nil {
			if a, ok := addrPort(sa); ok {
				dst = a.AppendTo(append(dst, "->"...))
				connected = true
			}
		}
	})
	return dst, connected
}

func addrPort(sa unix.Sockaddr) (netip.AddrPort, bool) {
	switch sa := sa.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(sa.Addr), uint16(sa.Port)), true
	case *unix.SockaddrInet6:
		return netip.AddrPortFrom(netip.AddrFrom16(sa.Addr), uint16(sa.Port)), true
	}
	return netip.AddrPort{}, false
}

// netlink appends family and port of a bound netlink socket.
func (t *TaskInfo) netlink(dst []byte, fd int32) []byte {
	t.borrow(fd, func(fd int) {
		sa, err := unix.Getsockname(fd)
		nl, ok := sa.(*unix.SockaddrNetlink)
		if err != nil || !ok || nl.Pid == 0 {
			return
		}
		proto, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_PROTOCOL)
		if err != nil {
			return
		}
		if proto >= 0 && proto < len(netlinkFamilies) && netlinkFamilies[proto] != "" {
			dst = append(dst, netlinkFamilies[proto]...)
		} else {
			dst = strconv.AppendInt(dst, int64(proto), 10)
		}
		dst = strconv.AppendUint(append(dst, ':'), uint64(nl.Pid), 10)
	})
	return dst
}

// local appends inode, peer and name of a UNIX socket.
func (t *TaskInfo) local(dst []byte, inode uint64) (_ []byte, paired bool) {
	peer, name, ok := t.unixDiag(inode)
	if !ok {
		return dst, false
	}
	dst = strconv.AppendUint(dst, inode, 10)
	if peer != 0 {
		dst = strconv.AppendUint(append(dst, "->"...), uint64(peer), 10)
	}
	if len(name) > 0 {
		dst = append(dst, ',')
		if name[0] == 0 {
			dst = append(dst, '@')
			name = name[1:]
		}
		if i := bytes.IndexByte(name, 0); i >= 0 {
			name = name[:i]
		}
		dst = (&event.Style{}).AppendQuoted(dst, name)
	}
	return dst, peer != 0
}

// linux/unix_diag.h and linux/sock_diag.h.
const (
	sockDiagByFamily = 20
	udiagShowName    = 1
	udiagShowPeer    = 4
	unixDiagName     = 0
	unixDiagPeer     = 2
	sizeUnixDiagReq  = 24
	sizeUnixDiagMsg  = 16
)

// unixDiag asks the kernel about the UNIX socket with the inode in the thread's network namespace.
func (t *TaskInfo) unixDiag(inode uint64) (peer uint32, name []byte, ok bool) {
	sock := t.diagSocket()
	if sock < 0 {
		return 0, nil, false
	}
	le := binary.NativeEndian
	req := make([]byte, unix.SizeofNlMsghdr+sizeUnixDiagReq)
	le.PutUint32(req, uint32(len(req)))
	le.PutUint16(req[4:], sockDiagByFamily)
	le.PutUint16(req[6:], unix.NLM_F_REQUEST)
	r := req[unix.SizeofNlMsghdr:]
	r[0] = unix.AF_UNIX
	le.PutUint32(r[4:], ^uint32(0)) // in any state
	le.PutUint32(r[8:], uint32(inode))
	le.PutUint32(r[12:], udiagShowName|udiagShowPeer)
	le.PutUint64(r[16:], ^uint64(0)) // any cookie
	if unix.Sendto(sock, req, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}) != nil {
		return 0, nil, false
	}
	buf := t.link[:]
	n, _, err := unix.Recvfrom(sock, buf, 0)
	if err != nil || n < unix.SizeofNlMsghdr+sizeUnixDiagMsg || le.Uint16(buf[4:]) != sockDiagByFamily {
		return 0, nil, false
	}
	if le.Uint32(buf[unix.SizeofNlMsghdr+4:]) != uint32(inode) {
		return 0, nil, false
	}
	for b := buf[unix.SizeofNlMsghdr+sizeUnixDiagMsg : n]; len(b) >= 4; {
		l := int(le.Uint16(b))
		if l < 4 || l > len(b) {
			break
		}
		switch le.Uint16(b[2:]) {
		case unixDiagName:
			name = b[4:l]
		case unixDiagPeer:
			if l >= 8 {
				peer = le.Uint32(b[4:])
			}
		}
		b = b[min((l+3)&^3, len(b)):]
	}
	return peer, name, true
}

// diagSocket returns a sock_diag socket in the thread's network namespace, -1 if there is none. A socket
// stays in the namespace in which it was opened, so one for each namespace is enough.
func (t *TaskInfo) diagSocket() int {
	ns := inodeOf(t.readlink(t.proc("ns/net", -1)))
	f := t.info
	f.mu.Lock()
	defer f.mu.Unlock()
	if fd, ok := f.diag[ns]; ok {
		return fd
	}
	own, err := os.Readlink("/proc/self/ns/net")
	if err != nil {
		return -1
	}
	fd := -1
	if inodeOf([]byte(own)) == ns {
		fd = openDiag()
	} else {
		fd = openDiagIn("/proc/" + strconv.Itoa(t.tid) + "/ns/net")
	}
	f.diag[ns] = fd
	return fd
}

func openDiag() int {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_SOCK_DIAG)
	if err != nil {
		return -1
	}
	unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: 1})
	return fd
}

// openDiagIn opens the socket in another network namespace, from a thread that ends afterwards.
func openDiagIn(path string) int {
	result := make(chan int)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread is of no use to others any more
		ns, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			result <- -1
			return
		}
		defer unix.Close(ns)
		if unix.Setns(ns, unix.CLONE_NEWNET) != nil {
			result <- -1
			return
		}
		result <- openDiag()
	}()
	return <-result
}

// Netlink implements decode.Network.
func (t *TaskInfo) Netlink(fd int32) int {
	if fd < 0 || string(t.protocol(fd)) != "NETLINK" {
		return -1
	}
	family := -1
	t.borrow(fd, func(fd int) {
		if n, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_PROTOCOL); err == nil {
			family = n
		}
	})
	return family
}

// Interface implements decode.Network: names are those of our own network namespace, as in strace.
func (t *TaskInfo) Interface(dst []byte, index uint32) []byte {
	f := t.info
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.ifaces == 0 {
		fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return dst
		}
		f.ifaces = fd
	}
	var req struct { // struct ifreq, linux/if.h
		name  [unix.IFNAMSIZ]byte
		index int32
		_     [20]byte
	}
	req.index = int32(index)
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(f.ifaces), unix.SIOCGIFNAME, uintptr(unsafe.Pointer(&req))); errno != 0 {
		return dst
	}
	n := bytes.IndexByte(req.name[:], 0)
	if n < 0 {
		n = len(req.name)
	}
	return append(dst, req.name[:n]...)
}
