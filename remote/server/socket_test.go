package server_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"farcall/remote/client"
	"farcall/remote/server"
	"farcall/remote/stream"
	"farcall/remote/wire"

	"golang.org/x/sys/unix"
)

// addr4 is a struct sockaddr_in.
func addr4(s string) []byte {
	a := netip.MustParseAddrPort(s)
	ip := a.Addr().As4()
	b := binary.BigEndian.AppendUint16([]byte{unix.AF_INET, 0}, a.Port())
	return append(append(b, ip[:]...), make([]byte, 8)...)
}

// addrUnix is a struct sockaddr_un.
func addrUnix(name string) []byte { return append([]byte{unix.AF_UNIX, 0}, name+"\x00"...) }

func destinations(t *testing.T, texts ...string) (ds []server.Destination) {
	t.Helper()
	for _, s := range texts {
		d, err := server.ParseDestination(s)
		if err != nil {
			t.Fatal(err)
		}
		ds = append(ds, d...)
	}
	return ds
}

func TestParseDestination(t *testing.T) {
	for text, want := range map[string]string{
		"all": "0.0.0.0/0:0 ::/0:0", ":80": "0.0.0.0/0:80 ::/0:80", "all:80": "0.0.0.0/0:80 ::/0:80", "10.1.2.3/8": "10.0.0.0/8:0", "10.1.2.3:5": "10.1.2.3/32:5",
		"2001:db8::1": "2001:db8::1/128:0", "[2001:db8::1]:443": "2001:db8::1/128:443", "unix": "/", "unix:/run/../tmp/": "/tmp",
	} {
		ds, err := server.ParseDestination(text)
		var got []string
		for _, d := range ds {
			if d.Unix != "" {
				got = append(got, d.Unix)
			} else {
				got = append(got, d.Prefix.String()+":"+strconv.Itoa(int(d.Port)))
			}
		}
		if err != nil || strings.Join(got, " ") != want {
			t.Errorf("%s: %q, %v, want %s", text, got, err, want)
		}
	}
	for _, text := range []string{"", "x", "10.0.0.0/33", "1.2.3.4:0", "1.2.3.4:99999", "unix:relative", ":", "[::1]"} {
		if ds, err := server.ParseDestination(text); err == nil {
			t.Errorf("%q: %v", text, ds)
		}
	}
}

func FuzzParseDestination(f *testing.F) {
	for _, s := range []string{"all", ":80", "10.0.0.0/8:1", "[::1]:2", "unix:/x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		ds, err := server.ParseDestination(s)
		if (err == nil) != (len(ds) > 0) {
			t.Errorf("%q: %v, %v", s, ds, err)
		}
	})
}

// TestSocketPolicy asks for what is not allowed, and for what is.
func TestSocketPolicy(t *testing.T) {
	dir := t.TempDir()
	l, err := net.Listen("unix", filepath.Join(dir, "sock"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	magic := "/proc/self/root"
	if err := os.Symlink(magic+dir, filepath.Join(dir, "out")); err != nil {
		t.Fatal(err)
	}
	c := session(t, server.Options{Write: true, Connect: destinations(t, "127.0.0.0/8", "unix:"+dir), Bind: destinations(t, "127.0.0.1", "unix:"+dir)})
	no := session(t, server.Options{Write: true, Connect: destinations(t, "127.0.0.1:1")})
	ro := session(t, server.Options{Connect: destinations(t, "unix"), Bind: destinations(t, "unix")})
	for _, x := range []struct {
		what string
		do   func() (*wire.Dialed, error)
		want unix.Errno
	}{
		{"connect to a port", func() (*wire.Dialed, error) { r, _, err := c.Dial(false, addr4(taken.Addr().String())); return r, err }, 0},
		{"connect elsewhere", func() (*wire.Dialed, error) { r, _, err := c.Dial(false, addr4("192.0.2.1:1")); return r, err }, unix.EACCES},
		{"connect without permission", func() (*wire.Dialed, error) { r, _, err := no.Dial(false, addr4(taken.Addr().String())); return r, err }, unix.EACCES},
		{"a datagram elsewhere", func() (*wire.Dialed, error) { r, _, err := c.Dial(true, addr4("192.0.2.1:1")); return r, err }, unix.EACCES},
		{"a unix socket", func() (*wire.Dialed, error) { r, _, err := c.Dial(false, addrUnix(dir+"/sock")); return r, err }, 0},
		{"a unix socket elsewhere", func() (*wire.Dialed, error) { r, _, err := c.Dial(false, addrUnix("/run/x")); return r, err }, unix.EACCES},
		{"a unix socket through ..", func() (*wire.Dialed, error) { r, _, err := c.Dial(false, addrUnix(dir+"/../x")); return r, err }, unix.EACCES},
		{"a unix socket through /proc", func() (*wire.Dialed, error) { r, _, err := c.Dial(false, addrUnix(dir+"/out/sock")); return r, err }, unix.ELOOP},
		{"an abstract one", func() (*wire.Dialed, error) { r, _, err := c.Dial(false, addrUnix("\x00x")); return r, err }, unix.EINVAL},
		{"another family", func() (*wire.Dialed, error) { r, _, err := c.Dial(false, []byte{16, 0, 0, 0}); return r, err }, unix.EAFNOSUPPORT},
		{"a cut address", func() (*wire.Dialed, error) { r, _, err := c.Dial(false, addr4("127.0.0.1:1")[:6]); return r, err }, unix.EAFNOSUPPORT},
		{"bind", func() (*wire.Dialed, error) { r, _, err := c.Bind(0, addr4("127.0.0.1:0")); return r, err }, 0},
		{"bind in use", func() (*wire.Dialed, error) { r, _, err := c.Bind(0, addr4(taken.Addr().String())); return r, err }, unix.EADDRINUSE},
		{"bind elsewhere", func() (*wire.Dialed, error) { r, _, err := c.Bind(0, addr4("0.0.0.0:5")); return r, err }, unix.EACCES},
		{"listen elsewhere", func() (*wire.Dialed, error) {
			_, id, err := c.Bind(0, addr4("0.0.0.0:0"))
			if err != nil {
				return nil, err
			}
			return c.Listen(id, 1, nil)
		}, unix.EACCES},
		{"listen without permission", func() (*wire.Dialed, error) {
			_, id, err := no.Bind(0, addr4("127.0.0.1:0"))
			if err != nil {
				return nil, err
			}
			return no.Listen(id, 1, nil)
		}, unix.EACCES},
		{"bind a unix socket", func() (*wire.Dialed, error) { r, _, err := c.Bind(0, addrUnix(dir+"/new")); return r, err }, 0},
		{"bind it again", func() (*wire.Dialed, error) { r, _, err := c.Bind(0, addrUnix(dir+"/new")); return r, err }, unix.EADDRINUSE},
		{"bind one through /proc", func() (*wire.Dialed, error) { r, _, err := c.Bind(0, addrUnix(dir+"/out/new2")); return r, err }, unix.ELOOP},
		{"bind one read-only", func() (*wire.Dialed, error) { r, _, err := ro.Bind(0, addrUnix(dir+"/new3")); return r, err }, unix.EROFS},
		{"bind a datagram port", func() (*wire.Dialed, error) { r, _, err := no.BindDatagram(0, addr4("127.0.0.1:5353")); return r, err }, unix.EACCES},
	} {
		r, err := x.do()
		if err != nil {
			t.Fatalf("%s: %v", x.what, err)
		}
		if r.Ret != -int64(x.want) {
			t.Errorf("%s: %d, want %v", x.what, r.Ret, x.want)
		}
	}
}

// end is one end of a pipe as a socket.
type end struct{ net.Conn }

func (e end) CloseWrite() error { return e.Close() }

// TestDatagramPolicy sends where it is not allowed: the client is told, and goes on; what strangers send does not arrive.
func TestDatagramPolicy(t *testing.T) {
	friend, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.MustParseAddrPort("127.0.0.1:0")))
	if err != nil {
		t.Fatal(err)
	}
	defer friend.Close()
	stranger, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.MustParseAddrPort("127.0.0.1:0")))
	if err != nil {
		t.Fatal(err)
	}
	defer stranger.Close()
	c := session(t, server.Options{Connect: destinations(t, friend.LocalAddr().String())})
	r, st, err := c.BindDatagram(0, addr4("127.0.0.1:0"))
	if err != nil || r.Ret != 0 {
		t.Fatal(r, err)
	}
	near, far := net.Pipe()
	defer near.Close()
	st.Attach(end{far}, nil)
	send := func(to net.Addr) {
		if _, err := near.Write(wire.AppendDatagram(nil, addr4(to.String()), []byte("x"))); err != nil {
			t.Fatal(err)
		}
	}
	receive := func() (addr, data []byte) {
		b := make([]byte, wire.MaxChunk)
		n, err := near.Read(b)
		if err == nil {
			addr, data, err = wire.SplitDatagram(b[:n])
		}
		if err != nil {
			t.Fatal(err)
		}
		return addr, data
	}
	send(stranger.LocalAddr())
	if addr, data := receive(); len(addr) != 0 || binary.LittleEndian.Uint32(data) != uint32(unix.EACCES) {
		t.Errorf("%q %q", addr, data)
	}
	send(friend.LocalAddr())
	buf := make([]byte, 9)
	_, from, err := friend.ReadFromUDP(buf)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []*net.UDPConn{stranger, friend} {
		if _, err := s.WriteToUDP([]byte("hello"), from); err != nil {
			t.Fatal(err)
		}
	}
	if addr, data := receive(); !bytes.Equal(addr, addr4(friend.LocalAddr().String())) || string(data) != "hello" {
		t.Errorf("%q %q", addr, data)
	}
}

// TestAcceptRefused has a client that refuses a connection, and one that closes its listener.
func TestAcceptRefused(t *testing.T) {
	c := session(t, server.Options{Bind: destinations(t, "127.0.0.1")})
	r, id, err := c.Bind(0, addr4("127.0.0.1:0"))
	if err != nil || r.Ret != 0 {
		t.Fatal(r, err)
	}
	at := net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: int(binary.BigEndian.Uint16(r.Local[2:]))}
	if r, err = c.Listen(id, 5, func(_ *wire.Accepted, st *stream.Stream) { go st.Refuse(unix.ECONNRESET) }); err != nil || r.Ret != 0 {
		t.Fatal(r, err)
	}
	conn, err := net.DialTCP("tcp", nil, &at)
	if err == nil { // it may be reset before
		_, err = conn.Read(make([]byte, 1))
		conn.Close()
	}
	if !errors.Is(err, unix.ECONNRESET) {
		t.Errorf("a refused connection: %v", err)
	}
	c.Release(id)
	if r, _, err := c.Bind(0, addr4(at.String())); err != nil || r.Ret != 0 && r.Ret != -int64(unix.EADDRINUSE) { // in order behind the release; in TIME_WAIT perhaps
		t.Errorf("%+v, %v", r, err)
	}
	if conn, err := net.DialTCP("tcp", nil, &at); err == nil {
		conn.Close()
		t.Error("it listens after its release")
	}
}

// TestSocketsCorrupt has clients that break the protocol.
func TestSocketsCorrupt(t *testing.T) {
	frame := func(op wire.Op, payload []byte) []byte {
		return wire.AppendFrame(nil, wire.Frame{Op: op, ID: 1, Payload: payload})
	}
	bind := frame(wire.OpBind, (&wire.Bind{Stream: 1, Addr: addr4("127.0.0.1:0")}).Encode())
	datagram := frame(wire.OpBind, (&wire.Bind{Stream: 1, Datagram: true, Addr: addr4("127.0.0.1:0")}).Encode())
	listen := frame(wire.OpListen, (&wire.Listen{Stream: 1}).Encode())
	for _, x := range []struct {
		what string
		send [][]byte
		says string
	}{
		{"LISTEN with nothing", [][]byte{listen}, "no socket for that"},
		{"LISTEN with a datagram socket", [][]byte{datagram, listen}, "no socket for that"},
		{"BIND twice", [][]byte{bind, bind}, "in use"},
		{"BIND of datagrams twice", [][]byte{datagram, datagram}, "in use"},
		{"ACCEPTED from a client", [][]byte{frame(wire.OpAccepted, nil)}, "not for a server"},
		{"a short LISTEN", [][]byte{frame(wire.OpListen, []byte{1})}, "too short"},
	} {
		s := &script{Reader: bytes.NewReader(append(hello(), bytes.Join(x.send, nil)...))}
		err := server.New(server.Options{}).Serve(t.Context(), s, "test")
		if err == nil || !strings.Contains(err.Error(), x.says) {
			t.Errorf("%s: %v, want %q", x.what, err, x.says)
		}
	}
}

// FuzzSockets feeds a server with frames about sockets. It may listen and connect on the loopback interface only.
func FuzzSockets(f *testing.F) {
	frames := func(fs ...wire.Frame) (b []byte) {
		for _, fr := range fs {
			b = wire.AppendFrame(b, fr)
		}
		return b
	}
	bind := func(datagram bool) wire.Frame {
		return wire.Frame{Op: wire.OpBind, ID: 1, Payload: (&wire.Bind{Stream: 1, Datagram: datagram, Addr: addr4("127.0.0.1:0")}).Encode()}
	}
	f.Add(frames(bind(false), wire.Frame{Op: wire.OpListen, ID: 2, Payload: (&wire.Listen{Stream: 1, Backlog: 1}).Encode()}, wire.StreamFrame(wire.OpReset, 1, make([]byte, 4))))
	f.Add(frames(bind(true), wire.StreamFrame(wire.OpData, 1, wire.AppendDatagram(nil, addr4("127.0.0.1:1"), []byte("x"))), wire.StreamFrame(wire.OpEOF, 1, nil)))
	f.Add(frames(bind(true), wire.Frame{Op: wire.OpDial, ID: 3, Payload: (&wire.Dial{Stream: 1, Datagram: true, Addr: make([]byte, 16)}).Encode()}))
	f.Add(frames(bind(false), wire.Frame{Op: wire.OpDial, ID: 3, Payload: (&wire.Dial{Stream: 1, Addr: addr4("127.0.0.1:1")}).Encode()}, wire.StreamFrame(wire.OpWindow, 1, []byte{1, 0, 0, 0})))
	loopback := []server.Destination{{Prefix: netip.MustParsePrefix("127.0.0.1/32"), Port: 1}}
	srv := server.New(server.Options{Connect: loopback, Bind: []server.Destination{{Prefix: netip.MustParsePrefix("127.0.0.1/32")}}})
	fuzzSession(f, srv)
}

// TestHostileAccepted has a server tell of connections that nobody has asked for.
func TestHostileAccepted(t *testing.T) {
	for _, a := range []wire.Accepted{{Listener: 1, Stream: wire.FromServer | 1}, {Listener: 1, Stream: 1}} {
		near, far := net.Pipe()
		go func() {
			_, _ = wire.ReadFrame(far, nil)
			_, _ = far.Write(wire.AppendFrame(nil, wire.Frame{Op: wire.OpWelcome, Payload: (&wire.Welcome{Version: 1}).Encode()}))
			_, _ = far.Write(wire.AppendFrame(nil, wire.Frame{Op: wire.OpAccepted, Payload: a.Encode()}))
		}()
		c, err := client.New(near)
		if err != nil {
			t.Fatal(err)
		}
		<-c.Ended()
		if err := c.Err(); !errors.Is(err, wire.ErrCorrupt) {
			t.Errorf("%+v: %v", a, err)
		}
		c.Close()
		far.Close()
	}
}
