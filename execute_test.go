package farcall_test

import (
	"context"
	"errors"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"farcall"
	"farcall/event"

	"golang.org/x/sys/unix"
)

// everywhere makes each call of each program be preceded by one of ours.
func everywhere(t *testing.T, tr *farcall.Tracer) *int {
	made := 0
	tr.Use(func(next farcall.Handler) farcall.Handler {
		return func(ctx context.Context, c *farcall.Call) error {
			nr, _ := c.ABI().Number("getpid")
			pid, err := c.Execute(nr, [6]uint64{})
			switch {
			case errors.Is(err, farcall.ErrGone), errors.Is(err, unix.ESRCH):
				return farcall.ErrGone
			case err != nil || int(pid) != c.PID:
				t.Errorf("getpid before %s: %d, %v; want %d", c.Name(), pid, err, c.PID)
			}
			made++
			return next(ctx, c)
		}
	})
	return &made
}

// A call of ours before every call of programs that fork, execute, take signals and end is noticed by nobody.
func TestExecuteBeforeEveryCall(t *testing.T) {
	script := `trap 'echo caught' USR1; kill -USR1 $$; (exit 3); echo $?; seq 1 1000 | sort -rn | head -1; exec /usr/bin/printf 'end\n'`
	want, err := exec.Command("sh", "-c", script).Output()
	if err != nil {
		t.Fatal(err)
	}
	for name, o := range mechanisms {
		t.Run(name, func(t *testing.T) {
			tr := farcall.New(o)
			made, shown := everywhere(t, tr), 0
			tr.Observe(func(_ *farcall.Task, ev *event.Event) {
				if ev.Kind == event.CallEntry {
					shown++
				}
			})
			cmd, output := command(t, "sh", "-c", script)
			if err := run(t, tr, cmd); err != nil || output() != string(want) {
				t.Errorf("%v, output %q, want %q", err, output(), want)
			}
			if *made != shown || *made < 100 {
				t.Errorf("%d calls of ours, %d shown", *made, shown)
			}
		})
	}
}

// Programs that are killed, stopped and continued meanwhile cause no error, and nothing hangs.
func TestExecuteInKilledPrograms(t *testing.T) {
	for _, sig := range []string{"KILL", "TERM", "STOP"} {
		t.Run(sig, func(t *testing.T) {
			tr := farcall.New(farcall.Options{Follow: true})
			made := everywhere(t, tr)
			script := `i=0; while [ $i -lt 25 ]; do (while :; do echo; done >/dev/null) & p=$!; kill -0 $p; (exit 0); kill -` + sig + ` $p; kill -CONT $p; kill -KILL $p; wait $p; i=$((i+1)); done 2>/dev/null; echo end`
			cmd, output := command(t, "sh", "-c", script)
			if err := run(t, tr, cmd); err != nil || !strings.HasSuffix(output(), "end\n") {
				t.Errorf("%v, output %q", err, output())
			}
			if *made < 500 {
				t.Errorf("%d calls of ours", *made)
			}
		})
	}
}

// A program's own filter applies to our calls too; what it refuses is an error of SetString, not of the program.
func TestExecuteUnderTheProgramsOwnFilter(t *testing.T) {
	tr := farcall.New(farcall.Options{Follow: true, Calls: calls(t, "openat,open")})
	var failed error
	tr.Use(func(next farcall.Handler) farcall.Handler {
		return func(ctx context.Context, c *farcall.Call) error {
			if v := c.Value("filename"); v != nil && string(v.Bytes) == "a" && failed == nil {
				failed = c.SetString("filename", "b")
			}
			return next(ctx, c)
		}
	})
	cmd, output := command(t, built(t, "ownfilter.c"))
	cmd.Dir = t.TempDir()
	write(t, filepath.Join(cmd.Dir, "a"), "its own\n")
	if err := run(t, tr, cmd); err != nil || output() != "its own\n" {
		t.Errorf("%v, output %q", err, output())
	}
	if !errors.Is(failed, farcall.ErrNoScratch) || !errors.Is(failed, unix.EPERM) {
		t.Errorf("SetString: %v, want EPERM and ErrNoScratch", failed)
	}
}

// A program that unmaps what it does not know gets new memory for the next argument.
func TestScratchMemoryIsUnmapped(t *testing.T) {
	tr := farcall.New(farcall.Options{Calls: calls(t, "openat,open,munmap")})
	var at uint64
	tr.Use(func(next farcall.Handler) farcall.Handler {
		return func(ctx context.Context, c *farcall.Call) error {
			if v := c.Value("filename"); v != nil && string(v.Bytes) == "a" {
				if err := c.SetString("filename", "b"); err != nil {
					return err
				}
				if at != 0 && c.Arg(1) == at {
					t.Errorf("the same memory at %#x", at)
				}
				if at = c.Arg(1); at == 0 {
					t.Error("no memory")
				}
				if err := next(ctx, c); err != nil {
					return err
				}
				return nil
			}
			if at != 0 { // before another open
				if ret, err := c.Execute(unmapNumber(c), [6]uint64{at &^ 0xfff, 0x1000}); ret != 0 || err != nil {
					t.Errorf("munmap: %d, %v", ret, err)
				}
			}
			return next(ctx, c)
		}
	})
	cmd, output := command(t, "sh", "-c", "read x < a; echo $x; read x < /dev/null; read x < a; echo $x")
	cmd.Dir = t.TempDir()
	write(t, filepath.Join(cmd.Dir, "b"), "other\n")
	if err := run(t, tr, cmd); err != nil || output() != "other\nother\n" {
		t.Errorf("%v, output %q", err, output())
	}
}

// unmapNumber is that of munmap.
func unmapNumber(c *farcall.Call) uint64 {
	nr, _ := c.ABI().Number("munmap")
	return nr
}

// Detaching while a call of ours is under way leaves the program whole.
func TestDetachDuringExecute(t *testing.T) {
	for range 20 {
		tr := farcall.New(farcall.Options{})
		everywhere(t, tr)
		n, pid := 0, 0
		tr.Observe(func(task *farcall.Task, _ *event.Event) {
			pid = task.PID
			if n++; n == 40 {
				go func() { _ = tr.Detach() }()
			}
		})
		cmd, output := command(t, "sh", "-c", "i=0; while [ $i -lt 200 ]; do i=$((i+1)); echo $i; done")
		if err := run(t, tr, cmd); err != nil {
			t.Fatal(err)
		}
		// It has been waited for where it ended before the detach.
		if ws, err := wait4(pid, 0); err != unix.ECHILD && (err != nil || ws.ExitStatus() != 0) {
			t.Errorf("wait4: %v, status %#x", err, ws)
		}
		if out := output(); strings.Count(out, "\n") != 200 {
			t.Errorf("%d lines", strings.Count(out, "\n"))
		}
	}
}

// waitFor waits for a child that is no tracee (any more).
func waitFor(t *testing.T, pid, options int) unix.WaitStatus {
	t.Helper()
	ws, err := wait4(pid, options)
	if err != nil {
		t.Fatalf("wait4: %v", err)
	}
	return ws
}

// wait4 is wait4(2), which signals do not interrupt.
func wait4(pid, options int) (ws unix.WaitStatus, err error) {
	for {
		if _, err = unix.Wait4(pid, &ws, options, nil); err != unix.EINTR {
			return ws, err
		}
	}
}
