package main

import (
	"errors"
	"io"
	"net"
	"sync"
	"time"
)

// A relay stands between a client and a server, and hands on everything half a round-trip time later. It has no limit of what is under way.
type relay struct {
	listener net.Listener
	dial     func() (io.ReadWriteCloser, error)

	mu   sync.Mutex
	late time.Duration // in each direction
}

// newRelay listens on the loopback interface or on a unix socket.
func newRelay(network, address string, dial func() (io.ReadWriteCloser, error)) (*relay, error) {
	l, err := net.Listen(network, address)
	if err != nil {
		return nil, err
	}
	r := &relay{listener: l, dial: dial}
	go r.accept()
	return r, nil
}

// setRTT sets the round-trip time for what is sent from now on.
func (r *relay) setRTT(d time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.late = d / 2
}

func (r *relay) delay() time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.late
}

func (r *relay) accept() {
	for {
		near, err := r.listener.Accept()
		if err != nil {
			return
		}
		far, err := r.dial()
		if err != nil {
			near.Close()
			continue
		}
		var once sync.Once
		closed := func() {
			near.Close()
			far.Close()
		}
		for _, d := range []struct {
			to   io.Writer
			from io.Reader
		}{{far, near}, {near, far}} {
			go func() {
				r.pump(d.to, d.from)
				once.Do(closed)
			}()
		}
	}
}

// pump hands on what it reads, each piece when its time has come.
func (r *relay) pump(to io.Writer, from io.Reader) {
	type piece struct {
		due time.Time
		b   []byte
	}
	pieces := make(chan piece, 1<<16)
	go func() {
		defer close(pieces)
		for {
			b := make([]byte, 64<<10)
			n, err := from.Read(b)
			if n > 0 {
				pieces <- piece{time.Now().Add(r.delay()), b[:n]}
			}
			if err != nil {
				return
			}
		}
	}()
	var failed error
	for p := range pieces {
		time.Sleep(time.Until(p.due))
		if failed == nil {
			_, failed = to.Write(p.b)
		}
		if errors.Is(failed, net.ErrClosed) {
			return
		}
	}
}
