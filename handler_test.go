package farcall_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"farcall"
	"farcall/action"
	"farcall/event"
	"farcall/filter"

	"golang.org/x/sys/unix"
)

func calls(t *testing.T, expr string) *filter.CallSet {
	t.Helper()
	set, err := filter.ParseCallSet(expr)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// command is a program whose output goes to a file that the test can read.
func command(t *testing.T, args ...string) (*exec.Cmd, func() string) {
	t.Helper()
	out, err := os.Create(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { out.Close() })
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Env = []string{"LC_ALL=C", "PATH=/usr/bin:/bin"}
	cmd.Stdout, cmd.Stderr = out, out
	return cmd, func() string {
		b, err := os.ReadFile(out.Name())
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
}

func TestHandlerFailsACall(t *testing.T) {
	for _, mode := range []farcall.SeccompMode{farcall.SeccompAuto, farcall.SeccompOff} {
		tr := farcall.New(farcall.Options{Follow: true, Calls: calls(t, "openat"), Seccomp: mode})
		refused := 0
		tr.Use(func(next farcall.Handler) farcall.Handler {
			return func(ctx context.Context, call *farcall.Call) error {
				if v := call.Value("filename"); v != nil && string(v.Bytes) == "/etc/passwd" {
					refused++
					return call.Fail(unix.EACCES)
				}
				return next(ctx, call)
			}
		})
		cmd, output := command(t, "cat", "/etc/passwd")
		err := tr.Run(context.Background(), cmd)
		var exit *farcall.ExitError
		if !errors.As(err, &exit) || exit.Code != 1 {
			t.Errorf("Run: %v, want exit status 1", err)
		}
		if got := output(); got != "cat: /etc/passwd: Permission denied\n" {
			t.Errorf("output %q", got)
		}
		if refused != 1 {
			t.Errorf("refused %d calls, want 1", refused)
		}
	}
}

func TestHandlerAnswersWithoutTheKernel(t *testing.T) {
	tr := farcall.New(farcall.Options{Calls: calls(t, "getcwd,chdir,uname")})
	tr.Use(func(next farcall.Handler) farcall.Handler {
		return func(ctx context.Context, call *farcall.Call) error {
			if call.Name() != "uname" {
				return next(ctx, call)
			}
			if err := next(ctx, call); err != nil {
				return err
			}
			// struct new_utsname: nodename is the second of the 65-byte fields.
			_, err := call.WriteMemory(call.Arg(0)+65, []byte("elsewhere\x00"))
			return err
		}
	})
	cmd, output := command(t, "uname", "-n")
	if err := tr.Run(context.Background(), cmd); err != nil {
		t.Fatal(err)
	}
	if got := output(); got != "elsewhere\n" {
		t.Errorf("output %q, want the changed name", got)
	}
}

func TestHandlerChangesArgumentsAndResult(t *testing.T) {
	tr := farcall.New(farcall.Options{Calls: calls(t, "write")})
	tr.Use(func(next farcall.Handler) farcall.Handler {
		return func(ctx context.Context, call *farcall.Call) error {
			if call.Arg(0) != 1 {
				return next(ctx, call)
			}
			n := call.Arg(2)
			call.SetArg(2, 2) // the kernel writes two bytes
			if err := next(ctx, call); err != nil {
				return err
			}
			if call.Result != 2 {
				t.Errorf("kernel's result %d, want 2", call.Result)
			}
			return call.Return(int64(n)) // the program is told that all were written
		}
	})
	cmd, output := command(t, "echo", "hello")
	if err := tr.Run(context.Background(), exec.Command("/bin/true")); err != nil {
		t.Fatal(err)
	}
	tr2 := farcall.New(farcall.Options{Calls: calls(t, "write")})
	tr2.Use(func(next farcall.Handler) farcall.Handler {
		return func(ctx context.Context, call *farcall.Call) error {
			n := call.Arg(2)
			call.SetArg(2, 2)
			if err := next(ctx, call); err != nil {
				return err
			}
			return call.Return(int64(n))
		}
	})
	if err := tr2.Run(context.Background(), cmd); err != nil {
		t.Fatal(err)
	}
	if got := output(); got != "he" {
		t.Errorf("output %q, want %q", got, "he")
	}
}

func TestMiddlewareOrderAndObservers(t *testing.T) {
	tr := farcall.New(farcall.Options{Calls: calls(t, "getcwd")})
	var log []string
	wrap := func(name string) farcall.Middleware {
		return func(next farcall.Handler) farcall.Handler {
			return func(ctx context.Context, call *farcall.Call) error {
				log = append(log, name+" before")
				err := next(ctx, call)
				log = append(log, name+" after")
				return err
			}
		}
	}
	tr.Use(wrap("outer"))
	tr.Use(wrap("inner"))
	tr.Observe(func(_ *farcall.Task, ev *event.Event) {
		if ev.Kind == event.CallEntry || ev.Kind == event.CallExit {
			log = append(log, ev.Kind.String())
		}
	})
	cmd, _ := command(t, "pwd")
	if err := tr.Run(context.Background(), cmd); err != nil {
		t.Fatal(err)
	}
	want := "outer before, inner before, entry, inner after, outer after, syscall"
	if got := strings.Join(log, ", "); got != want {
		t.Errorf("order %q, want %q", got, want)
	}
}

func TestSkippedCallGivesENOSYS(t *testing.T) {
	tr := farcall.New(farcall.Options{Calls: calls(t, "getcwd")})
	tr.Use(func(farcall.Handler) farcall.Handler {
		return func(context.Context, *farcall.Call) error { return nil }
	})
	var failed bool
	tr.Observe(func(_ *farcall.Task, ev *event.Event) {
		if ev.Kind == event.CallExit {
			failed = ev.Call.Failed && ev.Call.Ret == -int64(unix.ENOSYS)
		}
	})
	cmd, _ := command(t, "sh", "-c", "cd /; command pwd -P")
	cmd.Env = []string{"PWD=/nowhere"}
	_ = tr.Run(context.Background(), cmd) // what the program makes of it does not matter
	if !failed {
		t.Error("a call whose handler did nothing did not fail with ENOSYS")
	}
}

// TestDelayHoldsOneThreadOnly has one process held in a delay until another one has finished.
func TestDelayHoldsOneThreadOnly(t *testing.T) {
	tr := farcall.New(farcall.Options{Follow: true, Calls: calls(t, "write")})
	var order []string
	tr.Use(func(next farcall.Handler) farcall.Handler {
		return func(ctx context.Context, call *farcall.Call) error {
			v := call.Value("buf")
			if v == nil || call.Arg(0) != 1 {
				return next(ctx, call)
			}
			text := strings.TrimSpace(string(v.Bytes))
			for i := 0; text == "slow" && i < 1000 && len(order) == 0; i++ {
				call.Delay(10 * time.Millisecond)
			}
			order = append(order, text)
			return next(ctx, call)
		}
	})
	cmd, _ := command(t, "sh", "-c", "/bin/echo slow & /bin/echo fast & wait")
	if err := tr.Run(context.Background(), cmd); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(order, " "); got != "fast slow" {
		t.Errorf("order %q, want the delayed one last", got)
	}
}

func TestHandlerErrorEndsTheTrace(t *testing.T) {
	boom := errors.New("boom")
	for _, mode := range []farcall.SeccompMode{farcall.SeccompAuto, farcall.SeccompOff} {
		tr := farcall.New(farcall.Options{Calls: calls(t, "write"), Seccomp: mode})
		tr.Use(func(farcall.Handler) farcall.Handler {
			return func(context.Context, *farcall.Call) error { return boom }
		})
		cmd, _ := command(t, "sh", "-c", "echo a; echo b; echo c")
		if err := tr.Run(context.Background(), cmd); !errors.Is(err, boom) {
			t.Errorf("Run: %v, want the handler's error", err)
		}
	}
}

// TestHandlerOfAKilledThread lets a thread die while its handler waits for the kernel.
func TestHandlerOfAKilledThread(t *testing.T) {
	tr := farcall.New(farcall.Options{Calls: calls(t, "pause,kill,nanosleep,clock_nanosleep")})
	var gone atomic.Int32
	tr.Use(func(next farcall.Handler) farcall.Handler {
		return func(ctx context.Context, call *farcall.Call) error {
			if call.Name() == "clock_nanosleep" {
				if err := unix.Kill(call.PID, unix.SIGKILL); err != nil {
					t.Error(err)
				}
			}
			err := next(ctx, call)
			if errors.Is(err, farcall.ErrGone) {
				gone.Add(1)
			}
			return err
		}
	})
	cmd, _ := command(t, "sleep", "60")
	err := tr.Run(context.Background(), cmd)
	var exit *farcall.ExitError
	if !errors.As(err, &exit) || exit.Signal != unix.SIGKILL {
		t.Errorf("Run: %v, want killed by SIGKILL", err)
	}
	if gone.Load() != 1 {
		t.Errorf("handler saw ErrGone %d times, want once", gone.Load())
	}
}

func TestRunIsCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	tr := farcall.New(farcall.Options{})
	tr.Observe(func(_ *farcall.Task, ev *event.Event) {
		if ev.Kind == event.CallEntry && ev.Call.Desc.Name == "clock_nanosleep" {
			cancel()
		}
	})
	cmd, _ := command(t, "sleep", "60")
	err := tr.Run(ctx, cmd)
	if err == nil {
		t.Fatal("Run returned nil after it was cancelled")
	}
}

func TestStreamsMustBeFiles(t *testing.T) {
	cmd := exec.Command("/bin/true")
	cmd.Stdout = new(bytes.Buffer)
	err := farcall.New(farcall.Options{}).Run(context.Background(), cmd)
	if !errors.Is(err, farcall.ErrNotSupported) {
		t.Errorf("Run: %v, want ErrNotSupported", err)
	}
}

func TestUnknownCallIsShown(t *testing.T) {
	src := filepath.Join(t.TempDir(), "x.c")
	if err := os.WriteFile(src, []byte("#include <unistd.h>\n#include <sys/syscall.h>\nint main(void){syscall(5000,1,2,3,4,5,6);return 0;}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	bin := strings.TrimSuffix(src, ".c")
	if out, err := exec.Command("gcc", "-o", bin, src).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	var text bytes.Buffer
	enc := event.NewText(&text, event.TextOptions{Columns: 40})
	tr := farcall.New(farcall.Options{})
	tr.Observe(func(_ *farcall.Task, ev *event.Event) { _ = enc.Encode(ev) })
	cmd, _ := command(t, bin)
	if err := tr.Run(context.Background(), cmd); err != nil {
		t.Fatal(err)
	}
	if err := enc.Flush(); err != nil {
		t.Fatal(err)
	}
	want := "syscall_0x1388(0x1, 0x2, 0x3, 0x4, 0x5, 0x6) = -1 ENOSYS (Function not implemented)\n"
	if !strings.Contains(text.String(), want) {
		t.Errorf("no line %q in\n%s", want, text.String())
	}
}

// Handlers and rules cost no allocation for each call.
func TestHandlersDoNotAllocate(t *testing.T) {
	mallocs := func(loops string) float64 {
		program, done := tiny("-DLOOPS=" + loops)
		defer done()
		tr := farcall.New(farcall.Options{Calls: calls(t, "getpid")})
		tr.Use(action.Apply(action.Rule{Name: "a rule", When: action.Occurrence{First: 1, Step: 2}, Actions: []action.Action{action.Return(1)}}))
		tr.Use(func(next farcall.Handler) farcall.Handler { return next })
		tr.Observe(func(*farcall.Task, *event.Event) {})
		cmd, _ := command(t, program)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_ = tr.Run(t.Context(), cmd)
		runtime.ReadMemStats(&after)
		return float64(after.Mallocs - before.Mallocs)
	}
	mallocs("10")
	few, many := mallocs("10"), mallocs("10010")
	if per := (many - few) / 10000; per > 0.05 {
		t.Errorf("%.2f allocations for each call", per)
	}
}

func TestArgs(t *testing.T) {
	tr := farcall.New(farcall.Options{Calls: calls(t, "openat,clock_nanosleep")})
	checked := map[string]bool{}
	tr.Use(func(next farcall.Handler) farcall.Handler {
		return func(ctx context.Context, call *farcall.Call) error {
			a := call.Args()
			if name, ok := a.String("filename"); ok && name == "/etc/ld.so.cache" {
				fd, ok1 := a.Int("dfd")
				flags, ok2 := a.Uint("flags")
				addr, ok3 := a.Addr("filename")
				_, ok4 := a.Uint("nope")
				_, ok5 := a.Uint("flags.nope")
				_, ok6 := a.Addr("flags")
				if fd != unix.AT_FDCWD || flags != unix.O_RDONLY|unix.O_CLOEXEC || addr != call.Arg(1) || !ok1 || !ok2 || !ok3 || ok4 || ok5 || ok6 {
					t.Errorf("openat: %d %#x %#x %v %v %v %v %v %v", fd, flags, addr, ok1, ok2, ok3, ok4, ok5, ok6)
				}
				checked["openat"] = true
			}
			if call.Name() == "clock_nanosleep" {
				if nsec, ok := a.Int("rqtp.tv_nsec"); nsec != 1e6 || !ok {
					t.Errorf("rqtp.tv_nsec %d %v", nsec, ok)
				}
				checked["clock_nanosleep"] = true
			}
			return next(ctx, call)
		}
	})
	cmd, _ := command(t, "sleep", "0.001")
	if err := tr.Run(t.Context(), cmd); err != nil || len(checked) != 2 {
		t.Errorf("%v, checked %v", err, checked)
	}
}
