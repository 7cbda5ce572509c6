// Package inject does what strace's -e inject= and -e fault= ask for, by the rules of package action.
package inject

import (
	"fmt"
	"slices"
	"time"

	"farcall"
	"farcall/action"
	"farcall/filter"

	"golang.org/x/sys/unix"
)

// An Injection is one -e inject= or -e fault=: what is to happen to which calls.
type Injection struct {
	Text  string // the option's argument
	Calls *filter.CallSet
	When  action.Occurrence

	// At most one of Error and Retval is there.
	Error  *int    // the errno to fail with
	Retval *uint64 // the value to return
	// Replacement is a call without effect that the kernel executes in its place, by name; "":
	// none is executed.
	Replacement string

	Signal     int // delivered on entry, 0: none
	DelayEnter *time.Duration
	DelayExit  *time.Duration
	PokeEnter  []Poke
	PokeExit   []Poke
}

// A Poke overwrites memory that an argument points to.
type Poke struct {
	Arg  int // 1 to 7
	Data []byte
}

// A Trace is what an injection has to know of the trace.
type Trace struct {
	Shown func(*farcall.Call) bool // the call is in the trace; others are left alone, and not counted
	Warn  func(text string)
}

// Rules makes rules of injections. As in strace, the last injection for a call is the only one, and each call is counted by itself.
func Rules(list []Injection, tr Trace) []action.Rule {
	rules := make([]action.Rule, 0, len(list))
	later := new(filter.CallSet)
	for i := len(list) - 1; i >= 0; i-- {
		in := &list[i]
		calls := in.Calls.Intersect(later.Complement())
		later = later.Union(in.Calls)
		rules = append(rules, action.Rule{Name: in.Text, Calls: calls, If: tr.Shown, When: in.When, ByCall: true,
			Actions: in.actions(tr.Warn)})
	}
	return rules
}

// Refusals gives the injections that do nothing but make all calls of a set fail, for a trace that does not show failures: the kernel can do
// that alone.
func Refusals(list []Injection) []farcall.Refusal {
	var refuse []farcall.Refusal
	later := new(filter.CallSet)
	for i := len(list) - 1; i >= 0; i-- {
		in := &list[i]
		if every := (action.Occurrence{First: 1, Step: 1}); in.When == every && in.Error != nil && in.only() {
			refuse = append(refuse, farcall.Refusal{Calls: in.Calls.Intersect(later.Complement()), Errno: unix.Errno(*in.Error)})
		}
		later = later.Union(in.Calls)
	}
	return refuse
}

// only tells whether there is nothing beside an error.
func (in *Injection) only() bool {
	return in.Replacement == "" && in.Signal == 0 && in.DelayEnter == nil && in.DelayExit == nil && in.PokeEnter == nil && in.PokeExit == nil
}

// actions are in the order in which strace does them.
func (in *Injection) actions(warn func(string)) []action.Action {
	var list []action.Action
	for _, p := range slices.Backward(in.PokeEnter) {
		list = append(list, poke(p, false, warn))
	}
	if in.Error != nil || in.Retval != nil {
		list = append(list, in.answer())
	}
	if in.Signal != 0 {
		list = append(list, action.Signal(unix.Signal(in.Signal), nil, false))
	}
	if in.DelayEnter != nil {
		list = append(list, action.Delay(action.Fixed(*in.DelayEnter)))
	}
	for _, p := range slices.Backward(in.PokeExit) {
		list = append(list, poke(p, true, warn))
	}
	if in.DelayExit != nil {
		list = append(list, action.DelayAfter(action.Fixed(*in.DelayExit)))
	}
	return list
}

// poke writes where an argument points. That it cannot be done is said, and no more.
func poke(p Poke, after bool, warn func(string)) action.Action {
	do := func(c *farcall.Call) error {
		refused := func(why string) { warn(fmt.Sprintf("poke_tcb: Failed to tamper with process %d: %s", c.TID, why)) }
		args := len(c.Decoded().Desc.Args)
		switch {
		case p.Arg > args:
			refused(fmt.Sprintf("requested to tamper with argument #%d, but system call '%s' has only %d arguments", p.Arg, c.Name(), args))
		case p.Arg > 6:
			refused("couldn't poke")
		case c.Poke(c.Arg(p.Arg-1), p.Data) != nil:
			refused("couldn't poke")
		}
		return nil
	}
	text := fmt.Sprintf("poke @arg%d=%x", p.Arg, p.Data)
	if after {
		return action.Action{Text: text + " after", After: do}
	}
	return action.Action{Text: text, Before: do}
}

// answer gives the call its result; with a replacement, once the kernel has executed that.
func (in *Injection) answer() action.Action {
	var a action.Action
	if in.Error != nil {
		a = action.Fail(unix.Errno(*in.Error))
	} else {
		a = action.Return(int64(*in.Retval))
	}
	if in.Replacement == "" {
		return a
	}
	result := a.Before
	return action.Action{Text: a.Text + " by " + in.Replacement, Answers: true, After: result, Before: func(c *farcall.Call) error {
		nr, ok := c.ABI().Number(in.Replacement)
		if !ok {
			return nil // the result alone
		}
		var args [6]uint64
		for i := range args {
			args[i] = c.Arg(i)
		}
		c.Replace(action.Native(c.ABI(), nr), args)
		return nil
	}}
}
