package proxy

import (
	"encoding/binary"
	"unsafe"

	"golang.org/x/sys/unix"
)

// socketName answers getsockname and getpeername.
func (q *request) socketName(which func(*socket) []byte) func() {
	s := q.sockets.of(q.TID(), int(int32(q.args[0])))
	if s == nil {
		return q.aside()
	}
	s.mu.Lock()
	addr := which(s)
	connected := s.peer != nil
	s.mu.Unlock()
	if q.name == "getpeername" && !connected {
		return q.refuse(unix.ENOTCONN)
	}
	if addr == nil {
		addr = anyAddress(s.family)
	}
	if q.putAddress(addr, q.args[1], q.args[2]) {
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

// here are the options of socket(7) that count for the unix socket too.
var here = map[uint32]bool{
	unix.SO_RCVTIMEO_OLD: true, unix.SO_SNDTIMEO_OLD: true, unix.SO_RCVTIMEO_NEW: true, unix.SO_SNDTIMEO_NEW: true, unix.SO_RCVLOWAT: true,
	unix.SO_RCVBUF: true, unix.SO_SNDBUF: true,
}

// pointers are those that have a program for the kernel in them, which would see the unix socket.
var pointers = map[uint32]bool{
	unix.SO_ATTACH_FILTER: true, unix.SO_ATTACH_BPF: true, unix.SO_ATTACH_REUSEPORT_CBPF: true, unix.SO_ATTACH_REUSEPORT_EBPF: true,
}

// tcpInfo is TCP_INFO (tcp(7)), whose first byte is the state, of which this one is TCP_ESTABLISHED (net/tcp_states.h).
const tcpInfo, tcpEstablished = unix.TCP_INFO, 1

// maxOption is the largest option that is looked at, in bytes.
const maxOption = 1024

// getsockopt asks the socket that has the options.
func getsockopt(q *request) func() {
	s, own := q.mine()
	if s == nil {
		return q.aside()
	}
	defer unix.Close(own)
	level, name := uint32(q.args[1]), uint32(q.args[2])
	s.mu.Lock()
	state, errno := s.state, s.errno
	if level == unix.SOL_SOCKET && name == unix.SO_ERROR {
		s.errno = 0
	}
	s.mu.Unlock()
	if s.options < 0 && (level != unix.SOL_SOCKET || name != unix.SO_ERROR) {
		return q.aside()
	}
	var size [4]byte
	if q.Read(q.args[4], size[:]) < len(size) {
		return q.refuse(unix.EFAULT)
	}
	if int32(binary.NativeEndian.Uint32(size[:])) < 0 {
		return q.refuse(unix.EINVAL)
	}
	b := make([]byte, min(binary.NativeEndian.Uint32(size[:]), maxOption))
	if level == unix.SOL_SOCKET && (name == unix.SO_ERROR || name == unix.SO_ACCEPTCONN) {
		v := 0
		if name == unix.SO_ACCEPTCONN && state == socketListening {
			v = 1
		}
		if name == unix.SO_ERROR {
			v, _ = unix.GetsockoptInt(own, unix.SOL_SOCKET, unix.SO_ERROR) // and it is reset
			if errno != 0 {
				v = int(errno)
			}
		}
		b = b[:copy(b, binary.NativeEndian.AppendUint32(nil, uint32(v)))]
	} else {
		n := uint32(len(b))
		_, _, e := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(s.options), uintptr(level), uintptr(name),
			uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(unsafe.Pointer(&n)), 0)
		if e != 0 {
			return q.refuse(e)
		}
		if b = b[:min(int(n), len(b))]; level == unix.IPPROTO_TCP && name == tcpInfo && state == socketConnected && len(b) > 0 {
			b[0] = tcpEstablished
		}
	}
	binary.NativeEndian.PutUint32(size[:], uint32(len(b)))
	if q.put(q.args[3], b) && q.put(q.args[4], size[:]) {
		q.answer(0)
	}
	return nil
}

// setsockopt sets an option of the socket that keeps them, so that it is checked, and can be asked for; and of the unix socket if it
// counts there.
func setsockopt(q *request) func() {
	s, own := q.mine()
	if s == nil {
		return q.aside()
	}
	defer unix.Close(own)
	level, name := uint32(q.args[1]), uint32(q.args[2])
	if s.options < 0 {
		return q.aside()
	}
	if level == unix.SOL_SOCKET && pointers[name] {
		return q.refuse(unix.ENOPROTOOPT)
	}
	if uint32(q.args[4]) > maxOption {
		return q.refuse(unix.EINVAL)
	}
	b := make([]byte, uint32(q.args[4]))
	if q.Read(q.args[3], b) < len(b) {
		return q.refuse(unix.EFAULT)
	}
	set := func(fd int) unix.Errno {
		_, _, e := unix.Syscall6(unix.SYS_SETSOCKOPT, uintptr(fd), uintptr(level), uintptr(name),
			uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)), 0)
		return e
	}
	e := set(s.options)
	if e == 0 && level == unix.SOL_SOCKET && here[name] {
		e = set(own)
	}
	q.answer(-int64(e))
	return nil
}
