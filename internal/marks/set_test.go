package marks

import (
	"bufio"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"
	"unsafe"

	"farcall/internal/ptrace"

	"golang.org/x/sys/unix"
)

// exists asks the kernel's list of sets, as ipcs(1) does.
func exists(t testing.TB, key int32) bool {
	t.Helper()
	text, err := os.ReadFile("/proc/sysvipc/sem")
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range strings.Split(string(text), "\n") {
		if f := strings.Fields(line); len(f) > 0 && f[0] == strconv.Itoa(int(key)) {
			return true
		}
	}
	return false
}

// TestHandshake has real programs of several compilers mark regions in 8 threads at once.
func TestHandshake(t *testing.T) {
	tests := []struct {
		compiler string
		flags    []string
	}{
		{"gcc", []string{"-std=c89", "-pedantic"}},
		{"gcc", []string{"-O0", "-static"}},
		{"gcc", []string{"-O2", "-flto", "-fno-common"}},
		{"clang", []string{"-std=c11", "-O2"}},
		{"g++", []string{"-x", "c++", "-std=c++98", "-pedantic"}},
		{"g++", []string{"-x", "c++", "-std=c++20", "-O2"}},
		{"musl-gcc", []string{"-static"}},
	}
	for _, tt := range tests {
		t.Run(tt.compiler+strings.Join(tt.flags, ""), func(t *testing.T) {
			const threads, regions = 8, 100
			p := start(t, fixture(t, "stress.c", tt.compiler, tt.flags...), strconv.Itoa(threads), strconv.Itoa(regions))
			tr, err := newTracer(p.pid())
			if err != nil {
				t.Fatal(err)
			}
			p.run()
			const want = threads * regions * 3 / 2
			if got := p.line(); got != fmt.Sprint("done ", want) {
				t.Errorf("the program says %q, want %d regions", got, want)
			}
			tr.finish(t)
			if tr.entered != want || tr.names["outer"] != threads*regions || tr.names["inner"] != threads*regions/2 {
				t.Errorf("%d regions: %v, want %d", tr.entered, tr.names, want)
			}
			if exists(t, tr.set.Key) {
				t.Error("the set is still there")
			}
		})
	}
}

// TestManyRegions is the same for longer. MARKS_TEST_REGIONS says how many there are in each thread.
func TestManyRegions(t *testing.T) {
	const threads = 8
	regions := 1000
	if n, err := strconv.Atoi(os.Getenv("MARKS_TEST_REGIONS")); err == nil {
		regions = n
	}
	p := start(t, fixture(t, "stress.c", "gcc"), strconv.Itoa(threads), strconv.Itoa(regions))
	tr, err := newTracer(p.pid())
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	p.run()
	want := threads * regions * 3 / 2
	if got := p.line(); got != fmt.Sprint("done ", want) {
		t.Errorf("the program says %q, want %d regions", got, want)
	}
	t.Logf("%d regions, %v each", want, time.Since(began)/time.Duration(want))
	tr.finish(t)
}

// TestWithoutTracer runs marks that nobody answers.
func TestWithoutTracer(t *testing.T) {
	p := start(t, fixture(t, "stress.c", "gcc"), "8", "100000")
	p.run()
	if got := p.line(); got != "done 0" {
		t.Errorf("the program says %q", got)
	}
}

// TestTracerKilled kills a tracer at a random point of a program's handshakes: the program goes on without waiting for the
// time-out, and removes the set itself.
func TestTracerKilled(t *testing.T) {
	stress := fixture(t, "stress.c", "gcc")
	for range 8 {
		p := start(t, stress, "4", "20000")
		tr := exec.Command(os.Args[0])
		tr.Env = append(os.Environ(), "MARKS_TEST_TRACE="+strconv.Itoa(p.pid()))
		out, _ := tr.StdoutPipe()
		if err := tr.Start(); err != nil {
			t.Fatal(err)
		}
		if s := bufio.NewScanner(out); !s.Scan() || s.Text() != "ready" {
			t.Fatal(s.Text())
		}
		p.run()
		time.Sleep(time.Duration(rand.IntN(50)) * time.Millisecond) // where it hits does not matter
		_ = tr.Process.Kill()
		_ = tr.Wait()
		killed := time.Now()
		if got := p.line(); !strings.HasPrefix(got, "done ") || got == "done "+strconv.Itoa(4*20000*3/2) {
			t.Errorf("the program says %q", got)
		}
		t.Logf("done %v after the kill", time.Since(killed))
		if exists(t, Key(p.pid())) {
			t.Error("the set is still there")
		}
	}
}

// TestLeftover kills tracers of programs that do not mark any more: another tracer, or Clean, removes the set. Tests of other
// packages may have removed it before.
func TestLeftover(t *testing.T) {
	stress := fixture(t, "stress.c", "gcc")
	leave := func() (p *program, seen bool) {
		p = start(t, stress, "1", "1")
		tr := exec.Command(os.Args[0])
		tr.Env = append(os.Environ(), "MARKS_TEST_TRACE="+strconv.Itoa(p.pid()))
		out, _ := tr.StdoutPipe()
		if err := tr.Start(); err != nil {
			t.Fatal(err)
		}
		bufio.NewScanner(out).Scan()
		if live, _ := Leftovers(); has(live, p.pid()) || !exists(t, Key(p.pid())) {
			t.Errorf("of a living tracer: exists is %v, leftovers are %+v", exists(t, Key(p.pid())), live)
		}
		_ = tr.Process.Kill()
		_ = tr.Wait()
		left, err := Leftovers()
		if err != nil {
			t.Fatal(err)
		}
		return p, has(left, p.pid())
	}
	const attempts = 20
	var adopted, cleaned bool
	for range attempts {
		p, seen := leave()
		tr, err := newTracer(p.pid())
		if err != nil {
			t.Fatal(err)
		}
		p.run()
		if got := p.line(); got != "done 1" {
			t.Errorf("with a second tracer the program says %q", got)
		}
		tr.finish(t)
		if adopted = seen; adopted {
			break
		}
	}
	for range attempts {
		p, _ := leave()
		_ = p.cmd.Process.Kill()
		_ = p.cmd.Wait()
		removed := Clean()
		if exists(t, Key(p.pid())) {
			t.Errorf("the set of process %d is there", p.pid())
		}
		if cleaned = has(removed, p.pid()); cleaned {
			break
		}
	}
	if !adopted || !cleaned {
		t.Errorf("in %d attempts no set of a killed tracer was found: %v, %v", attempts, adopted, cleaned)
	}
}

func has(left []Leftover, pid int) bool {
	for _, l := range left {
		if l.PID == pid {
			return true
		}
	}
	return false
}

// TestProgramKilled kills the program at a random point: the tracer's calls return, and nothing is left once it has removed
// the set.
func TestProgramKilled(t *testing.T) {
	stress := fixture(t, "stress.c", "gcc")
	for range 8 {
		p := start(t, stress, "4", "100000")
		tr, err := newTracer(p.pid())
		if err != nil {
			t.Fatal(err)
		}
		p.run()
		time.Sleep(time.Duration(rand.IntN(30)) * time.Millisecond) // where it hits does not matter
		_ = p.cmd.Process.Kill()
		_ = p.cmd.Wait()
		_ = tr.set.Remove()
		tr.wait()
		if exists(t, tr.set.Key) {
			t.Error("the set is still there")
		}
	}
}

// TestNobodyWaits posts "attach" and waits for nothing.
func TestNobodyWaits(t *testing.T) {
	defer func(d time.Duration) { patience = d }(patience)
	patience = 10 * time.Millisecond
	s, err := Create(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Remove()
	if err := semop(s.ID, operation{semAttach, 1, 0}); err != nil {
		t.Fatal(err)
	}
	if err := s.Wait(); err != nil {
		t.Fatal(err)
	}
	if tid, _, err := s.Caller(StepEnter, os.Getpid(), ptrace.NewMemory(os.Getpid())); err != ErrNobody {
		t.Errorf("caller is %d, %v", tid, err)
	}
	if err := s.Release(); err != unix.EAGAIN {
		t.Errorf("Release without \"target-exit\": %v", err)
	}
	_ = s.Remove()
	if _, _, err := s.Caller(StepEnter, 0, ptrace.NewMemory(os.Getpid())); err != ErrRemoved {
		t.Errorf("caller of a removed set: %v", err)
	}
	if err := s.Wait(); err != ErrRemoved {
		t.Errorf("Wait for a removed set: %v", err)
	}
}

// TestForeignSets has sets under the key that are not a tracer's.
func TestForeignSets(t *testing.T) {
	p := start(t, fixture(t, "wild.c", "gcc"), "first")
	if got := p.line(); got != "ready" {
		t.Fatal(got)
	}
	if s, err := Create(p.pid()); !errors.Is(err, ErrTaken) {
		t.Errorf("Create beside the program's own set: %v, %v", s, err)
	}
	p.run()
	if got := p.line(); got != "xdone" { // after its time-out
		t.Errorf("the program says %q", got)
	}
	id, err := semget(Key(p.pid()), 0, 0)
	if err != nil || remove(id) != nil {
		t.Errorf("remove the program's set: %v", err)
	}
}

// TestSetsOfOthers has a set that another user has made: the program does not even begin a handshake.
func TestSetsOfOthers(t *testing.T) {
	if os.Getuid() != 0 {
		return // it takes root to be another user
	}
	p := start(t, fixture(t, "wild.c", "gcc"), "foreign")
	if got := p.line(); got != "guard 1, attach 0" {
		t.Errorf("the program says %q", got)
	}
}

// TestStatusLayout compares the fields of struct semid64_ds that are used with what the kernel says elsewhere.
func TestStatusLayout(t *testing.T) {
	s, err := Create(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Remove()
	if unsafe.Sizeof(operation{}) != 6 {
		t.Errorf("struct sembuf has %d bytes", unsafe.Sizeof(operation{}))
	}
	line := func() []string {
		text, _ := os.ReadFile("/proc/sysvipc/sem")
		for _, l := range strings.Split(string(text), "\n") {
			if f := strings.Fields(l); len(f) > 5 && f[0] == strconv.Itoa(int(s.Key)) {
				return f
			}
		}
		t.Fatal("no set")
		return nil
	}
	if f := line(); f[2] != "600" || f[3] != "5" || f[4] != strconv.Itoa(os.Getuid()) {
		t.Errorf("the kernel has %q", f)
	}
	if os.Getuid() != 0 {
		return
	}
	if err := give(s.ID, 4321, 1234); err != nil {
		t.Fatal(err)
	}
	if f := line(); f[2] != "600" || f[4] != "4321" || f[5] != "1234" || f[6] != "0" {
		t.Errorf("given away, the kernel has %q", f)
	}
	var st status
	if _, err := semctl(s.ID, 0, unix.IPC_STAT, unsafe.Pointer(&st)); err != nil || st.uid() != 4321 {
		t.Errorf("owner %d, %v", st.uid(), err)
	}
}
