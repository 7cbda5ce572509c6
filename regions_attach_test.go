package farcall_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"farcall"
	"farcall/event"

	"golang.org/x/sys/unix"
)

// text reads the executable segments that a process has of its program, and those of the file.
func text(t *testing.T, pid int, program string) (memory, file []byte) {
	t.Helper()
	maps, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", pid))
	if err != nil {
		t.Fatal(err)
	}
	mem, err := os.Open(fmt.Sprintf("/proc/%d/mem", pid))
	if err != nil {
		t.Fatal(err)
	}
	defer mem.Close()
	for line := range strings.Lines(string(maps)) {
		var from, to, offset int64
		var mode, dev, path string
		var inode int
		if n, _ := fmt.Sscanf(line, "%x-%x %s %x %s %d %s", &from, &to, &mode, &offset, &dev, &inode, &path); n != 7 || mode[2] != 'x' || inode == 0 {
			continue
		}
		b := make([]byte, to-from)
		if _, err := mem.ReadAt(b, from); err != nil {
			t.Fatal(err)
		}
		whole, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		f := make([]byte, to-from)
		copy(f, whole[min(offset, int64(len(whole))):])
		memory, file = append(memory, b...), append(file, f...)
	}
	return memory, file
}

// interactive starts the fixture untraced: it does something for every byte it is sent.
func interactive(t *testing.T, what string) (cmd *exec.Cmd, send func(answer string)) {
	t.Helper()
	first := "inside"
	if what == "wait" {
		first = "ready"
	}
	return conversation(t, first, regionFixture(t, "cases.c", "-foptimize-sibling-calls", "-ldl"), what)
}

// conversation starts a program untraced that says first, and then something for every byte it is sent.
func conversation(t *testing.T, first string, argv ...string) (cmd *exec.Cmd, send func(answer string)) {
	t.Helper()
	cmd = exec.Command(argv[0], argv[1:]...)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { in.Close(); _ = cmd.Process.Kill(); _ = cmd.Wait() })
	r := bufio.NewReader(stdout)
	wait := func(answer string) {
		t.Helper()
		if line, err := r.ReadString('\n'); err != nil && err != io.EOF || line != answer+"\n" {
			t.Fatalf("the program said %q, not %q", line, answer)
		}
	}
	wait(first)
	return cmd, func(answer string) {
		t.Helper()
		if _, err := in.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
		wait(answer)
	}
}

// After a detach the program's text is as in its file, and the program goes on.
func TestRegionDetach(t *testing.T) {
	for _, hw := range []bool{false, true} {
		cmd, send := interactive(t, "wait")
		l := newRegionLog()
		tr := farcall.New(farcall.Options{Regions: farcall.Regions{In: []string{"inner", "out"}, Hardware: hw}})
		tr.Observe(l.observe)
		done := follow(t, tr, cmd.Process.Pid)
		send("done")
		memory, file := text(t, cmd.Process.Pid, cmd.Path)
		if !hw && bytes.Equal(memory, file) {
			t.Error("the text has no breakpoint while the program is traced")
		}
		if err := tr.Detach(); err != nil {
			t.Error(err)
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
		if memory, file = text(t, cmd.Process.Pid, cmd.Path); !bytes.Equal(memory, file) {
			t.Errorf("hw %v: the text differs from the file's", hw)
		}
		send("done")
		if l.enters != 2 || l.ends["return"] != 2 || l.calls["getppid"] != 2 || l.calls["getuid"] != 1 {
			t.Errorf("hw %v: %d entries, ends %v, calls %v", hw, l.enters, l.ends, l.calls)
		}
	}
}

// follow attaches to a process, and tells how its trace ended.
func follow(t *testing.T, tr *farcall.Tracer, pid int) <-chan error {
	t.Helper()
	if err := tr.Attach(pid); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- tr.Wait() }()
	return done
}

// attached traces a program that is running already until it has answered twice. It begins when that many stays are seen that its threads are in.
func attached(t *testing.T, o farcall.Options, inside int, argv ...string) (*regionLog, error) {
	t.Helper()
	cmd, send := conversation(t, "ready", argv...)
	untilReading(t, cmd.Process.Pid)
	l := newRegionLog()
	tr := farcall.New(o)
	tr.Observe(l.observe)
	begun := make(chan bool)
	tr.Observe(func(_ *farcall.Task, ev *event.Event) {
		if ev.Kind == event.RegionEntry && l.enters == inside {
			close(begun)
		}
	})
	done := follow(t, tr, cmd.Process.Pid)
	select {
	case <-begun:
	case err := <-done:
		t.Fatalf("%v: ended with %v", argv, err)
	case <-time.After(time.Minute):
		_ = tr.Detach()
		t.Fatalf("%v: %d entries of %d: %v", argv, l.enters, inside, <-done)
	}
	send("ready")
	send("ready")
	_ = tr.Detach()
	err := <-done
	if memory, file := text(t, cmd.Process.Pid, cmd.Path); !bytes.Equal(memory, file) {
		t.Errorf("%v: the text differs from the file's", argv)
	}
	send("ready")
	return l, err
}

// untilReading waits until a thread of a process reads its standard input. Before that a goroutine may be between two threads:
// after a call that took long it waits for its turn.
func untilReading(t *testing.T, pid int) {
	t.Helper()
	for {
		calls, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/syscall", pid))
		if err != nil || len(calls) == 0 {
			t.Fatalf("process %d has no threads: %v", pid, err)
		}
		for _, call := range calls {
			if b, _ := os.ReadFile(call); strings.HasPrefix(string(b), fmt.Sprintf("%d 0x0 ", unix.SYS_READ)) {
				return
			}
		}
		runtime.Gosched()
	}
}

// Threads that are in a function when the tracer comes are in the region, as deep as their stacks show, and leave it.
func TestRegionAttachInside(t *testing.T) {
	const threads, depth = 3, 7
	for _, flags := range [][]string{{"-O0"}, {"-O2", "-fno-optimize-sibling-calls"}, {"-O2", "-fno-optimize-sibling-calls", "-static"},
		{"-O0", "-fomit-frame-pointer", "-no-pie"}} {
		for _, hw := range []bool{false, true} {
			if hw && runtime.GOARCH != "amd64" {
				continue
			}
			l, err := attached(t, farcall.Options{Regions: farcall.Regions{In: []string{"rec"}, Hardware: hw}}, threads*(depth+1), regionFixture(t, "inside.c", flags...),
				fmt.Sprint(threads), fmt.Sprint(depth))
			if err != nil {
				t.Errorf("%v hw %v: %v", flags, hw, err)
			}
			// Of three rounds the first was begun before the attach, and the last is not over at the detach.
			const stays = threads * (depth + 1)
			if l.inside != stays || l.enters != 3*stays || l.ends["return"] != 2*stays || l.ends["detach"] != stays || l.depth != depth+1 ||
				l.calls["getppid"] != 2*threads || l.calls["getuid"] != 0 {
				t.Errorf("%v hw %v: %d entries, %d before the attach, ends %v, calls %v, depth %d", flags, hw, l.enters, l.inside, l.ends, l.calls, l.depth)
			}
			for _, r := range l.results {
				if r != depth {
					t.Errorf("%v hw %v: the outermost returned %d", flags, hw, r)
				}
			}
		}
	}
}

// The main of a program without symbols, which was found from its start code, and of which frame information tells the extent.
func TestRegionAttachInsideMain(t *testing.T) {
	program := regionFixture(t, "cases.c", "-foptimize-sibling-calls", "-ldl", "-s")
	cmd, send := conversation(t, "ready", program, "wait")
	l := newRegionLog()
	tr := farcall.New(farcall.Options{Regions: farcall.Regions{In: []string{"main"}}})
	tr.Observe(l.observe)
	done := follow(t, tr, cmd.Process.Pid)
	send("done")
	_ = tr.Detach()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if got := strings.Join(l.text[:2], " "); l.inside != 1 || got != ">main getuid" && got != ">main getppid" {
		t.Errorf("%d before the attach: %v", l.inside, l.text)
	}
}

// In Go a goroutine that a thread runs is in the region; one that waits for something is when it enters it anew.
func TestRegionAttachInsideGo(t *testing.T) {
	for _, flags := range [][]string{nil, {"-ldflags=-s -w"}} {
		l, err := attached(t, farcall.Options{Regions: farcall.Regions{In: []string{"main.work"}}}, 3, regionFixture(t, "goinside", flags...))
		if err != nil {
			t.Error(err)
		}
		if l.inside != 3 || l.enters != 9 || l.ends["return"] != 6 || l.ends["detach"] != 3 || l.calls["getppid"] != 2 || l.calls["getuid"] != 0 {
			t.Errorf("%v: %d entries, %d before the attach, ends %v, calls %v", flags, l.enters, l.inside, l.ends, l.calls)
		}
	}
}

// Attaching at any moment to threads that go into a recursive function and out of it all the time: each return has the result of its depth.
func TestRegionAttachInsideBusy(t *testing.T) {
	const depth = 4
	for _, flags := range [][]string{{"-O0"}, {"-O2", "-fno-optimize-sibling-calls"}} {
		threads := regionFixture(t, "threads.c", flags...)
		cmd := exec.Command(threads, "4", "1000000000", fmt.Sprint(depth))
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		inside := 0
		for i := range 40 {
			l := newRegionLog()
			tr := farcall.New(farcall.Options{Regions: farcall.Regions{In: []string{"rec"}}})
			tr.Observe(l.observe)
			reached := make(chan bool)
			tr.Observe(func(_ *farcall.Task, ev *event.Event) {
				if ev.Kind != event.RegionReturn || ev.RegionEnd != "return" {
					return
				}
				if want := uint64(depth - ev.Depth + 1); uint64(uint32(ev.RegionResult)) != want {
					t.Errorf("attach %d: at depth %d the result is %d", i, ev.Depth, ev.RegionResult)
				}
				if l.ends["return"] == 100 {
					close(reached)
				}
			})
			done := follow(t, tr, cmd.Process.Pid)
			select {
			case <-reached:
				_ = tr.Detach()
				if err := <-done; err != nil {
					t.Error(err)
				}
			case err := <-done:
				t.Fatalf("attach %d: the trace ended with %v", i, err)
			}
			if l.ends["unwound"]+l.ends["tail"] > 0 {
				t.Errorf("attach %d: ends %v", i, l.ends)
			}
			inside += l.inside
		}
		if inside == 0 {
			t.Errorf("%v: no thread was ever inside at an attach", flags)
		}
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
}

// Detaching at any time, with many threads at breakpoints, leaves a program that works.
func TestRegionDetachBusy(t *testing.T) {
	threads := regionFixture(t, "threads.c", "-O0")
	for i := range 10 {
		l := newRegionLog()
		tr := farcall.New(farcall.Options{Regions: farcall.Regions{In: []string{"rec"}}})
		tr.Observe(l.observe)
		reached := make(chan bool)
		tr.Observe(func(_ *farcall.Task, ev *event.Event) {
			switch {
			case ev.Kind == event.RegionEntry && l.enters == 100+50*i:
				close(reached)
			case ev.Kind == event.Killed:
				t.Errorf("it was killed by signal %d", ev.Signo)
			}
		})
		cmd := exec.Command(threads, "8", "1000", "4")
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		if err := tr.Attach(cmd.Process.Pid); err != nil {
			_ = cmd.Wait()
			continue // it was faster
		}
		done := make(chan error, 1)
		go func() { done <- tr.Wait() }()
		select {
		case <-reached:
			if err := tr.Detach(); err != nil {
				t.Error(err)
			}
			if err := <-done; err != nil {
				t.Error(err)
			}
			// A program that ends while it is being let go is reaped by the tracer, which is its parent.
			if err := cmd.Wait(); err != nil && !errors.Is(err, unix.ECHILD) {
				t.Errorf("after the detach the program ended with %v", err)
			}
		case err := <-done:
			_ = cmd.Wait()
			t.Logf("it ended before %d entries: %v", 100+50*i, err)
		}
	}
}

// Attaching to a program that makes threads at every moment, and letting it go, never kills it: no thread comes to a breakpoint untraced.
func TestRegionAttachBirths(t *testing.T) {
	births := regionFixture(t, "births.c")
	attaches := 150
	if n, err := strconv.Atoi(os.Getenv("FARCALL_ATTACHES")); err == nil {
		attaches = n
	}
	cmd, send := conversation(t, "ready", births, "3")
	for i := range attaches {
		l := newRegionLog()
		tr := farcall.New(farcall.Options{Regions: farcall.Regions{In: []string{"inner"}}})
		tr.Observe(l.observe)
		reached := make(chan bool)
		tr.Observe(func(_ *farcall.Task, ev *event.Event) {
			if ev.Kind == event.RegionReturn && ev.RegionEnd == "return" && l.ends["return"] == 1+i%20 {
				close(reached)
			}
			if ev.Kind == event.Killed {
				t.Errorf("attach %d: it was killed by signal %d", i, ev.Signo)
			}
		})
		if err := tr.Attach(cmd.Process.Pid); err != nil {
			t.Fatalf("attach %d: %v", i, err)
		}
		done := make(chan error, 1)
		go func() { done <- tr.Wait() }()
		select {
		case <-reached:
		case err := <-done:
			t.Fatalf("attach %d: the trace ended with %v", i, err)
		}
		if err := tr.Detach(); err != nil {
			t.Error(err)
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
		send("alive")
	}
	if memory, file := text(t, cmd.Process.Pid, cmd.Path); !bytes.Equal(memory, file) {
		t.Error("the text differs from the file's")
	}
}

// A program that is attached to while its execve is under way has its breakpoints set once, in the new program.
func TestRegionAttachExec(t *testing.T) {
	for i := range 100 {
		cmd := exec.Command(regionFixture(t, "threads.c", "-O0"), "1", "5", "1")
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		tr := farcall.New(farcall.Options{Regions: farcall.Regions{In: []string{"rec"}}})
		tr.Observe(func(_ *farcall.Task, ev *event.Event) {
			if ev.Kind == event.Killed {
				t.Errorf("attach %d: it was killed by signal %d", i, ev.Signo)
			}
		})
		if err := tr.Attach(cmd.Process.Pid); err == nil {
			_ = tr.Wait()
		}
		_ = cmd.Wait()
	}
}
