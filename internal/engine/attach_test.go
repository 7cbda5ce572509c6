package engine

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"farcall/internal/ptrace"
)

// A target is a process that is not a child of this process.
type target struct {
	t   testing.TB
	cmd *exec.Cmd
	pid int
	in  io.WriteCloser
	out *bufio.Reader
}

func startTarget(t testing.TB, args ...string) *target {
	t.Helper()
	cmd := exec.Command(fixture(t, "parent"), args...)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	tg := &target{t: t, cmd: cmd, in: in, out: bufio.NewReader(out)}
	t.Cleanup(func() {
		if cmd.ProcessState == nil {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		}
	})
	line, err := tg.out.ReadString('\n')
	if err == nil {
		tg.pid, err = strconv.Atoi(strings.TrimSpace(line))
	}
	if err != nil {
		t.Fatal(err)
	}
	return tg
}

// expect reads a line.
func (tg *target) expect(want string) {
	tg.t.Helper()
	got, err := tg.out.ReadString('\n')
	if err != nil || got != want+"\n" {
		tg.t.Fatalf("target says %q (%v), want %q", got, err, want)
	}
}

// end waits for the exit.
func (tg *target) end() syscall.WaitStatus {
	tg.t.Helper()
	tg.in.Close()
	_, _ = io.Copy(io.Discard, tg.out)
	_ = tg.cmd.Wait()
	return tg.cmd.ProcessState.Sys().(syscall.WaitStatus)
}

// waitState waits until a thread is in one of the states.
func waitState(t testing.TB, tid int, states string) {
	t.Helper()
	for i := 0; i < 100_000; i++ {
		st, err := readStatus(tid)
		if err != nil {
			t.Fatalf("thread %d: %v", tid, err)
		}
		if strings.IndexByte(states, st.state) >= 0 {
			return
		}
		runtime.Gosched()
		time.Sleep(50 * time.Microsecond) // a poll, not a synchronisation
	}
	st, _ := readStatus(tid)
	t.Fatalf("thread %d is in state %c, want one of %s", tid, st.state, states)
}

// running runs the engine in the background; the function returned waits for its end.
func running(t testing.TB, e *Engine) func() {
	done := make(chan error, 1)
	go func() { done <- e.Run() }()
	return func() {
		t.Helper()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

// Row 3: detach from a running, sleeping, calling thread and from several: they go on as if nothing had been.
func TestDetach(t *testing.T) {
	for _, classic := range []bool{false, true} {
		for _, state := range []string{"run", "sleep", "calls", "threads"} {
			for i := 0; i < 5; i++ {
				r := newRecorder()
				e := start(t, Options{Follow: true, Classic: classic}, r)
				tg := startTarget(t, fixture(t, "states"), state)
				tg.expect("ready")
				if state != "run" && state != "calls" {
					waitState(t, tg.pid, "S")
				}
				if err := e.Attach(tg.pid); err != nil {
					t.Fatal(err)
				}
				wait := running(t, e)
				if err := e.DetachAll(); err != nil {
					t.Fatal(err)
				}
				wait()
				st, err := readStatus(tg.pid)
				if err != nil || st.tracer != 0 || strings.IndexByte("RS", st.state) < 0 {
					t.Fatalf("%s: after the detach: %+v %v", state, st, err)
				}
				_ = unix.Kill(tg.pid, unix.SIGUSR1)
				if ws := tg.end(); ws.ExitStatus() != 7 {
					t.Errorf("%s: exit %v", state, ws)
				}
				if len(r.exits) != 0 || len(r.signal) != 0 {
					t.Errorf("%s: %d exits, %d signals", state, len(r.exits), len(r.signal))
				}
				e.Close()
			}
		}
	}
}

// Row 3: a stopped target stays stopped, whether it was stopped before the attach or meanwhile.
func TestDetachFromStopped(t *testing.T) {
	for _, before := range []bool{false, true} {
		r := newRecorder()
		e := start(t, Options{Follow: true}, r)
		stopped := make(chan struct{}, 100)
		r.onStopped = func(*Thread, unix.Signal) { stopped <- struct{}{} }
		tg := startTarget(t, fixture(t, "states"), "threads")
		tg.expect("ready")
		if before {
			_ = unix.Kill(tg.pid, unix.SIGSTOP)
			waitState(t, tg.pid, "T")
		}
		if err := e.Attach(tg.pid); err != nil {
			t.Fatal(err)
		}
		wait := running(t, e)
		if !before {
			_ = unix.Kill(tg.pid, unix.SIGSTOP)
		}
		<-stopped
		if err := e.DetachAll(); err != nil {
			t.Fatal(err)
		}
		wait()
		st, err := readStatus(tg.pid)
		if err != nil || st.tracer != 0 {
			t.Fatalf("%+v %v", st, err)
		}
		waitState(t, tg.pid, "T")
		_ = unix.Kill(tg.pid, unix.SIGCONT)
		waitState(t, tg.pid, "RS")
		_ = unix.Kill(tg.pid, unix.SIGUSR1)
		if ws := tg.end(); ws.ExitStatus() != 7 {
			t.Errorf("exit %v", ws)
		}
	}
}

// Rows 3 and 11: a parent that waits in vfork cannot be stopped; DetachAll lets go of it all the same.
func TestDetachFromVfork(t *testing.T) {
	for _, follow := range []bool{true, false} {
		r := newRecorder()
		e := start(t, Options{Follow: follow}, r)
		tg := startTarget(t, fixture(t, "states"), "vfork")
		tg.expect("ready")
		tg.expect("child")
		waitState(t, tg.pid, "D")
		if err := e.Attach(tg.pid); err != nil {
			t.Fatal(err)
		}
		wait := running(t, e)
		if err := e.DetachAll(); err != nil {
			t.Fatal(err)
		}
		wait()
		<-e.ended
		waitUntraced(t, tg.pid)
		if ws := tg.end(); ws.ExitStatus() != 7 {
			t.Errorf("exit %v", ws)
		}
	}
}

// Row 11: the same for a program that was launched, whose vfork was traced.
func TestDetachFromTracedVfork(t *testing.T) {
	r := newRecorder()
	e := start(t, Options{Follow: true}, r)
	pr, pw, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	or, ow, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	l, err := e.Launch(&Program{Path: fixture(t, "states"), Args: []string{"states", "vfork"}, Files: []*os.File{pr, ow, os.Stderr}})
	pr.Close()
	ow.Close()
	if err != nil {
		t.Fatal(err)
	}
	pid := l.Thread.TID
	wait := running(t, e)
	out := bufio.NewReader(or)
	for _, want := range []string{"ready\n", "child\n"} {
		if s, err := out.ReadString('\n'); s != want {
			t.Fatalf("%q %v", s, err)
		}
	}
	waitState(t, pid, "D")
	if err := e.DetachAll(); err != nil {
		t.Fatal(err)
	}
	wait()
	waitUntraced(t, pid)
	pw.Close()
	rest, err := io.ReadAll(out)
	or.Close()
	if err != nil || string(rest) != "done\n" {
		t.Errorf("%q %v", rest, err)
	}
	// It is our child, no more a tracee.
	var ws unix.WaitStatus
	if _, err := unix.Wait4(pid, &ws, 0, nil); err != nil || ws.ExitStatus() != 7 {
		t.Errorf("wait: %v %v", ws, err)
	}
	r.check(t)
}

func waitUntraced(t testing.TB, pid int) {
	t.Helper()
	for i := 0; i < 100_000; i++ {
		st, err := readStatus(pid)
		if err != nil {
			t.Fatal(err)
		}
		if st.tracer == 0 {
			return
		}
		time.Sleep(50 * time.Microsecond)
	}
	t.Fatalf("process %d is still traced", pid)
}

// Rows 1 and 4: attach and detach over and over, under a storm of signals to many threads. None is lost or
// doubled, nothing is stopped, and the program ends as it does alone.
func TestAttachCyclesUnderSignals(t *testing.T) {
	for _, classic := range []bool{false, true} {
		tg := startTarget(t, fixture(t, "storm"))
		tg.expect("ready")
		for i := 0; i < pick(40, 1000); i++ {
			r := newRecorder()
			seen := make(chan struct{})
			n := 0
			r.onEnter = func(*Thread) {
				if n++; n == i%50+1 {
					close(seen)
				}
			}
			e := New(Options{Follow: true, Classic: classic}, r)
			if err := e.Attach(tg.pid); err != nil {
				t.Fatalf("cycle %d: %v", i, err)
			}
			wait := running(t, e)
			if i%3 != 0 {
				<-seen
			}
			if err := e.DetachAll(); err != nil {
				t.Fatalf("cycle %d: %v", i, err)
			}
			wait()
			e.Close()
			if len(r.exits) != 0 {
				t.Fatalf("cycle %d: %+v", i, r.exits)
			}
		}
		_, _ = io.WriteString(tg.in, "x")
		tg.in.Close()
		tg.expect("1 1")
		if ws := tg.end(); ws.ExitStatus() != 9 {
			t.Errorf("classic %v: exit %v", classic, ws)
		}
	}
}

// Row 4: Interrupts at any time do nothing but stop for a moment.
func TestStrayInterrupts(t *testing.T) {
	r := newRecorder()
	e := start(t, Options{Follow: true}, r)
	tg := startTarget(t, fixture(t, "storm"))
	tg.expect("ready")
	if err := e.Attach(tg.pid); err != nil {
		t.Fatal(err)
	}
	wait := running(t, e)
	for seen, i := 0, 0; i < 300 || seen < 20; i++ {
		if err := e.Do(func() {
			seen = len(r.signal)
			for tid := range e.threads {
				_ = ptrace.Interrupt(tid)
			}
		}); err != nil {
			t.Fatal(err)
		}
	}
	tg.in.Close()
	tg.expect("1 1")
	wait()
	r.check(t)
	if ws := tg.end(); ws.ExitStatus() != 9 {
		t.Errorf("exit %v", ws)
	}
	for _, l := range r.lines {
		if strings.Contains(l, "stopped") {
			t.Errorf("a group-stop was reported: %s", l)
			break
		}
	}
}

// Row 8: attach while a process executes again and again, by changing threads.
func TestAttachDuringExec(t *testing.T) {
	for i := 0; i < pick(40, 300); i++ {
		r := newRecorder()
		e := start(t, Options{Follow: true, Classic: i%2 != 0}, r)
		tg := startTarget(t, fixture(t, "execthread"), "race", "8")
		err := e.Attach(tg.pid)
		var ae *AttachError
		if err != nil && !errors.As(err, &ae) {
			t.Fatal(err)
		}
		if err == nil {
			if err := e.Run(); err != nil {
				t.Fatal(err)
			}
		} else if ae.Cause != CauseGone && ae.Cause != CauseZombie {
			t.Fatal(err)
		}
		if ws := tg.end(); ws.ExitStatus() != 5 {
			t.Fatalf("round %d: exit %v", i, ws)
		}
		if n := len(e.threads) + len(e.procs); n != 0 {
			t.Fatalf("round %d: %d threads or processes left", i, n)
		}
		e.Close()
	}
}

// Row 10: attach to a process whose leader is a zombie.
func TestAttachZombieLeader(t *testing.T) {
	for _, classic := range []bool{false, true} {
		r := newRecorder()
		e := start(t, Options{Follow: true, Classic: classic}, r)
		tg := startTarget(t, fixture(t, "zombieleader"))
		tg.expect("zombie")
		if err := e.Attach(tg.pid); err != nil {
			t.Fatal(err)
		}
		wait := running(t, e)
		tg.in.Close()
		tg.expect("end")
		wait()
		if ws := tg.end(); ws.ExitStatus() != 3 {
			t.Errorf("exit %v", ws)
		}
		if len(r.exits) != 1 || r.enters[unix.SYS_GETPPID] != 1 {
			t.Errorf("%d exits, %d getppid", len(r.exits), r.enters[unix.SYS_GETPPID])
		}
	}
}

// Row 12: the call that the attach interrupted is known when it is restarted.
func TestAttachInterruptsSleep(t *testing.T) {
	r := newRecorder()
	e := start(t, Options{}, r)
	var resumes *Call
	seen := make(chan struct{})
	r.onEnter = func(th *Thread) {
		if th.Call.Resumes != nil && resumes == nil {
			resumes = th.Call.Resumes
			close(seen)
		}
	}
	tg := startTarget(t, fixture(t, "states"), "sleep")
	tg.expect("ready")
	waitState(t, tg.pid, "S")
	if err := e.Attach(tg.pid); err != nil {
		t.Fatal(err)
	}
	wait := running(t, e)
	<-seen
	if resumes.Number != unix.SYS_NANOSLEEP && resumes.Number != unix.SYS_CLOCK_NANOSLEEP || resumes.Entered {
		t.Errorf("resumes %+v", resumes)
	}
	_ = unix.Kill(tg.pid, unix.SIGUSR1)
	wait()
	if ws := tg.end(); ws.ExitStatus() != 7 {
		t.Errorf("exit %v", ws)
	}
}

// Row 20: threads born during the attach are all found.
func TestThreadsBornDuringAttach(t *testing.T) {
	for i := 0; i < pick(20, 200); i++ {
		r := newRecorder()
		e := start(t, Options{Follow: true}, r)
		tg := startTarget(t, fixture(t, "births"))
		tg.expect("ready")
		var missed []int
		held := make(chan bool)
		r.onHeld = func(*Thread) {
			defer close(held)
			ids, err := tasks(tg.pid)
			if err != nil {
				r.wrongf("%v", err)
			}
			for _, tid := range ids {
				if st, err := readStatus(tid); err == nil && st.tracer == 0 && st.state != 'Z' && st.state != 'X' {
					missed = append(missed, tid)
				}
			}
		}
		if err := e.Attach(tg.pid); err != nil {
			t.Fatal(err)
		}
		wait := running(t, e)
		<-held
		if len(missed) != 0 {
			t.Fatalf("round %d: %v are not traced", i, missed)
		}
		tg.in.Close()
		wait()
		r.check(t)
		tg.end()
		e.Close()
	}
}

// Row 21: a tracer can be traced; a process that traces us cannot. (With Follow the inner tracer's children would belong to the outer
// one: a thread has one tracer.)
func TestNestedTracing(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	r := newRecorder()
	e := start(t, Options{}, r)
	pr, pw, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	// The inner tracer launches echo, and tries to attach to this process, which traces it.
	l, err := e.Launch(&Program{Path: self, Args: []string{"inner", strconv.Itoa(os.Getpid())},
		Env: append(os.Environ(), "ENGINE_TEST_ROLE=inner"), Files: []*os.File{nil, pw, os.Stderr}})
	pw.Close()
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Run(); err != nil {
		t.Fatal(err)
	}
	out, err := io.ReadAll(pr)
	pr.Close()
	if err != nil || string(out) != "hello\ninner saw 1\n" {
		t.Errorf("output %q, %v", out, err)
	}
	if st := r.lastExit(t, l.Thread.TID); st != (Status{}) {
		t.Errorf("exit %+v", st)
	}
}

func init() {
	roles["inner"] = func() int {
		r := newRecorder()
		e := New(Options{Follow: true}, r)
		defer e.Close()
		outer, _ := strconv.Atoi(os.Args[1])
		var ae *AttachError
		if err := e.Attach(outer); !errors.As(err, &ae) || ae.Cause != CauseCycle || ae.Tracer != outer {
			fmt.Println("attach to the tracer:", err)
			return 1
		}
		if _, err := e.Launch(&Program{Path: "/bin/echo", Args: []string{"echo", "hello"}}); err != nil {
			fmt.Println(err)
			return 2
		}
		if err := e.Run(); err != nil {
			fmt.Println(err)
			return 3
		}
		fmt.Println("inner saw", r.enters[unix.SYS_WRITE])
		return 0
	}
}

// The reasons for a failed attach are told apart.
func TestAttachErrors(t *testing.T) {
	e := start(t, Options{}, newRecorder())
	other := start(t, Options{}, newRecorder())
	traced := startTarget(t, fixture(t, "states"), "sleep")
	traced.expect("ready")
	if err := other.Attach(traced.pid); err != nil {
		t.Fatal(err)
	}
	zombie := exec.Command("/bin/true")
	if err := zombie.Start(); err != nil {
		t.Fatal(err)
	}
	waitState(t, zombie.Process.Pid, "Z")
	var ownThread int
	if err := other.Do(func() { ownThread = unix.Gettid() }); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name  string
		pid   int
		cause Cause
	}{
		{"none", 1 << 22, CauseGone}, {"self", os.Getpid(), CauseSelf}, {"own thread", ownThread, CauseSelf},
		{"traced", traced.pid, CauseTraced}, {"zombie", zombie.Process.Pid, CauseZombie}, {"kernel", 2, CauseKernel},
	} {
		if tc.cause == CauseKernel && !isKernelThread(tc.pid) {
			continue // in a pid namespace of its own
		}
		err := e.Attach(tc.pid)
		var ae *AttachError
		if !errors.As(err, &ae) || ae.Cause != tc.cause {
			t.Errorf("%s: %v, want %v", tc.name, err, tc.cause)
		} else if tc.cause == CauseTraced && ae.Tracer != os.Getpid() {
			t.Errorf("%s: tracer %d", tc.name, ae.Tracer)
		}
	}
	_ = zombie.Wait()
	wait := running(t, other)
	_ = unix.Kill(traced.pid, unix.SIGUSR1)
	wait()
	traced.end()
}

// Row 17: when the tracer dies its tracees go on, or die with it.
func TestTracerDies(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, how := range []string{"live", "kill"} {
		for _, state := range []string{"sleep", "calls", "run"} {
			tg := startTarget(t, fixture(t, "states"), state)
			tg.expect("ready")
			tracer := exec.Command(self, strconv.Itoa(tg.pid), how)
			tracer.Env = append(os.Environ(), "ENGINE_TEST_ROLE=dying")
			out, err := tracer.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := tracer.Start(); err != nil {
				t.Fatal(err)
			}
			var b [1]byte
			if _, err := out.Read(b[:]); err != nil {
				t.Fatal(err)
			}
			_ = tracer.Process.Kill()
			_ = tracer.Wait()
			if how == "live" {
				_ = unix.Kill(tg.pid, unix.SIGUSR1)
			}
			ws := tg.end()
			if how == "live" && ws.ExitStatus() != 7 || how == "kill" && (!ws.Signaled() || ws.Signal() != syscall.SIGKILL) {
				t.Errorf("%s %s: %v", how, state, ws)
			}
		}
	}
}

func init() {
	roles["dying"] = func() int {
		pid, _ := strconv.Atoi(os.Args[1])
		r := newRecorder()
		e := New(Options{Follow: true, KillOnExit: os.Args[2] == "kill"}, r)
		if err := e.Attach(pid); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		go func() {
			_ = e.Do(func() {})
			fmt.Print("x")
		}()
		_ = e.Run()
		return 0
	}
}

// Row 27: other children of the program are not reaped, several tracers work side by side, and the
// signals by which the runtime preempts goroutines disturb nothing.
func TestBesideOtherChildren(t *testing.T) {
	const tracers, children = 3, 30
	stop := make(chan struct{})
	spun := make(chan struct{})
	go func() { // keeps the garbage collector, and so SIGURG, busy
		defer close(spun)
		var keep [][]byte
		for {
			select {
			case <-stop:
				return
			default:
				keep = append(keep[:len(keep)%64], make([]byte, 1<<16))
			}
		}
	}()
	errs := make(chan error, tracers+1)
	for i := 0; i < tracers; i++ {
		go func() {
			r := newRecorder()
			e := New(Options{Follow: true}, r)
			defer e.Close()
			for j := 0; j < 5; j++ {
				if _, err := e.Launch(&Program{Path: "/bin/sh", Args: []string{"sh", "-c", "/bin/true; /bin/true"}}); err != nil {
					errs <- err
					return
				}
			}
			err := e.Run()
			if err == nil && len(r.exits) != 5+len(r.made) {
				err = fmt.Errorf("%d exits, %d created", len(r.exits), len(r.made))
			}
			errs <- err
		}()
	}
	go func() {
		for i := 0; i < children; i++ {
			cmd := exec.Command("/bin/sh", "-c", "exit "+strconv.Itoa(i))
			err := cmd.Run()
			if cmd.ProcessState == nil || cmd.ProcessState.ExitCode() != i {
				errs <- fmt.Errorf("child %d: %v", i, err)
				return
			}
		}
		errs <- nil
	}()
	for i := 0; i < tracers+1; i++ {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	close(stop)
	<-spun
}

// Row 27: the engine's thread is not the process's main thread, and gone after the last detach has had to rely on its end.
func TestEngineThread(t *testing.T) {
	for i := 0; i < 20; i++ {
		e := New(Options{}, Ignore{})
		tid := 0
		if err := e.Do(func() { tid = unix.Gettid() }); err != nil {
			t.Fatal(err)
		}
		if tid == os.Getpid() || tid != e.tid {
			t.Errorf("thread %d of process %d", tid, os.Getpid())
		}
		if err := e.Run(); err != nil { // nothing to do
			t.Error(err)
		}
		e.Close()
		e.Close()
		if err := e.Run(); err != ErrClosed {
			t.Errorf("Run after Close: %v", err)
		}
	}
}
