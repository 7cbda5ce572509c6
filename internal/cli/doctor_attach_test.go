package cli

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"farcall/internal/linux"

	"golang.org/x/sys/unix"
)

// idle starts a process that sleeps until the test ends, and gives its id.
func idle(t *testing.T, sys *syscall.SysProcAttr, argv ...string) int {
	t.Helper()
	if argv == nil {
		argv = []string{"/bin/sleep", "1000"}
	}
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.SysProcAttr = sys
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	return cmd.Process.Pid
}

// until waits for something that another process brings about.
func until(t *testing.T, what string, f func() bool) {
	t.Helper()
	const attempts, pause = 6000, 10 * time.Millisecond
	for range attempts {
		if f() {
			return
		}
		time.Sleep(pause)
	}
	t.Fatal("waited in vain: " + what)
}

func status(pid int) *linux.Process {
	p, err := linux.ReadProcess(os.DirFS("/"), pid)
	if err != nil {
		return &linux.Process{}
	}
	return p
}

// TestAttachRefused asks trace -p and doctor -p about real processes that cannot be traced.
func TestAttachRefused(t *testing.T) {
	prog := program(t)
	check := func(t *testing.T, sys *syscall.SysProcAttr, pid int, kind, hint string) {
		t.Helper()
		r := runCommand(t, nil, sys, prog, "trace", "-p", fmt.Sprint(pid))
		want := fmt.Sprintf("%s: attach: ptrace(PTRACE_SEIZE, %d): Operation not permitted\n%s: hint: %s\n", prog, pid, prog, hint)
		if r.status != 1 || r.stderr != want || r.stdout != "" {
			t.Errorf("trace: status %d, stderr %q, want %q", r.status, r.stderr, want)
		}
		r = runCommand(t, nil, sys, prog, "doctor", "--json", "-p", fmt.Sprint(pid))
		if r.status != 1 || !strings.Contains(r.stdout, `"kind": "`+kind+`"`) {
			t.Errorf("doctor: status %d, no %q in\n%s", r.status, kind, r.stdout)
		}
	}

	t.Run("traced", func(t *testing.T) {
		pid := idle(t, nil)
		tracer := exec.Command(prog, "trace", "-p", fmt.Sprint(pid))
		if err := tracer.Start(); err != nil {
			t.Fatal(err)
		}
		until(t, "the first tracer", func() bool { return status(pid).Tracer != 0 })
		check(t, nil, pid, "traced", fmt.Sprintf("it is traced already by process %d (farcall), and there can be only one tracer: end that one first",
			tracer.Process.Pid))
		_ = tracer.Process.Signal(unix.SIGINT)
		_ = tracer.Wait()
		if p := status(pid); p.State != 'S' || p.Tracer != 0 {
			t.Errorf("after the trace: state %c, tracer %d", p.State, p.Tracer)
		}
	})

	t.Run("zombie", func(t *testing.T) {
		cmd := exec.Command("/bin/true")
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		defer cmd.Wait() //nolint:errcheck // its status is not the point
		pid := cmd.Process.Pid
		until(t, "a zombie", func() bool { return status(pid).State == 'Z' })
		check(t, nil, pid, "zombie", fmt.Sprintf("it has ended and only waits for its parent, process %d, to ask for its status", os.Getpid()))
	})

	t.Run("kernel thread", func(t *testing.T) {
		pid := kernelThread(t)
		check(t, nil, pid, "kernel-thread", "it is a kernel thread: these make no system calls and cannot be traced")
	})

	t.Run("own ancestor", func(t *testing.T) {
		// A farcall that is traced by another one, through its shell, cannot trace that.
		r := runCommand(t, nil, nil, prog, "trace", "-f", "-o", "/dev/null", "/bin/sh", "-c", prog+" trace -p $PPID; "+prog+" doctor -p $PPID")
		if r.status != 1 {
			t.Errorf("status %d", r.status)
		}
		wantLines(t, r.stderr, prog+": attach: ", prog+": hint: process ")
		if !strings.Contains(r.stderr, " is tracing this farcall, directly or through others: both would stop for good") {
			t.Errorf("trace: %s", r.stderr)
		}
		wantLines(t, r.stdout, "  limited traced                farcall itself is being traced by process ", "Process ", "  no      circle ")
	})

	t.Run("several", func(t *testing.T) {
		const none, neither = 1<<31 - 2, 1<<31 - 1 // above every pid_max
		r := runCommand(t, nil, nil, prog, "trace", "-p", fmt.Sprintf("%d,%d", none, neither))
		if r.status != 1 || strings.Count(r.stderr, "\n") != 4 {
			t.Errorf("status %d, %s", r.status, r.stderr)
		}
		for _, pid := range []int{none, neither} {
			wantLines(t, r.stderr, fmt.Sprintf("%s: attach: ptrace(PTRACE_SEIZE, %d): No such process", prog, pid), prog+": hint: ")
		}
		wantLines(t, r.stderr, fmt.Sprintf("%s: attach: ptrace(PTRACE_SEIZE, %d)", prog, none), fmt.Sprintf("%s: attach: ptrace(PTRACE_SEIZE, %d)", prog, neither))
	})

	t.Run("hidden", func(t *testing.T) {
		needRoot(t)
		pid := idle(t, nil)
		r := runCommand(t, nil, nil, "/bin/sh", "-c", "unshare --mount --propagation private sh -c 'mount -t proc -o hidepid=2 proc /proc && "+
			"exec setpriv --reuid 65534 --regid 65534 --clear-groups "+prog+" trace -p "+fmt.Sprint(pid)+"'")
		if r.status != 1 {
			t.Errorf("status %d", r.status)
		}
		wantLines(t, r.stderr, prog+": attach: ", prog+": hint: there is such a process, but /proc hides it from this user (mount option hidepid)")
	})

	t.Run("another user", func(t *testing.T) {
		needRoot(t)
		pid := idle(t, nil)
		check(t, nobody(), pid, "other-user", "it runs as root, and farcall as user 65534 without CAP_SYS_PTRACE: run farcall as that user, or as root with sudo")
	})

	t.Run("not dumpable", func(t *testing.T) {
		needRoot(t)
		// A program that its user may execute, but not read.
		secret := strings.TrimSuffix(prog, "farcall") + "unreadable"
		b, err := os.ReadFile("/bin/sleep")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(secret, b, 0o711); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(secret, 0o711); err != nil {
			t.Fatal(err)
		}
		pid := idle(t, nobody(), secret, "1000")
		check(t, nobody(), pid, "not-dumpable", "it is not dumpable: it was started from a file that only root may read, has changed its user, or asked for it (PR_SET_DUMPABLE): run farcall as root with sudo")
	})

	t.Run("user namespace", func(t *testing.T) {
		needRoot(t)
		pid := idle(t, nil)
		// Root of a namespace of its own, with all capabilities in it, and the same user outside.
		inside := &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWUSER,
			UidMappings: []syscall.SysProcIDMap{{Size: 1}}, GidMappings: []syscall.SysProcIDMap{{Size: 1}}}
		check(t, inside, pid, "user-namespace", "its user namespace is another than that of farcall, and not below it: run farcall in the namespace of that process or in one above (nsenter --user)")
		// The other way round it can be traced.
		below := idle(t, inside)
		r := runCommand(t, nil, nil, prog, "doctor", "--json", "-p", fmt.Sprint(below))
		if r.status != 0 || !strings.Contains(r.stdout, `"traceable": true`) {
			t.Errorf("below: status %d\n%s", r.status, r.stdout)
		}
		if s := linux.SurveySelf(os.DirFS("/"), os.Getpid(), below, linux.Environment{}); s.NS != linux.NSOwned || len(s.Obstacles()) != 0 {
			t.Errorf("below: %+v", s)
		}
	})

	t.Run("more capabilities", func(t *testing.T) {
		needRoot(t)
		pid := idle(t, nil)
		// Root without capabilities is root still, but has less than its process.
		r := runCommand(t, nil, nil, "/usr/bin/setpriv", "--bounding-set=-all", "--inh-caps=-all", prog, "trace", "-p", fmt.Sprint(pid))
		if r.status != 1 || !strings.Contains(r.stderr, ": hint: it has capabilities that farcall lacks: CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH and ") {
			t.Errorf("status %d, %s", r.status, r.stderr)
		}
	})
}

// kernelThread finds one: a child of kthreadd.
func kernelThread(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		var pid int
		if _, err := fmt.Sscanf(e.Name(), "%d", &pid); err == nil && status(pid).KernelThread {
			return pid
		}
	}
	t.Skip("no kernel thread to be seen in this pid namespace")
	return 0
}
