package cli

import (
	"strings"

	"farcall"
	"farcall/filter"
	"farcall/internal/cmdline"
	"farcall/internal/inject"
)

// refuse leaves injected errors that the trace does not show to the kernel: the calls then cost nothing. A filter is inherited, so that can be
// only where what the program starts is meant, too.
func (r *traceRun) refuse(t *farcall.Options) {
	o := r.opts
	if o.Status.Has(cmdline.StatusFailed) || o.Summary != cmdline.SummaryOff || len(o.Paths) > 0 || o.TraceFDs != nil || t.Calls == nil ||
		len(o.Attach) > 0 || !o.Follow {
		return
	}
	t.Refuse = inject.Refusals(o.Injections)
	seen := new(filter.CallSet)
	for i := range t.Refuse {
		t.Refuse[i].Calls = t.Refuse[i].Calls.Intersect(o.Calls) // others are left alone
		seen = seen.Union(t.Refuse[i].Calls)
	}
	t.Calls = t.Calls.Intersect(seen.Complement())
}

// debug says how the trace is going to work.
func (r *traceRun) debug() {
	if !r.opts.Debug || r.opts.AsStrace {
		return
	}
	if in := r.tracer.InKernel(); !in.IsEmpty() {
		r.out.say("debug: the seccomp filter alone refuses " + strings.ReplaceAll(in.String(), ",", ", "))
	}
}
