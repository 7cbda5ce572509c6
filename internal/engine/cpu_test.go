package engine

import (
	"os/exec"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

// The processors that a thread is restricted to while it is traced are a secret to it.
func TestPinIsInvisible(t *testing.T) {
	if runtime.NumCPU() < 2 {
		t.Skip("one processor")
	}
	program := fixture(t, "affinity")
	native, err := exec.Command(program).Output()
	if err != nil {
		t.Fatal(err)
	}
	all, some := Options{Follow: true}, filterOptions(true, unix.SYS_GETPPID)
	for _, opts := range []Options{all, {}, some} {
		opts.Pin = PinAuto
		r := newRecorder()
		e := start(t, opts, r)
		_, out := begin(t, e, program)
		if err := e.Run(); err != nil {
			t.Fatal(err)
		}
		if got := out(); got != string(native) {
			t.Errorf("follow %v, filter %v: traced\n%s\nnatively\n%s", opts.Follow, opts.filtering(), got, native)
		}
		t.Log("pinned", e.pin.pinned, "times")
		if e.pin.pinned == 0 && !e.pin.tooSlow && !opts.filtering() {
			t.Error("it was never pinned")
		}
		if e.pin.cur != nil {
			t.Error("still pinned")
		}
		var own, all unix.CPUSet
		if unix.SchedGetaffinity(e.tid, &own) != nil || unix.SchedGetaffinity(0, &all) != nil || own != all {
			t.Errorf("the engine's thread has %d processors, others %d", own.Count(), all.Count())
		}
	}
}

// A detach ends the restriction.
func TestDetachEndsPin(t *testing.T) {
	if runtime.NumCPU() < 2 {
		t.Skip("one processor")
	}
	r := newRecorder()
	e := start(t, Options{Pin: PinAuto}, r)
	pinned := make(chan struct{})
	r.onEnter = func(th *Thread) {
		if e.pin.cur == th || e.pin.tooSlow {
			r.onEnter = nil
			close(pinned)
		}
	}
	l, _ := begin(t, e, fixture(t, "states"), "calls")
	pid := l.Thread.TID
	wait := running(t, e)
	<-pinned
	if err := e.DetachAll(); err != nil {
		t.Fatal(err)
	}
	wait()
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(pid, &set); err != nil || set.Count() < 2 {
		t.Errorf("%d processors after the detach, %v", set.Count(), err)
	}
	_ = unix.Kill(pid, unix.SIGKILL)
	var ws unix.WaitStatus
	if _, err := unix.Wait4(pid, &ws, 0, nil); err != nil {
		t.Error(err)
	}
}
