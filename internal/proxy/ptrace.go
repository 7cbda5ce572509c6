package proxy

import (
	"context"
	"fmt"
	"os"
	"sync"

	"farcall"
	"farcall/decode"
	"farcall/internal/ptrace"
	"farcall/syscalls"

	"golang.org/x/sys/unix"
)

// NewTracer makes a tracer whose programs' calls the proxy handles, by ptrace: slower than user notification, and possible where that is not.
//
// If regions limit it to parts of the programs, the rest of their calls are this host's.
func (p *Proxy) NewTracer(regions farcall.Regions) *farcall.Tracer {
	tr := farcall.New(farcall.Options{Follow: true, KillOnExit: true, Calls: callSet(filterOptions{io: p.opts.ReadOnly}), Undecoded: true, Regions: regions})
	tr.Use(p.Middleware)
	return tr
}

// Middleware handles a call for a tracer. While the server is asked, the calls of other threads are handled.
func (p *Proxy) Middleware(next farcall.Handler) farcall.Handler {
	return func(ctx context.Context, call *farcall.Call) error {
		t := &traced{call: call, next: func() error { return next(ctx, call) }}
		rest := p.Handle(t)
		if rest == nil {
			t.release()
			return t.err
		}
		t.tid = call.TID
		t.mem = ptrace.NewMemory(t.tid)
		t.away = true
		err := call.Await(func() {
			rest()
			t.interruption.stop()
			t.mem.Close()
			t.mu.Lock()
			defer t.mu.Unlock()
			t.over = true
			if t.gone {
				t.release()
			}
		})
		if err != nil { // the thread has ended; rest may still run
			t.mu.Lock()
			defer t.mu.Unlock()
			if t.gone = true; t.over {
				t.release()
			}
			return err
		}
		t.away = false
		if t.answer != nil {
			t.answer()
		}
		t.release()
		return t.err
	}
}

// traced is a call that a tracer has stopped. Only the tracer's thread may touch the thread that has made it: while it is away, on another
// goroutine, what is to be done is kept until it comes back.
type traced struct {
	call *farcall.Call
	next func() error
	err  error

	away   bool
	tid    int
	mem    *ptrace.Memory // of the thread, for when it is away
	answer func()         // what is to be done
	after  []func()       // and what after that, or if the thread ends before

	interruption interruption

	mu   sync.Mutex
	over bool // rest is done
	gone bool // the thread has ended
}

func (t *traced) release() {
	for _, f := range t.after {
		f()
	}
	t.after = nil
}

// do answers the call, now or later.
func (t *traced) do(answer func()) {
	if t.away {
		t.answer = answer
		return
	}
	answer()
}

func (t *traced) TID() int {
	if t.away {
		return t.tid
	}
	return t.call.TID
}

func (t *traced) Call() (abi syscalls.ABI, number uint64, args [6]uint64) {
	for i := range args {
		args[i] = t.call.Arg(i)
	}
	return t.call.ABI(), t.call.Number(), args
}

func (t *traced) Read(addr uint64, b []byte) (n int) { // how far it got is all that counts
	if t.away {
		n, _ = t.mem.Read(addr, b)
	} else {
		n, _ = t.call.ReadMemory(addr, b)
	}
	return n
}

func (t *traced) ReadV(ranges []decode.Range) {
	for i := range ranges {
		ranges[i].N = t.Read(ranges[i].Addr, ranges[i].Buf)
	}
}

func (t *traced) Write(addr uint64, b []byte) (int, error) {
	if t.away {
		return t.mem.Write(addr, b)
	}
	return t.call.WriteMemory(addr, b)
}

func (t *traced) Return(v int64) {
	if v == -int64(unix.EINTR) {
		v = t.interruption.result()
	}
	t.do(func() { _ = t.call.Return(v) }) // ESRCH: there is nobody to return to
}

// Interrupted is closed when the thread should not wait for its call any longer: a signal waits for it, or it was killed.
func (t *traced) Interrupted() <-chan struct{} {
	return t.interruption.watch(t.TID(), func() bool {
		t.mu.Lock()
		defer t.mu.Unlock()
		return !t.gone
	})
}

func (t *traced) Continue() { t.do(func() { t.err = t.next() }) }

// own makes a copy of a descriptor, which stays until the call has been answered.
func (t *traced) own(file int) (int, error) {
	fd, err := unix.FcntlInt(uintptr(file), unix.F_DUPFD_CLOEXEC, 0)
	if err == nil {
		t.after = append(t.after, func() { unix.Close(fd) })
	}
	return fd, err
}

// Install has the program open the file through /proc, which makes another open file of it.
func (t *traced) Install(file int, cloexec bool) int64 {
	fd, err := t.own(file)
	if err != nil {
		t.Return(-int64(unix.EMFILE))
		return -int64(unix.EMFILE)
	}
	mode, err := unix.FcntlInt(uintptr(file), unix.F_GETFL, 0)
	if err != nil {
		t.Return(-int64(unix.EMFILE))
		return -int64(unix.EMFILE)
	}
	flags := uint64(mode & unix.O_ACCMODE)
	if cloexec {
		flags |= unix.O_CLOEXEC
	}
	t.Redirect(func(put func([]byte) uint64) (uint64, [6]uint64) { return openByName(fd, flags, put) })
	return unknownResult
}

// openByName is the call that opens a file of this process.
func openByName(fd int, flags uint64, put func([]byte) uint64) (uint64, [6]uint64) {
	at := int64(unix.AT_FDCWD)
	name := fmt.Sprintf("/proc/%d/fd/%d\x00", os.Getpid(), fd)
	return unix.SYS_OPENAT, [6]uint64{uint64(at), put([]byte(name)), flags}
}

// Map implements Trap.
func (t *traced) Map(file int, args [6]uint64, done func()) {
	t.after = append(t.after, done)
	file, err := t.own(file)
	mode := 0
	if err == nil {
		mode, err = unix.FcntlInt(uintptr(file), unix.F_GETFL, 0)
	}
	if err != nil {
		t.Return(-int64(unix.ENOMEM))
		return
	}
	t.do(func() {
		number, open := openByName(file, uint64(mode&unix.O_ACCMODE)|unix.O_CLOEXEC, t.scratch().put)
		fd, err := t.call.Execute(number, open)
		if err == nil && fd >= 0 {
			args[4] = uint64(fd)
			var ret int64
			if ret, err = t.call.Execute(unix.SYS_MMAP, args); err == nil {
				_, err = t.call.Execute(unix.SYS_CLOSE, [6]uint64{uint64(fd)})
				_ = t.call.Return(ret)
			}
		} else if err == nil {
			_ = t.call.Return(-int64(unix.ENOMEM))
		}
		t.err = err
	})
}

func (t *traced) scratch() *scratch {
	return &scratch{sp: t.call.Decoded().SP, write: t.call.WriteMemory}
}

func (t *traced) Redirect(build func(put func([]byte) uint64) (uint64, [6]uint64)) {
	t.do(func() {
		number, args := build(t.scratch().put)
		t.call.Replace(number, args)
		t.err = t.next()
	})
}
