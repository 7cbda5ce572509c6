package fuse

import (
	"golang.org/x/sys/unix"
)

// A Request waits for its answer.
type Request struct {
	mount       *Mount
	unique      uint64
	node        uint64 // GETATTR's
	changed     uint64 // see Mount.changed
	tid         int    // the thread that waits, 0 if it cannot be seen from here, or nobody does
	buf         *[]byte
	interrupted chan struct{} // made when somebody wants to know; Mount.mu is held for it
	told        bool
	stubborn    bool // only a signal that kills interrupts it
}

// Interrupted is closed when the thread has a signal; if it is stubborn, as those are that wait for a disk, one that kills it.
func (q *Request) Interrupted(stubborn bool) <-chan struct{} {
	q.mount.mu.Lock()
	defer q.mount.mu.Unlock()
	if q.stubborn = stubborn; stubborn && q.told && !killed(q.tid) {
		q.told = false
	}
	if q.interrupted == nil {
		q.interrupted = make(chan struct{})
		if q.told {
			close(q.interrupted)
		}
	}
	return q.interrupted
}

// over lets go of what a request needed.
func (q *Request) over() {
	q.mount.mu.Lock()
	delete(q.mount.asked, q.unique)
	q.mount.mu.Unlock()
	q.release()
}

// release lets go of the request itself, which is large.
func (q *Request) release() {
	if q.buf != nil {
		buffers.Put(q.buf)
		q.buf = nil
	}
}

// reply answers, and tells whether the answer has arrived.
func (q *Request) reply(e unix.Errno, body []byte) bool {
	var head [outHeaderSize]byte
	putU32(head[:], 4, uint32(-int32(e)))
	putU64(head[:], 8, q.unique)
	q.over()
	return q.mount.send(head[:], body) == nil
}

// answer answers that it went well.
func (q *Request) answer(body []byte) bool { return q.reply(0, body) }

// Fail answers with an error.
func (q *Request) Fail(e unix.Errno) { q.reply(e, nil) }

// Data answers with what was read.
func (q *Request) Data(b []byte) { q.answer(b) }

// Written answers with how many bytes were written.
func (q *Request) Written(n int) {
	var b [8]byte
	putU32(b[:], 0, uint32(n))
	q.answer(b[:])
}

// Size answers with the size of a file.
func (q *Request) Size(n uint64) { q.answer(attrOut(q.node, n, q.changed, unix.S_IFREG|0o666)) }

// Position answers with where data or a hole is.
func (q *Request) Position(n int64) {
	var b [8]byte
	putU64(b[:], 0, uint64(n))
	q.answer(b[:])
}

// Done answers that it is done.
func (q *Request) Done() { q.answer(nil) }
