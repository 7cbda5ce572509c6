package proxy

import (
	"context"
	"fmt"
	"os"

	"farcall"
	"farcall/decode"
	"farcall/syscalls"

	"golang.org/x/sys/unix"
)

// NewTracer makes a tracer whose programs' calls the proxy handles, one at a time, by ptrace: slower than user notification, and possible
// where that is not.
//
// If regions limit it to parts of the programs, the rest of their calls are this host's.
func (p *Proxy) NewTracer(regions farcall.Regions) *farcall.Tracer {
	tr := farcall.New(farcall.Options{Follow: true, KillOnExit: true, Calls: callSet(filterOptions{readOnly: p.opts.ReadOnly}), Undecoded: true, Regions: regions})
	tr.Use(p.Middleware)
	return tr
}

// Middleware handles a call for a tracer.
func (p *Proxy) Middleware(next farcall.Handler) farcall.Handler {
	return func(ctx context.Context, call *farcall.Call) error {
		t := &traced{call: call, next: func() error { return next(ctx, call) }}
		if rest := p.Handle(t); rest != nil {
			rest()
		}
		return t.err
	}
}

// traced is a call that a tracer has stopped.
type traced struct {
	call *farcall.Call
	next func() error
	err  error
}

func (t *traced) TID() int { return t.call.TID }

func (t *traced) Call() (abi syscalls.ABI, number uint64, args [6]uint64) {
	for i := range args {
		args[i] = t.call.Arg(i)
	}
	return t.call.ABI(), t.call.Number(), args
}

func (t *traced) Read(addr uint64, b []byte) int {
	n, _ := t.call.ReadMemory(addr, b) // how far it got is all that counts
	return n
}

func (t *traced) ReadV(ranges []decode.Range) {
	for i := range ranges {
		ranges[i].N = t.Read(ranges[i].Addr, ranges[i].Buf)
	}
}

func (t *traced) Write(addr uint64, b []byte) (int, error) { return t.call.WriteMemory(addr, b) }

func (t *traced) Return(v int64) { _ = t.call.Return(v) } // ESRCH: there is nobody to return to

func (t *traced) Continue() { t.err = t.next() }

// Install has the program open the file through /proc, which makes another open file of it.
func (t *traced) Install(file int, cloexec bool) int64 {
	flags := uint64(unix.O_RDWR)
	if cloexec {
		flags |= unix.O_CLOEXEC
	}
	at := int64(unix.AT_FDCWD)
	t.Redirect(func(put func([]byte) uint64) (uint64, [6]uint64) {
		name := fmt.Sprintf("/proc/%d/fd/%d\x00", os.Getpid(), file)
		return unix.SYS_OPENAT, [6]uint64{uint64(at), put([]byte(name)), flags}
	})
	return unknownResult
}

// Substitute is not possible: a tracer cannot put a socket into another process.
func (t *traced) Substitute(int, int, bool) error { return farcall.ErrNotSupported }

func (t *traced) Redirect(build func(put func([]byte) uint64) (uint64, [6]uint64)) {
	s := scratch{sp: t.call.Decoded().SP, write: t.Write}
	number, args := build(s.put)
	t.call.Replace(number, args)
	t.err = t.next()
}
