package cli

import (
	"fmt"
	"io"
	"strconv"

	"farcall"
	"farcall/event"
	"farcall/filter"
	"farcall/internal/cmdline"
	"farcall/syscalls"

	"golang.org/x/sys/unix"
)

// A watcher is the observer of a trace: it decides which events are shown, counts calls, and says what
// strace says on standard error.
type watcher struct {
	run     *traceRun
	opts    *cmdline.Options
	summary *event.Summary
	shown   uint64
	leaving bool // everything is to be let go: what comes until then is our own doing
	started bool // the first program's execve is over
	stopped bool // by --stop-when
	tasks   map[int]*farcall.Task
	abis    map[int]syscalls.ABI // processes that do not have the tracer's own ABI
	paths   *pathFilter
}

// A shown is what the watcher knows of a task.
type shown struct {
	sys int64
	verdicts
}

func newWatcher(r *traceRun) *watcher {
	w := &watcher{run: r, opts: r.opts, tasks: map[int]*farcall.Task{}, abis: map[int]syscalls.ABI{}}
	if r.opts.Summary != cmdline.SummaryOff {
		w.summary = event.NewSummary()
	}
	if len(r.opts.Paths) > 0 || r.opts.TraceFDs != nil {
		w.paths = newPathFilter(r.opts, r.out.say)
	}
	return w
}

// observe is told of every event.
func (w *watcher) observe(t *farcall.Task, ev *event.Event) {
	s, _ := t.User.(*shown)
	if s == nil {
		s = &shown{}
		t.User = s
		w.tasks[t.TID] = t
		w.resolve(t)
	}
	if w.leaving {
		switch ev.Kind {
		case event.Exited, event.Killed: // by the signal that was passed on to it
			gone := *ev
			gone.Kind = event.Detached
			ev = &gone
		case event.Detached:
		default:
			return
		}
	}
	switch ev.Kind {
	case event.CallEntry:
		w.entry(t, s, ev)
		return
	case event.CallExit:
		w.exit(t, s, ev)
		return
	case event.Signal, event.GroupStop:
		if !w.opts.Signals.Has(ev.Signo) {
			return
		}
	case event.Created:
		if w.opts.Format == cmdline.FormatJSON {
			w.print(t, ev)
		}
		if !w.opts.Quiet.Has(cmdline.QuietAttach) {
			w.run.out.say("Process " + strconv.Itoa(t.TID) + " attached")
		}
		return
	case event.Attached:
		if w.opts.Format == cmdline.FormatJSON {
			w.print(t, ev)
		}
		w.attached(t)
		return
	case event.Exec:
		if ev.By != t.TID {
			delete(w.tasks, ev.By)
			w.tasks[t.TID] = t
		}
		w.print(t, ev)
		// The execve by which farcall itself starts the program does not count.
		first := t.Launched() && !w.started
		w.started = w.started || first
		if w.opts.DetachOnExec && !first {
			_ = t.Detach() // never filtered, see traceOptions
		}
		return
	case event.Detached:
		delete(w.tasks, t.TID)
		if !w.opts.Quiet.Has(cmdline.QuietAttach) {
			w.run.out.say("Process " + strconv.Itoa(t.TID) + " detached")
		}
		if !w.opts.Status.Has(cmdline.StatusDetached) || s.where == filter.Unknown {
			w.run.out.drop(t.TID)
		}
	case event.Vanished:
		delete(w.tasks, t.TID)
		if w.opts.Format != cmdline.FormatJSON {
			return
		}
	case event.Superseded:
		if w.opts.Quiet.Has(cmdline.QuietThreadExecve) {
			w.run.out.renamed(ev.By, ev.TID)
			return
		}
	case event.Exited, event.Killed:
		delete(w.tasks, t.TID)
		delete(w.abis, t.TID)
		if t.Launched() && !w.started {
			w.run.launchFailed()
		}
		switch {
		case ev.Kind == event.Exited && w.opts.Quiet.Has(cmdline.QuietExit):
			return
		case ev.Kind == event.Killed && !w.opts.Signals.Has(ev.Signo):
			return
		}
	}
	w.print(t, ev)
}

func (w *watcher) print(t *farcall.Task, ev *event.Event) {
	if w.opts.Summary == cmdline.SummaryOnly || w.opts.Silent {
		return
	}
	if w.stopped && (ev.Kind == event.CallEntry || ev.Kind == event.CallExit) {
		return
	}
	if w.opts.SyscallLimit > 0 && w.shown >= w.opts.SyscallLimit && ev.Kind != event.Detached {
		return // of a thread that is still to be stopped for its detach
	}
	w.run.out.dumper.task = t
	if w.opts.Stacks == cmdline.StackOff {
		ev.Stack = nil // it was taken for the profile
	}
	w.run.out.encode(ev, w.run.tracer.Tasks())
}

func (w *watcher) entry(t *farcall.Task, s *shown, ev *event.Event) {
	if ev.ABI != native || len(w.abis) > 0 {
		w.personality(t, ev)
	}
	if w.opts.SyscallNumber {
		w.run.out.number(t.TID, ev.Call.Number)
	}
	skip := w.paths != nil && !w.paths.match(t, ev.Call) || (w.opts.SyscallNumber || w.opts.StopWhen != nil || len(w.run.rules) > 0) && !w.wanted(ev)
	if w.summary != nil && !w.opts.WallClock {
		s.sys = int64(t.SystemTime())
	}
	if s.verdicts = w.run.conditions.entry(t, skip); s.where != filter.False {
		w.print(t, ev)
	}
}

// wanted tells whether a call is in the set of those to be shown, for traces that see all.
func (w *watcher) wanted(ev *event.Event) bool {
	return w.opts.Calls.Has(ev.ABI, ev.Call.Number) || ev.ABI.Name(ev.Call.Number) == ""
}

// shows tells whether a call is going to be shown, as far as that is known at its entry. The execve by which farcall itself starts the
// program is shown, but it is not the program's.
func (w *watcher) shows(c *farcall.Call) bool {
	if c.First() {
		return false
	}
	named := c.ABI().Name(c.Number()) != ""
	return (!named || w.opts.Calls.Has(c.ABI(), c.Number())) && (w.paths == nil || w.paths.match(c.Task, c.Decoded()))
}

func (w *watcher) exit(t *farcall.Task, s *shown, ev *event.Event) {
	where, count, stop := w.run.conditions.exit(t, s.verdicts)
	if stop {
		defer w.stop()
	}
	if !where {
		if stop {
			w.print(t, ev)
		} else {
			w.run.out.drop(t.TID)
		}
		return
	}
	if count && w.summary != nil && !ev.Lost {
		spent := ev.Duration
		if !w.opts.WallClock {
			spent = int64(t.SystemTime()) - s.sys
		}
		w.summary.Add(ev.ABI, ev.Call, max(0, spent-int64(w.opts.Overhead.Time)))
	}
	if !stop && !w.opts.Status.Has(statusOf(ev)) {
		w.run.out.drop(t.TID)
		return
	}
	w.run.profile.add(ev)
	w.print(t, ev)
	if w.opts.SyscallLimit > 0 && !ev.Lost {
		if w.shown++; w.shown == w.opts.SyscallLimit {
			for _, t := range w.tasks {
				_ = t.Detach() // never filtered, see traceOptions
			}
		}
	}
}

func statusOf(ev *event.Event) cmdline.StatusSet {
	switch {
	case ev.Lost:
		return cmdline.StatusUnfinished
	case ev.Call.Failed:
		return cmdline.StatusFailed
	}
	return cmdline.StatusSuccessful
}

// native is the ABI of farcall itself.
const native = nativeABI

// personality says when a process's calls change from one ABI to another.
func (w *watcher) personality(t *farcall.Task, ev *event.Event) {
	abi := ev.ABI
	was, known := w.abis[t.PID]
	if !known {
		was = native
	}
	if was == abi {
		return
	}
	w.abis[t.PID] = abi
	if w.opts.Quiet.Has(cmdline.QuietPersonality) {
		return
	}
	mode := strconv.Itoa(8*abi.WordSize()) + " bit"
	if abi == syscalls.X32 {
		mode = "x32"
	}
	w.run.out.note(ev, fmt.Sprintf("[ Process PID=%d runs in %s mode. ]", t.TID, mode), w.run.tracer.Tasks())
}

// attached says that farcall has taken hold of a process, once for all its threads.
func (w *watcher) attached(t *farcall.Task) {
	if w.opts.Quiet.Has(cmdline.QuietAttach) || t.TID != t.PID && len(w.opts.Attach) > 0 && !w.asked(t.TID) {
		return
	}
	n := 0
	for _, o := range w.tasks {
		if o.PID == t.PID {
			n++
		}
	}
	if n > 1 {
		w.run.out.say(fmt.Sprintf("Process %d attached with %d threads", t.TID, n))
		return
	}
	w.run.out.say("Process " + strconv.Itoa(t.TID) + " attached")
}

func (w *watcher) asked(pid int) bool {
	for _, p := range w.opts.Attach {
		if p == pid {
			return true
		}
	}
	return false
}

// terminate passes a signal that ends the trace on to the programs that farcall started.
func (w *watcher) terminate(sig unix.Signal) {
	w.leaving = len(w.opts.Command) == 0 || !w.run.tracer.Filtering()
	for _, t := range w.tasks {
		if t.Launched() && t.TID == t.PID {
			_ = unix.Kill(t.PID, unix.SIGCONT)
			_ = unix.Kill(t.PID, sig)
		}
	}
}

// kill ends the programs that farcall started, which have not ended by the signal that they were passed on. What it
// was attached to is not its to kill.
func (w *watcher) kill() {
	for _, t := range w.tasks {
		if t.Launched() {
			_ = unix.Kill(t.PID, unix.SIGKILL) // ESRCH: it has ended
		}
	}
}

// resolve sets what describes file descriptors and process ids among the task's arguments.
func (w *watcher) resolve(t *farcall.Task) {
	if w.opts.DecodeFDs == 0 && w.opts.DecodePIDs == 0 {
		return
	}
}

// finish prints the table of counts.
func (w *watcher) finish() {
	for _, err := range w.run.tracer.MissingRegions() {
		w.run.messages.Error(err)
	}
	if w.summary == nil {
		return
	}
	cols := make([]event.Column, len(w.opts.SummaryColumns))
	for i, c := range w.opts.SummaryColumns {
		cols[i] = event.Column(c)
	}
	w.run.out.write(func(out io.Writer) error { return w.summary.Write(out, cols, event.Column(w.opts.SortBy)) })
}
