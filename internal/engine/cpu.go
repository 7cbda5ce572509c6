package engine

import (
	"bytes"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Tracer and tracee take turns: while one runs, the other sleeps. The kernel does not know that, and wakes each on an idle
// processor, which costs more than all the rest of a stop. With PinAuto a tracee from which many stops come in a row is
// restricted to the processor that the engine's thread runs on, and that thread too.
//
// The program must not find out. What a call could reveal or pass on is put right at its entry, before the kernel
// executes it: the original set of processors is restored before fork, vfork, clone (children inherit it),
// sched_getaffinity, sched_setaffinity and before /proc/.../status is opened; likewise when the thread is detached,
// when another thread stops, and when the engine is closed. So a thread is not restricted while a filter lets calls pass
// that the engine does not see. Only threads of launched programs are restricted: should the tracer be killed, the
// restriction stays, and a service that was attached to must not suffer that.

const (
	pinAfter    = 8                      // stops in a row
	pinCheck    = 1024                   // stops between two looks at the clock
	pinInterval = 100 * time.Microsecond // the longest mean time between stops at which it is worth it
)

type pinState struct {
	cur      *Thread // restricted now
	cpus     unix.CPUSet
	of       unix.CPUSet // the original set of cur
	own      unix.CPUSet // and of the engine's thread
	streak   int         // stops in a row
	since    time.Time
	pinned   int  // how often, for tests
	hopeless bool // the kernel has refused
	tooSlow  bool // stops came too slowly the last time
}

// changed: another thread than the last one has stopped.
func (p *pinState) changed(e *Engine) {
	p.streak = 0
	if p.cur != nil {
		p.release()
	}
}

// count is called for every stop of a call.
func (p *pinState) count(e *Engine, t *Thread) {
	if e.opts.Pin != PinAuto || p.hopeless || !t.pinnable || t.filtered && !t.full {
		return
	}
	p.streak++
	switch {
	case p.streak == 1:
		p.since = time.Now()
	case p.cur == nil && p.streak == pinAfter:
		if p.worthwhile(pinAfter) {
			p.pin(e, t)
		}
		p.streak = 0
	case p.streak == pinCheck:
		if !p.worthwhile(pinCheck) {
			p.release()
		}
		p.streak = 0
	}
}

func (p *pinState) worthwhile(stops int) bool {
	p.tooSlow = time.Since(p.since) >= time.Duration(stops)*pinInterval
	return !p.tooSlow
}

func (p *pinState) pin(e *Engine, t *Thread) {
	cpu, ok := currentCPU()
	if !ok || unix.SchedGetaffinity(e.tid, &p.own) != nil || unix.SchedGetaffinity(t.TID, &p.of) != nil ||
		p.own.Count() < 2 || p.of.Count() < 2 || !p.of.IsSet(cpu) {
		return
	}
	p.cpus.Zero()
	p.cpus.Set(cpu)
	if unix.SchedSetaffinity(e.tid, &p.cpus) != nil {
		p.hopeless = true
		return
	}
	if unix.SchedSetaffinity(t.TID, &p.cpus) != nil { // EPERM: it has become another user's
		_ = unix.SchedSetaffinity(e.tid, &p.own)
		p.hopeless = true
		return
	}
	p.cur = t
	p.pinned++
}

// release gives the restricted thread and the engine's thread their sets back. A set that somebody else
// has changed meanwhile is left alone.
func (p *pinState) release() {
	t := p.cur
	if t == nil {
		return
	}
	p.cur = nil
	p.streak = 0
	for tid, set := range map[int]*unix.CPUSet{t.TID: &p.of, t.e.tid: &p.own} {
		var now unix.CPUSet
		if unix.SchedGetaffinity(tid, &now) == nil && now == p.cpus {
			_ = unix.SchedSetaffinity(tid, set)
		}
	}
}

// entry is called at the entry of a call, n being the numbers of its ABI.
func (p *pinState) entry(t *Thread, n *callNumbers) {
	if t.e.opts.Pin != PinAuto || !t.pinnable {
		return
	}
	switch t.Call.Number {
	case n.fork, n.vfork, n.clone, n.clone3, n.schedGetaffinity, n.schedSetaffinity:
		p.restore(t)
	case n.open, n.openat, n.openat2:
		// The kernel writes the text when it is read, so the thread must not become restricted after this either.
		if opensStatus(t, n) {
			t.pinnable = false
			p.restore(t)
		}
	}
}

// opensStatus tells whether an open could be of a file that shows the set of processors.
func opensStatus(t *Thread, n *callNumbers) bool {
	arg := 1
	if t.Call.Number == n.open {
		arg = 0
	}
	var buf [256]byte
	len, _, _ := t.Memory().ReadString(t.Call.Args[arg], buf[:])
	return bytes.HasSuffix(buf[:len], []byte("status"))
}

// restore is called when t is about to be detached or is gone.
func (p *pinState) restore(t *Thread) {
	if p.cur == t {
		p.release()
	}
}

// currentCPU is the processor that the calling thread runs on (getcpu(2)).
func currentCPU() (int, bool) {
	var cpu uint32
	_, _, e := unix.RawSyscall(unix.SYS_GETCPU, uintptr(unsafe.Pointer(&cpu)), 0, 0)
	return int(cpu), e == 0
}
