package farcall

import (
	"time"

	"farcall/decode"
	"farcall/event"
	"farcall/filter"
	"farcall/internal/engine"
	"farcall/internal/ptrace"
	"farcall/internal/region"
	"farcall/syscalls"
)

// A Task is a thread that is being traced. It belongs to the tracer's thread: observers and handlers may
// use it while they run.
type Task struct {
	TID, PID int
	ABI      syscalls.ABI // of its last call
	User     any          // for the observer

	// Resolver, if not nil, tells what file descriptors and process ids among the arguments refer to.
	// An observer sets it when it is told of a new task.
	Resolver decode.Resolver

	thread   *engine.Thread
	tracer   *Tracer
	mem      memory
	call     decode.Call
	decoding decode.Options
	info     decode.Call // decodes the siginfo of signals
	entered  time.Time   // monotonic
	at       int64       // of the entry, nanoseconds since the Epoch
	launched bool
	left     bool // the end of its call has been told: there is no result
	handling *handling
	unknown  map[uint64]*syscalls.Call
	env      filter.Env // see Env
	ev       event.Event
	frame    *region.Frame // that an event is about
	stack    taken
}

// SystemTime is the processor time that the kernel has spent for the task, as of its last stop. It
// wants Options.Usage.
func (t *Task) SystemTime() time.Duration {
	u := &t.thread.Rusage
	return time.Duration(u.Stime.Sec)*time.Second + time.Duration(u.Stime.Usec)*time.Microsecond
}

// Launched tells that the tracer started the task's program, or an ancestor of it.
func (t *Task) Launched() bool { return t.launched }

// Detach lets the task go on untraced once the observer has returned. Error: ErrFiltered.
func (t *Task) Detach() error { return t.thread.Detach() }

// ReadMemory reads the program's memory at addr. n is less than len(b) only with an error, an errno:
// EFAULT if memory behind the n bytes is not readable, ESRCH if the task is gone.
func (t *Task) ReadMemory(addr uint64, b []byte) (n int, err error) {
	return t.thread.Memory().Read(addr, b)
}

// WriteMemory writes to the program's memory at addr, with errors like ReadMemory's.
func (t *Task) WriteMemory(addr uint64, b []byte) (n int, err error) {
	return t.thread.Memory().Write(addr, b)
}

// memory is a task's memory as package decode wants it.
type memory struct {
	*ptrace.Memory
	ranges [8]ptrace.Range
}

// Read implements decode.Memory.
func (m *memory) Read(addr uint64, b []byte) int {
	n, _ := m.Memory.Read(addr, b) // how far it got is all that counts
	return n
}

// ReadV implements decode.Memory.
func (m *memory) ReadV(ranges []decode.Range) {
	for len(ranges) > 0 {
		n := min(len(ranges), len(m.ranges))
		for i := range n {
			m.ranges[i] = ptrace.Range{Addr: ranges[i].Addr, Buf: ranges[i].Buf}
		}
		_ = m.Memory.ReadV(m.ranges[:n]) // a range that failed has N 0
		for i := range n {
			ranges[i].N = m.ranges[i].N
		}
		ranges = ranges[n:]
	}
}
