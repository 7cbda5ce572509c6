package client

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"syscall"

	"farcall/remote/wire"
)

// A Batch is requests that are sent together, in one write, and so wait together: they cost one round trip. What its methods return is
// filled in when the batch has been done.
type Batch struct {
	requests []*request
}

// A request is one of a batch.
type request struct {
	op, want wire.Op
	frame    []byte // without its id
	answer   func([]byte) error
	id       uint64
	waits    chan wire.Frame
}

// Len is the number of requests.
func (b *Batch) Len() int { return len(b.requests) }

func (b *Batch) add(op, want wire.Op, frame []byte, answer func([]byte) error) {
	b.requests = append(b.requests, &request{op: op, want: want, frame: frame, answer: answer})
}

// framed makes a frame of a payload.
func framed(payload []byte) []byte { return wire.AppendFrame(nil, wire.Frame{Payload: payload}) }

// OpenX adds an OpenX.
func (b *Batch) OpenX(o *wire.OpenX) *wire.Opened {
	r := new(wire.Opened)
	b.add(wire.OpOpenX, wire.OpOpened, framed(o.Encode()), func(payload []byte) error { return r.Decode(payload, o) })
	return r
}

// ListX adds a ListX.
func (b *Batch) ListX(l *wire.ListX) *wire.Listed {
	r := new(wire.Listed)
	b.add(wire.OpListX, wire.OpListed, framed(l.Encode()), func(payload []byte) error { return r.Decode(payload, l) })
	return r
}

// Syscall adds a call, as Conn.Syscall makes it. What it reads of memory is read now.
func (b *Batch) Syscall(name string, regs [6]uint64, mem Memory) *int64 {
	ret := new(int64)
	m := new(wire.Marshaller)
	data := datas.Get().(*[]byte)
	call, err := m.MarshalInto(*data, name, regs, mem)
	if err != nil {
		*ret = marshalErrno(err)
		return ret
	}
	b.call(call, m, mem, ret)
	*data = call.Data[:0]
	call.Data = nil
	datas.Put(data)
	return ret
}

// datas have what calls read, until it is in a frame.
var datas = sync.Pool{New: func() any { return new([]byte) }}

// call adds a call that m has marshalled.
func (b *Batch) call(call *wire.Call, m *wire.Marshaller, mem Memory, ret *int64) {
	b.add(wire.OpCall, wire.OpResult, call.AppendCall(wire.NewFrame(call.Size())), func(payload []byte) error {
		var r wire.Result
		err := r.Decode(payload)
		if err == nil {
			err = m.Apply(&r, mem)
		}
		*ret = r.Ret
		var errno syscall.Errno
		if errors.As(err, &errno) {
			*ret, err = -int64(errno), nil
		}
		return err
	})
}

// marshalErrno is the result of a call that cannot be sent.
func marshalErrno(err error) int64 {
	var errno syscall.Errno
	switch {
	case errors.Is(err, wire.ErrNotCarried):
		return -int64(syscall.ENOSYS)
	case errors.Is(err, wire.ErrTooLarge):
		return -int64(syscall.E2BIG)
	case errors.As(err, &errno):
		return -int64(errno)
	}
	return -int64(syscall.EFAULT)
}

// register gives each request its id and returns their frames.
func (c *Conn) register(b *Batch) (frames []byte, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return nil, c.err
	}
	for _, r := range b.requests {
		if len(r.frame)-wire.HeaderSize > wire.MaxPayload {
			return nil, wire.ErrTooLarge
		}
	}
	for _, r := range b.requests {
		c.next++
		r.id, r.waits = c.next, make(chan wire.Frame, 1)
		c.pending[r.id] = r.waits
		wire.FinishFrame(r.frame, r.op, r.id)
		if frames == nil { // often the only one, and large
			frames = r.frame
		} else {
			frames = append(frames, r.frame...)
		}
		r.frame = nil
	}
	return frames, nil
}

// submit sends a batch, and counts it.
func (c *Conn) submit(b *Batch, count *atomic.Int64) error {
	frames, err := c.register(b)
	if err != nil {
		return err
	}
	count.Add(1)
	return c.sendBytes(frames)
}

// wait waits for the answers of a batch that has been sent. Its requests are cancelled when interrupted, if not nil, is closed: their answers come early
// then.
func (c *Conn) wait(b *Batch, interrupted <-chan struct{}) error {
	for _, r := range b.requests {
		f, ok := c.answer(r, interrupted)
		if !ok {
			return c.Err()
		}
		if err := c.check(r, f); err != nil {
			return err
		}
	}
	return nil
}

// answer waits for the answer to a request.
func (c *Conn) answer(r *request, interrupted <-chan struct{}) (f wire.Frame, ok bool) {
	select {
	case f, ok = <-r.waits:
		return f, ok
	case <-interrupted: // never, if it is nil
	}
	if c.welcome.Caps&wire.CapCancel != 0 {
		c.oneWay.Add(1)
		_ = c.send(wire.CountFrame(wire.OpCancel, r.id)) // the answer says what became of it
	}
	f, ok = <-r.waits
	return f, ok
}

// check makes an answer of a frame.
func (c *Conn) check(r *request, f wire.Frame) error {
	err := error(nil)
	if f.Op != r.want {
		err = fmt.Errorf("%w: %v in answer to %v", wire.ErrCorrupt, f.Op, r.op)
	} else {
		err = r.answer(f.Payload)
	}
	if err != nil {
		c.end(err)
	}
	return err
}

// DoBatch sends the requests and waits for all answers. Its error is one of Syscall's; nothing of the batch counts then.
func (c *Conn) DoBatch(b *Batch) error { return c.do(b, nil) }

// do is DoBatch for requests that can be interrupted.
func (c *Conn) do(b *Batch, interrupted <-chan struct{}) error {
	if b.Len() == 0 {
		return nil
	}
	if err := c.submit(b, &c.roundTrips); err != nil {
		return err
	}
	return c.wait(b, interrupted)
}

// Behind has the server execute a call and does not wait for it: done is told of the result, by another goroutine. The call is executed before
// all that are sent after it. ret is not 0 if the call cannot be sent; done is not called then.
func (c *Conn) Behind(name string, regs [6]uint64, mem Memory, done func(ret int64, err error)) (ret int64, err error) {
	var b Batch
	result := b.Syscall(name, regs, mem)
	if b.Len() == 0 {
		return *result, nil
	}
	return 0, c.behind(&b, func(err error) { done(*result, err) })
}

func (c *Conn) behind(b *Batch, done func(error)) error {
	if err := c.submit(b, &c.oneWay); err != nil {
		return err
	}
	go func() { done(c.wait(b, nil)) }()
	return nil
}

// OpenBehind has the server open a file and does not wait for it: done is told of the answer, by another goroutine.
func (c *Conn) OpenBehind(o *wire.OpenX, done func(r *wire.Opened, err error)) error {
	var b Batch
	r := b.OpenX(o)
	return c.behind(&b, func(err error) { done(r, err) })
}
