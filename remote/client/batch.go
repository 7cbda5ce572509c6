package client

import (
	"errors"
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
	payload  []byte
	answer   func([]byte) error
	waits    chan wire.Frame
}

// Len is the number of requests.
func (b *Batch) Len() int { return len(b.requests) }

func (b *Batch) add(op, want wire.Op, payload []byte, answer func([]byte) error) {
	b.requests = append(b.requests, &request{op: op, want: want, payload: payload, answer: answer})
}

// OpenX adds an OpenX.
func (b *Batch) OpenX(o *wire.OpenX) *wire.Opened {
	r := new(wire.Opened)
	b.add(wire.OpOpenX, wire.OpOpened, o.Encode(), func(payload []byte) error { return r.Decode(payload, o) })
	return r
}

// ListX adds a ListX.
func (b *Batch) ListX(l *wire.ListX) *wire.Listed {
	r := new(wire.Listed)
	b.add(wire.OpListX, wire.OpListed, l.Encode(), func(payload []byte) error { return r.Decode(payload, l) })
	return r
}

// Syscall adds a call, as Conn.Syscall makes it. What it reads of memory is read now.
func (b *Batch) Syscall(name string, regs [6]uint64, mem Memory) *int64 {
	ret := new(int64)
	m := new(wire.Marshaller)
	call, err := m.Marshal(name, regs, mem)
	if err != nil {
		*ret = marshalErrno(err)
		return ret
	}
	b.add(wire.OpCall, wire.OpResult, call.AppendCall(nil), func(payload []byte) error {
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
	return ret
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

// register gives each request its id and appends its frame.
func (c *Conn) register(dst []byte, b *Batch) ([]byte, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return nil, c.err
	}
	for _, r := range b.requests {
		if len(r.payload) > wire.MaxPayload {
			return nil, wire.ErrTooLarge
		}
	}
	for _, r := range b.requests {
		c.next++
		r.waits = make(chan wire.Frame, 1)
		c.pending[c.next] = r.waits
		dst = wire.AppendFrame(dst, wire.Frame{Op: r.op, ID: c.next, Payload: r.payload})
		r.payload = nil
	}
	return dst, nil
}

// wait waits for the answers of a batch that has been sent.
func (c *Conn) wait(b *Batch) error {
	for _, r := range b.requests {
		f, ok := <-r.waits
		if !ok {
			return c.Err()
		}
		if err := c.check(r, f); err != nil {
			return err
		}
	}
	return nil
}

// check makes an answer of a frame.
func (c *Conn) check(r *request, f wire.Frame) error {
	err := error(nil)
	if f.Op != r.want {
		err = wrongAnswer(f.Op, r.op)
	} else {
		err = r.answer(f.Payload)
	}
	if err != nil {
		c.end(err)
	}
	return err
}

// DoBatch sends the requests and waits for all answers. Its error is one of Syscall's; nothing of the batch counts then.
func (c *Conn) DoBatch(b *Batch) error {
	if b.Len() == 0 {
		return nil
	}
	frames, err := c.register(nil, b)
	if err != nil {
		return err
	}
	c.roundTrips.Add(1)
	if err := c.sendBytes(frames); err != nil {
		return err
	}
	return c.wait(b)
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
	frames, err := c.register(nil, b)
	if err != nil {
		return err
	}
	c.oneWay.Add(1)
	if err := c.sendBytes(frames); err != nil {
		return err
	}
	go func() { done(c.wait(b)) }()
	return nil
}

// OpenBehind has the server open a file and does not wait for it: done is told of the answer, by another goroutine.
func (c *Conn) OpenBehind(o *wire.OpenX, done func(r *wire.Opened, err error)) error {
	var b Batch
	r := b.OpenX(o)
	return c.behind(&b, func(err error) { done(r, err) })
}
