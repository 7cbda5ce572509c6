package stream

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"testing"

	"farcall/remote/wire"
)

// pair connects two Muxes by channels, which keep the order of frames.
func pair(t *testing.T) (a, b *Mux) {
	t.Helper()
	ends := make(chan struct{})
	link := func(to func() *Mux) func(wire.Frame) error {
		frames := make(chan wire.Frame, 1<<12)
		go func() {
			for {
				select {
				case f := <-frames:
					if err := to().Handle(f); err != nil {
						t.Errorf("%v: %v", f.Op, err)
					}
				case <-ends:
					return
				}
			}
		}()
		return func(f wire.Frame) error {
			select {
			case frames <- f:
				return nil
			case <-ends:
				return io.ErrClosedPipe
			}
		}
	}
	a = New(4, link(func() *Mux { return b }))
	b = New(4, link(func() *Mux { return a }))
	t.Cleanup(func() {
		close(ends)
		a.Close()
		b.Close()
	})
	return a, b
}

// sockets makes two ends of a TCP connection.
func sockets(t *testing.T) (x, y *net.TCPConn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	d, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(); d.Close() })
	return c.(*net.TCPConn), d.(*net.TCPConn)
}

// TestCarry sends more than the window both ways, with ends that close one direction after the other.
func TestCarry(t *testing.T) {
	a, b := pair(t)
	near, nearEnd := sockets(t)
	far, farEnd := sockets(t)
	sa, err := a.Open(1)
	if err != nil {
		t.Fatal(err)
	}
	sb, err := b.Open(1)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan bool, 2)
	sa.Attach(nearEnd, func() { done <- true })
	sb.Attach(farEnd, func() { done <- true })
	data := bytes.Repeat([]byte("0123456789abcdef"), wire.Window/4)
	send := func(c *net.TCPConn) {
		if _, err := c.Write(data); err != nil {
			t.Error(err)
		}
		if err := c.CloseWrite(); err != nil {
			t.Error(err)
		}
	}
	go send(near)
	go send(far)
	for _, c := range []*net.TCPConn{near, far} {
		got, err := io.ReadAll(c)
		if err != nil || !bytes.Equal(got, data) {
			t.Errorf("%d bytes of %d, %v", len(got), len(data), err)
		}
	}
	<-done
	<-done
	if len(a.streams)+len(b.streams) != 0 {
		t.Error("the streams are not forgotten")
	}
}

// TestWindow has nobody read: no more than the window may be under way.
func TestWindow(t *testing.T) {
	a, b := pair(t)
	near, nearEnd := sockets(t)
	sa, err := a.Open(1)
	if err != nil {
		t.Fatal(err)
	}
	sb, err := b.Open(1) // not attached
	if err != nil {
		t.Fatal(err)
	}
	sa.Attach(nearEnd, nil)
	go func() { _, _ = near.Write(make([]byte, 4*wire.Window)) }()
	far, farEnd := sockets(t)
	sb.Attach(farEnd, nil)
	if n, err := io.CopyN(io.Discard, far, 4*wire.Window); err != nil {
		t.Errorf("%d bytes, %v", n, err)
	}
}

// TestReset closes one end in the middle.
func TestReset(t *testing.T) {
	a, b := pair(t)
	near, nearEnd := sockets(t)
	far, farEnd := sockets(t)
	sa, err := a.Open(1)
	if err != nil {
		t.Fatal(err)
	}
	sb, err := b.Open(1)
	if err != nil {
		t.Fatal(err)
	}
	sa.Attach(nearEnd, nil)
	sb.Attach(farEnd, nil)
	if err := far.SetLinger(0); err != nil {
		t.Fatal(err)
	}
	far.Close()
	if _, err := io.ReadAll(near); err != nil && !errors.Is(err, io.EOF) {
		t.Logf("the other side is told: %v", err)
	}
}

// TestHostile has the other side break the rules.
func TestHostile(t *testing.T) {
	u32 := func(n uint32) []byte { return binary.LittleEndian.AppendUint32(nil, n) }
	for _, c := range []struct {
		what   string
		frames []wire.Frame
		bad    bool
	}{
		{"data for nobody", []wire.Frame{wire.StreamFrame(wire.OpData, 9, []byte("x"))}, false},
		{"data behind the end", []wire.Frame{wire.StreamFrame(wire.OpEOF, 1, nil), wire.StreamFrame(wire.OpData, 1, []byte("x"))}, true},
		{"a window that is too large", []wire.Frame{wire.StreamFrame(wire.OpWindow, 1, u32(1))}, true},
		{"a window that wraps", []wire.Frame{wire.StreamFrame(wire.OpWindow, 1, u32(^uint32(0)))}, true},
		{"no stream", []wire.Frame{{Op: wire.OpData, Payload: []byte("ab")}}, true},
		{"a window without a number", []wire.Frame{wire.StreamFrame(wire.OpWindow, 1, nil)}, true},
		{"a chunk that is too large", []wire.Frame{wire.StreamFrame(wire.OpData, 1, make([]byte, wire.MaxChunk+1))}, true},
	} {
		m := New(2, func(wire.Frame) error { return nil })
		if _, err := m.Open(1); err != nil {
			t.Fatal(err)
		}
		var err error
		for _, f := range c.frames {
			if err == nil {
				err = m.Handle(f)
			}
		}
		if (err != nil) != c.bad || err != nil && !errors.Is(err, wire.ErrCorrupt) {
			t.Errorf("%s: %v", c.what, err)
		}
	}
	m := New(2, func(wire.Frame) error { return nil })
	if _, err := m.Open(1); err != nil {
		t.Fatal(err)
	}
	var err error
	for i := 0; i < wire.Window/1000+1 && err == nil; i++ {
		err = m.Handle(wire.StreamFrame(wire.OpData, 1, make([]byte, 1000)))
	}
	if !errors.Is(err, wire.ErrCorrupt) {
		t.Errorf("more than the window: %v", err)
	}
	if _, err := m.Open(1); !errors.Is(err, wire.ErrCorrupt) {
		t.Errorf("a number in use: %v", err)
	}
	if _, err := m.Open(2); err != nil {
		t.Error(err)
	}
	if _, err := m.Open(3); err == nil || errors.Is(err, wire.ErrCorrupt) {
		t.Errorf("too many: %v", err)
	}
}
