package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"farcall/internal/seccomp"
	"farcall/syscalls"

	"golang.org/x/sys/unix"
)

// These tests run the built program where something is missing or forbidden.

var buildProgram = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "farcall-doctor-test-")
	if err != nil {
		return "", err
	}
	programDir = dir
	if err := os.Chmod(dir, 0o755); err != nil { // other users run it
		return "", err
	}
	path := filepath.Join(dir, "farcall")
	build := exec.Command("go", "build", "-o", path, "farcall/cmd/farcall")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := build.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return path, nil
})

// programDir is what TestMain has to remove.
var programDir string

// noForkEnv makes the test binary execute its arguments where no process can be made.
const noForkEnv = "FARCALL_TEST_NO_FORK"

func TestMain(m *testing.M) {
	if os.Getenv(noForkEnv) != "" {
		os.Unsetenv(noForkEnv)
		fmt.Fprintln(os.Stderr, execWithoutFork())
		os.Exit(3)
	}
	status := m.Run()
	if programDir != "" {
		os.RemoveAll(programDir)
	}
	os.Exit(status)
}

func program(t *testing.T) string {
	t.Helper()
	path, err := buildProgram()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// A result is what came of a program.
type result struct {
	status         int
	stdout, stderr string
}

// onThread runs f on a thread that ends with it, so that filters and the like end with it too.
func onThread(f func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread()
		if unix.Gettid() != unix.Getpid() {
			f()
			return
		}
		onThread(f) // the main thread cannot end
		runtime.UnlockOSThread()
	}()
	<-done
}

// runCommand runs a command to its end. prepare, which may be nil, is called on the thread that forks.
func runCommand(t *testing.T, prepare func() error, sys *syscall.SysProcAttr, argv ...string) result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, argv[0])
	cmd.Args = argv
	cmd.Stdout, cmd.Stderr, cmd.SysProcAttr, cmd.Dir = &stdout, &stderr, sys, "/"
	var err error
	onThread(func() {
		if prepare != nil {
			if err = prepare(); err != nil {
				return
			}
		}
		err = cmd.Start()
	})
	if err != nil {
		t.Fatalf("start %v: %v", argv, err)
	}
	err = cmd.Wait()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("%v: %v", argv, err)
	}
	if ctx.Err() != nil {
		t.Fatalf("%v: did not end\n%s", argv, stderr.String())
	}
	return result{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
}

// refuse installs a filter in the calling thread.
func refuse(rules ...seccomp.Rule) func() error {
	return func() error {
		prog, err := seccomp.Compile(seccomp.Spec{Calls: map[syscalls.ABI]seccomp.Calls{nativeABI: {Rules: rules}}})
		if err != nil {
			return err
		}
		if err := seccomp.NoNewPrivs(); err != nil {
			return err
		}
		_, err = prog.Install(0)
		return err
	}
}

func refused(number int, e unix.Errno, when ...seccomp.Condition) seccomp.Rule {
	return seccomp.Rule{Number: uint32(number), Action: seccomp.Errno(e), When: when}
}

// wantLines checks that text has a line for each of the wanted ones that begins with it, in order.
func wantLines(t *testing.T, text string, want ...string) {
	t.Helper()
	rest := strings.Split(text, "\n")
	for _, w := range want {
		i := 0
		for i < len(rest) && !strings.HasPrefix(rest[i], w) {
			i++
		}
		if i == len(rest) {
			t.Fatalf("no line %q in its place in:\n%s", w, text)
		}
		rest = rest[i+1:]
	}
}

func nobody() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
}

func needRoot(t *testing.T) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("needs root")
	}
}

// TestNames runs it by several names: its messages begin with them.
func TestNames(t *testing.T) {
	prog := program(t)
	for _, tt := range []struct{ name, want string }{
		{"farcall", "hint"},
		{"mytracer", "hint"},
		{"strace", ""},
	} {
		path := filepath.Join(t.TempDir(), tt.name)
		if err := os.Symlink(prog, path); err != nil {
			t.Fatal(err)
		}
		argv := []string{path, "trace", "/no/such/program"}
		if tt.name == "strace" {
			argv = []string{path, "/no/such/program"}
		}
		r := runCommand(t, nil, nil, argv...)
		want := path + ": Can't stat '/no/such/program': No such file or directory\n"
		if tt.want != "" {
			want += path + ": hint: there is no such file\n"
		}
		if r.status != 1 || r.stderr != want || r.stdout != "" {
			t.Errorf("%s: status %d, stderr %q, want %q", tt.name, r.status, r.stderr, want)
		}
	}
}

// TestPtraceRefused is a container whose filter refuses ptrace.
func TestPtraceRefused(t *testing.T) {
	prog := program(t)
	noPtrace := refuse(refused(unix.SYS_PTRACE, unix.EPERM))
	r := runCommand(t, noPtrace, nil, prog, "trace", "/bin/true")
	if r.status != 1 {
		t.Errorf("trace: status %d, want 1", r.status)
	}
	wantLines(t, r.stderr, prog+": PTRACE_SEIZE: Operation not permitted",
		prog+": hint: ptrace(2) as such is refused here, by a seccomp filter or a sandbox: ")
	if n := strings.Count(r.stderr, "\n"); n != 2 {
		t.Errorf("trace: %d lines, want 2:\n%s", n, r.stderr)
	}

	r = runCommand(t, noPtrace, nil, prog, "trace", "--seize=no", "/bin/true")
	if r.status != 1 {
		t.Errorf("trace --seize=no: status %d, want 1\n%s", r.status, r.stderr)
	}
	wantLines(t, r.stderr, prog+": ptrace(PTRACE_TRACEME, ...): Operation not permitted", prog+": hint: ptrace(2) as such is refused here, by a seccomp filter or a sandbox: ")

	child := idle(t, nil)
	r = runCommand(t, noPtrace, nil, prog, "trace", "-p", fmt.Sprint(child))
	wantLines(t, r.stderr, fmt.Sprintf("%s: attach: ptrace(PTRACE_SEIZE, %d): Operation not permitted", prog, child),
		prog+": hint: ptrace(2) as such is refused here (EPERM): by a seccomp filter or a sandbox: ")

	r = runCommand(t, noPtrace, nil, prog, "doctor")
	if r.status != 1 {
		t.Errorf("doctor: status %d, want 1", r.status)
	}
	wantLines(t, r.stdout, "Tracing", "  no      ptrace                ptrace(2) is refused (Operation not permitted)",
		"  no      start a program", "  no      attach to a child", "Filtering", "  no      seccomp filters",
		"  limited own filter", "Tracing does not work here.")

	r = runCommand(t, noPtrace, nil, prog, "doctor", "--json", "-p", fmt.Sprint(child))
	if r.status != 1 || !strings.Contains(r.stdout, `"kind": "seccomp"`) {
		t.Errorf("doctor -p: status %d\n%s", r.status, r.stdout)
	}
}

// TestFallbacks refuses what there are other ways for: the trace has to be the same.
func TestFallbacks(t *testing.T) {
	prog := program(t)
	for name, rules := range map[string][]seccomp.Rule{
		"memory": {refused(unix.SYS_PROCESS_VM_READV, unix.EPERM)},
		"memfd":  {refused(unix.SYS_MEMFD_CREATE, unix.EPERM)},
		"both":   {refused(unix.SYS_PROCESS_VM_READV, unix.ENOSYS), refused(unix.SYS_MEMFD_CREATE, unix.ENOSYS)},
	} {
		t.Run(name, func(t *testing.T) {
			r := runCommand(t, refuse(rules...), nil, prog, "trace", "-e", "execve", "/bin/echo", "a", "b")
			if r.status != 0 || r.stdout != "a b\n" {
				t.Errorf("status %d, stdout %q", r.status, r.stdout)
			}
			wantLines(t, r.stderr, `execve("/bin/echo", ["/bin/echo", "a", "b"], 0x`, "+++ exited with 0 +++")

			r = runCommand(t, refuse(rules...), nil, prog, "doctor")
			if r.status != 0 {
				t.Errorf("doctor: status %d, want 0\n%s", r.status, r.stdout)
			}
			if name != "memfd" {
				wantLines(t, r.stdout, "Memory", "  limited process_vm_readv", "  ok      /proc/PID/mem")
			}
			if name != "memory" {
				wantLines(t, r.stdout, "Memory", "  limited memfd", "  ok      temporary files")
			}
		})
	}
}

// execWithoutFork lets fork fail as it does at RLIMIT_NPROC; threads, which farcall itself needs, can be made. (The limit
// itself would stop the Go runtime as well.)
func execWithoutFork() error {
	runtime.LockOSThread()
	err := refuse(
		refused(unix.SYS_CLONE, unix.EAGAIN, seccomp.Equal(0, unix.CLONE_THREAD, 0)),
		refused(unix.SYS_CLONE3, unix.ENOSYS),
	)()
	if err != nil {
		return err
	}
	return syscall.Exec(os.Args[1], os.Args[1:], os.Environ())
}

func TestNoProcesses(t *testing.T) {
	prog := program(t)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv(noForkEnv, "1")
	out := filepath.Join(t.TempDir(), "out")
	r := runCommand(t, nil, nil, self, prog, "trace", "-o", out, "/bin/true")
	if r.status != 1 {
		t.Errorf("status %d, want 1", r.status)
	}
	wantLines(t, r.stderr, prog+": launch /bin/true: Resource temporarily unavailable",
		prog+": hint: there are too many processes: see 'ulimit -u', and pids.max of the control group")
	r = runCommand(t, nil, nil, self, prog, "doctor")
	if r.status != 1 {
		t.Errorf("doctor: status %d, want 1", r.status)
	}
	wantLines(t, r.stdout, "  no      start a program", "Tracing does not work here.")
}

// TestNoProc runs it without /proc.
func TestNoProc(t *testing.T) {
	needRoot(t)
	prog := program(t)
	without := func(args string) result {
		return runCommand(t, nil, nil, "/bin/sh", "-c",
			"unshare --mount --propagation private sh -c 'mount -t tmpfs none /proc && exec "+prog+" "+args+"'")
	}
	r := without("trace -e execve /bin/true")
	if r.status != 0 {
		t.Errorf("trace: status %d\n%s", r.status, r.stderr)
	}
	wantLines(t, r.stderr, `execve("/bin/true", ["/bin/true"], 0x`, "+++ exited with 0 +++")

	child := idle(t, nil)
	r = without(fmt.Sprintf("trace -p %d", child))
	if r.status != 1 {
		t.Errorf("trace -p: status %d\n%s", r.status, r.stderr)
	}
	wantLines(t, r.stderr, prog+": attach: ", prog+": hint: /proc is not mounted, so nothing can be found out about it: mount -t proc proc /proc")

	r = without("doctor")
	if r.status != 0 {
		t.Errorf("doctor: status %d\n%s", r.status, r.stdout)
	}
	wantLines(t, r.stdout, "  ok      start a program", "  limited /proc", "  ok      set-user-ID programs", "  ok      process_vm_readv", "  limited /proc/PID/mem",
		"  limited memfd", "Tracing works here.")
}

// TestNoExec has a file system that programs cannot be executed from, for the program and for temporary files.
func TestNoExec(t *testing.T) {
	needRoot(t)
	prog := program(t)
	r := runCommand(t, nil, nil, "/bin/sh", "-c", "unshare --mount --propagation private sh -c '"+
		"mount -t tmpfs -o noexec none /mnt && cp /bin/true /mnt && TMPDIR=/mnt "+prog+" doctor; "+prog+" trace -e execve /mnt/true'")
	if r.status != 1 {
		t.Errorf("status %d\n%s", r.status, r.stderr)
	}
	wantLines(t, r.stderr, `execve("/mnt/true", ["/mnt/true"], 0x`, prog+": exec: Permission denied",
		prog+": hint: its file system is mounted noexec", "+++ exited with 1 +++")
	wantLines(t, r.stdout, "  ok      start a program", "  ok      memfd", "  limited temporary files       /mnt is mounted noexec",
		"                                -> set TMPDIR to a directory on another file system", "Tracing works here.")
}

// TestOrdinaryUser runs it as somebody without privileges.
func TestOrdinaryUser(t *testing.T) {
	needRoot(t)
	prog := program(t)
	r := runCommand(t, nil, nobody(), prog, "doctor")
	if r.status != 0 {
		t.Errorf("doctor: status %d\n%s", r.status, r.stdout)
	}
	wantLines(t, r.stdout, "  ok      start a program", "  limited user                  user 65534 without CAP_SYS_PTRACE",
		"Filtering", "  ok      seccomp filters", "  limited set-user-ID programs", "Tracing works here.")

	out := filepath.Join(t.TempDir(), "out") // the directory is root's
	r = runCommand(t, nil, nobody(), prog, "trace", "-o", out, "/bin/true")
	if r.status != 1 || r.stderr != prog+": Can't fopen '"+out+"': Permission denied\n"+
		prog+": hint: that file, or its directory, may not be written by this user\n" {
		t.Errorf("output file: status %d, %s", r.status, r.stderr)
	}
	r = runCommand(t, nil, nobody(), prog, "trace", "-u", "nobody", "/bin/true")
	if r.status != 1 {
		t.Errorf("-u: status %d, %s", r.status, r.stderr)
	}
	wantLines(t, r.stderr, prog+": You must be root to use the -u/--username option", prog+": hint: ")
}
