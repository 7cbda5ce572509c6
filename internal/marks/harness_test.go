package marks

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"farcall/internal/ptrace"
)

// TestMain lets the test binary be a tracer that a test can kill, and that traces whatever it can read the memory of.
func TestMain(m *testing.M) {
	if pid := os.Getenv("MARKS_TEST_TRACE"); pid != "" {
		n, _ := strconv.Atoi(pid)
		tr, err := newTracer(n)
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println("ready")
		tr.wait()
		os.Exit(0)
	}
	code := m.Run()
	if built.dir != "" {
		os.RemoveAll(built.dir)
	}
	os.Exit(code)
}

var built struct {
	sync.Mutex
	dir string
	n   int
}

// fixture compiles testdata/NAME.
func fixture(t testing.TB, name, compiler string, flags ...string) string {
	t.Helper()
	built.Lock()
	defer built.Unlock()
	if built.dir == "" {
		dir, err := os.MkdirTemp("", "marks-*")
		if err != nil {
			t.Fatal(err)
		}
		built.dir = dir
	}
	built.n++
	out := filepath.Join(built.dir, fmt.Sprint(built.n))
	args := append([]string{"-O1", "-Wall", "-Wextra", "-Wno-unused-result", "-Werror", "-DFARCALL_WARNINGS", "-pthread", "-I../../include", "-o", out}, flags...)
	if msg, err := exec.Command(compiler, append(args, filepath.Join("testdata", name))...).CombinedOutput(); err != nil {
		t.Fatalf("%s %s: %v\n%s", compiler, name, err, msg)
	}
	return out
}

// A program is a fixture that waits for a byte.
type program struct {
	t   testing.TB
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

func start(t testing.TB, path string, args ...string) *program {
	t.Helper()
	p := &program{t: t, cmd: exec.Command(path, args...)}
	p.in, _ = p.cmd.StdinPipe()
	out, _ := p.cmd.StdoutPipe()
	p.out = bufio.NewReader(out)
	p.cmd.Stderr = os.Stderr
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		_ = p.cmd.Wait()
	})
	return p
}

func (p *program) pid() int { return p.cmd.Process.Pid }

func (p *program) run() { _, _ = p.in.Write([]byte("x")) }

func (p *program) line() string {
	s, _ := p.out.ReadString('\n')
	return strings.TrimSpace(s)
}

// A tracer answers the marks of one process, without ptrace. It checks that regions are nested in each thread.
type tracer struct {
	set  *Set
	pid  int
	done sync.WaitGroup

	mu      sync.Mutex
	open    map[int][]Record
	entered int
	names   map[string]int
	errs    []error
}

func newTracer(pid int) (*tracer, error) {
	s, err := Create(pid)
	if err != nil {
		return nil, err
	}
	tr := &tracer{set: s, pid: pid, open: map[int][]Record{}, names: map[string]int{}}
	tr.done.Add(2)
	go tr.attach()
	go tr.detach()
	return tr, nil
}

func (tr *tracer) wait() { tr.done.Wait() }

func (tr *tracer) fail(err error) {
	tr.mu.Lock()
	tr.errs = append(tr.errs, err)
	tr.mu.Unlock()
}

func (tr *tracer) attach() {
	defer tr.done.Done()
	mem := ptrace.NewMemory(tr.pid)
	last := 0
	for tr.set.Wait() == nil {
		tid, addr, err := tr.set.Caller(StepEnter, last, mem)
		if err != nil {
			if err != ErrRemoved {
				tr.fail(err)
			}
			return
		}
		last = tid
		r, err := ReadRecord(mem, addr)
		if err != nil {
			tr.fail(fmt.Errorf("enter: %+v: %v", r, err))
		} else if err := WriteReply(mem, addr, ReplyTraced); err != nil {
			tr.fail(err)
		}
		tr.mu.Lock()
		tr.open[tid] = append(tr.open[tid], r)
		tr.entered++
		tr.names[r.Name]++
		tr.mu.Unlock()
		if tr.set.Grant() != nil {
			return
		}
	}
}

func (tr *tracer) detach() {
	defer tr.done.Done()
	mem := ptrace.NewMemory(tr.pid)
	last := 0
	for {
		err := semop(tr.set.ID, operation{semTargetExit, -1, 0})
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return
		}
		tid, addr, err := tr.set.Caller(StepLeave, last, mem)
		if err != nil {
			if err != ErrRemoved {
				tr.fail(err)
			}
			return
		}
		last = tid
		r, err := ReadRecord(mem, addr)
		tr.mu.Lock()
		open := tr.open[tid]
		switch {
		case err != nil || len(open) == 0 || open[len(open)-1].Addr != addr:
			tr.errs = append(tr.errs, fmt.Errorf("leave: %+v: %v, open: %+v", r, err, open))
		default:
			tr.open[tid] = open[:len(open)-1]
		}
		tr.mu.Unlock()
		_ = WriteReply(mem, addr, ended)
		if semop(tr.set.ID, operation{semDetach, 1, 0}) != nil {
			return
		}
	}
}

// ended is written at the end of a region, so that Caller does not take the thread for another that ends one.
const ended Reply = 3

// finish removes the set and checks.
func (tr *tracer) finish(t testing.TB) {
	t.Helper()
	_ = tr.set.Remove()
	tr.wait()
	for _, err := range tr.errs {
		t.Error(err)
	}
	for tid, open := range tr.open {
		if len(open) > 0 {
			t.Errorf("thread %d is still in %+v", tid, open)
		}
	}
}
