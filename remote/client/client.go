// Package client is the near side of remote execution: it sends system calls to a server and brings back what came of them.
package client

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"

	"farcall/decode"
	"farcall/remote/link"
	"farcall/remote/stream"
	"farcall/remote/wire"
)

// ErrLost is matched by the error of a request whose answer did not come: the connection failed, or was closed. Whether the
// server executed it is not known.
var ErrLost = errors.New("connection to the server lost")

// ErrRefused is matched by the error of a session that the server ended, with its reason.
var ErrRefused = errors.New("refused by the server")

// A Conn is a session with a server. Its methods may be called by any goroutine; requests of several goroutines are under way at the
// same time, and executed in the order in which they were sent.
type Conn struct {
	link    *link.Link
	welcome wire.Welcome

	lasting     Lasting
	begin       wire.Hello
	ticket      wire.Ticket
	outstanding outstanding
	restarted   atomic.Pointer[func()]

	reconnecting sync.WaitGroup

	mu      sync.Mutex
	pending map[uint64]chan wire.Frame
	next    uint64
	err     error
	ended   chan struct{}

	marshallers sync.Pool
	changed     func(*wire.Invalidate)
	mux         *stream.Mux
	streams     atomic.Uint32
	listeners   sync.Map // uint32 to accept

	roundTrips, oneWay, sent, received atomic.Int64
}

// Counts say what a session has cost.
type Counts struct {
	RoundTrips int64 // requests that were answered, or are waiting for it; HELLO is none
	OneWay     int64 // messages without an answer
	Sent       int64 // bytes
	Received   int64
}

// Options are how a session begins. The zero value is the simplest.
type Options struct {
	// First, if not nil, travels with HELLO, and so costs no round trip of its own. It has been done when Start returns.
	First *Batch

	// Changed, if not nil, is told what has changed of what the server leases, before any answer that came later. It must not make
	// requests.
	Changed func(*wire.Invalidate)

	// Lasting is how the session survives the loss of its connection, if the server can do that.
	Lasting Lasting
}

// New begins a session over a connection. Conn closes it. The session is over when the connection is.
//
// Errors: ErrRefused with the server's reason; wire.ErrCorrupt if the other side is no server; those of rwc.
func New(rwc io.ReadWriteCloser) (*Conn, error) { return Start(rwc, Options{}) }

// Start is New with options.
func Start(rwc io.ReadWriteCloser, o Options) (*Conn, error) {
	c := &Conn{
		link: link.New(rwc, 0, nil), lasting: o.Lasting, changed: o.Changed, pending: map[uint64]chan wire.Frame{}, ended: make(chan struct{}),
	}
	c.mux = stream.New(1<<16, c.send)
	c.marshallers.New = func() any { return new(wire.Marshaller) }
	first := o.First
	if first == nil {
		first = new(Batch)
	}
	if err := c.hello(first); err != nil {
		rwc.Close()
		return nil, fmt.Errorf("begin session: %w", err)
	}
	if c.Resumable() {
		c.link.OnLoss(func() {
			c.mu.Lock()
			defer c.mu.Unlock()
			if c.err == nil {
				c.reconnecting.Go(c.reconnect)
			}
		})
	} else {
		c.link.Once()
	}
	go c.receive()
	if err := c.wait(first, nil); err != nil {
		c.Close()
		return nil, fmt.Errorf("begin session: %w", err)
	}
	return c, nil
}

// Resumable tells whether the session survives the loss of its connection.
func (c *Conn) Resumable() bool { return c.lasting.Redial != nil && c.welcome.Caps&wire.CapResume != 0 }

func (c *Conn) hello(first *Batch) error {
	c.begin = wire.Hello{Min: wire.Version, Max: wire.Version, Caps: wire.CapOpenX | wire.CapListX | wire.CapDial | wire.CapBind | wire.CapCancel}
	if c.lasting.Redial != nil {
		c.begin.Caps |= wire.CapResume
	}
	if c.changed != nil {
		c.begin.Caps |= wire.CapLease
	}
	if err := c.link.Send(wire.AppendFrame(nil, wire.Frame{Op: wire.OpHello, Payload: c.begin.Encode()})); err != nil {
		return err
	}
	frames, err := c.register(first)
	if err != nil {
		return err
	}
	if c.lasting.Redial != nil {
		c.outstanding.sent(frames)
	}
	// The server answers the first requests while the last are still being sent.
	go func() { _ = c.link.Send(frames) }() // whoever waits for an answer is told
	f, _, err := c.link.First()
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return err
	}
	switch f.Op {
	case wire.OpWelcome:
		if err := c.welcome.Decode(f.Payload); err != nil {
			return err
		}
		if c.welcome.Version != wire.Version {
			return fmt.Errorf("%w: the server chose version %d", wire.ErrCorrupt, c.welcome.Version)
		}
		c.ticket = c.welcome.Ticket
		return nil
	case wire.OpRefuse:
		return fmt.Errorf("%w: %q", ErrRefused, f.Payload)
	}
	return fmt.Errorf("%w: the server began with %v", wire.ErrCorrupt, f.Op)
}

// Welcome is what the server said about itself.
func (c *Conn) Welcome() *wire.Welcome { return &c.welcome }

// Counts are the session's counters.
func (c *Conn) Counts() Counts {
	return Counts{c.roundTrips.Load(), c.oneWay.Load(), c.sent.Load(), c.received.Load()}
}

// Ended is closed when the session is over.
func (c *Conn) Ended() <-chan struct{} { return c.ended }

// Err is why the session is over, nil if it is not.
func (c *Conn) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// Close ends the session. Requests under way fail.
func (c *Conn) Close() error {
	err := fmt.Errorf("%w: closed", ErrLost)
	c.fail(err)
	c.mux.Close()
	if c.Resumable() { // without this the server would wait for us
		c.link.Finish(wire.AppendFrame(nil, wire.Frame{Op: wire.OpBye}))
	}
	err = c.link.End(err)
	c.reconnecting.Wait()
	return err
}

// fail ends the session; the first reason stays.
func (c *Conn) fail(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return
	}
	c.err = err
	close(c.ended)
	for id, ch := range c.pending {
		delete(c.pending, id)
		close(ch)
	}
}

func (c *Conn) receive() {
	for {
		f, err := c.link.Receive(nil)
		if err != nil {
			if !errors.Is(err, wire.ErrCorrupt) && !errors.Is(err, ErrLost) {
				err = fmt.Errorf("%w: %w", ErrLost, err)
			}
			c.end(err)
			return
		}
		c.received.Add(int64(wire.HeaderSize + len(f.Payload)))
		switch f.Op {
		case wire.OpRefuse:
			c.end(fmt.Errorf("%w: %q", ErrRefused, f.Payload))
			return
		case wire.OpPing:
			if c.send(wire.Frame{Op: wire.OpPong, ID: f.ID, Payload: f.Payload}) != nil {
				return
			}
			continue
		case wire.OpInvalidate:
			var inv wire.Invalidate
			err := inv.Decode(f.Payload)
			if err == nil && c.changed == nil {
				err = fmt.Errorf("%w: INVALIDATE, but nothing is leased", wire.ErrCorrupt)
			}
			if err != nil {
				c.end(err)
				return
			}
			c.changed(&inv)
			continue
		case wire.OpData, wire.OpWindow, wire.OpEOF, wire.OpReset:
			if err := c.mux.Handle(f); err != nil {
				c.end(err)
				return
			}
			continue
		case wire.OpAccepted:
			if err := c.accepted(f); err != nil {
				c.end(err)
				return
			}
			continue
		}
		c.mu.Lock()
		ch := c.pending[f.ID]
		c.outstanding.answered(f.ID)
		delete(c.pending, f.ID)
		c.mu.Unlock()
		if ch == nil {
			c.end(fmt.Errorf("%w: %v answers %d, which is no request", wire.ErrCorrupt, f.Op, f.ID))
			return
		}
		ch <- f
	}
}

// end ends the session because of the server.
func (c *Conn) end(err error) {
	c.fail(err)
	_ = c.link.End(err)
	c.mux.Reset()
	c.mux.Close()
}

func (c *Conn) send(f wire.Frame) error {
	return c.sendBytes(wire.AppendFrame(make([]byte, 0, wire.HeaderSize+len(f.Payload)), f))
}

// sendBytes sends whole frames.
func (c *Conn) sendBytes(b []byte) error {
	if c.Resumable() {
		c.outstanding.sent(b)
	}
	err := c.link.Send(b)
	c.sent.Add(int64(len(b)))
	if err != nil {
		c.end(fmt.Errorf("%w: %w", ErrLost, err))
		return c.Err()
	}
	return nil
}

// An Interruptible is memory of a program that can be interrupted while a call of it waits. The call is cancelled then: it returns EINTR, or its
// result if it has one.
type Interruptible interface {
	Interrupted() <-chan struct{} // closed when that happens; nil if it cannot
}

// Memory is what a call's pointers refer to. It may be Interruptible.
type Memory interface {
	decode.Memory
	wire.Writer
}

// Syscall has the server execute a call, given by its generic name, with handles for descriptors and generic flags. What the
// server's kernel writes is written to mem. ret is the result, or a negated error number: of the server's kernel, ENOSYS for a call
// that cannot be executed elsewhere, EFAULT for memory that is not there, E2BIG for more than wire.MaxIO bytes at once.
//
// Errors: ErrLost, ErrRefused, wire.ErrCorrupt; the session is over then.
func (c *Conn) Syscall(name string, regs [6]uint64, mem Memory) (ret int64, err error) {
	m := c.marshallers.Get().(*wire.Marshaller)
	defer c.marshallers.Put(m)
	call, err := m.Marshal(name, regs, mem)
	if err != nil {
		return marshalErrno(err), nil
	}
	var interrupted <-chan struct{}
	if i, ok := mem.(Interruptible); ok {
		interrupted = i.Interrupted()
	}
	var b Batch
	b.call(call, m, mem, &ret)
	if err := c.do(&b, interrupted); err != nil {
		return 0, err
	}
	return ret, nil
}

// OpenX opens a file and gets its attributes, and its content if it is regular, opened for reading, and has at most MaxData bytes.
// The error is one of Syscall's.
func (c *Conn) OpenX(o *wire.OpenX) (*wire.Opened, error) {
	var b Batch
	r := b.OpenX(o)
	if err := c.DoBatch(&b); err != nil {
		return nil, err
	}
	return r, nil
}

// ListX lists a directory with the attributes of its entries. The error is one of Syscall's.
func (c *Conn) ListX(l *wire.ListX) (*wire.Listed, error) {
	var b Batch
	r := b.ListX(l)
	if err := c.DoBatch(&b); err != nil {
		return nil, err
	}
	return r, nil
}

// CloseHandle tells the server that a handle is no longer used. It does not wait.
func (c *Conn) CloseHandle(handle uint32) {
	c.oneWay.Add(1)
	_ = c.send(wire.Frame{Op: wire.OpClose, Payload: binary.LittleEndian.AppendUint32(nil, handle)}) // Err has it
}
