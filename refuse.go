package farcall

import (
	"context"

	"farcall/filter"
	"farcall/internal/seccomp"
	"farcall/syscalls"

	"golang.org/x/sys/unix"
)

// A Refusal makes calls fail without being executed, whatever their arguments.
type Refusal struct {
	Calls *filter.CallSet
	Errno unix.Errno // 1 to 4095
}

// ownCalls are made by the launcher between the installation of the filter and the program's start.
var ownCalls = []string{"execve", "execveat", "setgroups", "setresgid", "setresuid", "exit"}

// InKernel gives the calls that Options.Refuse has the seccomp filter of started programs refuse: they cost nothing, are seen
// by nobody, and do not stop the program. The others are refused by stopping at them: those in Options.Calls, as they are to
// be seen; a few that the start of the program needs; and all, where there is no filter.
func (tr *Tracer) InKernel() *filter.CallSet {
	in := new(filter.CallSet)
	if !tr.Filtering() {
		return in
	}
	for _, r := range tr.opts.Refuse {
		in = in.Union(r.Calls)
	}
	own := new(filter.CallSet)
	for _, name := range ownCalls {
		own.AddName(name)
	}
	return in.Intersect(tr.opts.Calls.Union(own).Complement())
}

// refusal finds what refuses a call: the first Refusal with it.
func (tr *Tracer) refusal(abi syscalls.ABI, nr uint64) (unix.Errno, bool) {
	for _, r := range tr.opts.Refuse {
		if r.Calls.Has(abi, nr) {
			return r.Errno, true
		}
	}
	return 0, false
}

// refuse adds the refusals to a filter.
func (tr *Tracer) refuse(spec *seccomp.Spec) {
	in := tr.InKernel()
	for abi, calls := range spec.Calls {
		for i := range calls.Rules {
			r := &calls.Rules[i]
			if nr := uint64(r.Number); in.Has(abi, nr) {
				errno, _ := tr.refusal(abi, nr)
				r.Action = seccomp.Errno(errno)
			}
		}
	}
}

// refusing is the middleware that refuses the other calls.
func (tr *Tracer) refusing(next Handler) Handler {
	return func(ctx context.Context, c *Call) error {
		if errno, ok := tr.refusal(c.ABI(), c.Number()); ok && !c.First() {
			return c.Fail(errno)
		}
		return next(ctx, c)
	}
}

// stopsAt are the calls to stop at: those of Options.Calls, and those to refuse that the kernel is not left alone with.
func (tr *Tracer) stopsAt() *filter.CallSet {
	calls := tr.opts.Calls
	if calls == nil || len(tr.opts.Refuse) == 0 {
		return calls
	}
	for _, r := range tr.opts.Refuse {
		calls = calls.Union(r.Calls)
	}
	if tr.launching {
		calls = calls.Intersect(tr.InKernel().Complement())
	}
	return calls
}
