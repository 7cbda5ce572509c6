package network

import (
	"fmt"
	"net"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// A standIn is our end of a unix socket that stands for a connection.
type standIn struct {
	*net.UnixConn
	socket *socket
}

// Interrupt implements stream.Resetter.
func (n *standIn) Interrupt() { _ = n.SetDeadline(time.Unix(1, 0)) }

// Reset closes it so that the program sees ECONNRESET. The kernel does so for a unix socket whose peer is closed with something unread. So the
// program is made to have sent a byte that is not read: through a copy of its socket, which is looked for, as this happens rarely.
func (n *standIn) Reset() {
	if own := programsEnd(n.socket.inode); own >= 0 {
		_, _ = unix.SendmsgN(own, []byte{0}, nil, nil, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL) // where there is no room, something is unread
		unix.Close(own)
	}
	n.Close()
}

// Aborted tells whether the program has closed the socket after it has set SO_LINGER to 0.
func (n *standIn) Aborted() bool {
	if !n.socket.abortive.Load() {
		return false
	}
	raw, err := n.SyscallConn()
	if err != nil {
		return false
	}
	hup := false // and not only that nothing more is sent
	err = raw.Control(func(fd uintptr) {
		fds := []unix.PollFd{{Fd: int32(fd)}}
		_, _ = unix.Poll(fds, 0)
		hup = fds[0].Revents&unix.POLLHUP != 0
	})
	return err == nil && hup
}

// programsEnd makes a copy of the socket with an inode from any process that has it, -1 if there is none.
func programsEnd(inode uint64) int {
	want := "socket:[" + strconv.FormatUint(inode, 10) + "]"
	processes, err := os.ReadDir("/proc")
	if err != nil {
		return -1
	}
	for _, p := range processes {
		pid, err := strconv.Atoi(p.Name())
		if err != nil || pid == os.Getpid() {
			continue
		}
		fds, err := os.ReadDir("/proc/" + p.Name() + "/fd")
		if err != nil {
			continue
		}
		for _, f := range fds {
			fd, err := strconv.Atoi(f.Name())
			if err != nil || link(pid, f.Name()) != want {
				continue
			}
			pidfd, err := unix.PidfdOpen(pid, 0)
			if err != nil {
				break
			}
			own, err := unix.PidfdGetfd(pidfd, fd, 0)
			unix.Close(pidfd)
			if err == nil {
				return own
			}
		}
	}
	return -1
}

// link is what /proc says that a descriptor is.
func link(pid int, fd string) string {
	name, err := os.Readlink("/proc/" + strconv.Itoa(pid) + "/fd/" + fd)
	if err != nil {
		return ""
	}
	return name
}

// Restarted is to be called when another session has taken the place of the present one, or it is over. It does not wait. Sockets that
// were bound or listened there are lost: accept gives EINVAL, as after shutdown(2) of a socket that listens, and poll(2) shows that.
func (n *Network) Restarted() {
	now := n.sessions.Add(1)
	go n.lose(now) // a socket may wait for an answer
}

// lose has those sockets be lost that were bound or listened before the session now.
func (n *Network) lose(now int64) {
	ss := &n.sockets
	ss.mu.Lock()
	all := make([]*socket, 0, len(ss.byInode))
	for _, s := range ss.byInode {
		all = append(all, s)
	}
	ss.mu.Unlock()
	listened := 0
	for _, s := range all {
		if s.lose(now) {
			listened++
		}
	}
	if listened > 0 {
		n.warn(fmt.Sprintf("%d sockets that listened on the server do so no more", listened))
	}
}

// lose tells whether the socket listened.
func (s *socket) lose(now int64) (listened bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if listened = s.state == socketListening; !listened && s.state != socketBound || s.session >= now {
		return false
	}
	s.state, s.id = socketLost, 0
	s.bound.Store(false)
	if own := programsEnd(s.inode); own >= 0 {
		_ = unix.Shutdown(own, unix.SHUT_RDWR)
		unix.Close(own)
		return listened
	}
	return false // the program has closed it
}
