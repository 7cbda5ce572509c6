package doctor

import (
	"os"
	"testing"
	"time"

	"farcall/internal/linux"

	"golang.org/x/sys/unix"
)

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

// idle starts a process that sleeps until the test ends, and gives its id.
func idle(t *testing.T) int {
	t.Helper()
	p, err := linux.StartIdle()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = p.Kill()
		_, _ = p.Wait()
	})
	return p.Pid
}

// TestSeizeLeavesNothing asks about a process while it sleeps: it is neither stopped nor woken.
func TestSeizeLeavesNothing(t *testing.T) {
	pid := idle(t)
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

// TestExamineAttach asks about a process that can be traced, the test itself, and none.
func TestExamineAttach(t *testing.T) {
	const none = 1<<31 - 1 // above every pid_max
	pid := idle(t)
	if p := ExamineAttach(pid); !p.Traceable || p.PID != pid || p.Name == "" || p.Obstacles == nil || len(p.Obstacles) != 0 {
		t.Errorf("child: %+v", p)
	}
	for pid, kind := range map[int]linux.Kind{os.Getpid(): linux.KindSelf, none: linux.KindGone} {
		p := ExamineAttach(pid)
		if p.Traceable || p.PID != pid || len(p.Obstacles) == 0 || p.Obstacles[0].Kind != kind.String() {
			t.Errorf("%v: %+v", kind, p)
		}
	}
}
