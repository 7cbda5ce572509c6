package farcall_test

import (
	"context"
	"debug/elf"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
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
					done := follow(t, tr, cmd.Process.Pid)
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

// Where the last page of a program's code has no room for copies of instructions, its entry point is used, which is over.
func TestRegionFullPage(t *testing.T) {
	for _, flags := range [][]string{{"-O2"}, {"-O0"}, {"-O2", "-no-pie"}} {
		program := regionFixture(t, "full.c", flags...)
		f, err := elf.Open(program)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range f.Progs {
			if p.Type == elf.PT_LOAD && p.Flags&elf.PF_X != 0 && -(p.Vaddr+p.Filesz)%4096 >= 16 {
				t.Fatalf("%v: the segment ends at %#x", flags, p.Vaddr+p.Filesz)
			}
		}
		f.Close()
		l, err := inRegions(t, farcall.Options{Regions: farcall.Regions{In: []string{"near", "get", "main"}}}, program)
		if err != nil {
			t.Errorf("%v: %v", flags, err)
		}
		// Two functions, 800 times each, and main.
		if l.enters != 1601 || l.ends["return"] != 1601 || l.calls["getppid"] != 800 {
			t.Errorf("%v: %d entries, ends %v, calls %v", flags, l.enters, l.ends, l.calls)
		}
	}
}
