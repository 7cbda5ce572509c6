package farcall

import (
	"errors"
	"time"

	"farcall/filter"
	"farcall/internal/linux"
	"farcall/internal/seccomp"
	"farcall/syscalls"
	descriptions "farcall/syscalls/linux"
)

// Describe is how calls are described to a tracer with these options: by [Options.Descriptions] where they have the call, by
// farcall's own otherwise; nil if there is no such call. It is what a [filter.Table] wants to know.
func (o *Options) Describe(abi syscalls.ABI, number uint64) *syscalls.Call {
	desc := descriptions.Describe(abi, number)
	if o.Descriptions != nil && desc != nil {
		if c := o.Descriptions.Calls[abi][desc.Name]; c != nil {
			return c
		}
	}
	return desc
}

// Env is what the conditions of package filter can ask about the task's present call. It is for observers of a CallEntry and of
// the CallExit that follows, and for handlers; it is valid until they return.
func (t *Task) Env() *filter.Env {
	e := &t.env
	if e.Call == nil || e.TID != t.TID {
		info := linux.NewFDInfo(0).Task(t.TID)
		*e = filter.Env{Call: &t.call, Memory: &t.mem, Comm: info.Comm, FDPath: info.Path, FDPeer: info.Peer, Region: t.Region, Stack: t.functions}
	}
	e.TID, e.PID, e.Duration = t.TID, t.PID, time.Duration(t.ev.Duration)
	return e
}

// wanted tells whether the registers of a call are such that it is to be intercepted.
func (tr *Tracer) wanted(abi syscalls.ABI, nr uint64, args *[6]uint64) bool {
	if tr.opts.When == nil {
		return true
	}
	cond := tr.opts.When(abi, nr)
	return cond == nil || cond.Holds(args)
}

// compileFilter makes the filter that stops the program at the calls of a set, at those alone whose registers are such that
// they are wanted, unless that makes it too long for the kernel.
func (tr *Tracer) compileFilter(calls *filter.CallSet) (*seccomp.Program, error) {
	compile := func(when func(syscalls.ABI, uint64) *filter.Cond) (*seccomp.Program, error) {
		spec := filterSpec(calls, when)
		tr.refuse(&spec)
		return seccomp.Compile(spec)
	}
	prog, err := compile(tr.opts.When)
	if errors.Is(err, seccomp.ErrTooLong) {
		return compile(nil)
	}
	return prog, err
}
