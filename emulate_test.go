package farcall_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"farcall"

	"golang.org/x/sys/unix"
)

// A tinyKernel answers the few calls that a small static program makes. Memory and the end of the process remain
// the real kernel's.
type tinyKernel struct {
	out   strings.Builder
	calls int
}

func (k *tinyKernel) handle(next farcall.Handler) farcall.Handler {
	return func(ctx context.Context, c *farcall.Call) error {
		k.calls++
		switch c.Name() {
		case "write":
			b := make([]byte, min(c.Arg(2), 1<<16))
			n, err := c.ReadMemory(c.Arg(1), b)
			if n == 0 && err != nil {
				return c.Fail(unix.EFAULT)
			}
			k.out.Write(b[:n])
			return c.Return(int64(n))
		case "getpid":
			return c.Return(1)
		case "brk", "mmap", "exit", "exit_group", "execve":
			return next(ctx, c)
		}
		return c.Skip()
	}
}

// tiny builds the program, and gives a function that removes it.
func tiny(flags ...string) (string, func()) {
	dir, err := os.MkdirTemp("", "tiny-*")
	if err != nil {
		panic(err)
	}
	out := filepath.Join(dir, "tiny")
	if b, err := exec.Command("gcc", append(flags, "-O1", "-static", "-nostdlib", "-fno-stack-protector", "-o", out, "testdata/actions/tiny.c")...).CombinedOutput(); err != nil {
		panic(string(b))
	}
	return out, func() { os.RemoveAll(dir) }
}

// A user-space kernel: the program believes to be process 1, and what it writes ends in a string.
func ExampleOptions_emulate() {
	kernel := new(tinyKernel)
	tracer := farcall.New(farcall.Options{Emulate: true})
	tracer.Use(kernel.handle)
	program, done := tiny()
	defer done()
	err := tracer.Run(context.Background(), exec.Command(program))
	fmt.Print(kernel.out.String())
	fmt.Println(err)
	// Output:
	// process 1
	// memory 42
	// unknown 38
	// exit status 7
}

// The same program under the same handler, with two stops for each call and with one.
func TestEmulationIsTheSame(t *testing.T) {
	program := built(t, "tiny.c", "-static", "-nostdlib", "-fno-stack-protector")
	var outs [2]string
	for i, emulate := range []bool{false, true} {
		kernel := new(tinyKernel)
		tr := farcall.New(farcall.Options{Emulate: emulate})
		tr.Use(kernel.handle)
		cmd, output := command(t, program)
		var exit *farcall.ExitError
		if err := run(t, tr, cmd); !errors.As(err, &exit) || exit.Code != 7 {
			t.Errorf("emulate %v: %v, want exit status 7", emulate, err)
		}
		if output() != "" {
			t.Errorf("emulate %v: the real kernel got %q", emulate, output())
		}
		outs[i] = fmt.Sprint(kernel.calls, kernel.out.String())
	}
	if outs[0] != outs[1] {
		t.Errorf("with two stops %q, with one %q", outs[0], outs[1])
	}
}

// Any program runs under Emulate if its calls are passed on: threads, signals, children.
func TestEmulationPassesCallsOn(t *testing.T) {
	script := `trap 'echo caught' USR1; kill -USR1 $$; (exit 3); echo $?; seq 1 1000 | sort -rn | head -1`
	tr := farcall.New(farcall.Options{Emulate: true, Follow: true})
	answered := 0
	tr.Use(func(next farcall.Handler) farcall.Handler {
		return func(ctx context.Context, c *farcall.Call) error {
			if c.Name() == "getppid" {
				answered++
				return c.Return(4711)
			}
			return next(ctx, c)
		}
	})
	cmd, output := command(t, "sh", "-c", script+"; echo $PPID")
	if err := run(t, tr, cmd); err != nil || output() != "caught\n3\n1000\n4711\n" || answered == 0 {
		t.Errorf("%v, output %q", err, output())
	}
}

func BenchmarkEmulation(b *testing.B) {
	program, done := tiny("-DLOOPS=20000")
	defer done()
	for _, o := range []farcall.Options{{}, {Emulate: true}, {KeepProcessors: true}, {KeepProcessors: true, Emulate: true}} {
		b.Run(fmt.Sprintf("emulate=%v,share=%v", o.Emulate, !o.KeepProcessors), func(b *testing.B) {
			o.Undecoded = true
			calls := 0
			for b.Loop() {
				kernel := new(tinyKernel)
				tr := farcall.New(o)
				tr.Use(kernel.handle)
				_ = tr.Run(context.Background(), exec.Command(program))
				calls += kernel.calls
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(calls), "ns/call")
		})
	}
}
