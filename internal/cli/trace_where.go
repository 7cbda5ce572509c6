package cli

import (
	"farcall"
	"farcall/filter"
	"farcall/internal/cmdline"
	"farcall/internal/message"

	"golang.org/x/sys/unix"
)

// conditions are the programs of a run, nil where there is no condition.
type conditions struct {
	where, count, stop *filter.Program
	reach              *filter.Reach // the calls that have to be seen for them
}

// newConditions checks the conditions against the calls that are traced, and compiles them.
func newConditions(o *cmdline.Options, describe *farcall.Options) (c conditions, err error) {
	shown := filter.Table{Calls: o.Calls, Describe: describe.Describe}
	any := filter.Table{Describe: describe.Describe}
	for _, x := range []struct {
		option string
		expr   *filter.Expr
		table  filter.Table
		into   **filter.Program
	}{
		{"--where", o.Where, shown, &c.where},
		{"--count-where", o.CountWhere, shown, &c.count},
		{"--stop-when", o.StopWhen, any, &c.stop},
	} {
		if x.expr == nil {
			continue
		}
		if *x.into, err = x.expr.Compile(x.table); err != nil {
			return c, cmdline.ConditionError(x.option, err)
		}
	}
	seen := o.Calls.Union(unnamedCalls())
	if o.Silent { // only what is injected is of interest
		seen = new(filter.CallSet)
	}
	c.reach = filter.ReachOf(seen)
	shown.Calls = seen
	if o.Where != nil {
		c.reach = o.Where.Reach(shown)
	}
	for _, in := range o.Injections { // done to calls of the trace, whether they are shown or not
		c.reach = c.reach.Union(filter.ReachOf(in.Calls.Intersect(o.Calls)))
	}
	if o.CountWhere != nil && o.Summary == cmdline.SummaryOnly {
		c.reach = c.reach.Intersect(o.CountWhere.Reach(shown))
	}
	if o.StopWhen != nil {
		c.reach = c.reach.Union(o.StopWhen.Reach(any))
	}
	return c, nil
}

// needs is what the conditions ask for.
func (c *conditions) needs() (n filter.Needs) {
	for _, p := range []*filter.Program{c.where, c.count, c.stop} {
		if p != nil {
			n |= p.Needs()
		}
	}
	return n
}

// narrow keeps calls from stopping the program that the conditions have no use for. It fails where they ask for what will not be there.
func (r *traceRun) narrow(t *farcall.Options) error {
	needs := r.needs()
	if needs&filter.NeedArgs != 0 {
		t.Undecoded = false
	}
	for _, one := range r.rules {
		needs |= one.Needs()
	}
	if needs&filter.NeedRegion != 0 && len(r.opts.Regions.In) == 0 && len(r.opts.Regions.Marks) == 0 {
		return &message.Error{
			Text:   "a condition asks for region or depth, and there are no regions",
			Remedy: "--in FUNCTION makes its calls a region; --marks takes what the program marks",
		}
	}
	t.Stacks.Watch = needs&filter.NeedStack != 0
	// The number of a thread's last call is shown with other lines too: all have to be seen (-n).
	if r.opts.SyscallNumber || r.reach.Calls.IsAll() {
		return nil
	}
	t.Calls = r.reach.Calls
	if r.where != nil || r.count != nil || r.stop != nil || len(r.rules) > 0 {
		t.When = r.reach.When
	}
	return nil
}

// late tells whether of some calls only their end will tell whether they are shown.
func (c *conditions) late() bool { return c.where != nil && c.where.Needs()&filter.NeedExit != 0 }

// verdicts are what the conditions say of a call.
type verdicts struct{ where, count, stop filter.Truth }

// entry asks the conditions about a call that begins; skip says that it is not to be shown whatever they say.
func (c *conditions) entry(t *farcall.Task, skip bool) (v verdicts) {
	v = verdicts{filter.True, filter.True, filter.False}
	if skip {
		v.where = filter.False
	} else if c.where != nil {
		v.where = c.where.Entry(t.Env())
	}
	switch {
	case c.count == nil:
	case v.where == filter.True:
		v.count = c.count.Entry(t.Env())
	default: // what is not shown is not counted: it is not even asked about
		v.count = filter.Unknown
	}
	if c.stop != nil {
		v.stop = c.stop.Entry(t.Env())
	}
	return v
}

// exit asks about what could not be decided at the entry.
func (c *conditions) exit(t *farcall.Task, v verdicts) (where, count, stop bool) {
	decide := func(p *filter.Program, truth filter.Truth) bool {
		if truth == filter.Unknown {
			return p.Exit(t.Env())
		}
		return truth == filter.True
	}
	where = decide(c.where, v.where)
	return where, where && decide(c.count, v.count), decide(c.stop, v.stop)
}

// stopAt ends the trace at a call, which is shown in any case: the programs go on without farcall, or are killed with
// --kill-on-exit.
func (w *watcher) stop() {
	w.stopped = true
	if !w.opts.KillOnExit {
		w.leaving = true
	}
	for _, t := range w.tasks {
		if w.opts.KillOnExit {
			_ = unix.Kill(t.PID, unix.SIGKILL) // ESRCH: it has ended
		} else {
			_ = t.Detach() // never filtered, see traceOptions
		}
	}
}
