// Package rule reads rules, which say what is done to which system calls:
//
//	CALLS [if CONDITION] then ACTION[, ACTION...]
//
//	openat if args.filename glob "/etc/*" and args.flags has O_CREAT then fail EROFS
//	read|pread64 if fd.path == "/data" then short 7
//	%net then delay 20ms, log
//
// CALLS are as package filter reads them (filter.ParseCalls), conditions too (filter.ParsePrefix), and actions as package action does
// (action.Parse). [Parse] reads one, [ParseFile] a file of them; [Middleware] applies them to a trace.
package rule

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"farcall"
	"farcall/action"
	"farcall/filter"
)

// A Rule is one rule, checked against the descriptions of the calls.
type Rule struct {
	Text    string
	Calls   *filter.CallSet
	If      *filter.Expr // nil: always
	Actions []action.Action

	table filter.Table
}

// An Env is what rules are read for.
type Env struct {
	Describe *farcall.Options    // describes the calls; nil: farcall's own descriptions
	Stopped  func(pid int)       // is told of a process that the action stop has stopped
	Logged   func(*farcall.Call) // is told of a call for the action log
}

// Parse reads a rule. Errors are *filter.ExprError, about the whole rule.
func Parse(text string, env Env) (*Rule, error) {
	r := &Rule{Text: strings.TrimSpace(text)}
	calls, at, err := filter.ParseCalls(text, 0)
	if err != nil {
		return nil, err
	}
	r.Calls = calls
	r.table = filter.Table{Calls: calls}
	if env.Describe != nil {
		r.table.Describe = env.Describe.Describe
	}
	if rest, ok := keyword(text, at, "if"); ok {
		if r.If, at, err = filter.ParsePrefix(text, rest); err == nil {
			err = r.If.Check(r.table)
		}
		if err != nil {
			return nil, err
		}
	}
	rest, ok := keyword(text, at, "then")
	if !ok {
		return nil, &filter.ExprError{Text: text, Offset: skipSpace(text, at), Message: "'then' and what to do is expected",
			Hint: "CALLS [if CONDITION] then ACTION, as in: openat then fail ENOENT"}
	}
	r.Actions, err = action.Parse(text[rest:], action.Env{Calls: calls, Stopped: env.Stopped, Logged: env.Logged})
	if err != nil {
		var pe *action.ParseError
		if errors.As(err, &pe) {
			return nil, &filter.ExprError{Text: text, Offset: min(rest+pe.Column, len(text)), Message: pe.Message}
		}
		return nil, &filter.ExprError{Text: text, Offset: rest, Message: err.Error()}
	}
	if r.late() {
		for _, a := range r.Actions {
			if a.Before != nil {
				return nil, &filter.ExprError{Text: text, Offset: skipSpace(text, rest), Message: "'" + a.Text + "' is done before the call, but the condition asks for what only its end tells",
					Hint: "then it can be given another result: result, delay TIME after, signal NAME after"}
			}
		}
	}
	return r, nil
}

// keyword finds a word at an offset, and gives the one behind it.
func keyword(text string, at int, word string) (rest int, ok bool) {
	at = skipSpace(text, at)
	end := at + len(word)
	if !strings.HasPrefix(text[at:], word) || end < len(text) && !strings.ContainsRune(" \t\r\n(", rune(text[end])) {
		return at, false
	}
	return end, true
}

func skipSpace(text string, at int) int {
	for at < len(text) && strings.IndexByte(" \t\r\n", text[at]) >= 0 {
		at++
	}
	return at
}

// late tells whether the rule can be decided only when the kernel has answered.
func (r *Rule) late() bool { return r.If != nil && r.If.Needs(r.table)&filter.NeedExit != 0 }

// Stops tells whether the rule has the tracer let go of a process, which it can only without a seccomp filter (farcall.SeccompOff).
func (r *Rule) Stops() bool {
	return slices.ContainsFunc(r.Actions, func(a action.Action) bool { return a.Text == "stop" })
}

// Needs is what the rule's condition asks for.
func (r *Rule) Needs() filter.Needs {
	if r.If == nil {
		return 0
	}
	return r.If.Needs(r.table)
}

// Reach is the calls that have to be seen for the rule, and what the kernel can decide of its condition.
func (r *Rule) Reach() *filter.Reach {
	if r.If == nil {
		return filter.ReachOf(r.Calls)
	}
	return r.If.Reach(r.table)
}

// A FileError is a mistake in a file of rules.
type FileError struct {
	Name string
	Line int // from 1
	Err  error
}

func (e *FileError) Error() string { return fmt.Sprintf("%s:%d: %v", e.Name, e.Line, e.Err) }

// Unwrap gives the mistake.
func (e *FileError) Unwrap() error { return e.Err }

// ParseFile reads a file of rules: one a line; empty lines, and what follows a # at the beginning of a line, are comments. name is for
// messages. Errors are *FileError.
func ParseFile(name, text string, env Env) ([]*Rule, error) {
	var rules []*Rule
	n := 0
	for line := range strings.Lines(text) {
		n++
		line = strings.TrimRight(line, "\r\n")
		if s := strings.TrimSpace(line); s == "" || s[0] == '#' {
			continue
		}
		r, err := Parse(line, env)
		if err != nil {
			return nil, &FileError{name, n, err}
		}
		rules = append(rules, r)
	}
	return rules, nil
}

// Options say how rules are applied.
type Options struct {
	DryRun bool // events say what would have been done, and nothing is
	// Name names rule number i, from 0, in events; nil: by its text.
	Name func(i int, r *Rule) string
}

// Compile makes rules as package action applies them. All that match a call are applied, in order; of several actions that answer the call, or
// have another one executed, the first is done. A condition's count counts the matches in all threads together. The execve by which the
// tracer starts its program is left alone.
func Compile(rules []*Rule, o Options) ([]action.Rule, error) {
	out := make([]action.Rule, 0, len(rules))
	for i, r := range rules {
		a := action.Rule{Name: r.Text, Calls: r.Calls, Actions: r.Actions, DryRun: o.DryRun, Late: r.late()}
		if o.Name != nil {
			a.Name = o.Name(i, r)
		}
		a.If = func(c *farcall.Call) bool { return !c.First() }
		if r.If != nil {
			p, err := r.If.Compile(r.table)
			if err != nil {
				return nil, err
			}
			a.If = func(c *farcall.Call) bool {
				if c.First() {
					return false
				}
				env := c.Env()
				switch p.Entry(env) {
				case filter.True:
					return true
				case filter.Unknown:
					return p.Exit(env)
				}
				return false
			}
		}
		out = append(out, a)
	}
	return out, nil
}

// Middleware applies rules: Compile and action.Apply in one.
func Middleware(rules []*Rule, o Options) (farcall.Middleware, error) {
	list, err := Compile(rules, o)
	if err != nil {
		return nil, err
	}
	return action.Apply(list...), nil
}
