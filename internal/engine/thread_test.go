package engine

import (
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// long tells whether the long versions of tests are to run.
func long() bool { return os.Getenv("ENGINE_LONG") != "" }

func pick(short, full int) int {
	if long() {
		return full
	}
	return short
}

// Row 5: many children, of which some stop before their parent's event; each is created and ends once.
func TestForkStorm(t *testing.T) {
	n := pick(300, 5000)
	for _, opts := range []Options{{Follow: true}, {Follow: true, Classic: true}, filterOptions(true, unix.SYS_EXIT_GROUP)} {
		r := newRecorder()
		_, out := trace(t, opts, r, fixture(t, "forkstorm"), strconv.Itoa(n), "50")
		sum := 0
		for i := 0; i < n; i++ {
			sum += i % 7
		}
		if strings.TrimSpace(out) != strconv.Itoa(sum) {
			t.Errorf("sum %q, want %d", out, sum)
		}
		if len(r.made) != n || len(r.exits) != n+1 || r.enters[unix.SYS_EXIT_GROUP] != n+1 {
			t.Errorf("%d created, %d exited, %d exit_group, want %d children", len(r.made), len(r.exits), r.enters[unix.SYS_EXIT_GROUP], n)
		}
	}
}

// Row 5: the parent dies before its event can come.
func TestParentKilledAtBirth(t *testing.T) {
	for _, classic := range []bool{false, true} {
		r := newRecorder()
		e := start(t, Options{Follow: true, Classic: classic}, r)
		_, out := begin(t, e, fixture(t, "orphans"), strconv.Itoa(pick(40, 400)))
		if err := e.Run(); err != nil {
			t.Fatal(err)
		}
		r.check(t)
		if out() != "ok\n" {
			t.Error("the program failed")
		}
		if n := len(e.Threads()) + len(e.procs) + len(e.tombs); n != 0 {
			t.Errorf("%d threads, processes or tombs are left", n)
		}
	}
}

// Row 6: execve by a thread that is not the leader, the last of many.
func TestExecByThread(t *testing.T) {
	const n = 20
	for _, opts := range []Options{{Follow: true}, {Follow: true, Classic: true}} {
		r := newRecorder()
		execs, supers := 0, 0
		former := 0
		r.onExec = func(th *Thread, f int, sup *Thread) {
			execs++
			if f != th.TID {
				former = f
			}
			if sup != nil {
				supers++
				if sup == th || !sup.InCall() {
					r.wrongf("superseded leader %+v", sup)
				}
			}
			if th.TID != th.PID() || !th.InCall() || th.Call.Number != unix.SYS_EXECVE {
				r.wrongf("exec by %d of %d in call %d", th.TID, th.PID(), th.Call.Number)
			}
		}
		l, _ := trace(t, opts, r, fixture(t, "execthread"), "one", strconv.Itoa(n))
		if execs != 2 || supers != 1 || former == 0 || former == l.Thread.TID {
			t.Errorf("%d execs, %d superseded, former id %d", execs, supers, former)
		}
		if st := r.lastExit(t, l.Thread.TID); st.Code != 5 {
			t.Errorf("exit %+v", st)
		}
		// The others exit; the one that executes and the leader become one.
		if len(r.made) != n || len(r.exits) != n-1+1 {
			t.Errorf("%d created, %d exited", len(r.made), len(r.exits))
		}
		if r.gone[former] {
			t.Error("the executing thread exited")
		}
	}
}

// Row 6: the leader is killed by another thread's execve just while its stop is handled. The request that is to resume the leader meets the
// new image in its exec stop, which must not be lost. (Linux refuses it since 5.13, kernel/ptrace.c looks_like_a_spurious_pid.)
func TestLeaderReplacedWhileStopped(t *testing.T) {
	r := newRecorder()
	var execer *Thread
	former, waited := 0, false
	execs := 0
	r.onEnter = func(th *Thread) {
		switch {
		case th.Call.Number == unix.SYS_EXECVE && th.TID != th.PID():
			execer, former = th, th.TID
		case execer != nil && !waited && th.TID == th.PID():
			waited = true
			for i := 0; i < 20_000; i++ { // until the other has the leader's id and is in its exec stop
				if _, gone := readStatus(former); gone != nil {
					if st, err := readStatus(th.PID()); err == nil && st.state == 't' {
						return
					}
				}
				time.Sleep(50 * time.Microsecond)
			}
			r.wrongf("the leader is not replaced")
		}
	}
	r.onExec = func(th *Thread, f int, sup *Thread) {
		if execs++; execs == 2 && (th != execer || f != former || sup == nil || th.TID != th.PID()) {
			r.wrongf("exec of %d from %d, superseded %v", th.TID, f, sup)
		}
	}
	r.onExit = func(th *Thread) {
		if th == execer && th.Call.Number != unix.SYS_EXECVE && execs != 2 {
			r.wrongf("%d in the new image without an exec", th.Call.Number)
		}
	}
	l, _ := trace(t, Options{Follow: true}, r, fixture(t, "execthread"), "race", "1")
	if !waited || execs != 2 {
		t.Errorf("waited %v, %d execs", waited, execs)
	}
	if st := r.lastExit(t, l.Thread.TID); st.Code != 5 {
		t.Errorf("exit %+v", st)
	}
}

// Row 6: all threads call execve at once; one wins.
func TestExecByAllThreads(t *testing.T) {
	n := pick(50, 200)
	for i := 0; i < pick(3, 10); i++ {
		r := newRecorder()
		l, _ := trace(t, Options{Follow: true}, r, fixture(t, "execthread"), "all", strconv.Itoa(n))
		if st := r.lastExit(t, l.Thread.TID); st.Code != 5 {
			t.Fatalf("exit %+v", st)
		}
		if len(r.made) != n || len(r.exits) != n {
			t.Errorf("%d created, %d exited, want %d", len(r.made), len(r.exits), n)
		}
	}
}

// Row 7: exit_group kills 100 siblings: each ends once, with its call unfinished.
func TestSiblingsKilled(t *testing.T) {
	const n = 100
	r := newRecorder()
	e := start(t, Options{Follow: true}, r)
	l, _ := begin(t, e, fixture(t, "execthread"), "exit", strconv.Itoa(n))
	if err := e.Run(); err != nil {
		t.Fatal(err)
	}
	r.check(t)
	if len(r.made) != n || len(r.exits) != n+1 {
		t.Errorf("%d created, %d exited, want %d and one more", len(r.made), len(r.exits), n)
	}
	unfinished := 0
	for _, x := range r.exits {
		if x.inCall {
			unfinished++
		}
		if x.status.Code != 5 && x.status.Signal != unix.SIGKILL {
			t.Errorf("exit %+v", x)
		}
	}
	if unfinished != n+1 { // pause, and one exit_group
		t.Errorf("%d unfinished calls, want %d", unfinished, n+1)
	}
	if st := r.lastExit(t, l.Thread.TID); st.Code != 5 {
		t.Errorf("exit %+v", st)
	}
	if len(e.threads) != 0 || len(e.procs) != 0 {
		t.Error("state is left")
	}
}

// Row 10: the leader is a zombie while a thread goes on.
func TestZombieLeader(t *testing.T) {
	r := newRecorder()
	l, out := trace(t, Options{Follow: true}, r, fixture(t, "zombieleader"))
	if out != "zombie\nend\n" {
		t.Errorf("output %q", out)
	}
	if len(r.exits) != 2 || r.lastExit(t, l.Thread.TID).Code != 3 {
		t.Errorf("exits %+v", r.exits)
	}
	if r.exits[len(r.exits)-1].tid != l.Thread.TID {
		t.Error("the leader's exit is not the last")
	}
}

// Row 11: vfork with an exec in the child.
func TestVfork(t *testing.T) {
	for _, opts := range []Options{{Follow: true}, {}, {Follow: true, Classic: true}, filterOptions(true, unix.SYS_EXECVE), filterOptions(false, unix.SYS_EXECVE)} {
		r := newRecorder()
		l, out := trace(t, opts, r, fixture(t, "vforkwait"))
		if out != "ok\n" || r.lastExit(t, l.Thread.TID).Code != 0 {
			t.Errorf("output %q, exits %+v", out, r.exits)
		}
		if want := map[bool]int{true: 5, false: 0}[opts.Follow]; len(r.made) != want {
			t.Errorf("%d created, want %d", len(r.made), want)
		}
	}
}

// Row 19: CLONE_UNTRACED does not escape, and CLONE_PTRACE does not confuse.
func TestCloneFlags(t *testing.T) {
	for _, mode := range []string{"untraced", "untraced3", "ptrace"} {
		for name, opts := range map[string]Options{
			"follow": {Follow: true}, "not": {}, "classic": {Follow: true, Classic: true}, "classic not": {Classic: true},
			"filter": filterOptions(true, unix.SYS_GETPPID), "filter not": filterOptions(false, unix.SYS_GETPPID),
		} {
			r := newRecorder()
			l, out := trace(t, opts, r, fixture(t, "cloneflags"), mode)
			if st := r.lastExit(t, l.Thread.TID); st != (Status{}) || out == "" {
				t.Errorf("%s, %s: exit %+v", mode, name, st)
			}
			want := 0
			if opts.Follow {
				want = 1
			}
			if len(r.made) != want || r.enters[unix.SYS_GETPPID] != want || len(r.exits) != want+1 {
				t.Errorf("%s, %s: %d created, %d calls of the child, %d exits", mode, name, len(r.made), r.enters[unix.SYS_GETPPID], len(r.exits))
			}
		}
	}
}

// Row 25: two busy threads do not keep others from getting their turn.
func TestFairness(t *testing.T) {
	const n = 200
	r := newRecorder()
	l, _ := trace(t, Options{Follow: true}, r, fixture(t, "fair"), strconv.Itoa(n))
	if st := r.lastExit(t, l.Thread.TID); st.Code != 0 {
		t.Errorf("exit %+v", st)
	}
	modest, busy := r.enters[unix.SYS_GETUID], r.enters[unix.SYS_GETPPID]
	if modest != 3*n {
		t.Errorf("%d calls of the modest threads, want %d", modest, 3*n)
	}
	if busy > 100*modest {
		t.Errorf("%d calls of the busy threads while the others made %d", busy, modest)
	}
}

// Row 25: a parked thread waits, the others and the loop go on.
func TestPark(t *testing.T) {
	r := newRecorder()
	var parked *Thread
	others := 0
	r.onEnter = func(th *Thread) {
		switch {
		case parked == nil && th.Call.Number == unix.SYS_GETUID:
			parked = th
			th.Park()
		case parked == th && others < 500:
			r.wrongf("the parked thread went on after %d calls of others", others)
		case parked != nil:
			if others++; others == 500 {
				go parked.Resume()
			}
		}
	}
	r.onExit = func(th *Thread) {
		if th == parked && others < 500 {
			r.wrongf("the parked call finished after %d calls of others", others)
		}
	}
	trace(t, Options{Follow: true}, r, fixture(t, "fair"), "100")
	if others < 500 {
		t.Errorf("%d calls of other threads", others)
	}
}
