//go:build !race

// The race detector's instrumentation allocates where the program itself does not.

package farcall

import (
	"context"
	"os/exec"
	"testing"

	"farcall/event"
	"farcall/filter"
)

// atWrite runs a program and calls f once, at its first write.
func atWrite(t testing.TB, f func(task *Task), args ...string) {
	t.Helper()
	set, err := filter.ParseCallSet("write")
	if err != nil {
		t.Fatal(err)
	}
	tr := New(Options{Calls: set})
	done := false
	tr.Observe(func(task *Task, ev *event.Event) {
		if ev.Kind == event.CallEntry && !done {
			done = true
			f(task)
		}
	})
	if err := tr.Run(context.Background(), exec.Command(args[0], args[1:]...)); err != nil {
		t.Fatal(err)
	}
	if !done {
		t.Fatal("no write was seen")
	}
}

// TestStackAllocates holds stacks to no allocation once their files are known.
func TestStackAllocates(t *testing.T) {
	atWrite(t, func(task *Task) {
		if n := len(task.Stack()); n < 4 {
			t.Errorf("%d frames", n)
		}
		if n := testing.AllocsPerRun(100, func() { task.moved(); task.Stack() }); n > 0 {
			t.Errorf("%v allocations for a stack", n)
		}
	}, "ls", "/")
}

// BenchmarkStack takes the stack of a stopped thread: registers, memory, walk and names.
func BenchmarkStack(b *testing.B) {
	atWrite(b, func(task *Task) {
		frames := len(task.Stack())
		b.ReportAllocs()
		for b.Loop() {
			task.moved()
			task.Stack()
		}
		b.ReportMetric(float64(frames), "frames")
	}, "ls", "/")
}

func TestParameters(t *testing.T) {
	for name, want := range map[string]string{
		"main": "", "": "", ")": "", "f(int)": "f", "ns::A<int>::get(int, void (*)(char)) const": "ns::A<int>::get",
		"net/http.(*conn).serve": "", "(anonymous namespace)::f()": "(anonymous namespace)::f", "A::operator()(int)": "A::operator()",
	} {
		if got := name[:parameters(name)]; got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}
