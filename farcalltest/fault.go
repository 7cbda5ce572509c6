package farcalltest

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"

	"farcall"
	"farcall/syscalls"

	"golang.org/x/sys/unix"
)

// FailsCleanlyWhen runs the command again for each of the calls that it has made, and makes that one fail with errno: the first in the first run,
// the second in the second, and so on, counted over all its threads. Each time it has to fail cleanly: to end in Timeout, with an exit
// status other than 0, not by a signal.
//
// A program that can do without what has failed does not have to fail: SurvivesWhen is for that. which, if given, chooses among the
// calls; it is asked before the call is made.
func (r *Result) FailsCleanlyWhen(calls string, errno unix.Errno, which ...func(*farcall.Call) bool) *Result {
	r.t.Helper()
	r.again(calls, errno, which, func(err error) string {
		if err == nil {
			return "it goes on as if nothing had happened, with exit status 0"
		}
		return ""
	})
	return r
}

// SurvivesWhen is FailsCleanlyWhen for programs that may succeed all the same.
func (r *Result) SurvivesWhen(calls string, errno unix.Errno, which ...func(*farcall.Call) bool) *Result {
	r.t.Helper()
	r.again(calls, errno, which, func(error) string { return "" })
	return r
}

// again runs the command with one fault at a time, until a run in which there was nothing left to fail.
func (r *Result) again(calls string, errno unix.Errno, which []func(*farcall.Call) bool, judge func(error) string) {
	r.t.Helper()
	set := r.set(calls)
	wanted := func(c *farcall.Call) bool {
		if !set.Has(c.ABI(), c.Number()) || c.First() {
			return false
		}
		for _, w := range which {
			if !w(c) {
				return false
			}
		}
		return true
	}
	most := len(r.Find(calls))
	for n := 1; n <= most; n++ {
		f := fault{n: n, errno: errno, wanted: wanted}
		run := &Result{t: r.t, cmd: silent(r.cmd), in: r.in}
		err := run.run(f.middleware)
		if !f.done {
			if n == 1 && err == nil {
				r.t.Errorf("%s makes no call %s that could fail", r.cmd, calls)
			}
			return
		}
		why := ""
		var exit *farcall.ExitError
		switch {
		case errors.Is(err, errHangs):
			why = fmt.Sprintf("it does not end in %v", Timeout)
		case err != nil:
			r.t.Fatalf("farcalltest: %v", err)
		case errors.As(run.Err, &exit) && exit.Signal != 0:
			why = "it is " + exit.Error()
		default:
			why = judge(run.Err)
		}
		if why != "" {
			r.t.Errorf("%s must fail cleanly when %s number %d fails with %s, but %s:\n%s%s", r.cmd, calls, n,
				syscalls.ErrnoName(int(errno)), why, run.around(), said(run))
		}
	}
}

// A fault makes the nth call fail.
type fault struct {
	n, seen int
	errno   unix.Errno
	wanted  func(*farcall.Call) bool
	done    bool
}

func (f *fault) middleware(next farcall.Handler) farcall.Handler {
	return func(ctx context.Context, c *farcall.Call) error {
		if f.wanted(c) {
			if f.seen++; f.seen == f.n {
				f.done = true
				return c.Fail(f.errno)
			}
		}
		return next(ctx, c)
	}
}

// around shows the call that failed and what came after it.
func (r *Result) around() string {
	const after = 8
	for i, c := range r.Calls {
		if strings.HasSuffix(c.Line, "(INJECTED)") {
			return lines(r.Calls[i:min(len(r.Calls), i+after)])
		}
	}
	return "    (the call has not ended)"
}

func said(r *Result) string {
	if r.Stderr == "" {
		return ""
	}
	return "\n  on standard error:\n" + indent(r.Stderr)
}

// silent is a command without the writers that the first run has written to.
func silent(cmd *exec.Cmd) *exec.Cmd {
	c := *cmd
	c.Stdout, c.Stderr = nil, nil
	return &c
}
