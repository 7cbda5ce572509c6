package farcall

import (
	"strings"

	"farcall/event"
	"farcall/internal/stack"
	"farcall/symbols/unwind"
	"farcall/syscalls"
)

// StackOptions say how call stacks are taken; see [Task.Stack].
type StackOptions struct {
	// Limit is the number of frames that are shown of a stack, 0 for 256.
	Limit int

	// Lines looks up source lines, and functions that were inlined, where the program has debug
	// information.
	Lines bool

	// Attach, if not nil, chooses the events that carry their stack in Event.Stack: it is asked at
	// entry and exit of calls, and about signals and stops.
	Attach func(t *Task, ev *event.Event) bool
}

// stacks is what a tracer needs for stacks; all of it belongs to the tracer's thread.
type stacks struct {
	walker stack.Walker
	files  stack.Files
	spaces map[int]*stack.Space // by process
	regs   unwind.Regs
}

// taken is a task's stack.
type taken struct {
	frames []event.StackFrame
	valid  bool // frames is the stack of the present stop
	kept   bool // frames is to be shown at the exit of the call too, which leaves nothing of it
}

// Stack is the task's call stack, innermost frame first, as it is at the present stop: what led to
// the system call or, while a signal is about to be delivered, to where that arrived. At the exit of
// execve and rt_sigreturn it is that of the new program, and of the code that goes on, unless the event
// carries that of the entry (StackOptions.Attach).
//
// It is taken when it is asked for the first time at a stop: one request for the registers, one small
// read of the stack, and searches in tables that are kept. The first time that a file shows up, its
// symbols and frame information are read, some milliseconds for a large one. The frames are valid until
// the task goes on. There is none for a task that is gone.
func (t *Task) Stack() []event.StackFrame {
	if t.stack.valid {
		return t.stack.frames
	}
	tr := t.tracer
	if tr.stacks == nil {
		tr.stacks = &stacks{spaces: map[int]*stack.Space{}}
		tr.stacks.walker.Limit, tr.stacks.walker.Lines = tr.opts.Stacks.Limit, tr.opts.Stacks.Lines
	}
	s := tr.stacks
	t.stack.frames, t.stack.valid, t.stack.kept = t.stack.frames[:0], true, false
	if t.thread.Regs(&tr.regs) != nil {
		return nil
	}
	m := stack.Registers(&tr.regs, &s.regs)
	if m == nil {
		return nil
	}
	t.stack.frames = s.walker.Append(t.stack.frames, t.space(), m, &s.regs)
	return t.stack.frames
}

// functions yields the names of the functions that the task is in, innermost first: as stacks show them, and those of C++
// without their parameters too. It is an iter.Seq.
func (t *Task) functions(yield func(string) bool) {
	for i := range t.Stack() {
		name := t.stack.frames[i].Symbol
		if name != "" && !yield(name) {
			return
		}
		if n := parameters(name); n > 0 && !yield(name[:n]) {
			return
		}
	}
}

// parameters is where the parameters begin in a C++ function's name, 0 where there are none. In Go's (*T).Method
// and C++'s (anonymous namespace)::f something follows the parentheses.
func parameters(name string) int {
	end := len(strings.TrimSuffix(name, " const"))
	if end == 0 || name[end-1] != ')' {
		return 0
	}
	depth := 0
	for i := end - 1; i > 0; i-- {
		switch name[i] {
		case ')':
			depth++
		case '(':
			if depth--; depth == 0 {
				return i
			}
		}
	}
	return 0
}

// space is what the task's process has mapped.
func (t *Task) space() *stack.Space {
	s := t.tracer.stacks
	space := s.spaces[t.PID]
	if space == nil {
		space = stack.NewSpace(t.PID, &t.mem, &s.files)
		s.spaces[t.PID] = space
	}
	space.Thread, space.Memory = t.TID, &t.mem
	return space
}

// moved forgets the task's stack: it has run since.
func (t *Task) moved() { t.stack.valid, t.stack.kept = false, false }

// attach gives an event its stack.
func (t *Task) attach(ev *event.Event) {
	ev.Stack = nil
	// A stack that was taken at the entry is that of the exit too, but for these calls.
	if ev.Kind == event.CallExit && t.stack.valid && !t.stack.kept && (isExec(ev.Call.Desc) || isSigreturn(ev.Call.Desc)) {
		t.moved()
	}
	attach := t.tracer.opts.Stacks.Attach
	if attach == nil {
		return
	}
	switch ev.Kind {
	case event.CallEntry:
		if main := t.tracer.main; main != nil && main.Thread == t.thread && !t.tracer.begun {
			return // it is not the program yet that calls execve
		}
		if attach(t, ev) {
			ev.Stack = t.Stack()
			t.stack.kept = Unwinds(ev.Call.Desc)
		}
	case event.Signal, event.GroupStop:
		if attach(t, ev) {
			ev.Stack = t.Stack()
		}
	case event.CallExit:
		if attach(t, ev) && (t.stack.valid || !ev.Lost) {
			ev.Stack = t.Stack()
		}
	case event.Exited, event.Killed:
		if t.stack.kept && t.stack.valid {
			ev.Stack = t.stack.frames
		}
	}
}

// Unwinds tells whether a call leaves nothing of the stack that it was made from, so that it has to be
// taken at the entry: execve and exit, and their like.
func Unwinds(d *syscalls.Call) bool { return neverReturns(d) || isExec(d) }

func isSigreturn(d *syscalls.Call) bool { return d.Name == "rt_sigreturn" || d.Name == "sigreturn" }

func isExec(d *syscalls.Call) bool { return d.Name == "execve" || d.Name == "execveat" }

// forgetSpace is told when a process has another program or is gone.
func (tr *Tracer) forgetSpace(pid int) {
	if tr.stacks == nil {
		return
	}
	if space := tr.stacks.spaces[pid]; space != nil {
		space.Close()
		delete(tr.stacks.spaces, pid)
	}
}
