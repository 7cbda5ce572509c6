package ptrace

import (
	"os"
	"os/exec"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

func TestSeizeInterruptDetach(t *testing.T) {
	for _, mode := range []string{"loop", "sleep"} {
		t.Run(mode, func(t *testing.T) {
			tr := start(t, mode)
			wantErr(t, "request to a stranger", Cont(tr.pid, 0), unix.ESRCH)
			wantErr(t, "interrupt of a stranger", Interrupt(tr.pid), unix.ESRCH)
			wantErr(t, "unknown option", Seize(tr.pid, 1<<30), unix.EIO)
			must(t, Seize(tr.pid, OptTraceSysgood))
			wantErr(t, "seized twice", Seize(tr.pid, 0), unix.EPERM)
			wantErr(t, "attached twice", Attach(tr.pid), unix.EPERM)
			wantErr(t, "running tracee", Cont(tr.pid, 0), unix.ESRCH)
			must(t, Interrupt(tr.pid))
			ws := tr.wait()
			if ws.Event() != EventStop || ws.StopSignal() != unix.SIGTRAP || ws.GroupStop() || ws.SignalStop() {
				t.Fatalf("status %#x: %v", uint32(ws), ws)
			}
			wantErr(t, "impossible signal", Cont(tr.pid, 200), unix.EIO)
			wantErr(t, "impossible signal", Detach(tr.pid, 200), unix.EIO)
			wantErr(t, "unknown request", do(0x4fff, tr.pid, 0, 0), unix.EIO)
			must(t, Detach(tr.pid, 0))
			wantErr(t, "detached", Cont(tr.pid, 0), unix.ESRCH)
			must(t, Seize(tr.pid, 0))
		})
	}
}

func TestAttach(t *testing.T) {
	tr := start(t, "sleep")
	must(t, Attach(tr.pid))
	ws := tr.wait()
	if !ws.SignalStop() || ws.StopSignal() != unix.SIGSTOP {
		t.Fatalf("status %#x: %v", uint32(ws), ws)
	}
	wantErr(t, "interrupt needs seize", Interrupt(tr.pid), unix.EIO)
	wantErr(t, "listen needs seize", Listen(tr.pid), unix.EIO)
	must(t, Cont(tr.pid, unix.SIGSTOP))
	// Without seize a group-stop looks like the signal, but has no siginfo.
	ws = tr.wait()
	if ws.StopSignal() != unix.SIGSTOP || ws.GroupStop() {
		t.Fatalf("status %#x: %v", uint32(ws), ws)
	}
	var si Siginfo
	wantErr(t, "siginfo of a group-stop", GetSiginfo(tr.pid, &si), unix.EINVAL)
	wantErr(t, "siginfo of a group-stop", SetSiginfo(tr.pid, &si), unix.EINVAL)
}

func TestAttachErrors(t *testing.T) {
	runtime.LockOSThread()
	for _, a := range []struct {
		name string
		f    func(int) error
	}{
		{"Attach", Attach},
		{"Seize", func(tid int) error { return Seize(tid, 0) }},
	} {
		wantErr(t, a.name+" own process", a.f(os.Getpid()), unix.EPERM)
		wantErr(t, a.name+" own thread", a.f(unix.Gettid()), unix.EPERM)
		wantErr(t, a.name+" kernel thread", a.f(2), unix.EPERM)
		wantErr(t, a.name+" nobody", a.f(1<<22+1), unix.ESRCH)
	}
}

// A user without rights gets EPERM for another user's process.
func TestAttachUnprivileged(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("changes its user id; needs root")
	}
	tr := start(t, "sleep")
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), roleVar+"=unprivileged", "TARGET="+itoa(tr.pid))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

func TestListen(t *testing.T) {
	tr := start(t, "stop")
	tr.seize(0)
	wantErr(t, "listen in an interrupt-stop is allowed", Listen(tr.pid), nil)
	must(t, Interrupt(tr.pid))
	if ws := tr.wait(); ws.Event() != EventStop {
		t.Fatal(ws)
	}
	must(t, Cont(tr.pid, 0))
	tr.proceed()
	ws := tr.wait()
	if !ws.SignalStop() || ws.StopSignal() != unix.SIGSTOP {
		t.Fatal(ws)
	}
	wantErr(t, "listen in a signal-stop", Listen(tr.pid), unix.EIO)
	must(t, Cont(tr.pid, unix.SIGSTOP))
	ws = tr.wait()
	if !ws.GroupStop() || ws.StopSignal() != unix.SIGSTOP {
		t.Fatal(ws)
	}
	must(t, Listen(tr.pid))
	wantErr(t, "request while listening", Cont(tr.pid, 0), unix.ESRCH)
	must(t, unix.Kill(tr.pid, unix.SIGCONT))
	ws = tr.wait()
	if ws.Event() != EventStop || ws.StopSignal() != unix.SIGTRAP {
		t.Fatalf("after SIGCONT: %v", ws)
	}
	must(t, Cont(tr.pid, 0))
	if ws = tr.wait(); !ws.SignalStop() || ws.StopSignal() != unix.SIGCONT {
		t.Fatal(ws)
	}
	must(t, Cont(tr.pid, unix.SIGCONT))
	if ws = tr.wait(); ws.ExitStatus() != 5 {
		t.Fatal(ws)
	}
}

func TestKill(t *testing.T) {
	tr := start(t, "sleep")
	wantErr(t, "kill of a stranger", Kill(tr.pid), unix.ESRCH)
	tr.seize(0)
	must(t, Kill(tr.pid))
	ws := tr.wait()
	if !ws.Signaled() || ws.Signal() != unix.SIGKILL || ws.CoreDump() {
		t.Fatal(ws)
	}
	wantErr(t, "dead tracee", Cont(tr.pid, 0), unix.ESRCH)
	_, _, err := Wait4(tr.pid, unix.WALL, nil)
	wantErr(t, "reaped", err, unix.ECHILD)
}

// A tracee that is killed in a stop answers with ESRCH.
func TestKilledInStop(t *testing.T) {
	tr := start(t, "sleep")
	tr.seize(0)
	must(t, unix.Kill(tr.pid, unix.SIGKILL))
	if ws := tr.wait(); ws.Signal() != unix.SIGKILL {
		t.Fatal(ws)
	}
	var r Regs
	wantErr(t, "GetRegs", GetRegs(tr.pid, &r), unix.ESRCH)
	var info SyscallInfo
	_, err := GetSyscallInfo(tr.pid, &info)
	wantErr(t, "GetSyscallInfo", err, unix.ESRCH)
}

func TestTraceme(t *testing.T) {
	runtime.LockOSThread()
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), roleVar+"=traceme", "PROGRAM="+traceeProgram)
	must(t, cmd.Start())
	pid := cmd.Process.Pid
	cmd.Process.Release()
	t.Cleanup((&tracee{t: t, pid: pid, in: os.NewFile(^uintptr(0), "")}).end)
	// The Go runtime of the child may be signalled by its scheduler before the exec.
	ws := waitFor(t, pid)
	for ws.SignalStop() && ws.StopSignal() == unix.SIGURG {
		must(t, Cont(pid, unix.SIGURG))
		ws = waitFor(t, pid)
	}
	if !ws.SignalStop() || ws.StopSignal() != unix.SIGTRAP {
		t.Fatalf("after execve: %v", ws)
	}
	must(t, SetOptions(pid, OptExitKill))
	must(t, Cont(pid, 0))
	if ws = waitFor(t, pid); ws.ExitStatus() != 4 {
		t.Fatal(ws)
	}
}
