package proxy

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sync"

	"farcall/internal/proxy/cache"
	"farcall/remote/wire"

	"golang.org/x/sys/unix"
)

// A program goes on while what it writes into a regular file is on its way. Nothing that it, or another program of the same session, does
// with the file can come before: the server executes calls in the order in which they were sent. What goes wrong is told by the file's next write
// or fsync(2), as for a disk that fails later. What can be seen by others, outside of the session, waits: the start of another program, a
// connection, the end.

// maxBehind is how many bytes may be under way; further ones wait.
const maxBehind = 8 << 20

// behind counts what is under way.
type behind struct {
	mu    sync.Mutex
	moved sync.Cond
	bytes int
	calls int

	failed map[*object]bool // those whose errors no program has been told of
}

// writes is what is under way for one object.
type writes struct {
	calls int
	errno unix.Errno // the first that has not been told yet
}

// wait waits until nothing is under way.
func (b *behind) wait() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for b.calls > 0 {
		b.moved.Wait()
	}
}

// idle tells whether nothing is under way.
func (b *behind) idle() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.calls == 0
}

// settle waits until nothing is under way for an object, and takes the error that was not told yet.
func (b *behind) settle(o *object) unix.Errno {
	b.mu.Lock()
	defer b.mu.Unlock()
	for o.writes.calls > 0 {
		b.moved.Wait()
	}
	return b.take(o)
}

// take takes the error that was not told yet, to tell it. b.mu is held.
func (b *behind) take(o *object) unix.Errno {
	e := o.writes.errno
	o.writes.errno = 0
	delete(b.failed, o)
	return e
}

// begin waits until there is room for n bytes more, and takes the error that was not told yet; nothing has begun then.
func (b *behind) begin(o *object, n int) unix.Errno {
	b.mu.Lock()
	defer b.mu.Unlock()
	for b.calls > 0 && b.bytes+n > maxBehind {
		b.moved.Wait()
	}
	if e := b.take(o); e != 0 {
		return e
	}
	b.bytes, b.calls, o.writes.calls = b.bytes+n, b.calls+1, o.writes.calls+1
	return 0
}

// end notes what became of n bytes.
func (b *behind) end(o *object, n int, ret int64, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.bytes, b.calls, o.writes.calls = b.bytes-n, b.calls-1, o.writes.calls-1
	e := unix.Errno(0)
	switch {
	case err != nil:
		e = unix.EIO
	case ret < 0:
		e = unix.Errno(-ret)
	case ret < int64(n): // where the rest belongs has others' data already
		e = unix.ENOSPC
	}
	if e != 0 && o.writes.errno == 0 {
		o.writes.errno = e
		if b.failed == nil {
			b.failed = map[*object]bool{}
		}
		b.failed[o] = true
	}
	b.moved.Broadcast()
}

// unreported are the errors that no program has been told of. Nothing must be under way any more.
func (p *Proxy) unreported() error {
	b := &p.behind
	b.mu.Lock()
	defer b.mu.Unlock()
	var all []error
	for o := range b.failed {
		all = append(all, fmt.Errorf("write to %s: %w, after the program was told that it was written", o.path, o.writes.errno))
	}
	return errors.Join(all...)
}

// mayWriteBehind tells whether a program may go on now before a write to an object is done.
func (p *Proxy) mayWriteBehind(o *object) bool {
	return p.opts.Savers.Has(cache.SaveWrites) && o.mayWriteBehind() && p.conn.Err() == nil && p.maps.live.Load() == 0 // what is mapped has to be the same
}

// mayWriteBehind tells whether a program may ever do so.
func (o *object) mayWriteBehind() bool {
	return o.writable() && o.flags&(dataSync|direct) == 0 && o.statx != nil && cache.ModeOf(o.statx) == unix.S_IFREG
}

// write carries a write, and does not wait for it if it need not.
func write(q *request) {
	o := q.objs[0]
	f := formOf(q.name)
	if !q.mayWriteBehind(o) || q.name == "pwritev2" && q.args[5] != 0 || q.denied() {
		carry(q)
		return
	}
	regs, err := q.regs(f, wire.ByName(f.name))
	if err != nil {
		q.result(0, err)
		return
	}
	if _, e := q.adapt(f, &regs); e != 0 {
		q.result(-int64(e), nil)
		return
	}
	n, ok := q.lengthOf(f.name, &regs)
	if !ok || n == 0 || n > wire.MaxIO || f.name != "write" && f.name != "writev" && int64(regs[3]) < 0 {
		carry(q) // for the kernel's own error
		return
	}
	if ret, err := q.writeBehind(o, n, f.name, regs, &q.space); ret < 0 || err != nil {
		q.result(ret, err)
		return
	}
	q.debug("%d %s%s: %d bytes on their way", q.TID(), q.name, q.placesText(), n)
	q.Return(int64(n))
}

// writeBehind sends a write of n bytes. A negative ret is an error, also of one before; nothing is under way then.
func (p *Proxy) writeBehind(o *object, n int, name string, regs [6]uint64, s *wire.Space) (ret int64, err error) {
	if e := p.behind.begin(o, n); e != 0 {
		return -int64(e), nil
	}
	ret, err = p.conn.Behind(name, regs, s, func(ret int64, err error) {
		if err != nil {
			p.fail(err)
		}
		p.behind.end(o, n, ret, err)
	})
	if ret != 0 || err != nil { // nothing is under way
		p.behind.end(o, n, int64(n), nil)
	}
	return ret, err
}

// lengthOf is how many bytes a call writes.
func (q *request) lengthOf(name string, regs *[6]uint64) (int, bool) {
	if name == "write" || name == "pwrite64" {
		return int(regs[2]), regs[2] <= wire.MaxIO
	}
	const iovec = 16 // struct iovec, asm/uio.h
	if regs[2] > 1024 {
		return 0, false
	}
	b := make([]byte, regs[2]*iovec)
	if q.space.Read(regs[1], b) < len(b) {
		return 0, false
	}
	n := uint64(0)
	for ; len(b) > 0; b = b[iovec:] {
		if n += binary.NativeEndian.Uint64(b[8:]); n > wire.MaxIO {
			return 0, false
		}
	}
	return int(n), true
}

// confirm carries a call that confirms what was written. It comes behind all that is under way, and so do the errors of that.
func confirm(q *request) {
	if o := q.objs[0]; o.mayWriteBehind() {
		q.after = func(ret int64) int64 {
			if e := q.behind.settle(o); e != 0 {
				return -int64(e)
			}
			return ret
		}
	}
	carry(q)
}

// seenElsewhere are calls after which what was written may be looked for by somebody who does not ask through this session.
var seenElsewhere = map[string]bool{"execve": true, "execveat": true, "connect": true, "syncfs": true}

// arrived has a call wait until all that was written has arrived, if it is one of those and there is anything.
func (p *Proxy) arrived(t Trap, name string) (rest func()) {
	if !seenElsewhere[name] || p.behind.idle() {
		return nil
	}
	return func() {
		p.behind.wait()
		if rest := p.decide(t, true); rest != nil {
			rest()
		}
	}
}
