package farcall

import (
	"time"

	"farcall/event"
	"farcall/internal/engine"
	"farcall/internal/region"

	"golang.org/x/sys/unix"
)

// Regions limit interception to where threads are inside of functions, or between two marks. Outside of them programs run without stopping at
// their calls, and nothing of them is told but the beginning and the end of threads. Entries and returns are events.
//
// A region belongs to the thread that entered it. All threads of a traced process are looked at, also without Options.Follow, which
// counts for processes; what is forked inside is inside.
type Regions struct {
	// In are the functions, by what "farcall symbols" takes: a name, OBJECT:NAME, a glob, FILE:LINE or an
	// in-file address 0xADDR of where one begins. A name without an object is looked for in the program and, if that has none, in the
	// libraries that are loaded with it. None means that interception is not limited.
	In []string

	// Marks are the names, or globs of such, of regions that programs mark themselves with farcall.h or the package farcall/mark. None
	// means that no marks are looked for; "*" are all.
	Marks []string

	// Notice, if not nil, is told, on the tracer's thread, what is wrong with the marks of a process.
	Notice func(pid int, err error)

	// Threads has threads that are created inside be inside until they end.
	Threads bool

	// Hardware uses the processor's debug registers in place of breakpoints in the program's memory: nothing of the program is
	// changed, but no more than three functions can be regions.
	Hardware bool

	// Step goes to the first entry by single steps. It is slow, and serves as a reference.
	Step bool

	// Returns, if not 0, detaches from everything after so many returns.
	Returns int
}

// limited tells whether interception is limited to regions.
func (r *Regions) limited() bool { return len(r.In) > 0 || len(r.Marks) > 0 }

func (r *Regions) notice(pid int, err error) {
	if r.Notice != nil {
		r.Notice(pid, err)
	}
}

// A RegionError says why a function cannot be a region.
type RegionError = region.Error

// regionSink is what the tracker tells.
type regionSink struct{ *sink }

// EnterRegion implements region.Listener.
func (s regionSink) EnterRegion(th *engine.Thread, f *region.Frame) {
	t := s.task(th)
	t.now()
	if f.Depth == 1 {
		s.mapped(th) // it may have, unseen
	}
	t.ev.IP = f.Region.Addr
	t.ev.RegionArgs = f.Args
	t.tellRegion(event.RegionEntry, f)
}

// LeaveRegion implements region.Listener.
func (s regionSink) LeaveRegion(th *engine.Thread, f *region.Frame, end region.End) {
	t := s.task(th)
	t.now()
	t.ev.Duration = int64(time.Since(f.Since))
	t.ev.RegionEnd, t.ev.RegionResult = end.String(), f.Result
	t.tellRegion(event.RegionReturn, f)
}

func (t *Task) tellRegion(k event.Kind, f *region.Frame) {
	t.moved()
	t.frame = f
	t.ev.Marked, t.ev.Inside = f.Marked(), f.WasInside()
	t.tell(k)
	t.frame = nil
}

// Done implements region.Listener.
func (s regionSink) Done() {
	go func() { _ = s.Detach() }()
}

// Fail implements region.Listener. A program that farcall has started is ended, as it has not begun yet.
func (s regionSink) Fail(th *engine.Thread, err error) {
	s.mu.Lock()
	if s.err == nil {
		s.err = err
	}
	s.mu.Unlock()
	s.failed = true
	if s.task(th).launched {
		_ = th.Kill(unix.SIGKILL) // ESRCH: it is dead
		return
	}
	go func() { _ = s.Detach() }() // from the tracer's own thread it would wait for itself
}

// Region is the innermost region that the task is in, "" for none, and depth in how many it is.
func (t *Task) Region() (name string, depth int) {
	f := t.frame
	if f == nil && t.tracer.regions != nil {
		f = t.tracer.regions.Top(t.thread)
	}
	if f == nil {
		return "", 0
	}
	return f.Region.Name, f.Depth
}

// outside tells whether events of a thread are not to be told, because it is in no region.
func (s *sink) outside(th *engine.Thread) bool { return s.regions != nil && s.regions.Top(th) == nil }

// MissingRegions says which functions of Regions.In were never found, and which of Regions.Marks no program has marked. It counts
// once Wait has returned.
func (tr *Tracer) MissingRegions() []error {
	if tr.regions == nil {
		return nil
	}
	missing := tr.regions.Missing()
	if tr.marks != nil {
		missing = append(missing, tr.marks.Missing()...)
	}
	return missing
}
