// Package region follows threads into and out of regions: functions, and stretches that a program marks. While
// a thread is outside of all regions it runs without stopping at its calls.
//
// A function is entered at a breakpoint on its first instruction. There the return address is known, and a
// breakpoint on it tells of the return: to a frame belongs the return of the same address with the stack pointer just above the place of the
// return address. A frame that control leaves in another way, by longjmp(3) or an exception, is noticed when the thread makes a
// call or comes to a breakpoint: the stack pointer is above the frame, or the return address has been overwritten.
package region

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"farcall/internal/engine"
	"farcall/symbols"
)

// Options say what is to be a region.
type Options struct {
	Symbols  []string // patterns of package symbols
	Threads  bool     // threads that are created inside are inside
	Hardware bool     // debug registers instead of breakpoints in memory
	Step     bool     // single steps to the first entry
	Returns  int      // call Done after so many returns; 0 for never
	Follow   bool     // the symbols may be in a program that is executed later
}

// A Region is a place that threads can be in.
type Region struct {
	Name string
	Addr uint64 // in the process, 0 for one that is marked

	size uint64 // bytes, 0 if it is not known
	spec *spec
	goes bool // a Go function
}

// End tells how a region was left.
type End uint8

// The ways.
const (
	Returned End = iota
	Unwound      // by longjmp(3), an exception, the end of the function's coroutine
	Repeated     // the function began anew in the same frame: a tail call
	Executed     // execve(2)
	Exited       // the thread ended
	Dropped      // the tracer let go
)

func (e End) String() string {
	names := [...]string{"return", "unwound", "tail", "exec", "exit", "detach"}
	if int(e) < len(names) {
		return names[e]
	}
	return fmt.Sprintf("End(%d)", uint8(e))
}

// A Frame is one stay of a thread in a region.
type Frame struct {
	Region *Region
	Depth  int       // how many regions the thread is in, this one included
	Args   [6]uint64 // argument registers at the entry
	Result uint64    // the register with the result, for Returned
	Since  time.Time

	sp, ret  uint64 // where the return address is, and what it is
	mark     uint64 // the record of a region that is marked, 0 for others
	attached bool   // entered before the tracer came
	fixed    bool   // entered by Enter: nothing but Leave ends it
	silent   bool   // inherited from the thread's parent: its end is no event
}

// A Listener is told what happens, on the engine's thread, while t is stopped (except for Exited).
type Listener interface {
	EnterRegion(t *engine.Thread, f *Frame)
	LeaveRegion(t *engine.Thread, f *Frame, end End)
	// Done: as many regions have returned as was asked for.
	Done()
	// Fail: a symbol cannot be found or used.
	Fail(t *engine.Thread, err error)
}

// A spec is a pattern that was asked for.
type spec struct {
	symbols.Pattern
	found bool
	err   error // why it was not found so far
}

// glob tells whether the pattern may name several places.
func (s *spec) glob() bool { return strings.ContainsAny(s.Name, "*?[") }

// A Tracker knows which threads are inside. It belongs to the engine's thread.
type Tracker struct {
	opts     Options
	to       Listener
	specs    []*spec
	spaces   map[*engine.Space]*sites
	threads  map[*engine.Thread]*thread
	cache    *symbols.Cache
	returns  int
	programs int // that were executed

	goroutines map[goKey]*thread          // those that are inside
	running    map[*engine.Thread]*thread // the one of them that a thread runs
	done       bool
}

// A thread is what the tracker knows of one.
type thread struct {
	frames []Frame
	owed   []uint64 // records of marked regions that were dropped before their end: an answer may still be waited for

	// Of a goroutine, whose frames these then are:
	key goKey
	hi  uint64 // the upper end of its stack, as frames count it
}

// New makes a tracker. Errors are those of symbols.ParsePattern.
func New(opts Options, to Listener) (*Tracker, error) {
	tr := &Tracker{opts: opts, to: to, spaces: map[*engine.Space]*sites{}, threads: map[*engine.Thread]*thread{},
		goroutines: map[goKey]*thread{}, running: map[*engine.Thread]*thread{}, cache: &symbols.Cache{}}
	for _, s := range opts.Symbols {
		p, err := symbols.ParsePattern(s)
		if err != nil {
			return nil, err
		}
		tr.specs = append(tr.specs, &spec{Pattern: p})
	}
	return tr, nil
}

func (tr *Tracker) thread(t *engine.Thread) *thread {
	if h := tr.running[t]; h != nil {
		return h
	}
	th := tr.threads[t]
	if th == nil {
		th = &thread{}
		tr.threads[t] = th
	}
	return th
}

// Top is the innermost region that t is in, nil for none.
func (tr *Tracker) Top(t *engine.Thread) *Frame {
	th := tr.running[t]
	if th == nil || len(th.frames) == 0 {
		th = tr.threads[t]
	}
	if th == nil || len(th.frames) == 0 {
		return nil
	}
	return &th.frames[len(th.frames)-1]
}

// Enter brings t, which is stopped, into a region until Leave.
func (tr *Tracker) Enter(t *engine.Thread, name string) {
	tr.push(t, Frame{Region: &Region{Name: name}, fixed: true})
}

// Leave ends the innermost region that Enter has begun, and those inside it.
func (tr *Tracker) Leave(t *engine.Thread) {
	frames := tr.thread(t).frames
	for i := len(frames) - 1; i >= 0; i-- {
		if frames[i].fixed && !frames[i].silent {
			tr.unwind(t, i+1, Unwound)
			tr.pop(t, Returned)
			return
		}
	}
}

func (tr *Tracker) push(t *engine.Thread, f Frame) {
	th := tr.thread(t)
	f.Depth, f.Since = len(th.frames)+1, time.Now()
	th.frames = append(th.frames, f)
	tr.arm(t, &f)
	if !f.silent {
		tr.to.EnterRegion(t, &th.frames[len(th.frames)-1])
	}
	tr.settle(t)
}

// pop removes the innermost frame.
func (tr *Tracker) pop(t *engine.Thread, end End) {
	tr.remove(t, len(tr.thread(t).frames)-1, end)
}

// remove removes frame i: one of a mark may end before those that were entered later.
func (tr *Tracker) remove(t *engine.Thread, i int, end End) {
	th := tr.thread(t)
	f := th.frames[i]
	if !f.silent {
		tr.to.LeaveRegion(t, &f, end)
	}
	th.frames = slices.Delete(th.frames, i, i+1)
	if end != Exited && end != Executed {
		th.owes(&f, end)
		tr.disarm(t, &f)
		if th.key.g != 0 && len(th.frames) == 0 {
			tr.goLeft(t, th)
		}
		tr.settle(t)
	}
	if end == Returned && !f.silent {
		if tr.returns++; tr.returns == tr.opts.Returns {
			tr.done = true
			tr.to.Done()
		}
	}
}

// unwind removes frames until n are left.
func (tr *Tracker) unwind(t *engine.Thread, n int, end End) {
	for th := tr.thread(t); len(th.frames) > n; {
		tr.pop(t, end)
	}
}

// settle makes t stop at its calls if it is inside, and only then.
func (tr *Tracker) settle(t *engine.Thread) {
	f := tr.Top(t)
	t.Native(f == nil && len(tr.thread(t).owed) == 0)
	if tr.opts.Hardware {
		watch := uint64(0)
		if f != nil && !f.fixed {
			watch = f.ret
		}
		t.Watch(watch)
	}
}
