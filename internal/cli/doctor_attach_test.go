package cli

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"farcall"
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

// TestSeizeLeavesNothing asks about a process while it sleeps: it is neither stopped nor woken.
func TestSeizeLeavesNothing(t *testing.T) {
	pid := idle(t, nil)
	until(t, "sleep", func() bool { return status(pid).State == 'S' })
	for range 10 {
		if err := trySeize(pid); err != nil {
			t.Fatal(err)
		}
		if p := status(pid); p.State != 'S' || p.Tracer != 0 {
			t.Fatalf("state %c, tracer %d", p.State, p.Tracer)
		}
	}
	// Stopped ones stay stopped.
	if err := unix.Kill(pid, unix.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	until(t, "the stop", func() bool { return status(pid).State == 'T' })
	if err := trySeize(pid); err != nil {
		t.Fatal(err)
	}
	until(t, "the stop, again", func() bool { p := status(pid); return p.State == 'T' && p.Tracer == 0 })
}

// TestAttachDiagnosis has situations that are no more when the diagnosis is made.
func TestAttachDiagnosis(t *testing.T) {
	me, other := &linux.Process{}, &linux.Process{}
	me.PID, other.PID = 10, 20
	for _, tt := range []struct {
		name  string
		cause farcall.Cause
		s     linux.Situation
		want  string
	}{
		{"gone since", farcall.CauseGone, linux.Situation{Tracer: me, Target: other, Exists: true}, "it ended meanwhile"},
		{"gone", farcall.CauseGone, linux.Situation{Tracer: me}, "no process or thread has this number"},
		{"hidden", farcall.CauseGone, linux.Situation{Tracer: me, Exists: true}, "there is such a process, but /proc hides it"},
		{"reaped", farcall.CauseZombie, linux.Situation{Tracer: me}, "it has ended"},
		{"unknown", farcall.CausePermission, linux.Situation{Tracer: me, Target: other, LSMs: []string{"capability", "landlock"}},
			"the kernel refuses it, though none of its common rules does; security modules that may: capability, landlock"},
	} {
		got := attachDiagnosis(&farcall.AttachError{PID: 20, Cause: tt.cause, Err: unix.EPERM}, &tt.s)
		if !strings.HasPrefix(got, tt.want) {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestLaunchDiagnosis(t *testing.T) {
	for _, tt := range []struct {
		op   string
		err  error
		want string
	}{
		{"execve", unix.ENOEXEC, "neither a program"},
		{"execve", unix.ENOENT, "interpreter"},
		{"execve", unix.EPERM, "security module"},
		{"execve", unix.ELIBBAD, "farcall doctor"},
		{"", unix.EAGAIN, "too many processes"},
		{"seccomp", unix.EACCES, "--seccomp-bpf=no"},
		{"prctl(PR_SET_NO_NEW_PRIVS)", unix.EPERM, "--seccomp-bpf=no"},
		{"setresuid", unix.EINVAL, "change the user"},
		{"", os.ErrNotExist, "farcall doctor"},
	} {
		if got := launchDiagnosis(tt.op, tt.err); !strings.Contains(got, tt.want) {
			t.Errorf("%s %v: %q, want %q", tt.op, tt.err, got, tt.want)
		}
	}
	for _, tt := range []struct {
		refused unix.Errno
		yama    linux.Yama
		env     linux.Environment
		want    string
	}{
		{unix.EPERM, linux.YamaAbsent, linux.Environment{Container: "docker"}, "docker run --cap-add=SYS_PTRACE"},
		{unix.ENOSYS, linux.YamaAbsent, linux.Environment{Container: "kubernetes"}, "securityContext"},
		{unix.EPERM, linux.YamaAbsent, linux.Environment{}, "sandbox"},
		{0, linux.YamaNone, linux.Environment{}, "ptrace_scope is 3"},
		{0, linux.YamaAdmin, linux.Environment{}, "ptrace_scope is 2"},
		{0, linux.YamaDescendant, linux.Environment{}, "farcall doctor"},
	} {
		if got := traceHint(tt.refused, tt.yama, tt.env); !strings.Contains(got, tt.want) {
			t.Errorf("%v %v %v: %q, want %q", tt.refused, tt.yama, tt.env, got, tt.want)
		}
	}
}
