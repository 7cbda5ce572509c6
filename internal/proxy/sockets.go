package proxy

import (
	"encoding/binary"
	"errors"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// A socket that is connected on the server has one end of a pair of unix sockets as stand-in, so that reading, writing, waiting and
// closing are the kernel's business. The pair of a datagram socket keeps the bounds of messages.

// A connection is what a stand-in stands for.
type connection struct {
	datagram    bool
	family      uint16
	local, peer []byte // struct sockaddr
}

// connections are the connections, by the inode of their stand-in's socket.
type connections struct {
	mu      sync.Mutex
	byInode map[uint64]*connection
}

// of returns the connection that a descriptor stands for, nil if it is none of ours.
func (cs *connections) of(tid, fd int) *connection {
	rest, ok := strings.CutPrefix(procLink(tid, fdLink(fd)), "socket:[")
	if !ok {
		return nil
	}
	ino, err := strconv.ParseUint(strings.TrimSuffix(rest, "]"), 10, 64)
	if err != nil {
		return nil
	}
	cs.mu.Lock()
	defer cs.mu.Unlock()
	return cs.byInode[ino]
}

// network are the calls about sockets that may be the server's. What they return is what Handle returns.
var network map[string]func(*request) func()

func init() { // its functions refer to it
	network = map[string]func(*request) func(){
		"connect":     connect,
		"bind":        bind,
		"getsockname": func(q *request) func() { return q.socketName(func(c *connection) []byte { return c.local }) },
		"getpeername": func(q *request) func() { return q.socketName(func(c *connection) []byte { return c.peer }) },
		"getsockopt":  getsockopt,
		"setsockopt":  setsockopt,
		"recvfrom":    recvfrom,
		"sendto":      sendto,
	}
}

// aside lets the kernel execute a call about a socket of this host.
func (q *request) aside() func() {
	q.counts.local.Add(1)
	q.Continue()
	return nil
}

// grab makes a copy of a descriptor of the program.
func (q *request) grab(fd int) (int, error) {
	pid := processOf(q.TID())
	pidfd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return -1, err
	}
	defer unix.Close(pidfd)
	return unix.PidfdGetfd(pidfd, fd, 0)
}

// processOf is the process that a thread belongs to, 0 if it is gone.
func processOf(tid int) int {
	n, err := strconv.Atoi(statusOf(strconv.Itoa(tid), "Tgid:"))
	if err != nil {
		return 0
	}
	return n
}

// address reads a struct sockaddr from the program.
func (q *request) address(addr, size uint64) []byte {
	b := make([]byte, min(size, 128))
	return b[:q.Read(addr, b)]
}

func familyOf(addr []byte) uint16 {
	if len(addr) < 2 {
		return unix.AF_UNSPEC
	}
	return binary.NativeEndian.Uint16(addr)
}

func connect(q *request) func() {
	addr := q.address(q.args[1], q.args[2])
	switch familyOf(addr) {
	case unix.AF_UNIX:
		q.socketPath()
		return nil
	case unix.AF_INET, unix.AF_INET6:
	default:
		return q.aside()
	}
	fd := int(int32(q.args[0]))
	if q.connections.of(q.TID(), fd) != nil {
		q.fault(unix.EISCONN)
		return nil
	}
	return func() {
		q.counts.remote.Add(1)
		q.result(q.dial(fd, addr, nil))
	}
}

// dial has the server connect a socket of the program and puts a stand-in in its place; first is a datagram to send at once.
func (q *request) dial(fd int, addr, first []byte) (ret int64, err error) {
	own, err := q.grab(fd)
	if err != nil {
		return -int64(unix.EBADF), nil
	}
	defer unix.Close(own)
	kind, err := unix.GetsockoptInt(own, unix.SOL_SOCKET, unix.SO_TYPE)
	if err != nil {
		return 0, err
	}
	if kind != unix.SOCK_STREAM && kind != unix.SOCK_DGRAM {
		return -int64(unix.EACCES), nil
	}
	datagram := kind == unix.SOCK_DGRAM
	if datagram {
		kind = unix.SOCK_SEQPACKET
	}
	r, st, err := q.conn.Dial(datagram, addr)
	if err != nil || r.Ret < 0 {
		return r.Ret, err
	}
	pair, err := unix.Socketpair(unix.AF_UNIX, kind|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		st.Drop()
		return 0, err
	}
	near := os.NewFile(uintptr(pair[1]), "stand-in")
	socket, err := net.FileConn(near)
	near.Close()
	defer unix.Close(pair[0])
	if err != nil {
		st.Drop()
		return -int64(unix.ENOBUFS), nil
	}
	flags, err := unix.FcntlInt(uintptr(own), unix.F_GETFL, 0)
	if err == nil && flags&unix.O_NONBLOCK != 0 {
		err = unix.SetNonblock(pair[0], true)
	}
	var fs unix.Stat_t
	if err == nil {
		err = unix.Fstat(pair[0], &fs)
	}
	if err == nil && first != nil {
		_, err = unix.Write(pair[0], first)
	}
	if err != nil {
		st.Drop()
		socket.Close()
		return -int64(unix.ENOBUFS), nil
	}
	cs := &q.connections
	cs.mu.Lock()
	cs.byInode[fs.Ino] = &connection{datagram, familyOf(addr), r.Local, r.Peer}
	cs.mu.Unlock()
	forget := func() {
		cs.mu.Lock()
		delete(cs.byInode, fs.Ino)
		cs.mu.Unlock()
	}
	if err := q.Substitute(pair[0], fd, q.cloexec(fd)); err != nil {
		forget()
		st.Drop()
		socket.Close()
		return -int64(unix.ENETUNREACH), nil
	}
	st.Attach(socket.(*net.UnixConn), forget)
	return 0, nil
}

// cloexec tells whether a descriptor is closed by execve.
func (q *request) cloexec(fd int) bool {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(q.TID()) + "/fdinfo/" + strconv.Itoa(fd))
	if err != nil {
		return false
	}
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, "flags:"); ok {
			n, err := strconv.ParseUint(strings.TrimSpace(rest), 8, 64)
			return err == nil && n&unix.O_CLOEXEC != 0
		}
	}
	return false
}

// bind lets sockets have an address of this host only where it makes no difference: servers cannot be carried yet.
func bind(q *request) func() {
	addr := q.address(q.args[1], q.args[2])
	switch f := familyOf(addr); {
	case f == unix.AF_UNIX:
		q.socketPath()
		return nil
	case (f == unix.AF_INET || f == unix.AF_INET6) && len(addr) >= 4 && binary.BigEndian.Uint16(addr[2:]) != 0:
		q.counts.denied.Add(1)
		q.debug("%d bind: a port of the server: not carried", q.TID())
		q.Return(-int64(unix.EADDRNOTAVAIL))
		return nil
	}
	return q.aside()
}

// socketName answers getsockname and getpeername.
func (q *request) socketName(which func(*connection) []byte) func() {
	c := q.connections.of(q.TID(), int(int32(q.args[0])))
	if c == nil {
		return q.aside()
	}
	if q.putAddress(which(c), q.args[1], q.args[2]) {
		q.answer(0)
	}
	return nil
}

// putAddress writes an address as accept(2) and its like do: cut to the room, with its whole length.
func (q *request) putAddress(addr []byte, to, length uint64) bool {
	var b [4]byte
	if q.Read(length, b[:]) < len(b) {
		q.fault(unix.EFAULT)
		return false
	}
	room := int32(binary.NativeEndian.Uint32(b[:]))
	if room < 0 {
		q.fault(unix.EINVAL)
		return false
	}
	binary.NativeEndian.PutUint32(b[:], uint32(len(addr)))
	return q.put(to, addr[:min(int(room), len(addr))]) && q.put(length, b[:])
}

// getsockopt answers what the stand-in's own socket would answer differently.
func getsockopt(q *request) func() {
	c := q.connections.of(q.TID(), int(int32(q.args[0])))
	if c == nil {
		return q.aside()
	}
	level, option := uint32(q.args[1]), uint32(q.args[2])
	v := uint32(0) // options of protocols: as they are where nobody has set them
	if level == unix.SOL_SOCKET {
		switch option {
		case unix.SO_TYPE:
			v = unix.SOCK_STREAM
			if c.datagram {
				v = unix.SOCK_DGRAM
			}
		case unix.SO_DOMAIN:
			v = uint32(c.family)
		case unix.SO_PROTOCOL:
			v = unix.IPPROTO_TCP
			if c.datagram {
				v = unix.IPPROTO_UDP
			}
		default:
			return q.aside()
		}
	}
	if q.putAddress(binary.NativeEndian.AppendUint32(nil, v), q.args[3], q.args[4]) {
		q.answer(0)
	}
	return nil
}

// setsockopt accepts options of protocols, which are about speed.
func setsockopt(q *request) func() {
	c := q.connections.of(q.TID(), int(int32(q.args[0])))
	if c == nil || uint32(q.args[1]) == unix.SOL_SOCKET {
		return q.aside()
	}
	q.answer(0)
	return nil
}

// recvfrom says where a datagram came from, which the stand-in's own socket does not know.
func recvfrom(q *request) func() {
	c := q.connections.of(q.TID(), int(int32(q.args[0])))
	if c == nil || q.args[4] == 0 {
		return q.aside()
	}
	own, err := q.grab(int(int32(q.args[0])))
	if err != nil {
		q.fault(unix.EBADF)
		return nil
	}
	return func() {
		defer unix.Close(own)
		flags := int(int32(q.args[3]))
		wait := flags&unix.MSG_DONTWAIT == 0
		if fl, err := unix.FcntlInt(uintptr(own), unix.F_GETFL, 0); err == nil && fl&unix.O_NONBLOCK != 0 {
			wait = false
		}
		buf := make([]byte, min(q.args[2], 1<<20))
		for {
			n, _, err := unix.Recvfrom(own, buf, flags|unix.MSG_DONTWAIT)
			switch {
			case errors.Is(err, unix.EINTR):
				continue
			case errors.Is(err, unix.EAGAIN) && wait:
				_, _ = unix.Poll([]unix.PollFd{{Fd: int32(own), Events: unix.POLLIN}}, -1)
				continue
			case err != nil:
				q.result(0, err)
				return
			}
			if q.put(q.args[1], buf[:min(n, len(buf))]) && q.putAddress(c.peer, q.args[4], q.args[5]) {
				q.answer(int64(n))
			}
			return
		}
	}
}

// sendto with an address connects a datagram socket to it; another address later is not carried.
func sendto(q *request) func() {
	addr := q.address(q.args[4], q.args[5])
	f := familyOf(addr)
	if q.args[4] == 0 || f != unix.AF_INET && f != unix.AF_INET6 {
		return q.aside()
	}
	fd := int(int32(q.args[0]))
	data := make([]byte, min(q.args[2], 1<<16))
	if q.Read(q.args[1], data) < len(data) {
		q.fault(unix.EFAULT)
		return nil
	}
	if c := q.connections.of(q.TID(), fd); c != nil {
		if string(addr[:min(8, len(addr))]) != string(c.peer[:min(8, len(c.peer))]) {
			q.fault(unix.EISCONN)
			return nil
		}
		own, err := q.grab(fd)
		if err != nil {
			q.fault(unix.EBADF)
			return nil
		}
		defer unix.Close(own)
		n, err := unix.Write(own, data)
		if err != nil {
			q.result(0, err)
			return nil
		}
		q.answer(int64(n))
		return nil
	}
	return func() {
		q.counts.remote.Add(1)
		ret, err := q.dial(fd, addr, data)
		if err == nil && ret == 0 {
			ret = int64(len(data))
		}
		q.result(ret, err)
	}
}
