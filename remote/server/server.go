// Package server executes the system calls that clients send: the far side of remote execution. docs/remote.md is about its use,
// docs/wire.md about what it speaks.
package server

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"

	"farcall/remote/stream"
	"farcall/remote/wire"

	"golang.org/x/sys/unix"
)

// Options are the options of a Server. The zero value lets clients look but not change anything.
type Options struct {
	// Write lets clients change files. Without it only calls that look are executed; others give EROFS.
	Write bool

	// MaxHandles is how many files a session may have open, 0 means 1024. More give EMFILE.
	MaxHandles int

	// MaxWaiting is how many calls of a session may wait for something, such as the other end of a pipe, at a time; 0 means 64.
	// More give EAGAIN.
	MaxWaiting int

	// Connect are the addresses that clients may connect to; without any, nothing.
	Connect []Destination

	// Bind is what clients may listen on, or have as the address of a datagram socket; without any, nothing but addresses that the
	// kernel chooses for the latter.
	Bind []Destination

	// Audit, if not nil, is told of each call that was executed or refused, after it. It is called by several goroutines.
	Audit func(*Record)
}

// A Server serves sessions. It may be used by several goroutines.
type Server struct {
	opts   Options
	arenas arenas
	proc   int // /proc/self/fd, -1 if there is no /proc
}

// New makes a server. It has to be called before the process changes its root directory. The process should have a umask of 0, as clients apply that of the program (umask(2)).
func New(opts Options) *Server {
	if opts.MaxHandles == 0 {
		opts.MaxHandles = 1024
	}
	if opts.MaxWaiting == 0 {
		opts.MaxWaiting = 64
	}
	s := &Server{opts: opts, proc: -1}
	// O_PATH keeps it out of reach of reads, and the number of our process is in it for good.
	if fd, err := unix.Open("/proc/self/fd", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0); err == nil {
		s.proc = fd
	}
	return s
}

const capabilities = wire.CapOpenX | wire.CapListX | wire.CapDial | wire.CapBind | wire.CapLease

// A session is what one client has open.
type session struct {
	*Server
	peer    string
	waiting chan struct{} // a token for each call that waits
	quit    chan struct{}

	mux *stream.Mux

	leases *leases // nil: nothing is leased

	out sync.Mutex // writes of frames
	w   io.Writer

	mu      sync.Mutex
	handles map[uint32]*handle
	next    uint32
	sockets map[uint32]*socket // by stream

	accepted atomic.Uint32
}

// Serve serves one session until the client ends it, conn fails or ctx is done, and closes conn. Who may connect has been decided
// before; peer names the client in the audit log.
//
// Errors: nil if the client closed the connection between two frames; wire.ErrCorrupt; those of conn; ctx.Err.
func (s *Server) Serve(ctx context.Context, conn io.ReadWriteCloser, peer string) error {
	ses := &session{
		Server: s, peer: peer, w: conn, handles: map[uint32]*handle{}, sockets: map[uint32]*socket{},
		waiting: make(chan struct{}, s.opts.MaxWaiting), quit: make(chan struct{}),
	}
	ses.mux = stream.New(maxStreams, ses.send)
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer func() {
		stop()
		close(ses.quit)
		conn.Close()
		ses.leases.close()
		ses.mux.Close()
		ses.closeAll()
	}()
	err := ses.run(conn)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed) || errors.Is(err, os.ErrClosed):
		return nil
	case errors.Is(err, wire.ErrCorrupt) || errors.Is(err, errVersion):
		_ = ses.send(wire.Frame{Op: wire.OpRefuse, Payload: []byte(err.Error())}) // the session is over in any case
	}
	return err
}

var errVersion = errors.New("no common version of the protocol")

func (s *session) run(conn io.Reader) error {
	r := bufio.NewReaderSize(conn, 64<<10)
	f, err := wire.ReadFrame(r, nil)
	if err != nil {
		return err
	}
	if err := s.hello(f); err != nil {
		return err
	}
	buf := make([]byte, 64<<10)
	for {
		f, err := wire.ReadFrame(r, buf)
		if err != nil {
			return err
		}
		if err := s.handle(f); err != nil {
			return err
		}
	}
}

func (s *session) hello(f wire.Frame) error {
	if f.Op != wire.OpHello {
		return fmt.Errorf("%w: the first frame is %v, not HELLO", wire.ErrCorrupt, f.Op)
	}
	var h wire.Hello
	if err := h.Decode(f.Payload); err != nil {
		return err
	}
	if h.Min > wire.Version || h.Max < wire.Version {
		return fmt.Errorf("%w: the client speaks %d to %d, this server %d", errVersion, h.Min, h.Max, wire.Version)
	}
	w := wire.Welcome{
		Version: wire.Version, Caps: h.Caps & capabilities, UID: uint32(unix.Geteuid()), GID: uint32(unix.Getegid()),
	}
	groups, _ := unix.Getgroups() // none is what a client can live with
	for _, g := range groups {
		w.Groups = append(w.Groups, uint32(g))
	}
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return fmt.Errorf("uname: %w", err)
	}
	if w.Caps&wire.CapLease != 0 {
		if s.leases = newLeases(s); s.leases == nil {
			w.Caps &^= wire.CapLease
		}
	}
	for i, field := range [...][65]byte{u.Sysname, u.Nodename, u.Release, u.Version, u.Machine, u.Domainname} {
		w.Uname[i] = unix.ByteSliceToString(field[:])
	}
	return s.send(wire.Frame{Op: wire.OpWelcome, ID: f.ID, Payload: w.Encode()})
}

// handle does what a frame asks for. Its error ends the session.
func (s *session) handle(f wire.Frame) error {
	switch f.Op {
	case wire.OpCall:
		return s.call(f)
	case wire.OpClose:
		return s.closeFrame(f)
	case wire.OpOpenX:
		return s.openX(f)
	case wire.OpListX:
		return s.listX(f)
	case wire.OpDial:
		return s.dial(f)
	case wire.OpBind:
		return s.bind(f)
	case wire.OpListen:
		return s.listen(f)
	case wire.OpReset:
		return s.reset(f)
	case wire.OpData, wire.OpWindow, wire.OpEOF:
		return s.mux.Handle(f)
	case wire.OpPing:
		return s.send(wire.Frame{Op: wire.OpPong, ID: f.ID, Payload: f.Payload})
	}
	return fmt.Errorf("%w: %v is not for a server", wire.ErrCorrupt, f.Op)
}

// send sends a frame, and before an answer what has changed until then.
func (s *session) send(f wire.Frame) error {
	if s.leases != nil && f.ID != 0 {
		s.leases.tell()
	}
	return s.write(f)
}

func (s *session) write(f wire.Frame) error {
	b := wire.AppendFrame(make([]byte, 0, wire.HeaderSize+len(f.Payload)), f)
	s.out.Lock()
	defer s.out.Unlock()
	_, err := s.w.Write(b)
	return err
}
