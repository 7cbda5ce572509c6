package fuse

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// Who asks the kernel for something that this process has to answer must be another process: were this one killed in between, its thread would wait for
// ever for an answer that nobody gives, and keep what it has open meanwhile, /dev/fuse among it. When another one waits, all that ends with us, and so
// does its waiting.

// An opener has another process open files. The zero value has this one do it.
type opener struct {
	mu     sync.Mutex
	socket int // to the other process, 0 if there is none
}

// Opener prepares that another process opens files, which has to call Serve with the two descriptors.
//
// Errors: an errno wrapped with what failed.
func (m *Mount) Opener() (socket, root *os.File, err error) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("socketpair: %w", err)
	}
	dup, err := unix.FcntlInt(uintptr(m.root), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		unix.Close(pair[0])
		unix.Close(pair[1])
		return nil, nil, fmt.Errorf("dup: %w", err)
	}
	m.opener.mu.Lock()
	m.opener.socket = pair[0]
	m.opener.mu.Unlock()
	return os.NewFile(uintptr(pair[1]), "opener"), os.NewFile(uintptr(dup), "root"), nil
}

// close ends the other process's Serve.
func (p *opener) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.socket != 0 {
		unix.Close(p.socket)
		p.socket = 0
	}
}

// Serve opens files for another process until that has gone.
func Serve(socket, root int) {
	buf := make([]byte, 4+unix.NAME_MAX)
	for {
		var n int
		err := retry(func() (err error) { n, err = unix.Read(socket, buf); return err })
		if err != nil || n < 4 {
			return
		}
		fd, err := openHere(root, string(buf[4:n]), int(binary.NativeEndian.Uint32(buf)))
		var rights []byte
		if fd >= 0 {
			rights = unix.UnixRights(fd)
		}
		err = send(socket, errnoOf(err), rights)
		if fd >= 0 {
			unix.Close(fd)
		}
		if err != nil {
			return
		}
	}
}

// openHere opens a file. Without a name it only asks for something, and returns no descriptor. Its error is an errno.
func openHere(root int, name string, flags int) (fd int, err error) {
	fd = -1
	err = retry(func() (err error) {
		if name == "" {
			var st unix.Stat_t
			return unix.Fstat(root, &st)
		}
		fd, err = unix.Openat(root, name, flags|unix.O_CLOEXEC, 0)
		return err
	})
	return fd, err
}

// open is openHere, by the other process if there is one.
func (p *opener) open(root int, name string, flags int) (fd int, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.socket != 0 {
		fd, errno, err := p.ask(name, flags)
		switch {
		case err == nil && errno == 0:
			return fd, nil
		case err == nil:
			return -1, errno
		}
		unix.Close(p.socket) // somebody has killed it
		p.socket = 0
	}
	return openHere(root, name, flags)
}

// ask asks the other process.
func (p *opener) ask(name string, flags int) (fd int, errno unix.Errno, err error) {
	if err := retry(func() error {
		return unix.Sendmsg(p.socket, append(binary.NativeEndian.AppendUint32(nil, uint32(flags)), name...), nil, nil, unix.MSG_NOSIGNAL)
	}); err != nil {
		return -1, 0, err
	}
	want := 1
	if name == "" {
		want = 0
	}
	errno, fds, err := receive(p.socket, want)
	if err != nil || errno != 0 || name == "" {
		return -1, errno, err
	}
	return fds[0], 0, nil
}

// send sends an error number and descriptors.
func send(socket int, errno unix.Errno, rights []byte) error {
	return retry(func() error {
		return unix.Sendmsg(socket, binary.NativeEndian.AppendUint32(nil, uint32(errno)), rights, nil, unix.MSG_NOSIGNAL)
	})
}

// receive receives an error number and, unless it is one, n descriptors: EMFILE if there is no room for them.
func receive(socket, n int) (errno unix.Errno, fds []int, err error) {
	var b [4]byte
	control := make([]byte, unix.CmsgSpace(4*max(n, 1)))
	var got, controls int
	if err := retry(func() (err error) {
		got, controls, _, _, err = unix.Recvmsg(socket, b[:], control, unix.MSG_CMSG_CLOEXEC)
		return err
	}); err != nil {
		return 0, nil, err
	}
	if got < len(b) {
		return 0, nil, errors.New("no answer")
	}
	if messages, err := unix.ParseSocketControlMessage(control[:controls]); err == nil && len(messages) == 1 {
		fds, _ = unix.ParseUnixRights(&messages[0]) // nil: there are none
	}
	if errno = unix.Errno(binary.NativeEndian.Uint32(b[:])); errno == 0 && len(fds) < n {
		for _, fd := range fds {
			unix.Close(fd)
		}
		errno = unix.EMFILE
	}
	return errno, fds, nil
}

// errnoOf is the error number in an error, 0 if there is none.
func errnoOf(err error) (errno unix.Errno) {
	errors.As(err, &errno)
	return errno
}

// retry makes a call again that a signal has interrupted.
func retry(call func() error) error {
	for {
		if err := call(); err != unix.EINTR {
			return err
		}
	}
}
