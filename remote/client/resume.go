package client

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"syscall"
	"time"

	"farcall/remote/wire"
)

// A Lasting is how a session survives the loss of its connection. Calls wait meanwhile.
type Lasting struct {
	// Redial makes another connection to the server.
	Redial func(context.Context) (io.ReadWriteCloser, error)

	// Patience is how long it is tried. Then the session is over.
	Patience time.Duration

	// Connected, if not nil, is told of each loss, and when there is another connection.
	Connected func(again bool)
}

// OnRestart has f called when the session could not be resumed and another has taken its place: the server was restarted, or has given it up.
// What was open is stale (ESTALE) then, streams are reset, and what was known about files may be wrong. It must not make requests.
func (c *Conn) OnRestart(f func()) { c.restarted.Store(&f) }

// outstanding are the frames of requests that have no answer yet, by id.
type outstanding struct {
	mu     sync.Mutex
	frames map[uint64][]byte
}

// sent notes the requests among whole frames.
func (o *outstanding) sent(frames []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for len(frames) >= wire.HeaderSize {
		n := wire.HeaderSize + int(binary.LittleEndian.Uint32(frames))
		if id := binary.LittleEndian.Uint64(frames[8:]); id != 0 && answers[wire.Op(frames[4])] != 0 {
			if o.frames == nil {
				o.frames = map[uint64][]byte{}
			}
			o.frames[id] = frames[:n:n]
		}
		frames = frames[n:]
	}
}

func (o *outstanding) answered(id uint64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.frames, id)
}

// answers are the kinds of answers, all of which begin with an i64 result.
var answers = map[wire.Op]wire.Op{
	wire.OpCall: wire.OpResult, wire.OpOpenX: wire.OpOpened, wire.OpListX: wire.OpListed, wire.OpDial: wire.OpDialed,
}

// sort says which requests can be made again in another session, and answers the others: whether they were executed is not known.
func (o *outstanding) sort() (again []byte, answered []wire.Frame) {
	o.mu.Lock()
	defer o.mu.Unlock()
	ids := make([]uint64, 0, len(o.frames))
	for id := range o.frames {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	for _, id := range ids {
		b := o.frames[id]
		op := wire.Op(b[4])
		if repeatable(op, b[wire.HeaderSize:]) {
			again = append(again, b...)
			continue
		}
		errno := syscall.EIO
		if op == wire.OpDial {
			errno = syscall.ECONNRESET
		}
		f := wire.Frame{Op: answers[op], ID: id}
		f.Payload = binary.LittleEndian.AppendUint64(nil, uint64(-int64(errno)))
		if op == wire.OpDial {
			f.Payload = append(f.Payload, make([]byte, 8)...) // no addresses
		}
		answered = append(answered, f)
	}
	return again, answered
}

// changing are the generic open flags with which opening changes something: O_CREAT, O_TRUNC, and O_TMPFILE without O_DIRECTORY.
const changing = 0o100 | 0o1000 | 0o20000000

// repeatable tells whether a request may be executed twice. Those with handles may all be: their handles are stale in another session.
func repeatable(op wire.Op, payload []byte) bool {
	switch op {
	case wire.OpListX:
		return true
	case wire.OpOpenX:
		var o wire.OpenX
		return o.Decode(payload) == nil && o.Flags&changing == 0
	case wire.OpCall:
		var c wire.Call
		if c.Decode(payload) != nil {
			return false
		}
		spec := wire.Lookup(c.Number)
		switch {
		case spec == nil:
			return false
		case spec.Access == wire.AccessOpen:
			return c.Regs[2]&changing == 0
		}
		return spec.Access == wire.AccessRead
	}
	return false
}

// reconnect goes on with the session over another connection, or ends it.
func (c *Conn) reconnect() {
	ctx, cancel := context.WithTimeout(context.Background(), c.lasting.Patience)
	defer cancel()
	stop := make(chan struct{})
	defer close(stop)
	go func() {
		select {
		case <-c.ended:
			cancel()
		case <-stop:
		}
	}()
	tell := c.lasting.Connected
	if tell == nil {
		tell = func(bool) {}
	}
	tell(false)
	for pause := 10 * time.Millisecond; ; pause = min(2*pause, time.Second) {
		err := c.resume(ctx)
		if err == nil {
			tell(true)
			return
		}
		if errors.Is(err, wire.ErrCorrupt) || ctx.Err() != nil {
			c.end(fmt.Errorf("%w: %w", ErrLost, err))
			return
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			c.end(fmt.Errorf("%w: %w", ErrLost, err))
			return
		}
	}
}

// ask sends the first frame of another connection, and receives the answer to it. Both sides close it when ctx is done.
func (c *Conn) ask(ctx context.Context, f wire.Frame) (conn io.ReadWriteCloser, r *bufio.Reader, answer wire.Frame, err error) {
	conn, err = c.lasting.Redial(ctx)
	if err != nil {
		return nil, nil, answer, err
	}
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer func() {
		if err == nil && !stop() {
			err = ctx.Err()
		}
		if err != nil {
			stop()
			conn.Close()
		}
	}()
	if _, err = conn.Write(wire.AppendFrame(nil, f)); err != nil {
		return conn, nil, answer, err
	}
	r = bufio.NewReaderSize(conn, 64<<10)
	if answer, err = wire.ReadFrame(r, nil); err != nil {
		return conn, nil, answer, err
	}
	if answer.Op == wire.OpRefuse {
		err = fmt.Errorf("%w: %q", ErrRefused, answer.Payload)
	}
	return conn, r, answer, err
}

// resume makes another connection and takes the session up there.
func (c *Conn) resume(ctx context.Context) error {
	q := wire.Resume{Ticket: c.ticket, Received: c.link.Detach()}
	conn, r, answer, err := c.ask(ctx, wire.Frame{Op: wire.OpResume, Payload: q.Encode()})
	if errors.Is(err, ErrRefused) {
		return c.renew(ctx)
	}
	if err != nil {
		return err
	}
	var received uint64
	if answer.Op != wire.OpResumed {
		err = fmt.Errorf("%w: %v in answer to RESUME", wire.ErrCorrupt, answer.Op)
	} else if received, err = wire.Count(answer); err == nil && !c.link.Keeps(received) {
		err = fmt.Errorf("%w: RESUMED with %d bytes received", wire.ErrCorrupt, received)
	}
	if err == nil {
		err = c.link.Attach(conn, r, received)
	}
	if err != nil {
		conn.Close()
	}
	return err
}

// renew begins another session in place of one that the server does not know any more.
func (c *Conn) renew(ctx context.Context) error {
	if c.begin.Turn >= wire.MaxTurn {
		return fmt.Errorf("%w: too many sessions", wire.ErrCorrupt)
	}
	c.begin.Turn++
	hello := wire.Frame{Op: wire.OpHello, Payload: c.begin.Encode()}
	conn, r, answer, err := c.ask(ctx, hello)
	if err != nil {
		return err
	}
	var w wire.Welcome
	if answer.Op != wire.OpWelcome {
		err = fmt.Errorf("%w: %v in answer to HELLO", wire.ErrCorrupt, answer.Op)
	} else if err = w.Decode(answer.Payload); err == nil && (w.Version != c.welcome.Version || w.Caps&c.welcome.Caps != c.welcome.Caps) {
		err = fmt.Errorf("%w: the server is another one than before", wire.ErrCorrupt)
	}
	if err == nil {
		c.ticket = w.Ticket
		c.mux.Reset()
		if f := c.restarted.Load(); f != nil {
			(*f)()
		}
		err = c.link.Renew(conn, r, wire.HeaderSize+len(hello.Payload), wire.HeaderSize+len(answer.Payload), c.outstanding.sort)
	}
	if err != nil {
		conn.Close()
	}
	return err
}
