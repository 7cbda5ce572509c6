package client

import (
	"encoding/binary"
	"fmt"
	"syscall"

	"farcall/remote/stream"
	"farcall/remote/wire"
)

// Dial has the server connect a socket. If the result's Ret is 0, the stream is to be attached to what stands for the socket here. The
// error is one of Syscall's.
func (c *Conn) Dial(datagram bool, addr []byte) (*wire.Dialed, *stream.Stream, error) {
	return c.DialFrom(c.newStream(), datagram, addr)
}

// DialFrom is Dial with a stream socket that Bind has made.
func (c *Conn) DialFrom(id uint32, datagram bool, addr []byte) (*wire.Dialed, *stream.Stream, error) {
	if c.welcome.Caps&wire.CapDial == 0 {
		return &wire.Dialed{Ret: -int64(syscall.ENETUNREACH)}, nil, nil
	}
	return c.opened(id, wire.OpDial, (&wire.Dial{Stream: id, Datagram: datagram, Addr: addr}).Encode())
}

// opened makes a request that is answered by DIALED and begins a stream.
func (c *Conn) opened(id uint32, op wire.Op, payload []byte) (*wire.Dialed, *stream.Stream, error) {
	st, err := c.mux.Open(id)
	if err != nil {
		if lost := c.Err(); lost != nil {
			return &wire.Dialed{}, nil, lost
		}
		return &wire.Dialed{Ret: -int64(syscall.EMFILE)}, nil, nil
	}
	r, err := c.dialed(op, payload)
	if err != nil || r.Ret < 0 {
		st.Drop()
		return r, nil, err
	}
	return r, st, nil
}

func (c *Conn) newStream() uint32 { return c.streams.Add(1) &^ wire.FromServer }

func (c *Conn) dialed(op wire.Op, payload []byte) (*wire.Dialed, error) {
	var b Batch
	r := new(wire.Dialed)
	b.add(op, wire.OpDialed, framed(payload), r.Decode)
	return r, c.DoBatch(&b)
}

// Connect has the server connect a datagram socket that has a stream already, or, with AF_UNSPEC, disconnect it (connect(2)).
func (c *Conn) Connect(st *stream.Stream, addr []byte) (*wire.Dialed, error) {
	return c.dialed(wire.OpDial, (&wire.Dial{Stream: st.ID(), Datagram: true, Addr: addr}).Encode())
}

// BindDatagram has the server make a datagram socket without a peer. What its stream carries is made by wire.AppendDatagram.
func (c *Conn) BindDatagram(options wire.BindOptions, addr []byte) (*wire.Dialed, *stream.Stream, error) {
	if c.welcome.Caps&wire.CapBind == 0 {
		return &wire.Dialed{Ret: -int64(syscall.EADDRNOTAVAIL)}, nil, nil
	}
	id := c.newStream()
	return c.opened(id, wire.OpBind, (&wire.Bind{Stream: id, Datagram: true, Options: options, Addr: addr}).Encode())
}

// Bind has the server make a stream socket with an address. If the result's Ret is 0, id is its number, for DialFrom, Listen and Release.
func (c *Conn) Bind(options wire.BindOptions, addr []byte) (r *wire.Dialed, id uint32, err error) {
	if c.welcome.Caps&wire.CapBind == 0 {
		return &wire.Dialed{Ret: -int64(syscall.EADDRNOTAVAIL)}, 0, nil
	}
	id = c.newStream()
	r, err = c.dialed(wire.OpBind, (&wire.Bind{Stream: id, Options: options, Addr: addr}).Encode())
	return r, id, err
}

// accept is told of a connection. It must not wait.
type accept func(*wire.Accepted, *stream.Stream)

// Listen has a socket that Bind has made wait for connections. accepted is called for each, and must not wait; the stream is to be attached or
// refused.
func (c *Conn) Listen(id uint32, backlog int, accepted func(*wire.Accepted, *stream.Stream)) (*wire.Dialed, error) {
	c.listeners.Store(id, accept(accepted))
	r, err := c.dialed(wire.OpListen, (&wire.Listen{Stream: id, Backlog: uint32(max(backlog, 0))}).Encode())
	if err != nil || r.Ret < 0 {
		c.listeners.Delete(id)
	}
	return r, err
}

// Release has the server close a socket that Bind has made, and that was not connected. It does not wait.
func (c *Conn) Release(id uint32) {
	c.listeners.Delete(id)
	c.oneWay.Add(1)
	_ = c.send(wire.StreamFrame(wire.OpReset, id, binary.LittleEndian.AppendUint32(nil, 0))) // Err has it
}

// accepted begins the stream of an ACCEPTED.
func (c *Conn) accepted(f wire.Frame) error {
	a := new(wire.Accepted)
	if err := a.Decode(f.Payload); err != nil {
		return err
	}
	st, err := c.mux.Open(a.Stream)
	if err == syscall.EMFILE {
		return c.send(wire.StreamFrame(wire.OpReset, a.Stream, binary.LittleEndian.AppendUint32(nil, uint32(syscall.EMFILE))))
	}
	if err != nil {
		return err
	}
	l, ok := c.listeners.Load(a.Listener)
	if !ok { // released meanwhile, or never there
		if a.Listener > c.streams.Load() {
			return fmt.Errorf("%w: ACCEPTED by %d, which does not listen", wire.ErrCorrupt, a.Listener)
		}
		go st.Refuse(syscall.ECONNRESET)
		return nil
	}
	l.(accept)(a, st)
	return nil
}
