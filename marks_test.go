package farcall_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"farcall"
	"farcall/event"
)

// markFixture compiles a program of testdata/marks.
func markFixture(t testing.TB, source string, flags ...string) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), "program")
	path := "./testdata/marks/" + source
	cmd := exec.Command("gcc", append([]string{"-O1", "-Wall", "-Wextra", "-pthread", "-Iinclude", "-o", out, path}, flags...)...)
	switch filepath.Ext(source) {
	case ".cc":
		cmd.Args[0], cmd.Path = "g++", must(exec.LookPath("g++"))
	case "":
		cmd = exec.Command("go", "build", "-o", out, path)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	}
	if msg, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", source, err, msg)
	}
	return out
}

// A markLog has what a trace told, by thread.
type markLog struct {
	mu      sync.Mutex
	enters  map[string]int // by region
	ends    map[string]int // by how
	calls   map[string]int // "region call"
	threads map[int][]string
	open    map[int][]string
	mixed   bool // there are regions that are functions too
	pids    map[int]bool
	bad     []string
	notices []string
}

func newMarkLog() *markLog {
	return &markLog{enters: map[string]int{}, ends: map[string]int{}, calls: map[string]int{}, threads: map[int][]string{},
		open: map[int][]string{}, pids: map[int]bool{}}
}

func (l *markLog) observe(t *farcall.Task, ev *event.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.pids[ev.PID] = true
	say := func(s string) { l.threads[ev.TID] = append(l.threads[ev.TID], s) }
	switch ev.Kind {
	case event.RegionEntry:
		l.enters[ev.Region]++
		l.open[ev.TID] = append(l.open[ev.TID], ev.Region)
		if !ev.Marked && !l.mixed {
			l.bad = append(l.bad, ev.Region+" is not marked")
		}
		say(">" + ev.Region)
	case event.RegionReturn:
		l.ends[ev.RegionEnd]++
		o := l.open[ev.TID]
		i := slices.Index(o, ev.Region)
		if i < 0 || i < len(o)-1 && !l.mixed {
			l.bad = append(l.bad, fmt.Sprintf("%s ends in %v", ev.Region, o))
		} else {
			l.open[ev.TID] = slices.Delete(o, i, i+1)
		}
		say("<" + ev.Region + " " + ev.RegionEnd)
	case event.CallEntry:
		name := ev.Call.Desc.Name
		l.calls[ev.Region+" "+name]++
		switch name {
		case "getsid", "getpgid", "getppid":
			say(name)
		case "semget", "semctl", "semtimedop", "getpid", "gettid", "geteuid", "clock_gettime":
			l.bad = append(l.bad, name+" of a mark is shown")
		}
	}
}

func (l *markLog) options(names ...string) farcall.Options {
	return farcall.Options{Regions: farcall.Regions{Marks: names, Notice: func(_ int, err error) {
		l.mu.Lock()
		l.notices = append(l.notices, err.Error())
		l.mu.Unlock()
	}}}
}

// check looks for what must not be, leftover semaphores among it.
func (l *markLog) check(t testing.TB) {
	t.Helper()
	if len(l.bad) > 0 {
		t.Errorf("%d wrong: %s", len(l.bad), l.bad[0])
	}
	for tid, o := range l.open {
		if len(o) > 0 {
			t.Errorf("thread %d is still in %v", tid, o)
		}
	}
	for pid := range l.pids {
		if hasMarkSet(t, pid) {
			t.Errorf("the semaphores of process %d are still there", pid)
		}
	}
}

// hasMarkSet looks in the kernel's list for the set of a process.
func hasMarkSet(t testing.TB, pid int) bool {
	t.Helper()
	text, err := os.ReadFile("/proc/sysvipc/sem")
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range strings.Split(string(text), "\n") {
		if f := strings.Fields(line); len(f) > 0 && f[0] == strconv.Itoa(0x7f000000+pid) {
			return true
		}
	}
	return false
}

func runMarked(t testing.TB, l *markLog, o farcall.Options, argv ...string) error {
	t.Helper()
	tr := farcall.New(o)
	tr.Observe(l.observe)
	cmd := exec.Command(argv[0], argv[1:]...)
	in, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.WriteString(w, "go\n")
	w.Close()
	defer in.Close()
	cmd.Stdin = in
	err = tr.Run(context.Background(), cmd)
	l.check(t)
	return err
}

func TestMarkCases(t *testing.T) {
	cases := markFixture(t, "cases.cc")
	for _, tt := range []struct {
		name   string
		follow bool
		want   string // of the threads, in order of their beginning
	}{
		{"exception", false, ">thrown getsid <thrown return"},
		{"longjump", false, ">around >jumped getsid getsid <jumped unwound <around return"},
		{"forked", false, ">forked <forked return"},
		{"forked", true, ">forked <forked return | getsid >child getsid <child return"},
		{"executed", false, ">before <before exec >thrown getsid <thrown return"},
		{"thread", false, ">shared getsid <shared exit"},
		{"interleaved", false, ">a >b <b unwound <a return >after getsid <after return"},
		{"unfinished", false, ">unfinished <unfinished exit"},
	} {
		l := newMarkLog()
		o := l.options("*")
		o.Follow = tt.follow
		_ = runMarked(t, l, o, cases, tt.name) // exit statuses differ
		var first int
		for pid := range l.pids {
			if first == 0 || pid < first {
				first = pid
			}
		}
		got := strings.Join(l.threads[first], " ")
		for tid, th := range l.threads {
			if tid != first {
				got += " | " + strings.Join(th, " ")
			}
		}
		if got != tt.want || len(l.notices) > 0 {
			t.Errorf("%s, follow %v:\n got %s\nwant %s\n%v", tt.name, tt.follow, got, tt.want, l.notices)
		}
	}
}

// TestMarksAndFunctions has regions of both kinds, which need not be nested.
func TestMarksAndFunctions(t *testing.T) {
	cases := markFixture(t, "cases.cc")
	for _, tt := range []struct{ name, want string }{
		{"functions", ">starting >work getsid <starting return getsid >finishing <work return getsid <finishing return"},
		{"jumped", ">catching >jumping >jumped <jumped unwound <jumping unwound <catching return"},
	} {
		l := newMarkLog()
		l.mixed = true
		o := l.options("*")
		o.Regions.In = []string{"starting", "finishing", "catching", "jumping"}
		if err := runMarked(t, l, o, cases, tt.name); err != nil {
			t.Error(err)
		}
		for _, th := range l.threads {
			if got := strings.Join(th, " "); got != tt.want || len(l.notices) > 0 {
				t.Errorf("%s:\n got %s\nwant %s\n%v", tt.name, got, tt.want, l.notices)
			}
		}
	}
}

// TestMarksAndSignals marks in a signal handler that interrupts other marks.
func TestMarksAndSignals(t *testing.T) {
	l := newMarkLog()
	if err := runMarked(t, l, l.options("*"), markFixture(t, "cases.cc"), "signals"); err != nil {
		t.Fatal(err)
	}
	if l.enters["interrupted"] != 300 || l.calls["interrupted getsid"] != 300 || len(l.notices) > 0 {
		t.Errorf("regions %v, calls %v, notices %v", l.enters, l.calls, l.notices)
	}
}

// TestMarksLeftByJumps has a signal handler jump out of marks: no other thread waits for that, and the thread can go on marking.
func TestMarksLeftByJumps(t *testing.T) {
	l := newMarkLog()
	if err := runMarked(t, l, l.options("*"), markFixture(t, "cases.cc"), "leaping"); err != nil {
		t.Fatal(err)
	}
	if l.enters["left"] == 0 || l.enters["steady"] != 300 || l.calls["steady getsid"] != 300 || l.enters["after"] != 1 || len(l.notices) > 0 {
		t.Errorf("regions %v, calls %v, notices %v", l.enters, l.calls, l.notices)
	}
}

// TestMarksInThreads has 8 threads mark at once. MARKS_TEST_REGIONS says how many regions there are in each.
func TestMarksInThreads(t *testing.T) {
	const threads = 8
	regions := 1000
	if n, err := strconv.Atoi(os.Getenv("MARKS_TEST_REGIONS")); err == nil {
		regions = n
	}
	program := markFixture(t, "threads.c")
	l := newMarkLog()
	if err := runMarked(t, l, l.options("*"), program, strconv.Itoa(threads), strconv.Itoa(regions)); err != nil {
		t.Fatal(err)
	}
	outer, inner := threads*regions, threads*regions/2
	if l.enters["outer"] != outer || l.enters["inner"] != inner || l.ends["return"] != outer+inner ||
		l.calls["outer getsid"] != outer || l.calls["inner getpgid"] != inner || len(l.calls) != 2 || len(l.notices) > 0 {
		t.Errorf("regions %v, ends %v, calls %v, notices %v; want %d and %d", l.enters, l.ends, l.calls, l.notices, outer, inner)
	}

	l = newMarkLog()
	if err := runMarked(t, l, l.options("in*", "none"), program, "2", "50"); err != nil {
		t.Fatal(err)
	}
	if l.enters["outer"] != 0 || l.enters["inner"] != 50 || l.calls["inner getpgid"] != 50 || len(l.calls) != 1 {
		t.Errorf("by name: regions %v, calls %v", l.enters, l.calls)
	}
}

func TestMarksInGo(t *testing.T) {
	const goroutines, regions = 20, 30
	l := newMarkLog()
	if err := runMarked(t, l, l.options("*"), markFixture(t, "gomarks"), strconv.Itoa(goroutines), strconv.Itoa(regions)); err != nil {
		t.Fatal(err)
	}
	for g := range goroutines {
		name := "go " + strconv.Itoa(g)
		if l.enters[name] != regions || l.calls[name+" getsid"] != regions || l.calls[name+" getppid"] != 0 {
			t.Errorf("%s: %d regions, calls %v", name, l.enters[name], l.calls)
		}
	}
	if l.ends["return"] != goroutines*regions || len(l.notices) > 0 {
		t.Errorf("ends %v, notices %v", l.ends, l.notices)
	}
}

// TestMarksAttached attaches to a running program, and lets it go while it marks.
func TestMarksAttached(t *testing.T) {
	program := markFixture(t, "threads.c")
	for _, let := range []bool{false, true} {
		cmd := exec.Command(program, "4", map[bool]string{false: "50", true: "100000"}[let])
		in, _ := cmd.StdinPipe()
		out, _ := cmd.StdoutPipe()
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		lines.Scan()
		l := newMarkLog()
		o := l.options("*")
		tr := farcall.New(o)
		entered := make(chan bool, 1)
		tr.Observe(func(task *farcall.Task, ev *event.Event) {
			l.observe(task, ev)
			if ev.Kind == event.RegionEntry {
				select {
				case entered <- true:
				default:
				}
			}
		})
		done := follow(t, tr, cmd.Process.Pid)
		_, _ = io.WriteString(in, "go\n")
		<-entered
		if let {
			if err := tr.Detach(); err != nil {
				t.Fatal(err)
			}
			<-done
		}
		if !lines.Scan() || lines.Text() != "done" {
			t.Errorf("the program says %q", lines.Text())
		}
		if !let {
			<-done
			if l.enters["outer"] != 200 || l.calls["inner getpgid"] != 100 {
				t.Errorf("regions %v, calls %v", l.enters, l.calls)
			}
		}
		_ = cmd.Wait() // its status may have gone to the tracer
		l.check(t)
		if len(l.notices) > 0 {
			t.Error(l.notices)
		}
	}
}

// TestWildMarks runs programs that do not keep to the protocol: each goes on to its end, and what cannot be seen is said once.
func TestWildMarks(t *testing.T) {
	wild := filepath.Join(t.TempDir(), "wild")
	if msg, err := exec.Command("gcc", "-Iinclude", "-o", wild, "internal/marks/testdata/wild.c").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, msg)
	}
	for _, tt := range []struct{ how, notice, regions string }{
		{"", "", "after"},
		{"attach", "", ""},
		{"all", "", ""},
		{"remove", "was removed", ""},
		{"guard", "", ""},
		{"pointer", "nothing can be read at 0x8", "after"},
		{"badname", "its name at 0x10 cannot be read", "after"},
		{"name", "", `\xff\n"\\xä\x1b[1m aaaa after`},
	} {
		l := newMarkLog()
		if err := runMarked(t, l, l.options("*"), wild, tt.how); err != nil {
			t.Errorf("%s: %v", tt.how, err)
		}
		notices := strings.Join(l.notices, "; ")
		if tt.notice == "" && notices != "" || !strings.Contains(notices, tt.notice) || len(l.notices) > 1 {
			t.Errorf("%s: said %q, want %q", tt.how, notices, tt.notice)
		}
		var regions []string
		for _, th := range l.threads {
			for _, s := range th {
				if name, ok := strings.CutPrefix(s, ">"); ok {
					regions = append(regions, strings.Replace(name, strings.Repeat("a", 124), "", 1))
				}
			}
		}
		if got := strings.Join(regions, " "); got != tt.regions && tt.regions != "" {
			t.Errorf("%s: regions %q, want %q", tt.how, got, tt.regions)
		}
	}
}
