package engine

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"farcall/internal/ptrace"
)

// roles are what the test binary can be besides a test: a process started by a test with ROLE set.
var roles = map[string]func() int{}

func TestMain(m *testing.M) {
	if role := os.Getenv("ENGINE_TEST_ROLE"); role != "" {
		f := roles[role]
		if f == nil {
			fmt.Fprintln(os.Stderr, "no such role:", role)
			os.Exit(99)
		}
		os.Exit(f())
	}
	code := m.Run()
	if fixtures.dir != "" {
		os.RemoveAll(fixtures.dir)
	}
	os.Exit(code)
}

var fixtures struct {
	sync.Mutex
	dir   string
	built map[string]error
}

// fixture compiles testdata/NAME.c, once in a run, and gives the program's path.
func fixture(t testing.TB, name string, flags ...string) string {
	t.Helper()
	f := &fixtures
	f.Lock()
	defer f.Unlock()
	if f.dir == "" {
		dir, err := os.MkdirTemp("", "engine-fixtures-*")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		f.dir, f.built = dir, map[string]error{}
	}
	out := filepath.Join(f.dir, name)
	err, done := f.built[name]
	if !done {
		args := append([]string{"-O1", "-Wall", "-Werror", "-pthread", "-o", out, filepath.Join("testdata", name+".c")}, flags...)
		var msg []byte
		if msg, err = exec.Command("gcc", args...).CombinedOutput(); err != nil {
			err = fmt.Errorf("gcc %s: %w\n%s", name, err, msg)
		}
		f.built[name] = err
	}
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// A recorder is a Sink that keeps everything, one line for each callback, and calls hooks. It checks
// that callbacks come in a possible order.
type recorder struct {
	mu     sync.Mutex
	lines  []string
	enters map[int64]int
	exits  []exit
	signal []ptrace.Siginfo
	made   []int
	gone   map[int]bool // tids that exited or were detached
	live   map[*Thread]bool
	bad    []string

	onEnter    func(*Thread)
	onExit     func(*Thread)
	onSignal   func(*Thread, *ptrace.Siginfo)
	onStopped  func(*Thread, unix.Signal)
	onCreated  func(parent, child *Thread, how How)
	onExec     func(t *Thread, former int, superseded *Thread)
	onExited   func(*Thread, Status)
	onAttached func(*Thread, []*Thread)
	onHeld     func(*Thread)
	onDetached func(*Thread)
}

type exit struct {
	tid, pid int
	status   Status
	inCall   bool
	call     int64
}

func newRecorder() *recorder {
	return &recorder{enters: map[int64]int{}, gone: map[int]bool{}, live: map[*Thread]bool{}}
}

func (r *recorder) logf(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.lines) < 100_000 {
		r.lines = append(r.lines, fmt.Sprintf(format, args...))
	}
}

func (r *recorder) wrongf(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.bad = append(r.bad, fmt.Sprintf(format, args...))
}

func (r *recorder) Enter(t *Thread) {
	if t.gone || !t.stopped {
		r.wrongf("Enter for thread %d that is not stopped", t.TID)
	}
	r.enters[t.Call.Number]++
	r.logf("%d enter %s %d", t.TID, t.Call.ABI, t.Call.Number)
	if r.onEnter != nil {
		r.onEnter(t)
	}
}

func (r *recorder) Exit(t *Thread) {
	r.logf("%d exit %s %d = %d", t.TID, t.Call.ABI, t.Call.Number, t.Call.Ret)
	if r.onExit != nil {
		r.onExit(t)
	}
}

func (r *recorder) Signal(t *Thread, info *ptrace.Siginfo) {
	r.signal = append(r.signal, *info)
	r.logf("%d signal %d code %d", t.TID, info.Signo, info.Code)
	if r.onSignal != nil {
		r.onSignal(t, info)
	}
}

func (r *recorder) Stopped(t *Thread, sig unix.Signal) {
	r.logf("%d stopped %d", t.TID, sig)
	if r.onStopped != nil {
		r.onStopped(t, sig)
	}
}

func (r *recorder) Created(parent, child *Thread, how How) {
	tid := 0
	if parent != nil {
		tid = parent.TID
	}
	if r.live[child] {
		r.wrongf("thread %d created twice", child.TID)
	}
	r.live[child] = true
	r.made = append(r.made, child.TID)
	r.logf("%d created %d %v", tid, child.TID, how)
	if r.onCreated != nil {
		r.onCreated(parent, child, how)
	}
}

func (r *recorder) Exec(t *Thread, former int, superseded *Thread) {
	if superseded != nil {
		delete(r.live, superseded)
	}
	r.logf("%d exec from %d superseded %v", t.TID, former, superseded != nil)
	if r.onExec != nil {
		r.onExec(t, former, superseded)
	}
}

func (r *recorder) Exited(t *Thread, st Status) {
	delete(r.live, t)
	r.gone[t.TID] = true
	r.exits = append(r.exits, exit{t.TID, t.PID(), st, t.InCall(), t.Call.Number})
	r.logf("%d exited %+v unfinished %v %d", t.TID, st, t.InCall(), t.Call.Number)
	if r.onExited != nil {
		r.onExited(t, st)
	}
}

func (r *recorder) Held(t *Thread) {
	r.logf("%d held", t.TID)
	if r.onHeld != nil {
		r.onHeld(t)
	}
}

func (r *recorder) Attached(main *Thread, all []*Thread) {
	r.logf("%d attached with %d threads", main.TID, len(all))
	if r.onAttached != nil {
		r.onAttached(main, all)
	}
}

func (r *recorder) Detached(t *Thread) {
	delete(r.live, t)
	r.gone[t.TID] = true
	r.logf("%d detached", t.TID)
	if r.onDetached != nil {
		r.onDetached(t)
	}
}

// check fails the test for impossible orders, and for threads of which nothing more was heard.
func (r *recorder) check(t testing.TB) {
	t.Helper()
	for _, b := range r.bad {
		t.Error(b)
	}
	for _, x := range r.exits {
		if x.status.Lost {
			t.Errorf("thread %d was lost", x.tid)
		}
	}
	for th := range r.live {
		t.Errorf("thread %d was created and never ended", th.TID)
	}
}

func (r *recorder) dump(t testing.TB) {
	t.Helper()
	if !t.Failed() {
		return
	}
	lines := r.lines
	if len(lines) > 200 {
		lines = lines[len(lines)-200:]
	}
	for _, l := range lines {
		t.Log(l)
	}
}

// start makes an engine that is closed at the end of the test.
func start(t testing.TB, opts Options, r *recorder) *Engine {
	t.Helper()
	e := New(opts, r)
	t.Cleanup(func() {
		e.Close()
		r.dump(t)
	})
	return e
}

// trace launches a program, runs it to its end, and gives its output.
func trace(t testing.TB, opts Options, r *recorder, args ...string) (*Launched, string) {
	t.Helper()
	e := start(t, opts, r)
	l, out := begin(t, e, args...)
	if err := e.Run(); err != nil {
		t.Fatal(err)
	}
	r.check(t)
	return l, out()
}

// begin starts a program whose output the function returned gives, once it has ended.
func begin(t testing.TB, e *Engine, args ...string) (*Launched, func() string) {
	t.Helper()
	pr, pw, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	l, err := e.Launch(&Program{Path: args[0], Args: args, Files: []*os.File{null, pw, os.Stderr}})
	pw.Close()
	if err != nil {
		t.Fatal(err)
	}
	var buf bytes.Buffer
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = io.Copy(&buf, pr)
		pr.Close()
	}()
	return l, func() string {
		<-done
		return buf.String()
	}
}

// lastExit gives the exit of a process's leader.
func (r *recorder) lastExit(t testing.TB, pid int) Status {
	t.Helper()
	for i := len(r.exits) - 1; i >= 0; i-- {
		if r.exits[i].tid == pid {
			return r.exits[i].status
		}
	}
	t.Errorf("process %d has not exited", pid)
	return Status{Lost: true}
}
