package ptrace

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// Programs built once for all tests.
var (
	traceeProgram   string
	traceeProgram32 string // "" where the compiler cannot make one
)

// roleVar makes the test binary play a part instead of running tests.
const roleVar = "FARCALL_PTRACE_TEST_ROLE"

var roles = map[string]func() int{}

func TestMain(m *testing.M) {
	if role, ok := roles[os.Getenv(roleVar)]; ok {
		os.Exit(role())
	}
	os.Exit(runTests(m))
}

func runTests(m *testing.M) int {
	dir, err := os.MkdirTemp("", "farcall-ptrace")
	if err == nil {
		err = os.Chmod(dir, 0o755) // tests change their user
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	traceeProgram = filepath.Join(dir, "tracee")
	out, err := exec.Command("gcc", "-O1", "-Wall", "-pthread", "-o", traceeProgram, "testdata/tracee.c", "-lrt").CombinedOutput()
	if err != nil {
		fmt.Fprintf(os.Stderr, "build of the tracee: %v\n%s", err, out)
		return 1
	}
	if runtime.GOARCH == "amd64" {
		p := filepath.Join(dir, "tracee32")
		out, err := exec.Command("gcc", "-m32", "-O1", "-static", "-nostdlib", "-fno-pic", "-no-pie",
			"-fno-stack-protector", "-o", p, "testdata/tracee32.c").CombinedOutput()
		if err != nil {
			fmt.Fprintf(os.Stderr, "no 32-bit tracee: %v\n%s", err, out)
		} else {
			traceeProgram32 = p
		}
	}
	return m.Run()
}

// A tracee is a running test program.
type tracee struct {
	t    *testing.T
	pid  int
	line string // what it wrote when it was ready
	in   *os.File
}

// start runs the test program in a mode and returns when it is ready. The test's goroutine is locked to its
// thread, which becomes the tracer; it ends with the test. The program is killed and reaped at the end.
func start(t *testing.T, args ...string) *tracee {
	t.Helper()
	return startProgram(t, traceeProgram, nil, args...)
}

func startProgram(t *testing.T, path string, attr *syscall.SysProcAttr, args ...string) *tracee {
	t.Helper()
	runtime.LockOSThread()
	inR, inW, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	outR, outW, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer outR.Close()
	p, err := os.StartProcess(path, append([]string{path}, args...),
		&os.ProcAttr{Files: []*os.File{inR, outW, os.Stderr}, Sys: attr})
	inR.Close()
	outW.Close()
	if err != nil {
		t.Fatal(err)
	}
	tr := &tracee{t: t, pid: p.Pid, in: inW}
	p.Release()
	t.Cleanup(tr.end)
	if attr == nil {
		line, err := bufio.NewReader(outR).ReadString('\n')
		if err != nil {
			t.Fatalf("tracee %v did not start: %v", args, err)
		}
		tr.line = strings.TrimSuffix(line, "\n")
	}
	return tr
}

// end kills the tracee and reaps it.
func (tr *tracee) end() {
	tr.in.Close()
	unix.Kill(tr.pid, unix.SIGKILL)
	for {
		_, ws, err := Wait4(tr.pid, unix.WALL, nil)
		if err == unix.EINTR || err == nil && ws.Stopped() {
			continue
		}
		return
	}
}

// proceed lets the program go on from where it waits.
func (tr *tracee) proceed() {
	tr.t.Helper()
	if _, err := tr.in.Write([]byte{'\n'}); err != nil {
		tr.t.Fatal(err)
	}
}

// wait gives the next status of the tracee.
func (tr *tracee) wait() WaitStatus {
	tr.t.Helper()
	return waitFor(tr.t, tr.pid)
}

func waitFor(t *testing.T, pid int) WaitStatus {
	t.Helper()
	for {
		_, ws, err := Wait4(pid, unix.WALL, nil)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			t.Fatalf("wait4(%d): %v", pid, err)
		}
		return ws
	}
}

// seize attaches and stops the tracee.
func (tr *tracee) seize(opts Options) {
	tr.t.Helper()
	must(tr.t, Seize(tr.pid, opts))
	must(tr.t, Interrupt(tr.pid))
	if ws := tr.wait(); ws.Event() != EventStop || ws.StopSignal() != unix.SIGTRAP || ws.GroupStop() {
		tr.t.Fatalf("after seize and interrupt: %v (%#x)", ws, uint32(ws))
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantErr(t *testing.T, what string, got, want error) {
	t.Helper()
	if got != want {
		t.Errorf("%s: error %v, want %v", what, got, want)
	}
}

// call goes on to the next entry of the call numbered nr and returns what the kernel says about it.
func (tr *tracee) entry(nr int64) (info SyscallInfo) {
	tr.t.Helper()
	for range 1000 {
		must(tr.t, Syscall(tr.pid, 0))
		ws := tr.wait()
		if !ws.Stopped() {
			tr.t.Fatalf("looking for call %d: %v", nr, ws)
		}
		if !ws.SyscallStop() {
			continue
		}
		if _, err := GetSyscallInfo(tr.pid, &info); err != nil {
			tr.t.Fatal(err)
		}
		if info.Op == OpEntry && info.Number() == nr {
			return info
		}
	}
	tr.t.Fatalf("call %d did not come", nr)
	return
}

// exit goes on to the next syscall-stop, which has to be an exit.
func (tr *tracee) exit() (info SyscallInfo) {
	tr.t.Helper()
	must(tr.t, Syscall(tr.pid, 0))
	if ws := tr.wait(); !ws.SyscallStop() {
		tr.t.Fatalf("waiting for the exit of a call: %v", ws)
	}
	if _, err := GetSyscallInfo(tr.pid, &info); err != nil {
		tr.t.Fatal(err)
	}
	if info.Op != OpExit {
		tr.t.Fatalf("stop is %v, not exit", info.Op)
	}
	return info
}
