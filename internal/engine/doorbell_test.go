package engine

import (
	"os"
	"os/signal"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// Mail gets through while the engine sleeps in wait4, from many goroutines at once.
func TestDoorbell(t *testing.T) {
	r := newRecorder()
	e := start(t, Options{}, r)
	l, _ := begin(t, e, fixture(t, "states"), "sleep")
	wait := running(t, e)
	var wg sync.WaitGroup
	ran := make([]int, 8)
	for i := range ran {
		wg.Go(func() {
			for range 200 {
				if err := e.Do(func() { ran[i]++ }); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	for i, n := range ran {
		if n != 200 {
			t.Errorf("goroutine %d: %d calls", i, n)
		}
	}
	// A host program that asks os/signal for all signals takes the handler away.
	c := make(chan os.Signal, 16)
	signal.Notify(c, bellSignal)
	defer signal.Stop(c)
	for range 20 {
		if err := e.Do(func() {}); err != nil {
			t.Fatal(err)
		}
	}
	if err := e.KillAll(); err != nil {
		t.Fatal(err)
	}
	wait()
	if st := r.lastExit(t, l.Thread.TID); st.Signal != unix.SIGKILL {
		t.Errorf("exit %+v", st)
	}
}

// Stops do not interrupt this process with SIGCHLD, but children's exits do.
func TestNoSIGCHLDForStops(t *testing.T) {
	c := make(chan os.Signal, 1000)
	signal.Notify(c, unix.SIGCHLD)
	defer signal.Stop(c)
	r := newRecorder()
	trace(t, Options{}, r, fixture(t, "vforkwait"))
	n := 0
	for len(c) > 0 {
		<-c
		n++
	}
	if stops := len(r.lines); n > stops/4 {
		t.Errorf("%d SIGCHLD for %d lines", n, stops)
	}
}

// The flag of SIGCHLD's action is as before when no engine is left.
func TestSIGCHLDRestored(t *testing.T) {
	flags := func() uint64 {
		var act sigaction
		if err := rtSigaction(unix.SIGCHLD, nil, &act); err != nil {
			t.Fatal(err)
		}
		return act.flags & saNoCldStop
	}
	if flags() != 0 {
		t.Skip("the flag is set without an engine")
	}
	a, b := New(Options{}, Ignore{}), New(Options{}, Ignore{})
	if flags() == 0 {
		t.Error("not set with two engines")
	}
	a.Close()
	if flags() == 0 {
		t.Error("not set with one engine")
	}
	b.Close()
	if flags() != 0 {
		t.Error("set without an engine")
	}
}

// Resource usage comes with the stops.
func TestRusage(t *testing.T) {
	r := newRecorder()
	var first, last int64
	r.onEnter = func(th *Thread) {
		last = th.Rusage.Utime.Nano() + th.Rusage.Stime.Nano() + th.Rusage.Minflt
		if first == 0 {
			first = last
		}
	}
	trace(t, Options{Rusage: true}, r, "/bin/ls", "/")
	if first <= 0 || last <= first {
		t.Errorf("usage %d at first, %d at last", first, last)
	}
}
