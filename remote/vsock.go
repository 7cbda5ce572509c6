package remote

import (
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// A VsockAddr is an address of vsock(7).
type VsockAddr struct{ CID, Port uint32 }

// Network implements net.Addr.
func (VsockAddr) Network() string { return "vsock" }

func (a VsockAddr) String() string { return fmt.Sprintf("%d:%d", a.CID, a.Port) }

// parseVsock reads CID:PORT, where CID is a number, host, local, or any, which is for listening.
func parseVsock(s string) (a VsockAddr, err error) {
	cid, port, ok := strings.Cut(s, ":")
	n, perr := strconv.ParseUint(port, 10, 32)
	if !ok || perr != nil {
		return a, fmt.Errorf("address %q: not vsock://CID:PORT", "vsock://"+s)
	}
	a.Port = uint32(n)
	switch cid {
	case "any":
		a.CID = unix.VMADDR_CID_ANY
	case "host":
		a.CID = unix.VMADDR_CID_HOST
	case "local":
		a.CID = unix.VMADDR_CID_LOCAL
	default:
		n, err := strconv.ParseUint(cid, 10, 32)
		if err != nil {
			return a, fmt.Errorf("address %q: the CID is a number, host, local or any", "vsock://"+s)
		}
		a.CID = uint32(n)
	}
	return a, nil
}

// Privileged tells that only a process with CAP_NET_BIND_SERVICE can have a port (LAST_RESERVED_PORT, net/vmw_vsock/af_vsock.c).
func (a VsockAddr) Privileged() bool { return a.Port < 1024 }

// A vsockConn is a connection. The package net knows nothing of them.
type vsockConn struct {
	*os.File
	local, peer VsockAddr
}

func (c *vsockConn) LocalAddr() net.Addr  { return c.local }
func (c *vsockConn) RemoteAddr() net.Addr { return c.peer }

func newVsockConn(fd int) (*vsockConn, error) {
	c := &vsockConn{}
	for _, n := range []struct {
		name func(int) (unix.Sockaddr, error)
		to   *VsockAddr
	}{{unix.Getsockname, &c.local}, {unix.Getpeername, &c.peer}} {
		sa, err := n.name(fd)
		if err != nil {
			unix.Close(fd)
			return nil, err
		}
		if vm, ok := sa.(*unix.SockaddrVM); ok {
			*n.to = VsockAddr{vm.CID, vm.Port}
		}
	}
	if err := unix.SetNonblock(fd, true); err != nil {
		unix.Close(fd)
		return nil, err
	}
	c.File = os.NewFile(uintptr(fd), "vsock")
	return c, nil
}

// dialVsock connects, from a privileged port if we may have one: a server may want to know that we are root of this host.
func dialVsock(to VsockAddr) (net.Conn, error) {
	fd, err := unix.Socket(unix.AF_VSOCK, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("dial vsock %v: %w", to, err)
	}
	for port := uint32(1023); port >= 512; port-- {
		if err := unix.Bind(fd, &unix.SockaddrVM{CID: unix.VMADDR_CID_ANY, Port: port}); err != unix.EADDRINUSE {
			break
		}
	}
	if err := unix.Connect(fd, &unix.SockaddrVM{CID: to.CID, Port: to.Port}); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("dial vsock %v: %w", to, err)
	}
	return newVsockConn(fd)
}

// vsockListener is a listener.
type vsockListener struct {
	file *os.File
	addr VsockAddr
}

// ListenVsock listens on an address of vsock(7).
func ListenVsock(a Address) (net.Listener, error) {
	at, err := parseVsock(a.Addr)
	if err != nil {
		return nil, err
	}
	fd, err := unix.Socket(unix.AF_VSOCK, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err == nil {
		if err = unix.Bind(fd, &unix.SockaddrVM{CID: at.CID, Port: at.Port}); err == nil {
			err = unix.Listen(fd, unix.SOMAXCONN)
		}
		if err != nil {
			unix.Close(fd)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("listen vsock %v: %w", at, err)
	}
	return &vsockListener{os.NewFile(uintptr(fd), "vsock"), at}, nil
}

func (l *vsockListener) Addr() net.Addr { return l.addr }

func (l *vsockListener) Close() error { return l.file.Close() }

// Accept waits for a connection.
func (l *vsockListener) Accept() (net.Conn, error) {
	raw, err := l.file.SyscallConn()
	if err != nil {
		return nil, err
	}
	fd := -1
	rerr := raw.Read(func(s uintptr) bool {
		fd, _, err = unix.Accept4(int(s), unix.SOCK_CLOEXEC)
		return err != unix.EAGAIN && err != unix.EINTR
	})
	if rerr != nil {
		return nil, rerr
	}
	if err != nil {
		return nil, err
	}
	return newVsockConn(fd)
}
