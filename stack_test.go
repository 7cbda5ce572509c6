package farcall_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"farcall"
	"farcall/event"
)

const stackProgram = `#include <unistd.h>
#include <pthread.h>
__attribute__((noinline)) void inner(int n) { write(1, "x", n); __asm__ volatile(""); }
__attribute__((noinline)) void outer(void) { inner(1); __asm__ volatile(""); }
static void *thread(void *p) { inner(0); return p; }
int main(int argc, char **argv)
{
	pthread_t t;
	outer();
	pthread_create(&t, 0, thread, 0);
	pthread_join(t, 0);
	if (argc == 1)
		execl(argv[0], argv[0], "again", (char *)0);
	return 0;
}
`

func compileStackProgram(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	src, out := filepath.Join(dir, "p.c"), filepath.Join(dir, "p")
	if err := os.WriteFile(src, []byte(stackProgram), 0o644); err != nil {
		t.Fatal(err)
	}
	if b, err := exec.Command("gcc", "-O1", "-pthread", src, "-o", out).CombinedOutput(); err != nil {
		t.Fatalf("gcc: %v\n%s", err, b)
	}
	return out
}

func functions(stack []event.StackFrame) (out []string) {
	for _, f := range stack {
		out = append(out, f.Symbol)
	}
	return out
}

// TestTaskStack asks for stacks from an observer, at entries and exits, of both threads, across an execve.
func TestTaskStack(t *testing.T) {
	tr := farcall.New(farcall.Options{Follow: true, Calls: calls(t, "write,execve")})
	main, threads, execs := 0, 0, 0
	tr.Observe(func(task *farcall.Task, ev *event.Event) {
		if ev.Kind != event.CallEntry && ev.Kind != event.CallExit {
			return
		}
		stack := task.Stack()
		names := functions(stack)
		switch {
		case ev.Stack != nil:
			t.Error("an event carries a stack that nobody asked for")
		case ev.Call.Desc.Name == "execve" && ev.Kind == event.CallExit && !ev.Call.Failed && len(stack) > 0:
			if execs++; stack[0].Offset != 0 || names[0] != "_start" && names[0] != "" {
				t.Errorf("after execve: %q", names)
			}
		case ev.Call.Desc.Name != "write":
		case len(names) < 3 || names[0] != "write" || names[1] != "inner":
			t.Errorf("%v: %q", ev.Kind, names)
		case names[2] == "outer" && slices.Contains(names, "main"):
			main++
		case names[2] == "thread" && task.TID != task.PID:
			threads++
		default:
			t.Errorf("%v: %q", ev.Kind, names)
		}
	})
	cmd, _ := command(t, compileStackProgram(t))
	if err := tr.Run(context.Background(), cmd); err != nil {
		t.Fatal(err)
	}
	if main != 4 || threads != 4 || execs != 2 {
		t.Errorf("%d stacks of main, %d of threads, %d after execve; want 4, 4 and 2", main, threads, execs)
	}
}

// TestEventStacks: events carry the stacks that were asked for; those of calls that leave nothing of it
// are from the entry.
func TestEventStacks(t *testing.T) {
	tr := farcall.New(farcall.Options{Follow: true, Calls: calls(t, "write,execve,exit_group"), Stacks: farcall.StackOptions{
		Limit: 3,
		Attach: func(_ *farcall.Task, ev *event.Event) bool {
			return ev.Kind == event.CallExit || farcall.Unwinds(ev.Call.Desc)
		},
	}})
	seen := map[string]int{}
	tr.Observe(func(_ *farcall.Task, ev *event.Event) {
		switch {
		case ev.Kind == event.Exited:
		case ev.Kind != event.CallExit:
			return
		}
		names := functions(ev.Stack)
		if len(names) > 3 {
			t.Errorf("%d frames", len(names))
		}
		name := ev.Kind.String()
		if ev.Kind == event.CallExit {
			name = ev.Call.Desc.Name
		}
		for _, n := range names {
			seen[name+" "+n]++
		}
	})
	cmd, _ := command(t, compileStackProgram(t))
	if err := tr.Run(context.Background(), cmd); err != nil {
		t.Fatal(err)
	}
	for _, want := range []struct {
		key string
		n   int
	}{
		{"write inner", 4}, {"write outer", 2}, {"write thread", 2}, // two threads, two programs
		{"execve execve", 1}, {"execve execl", 1}, {"execve main", 1}, // the second one's, from before it
	} {
		if seen[want.key] != want.n {
			t.Errorf("%s: %d times, want %d (%v)", want.key, seen[want.key], want.n, seen)
		}
	}
	if seen["exit _exit"]+seen["exit _Exit"] != 1 { // two names of one place
		t.Errorf("the end has no stack: %v", seen)
	}
}
