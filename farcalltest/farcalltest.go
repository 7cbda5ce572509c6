// Package farcalltest has assertions about the system calls of commands, for Go tests:
//
//	r := farcalltest.Run(t, exec.Command("./tool", "input"))
//	r.Never("fsync").AtMost("write", 3).OpensOnlyUnder(dir, farcalltest.System...)
//	r.FailsCleanlyWhen("write", unix.ENOSPC)
//
// Calls are named as in farcall's -e trace=: names, %classes, /regular expressions/, with commas in between. What a command starts counts
// too. It needs Linux; the test binary must be allowed to trace (see "farcall doctor").
package farcalltest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"farcall"
	"farcall/event"
	"farcall/filter"
)

// System are the files and directories that a dynamic program's start may open, for OpensOnlyUnder.
var System = []string{"/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/share/locale", "/etc/locale.alias", "/etc/ld.so.cache", "/etc/ld.so.preload", "/dev/null"}

// Timeout is how long one run of a command may take.
var Timeout = 30 * time.Second

// maxCalls bounds what is kept of one run.
const maxCalls = 1 << 20

// A Call is one call that a command has made.
type Call struct {
	TID    int
	Name   string
	Line   string // as farcall trace shows it
	Failed bool
	Opened string // the file that it opened, "" if it opened none

	abi    int
	number uint64
}

// A Result is what a command did in one run. The assertions give it back, so that they can be chained; one that does not hold
// is an error of the test, with the lines of the trace that show it.
type Result struct {
	Calls          []Call // in the order in which they ended
	Stdout, Stderr string
	Err            error // nil, *farcall.ExitError, or why it could not be run

	t   testing.TB
	cmd *exec.Cmd
	in  []byte // what it is given to read
}

// Run runs a command, which must not have been started, and keeps its calls. Stdin may be any reader; Stdout and Stderr are kept in the
// Result, and written to cmd's as well if they are set. That the command fails is no error; that it cannot be started or does not
// end in Timeout ends the test.
func Run(t testing.TB, cmd *exec.Cmd) *Result {
	t.Helper()
	r := &Result{t: t, cmd: cmd}
	if cmd.Stdin != nil {
		var err error
		if r.in, err = io.ReadAll(cmd.Stdin); err != nil {
			t.Fatalf("farcalltest: read the input of %s: %v", cmd, err)
		}
	}
	if err := r.run(nil); err != nil {
		t.Fatalf("farcalltest: %v", err)
	}
	return r
}

// errHangs is the error of a run that does not end.
var errHangs = errors.New("it does not end")

// run runs the command once, with middleware if m is not nil.
func (r *Result) run(m farcall.Middleware) error {
	dir, err := os.MkdirTemp("", "farcalltest-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	cmd := &exec.Cmd{Path: r.cmd.Path, Args: r.cmd.Args, Env: r.cmd.Env, Dir: r.cmd.Dir, Err: r.cmd.Err,
		ExtraFiles: r.cmd.ExtraFiles, SysProcAttr: r.cmd.SysProcAttr}
	var files [3]*os.File
	for i, name := range []string{"stdin", "stdout", "stderr"} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, r.in, 0o600); err != nil {
			return err
		}
		flags := os.O_RDWR | os.O_APPEND
		if i > 0 {
			flags |= os.O_TRUNC
		}
		if files[i], err = os.OpenFile(path, flags, 0); err != nil {
			return err
		}
		defer files[i].Close()
	}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = files[0], files[1], files[2]

	tracer := farcall.New(farcall.Options{Follow: true})
	if m != nil {
		tracer.Use(m)
	}
	rec := newRecorder(r)
	tracer.Observe(rec.observe)
	ctx, cancel := context.WithTimeout(context.Background(), Timeout)
	defer cancel()
	r.Err = tracer.Run(ctx, cmd)
	for i, to := range []*string{&r.Stdout, &r.Stderr} {
		b, err := os.ReadFile(files[i+1].Name())
		if err != nil {
			return err
		}
		*to = string(b)
		if w := []io.Writer{r.cmd.Stdout, r.cmd.Stderr}[i]; w != nil {
			_, _ = w.Write(b)
		}
	}
	var exit *farcall.ExitError
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("run %s: %w in %v", r.cmd, errHangs, Timeout)
	case rec.full:
		return fmt.Errorf("run %s: more than %d calls", r.cmd, maxCalls)
	case r.Err != nil && !errors.As(r.Err, &exit):
		return fmt.Errorf("run %s: %w", r.cmd, r.Err)
	}
	return nil
}

// A recorder is the observer of a run.
type recorder struct {
	r    *Result
	buf  bytes.Buffer
	text *event.Text
	full bool
}

func newRecorder(r *Result) *recorder {
	rec := &recorder{r: r}
	rec.text = event.NewText(&rec.buf, event.TextOptions{Columns: 40})
	r.Calls = r.Calls[:0]
	return rec
}

func (rec *recorder) observe(t *farcall.Task, ev *event.Event) {
	if ev.Kind != event.CallExit {
		return
	}
	if len(rec.r.Calls) == maxCalls {
		rec.full = true
		return
	}
	c := Call{TID: t.TID, Name: ev.Call.Desc.Name, Failed: ev.Call.Failed, abi: int(ev.ABI), number: ev.Call.Number}
	rec.buf.Reset()
	_ = rec.text.Encode(ev)
	_ = rec.text.Flush()
	c.Line = strings.TrimSuffix(rec.buf.String(), "\n")
	if !ev.Lost && !c.Failed && opens[c.Name] {
		c.Opened, _ = os.Readlink("/proc/" + strconv.Itoa(t.TID) + "/fd/" + strconv.FormatInt(ev.Call.Ret, 10))
	}
	rec.r.Calls = append(rec.r.Calls, c)
}

// opens are the calls that give a descriptor for a path.
var opens = map[string]bool{"open": true, "openat": true, "openat2": true, "creat": true}

// set reads a set of calls.
func (r *Result) set(expr string) *filter.CallSet {
	r.t.Helper()
	set, err := filter.ParseCallSet(expr)
	if err != nil {
		r.t.Fatalf("farcalltest: %v", err)
	}
	return set
}
