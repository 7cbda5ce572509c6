package server

import (
	"encoding/binary"
	"fmt"
	"sync/atomic"

	"farcall/remote/wire"

	"golang.org/x/sys/unix"
)

// A handle is a file that a session has open. Its number on the wire says nothing about descriptors, of which the server has its own.
type handle struct {
	fd   int
	mode uint32       // file type and permissions when it was opened
	refs atomic.Int32 // the session's and that of each call in progress
}

func (h *handle) release() {
	if h.refs.Add(-1) == 0 {
		unix.Close(h.fd)
	}
}

// plain tells that reading and writing wait for nothing but a disk.
func (h *handle) plain() bool {
	t := h.mode & unix.S_IFMT
	return t == unix.S_IFREG || t == unix.S_IFDIR
}

// add gives a descriptor a number. It closes it if there are too many.
func (s *session) add(fd int) (uint32, error) {
	h := &handle{fd: fd}
	h.refs.Store(1)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err == nil {
		h.mode = st.Mode
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.handles == nil || len(s.handles) >= s.opts.MaxHandles {
		unix.Close(fd)
		return 0, unix.EMFILE
	}
	for s.handles[s.first+s.next] != nil {
		s.next = (s.next + 1) % wire.HandlesPerSession
	}
	n := s.first + s.next
	s.handles[n] = h
	s.next = (s.next + 1) % wire.HandlesPerSession
	return n, nil
}

// get returns a handle for a call, which has to release it; nil if there is none of that number.
func (s *session) get(n uint32) *handle {
	s.mu.Lock()
	defer s.mu.Unlock()
	h := s.handles[n]
	if h != nil {
		h.refs.Add(1)
	}
	return h
}

// missing is the error number for a handle that there is not: of an earlier session of the client, or none at all.
func (s *session) missing(n uint32) unix.Errno {
	if n-s.first >= wire.HandlesPerSession && n < wire.NoHandle {
		return unix.ESTALE
	}
	return unix.EBADF
}

func (s *session) closeFrame(f wire.Frame) error {
	if len(f.Payload) != 4 {
		return fmt.Errorf("%w: CLOSE of %d bytes", wire.ErrCorrupt, len(f.Payload))
	}
	n := binary.LittleEndian.Uint32(f.Payload)
	s.mu.Lock()
	h := s.handles[n]
	delete(s.handles, n)
	s.mu.Unlock()
	if h == nil && s.missing(n) == unix.ESTALE {
		return nil
	}
	if h == nil {
		return fmt.Errorf("%w: CLOSE of handle %d, which is not open", wire.ErrCorrupt, n)
	}
	h.release()
	return nil
}

func (s *session) closeAll() {
	s.mu.Lock()
	all := s.handles
	s.handles = nil
	sockets := s.sockets
	s.sockets = nil
	s.mu.Unlock()
	for _, sk := range sockets {
		sk.close()
	}
	for _, h := range all {
		h.release()
	}
}
