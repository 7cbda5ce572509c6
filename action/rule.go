package action

import (
	"context"
	"fmt"

	"farcall"
	"farcall/filter"
	"farcall/syscalls"
)

// An Occurrence says which of the calls that a rule matches are meant: the First one, then each Step-th up to
// the Last. They count from 1, for each thread; Last 0 has no end, Step 0 means the first one alone. The zero value means all.
type Occurrence struct {
	First, Last, Step int
}

// Only is the nth occurrence alone.
func Only(n int) Occurrence { return Occurrence{First: n} }

// Has tells whether the nth call, counted from 1, is meant.
func (o Occurrence) Has(n int) bool {
	switch {
	case o == Occurrence{}:
		return true
	case n < o.First, o.Last != 0 && n > o.Last:
		return false
	case o.Step == 0:
		return n == o.First
	}
	return (n-o.First)%o.Step == 0
}

// A Rule says what is done to which calls.
type Rule struct {
	Name  string                   // for the trace
	Calls *filter.CallSet          // nil means all
	If    func(*farcall.Call) bool // nil means always; asked before the call, and only for those in Calls
	When  Occurrence
	// ByCall counts occurrences for each system call by itself, not for all in Calls together.
	ByCall  bool
	Actions []Action
	// Late has If asked when the kernel has answered, so that it can look at the result; of the actions, what comes before is not done.
	Late bool
	// DryRun only says in the event what would have been done.
	DryRun bool
}

// Check finds mistakes in a rule before it is used: fields that some of its calls lack.
func (r *Rule) Check() error {
	answers := ""
	for _, a := range r.Actions {
		if a.Answers && answers != "" {
			return fmt.Errorf("%q and %q in one rule: only one of them can be done", answers, a.Text)
		}
		if a.Answers {
			answers = a.Text
		}
	}
	return nil
}

// Apply makes a middleware that applies rules. All that match a call are applied, in order: what they do before the call, then the call, then what
// they do after it. The first action that answers the call decides; further ones that answer it are left out, and with
// them their rules' names.
func Apply(rules ...Rule) farcall.Middleware {
	return func(next farcall.Handler) farcall.Handler {
		t := &thread{rules: rules, next: next, counts: map[occurrence]int{}}
		return t.handle
	}
}

// An occurrence is what is counted.
type occurrence struct {
	rule   int
	abi    syscalls.ABI
	number uint64
}

// A thread is the state of rules in one thread: a middleware is made for each.
type thread struct {
	rules  []Rule
	next   farcall.Handler
	counts map[occurrence]int
	hits   []*Rule
}

func (t *thread) handle(ctx context.Context, c *farcall.Call) error {
	t.hits = t.hits[:0]
	late := false
	for i := range t.rules {
		switch r := &t.rules[i]; {
		case r.Late:
			late = late || r.Calls == nil || r.Calls.Has(c.ABI(), c.Number())
		case t.matches(i, c):
			t.hits = append(t.hits, r)
		}
	}
	if len(t.hits) == 0 && !late {
		return t.next(ctx, c)
	}
	answered := false
	for _, r := range t.hits {
		for i := range r.Actions {
			a := &r.Actions[i]
			if r.DryRun {
				c.Note(r.Name, "would "+a.Text)
				continue
			}
			if a.Answers && answered {
				continue
			}
			answered = answered || a.Answers
			c.Note(r.Name, a.Text)
			if a.Before == nil {
				continue
			}
			if err := a.Before(c); err != nil {
				return failed(r, a, err)
			}
		}
	}
	if err := t.next(ctx, c); err != nil {
		return err
	}
	if late {
		t.matchLate(c)
	}
	for _, r := range t.hits {
		for i := range r.Actions {
			if a := &r.Actions[i]; a.After != nil && !r.DryRun {
				if err := a.After(c); err != nil {
					return failed(r, a, err)
				}
			}
		}
	}
	return nil
}

// matchLate adds the rules that look at the result.
func (t *thread) matchLate(c *farcall.Call) {
	for i := range t.rules {
		r := &t.rules[i]
		if !r.Late || !t.matches(i, c) {
			continue
		}
		t.hits = append(t.hits, r)
		for k := range r.Actions {
			text := r.Actions[k].Text
			if r.DryRun {
				text = "would " + text
			}
			c.Note(r.Name, text)
		}
	}
}

func failed(r *Rule, a *Action, err error) error {
	switch {
	case gone(err):
		return farcall.ErrGone
	case r.Name == "":
		return fmt.Errorf("%s: %w", a.Text, err)
	}
	return fmt.Errorf("rule %s: %s: %w", r.Name, a.Text, err)
}

// matches tells whether rule i is applied to a call, and counts it.
func (t *thread) matches(i int, c *farcall.Call) bool {
	r := &t.rules[i]
	if r.Calls != nil && !r.Calls.Has(c.ABI(), c.Number()) || r.If != nil && !r.If(c) {
		return false
	}
	key := occurrence{rule: i}
	if r.ByCall {
		key.abi, key.number = c.ABI(), c.Number()
	}
	t.counts[key]++
	return r.When.Has(t.counts[key])
}
