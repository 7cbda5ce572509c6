package farcalltest

import (
	"fmt"
	"path/filepath"
	"strings"

	"farcall/syscalls"
)

// Find gives the calls that are in a set.
func (r *Result) Find(calls string) []Call {
	r.t.Helper()
	set := r.set(calls)
	var found []Call
	for _, c := range r.Calls {
		if set.Has(syscalls.ABI(c.abi), c.number) {
			found = append(found, c)
		}
	}
	return found
}

// Never says that none of the calls is made, not even one that fails.
func (r *Result) Never(calls string) *Result {
	r.t.Helper()
	if found := r.Find(calls); len(found) > 0 {
		r.t.Errorf("%s must never call %s, and does %s:\n%s", r.cmd, calls, times(len(found)), lines(found))
	}
	return r
}

// AtMost says that there are no more than n of the calls.
func (r *Result) AtMost(calls string, n int) *Result {
	r.t.Helper()
	if found := r.Find(calls); len(found) > n {
		r.t.Errorf("%s may call %s %s, and does %s; those too many:\n%s", r.cmd, calls, times(n), times(len(found)), lines(found[n:]))
	}
	return r
}

// AtLeast says that there are n or more of the calls.
func (r *Result) AtLeast(calls string, n int) *Result {
	r.t.Helper()
	if found := r.Find(calls); len(found) < n {
		r.t.Errorf("%s must call %s %s or more, and does %s:\n%s", r.cmd, calls, times(n), times(len(found)), lines(found))
	}
	return r
}

// OpensOnlyUnder says that the files that are opened, as the kernel has resolved their paths, are among those given or
// below them. Opens that fail do not count. System has what most programs need.
func (r *Result) OpensOnlyUnder(paths ...string) *Result {
	r.t.Helper()
	var allowed []string
	for _, p := range paths {
		abs, err := filepath.Abs(p)
		if err != nil {
			r.t.Fatalf("farcalltest: %v", err)
		}
		allowed = append(allowed, abs)
		if real, err := filepath.EvalSymlinks(abs); err == nil && real != abs {
			allowed = append(allowed, real)
		}
	}
	var bad []Call
	for _, c := range r.Calls {
		if c.Opened != "" && !under(c.Opened, allowed) {
			bad = append(bad, c)
		}
	}
	if len(bad) > 0 {
		r.t.Errorf("%s may open files under %s only; it opens others:\n%s", r.cmd, strings.Join(paths, ", "), lines(bad))
	}
	return r
}

func under(path string, dirs []string) bool {
	for _, d := range dirs {
		if rest, ok := strings.CutPrefix(path, strings.TrimSuffix(d, "/")); ok && (rest == "" || rest[0] == '/') {
			return true
		}
	}
	return false
}

// Succeeds says that the command's exit status is 0.
func (r *Result) Succeeds() *Result {
	r.t.Helper()
	if r.Err != nil {
		r.t.Errorf("%s must succeed: %v; it says:\n%s", r.cmd, r.Err, indent(r.Stderr))
	}
	return r
}

func times(n int) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}

// maxLines is how many lines of a trace one message shows.
const maxLines = 20

func lines(calls []Call) string {
	var b strings.Builder
	for i, c := range calls {
		if i == maxLines {
			fmt.Fprintf(&b, "    ... and %d more\n", len(calls)-i)
			break
		}
		fmt.Fprintf(&b, "    [pid %d] %s\n", c.TID, c.Line)
	}
	return strings.TrimSuffix(b.String(), "\n")
}

func indent(s string) string {
	return "    " + strings.ReplaceAll(strings.TrimSpace(s), "\n", "\n    ")
}
