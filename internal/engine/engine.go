package engine

import (
	"errors"
	"runtime"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"farcall/internal/ptrace"
)

// ErrClosed is returned by methods of an Engine after Close.
var ErrClosed = errors.New("engine: closed")

// An Engine traces processes. Its methods may be called from any goroutine, but Launch, Attach, Do and Run not from its
// own callbacks, where they would wait for themselves.
type Engine struct {
	opts Options
	sink Sink
	tid  int // of the engine's thread

	// Shared with other goroutines.
	mu      sync.Mutex
	mail    []func()
	closed  bool
	bell    atomic.Bool // there is mail
	inWait  atomic.Bool // the thread is, or is about to be, in wait4
	ringing atomic.Bool
	wake    chan struct{}
	ended   chan struct{}

	// Of the engine's thread.
	threads map[int]*Thread
	procs   map[int]*Process
	tombs   map[int]int       // threads that came and went before their parent's event: tid to the parent's process
	held    map[int]heldChild // see holdChild
	last    *Thread           // the thread that stopped last
	waiters []chan error
	queue   []event
	head    int
	streak  int // stops since the last gathering
	info    ptrace.SyscallInfo
	infoOf  *Thread // whose last stop of a call info describes
	byRegs  bool    // PTRACE_SET_SYSCALL_INFO is missing, or not wanted
	regs    ptrace.Regs
	siginfo ptrace.Siginfo
	rusage  unix.Rusage
	cookie  uint64
	leaving bool // everything is to be detached
	quit    bool
	abandon bool // the thread has to die, so that the kernel detaches what is left
	pin     pinState
}

// New makes an engine and starts its thread. Close ends it.
func New(opts Options, sink Sink) *Engine {
	e := &Engine{
		opts: opts, sink: sink, byRegs: opts.Registers,
		wake: make(chan struct{}, 1), ended: make(chan struct{}),
		threads: make(map[int]*Thread), procs: make(map[int]*Process), tombs: make(map[int]int), held: make(map[int]heldChild),
	}
	ready := make(chan struct{})
	go e.run(ready)
	<-ready
	return e
}

// run is the engine's goroutine. It must not have the process's main thread: that one does not end with its goroutine,
// and the end of the thread is what detaches tracees that cannot be stopped.
func (e *Engine) run(ready chan struct{}) {
	runtime.LockOSThread()
	if unix.Gettid() == unix.Getpid() {
		go e.run(ready)
		<-ready
		runtime.UnlockOSThread()
		return
	}
	e.tid = unix.Gettid()
	openDoorbell()
	close(ready)
	for !e.quit {
		e.deliverMail()
		switch {
		case e.quit:
		case len(e.waiters) == 0:
			<-e.wake
		case len(e.threads) == 0:
			e.leaving = false
			e.finishRuns(nil)
		default:
			e.step()
		}
	}
	e.finishRuns(ErrClosed)
	e.pin.release()
	closeDoorbell()
	close(e.ended)
	if !e.abandon && len(e.threads) == 0 {
		runtime.UnlockOSThread() // back to the runtime, as it was
	}
	// Otherwise the goroutine ends locked: its thread dies, and the kernel lets the tracees go.
}

func (e *Engine) finishRuns(err error) {
	for _, w := range e.waiters {
		w <- err
	}
	e.waiters = nil
}

// Run handles stops until no tracee is left, and returns nil then, or at Close with ErrClosed.
func (e *Engine) Run() error {
	done := make(chan error, 1)
	if !e.post(func() { e.waiters = append(e.waiters, done) }) {
		return ErrClosed
	}
	return <-done
}

// Close ends the engine's thread; what it still traces is let go by the kernel (or killed, with Options.KillOnExit).
func (e *Engine) Close() {
	if e.post(func() { e.quit = true }) {
		e.mu.Lock()
		e.closed = true
		e.mu.Unlock()
	}
	<-e.ended
}

// Do runs f on the engine's thread, between two stops, and returns when it is done. It fails with ErrClosed.
func (e *Engine) Do(f func()) error {
	done := make(chan struct{})
	if !e.post(func() { f(); close(done) }) {
		return ErrClosed
	}
	select {
	case <-done:
		return nil
	case <-e.ended:
		select {
		case <-done:
			return nil
		default:
			return ErrClosed
		}
	}
}

// post hands f to the engine's thread.
func (e *Engine) post(f func()) bool {
	e.mu.Lock()
	if e.closed {
		e.mu.Unlock()
		return false
	}
	e.mail = append(e.mail, f)
	e.mu.Unlock()
	e.bell.Store(true)
	select {
	case e.wake <- struct{}{}:
	default:
	}
	e.ring()
	return true
}

func (e *Engine) deliverMail() {
	for e.bell.Swap(false) {
		e.mu.Lock()
		mail := e.mail
		e.mail = nil
		e.mu.Unlock()
		for _, f := range mail {
			f()
		}
	}
}

// Threads gives the traced threads, in no order. For the engine's thread (callbacks, Do).
func (e *Engine) Threads() []*Thread {
	all := make([]*Thread, 0, len(e.threads))
	for _, t := range e.threads {
		all = append(all, t)
	}
	return all
}

// Thread finds a traced thread, nil if there is none with this id. For the engine's thread.
func (e *Engine) Thread(tid int) *Thread { return e.threads[tid] }

func (e *Engine) addThread(tid, pid int) *Thread {
	p := e.procs[pid]
	if p == nil {
		p = &Process{PID: pid}
		e.procs[pid] = p
	}
	p.threads++
	t := &Thread{TID: tid, Proc: p, e: e, native: e.opts.Breakpoints != nil}
	e.threads[tid] = t
	return t
}

// forget removes a thread that is gone or detached.
func (e *Engine) forget(t *Thread) {
	t.gone = true
	t.stopped = false
	if t.step != nil {
		t.Proc.space.slots.give(t, t.step)
		t.step = nil
		e.stepNext(t.Proc.space)
	}
	if e.threads[t.TID] == t {
		delete(e.threads, t.TID)
	}
	if e.last == t {
		e.last = nil
	}
	if t.mem != nil {
		t.mem.Close()
	}
	e.pin.restore(t)
	p := t.Proc
	if p.threads--; p.threads == 0 && e.procs[p.PID] == p {
		delete(e.procs, p.PID)
		for tid, pid := range e.tombs {
			if pid == p.PID {
				delete(e.tombs, tid)
			}
		}
	}
}
