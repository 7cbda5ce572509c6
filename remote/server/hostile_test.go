package server_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"testing"
	"time"

	"farcall/remote/client"
	"farcall/remote/server"
	"farcall/remote/wire"
)

// script is a connection whose other side says what it says, whatever it is told.
type script struct {
	io.Reader
	bytes.Buffer
}

func (s *script) Read(b []byte) (int, error) { return s.Reader.Read(b) }

func (s *script) Close() error { return nil }

func hello() []byte {
	return wire.AppendFrame(nil, wire.Frame{Op: wire.OpHello, Payload: (&wire.Hello{Min: 1, Max: 1, Caps: 3}).Encode()})
}

// TestCorruptEndsSession has clients that break the protocol; the session ends, and they are told why.
func TestCorruptEndsSession(t *testing.T) {
	frame := func(op wire.Op, payload string) []byte {
		return wire.AppendFrame(nil, wire.Frame{Op: op, ID: 1, Payload: []byte(payload)})
	}
	for _, c := range []struct {
		what string
		send []byte
		says string
	}{
		{"no HELLO", frame(wire.OpCall, ""), "not HELLO"},
		{"a HELLO of another protocol", frame(wire.OpHello, "GET / HTTP/1.1\r\n\r\n"), "does not begin"},
		{"a later version only", frame(wire.OpHello, string((&wire.Hello{Min: 7, Max: 9}).Encode())), "no common version"},
		{"a short CALL", append(hello(), frame(wire.OpCall, "xy")...), "too short"},
		{"a frame for clients", append(hello(), frame(wire.OpResult, "")...), "not for a server"},
		{"an unknown frame", append(hello(), frame(99, "")...), "Op(99)"},
		{"CLOSE of nothing", append(hello(), frame(wire.OpClose, "\x01\x00\x00\x00")...), "not open"},
		{"a frame that is too large", append(hello(), 0xff, 0xff, 0xff, 0xff, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0), "at most"},
	} {
		s := &script{Reader: bytes.NewReader(c.send)}
		err := server.New(server.Options{}).Serve(t.Context(), s, "test")
		if err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want %q", c.what, err, c.says)
		}
		if !strings.Contains(s.String(), c.says) {
			t.Errorf("%s: the client is told %q", c.what, s.String())
		}
	}
}

// FuzzSession feeds a whole server with what a hostile client may send behind its HELLO. It may only look, so that what it can name
// on this machine comes to no harm.
func FuzzSession(f *testing.F) {
	var m wire.Marshaller
	var s wire.Space
	for _, c := range []struct {
		name string
		regs [6]uint64
	}{
		{"openat", [6]uint64{cwd, s.PutString("/etc/hostname"), 0, 0}}, {"read", [6]uint64{0, s.Room(10), 10}},
		{"statx", [6]uint64{cwd, s.PutString("/"), 0, 0, s.Room(256)}}, {"getdents64", [6]uint64{0, s.Room(100), 100}},
	} {
		call, err := m.Marshal(c.name, c.regs, &s)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(wire.AppendFrame(nil, wire.Frame{Op: wire.OpCall, ID: 1, Payload: call.AppendCall(nil)}))
	}
	f.Add(wire.AppendFrame(nil, wire.Frame{Op: wire.OpOpenX, ID: 2, Payload: (&wire.OpenX{Dir: wire.CWD, Path: "/etc", MaxData: 100}).Encode()}))
	f.Add(wire.AppendFrame(nil, wire.Frame{Op: wire.OpListX, ID: 2, Payload: (&wire.ListX{Dir: wire.CWD, Path: "/etc", Max: 10}).Encode()}))
	srv := server.New(server.Options{MaxHandles: 8, MaxWaiting: 2})
	fuzzSession(f, srv)
}

// fuzzSession has a server read any bytes behind HELLO: it ends the session, with an error that says why.
func fuzzSession(f *testing.F, srv *server.Server) {
	f.Fuzz(func(t *testing.T, b []byte) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		s := &script{Reader: io.MultiReader(bytes.NewReader(hello()), bytes.NewReader(b))}
		err := srv.Serve(ctx, s, "fuzz")
		if err != nil && !errors.Is(err, wire.ErrCorrupt) && !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Fatal(err)
		}
	})
}

// TestHostileServer has clients talk to servers that answer anything: each call has to come to an end with an error.
func TestHostileServer(t *testing.T) {
	welcome := wire.AppendFrame(nil, wire.Frame{Op: wire.OpWelcome, Payload: (&wire.Welcome{Version: 1}).Encode()})
	answer := func(op wire.Op, id uint64, payload []byte) []byte {
		return wire.AppendFrame(nil, wire.Frame{Op: op, ID: id, Payload: payload})
	}
	piece := func(off uint32, n int) []byte {
		return (&wire.Result{Ret: 1, Pieces: []wire.Piece{{Off: off, Data: make([]byte, n)}}}).AppendResult(nil)
	}
	for _, c := range []struct {
		what   string
		answer []byte
		want   error
	}{
		{"nothing", nil, client.ErrLost},
		{"half a frame", []byte{9, 0, 0}, client.ErrLost},
		{"another kind of answer", answer(wire.OpOpened, 1, nil), wire.ErrCorrupt},
		{"an answer to what was not asked", answer(wire.OpResult, 7, piece(0, 1)), wire.ErrCorrupt},
		{"a short answer", answer(wire.OpResult, 1, []byte("abc")), wire.ErrCorrupt},
		{"more than was asked for", answer(wire.OpResult, 1, piece(0, 11)), wire.ErrCorrupt},
		{"what was not asked for", answer(wire.OpResult, 1, piece(10, 1)), wire.ErrCorrupt},
		{"a refusal", answer(wire.OpRefuse, 0, []byte("go away")), client.ErrRefused},
		{"a frame that is too large", []byte{0xff, 0xff, 0xff, 0xff, 5, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0}, wire.ErrCorrupt},
	} {
		near, far := net.Pipe()
		go func() {
			_, _ = wire.ReadFrame(far, nil)
			_, _ = far.Write(welcome)
			_, _ = wire.ReadFrame(far, nil)
			_, _ = far.Write(c.answer)
			far.Close()
		}()
		conn, err := client.New(near)
		if err != nil {
			t.Fatalf("%s: %v", c.what, err)
		}
		var s wire.Space
		if _, err := conn.Syscall("read", [6]uint64{0, s.Room(10), 10}, &s); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.what, err, c.want)
		}
		if _, err := conn.Syscall("read", [6]uint64{0, s.Room(10), 10}, &s); err == nil {
			t.Errorf("%s: the session goes on", c.what)
		}
		conn.Close()
	}
	for _, begin := range [][]byte{nil, []byte("SSH-2.0-x\r\n"), answer(wire.OpRefuse, 0, []byte("no")), answer(wire.OpResult, 0, nil),
		answer(wire.OpWelcome, 0, []byte("farcall"))} {
		near, far := net.Pipe()
		go func() {
			_, _ = wire.ReadFrame(far, nil)
			_, _ = far.Write(begin)
			far.Close()
		}()
		if c, err := client.New(near); err == nil {
			c.Close()
			t.Errorf("a server that begins with %q was accepted", begin)
		}
	}
}

// cut is a connection that fails after a number of bytes in each direction.
type cut struct {
	net.Conn
	left int
}

func (c *cut) Write(b []byte) (int, error) {
	if len(b) > c.left {
		n, _ := c.Conn.Write(b[:c.left])
		c.left = 0
		c.Conn.Close()
		return n, io.ErrClosedPipe
	}
	c.left -= len(b)
	return c.Conn.Write(b)
}

// TestCut cuts the link at every byte of a recorded session: every call ends, with its result or an error.
func TestCut(t *testing.T) {
	srv := server.New(server.Options{})
	run := func(nearLeft, farLeft int) (done int, err error) {
		near, far := net.Pipe()
		served := make(chan error, 1)
		go func() { served <- srv.Serve(t.Context(), &cut{far, farLeft}, "test") }()
		defer func() { <-served }()
		c, err := client.New(&cut{near, nearLeft})
		if err != nil {
			return 0, err
		}
		defer c.Close()
		var s wire.Space
		for _, call := range []struct {
			name string
			regs [6]uint64
		}{
			{"openat", [6]uint64{cwd, s.PutString("/etc/passwd"), 0, 0}}, {"read", [6]uint64{0, s.Room(100), 100}},
			{"statx", [6]uint64{cwd, s.PutString("/"), 0, 0, s.Room(256)}},
		} {
			if _, err := c.Syscall(call.name, call.regs, &s); err != nil {
				return done, err
			}
			done++
		}
		return done, nil
	}
	const plenty = 1 << 20
	if n, err := run(plenty, plenty); n != 3 || err != nil {
		t.Fatal(n, err)
	}
	for left := range 800 {
		if n, err := run(left, plenty); n != 3 && err == nil {
			t.Errorf("client's side cut after %d bytes: %d calls without error", left, n)
		}
		if n, err := run(plenty, left); n != 3 && err == nil {
			t.Errorf("server's side cut after %d bytes: %d calls without error", left, n)
		}
	}
}

// TestManySessions has sessions do different things at the same time.
func TestManySessions(t *testing.T) {
	var conns []*client.Conn
	for range 8 {
		conns = append(conns, session(t, server.Options{}))
	}
	done := make(chan error, len(conns)*2)
	for i, c := range conns {
		for j := range 2 {
			go func() {
				r := rand.New(rand.NewPCG(uint64(i), uint64(j)))
				var s wire.Space
				for range 200 {
					s.Reset()
					st := s.Room(256)
					ret, err := c.Syscall("statx", [6]uint64{cwd, s.PutString([]string{"/", "/etc", "/nowhere"}[r.IntN(3)]), 0, 0, st}, &s)
					if err != nil || ret != 0 && ret != -2 {
						done <- errors.Join(err, errors.New("unexpected result"))
						return
					}
				}
				done <- nil
			}()
		}
	}
	for range cap(done) {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}
