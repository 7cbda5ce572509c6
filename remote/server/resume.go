package server

import (
	"bufio"
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"farcall/remote/link"
	"farcall/remote/wire"
)

// maxParked is how many sessions without a connection a server keeps: each may have as much as Options.MaxKept in memory.
const maxParked = 64

// errExpired ends a session that nobody has resumed in time.
var errExpired = errors.New("the connection was lost, and the session not resumed")

// errUnknown is the answer to a ticket that is not valid (any more). The client can begin another session.
var errUnknown = errors.New("no such session")

// errStopping refuses sessions.
var errStopping = errors.New("the server is stopping")

// sessions are those of a server, by the tickets that resume them.
type sessions struct {
	mu       sync.Mutex
	all      map[*session]struct{}
	byID     map[[16]byte]*session
	parked   []*session // without a connection, the oldest first
	stopping bool
}

func (ss *sessions) enter(s *session) error {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	if ss.stopping {
		return errStopping
	}
	if ss.all == nil {
		ss.all, ss.byID = map[*session]struct{}{}, map[[16]byte]*session{}
	}
	ss.all[s] = struct{}{}
	return nil
}

func (ss *sessions) leave(s *session) {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	delete(ss.all, s)
	if ss.byID[s.ticket.Session] == s {
		delete(ss.byID, s.ticket.Session)
	}
	ss.unpark(s)
}

// unpark is called with the lock held.
func (ss *sessions) unpark(s *session) {
	for i, p := range ss.parked {
		if p == s {
			ss.parked = append(ss.parked[:i], ss.parked[i+1:]...)
			break
		}
	}
	if s.expiry != nil {
		s.expiry.Stop()
		s.expiry = nil
	}
}

// issue makes the ticket of a session.
func (s *session) issue() wire.Ticket {
	rand.Read(s.ticket.Session[:])
	rand.Read(s.ticket.Secret[:])
	s.sessions.mu.Lock()
	defer s.sessions.mu.Unlock()
	s.sessions.byID[s.ticket.Session] = s
	return s.ticket
}

// park is called when a session has lost its connection: it waits for another for some time.
func (s *session) park() {
	ss := &s.sessions
	ss.mu.Lock()
	defer ss.mu.Unlock()
	if ss.byID[s.ticket.Session] != s || s.link.Connected() {
		return
	}
	ss.unpark(s)
	if ss.stopping {
		s.link.End(errExpired)
		return
	}
	s.expiry = time.AfterFunc(s.opts.Grace, func() { s.expire() })
	ss.parked = append(ss.parked, s)
	if len(ss.parked) > maxParked {
		oldest := ss.parked[0]
		ss.unpark(oldest)
		oldest.link.End(errExpired)
	}
}

func (s *session) expire() {
	s.sessions.mu.Lock()
	defer s.sessions.mu.Unlock()
	if !s.link.Connected() { // it may just have been resumed
		s.link.End(errExpired)
	}
}

// A closing is a connection that tells when it is closed.
type closing struct {
	io.ReadWriteCloser
	once sync.Once
	done chan struct{}
}

func (c *closing) Close() error {
	c.once.Do(func() { close(c.done) })
	return c.ReadWriteCloser.Close()
}

// resume has a session go on with another connection, and returns when that is lost or the session over. Only the client that the session was begun by
// can do that: who it is has been found out for this connection too.
func (s *Server) resume(ctx context.Context, conn io.ReadWriteCloser, r *bufio.Reader, f wire.Frame, identity string) error {
	var q wire.Resume
	if err := q.Decode(f.Payload); err != nil {
		return err
	}
	ss := &s.sessions
	ss.mu.Lock()
	ses := ss.byID[q.Ticket.Session]
	if ses == nil || subtle.ConstantTimeCompare(ses.ticket.Secret[:], q.Ticket.Secret[:]) != 1 || ses.identity != identity {
		ss.mu.Unlock()
		return errUnknown
	}
	received := ses.link.Detach()
	ss.unpark(ses)
	ss.mu.Unlock()
	if !ses.link.Keeps(q.Received) {
		ses.link.End(link.ErrGap)
		return fmt.Errorf("%w: %w", errUnknown, link.ErrGap)
	}
	c := &closing{ReadWriteCloser: conn, done: make(chan struct{})}
	answer := wire.AppendFrame(nil, wire.Frame{Op: wire.OpResumed, ID: f.ID, Payload: wire.CountFrame(wire.OpResumed, received).Payload})
	_, err := conn.Write(answer)
	if err == nil {
		err = ses.link.Attach(c, r, q.Received)
	}
	if err != nil {
		ses.park()
		return err
	}
	select {
	case <-c.done:
	case <-ctx.Done():
		c.Close()
	}
	<-c.done
	return nil
}

// stop refuses new sessions from now on, and ends those that there are when they are idle, at the latest when ctx is done.
func (s *Server) stop(ctx context.Context) {
	ss := &s.sessions
	ss.mu.Lock()
	ss.stopping = true
	for _, p := range ss.parked {
		p.link.End(errStopping)
	}
	ss.mu.Unlock()
	const interval = 5 * time.Millisecond
	t := time.NewTicker(interval)
	defer t.Stop()
	for {
		left := 0
		ss.mu.Lock()
		for ses := range ss.all {
			if ses.busy.Load() == 0 || ctx.Err() != nil {
				ses.link.End(errStopping)
			} else {
				left++
			}
		}
		ss.mu.Unlock()
		if left == 0 {
			return
		}
		select {
		case <-ctx.Done():
		case <-t.C:
		}
	}
}
