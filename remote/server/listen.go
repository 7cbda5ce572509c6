package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"slices"
	"sync"
	"time"

	"farcall/remote"
	"farcall/remote/wire"

	"golang.org/x/sys/unix"
)

// ErrUnauthenticated is the error of listening where anybody could connect.
var ErrUnauthenticated = errors.New("clients would not be authenticated")

// Listen listens for clients. On vsock they are root of the host, or with insecure anybody. On a unix socket the kernel tells who they are. Over TCP secure does, if it is not nil, by their
// certificates. Without it, the address has to be one of the loopback interface, and insecure be set: every user of this host can
// connect then.
//
// Errors: ErrUnauthenticated; those of net.Listen.
func Listen(ctx context.Context, a remote.Address, secure *tls.Config, insecure bool) (net.Listener, error) {
	if a.Network == "tcp" {
		switch {
		case secure != nil:
			l, err := new(net.ListenConfig).Listen(ctx, a.Network, a.Addr)
			if err != nil {
				return nil, err
			}
			return tls.NewListener(l, secure), nil
		case !a.Loopback():
			return nil, fmt.Errorf("listen %v: not a loopback address: %w", a, ErrUnauthenticated)
		case !insecure:
			return nil, fmt.Errorf("listen %v: every user of this host could connect: %w", a, ErrUnauthenticated)
		}
	}
	if a.Network == "vsock" {
		l, err := remote.ListenVsock(a)
		if err == nil && insecure {
			l = anybody{l}
		}
		return l, err
	}
	l, err := new(net.ListenConfig).Listen(ctx, a.Network, a.Addr)
	if errors.Is(err, unix.EADDRINUSE) && a.Network == "unix" && abandoned(ctx, a.Addr) {
		if err := os.Remove(a.Addr); err != nil {
			return nil, err
		}
		return new(net.ListenConfig).Listen(ctx, a.Network, a.Addr)
	}
	return l, err
}

// anybody is a listener whose clients need not say who they are.
type anybody struct{ net.Listener }

func (l anybody) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return anyConn{c}, nil
}

type anyConn struct{ net.Conn }

// vsockPeer decides about a client that has come over vsock: the host of a virtual machine can do what it likes with it, and its root, or that of the same
// machine, is whoever can have a privileged port there.
func vsockPeer(a remote.VsockAddr) error {
	if a.CID != unix.VMADDR_CID_HOST && a.CID != unix.VMADDR_CID_LOCAL {
		return fmt.Errorf("the machine with the CID %d may not connect, the host may", a.CID)
	}
	if !a.Privileged() {
		return errors.New("only root may connect: from a port below 1024")
	}
	return nil
}

// abandoned tells whether nobody listens on a unix socket: a server that has changed its root directory, or was killed, cannot remove its own.
func abandoned(ctx context.Context, path string) bool {
	st, err := os.Lstat(path)
	if err != nil || st.Mode()&fs.ModeSocket == 0 {
		return false
	}
	c, err := new(net.Dialer).DialContext(ctx, "unix", path)
	if err == nil {
		c.Close()
	}
	return errors.Is(err, unix.ECONNREFUSED)
}

// ServeListener serves the clients that connect until ctx is done, then ends their sessions and closes l. users are those who may
// connect to a unix socket, nil for root and the user that the server runs as. report is told of each session that failed.
//
// Errors: those of Accept; nil when ctx is done.
func (s *Server) ServeListener(ctx context.Context, l net.Listener, users []uint32, report func(peer string, err error)) error {
	if users == nil {
		users = []uint32{0, uint32(os.Geteuid())}
	}
	var sessions sync.WaitGroup
	defer sessions.Wait()
	// Sessions outlive ctx for as long as calls under way may take.
	inner, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	stop := context.AfterFunc(ctx, func() {
		l.Close()
		bounded, done := context.WithTimeout(inner, stopTimeout)
		defer done()
		s.stop(bounded)
		cancel()
	})
	defer stop()
	admitted := make(chan struct{}, maxConnections)
	for {
		conn, err := l.Accept()
		switch {
		case ctx.Err() != nil:
			<-inner.Done()
			return nil
		case errors.Is(err, unix.EMFILE) || errors.Is(err, unix.ENFILE): // sessions that end give some back
			select {
			case <-time.After(acceptPause):
				continue
			case <-ctx.Done():
				<-inner.Done()
				return nil
			}
		case err != nil:
			return fmt.Errorf("accept: %w", err)
		}
		admitted <- struct{}{}
		sessions.Go(func() {
			defer func() { <-admitted }()
			peer, identity, err := authenticate(conn, users)
			if err != nil {
				refusal := wire.AppendFrame(nil, wire.Frame{Op: wire.OpRefuse, Payload: []byte(err.Error())})
				_, _ = conn.Write(refusal) // it is told why if it listens
				conn.Close()
			} else {
				err = s.serve(inner, conn, peer, identity)
			}
			if err != nil && ctx.Err() == nil && report != nil {
				report(peer, err)
			}
		})
	}
}

// Limits of a listener.
const (
	maxConnections = 1024                   // at a time; others have to wait
	stopTimeout    = 5 * time.Second        // for calls under way when the server is stopped
	acceptPause    = 100 * time.Millisecond // while there are no descriptors left
)

// handshakeTimeout is how long a client may take to say who it is.
const handshakeTimeout = 30 * time.Second

// authenticate says who a client is: in words, and what has to be the same for going on with a session.
func authenticate(conn net.Conn, users []uint32) (peer, identity string, err error) {
	if t, ok := conn.(*tls.Conn); ok {
		ctx, cancel := context.WithTimeout(context.Background(), handshakeTimeout)
		defer cancel()
		if err := t.HandshakeContext(ctx); err != nil {
			return conn.RemoteAddr().String(), "", err
		}
		cert := t.ConnectionState().PeerCertificates[0]
		return conn.RemoteAddr().String() + " " + cert.Subject.CommonName, "certificate " + string(cert.Raw), nil
	}
	if a, ok := conn.RemoteAddr().(remote.VsockAddr); ok {
		host := fmt.Sprintf("vsock %d", a.CID)
		if _, any := conn.(anyConn); any {
			return "vsock " + a.String(), host, nil
		}
		return "vsock " + a.String(), host, vsockPeer(a)
	}
	u, ok := conn.(*net.UnixConn)
	if !ok {
		host, _, _ := net.SplitHostPort(conn.RemoteAddr().String())
		return conn.RemoteAddr().String(), "host " + host, nil
	}
	raw, err := u.SyscallConn()
	if err != nil {
		return "unknown", "", fmt.Errorf("peer credentials: %w", err)
	}
	var cred *unix.Ucred
	cerr := raw.Control(func(fd uintptr) { cred, err = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED) })
	if err = errors.Join(cerr, err); err != nil {
		return "unknown", "", fmt.Errorf("peer credentials: %w", err)
	}
	peer = fmt.Sprintf("uid %d, pid %d", cred.Uid, cred.Pid)
	if !slices.Contains(users, cred.Uid) {
		return peer, "", fmt.Errorf("user %d may not connect", cred.Uid)
	}
	return peer, fmt.Sprintf("uid %d", cred.Uid), nil
}

// ChangeRoot makes a directory the root of all that the process, and so its clients, can name. The Server has to exist already.
//
// Errors: EPERM without CAP_SYS_CHROOT; other errnos of chroot(2).
func ChangeRoot(dir string) error {
	if err := unix.Chroot(dir); err != nil {
		return fmt.Errorf("chroot %s: %w", dir, err)
	}
	if err := unix.Chdir("/"); err != nil {
		return fmt.Errorf("chdir / in %s: %w", dir, err)
	}
	return nil
}
