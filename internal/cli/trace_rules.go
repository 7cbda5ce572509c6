package cli

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"slices"
	"strconv"

	"farcall"
	"farcall/action"
	"farcall/filter"
	"farcall/internal/cmdline"
	"farcall/internal/inject"
	"farcall/internal/message"
	"farcall/rule"
)

// readRules reads all rules of a run.
func (r *traceRun) readRules(describe *farcall.Options) error {
	env := rule.Env{
		Describe: describe,
		Stopped: func(pid int) {
			r.out.say("Process " + strconv.Itoa(pid) + " stopped: attach a debugger to it, or let it go on with kill -CONT " + strconv.Itoa(pid))
		},
		Logged: func(c *farcall.Call) { r.out.say(c.Name() + " of process " + strconv.Itoa(c.PID)) },
	}
	for _, s := range r.opts.Rules {
		if !s.File {
			one, err := rule.Parse(s.Text, env)
			if err != nil {
				return cmdline.ConditionError("--rule", err)
			}
			r.rules = append(r.rules, one)
			continue
		}
		text, err := os.ReadFile(s.Text)
		if err != nil {
			var pe *fs.PathError
			if errors.As(err, &pe) {
				err = pe.Err
			}
			return message.Fail("--rules: cannot read '%s': %s", s.Text, reason(err))
		}
		more, err := rule.ParseFile(s.Text, string(text), env)
		var fe *rule.FileError
		if errors.As(err, &fe) {
			return cmdline.ConditionError(fe.Name+":"+strconv.Itoa(fe.Line), fe.Err)
		}
		r.rules = append(r.rules, more...)
	}
	return nil
}

// addRules has the calls seen that the rules are for.
func (r *traceRun) addRules(t *farcall.Options) {
	if len(r.rules) == 0 {
		return
	}
	t.Undecoded = false
	if slices.ContainsFunc(r.rules, (*rule.Rule).Stops) {
		t.Seccomp = farcall.SeccompOff
	}
	for _, one := range r.rules {
		if !r.inKernel(one) {
			r.reach = r.reach.Union(one.Reach())
		}
	}
}

// inKernel tells whether the seccomp filter serves a rule alone: one that only lets calls fail, whatever their arguments, which the trace does not
// show, and for which there is no other rule. What the program starts inherits the filter and has to be meant, too (-f).
func (r *traceRun) inKernel(one *rule.Rule) bool {
	o := r.opts
	if one.If != nil || len(one.Actions) != 1 || one.Actions[0].Errno == 0 || o.DryRun || len(o.Attach) > 0 || !o.Follow || len(o.Regions.In) > 0 ||
		o.Seccomp == cmdline.SeccompOff || startsPrograms(one.Calls) || !o.Silent && !one.Calls.Intersect(o.Calls).IsEmpty() {
		return false
	}
	for _, other := range r.rules {
		if other.Stops() || other != one && !other.Calls.Intersect(one.Calls).IsEmpty() {
			return false
		}
	}
	for _, in := range o.Injections {
		if !in.Calls.Intersect(one.Calls).IsEmpty() {
			return false
		}
	}
	return true
}

// startsPrograms tells whether a set has calls of which farcall itself makes the first: its filter is no use for them.
func startsPrograms(s *filter.CallSet) bool {
	own := new(filter.CallSet)
	own.AddName("execve")
	own.AddName("execveat")
	return !s.Intersect(own).IsEmpty()
}

// useRules applies rules and injections: rules first, in the order given.
func (r *traceRun) useRules() error {
	var rest []*rule.Rule
	for _, one := range r.rules {
		if !r.inKernel(one) {
			rest = append(rest, one)
		}
	}
	list, err := rule.Compile(rest, rule.Options{DryRun: r.opts.DryRun})
	if err != nil {
		return err
	}
	list = append(list, inject.Rules(r.opts.Injections, inject.Trace{Shown: r.watch.shows, Warn: r.out.say})...)
	if len(list) > 0 {
		r.tracer.Use(action.Apply(list...))
	}
	return nil
}

// kernelRules leaves those rules to the kernel that it can serve alone.
func (r *traceRun) kernelRules(t *farcall.Options) {
	for _, one := range r.rules {
		if r.inKernel(one) {
			t.Refuse = append(t.Refuse, farcall.Refusal{Calls: one.Calls, Errno: one.Actions[0].Errno})
			if t.Calls == nil {
				t.Calls = filter.AllCalls()
			}
			t.Calls = t.Calls.Intersect(one.Calls.Complement())
		}
	}
}

// explain is --explain.
func (r *traceRun) explain(w io.Writer) error {
	if len(r.rules) == 0 {
		return message.Misuse("--explain needs --rule or --rules")
	}
	return rule.Explain(w, r.rules, r.inKernel)
}
