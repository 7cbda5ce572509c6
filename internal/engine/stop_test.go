package engine

import (
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"farcall/internal/ptrace"
	"farcall/syscalls"
)

// Row 2: a group-stop really stops, SIGCONT resumes, the parent is told.
func TestGroupStopIsRealStop(t *testing.T) {
	for _, sig := range []string{"19", "20"} { // SIGSTOP, SIGTSTP
		r := newRecorder()
		stops := 0
		r.onStopped = func(*Thread, unix.Signal) { stops++ }
		l, out := trace(t, Options{Follow: true}, r, fixture(t, "groupstop"), sig)
		if st := r.lastExit(t, l.Thread.TID); st != (Status{}) || out != "ok\n" {
			t.Errorf("signal %s: exit %+v, output %q", sig, st, out)
		}
		// The second is followed by SIGKILL, which can come before the tracer has looked.
		if stops != 2 && stops != 1 {
			t.Errorf("signal %s: %d group-stops reported, want 2", sig, stops)
		}
	}
}

// A thread parked in a group-stop stays stopped after Resume, until SIGCONT.
func TestParkInGroupStop(t *testing.T) {
	r := newRecorder()
	r.onStopped = func(th *Thread, _ unix.Signal) {
		th.Park()
		go th.Resume()
	}
	l, out := trace(t, Options{Follow: true}, r, fixture(t, "groupstop"), "19")
	if st := r.lastExit(t, l.Thread.TID); st != (Status{}) || out != "ok\n" {
		t.Errorf("exit %+v, output %q", st, out)
	}
}

// Row 14: the program's own SIGTRAPs are signals, not calls.
func TestOwnSIGTRAP(t *testing.T) {
	for _, classic := range []bool{false, true} {
		r := newRecorder()
		_, out := trace(t, Options{Classic: classic}, r, fixture(t, "sigtrap"))
		if out != "3 1 1 1 1\n" {
			t.Errorf("classic %v: the program saw %q", classic, out)
		}
		if len(r.signal) != 3 {
			t.Errorf("classic %v: %d signals, want 3", classic, len(r.signal))
		}
		if n := r.enters[unix.SYS_GETPPID]; n != 1 {
			t.Errorf("classic %v: %d getppid", classic, n)
		}
	}
}

// Row 15: signals arrive once each, with their siginfo.
func TestSiginfoIntact(t *testing.T) {
	native, err := exec.Command(fixture(t, "siginfo")).Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, opts := range []Options{{}, {Follow: true}, {Classic: true, Follow: true}} {
		r := newRecorder()
		_, out := trace(t, opts, r, fixture(t, "siginfo"))
		if out != string(native) {
			t.Errorf("%+v:\n%s\nnatively:\n%s", opts, out, native)
		}
		if len(r.signal) != 6 {
			t.Errorf("%+v: %d signals, want 6", opts, len(r.signal))
		}
	}
}

// A sink can suppress and replace signals.
func TestDeliver(t *testing.T) {
	r := newRecorder()
	r.onSignal = func(th *Thread, info *ptrace.Siginfo) {
		if info.Signo == int32(unix.SIGTERM) {
			th.Deliver(unix.SIGKILL)
		}
	}
	l, _ := trace(t, Options{}, r, fixture(t, "killself"), "15")
	if st := r.lastExit(t, l.Thread.TID); st.Signal != unix.SIGKILL {
		t.Errorf("exit %+v, want by SIGKILL", st)
	}
}

// Row 16, the end: exit status and killing signal.
func TestEndings(t *testing.T) {
	for _, tc := range []struct {
		arg  string
		want Status
	}{
		{"exit", Status{Code: 200}}, {"9", Status{Signal: 9}}, {"15", Status{Signal: 15}}, {"11", Status{Signal: 11}},
		{"5", Status{Signal: 5}}, {"40", Status{Signal: 40}},
	} {
		r := newRecorder()
		l, _ := trace(t, Options{}, r, fixture(t, "killself"), tc.arg)
		if st := r.lastExit(t, l.Thread.TID); st != tc.want {
			t.Errorf("%s: %+v, want %+v", tc.arg, st, tc.want)
		}
	}
}

// Row 12: interrupted calls keep the kernel's private errors, and restart_syscall names what it resumes.
func TestInterruptedCalls(t *testing.T) {
	r := newRecorder()
	var errs []unix.Errno
	var resumes []Call
	r.onEnter = func(th *Thread) {
		if th.Call.Resumes != nil {
			resumes = append(resumes, *th.Call.Resumes)
		}
	}
	r.onExit = func(th *Thread) {
		if e := th.Call.Errno(); e >= 512 {
			errs = append(errs, e)
		}
	}
	_, out := trace(t, Options{Follow: true}, r, fixture(t, "interrupted"))
	if out != "ok\n" {
		t.Errorf("output %q", out)
	}
	has := map[unix.Errno]bool{}
	for _, e := range errs {
		has[e] = true
	}
	if !has[ERESTARTRestartblock] || !has[ERESTARTNOHAND] {
		t.Errorf("errors %v, want 516 for poll and 514 for pause", errs)
	}
	if len(resumes) != 1 || resumes[0].Number != sysPoll || resumes[0].Args[2] != 200 || !resumes[0].Entered {
		t.Errorf("restart_syscall resumes %+v, want poll with 200", resumes)
	}
}

// Row 13: entries and exits alternate in each thread, across exec, threads, forks and kills.
func TestEntryAndExitAlternate(t *testing.T) {
	for _, args := range [][]string{
		{"/bin/sh", "-c", "ls / | cat; (sleep 10 & kill $!); true"},
		{fixture(t, "execthread"), "one", "20"},
		{fixture(t, "vforkwait")},
		{fixture(t, "ownfilter")},
		{fixture(t, "compat")},
	} {
		r := newRecorder()
		type open struct {
			in     bool
			number int64
		}
		state := map[*Thread]*open{}
		of := func(th *Thread) *open {
			if state[th] == nil {
				state[th] = &open{}
			}
			return state[th]
		}
		r.onEnter = func(th *Thread) {
			s := of(th)
			if s.in {
				r.wrongf("%s: %d enters %d inside of %d", args[0], th.TID, th.Call.Number, s.number)
			}
			s.in, s.number = true, th.Call.Number
		}
		r.onExit = func(th *Thread) {
			s := of(th)
			if !s.in || s.number != th.Call.Number {
				r.wrongf("%s: %d leaves %d, was in %v %d", args[0], th.TID, th.Call.Number, s.in, s.number)
			}
			s.in = false
		}
		trace(t, Options{Follow: true}, r, args...)
	}
}

// Row 9: a tracee killed while it is stopped makes requests fail with ESRCH, which nobody gets to see.
func TestKilledWhileStopped(t *testing.T) {
	for i := 0; i < 20; i++ {
		r := newRecorder()
		kill := func(th *Thread) {
			if len(r.exits) == 0 && r.enters[unix.SYS_GETPPID] == 1+i {
				if err := th.Kill(unix.SIGKILL); err != nil {
					r.wrongf("kill: %v", err)
				}
				// It may be gone already: errors come back, nothing hangs.
				var regs ptrace.Regs
				_ = th.Regs(&regs)
				_ = th.SetResult(0, false)
			}
		}
		if i%2 == 0 {
			r.onEnter = kill
		} else {
			r.onExit = kill
		}
		l, _ := trace(t, Options{Follow: true}, r, fixture(t, "states"), "calls")
		if st := r.lastExit(t, l.Thread.TID); st.Signal != unix.SIGKILL {
			t.Fatalf("round %d: %+v", i, st)
		}
	}
}

// Row 22: the ABI of each call, from 64-bit and 32-bit code, and across an exec between them.
func TestABIs(t *testing.T) {
	r := newRecorder()
	seen := map[syscalls.ABI]map[int64]int{}
	exits := map[syscalls.ABI]int{}
	r.onEnter = func(th *Thread) {
		c := &th.Call
		if seen[c.ABI] == nil {
			seen[c.ABI] = map[int64]int{}
		}
		seen[c.ABI][c.Number]++
		if c.ABI == syscalls.I386 && c.Number == 20 && (c.Args[0] != 0x11 || c.Args[1] != 0x22) {
			r.wrongf("arguments of int 0x80: %#x", c.Args)
		}
	}
	r.onExit = func(th *Thread) { exits[th.Call.ABI]++ }
	i386 := fixture(t, "i386", "-m32", "-nostdlib", "-static", "-ffreestanding", "-fno-stack-protector", "-fno-pic", "-no-pie")
	l, out := trace(t, Options{}, r, fixture(t, "compat"), i386)
	if out != "1 0\ni386\n" && out != "1 1\ni386\n" { // x32 is an option of the kernel
		t.Errorf("output %q", out)
	}
	if st := r.lastExit(t, l.Thread.TID); st.Code != 4 {
		t.Errorf("exit %+v", st)
	}
	for _, w := range []struct {
		abi    syscalls.ABI
		number int64
	}{
		{syscalls.AMD64, unix.SYS_GETPID}, {syscalls.I386, 20}, {syscalls.X32, syscalls.X32Bit | unix.SYS_GETPPID},
		{syscalls.I386, 64}, {syscalls.I386, 4}, {syscalls.I386, 1},
	} {
		if seen[w.abi][w.number] != 1 {
			t.Errorf("%v %#x seen %d times", w.abi, w.number, seen[w.abi][w.number])
		}
	}
	if exits[syscalls.X32] != 1 || exits[syscalls.I386] != 3 {
		t.Errorf("exits %v", exits)
	}
}

// A sink changes arguments, answers calls and changes results.
func TestChangeCalls(t *testing.T) {
	for _, classic := range []bool{false, true} {
		r := newRecorder()
		var seen []int64
		r.onEnter = func(th *Thread) {
			if th.Call.Number == unix.SYS_EXIT_GROUP {
				args := th.Call.Args
				args[0] = 77
				if err := th.SetCall(th.Call.Number, args); err != nil {
					r.wrongf("SetCall: %v", err)
				}
			}
			if th.Call.Number == unix.SYS_WRITE {
				if err := th.Answer(int64(th.Call.Args[2]), false); err != nil {
					r.wrongf("Answer: %v", err)
				}
			}
		}
		r.onExit = func(th *Thread) {
			if th.Call.Number == unix.SYS_WRITE {
				seen = append(seen, th.Call.Ret)
			}
		}
		l, out := trace(t, Options{Classic: classic}, r, "/bin/echo", "unseen")
		if out != "" {
			t.Errorf("output %q of a write that was answered", out)
		}
		if len(seen) != 1 || seen[0] != 7 {
			t.Errorf("results %v", seen)
		}
		if st := r.lastExit(t, l.Thread.TID); st.Code != 77 {
			t.Errorf("exit %+v", st)
		}
	}
}

// Row 23: names read up to the end of their page, and what cannot be read is an error.
func TestStringAtPageEnd(t *testing.T) {
	r := newRecorder()
	got := map[uint64]string{}
	r.onEnter = func(th *Thread) {
		if th.Call.Number != unix.SYS_OPENAT || int32(th.Call.Args[0]) != -1 {
			return
		}
		var buf [4096]byte
		n, done, err := th.Memory().ReadString(th.Call.Args[1], buf[:])
		s := string(buf[:n])
		if !done {
			s += "..."
		}
		if err != nil {
			s += err.Error()
		}
		got[th.Call.Args[3]] = s
	}
	trace(t, Options{}, r, fixture(t, "strings"))
	want := map[uint64]string{0: "/end/of/page", 1: "/end/of/pagex..." + unix.EFAULT.Error(), 2: "..." + unix.EFAULT.Error()}
	for k, w := range want {
		if got[k] != w {
			t.Errorf("%d: %q, want %q", k, got[k], w)
		}
	}
}

// Row 23: an image that may only be executed is read all the same.
func TestExecOnlyImage(t *testing.T) {
	b, err := os.ReadFile("/bin/true")
	if err != nil {
		t.Fatal(err)
	}
	name := t.TempDir() + "/execonly"
	if err := os.WriteFile(name, b, 0o111); err != nil {
		t.Fatal(err)
	}
	r := newRecorder()
	read := 0
	r.onEnter = func(th *Thread) {
		if th.Call.Number == unix.SYS_OPENAT {
			var buf [256]byte
			if n, done, _ := th.Memory().ReadString(th.Call.Args[1], buf[:]); done && n > 0 {
				read++
			}
		}
	}
	trace(t, Options{}, r, name)
	if os.Getuid() != 0 {
		return // the kernel allows nobody else to read it (kernel/ptrace.c, ptracer_capable)
	}
	if read == 0 || read != r.enters[unix.SYS_OPENAT] {
		t.Errorf("%d names read of %d openat", read, r.enters[unix.SYS_OPENAT])
	}
}

// Row 24: ids as the tracer has them, and as the program sees them.
func TestPIDNamespaces(t *testing.T) {
	r := newRecorder()
	var pid, tid, outer int
	r.onEnter = func(th *Thread) {
		if th.Call.Number == unix.SYS_GETPID {
			var err error
			if pid, tid, err = th.NSIDs(); err != nil {
				r.wrongf("NSIDs: %v", err)
			}
			outer = th.TID
		}
	}
	l, _ := trace(t, Options{Follow: true}, r, fixture(t, "pidns"))
	if st := r.lastExit(t, l.Thread.TID); st != (Status{}) {
		t.Errorf("exit %+v", st)
	}
	if pid != 1 || tid != 1 || outer <= 1 {
		t.Errorf("pid %d, tid %d inside, %d outside", pid, tid, outer)
	}
}

func TestCallsAreNotAllocated(t *testing.T) {
	stops := 0
	var before, after uint64
	s := &hookSink{}
	count := func(*Thread) {
		switch stops++; stops {
		case 1000:
			before = mallocs()
		case 9000:
			after = mallocs()
		}
	}
	s.enter, s.exit = count, count
	e := New(Options{}, s)
	defer e.Close()
	if _, err := e.Launch(&Program{Path: "/bin/dd", Args: []string{"dd", "if=/dev/zero", "of=/dev/null", "bs=1", "count=3000", "status=none"}}); err != nil {
		t.Fatal(err)
	}
	if err := e.Run(); err != nil {
		t.Fatal(err)
	}
	// The runtime allocates a little on its own.
	if n := after - before; after == 0 || n > 100 {
		t.Errorf("%d allocations in 8000 of %d stops", n, stops)
	}
}

type hookSink struct {
	Ignore
	enter, exit func(*Thread)
}

func (s *hookSink) Enter(t *Thread) { s.enter(t) }
func (s *hookSink) Exit(t *Thread)  { s.exit(t) }

// Row 16: everything that a program can find out about itself is as without a tracer.
func TestTransparent(t *testing.T) {
	program := fixture(t, "transparent")
	weird := fixture(t, "weird")
	run := func(args ...string) string {
		cmd := exec.Command(args[0], args[1:]...)
		cmd.Env = []string{"ENGINE_TEST_ROLE=tracer", "A=1", "B=two"}
		cmd.SysProcAttr = &syscall.SysProcAttr{}
		cmd.Stderr = os.Stderr
		out, err := cmd.Output()
		if err != nil {
			t.Errorf("%v: %v", args, err)
		}
		return string(out)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ways := []string{"seize", "classic", "pin"}
	if os.Getuid() == 0 { // others need NO_NEW_PRIVS for a filter, which shows
		ways = append(ways, "filter")
	}
	for _, how := range ways {
		for _, prefix := range [][]string{nil, {weird}} {
			native := run(append(prefix, program, "x", "y z")...)
			traced := run(append(prefix, self, how, program, "x", "y z")...)
			if how == "filter" {
				// A filter is visible, by design: see Options.Filter.
				native = strings.ReplaceAll(native, "Seccomp:\t0", "Seccomp:\t2")
				native = strings.ReplaceAll(native, "Seccomp_filters:\t0", "Seccomp_filters:\t1")
			}
			if native != traced {
				t.Errorf("%s, after %v:\n%s", how, prefix, diff(native, traced))
			}
			if !strings.Contains(native, "cwd ") {
				t.Fatalf("no output: %q", native)
			}
		}
	}
}

func init() {
	// The test binary as tracer: how program args...
	roles["tracer"] = func() int {
		opts := Options{Follow: true}
		switch os.Args[1] {
		case "classic":
			opts.Classic = true
		case "filter":
			opts = filterOptions(true, unix.SYS_GETPPID)
		case "pin":
			opts.Pin = PinAuto
		}
		e := New(opts, Ignore{})
		defer e.Close()
		if _, err := e.Launch(&Program{Path: os.Args[2], Args: os.Args[2:]}); err != nil {
			println(err.Error())
			return 98
		}
		if err := e.Run(); err != nil {
			println(err.Error())
			return 97
		}
		return 0
	}
}

func diff(a, b string) string {
	as, bs := strings.Split(a, "\n"), strings.Split(b, "\n")
	in := func(l string, ls []string) bool {
		for _, x := range ls {
			if x == l {
				return true
			}
		}
		return false
	}
	var out strings.Builder
	for _, l := range as {
		if !in(l, bs) {
			out.WriteString("- " + l + "\n")
		}
	}
	for _, l := range bs {
		if !in(l, as) {
			out.WriteString("+ " + l + "\n")
		}
	}
	return out.String()
}
