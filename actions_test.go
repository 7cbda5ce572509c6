package farcall_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"farcall"
	"farcall/action"
	"farcall/event"

	"golang.org/x/sys/unix"
)

// built compiles testdata/actions/NAME, once for each set of flags, to a program in a directory of the test.
func built(t *testing.T, name string, flags ...string) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), "program")
	src, err := filepath.Abs(filepath.Join("testdata/actions", name))
	if err != nil {
		t.Fatal(err)
	}
	argv := append([]string{"gcc", "-O1", "-w", "-pthread", "-o", out, src}, flags...)
	if strings.HasSuffix(name, ".go") {
		argv = []string{"go", "build", "-o", out, src}
	}
	if b, err := exec.Command(argv[0], argv[1:]...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", argv, err, b)
	}
	return out
}

// mechanisms are the ways in which calls can be changed and stopped at.
var mechanisms = map[string]farcall.Options{
	"set-syscall-info":            {Follow: true},
	"registers":                   {Follow: true, Registers: true},
	"set-syscall-info unfiltered": {Follow: true, Seccomp: farcall.SeccompOff},
	"registers unfiltered":        {Follow: true, Registers: true, Seccomp: farcall.SeccompOff},
}

func each(t *testing.T, set string, f func(t *testing.T, tr *farcall.Tracer)) {
	t.Helper()
	for name, o := range mechanisms {
		t.Run(name, func(t *testing.T) {
			o.Calls = calls(t, set)
			f(t, farcall.New(o))
		})
	}
}

// redirect is a rule for every open of one path, which gets another.
func redirect(from, to string) action.Rule {
	return action.Rule{Name: "redirect", If: func(c *farcall.Call) bool {
		v := c.Value("filename")
		return v != nil && string(v.Bytes) == from
	}, Actions: []action.Action{action.SetString("filename", to)}}
}

func run(t *testing.T, tr *farcall.Tracer, cmd *exec.Cmd) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	err := tr.Run(ctx, cmd)
	if ctx.Err() != nil {
		t.Fatalf("%s hangs", cmd)
	}
	return err
}

func TestRedirectToALongerPath(t *testing.T) {
	each(t, "openat", func(t *testing.T, tr *farcall.Tracer) {
		dir := t.TempDir()
		long := filepath.Join(dir, strings.Repeat("./", 1500), "b")
		write(t, filepath.Join(dir, "b"), "the other\n")
		tr.Use(action.Apply(redirect("/a", long)))
		var seen []string
		tr.Observe(func(_ *farcall.Task, ev *event.Event) {
			if ev.Kind == event.CallExit {
				seen = append(seen, ev.Call.Desc.Name)
			}
		})
		cmd, output := command(t, "cat", "/a")
		if err := run(t, tr, cmd); err != nil || output() != "the other\n" {
			t.Errorf("%v, output %q", err, output())
		}
		for _, name := range seen {
			if name != "openat" {
				t.Errorf("the trace shows %s", name)
			}
		}
	})
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
}

// New arguments disturb neither small stacks nor red zones, constants, threads, children and 32-bit calls.
func TestScratchMemoryIsOurOwn(t *testing.T) {
	for _, flags := range [][]string{nil, {"-static"}} {
		t.Run(strings.Join(flags, " "), func(t *testing.T) {
			program := built(t, "paths.c", flags...)
			each(t, "openat,open", func(t *testing.T, tr *farcall.Tracer) {
				dir := t.TempDir()
				write(t, filepath.Join(dir, "b"), "B\n")
				tr.Use(action.Apply(redirect("a", dir+"/"+strings.Repeat("./", 100)+"b")))
				cmd, output := command(t, program)
				cmd.Dir = dir
				const want = "plain 0\nred zone 1\nregisters 1\nfork 0\nvfork 0\n"
				if err := run(t, tr, cmd); err != nil || output() != want {
					t.Errorf("%v, output %q, want %q", err, output(), want)
				}
			})
		})
	}
}

// 32-bit calls get memory that they can reach, in 64-bit programs too.
func TestScratchMemoryOf32BitCalls(t *testing.T) {
	for _, flags := range [][]string{{"-m32", "-static", "-nostdlib", "-fno-pie", "-fno-stack-protector"}, {"-static", "-nostdlib", "-no-pie", "-fno-pie", "-fno-stack-protector"}} {
		t.Run(flags[0], func(t *testing.T) {
			program := built(t, "int80.c", flags...)
			each(t, "open", func(t *testing.T, tr *farcall.Tracer) {
				dir := t.TempDir()
				write(t, filepath.Join(dir, "b"), "B\n")
				tr.Use(action.Apply(redirect("a", dir+"/"+strings.Repeat("./", 100)+"b")))
				cmd, _ := command(t, program)
				cmd.Dir = dir
				var exit *farcall.ExitError
				if err := run(t, tr, cmd); !errors.As(err, &exit) || exit.Code != 77 {
					t.Errorf("%v, want exit status 77", err)
				}
			})
		})
	}
}

// Results of 32-bit calls can be changed, in 64-bit programs too.
func TestResultsOf32BitCalls(t *testing.T) {
	for _, flags := range [][]string{{"-m32", "-static", "-nostdlib", "-fno-pie", "-fno-stack-protector"}, {"-static", "-nostdlib", "-no-pie", "-fno-pie", "-fno-stack-protector"}} {
		program := built(t, "int80.c", flags...)
		for _, text := range []string{"return 2", "result 2", "fail EIO", "result -EIO"} {
			t.Run(flags[0]+" "+text, func(t *testing.T) {
				each(t, "open,read", func(t *testing.T, tr *farcall.Tracer) {
					list, err := action.Parse(text, action.Env{})
					if err != nil {
						t.Fatal(err)
					}
					// The file is empty; that the buffer begins with a B is seen to here.
					tr.Use(func(next farcall.Handler) farcall.Handler {
						return func(ctx context.Context, c *farcall.Call) error {
							if c.Name() == "read" {
								if err := c.Poke(c.Arg(1), []byte("B")); err != nil {
									return err
								}
							}
							return next(ctx, c)
						}
					})
					tr.Use(action.Apply(action.Rule{Calls: calls(t, "read"), Actions: list}))
					cmd, _ := command(t, program)
					cmd.Dir = t.TempDir()
					write(t, filepath.Join(cmd.Dir, "a"), "")
					want := 77
					if strings.Contains(text, "EIO") {
						want = 1
					}
					var exit *farcall.ExitError
					if err := run(t, tr, cmd); !errors.As(err, &exit) || exit.Code != want {
						t.Errorf("%v, want exit status %d", err, want)
					}
				})
			})
		}
	}
}

// Go's runtime has stacks of 2 KiB, many threads, and signals all the time.
func TestScratchMemoryUnderSignals(t *testing.T) {
	program := built(t, "goroutines.go")
	each(t, "openat", func(t *testing.T, tr *farcall.Tracer) {
		dir := t.TempDir()
		var rules []action.Rule
		for _, n := range []string{"0", "1", "2", "3"} {
			write(t, filepath.Join(dir, "other-with-a-longer-name-"+n), "other "+n+"\n")
			rules = append(rules, redirect("wanted-"+n, filepath.Join(dir, "other-with-a-longer-name-"+n)))
		}
		tr.Use(action.Apply(rules...))
		cmd, output := command(t, program)
		cmd.Dir = dir
		if err := run(t, tr, cmd); err != nil || output() != "signals: true\n" {
			t.Errorf("%v, output %q", err, output())
		}
	})
}

// A call that signals interrupt is made once more with the program's own arguments, and changed again.
func TestChangedCallIsRestarted(t *testing.T) {
	program := built(t, "fifo.c")
	each(t, "openat,open", func(t *testing.T, tr *farcall.Tracer) {
		dir := t.TempDir()
		if err := unix.Mkfifo(filepath.Join(dir, "b"), 0o600); err != nil {
			t.Fatal(err)
		}
		tr.Use(action.Apply(redirect("a", filepath.Join(dir, "./././", "b"))))
		interrupted := 0
		tr.Observe(func(_ *farcall.Task, ev *event.Event) {
			if ev.Kind == event.CallExit && ev.Call.Failed && ev.Call.Ret == -512 {
				interrupted++
			}
		})
		cmd, output := command(t, program)
		cmd.Dir = dir
		if err := run(t, tr, cmd); err != nil || output() != "through\n" || interrupted < 3 {
			t.Errorf("%v, output %q, interrupted %d times", err, output(), interrupted)
		}
	})
}

// The third open of a file that a pattern matches fails, whatever else is opened.
func TestTheThirdOfSome(t *testing.T) {
	each(t, "openat", func(t *testing.T, tr *farcall.Tracer) {
		tr.Use(action.Apply(action.Rule{If: func(c *farcall.Call) bool {
			ok, _ := filepath.Match("/etc/*", string(c.Value("filename").Bytes))
			return ok
		}, When: action.Only(3), Actions: []action.Action{action.Fail(unix.EMFILE)}}))
		cmd, output := command(t, "head", "-c0", "/etc/passwd", "/etc/group", "/etc/hostname") // after ld.so.cache
		_ = run(t, tr, cmd)
		if !strings.Contains(output(), "cannot open '/etc/group' for reading: Too many open files") || strings.Count(output(), "Too many") != 1 {
			t.Errorf("output %q", output())
		}
	})
}

func TestSetFields(t *testing.T) {
	each(t, "newfstatat,fstatat64,statx", func(t *testing.T, tr *farcall.Tracer) {
		tr.Use(action.Apply(action.Rule{If: func(c *farcall.Call) bool { return string(c.Value("filename").Bytes) == "/etc/hostname" },
			Actions: parsed(t, "statx", "set buffer.stx_size 123456, set buffer.stx_uid 4321, set buffer.stx_mtime.tv_sec 1000000000")}))
		cmd, output := command(t, "stat", "-c", "%s %u %Y", "/etc/hostname")
		if err := run(t, tr, cmd); err != nil || output() != "123456 4321 1000000000\n" {
			t.Errorf("%v, output %q", err, output())
		}
	})
}

// parsed reads actions.
func parsed(t *testing.T, set, text string) []action.Action {
	t.Helper()
	list, err := action.Parse(text, action.Env{Calls: calls(t, set)})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func TestSetNames(t *testing.T) {
	each(t, "openat", func(t *testing.T, tr *farcall.Tracer) {
		tr.Use(action.Apply(action.Rule{If: func(c *farcall.Call) bool { return string(c.Value("filename").Bytes) == "/etc/hostname" },
			Actions: parsed(t, "openat", "set flags O_RDONLY|O_DIRECTORY")}))
		cmd, output := command(t, "head", "/etc/hostname")
		_ = run(t, tr, cmd)
		if !strings.HasSuffix(output(), "Not a directory\n") {
			t.Errorf("output %q", output())
		}
	})
}

// A field of a structure that the kernel reads is changed in a copy.
func TestSetFieldBefore(t *testing.T) {
	each(t, "clock_nanosleep", func(t *testing.T, tr *farcall.Tracer) {
		tr.Use(action.Apply(action.Rule{Actions: []action.Action{action.Set("rqtp.tv_sec", 0)}}))
		cmd, _ := command(t, "sleep", "100")
		if err := run(t, tr, cmd); err != nil {
			t.Error(err)
		}
	})
}

func TestShortReads(t *testing.T) {
	each(t, "read,pread64", func(t *testing.T, tr *farcall.Tracer) {
		path := filepath.Join(t.TempDir(), "text")
		text := strings.Repeat("all of it must arrive\n", 100)
		write(t, path, text)
		short := 0
		tr.Use(action.Apply(action.Rule{Calls: calls(t, "read"), If: func(c *farcall.Call) bool { return c.Arg(0) > 2 },
			Actions: []action.Action{action.Short(7), action.Log(func(*farcall.Call) { short++ })}}))
		cmd, output := command(t, "/usr/bin/python3", "-SEc", "import sys; print(open(sys.argv[1], 'rb', 0).readall().decode(), end='')", path)
		if err := run(t, tr, cmd); err != nil || output() != text {
			t.Errorf("%v, output of %d bytes, want %d", err, len(output()), len(text))
		}
		if short < len(text)/7 {
			t.Errorf("%d short reads", short)
		}
	})
}

func TestAnswers(t *testing.T) {
	getppid, err := action.Replace("getppid")
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name, set string
		action    action.Action
		want      string // of uname -s, pwd
	}{
		{"skip", "uname", action.Skip(), "uname: cannot get system name: Function not implemented\n"},
		{"fail", "uname", action.Fail(unix.EPERM), "uname: cannot get system name: Operation not permitted\n"},
		{"result", "uname", action.Result(-int64(unix.EIO)), "uname: cannot get system name: Input/output error\n"},
		{"return", "uname", action.Return(-1), "uname: cannot get system name: Operation not permitted\n"},
		{"replace", "uname", getppid, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			each(t, tc.set, func(t *testing.T, tr *farcall.Tracer) {
				var injected *event.Injected
				tr.Observe(func(_ *farcall.Task, ev *event.Event) {
					if ev.Kind == event.CallExit && ev.Injected != nil {
						i := *ev.Injected
						i.Rules = append([]string(nil), i.Rules...)
						injected = &i
					}
				})
				tr.Use(action.Apply(action.Rule{Name: "a rule", Actions: []action.Action{tc.action}}))
				cmd, output := command(t, "uname", "-s")
				err := run(t, tr, cmd)
				var exit *farcall.ExitError
				if tc.want != "" && (output() != tc.want || !errors.As(err, &exit) || exit.Code != 1) {
					t.Errorf("%v, output %q", err, output())
				}
				if tc.want == "" && strings.Contains(output(), "Linux") {
					t.Errorf("output %q: uname was not replaced", output())
				}
				if injected == nil || !injected.Result && tc.name != "result" || len(injected.Rules) != 1 || injected.Rules[0] != "a rule" {
					t.Errorf("injected %+v", injected)
				}
			})
		})
	}
}

// All rules that match are applied in order; the first that answers decides. A dry run only tells.
func TestSeveralRules(t *testing.T) {
	each(t, "uname", func(t *testing.T, tr *farcall.Tracer) {
		var rules, actions []string
		tr.Observe(func(_ *farcall.Task, ev *event.Event) {
			if ev.Kind == event.CallExit && ev.Injected != nil {
				rules, actions = slices.Clone(ev.Injected.Rules), slices.Clone(ev.Injected.Actions)
			}
		})
		rule := func(name, text string) action.Rule {
			return action.Rule{Name: name, Actions: parsed(t, "uname", text)}
		}
		dry := rule("dry", "kill")
		dry.DryRun = true
		tr.Use(action.Apply(dry, rule("slow", "delay 1ms"), rule("first", "fail EPERM"), rule("second", "fail EIO, delay 1ms after")))
		cmd, output := command(t, "uname")
		_ = run(t, tr, cmd)
		if !strings.HasSuffix(output(), "Operation not permitted\n") {
			t.Errorf("output %q", output())
		}
		if got := strings.Join(rules, " "); got != "dry slow first second" {
			t.Errorf("rules %s", got)
		}
		if got := strings.Join(actions, ", "); got != "would kill, delay 1ms, fail EPERM, delay 1ms after" {
			t.Errorf("actions %s", got)
		}
	})
}

func TestFirstInterrupted(t *testing.T) {
	each(t, "read", func(t *testing.T, tr *farcall.Tracer) {
		tr.Use(action.Apply(action.Rule{If: func(c *farcall.Call) bool { return c.Arg(0) == 0 }, When: action.Only(1),
			Actions: []action.Action{action.Fail(unix.EINTR)}}))
		cmd, output := command(t, "/usr/bin/python3", "-SEc", "import sys; print(sys.stdin.read(), end='')")
		in, err := os.Open("/etc/hostname")
		if err != nil {
			t.Fatal(err)
		}
		defer in.Close()
		cmd.Stdin = in
		want, _ := os.ReadFile("/etc/hostname")
		if err := run(t, tr, cmd); err != nil || output() != string(want) {
			t.Errorf("%v, output %q", err, output())
		}
	})
}

func TestSignalWithSiginfo(t *testing.T) {
	each(t, "getppid", func(t *testing.T, tr *farcall.Tracer) {
		info := &farcall.Siginfo{Code: 3}
		info.SetAddr(0xabcdef)
		tr.Use(action.Apply(action.Rule{Actions: []action.Action{action.Signal(unix.SIGSEGV, info, false)}}))
		var seen []int32
		tr.Observe(func(_ *farcall.Task, ev *event.Event) {
			if ev.Kind == event.Signal && ev.Siginfo != nil {
				seen = append(seen, int32(ev.Signo))
			}
		})
		cmd, output := command(t, built(t, "siginfo.c"))
		if err := run(t, tr, cmd); err != nil || output() != "signal 11 code 3 address abcdef\n" {
			t.Errorf("%v, output %q", err, output())
		}
		if len(seen) != 1 || seen[0] != int32(unix.SIGSEGV) {
			t.Errorf("signals %v", seen)
		}
	})
}

// A signal at the exit does not interrupt the call that it comes with.
func TestSignalAfter(t *testing.T) {
	each(t, "clock_nanosleep", func(t *testing.T, tr *farcall.Tracer) {
		tr.Use(action.Apply(action.Rule{Actions: parsed(t, "clock_nanosleep", "signal TERM after")}))
		slept := false
		tr.Observe(func(_ *farcall.Task, ev *event.Event) {
			slept = slept || ev.Kind == event.CallExit && !ev.Call.Failed
		})
		cmd, _ := command(t, "sleep", "0.01")
		var exit *farcall.ExitError
		if err := run(t, tr, cmd); !errors.As(err, &exit) || exit.Signal != unix.SIGTERM || !slept {
			t.Errorf("%v, slept %v; want killed by SIGTERM after its sleep", err, slept)
		}
	})
}

// A thread that is killed while it is held up ends at once, and its handler learns of it.
func TestKilledWhileHeldUp(t *testing.T) {
	each(t, "getpid,getppid", func(t *testing.T, tr *farcall.Tracer) {
		held, gone := make(chan int, 1), 0
		tr.Use(func(next farcall.Handler) farcall.Handler {
			return func(ctx context.Context, c *farcall.Call) error {
				held <- c.PID
				err := c.Delay(time.Hour)
				if errors.Is(err, farcall.ErrGone) {
					gone++
				}
				return err
			}
		})
		go func() { _ = unix.Kill(<-held, unix.SIGKILL) }()
		cmd, _ := command(t, "sh", "-c", "kill -0 $PPID")
		var exit *farcall.ExitError
		if err := run(t, tr, cmd); !errors.As(err, &exit) || exit.Signal != unix.SIGKILL || gone != 1 {
			t.Errorf("%v, %d handlers have learnt of it", err, gone)
		}
	})
}

func TestKillAction(t *testing.T) {
	each(t, "uname", func(t *testing.T, tr *farcall.Tracer) {
		tr.Use(action.Apply(action.Rule{Actions: []action.Action{action.Kill()}}))
		cmd, _ := command(t, "uname")
		var exit *farcall.ExitError
		if err := run(t, tr, cmd); !errors.As(err, &exit) || exit.Signal != unix.SIGKILL {
			t.Errorf("%v, want killed", err)
		}
	})
}

func TestStopForADebugger(t *testing.T) {
	tr := farcall.New(farcall.Options{Calls: calls(t, "uname"), Seccomp: farcall.SeccompOff})
	pid := 0
	tr.Use(action.Apply(action.Rule{Actions: []action.Action{action.Stop(func(p int) { pid = p })}}))
	cmd, output := command(t, "uname", "-s")
	if err := tr.Run(t.Context(), cmd); err != nil {
		t.Fatal(err)
	}
	if pid == 0 {
		t.Fatal("no process id")
	}
	// It is a child of this process, which can wait for its stop, as a debugger's user would see T.
	if ws := waitFor(t, pid, unix.WUNTRACED); !ws.Stopped() {
		t.Errorf("status %#x, want stopped", ws)
	}
	if err := unix.Kill(pid, unix.SIGCONT); err != nil {
		t.Error(err)
	}
	if ws := waitFor(t, pid, 0); ws.ExitStatus() != 0 || output() != "Linux\n" {
		t.Errorf("status %#x, output %q", ws, output())
	}
}

// A delay in one thread, and a handler that waits for a goroutine, keep no other thread waiting.
func TestDelaysHoldOneThreadOnly(t *testing.T) {
	each(t, "getuid,getgid", func(t *testing.T, tr *farcall.Tracer) {
		other := make(chan bool)
		var others atomic.Int32
		tr.Use(func(next farcall.Handler) farcall.Handler {
			return func(ctx context.Context, c *farcall.Call) error {
				switch c.Name() {
				case "getuid": // until the other thread has made all its calls
					if err := c.Await(func() { <-other }); err != nil {
						return err
					}
				case "getgid":
					if others.Add(1) == 100 {
						close(other)
					}
				}
				return next(ctx, c)
			}
		})
		cmd, output := command(t, built(t, "two.c"))
		if err := run(t, tr, cmd); err != nil || output() != "100 calls before\n" {
			t.Errorf("%v, output %q", err, output())
		}
	})
}

func TestPanickingHandler(t *testing.T) {
	for _, kill := range []bool{false, true} {
		tr := farcall.New(farcall.Options{Seccomp: farcall.SeccompOff, Calls: calls(t, "uname"), KillOnError: kill})
		tr.Use(func(farcall.Handler) farcall.Handler {
			return func(context.Context, *farcall.Call) error { panic("what a handler may do") }
		})
		cmd, _ := command(t, "sh", "-c", "uname -s; sleep 0.1; echo done")
		out, err := os.Create(filepath.Join(t.TempDir(), "out"))
		if err != nil {
			t.Fatal(err)
		}
		cmd.Args = []string{"uname", "-s"}
		cmd.Path = "/usr/bin/uname"
		cmd.Stdout = out
		err = run(t, tr, cmd)
		var p *farcall.PanicError
		if !errors.As(err, &p) || p.Call != "uname" || !strings.Contains(string(p.Stack), "TestPanickingHandler") {
			t.Errorf("kill %v: %v", kill, err)
		}
	}
}
