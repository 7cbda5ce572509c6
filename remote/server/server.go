// Package server executes the system calls that clients send: the far side of remote execution. docs/remote.md is about its use,
// docs/wire.md about what it speaks.
package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"farcall/remote/link"
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

	// Grace is how long a session that has lost its connection can be resumed, with all that it has open. 0: not at all.
	Grace time.Duration

	// MaxKept is how many bytes of answers a session keeps until the client has acknowledged them, 0 means 32 MiB. A session that had to
	// drop some can not be resumed by a client that lacks them.
	MaxKept int

	// Audit, if not nil, is told of each call that was executed or refused, after it. It is called by several goroutines.
	Audit func(*Record)
}

// A Server serves sessions. It may be used by several goroutines.
type Server struct {
	opts   Options
	arenas arenas
	proc   int // /proc/self/fd, -1 if there is no /proc

	sessions sessions
}

// New makes a server. It has to be called before the process changes its root directory. The process should have a umask of 0, as clients apply that of the program (umask(2)).
func New(opts Options) *Server {
	if opts.MaxHandles == 0 {
		opts.MaxHandles = 1024
	}
	if opts.MaxWaiting == 0 {
		opts.MaxWaiting = 64
	}
	if opts.MaxKept == 0 {
		opts.MaxKept = 32 << 20
	}
	s := &Server{opts: opts, proc: -1}
	// O_PATH keeps it out of reach of reads, and the number of our process is in it for good.
	if fd, err := unix.Open("/proc/self/fd", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0); err == nil {
		s.proc = fd
		_ = inProc() // before the root directory is another
	}
	return s
}

const capabilities = wire.CapOpenX | wire.CapListX | wire.CapDial | wire.CapBind | wire.CapCancel | wire.CapLease

// A session is what one client has open.
type session struct {
	*Server
	peer     string
	identity string        // who may resume it
	waiting  chan struct{} // a token for each call that waits
	quit     chan struct{}
	busy     atomic.Int32 // requests under way

	mux *stream.Mux

	leases *leases // nil: nothing is leased

	link   *link.Link
	ticket wire.Ticket
	expiry *time.Timer // of a session without a connection; guarded by sessions.mu

	mu      sync.Mutex
	handles map[uint32]*handle
	first   uint32             // of the numbers of handles
	next    uint32             // less first
	sockets map[uint32]*socket // by stream
	cancels map[uint64]func()  // of requests that wait

	accepted atomic.Uint32
}

// Serve serves one session until the client ends it, conn fails or ctx is done, and closes conn. Who may connect has been decided
// before; peer names the client in the audit log. With Options.Grace, the session outlives conn, and goes on when the same peer
// connects, and resumes it, in time: Serve returns when the session is over. Of a connection that resumes one, it returns when that has failed.
//
// Errors: nil if the client closed the connection between two frames, or said that the session is over; wire.ErrCorrupt; those of conn; ctx.Err.
func (s *Server) Serve(ctx context.Context, conn io.ReadWriteCloser, peer string) error {
	return s.serve(ctx, conn, peer, peer)
}

func (s *Server) serve(ctx context.Context, conn io.ReadWriteCloser, peer, identity string) error {
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	l := link.New(conn, s.opts.MaxKept, nil)
	err := s.begin(ctx, conn, l, peer, identity)
	switch {
	case ctx.Err() != nil:
		err = ctx.Err()
	case errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed) || errors.Is(err, os.ErrClosed):
		err = nil
	case errors.Is(err, wire.ErrCorrupt) || errors.Is(err, errVersion) || errors.Is(err, errUnknown) || errors.Is(err, errStopping):
		// The session is over in any case.
		l.Refuse(err)
	}
	l.End(nil)
	conn.Close()
	return err
}

// begin reads the first frame, and serves what it begins.
func (s *Server) begin(ctx context.Context, conn io.ReadWriteCloser, l *link.Link, peer, identity string) error {
	d, limited := conn.(interface{ SetReadDeadline(time.Time) error })
	if limited {
		_ = d.SetReadDeadline(time.Now().Add(handshakeTimeout)) // an error shows when reading
	}
	f, r, err := l.First()
	if err != nil {
		return err
	}
	if limited {
		_ = d.SetReadDeadline(time.Time{})
	}
	if f.Op == wire.OpResume {
		return s.resume(ctx, conn, r, f, identity)
	}
	ses := &session{
		Server: s, peer: peer, identity: identity, link: l, handles: map[uint32]*handle{}, sockets: map[uint32]*socket{}, cancels: map[uint64]func(){},
		waiting: make(chan struct{}, s.opts.MaxWaiting), quit: make(chan struct{}),
	}
	ses.mux = stream.New(maxStreams, ses.send)
	if err := s.sessions.enter(ses); err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { l.End(ctx.Err()) })
	defer func() {
		stop()
		s.sessions.leave(ses)
		close(ses.quit)
		ses.cancelAll()
		ses.leases.close()
		ses.mux.Close()
		ses.closeAll()
	}()
	err = ses.hello(f)
	if err == nil {
		err = ses.run()
	}
	if errors.Is(err, wire.ErrCorrupt) || errors.Is(err, errVersion) {
		l.Refuse(err)
	}
	l.End(err)
	return err
}

var errVersion = errors.New("no common version of the protocol")

func (s *session) run() error {
	buf := make([]byte, 64<<10)
	for {
		f, err := s.link.Receive(buf)
		if err != nil {
			return err
		}
		if cap(f.Payload) > len(buf) { // it has all arrived, and others as large are likely
			buf = f.Payload[:cap(f.Payload)]
		}
		s.busy.Add(1)
		err = s.handle(f)
		s.busy.Add(-1)
		if err != nil {
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
	s.first = h.Turn * wire.HandlesPerSession
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
	if h.Caps&wire.CapResume != 0 && s.opts.Grace > 0 {
		w.Caps |= wire.CapResume
		w.Ticket, w.Grace = s.issue(), uint32(min(s.opts.Grace.Milliseconds(), 1<<32-1))
		s.link.OnLoss(s.park)
	} else {
		s.link.Once()
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
	case wire.OpCancel:
		return s.cancel(f)
	case wire.OpBye:
		return io.EOF
	case wire.OpPing:
		return s.send(wire.Frame{Op: wire.OpPong, ID: f.ID, Payload: f.Payload})
	}
	return fmt.Errorf("%w: %v is not for a server", wire.ErrCorrupt, f.Op)
}

// send sends a frame, and before an answer what has changed until then. Without a connection it is kept until there is one.
func (s *session) send(f wire.Frame) error {
	if s.leases != nil && f.ID != 0 {
		s.leases.tell()
	}
	return s.write(f)
}

func (s *session) write(f wire.Frame) error {
	return s.link.Send(wire.AppendFrame(make([]byte, 0, wire.HeaderSize+len(f.Payload)), f))
}
