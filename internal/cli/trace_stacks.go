package cli

import (
	"farcall"
	"farcall/event"
	"farcall/filter"
	"farcall/internal/cmdline"
	"farcall/symbols/unwind"
)

// stackOptions are those of the tracer.
func (r *traceRun) stackOptions() farcall.StackOptions {
	o := r.opts
	s := farcall.StackOptions{Limit: min(o.FrameLimit, unwind.MaxLimit), Lines: o.Stacks == cmdline.StackSource}
	if o.Stacks != cmdline.StackOff && o.Summary != cmdline.SummaryOnly || o.Profile != "" {
		s.Attach = func(t *farcall.Task, ev *event.Event) bool { return r.watch.showsStack(t, ev) }
	}
	return s
}

// showsStack tells whether an event is going to be shown with its stack: where strace does, which is after a
// call's line, signals and stops.
func (w *watcher) showsStack(t *farcall.Task, ev *event.Event) bool {
	s, _ := t.User.(*shown)
	switch ev.Kind {
	case event.CallEntry: // it will be gone at the exit
		return farcall.Unwinds(ev.Call.Desc)
	case event.CallExit:
		return s != nil && s.where != filter.False && w.opts.Status.Has(statusOf(ev))
	}
	return w.opts.Stacks != cmdline.StackOff && w.opts.Signals.Has(ev.Signo)
}
