package farcall_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"

	"farcall"
	"farcall/event"

	"golang.org/x/sys/unix"
)

var regionFixtures struct {
	sync.Mutex
	dir   string
	built map[string]string
}

// regionFixture compiles a program of testdata/regions, once in a run.
func regionFixture(t testing.TB, source string, flags ...string) string {
	t.Helper()
	f := &regionFixtures
	f.Lock()
	defer f.Unlock()
	key := source + strings.Join(flags, " ")
	if f.built[key] != "" {
		return f.built[key]
	}
	if f.dir == "" {
		var err error
		if f.dir, err = os.MkdirTemp("", "regions-*"); err != nil {
			t.Fatal(err)
		}
		f.built = map[string]string{}
	}
	out := filepath.Join(f.dir, fmt.Sprint(len(f.built), "-", strings.TrimSuffix(source, filepath.Ext(source))))
	path := "./testdata/regions/" + source
	cmd := exec.Command("gcc", append([]string{"-O1", "-g", "-Wall", "-pthread", "-o", out, path}, flags...)...)
	switch filepath.Ext(source) {
	case ".cc":
		cmd.Args[0], cmd.Path = "g++", must(exec.LookPath("g++"))
	case "":
		cmd = exec.Command("go", append([]string{"build", "-o", out}, append(flags, path)...)...)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	}
	if msg, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", source, err, msg)
	}
	f.built[key] = out
	return out
}

func must(s string, err error) string {
	if err != nil {
		panic(err)
	}
	return s
}

// removeRegionFixtures is for TestMain.
func removeRegionFixtures() {
	if regionFixtures.dir != "" {
		os.RemoveAll(regionFixtures.dir)
	}
}

// A regionLog has what a trace told of regions, and of the calls that fixtures make.
type regionLog struct {
	mu      sync.Mutex
	enters  int
	ends    map[string]int // by RegionEnd
	calls   map[string]int // by name
	depth   int            // the largest
	inside  int            // stays that had begun before the attach
	results []uint64       // of the outermost stays
	bad     []string
	text    []string
}

func (l *regionLog) observe(t *farcall.Task, ev *event.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch ev.Kind {
	case event.RegionEntry:
		l.enters++
		if ev.Inside {
			l.inside++
		}
		l.depth = max(l.depth, ev.Depth)
		l.text = append(l.text, ">"+ev.Region)
	case event.RegionReturn:
		l.ends[ev.RegionEnd]++
		if ev.RegionEnd == "return" && ev.Depth == 1 {
			l.results = append(l.results, ev.RegionResult)
		}
		l.text = append(l.text, "<"+ev.Region+" "+ev.RegionEnd)
	case event.CallEntry:
		name := ev.Call.Desc.Name
		l.calls[name]++
		if ev.Region == "" || ev.Depth == 0 {
			l.bad = append(l.bad, name+" is outside")
		}
		if region, depth := t.Region(); region != ev.Region || depth != ev.Depth {
			l.bad = append(l.bad, "the task is elsewhere than the event")
		}
		if name == "getppid" || name == "getpgrp" || name == "getuid" {
			l.text = append(l.text, name)
		}
	}
}

func newRegionLog() *regionLog {
	return &regionLog{ends: map[string]int{}, calls: map[string]int{}}
}

// inRegions traces a program inside of functions.
func inRegions(t testing.TB, o farcall.Options, argv ...string) (*regionLog, error) {
	t.Helper()
	l := newRegionLog()
	tr := farcall.New(o)
	tr.Observe(l.observe)
	err := tr.Run(context.Background(), exec.Command(argv[0], argv[1:]...))
	if len(l.bad) > 0 {
		t.Errorf("%v: %s", argv, l.bad[0])
	}
	return l, err
}

func TestRegionCases(t *testing.T) {
	cases := regionFixture(t, "cases.c", "-foptimize-sibling-calls", "-ldl")
	plugin := regionFixture(t, "plugin.c", "-shared", "-fPIC")
	const pair = ">inner getppid getppid <inner return"
	tests := []struct {
		name   string
		args   string
		in     string // default inner
		o      farcall.Options
		want   string
		status int
		soft   bool // does not work with debug registers, by its nature
	}{
		{args: "plain", want: pair},
		{args: "longjmp", want: ">inner getppid <inner unwound " + pair},
		{args: "tail 5", want: pair},
		{name: "tail call between regions", args: "tail 0", in: "inner,tail", want: ">tail >inner getppid getppid <inner return <tail return"},
		{name: "tail call to itself", args: "tail 2", in: "tail", want: ">tail getppid getppid <tail return"},
		{args: "signal", want: ">inner getppid getpgrp getppid <inner return"},
		{args: "altstack", want: ">inner getppid getpgrp getppid <inner return >inner getppid getpgrp getppid <inner return"},
		{args: "fork", want: pair},
		{name: "fork, followed", args: "fork", o: farcall.Options{Follow: true},
			want: ">inner getppid getppid getppid <inner return " + pair + " getppid <inner return"},
		{args: "forkoutside", want: pair},
		{args: "vfork", want: pair + " " + pair},
		{name: "vfork, followed", args: "vfork", o: farcall.Options{Follow: true},
			want: ">inner getppid getpgrp <inner exit getppid <inner return " + pair + " " + pair},
		{args: "exec", want: ">inner getppid <inner exec " + pair},
		{args: "exit", want: ">inner getppid getppid <inner exit", status: 3},
		{args: "threads", want: pair},
		{name: "threads, inherited", args: "threads", o: farcall.Options{Regions: farcall.Regions{Threads: true}},
			want: ">inner getppid getuid getpgrp getppid <inner return"},
		{args: "int3", want: pair},
		{args: "dlopen " + plugin, in: "*plugin:plugin", want: ">plugin getppid <plugin return >plugin getppid <plugin return"},
		{name: "several returns", args: "many", o: farcall.Options{Regions: farcall.Regions{Returns: 2}}, want: pair + " " + pair},
		{name: "step", args: "plain", o: farcall.Options{Regions: farcall.Regions{Step: true}}, want: pair, soft: true},
		{name: "a line", args: "plain", in: "cases.c:23", want: pair},
	}
	for _, tt := range tests {
		if tt.name == "" {
			tt.name = tt.args[:strings.IndexByte(tt.args+" ", ' ')]
		}
		for _, hw := range []bool{false, true} {
			if hw && (tt.soft || runtime.GOARCH != "amd64") {
				continue
			}
			t.Run(fmt.Sprintf("%s/hw=%v", tt.name, hw), func(t *testing.T) {
				o := tt.o
				o.Regions.Hardware = hw
				o.Regions.In = []string{"inner"}
				if tt.in != "" {
					o.Regions.In = strings.Split(tt.in, ",")
				}
				l, err := inRegions(t, o, append([]string{cases}, strings.Fields(tt.args)...)...)
				var exit *farcall.ExitError
				if code := 0; err != nil {
					if e, ok := err.(*farcall.ExitError); ok {
						exit, code = e, e.Code
					}
					if exit == nil || code != tt.status {
						t.Errorf("ended with %v", err)
					}
				}
				if got := strings.Join(l.text, " "); got != tt.want {
					t.Errorf("got  %s\nwant %s", got, tt.want)
				}
			})
		}
	}
}

// Signals at any moment, also while copies of instructions are executed.
func TestRegionSignals(t *testing.T) {
	cases := regionFixture(t, "cases.c", "-foptimize-sibling-calls", "-ldl")
	for _, hw := range []bool{false, true} {
		l, err := inRegions(t, farcall.Options{Regions: farcall.Regions{In: []string{"inner"}, Hardware: hw}}, cases, "storm")
		if err != nil {
			t.Error(err)
		}
		if l.enters != 2000 || l.ends["return"] != 2000 || l.calls["getppid"] != 4000 || l.calls["getuid"] != 0 {
			t.Errorf("hw %v: %d entries, ends %v, calls %v", hw, l.enters, l.ends, l.calls)
		}
	}
}

func TestRegionExceptions(t *testing.T) {
	for _, opt := range []string{"-O0", "-O2"} {
		l, err := inRegions(t, farcall.Options{Regions: farcall.Regions{In: []string{"inner", "middle"}}}, regionFixture(t, "throw.cc", opt))
		if err != nil {
			t.Error(err)
		}
		// middle calls getuid itself, in those five rounds in which it goes on.
		if l.enters != 20 || l.ends["return"] != 10 || l.ends["unwound"] != 10 || l.calls["getuid"] != 5 || l.calls["getppid"] != 10 {
			t.Errorf("%s: %d entries, ends %v, calls %v", opt, l.enters, l.ends, l.calls)
		}
	}
}

// Eight threads are in a recursive function at once: nothing is lost, nothing of outside is seen.
func TestRegionThreads(t *testing.T) {
	for _, flags := range [][]string{{"-O0"}, {"-O2", "-fno-optimize-sibling-calls"}} {
		threads := regionFixture(t, "threads.c", flags...)
		const n, rounds, depth = 8, 2500, 4
		l, err := inRegions(t, farcall.Options{Regions: farcall.Regions{In: []string{"rec"}}}, threads, fmt.Sprint(n), fmt.Sprint(rounds), fmt.Sprint(depth))
		if err != nil {
			t.Error(err)
		}
		want := n * rounds * (depth + 1)
		if l.enters != want || l.ends["return"] != want || l.calls["getppid"] != n*rounds || l.calls["getuid"] != 0 || l.depth != depth+1 {
			t.Errorf("%v: %d entries of %d, ends %v, calls %v, depth %d", flags, l.enters, want, l.ends, l.calls, l.depth)
		}
	}
}

// In Go a region is a goroutine's, whose stack grows and which moves between threads.
func TestRegionGoroutines(t *testing.T) {
	for _, flags := range [][]string{nil, {"-ldflags=-s -w"}, {"-buildmode=pie"}} {
		program := regionFixture(t, "gowork", flags...)
		const n, rounds = 8, 50
		l, err := inRegions(t, farcall.Options{Regions: farcall.Regions{In: []string{"main.work"}}}, program, fmt.Sprint(n))
		if err != nil {
			t.Error(err)
		}
		if want := n * rounds; l.enters != want || l.ends["return"] != want || l.calls["getppid"] != 2*want || l.calls["getuid"] != 0 {
			t.Errorf("%v: %d entries of %d, ends %v, calls %v", flags, l.enters, want, l.ends, l.calls)
		}
	}
}

// Handlers see calls inside only: refusing mmap in main does not keep the program from starting.
func TestRegionHandlers(t *testing.T) {
	seed := regionFixture(t, "seed.c")
	file := filepath.Join(t.TempDir(), "cs_w.txt")
	tr := farcall.New(farcall.Options{Regions: farcall.Regions{In: []string{"main"}}})
	handled := map[string]int{}
	tr.Use(func(next farcall.Handler) farcall.Handler {
		return func(ctx context.Context, call *farcall.Call) error {
			handled[call.Name()]++
			if call.Name() == "mmap" || call.Name() == "openat" {
				return call.Fail(unix.EACCES)
			}
			return next(ctx, call)
		}
	})
	err := tr.Run(context.Background(), exec.Command(seed, file))
	if e, ok := err.(*farcall.ExitError); !ok || e.Code != 42 {
		t.Errorf("the program ended with %v, not with its status for a file that cannot be opened", err)
	}
	if handled["openat"] != 1 || handled["execve"]+handled["exit_group"] > 0 {
		t.Errorf("handled %v", handled)
	}
}

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
		if err := tr.Attach(cmd.Process.Pid); err != nil {
			t.Fatal(err)
		}
		done := make(chan error, 1)
		go func() { done <- tr.Wait() }()
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

// attached traces a program that is running already until it has answered twice. It begins when that many stays are seen that its threads are in.
func attached(t *testing.T, o farcall.Options, inside int, argv ...string) (*regionLog, error) {
	t.Helper()
	cmd, send := conversation(t, "ready", argv...)
	l := newRegionLog()
	tr := farcall.New(o)
	tr.Observe(l.observe)
	begun := make(chan bool)
	tr.Observe(func(_ *farcall.Task, ev *event.Event) {
		if ev.Kind == event.RegionEntry && l.enters == inside {
			close(begun)
		}
	})
	if err := tr.Attach(cmd.Process.Pid); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- tr.Wait() }()
	select {
	case <-begun:
	case err := <-done:
		t.Fatalf("%v: ended with %v", argv, err)
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
	if err := tr.Attach(cmd.Process.Pid); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- tr.Wait() }()
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
			if err := tr.Attach(cmd.Process.Pid); err != nil {
				t.Fatal(err)
			}
			done := make(chan error, 1)
			go func() { done <- tr.Wait() }()
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

func TestRegionErrors(t *testing.T) {
	cases := regionFixture(t, "cases.c", "-foptimize-sibling-calls", "-ldl")
	stripped := regionFixture(t, "cases.c", "-ldl", "-s")
	for _, tt := range []struct {
		program, in, want string
		missing           bool // said at the end
	}{
		{cases, "innar", "no symbol 'innar'", false},
		{stripped, "inner", "no symbol 'inner'", false},
		{cases, "nolib.so:f", "no object 'nolib.so' was loaded", true},
		{cases, "cases.c:24", "it is inside 'inner'", false},
		{cases, "0x10", "there is no code", false},
		{cases, "env", "it is no function", false},
	} {
		l := newRegionLog()
		tr := farcall.New(farcall.Options{Regions: farcall.Regions{In: []string{tt.in}}})
		tr.Observe(l.observe)
		err := tr.Run(context.Background(), exec.Command(tt.program, "plain"))
		if tt.missing {
			if missing := tr.MissingRegions(); err != nil || len(missing) != 1 || !strings.Contains(missing[0].Error(), tt.want) {
				t.Errorf("%s: got %v and %v, want %q", tt.in, err, missing, tt.want)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %q", tt.in, err, tt.want)
		}
		if len(l.text) > 0 {
			t.Errorf("%s: traced: %v", tt.in, l.text)
		}
	}
}

// Functions that begin with instructions of every kind do what they did, and are entered as often as they are called.
func TestRegionFirstInstructions(t *testing.T) {
	if runtime.GOARCH != "amd64" {
		t.Skip("the fixture is x86 code")
	}
	for _, flags := range [][]string{{"-mno-red-zone"}, {"-mno-red-zone", "-static", "-no-pie"}} {
		const kinds, threads, rounds = 27, 6, 20
		l, err := inRegions(t, farcall.Options{Regions: farcall.Regions{In: []string{"first_*"}}},
			regionFixture(t, "first.c", flags...), fmt.Sprint(threads), fmt.Sprint(rounds))
		if err != nil {
			t.Error(err)
		}
		if want := kinds * threads * rounds; l.enters != want || l.ends["return"] != want {
			t.Errorf("%v: %d entries of %d, ends %v", flags, l.enters, want, l.ends)
		}
	}
}

// Goroutines that panic, end or hand over inside of a region.
func TestRegionGoroutinesLeave(t *testing.T) {
	for _, follow := range []bool{false, true} {
		l, err := inRegions(t, farcall.Options{Follow: follow, Regions: farcall.Regions{In: []string{"main.work"}}}, regionFixture(t, "golate"))
		if err != nil {
			t.Error(err)
		}
		// Four of each kind, of which two kinds do not return, and two at the end, of which one does not.
		if l.enters != 22 || l.ends["return"] != 13 || l.ends["unwound"] != 8 || l.calls["getuid"] != 0 || l.calls["getppid"] != 22+13 {
			t.Errorf("follow %v: %d entries, ends %v, calls %v", follow, l.enters, l.ends, l.calls)
		}
	}
}

// Of a program that makes over 60 calls elsewhere, exactly the 5 of main are seen; refusing mmap in main hurts neither start nor end.
func TestRegionFiveCalls(t *testing.T) {
	five := regionFixture(t, "five.c")
	all, inside := 0, 0
	var tr *farcall.Tracer
	for _, o := range []struct {
		in    []string
		count *int
	}{{nil, &all}, {[]string{"main"}, &inside}} {
		tr = farcall.New(farcall.Options{Regions: farcall.Regions{In: o.in}})
		tr.Observe(func(_ *farcall.Task, ev *event.Event) {
			if ev.Kind == event.CallEntry {
				*o.count++
			}
		})
		if err := tr.Run(context.Background(), exec.Command(five)); err != nil {
			t.Error(err)
		}
	}
	if all < 65 || inside != 5 {
		t.Errorf("%d calls in all, %d in main", all, inside)
	}

	tr = farcall.New(farcall.Options{Regions: farcall.Regions{In: []string{"main"}}})
	tr.Use(func(next farcall.Handler) farcall.Handler {
		return func(ctx context.Context, call *farcall.Call) error {
			if call.Name() == "mmap" {
				return call.Fail(unix.EPERM)
			}
			return next(ctx, call)
		}
	})
	err := tr.Run(context.Background(), exec.Command(five))
	if e, ok := err.(*farcall.ExitError); !ok || e.Code != int(unix.EPERM) {
		t.Errorf("the program ended with %v, not with the number of EPERM", err)
	}
}

// Threads that fork inside and outside while others come to breakpoints.
func TestRegionForks(t *testing.T) {
	const threads, rounds = 4, 40
	for _, follow := range []bool{false, true} {
		l, err := inRegions(t, farcall.Options{Follow: follow, Regions: farcall.Regions{In: []string{"inner"}}},
			regionFixture(t, "forks.c"), fmt.Sprint(threads), fmt.Sprint(rounds))
		if err != nil {
			t.Error(err)
		}
		const n = threads * rounds
		enters, returns, calls := n, n, n
		if follow { // a return of the child that was made inside, and a stay of the other one
			enters, returns, calls = 2*n, 3*n, 3*n
		}
		if l.enters != enters || l.ends["return"] != returns || l.calls["getppid"] != calls || l.calls["getuid"] != 0 {
			t.Errorf("follow %v: %d entries, ends %v, calls %v", follow, l.enters, l.ends, l.calls)
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

// An indirect function is the one that was chosen, whenever that was: at the start, at its first call, before an attach.
func TestRegionIndirect(t *testing.T) {
	for _, flags := range [][]string{{"-Wl,-z,lazy"}, {"-Wl,-z,now"}, {"-no-pie", "-fno-pie", "-Wl,-z,lazy"}, {"-static"}, {"-static-pie", "-fPIE"}} {
		program := regionFixture(t, "indirect.c", append(flags, "-fno-builtin")...)
		for _, hw := range []bool{false, true} {
			for _, attach := range []bool{false, true} {
				o := farcall.Options{Regions: farcall.Regions{In: []string{"strlen", "choice"}, Hardware: hw}}
				l, rounds := newRegionLog(), 3
				if attach {
					rounds = 2
					cmd, send := conversation(t, "ready", program, "wait")
					send("done")
					tr := farcall.New(o)
					tr.Observe(l.observe)
					if err := tr.Attach(cmd.Process.Pid); err != nil {
						t.Fatal(err)
					}
					done := make(chan error, 1)
					go func() { done <- tr.Wait() }()
					for range rounds {
						send("done")
					}
					_ = tr.Detach()
					if err := <-done; err != nil {
						t.Errorf("%v hw %v attach: %v", flags, hw, err)
					}
				} else {
					var err error
					if l, err = inRegions(t, o, program); err != nil {
						t.Errorf("%v hw %v: %v", flags, hw, err)
					}
				}
				want := strings.TrimPrefix(strings.Repeat(" >strlen <strlen return >choice getppid <choice return", rounds), " ")
				// A static program's own start uses strlen, too.
				if got := strings.Join(l.text, " "); got != want && (attach || !strings.HasPrefix(flags[0], "-static") || !strings.HasSuffix(got, want)) {
					t.Errorf("%v hw %v attach %v:\ngot  %s\nwant %s", flags, hw, attach, got, want)
				}
			}
		}
	}
}
