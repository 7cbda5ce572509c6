package middleware

import (
	"context"
	"fmt"
	"os"
	"sync"

	"farcall"

	"golang.org/x/sys/unix"
)

// A Tape holds what programs have read from a file: what each read(2) gave, in order. Record fills it, and Play
// answers from it. The zero value is empty.
type Tape struct {
	mu    sync.Mutex
	reads []taped
	next  int
}

// taped is what one read gave.
type taped struct {
	data  []byte
	errno unix.Errno
}

// Len is the number of reads on the tape.
func (t *Tape) Len() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.reads)
}

// about tells whether a call reads from the file with that path.
func about(c *farcall.Call, path string) bool {
	if c.Name() != "read" {
		return false
	}
	link, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/%d", c.TID, int32(c.Arg(0))))
	return err == nil && link == path
}

// Record keeps what is read from the file with that path, as /proc/PID/fd has it. Calls: "read".
func (t *Tape) Record(path string) farcall.Middleware {
	return intercept(func(ctx context.Context, c *farcall.Call, next farcall.Handler) error {
		if !about(c, path) {
			return next(ctx, c)
		}
		if err := next(ctx, c); err != nil {
			return err
		}
		r := taped{errno: c.Errno}
		if c.Errno == 0 {
			r.data = make([]byte, c.Result)
			if _, err := c.ReadMemory(c.Arg(1), r.data); err != nil {
				return err
			}
		}
		t.mu.Lock()
		t.reads = append(t.reads, r)
		t.mu.Unlock()
		return nil
	})
}

// Play answers reads from the file with that path by what is on the tape; the kernel does not execute them. Once it is at its end, reads
// give 0 bytes. A read with less room than the recorded one had gets what fits, and the rest with the
// next one. Calls: "read".
func (t *Tape) Play(path string) farcall.Middleware {
	return intercept(func(ctx context.Context, c *farcall.Call, next farcall.Handler) error {
		if !about(c, path) {
			return next(ctx, c)
		}
		r := t.take(c.Arg(2))
		if r.errno != 0 {
			return c.Fail(r.errno)
		}
		if n, err := c.WriteMemory(c.Arg(1), r.data); err == unix.EFAULT && n == 0 {
			return c.Fail(unix.EFAULT)
		} else if err != nil && err != unix.EFAULT {
			return err
		}
		return c.Return(int64(len(r.data)))
	})
}

// take is the next read, of at most room bytes.
func (t *Tape) take(room uint64) taped {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.next == len(t.reads) {
		return taped{}
	}
	r := t.reads[t.next]
	if uint64(len(r.data)) > room {
		t.reads[t.next].data = r.data[room:]
		r.data = r.data[:room]
		return r
	}
	t.next++
	return r
}
