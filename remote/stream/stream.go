// Package stream carries connected sockets over a session. Both sides use it: each has a socket, or a stand-in for one, and what is
// read from the one is written to the other.
package stream

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"
	"syscall"

	"farcall/remote/wire"
)

// A Socket is a connected socket, or what stands for it. For datagrams, each Read and Write is one.
type Socket interface {
	io.ReadWriteCloser
	CloseWrite() error
}

// A Mux has the streams of a session.
type Mux struct {
	send func(wire.Frame) error
	max  int

	mu      sync.Mutex
	streams map[uint32]*Stream
	closed  bool
}

// New makes a Mux for at most max streams. send sends a frame to the other side.
func New(max int, send func(wire.Frame) error) *Mux {
	return &Mux{send: send, max: max, streams: map[uint32]*Stream{}}
}

// A Stream is one connection. What the other side sends is kept until it is attached to a socket.
type Stream struct {
	mux *Mux
	id  uint32

	mu     sync.Mutex
	ready  sync.Cond // one of the following has changed
	queue  [][]byte  // received, not yet written to the socket
	queued int       // bytes of it
	eof    bool      // nothing more will be received
	credit int       // bytes that may be sent
	gone   bool      // the stream is over
	socket Socket
	halves int // directions that are still open
}

// Open makes a stream. Errors: EMFILE if there are too many; wire.ErrCorrupt if the number is in use.
func (m *Mux) Open(id uint32) (*Stream, error) {
	s := &Stream{mux: m, id: id, credit: wire.Window, halves: 2}
	s.ready.L = &s.mu
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case m.closed || len(m.streams) >= m.max:
		return nil, syscall.EMFILE
	case m.streams[id] != nil:
		return nil, fmt.Errorf("%w: stream %d is in use", wire.ErrCorrupt, id)
	}
	m.streams[id] = s
	return s, nil
}

// Handle handles a DATA, WINDOW, EOF or RESET. Its error, wire.ErrCorrupt, ends the session. Frames for streams that are over, of which
// the other side may not know yet, are ignored.
func (m *Mux) Handle(f wire.Frame) error {
	id, rest, err := wire.SplitStream(f)
	if err != nil {
		return err
	}
	m.mu.Lock()
	s := m.streams[id]
	m.mu.Unlock()
	if s == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch f.Op {
	case wire.OpData:
		if len(rest) == 0 { // it would take up memory, but no window
			return nil
		}
		if s.queued += len(rest); s.queued > wire.Window || s.eof {
			return fmt.Errorf("%w: DATA that there is no room for", wire.ErrCorrupt)
		}
		s.queue = append(s.queue, append([]byte(nil), rest...))
	case wire.OpWindow:
		n := binary.LittleEndian.Uint32(rest)
		if uint64(n) > uint64(wire.Window-s.credit) {
			return fmt.Errorf("%w: WINDOW of %d, with %d of %d left", wire.ErrCorrupt, n, s.credit, wire.Window)
		}
		s.credit += int(n)
	case wire.OpEOF:
		s.eof = true
	case wire.OpReset:
		s.end()
	}
	s.ready.Broadcast()
	return nil
}

// Close ends all streams: the session is over.
func (m *Mux) Close() {
	m.mu.Lock()
	m.closed = true
	m.mu.Unlock()
	m.Reset()
}

// Reset ends all streams that there are: the other side has forgotten them.
func (m *Mux) Reset() {
	m.mu.Lock()
	all := m.streams
	m.streams = map[uint32]*Stream{}
	m.mu.Unlock()
	for _, s := range all {
		s.mu.Lock()
		s.end()
		s.mu.Unlock()
	}
}

// end ends the stream; s.mu is held.
func (s *Stream) end() {
	s.gone = true
	if s.socket != nil {
		s.socket.Close()
	}
	s.ready.Broadcast()
}

// Drop forgets a stream that was never attached.
func (s *Stream) Drop() {
	s.mu.Lock()
	s.gone = true
	s.mu.Unlock()
	s.forget()
}

// Refuse forgets one and tells the other side that it is over.
func (s *Stream) Refuse(e syscall.Errno) {
	s.Drop()
	_ = s.mux.send(wire.StreamFrame(wire.OpReset, s.id, binary.LittleEndian.AppendUint32(nil, uint32(e))))
}

// ID is the stream's number.
func (s *Stream) ID() uint32 { return s.id }

func (s *Stream) forget() {
	s.mux.mu.Lock()
	if s.mux.streams[s.id] == s {
		delete(s.mux.streams, s.id)
	}
	s.mux.mu.Unlock()
}

// Attach connects the stream to a socket, which it closes when both directions are done, or one has failed. done, if not nil, is called then.
func (s *Stream) Attach(socket Socket, done func()) {
	s.mu.Lock()
	s.socket = socket
	if s.gone {
		socket.Close()
	}
	s.mu.Unlock()
	half := func(f func() error) {
		err := f()
		s.mu.Lock()
		s.halves--
		last := s.halves == 0
		if err != nil && !s.gone {
			s.end()
			s.mu.Unlock()
			_ = s.mux.send(wire.StreamFrame(wire.OpReset, s.id, binary.LittleEndian.AppendUint32(nil, uint32(errno(err)))))
		} else {
			s.mu.Unlock()
		}
		if last {
			s.forget()
			socket.Close()
			if done != nil {
				done()
			}
		}
	}
	go half(s.outward)
	go half(s.inward)
}

func errno(err error) syscall.Errno {
	var e syscall.Errno
	if errors.As(err, &e) {
		return e
	}
	return syscall.EIO
}

// outward sends what is read from the socket.
func (s *Stream) outward() error {
	buf := make([]byte, wire.MaxChunk)
	for {
		s.mu.Lock()
		for s.credit < wire.MaxChunk && !s.gone { // a datagram cannot be sent in part
			s.ready.Wait()
		}
		gone := s.gone
		s.mu.Unlock()
		if gone {
			return nil
		}
		n, err := s.socket.Read(buf)
		if n > 0 {
			s.mu.Lock()
			s.credit -= n
			s.mu.Unlock()
			if err := s.mux.send(wire.StreamFrame(wire.OpData, s.id, buf[:n])); err != nil {
				return err
			}
		}
		if err == io.EOF {
			return s.mux.send(wire.StreamFrame(wire.OpEOF, s.id, nil))
		}
		if err != nil {
			return err
		}
	}
}

// inward writes what was received to the socket.
func (s *Stream) inward() error {
	for {
		s.mu.Lock()
		for len(s.queue) == 0 && !s.eof && !s.gone {
			s.ready.Wait()
		}
		if s.gone {
			s.mu.Unlock()
			return nil
		}
		if len(s.queue) == 0 {
			s.mu.Unlock()
			return s.socket.CloseWrite()
		}
		b := s.queue[0]
		s.queue = s.queue[1:]
		s.mu.Unlock()
		if _, err := s.socket.Write(b); err != nil {
			return err
		}
		s.mu.Lock()
		s.queued -= len(b)
		s.mu.Unlock()
		if err := s.mux.send(wire.StreamFrame(wire.OpWindow, s.id, binary.LittleEndian.AppendUint32(nil, uint32(len(b))))); err != nil {
			return err
		}
	}
}
