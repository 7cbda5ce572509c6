package cli

import (
	"farcall"
	"farcall/event"
	"farcall/filter"
	"farcall/symbols/unwind"
)

// TraceStacks says whether call stacks are shown.
type TraceStacks struct {
	Stacks     StackMode // -k
	FrameLimit int       // frames shown of each, 0: no option was given
	Profile    string    // --profile: file to write calls by stack to, "": none
}

// StackMode says what is shown of a call's stack.
type StackMode uint8

// The modes.
const (
	StackOff     StackMode = iota
	StackSymbols           // functions
	StackSource            // source lines, and functions that were inlined, too
)

var stackModes = map[string]StackMode{"": StackSymbols, "symbol": StackSymbols, "symbols": StackSymbols, "source": StackSource}

func (p *traceParser) stackShort(parsedOption) error {
	p.o.Stacks = min(p.o.Stacks+1, StackSource)
	return nil
}

func (p *traceParser) stackLong(opt parsedOption) error {
	mode, ok := stackModes[opt.arg]
	if !ok {
		return badArgument(opt, "one of symbol, source")
	}
	p.o.Stacks = mode
	return nil
}

func (p *traceParser) stackLimit(opt parsedOption) error {
	n, ok := parseUint(opt.arg, maxInt)
	if !ok || n == 0 {
		return badArgument(opt, "a number of frames")
	}
	p.o.FrameLimit = n
	return nil
}

// stackOptions are those of the tracer.
func (r *traceRun) stackOptions() farcall.StackOptions {
	o := r.opts
	s := farcall.StackOptions{Limit: min(o.FrameLimit, unwind.MaxLimit), Lines: o.Stacks == StackSource}
	if o.Stacks != StackOff && o.Summary != SummaryOnly || o.Profile != "" {
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
	return w.opts.Stacks != StackOff && w.opts.Signals.Has(ev.Signo)
}
