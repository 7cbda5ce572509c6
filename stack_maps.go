package farcall

import (
	"slices"

	"farcall/internal/engine"
	"farcall/internal/seccomp"
)

// watchesMaps tells whether the tracer has to know when programs map code.
func (tr *Tracer) watchesMaps() bool { return tr.opts.Stacks.Watch || tr.opts.Stacks.Attach != nil }

// mapped is told that a thread's process has mapped code.
func (tr *Tracer) mapped(th *engine.Thread) {
	if tr.stacks == nil {
		return
	}
	if space := tr.stacks.spaces[th.PID()]; space != nil {
		space.Stale()
	}
}

// watchMaps has a filter stop at calls that map code, behind what it does for those calls otherwise. Few of the calls
// of a program do.
func (tr *Tracer) watchMaps(spec *seccomp.Spec) {
	if !tr.watchesMaps() {
		return
	}
	for abi, calls := range spec.Calls {
		for _, m := range engine.MapCalls(abi) {
			i := slices.IndexFunc(calls.Rules, func(r seccomp.Rule) bool { return int64(r.Number) == m.Number && r.If == nil })
			if i < 0 || calls.Rules[i].Action == seccomp.Trace(filterData) {
				continue // it stops at all of them
			}
			rule := seccomp.Rule{Number: uint32(m.Number), Action: seccomp.Trace(filterData)}
			if m.Prot >= 0 {
				rule.When = []seccomp.Condition{seccomp.AnyBit(m.Prot, engine.ProtExec)}
			}
			calls.Rules = slices.Insert(calls.Rules, i, rule)
		}
		spec.Calls[abi] = calls
	}
}
