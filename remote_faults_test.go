package farcall_test

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"farcall/internal/linux"

	"golang.org/x/sys/unix"
)

// A relay is a link to a server that can be slow, and is cut again and again.
type relay struct {
	sock string
	cuts atomic.Int64

	mu    sync.Mutex // held while there is no link
	lines []func()   // close the connections
}

// cut cuts all connections. There are no others until the link is there again.
func (r *relay) cut() (again func()) {
	r.mu.Lock()
	for _, end := range r.lines {
		end()
	}
	r.lines = nil
	return r.mu.Unlock
}

// newRelay relays to a unix socket. budget says how many bytes the next connection carries in each direction before it is cut; 0: all. delay is how
// long each piece takes.
func newRelay(t *testing.T, to string, budget func() int, delay time.Duration) *relay {
	t.Helper()
	r := &relay{sock: filepath.Join(t.TempDir(), "relay")}
	l, err := net.Listen("unix", r.sock)
	if err != nil {
		t.Fatal(err)
	}
	var conns sync.WaitGroup
	t.Cleanup(func() {
		l.Close()
		conns.Wait()
	})
	conns.Go(func() {
		for {
			near, err := l.Accept()
			if err != nil {
				return
			}
			r.mu.Lock()
			far, err := net.Dial("unix", to)
			if err != nil {
				r.mu.Unlock()
				near.Close()
				continue
			}
			n := budget()
			both := func() {
				near.Close()
				far.Close()
			}
			r.lines = append(r.lines, both)
			r.mu.Unlock()
			half := func(dst io.Writer, src io.Reader) {
				defer both()
				buf, left := make([]byte, 4096), n
				for {
					m, err := src.Read(buf)
					if n > 0 && m >= left {
						_, _ = dst.Write(buf[:left])
						r.cuts.Add(1)
						return
					}
					left -= m
					time.Sleep(delay) // what is being tested, not a wait
					if _, werr := dst.Write(buf[:m]); err != nil || werr != nil {
						return
					}
				}
			}
			conns.Go(func() { half(near, far) })
			conns.Go(func() { half(far, near) })
		}
	})
	return r
}

// through is the far host as it is seen through a relay.
func (h *farHost) through(r *relay) *farHost {
	other := *h
	other.sock = r.sock
	return &other
}

// TestRemoteFlakyLink runs a program over a link that is cut again and again, in the middle of frames: it does not notice.
func TestRemoteFlakyLink(t *testing.T) {
	h := newFarHost(t, "--allow", "rw")
	h.reset()
	rnd := rand.New(rand.NewPCG(3, 4))
	r := newRelay(t, h.sock, func() int {
		if rnd.IntN(4) == 0 {
			return 1 << 20 // the largest frames have to get through at some time
		}
		return 3000 + rnd.IntN(20000)
	}, 0)
	got := h.through(r).proxied([]string{"--cwd", "/home"}, "bash", "-c", `
set -e
for i in {1..100}; do echo $i >> log; mv log log2; mkdir d; rmdir d; mv log2 log; done
dd if=/dev/zero bs=100k count=5 2>/dev/null | tr '\0' x > big
wc -c < big; cksum < big; cksum < log; sync log`)
	want := h.inside(`seq 100 | cksum; head -c 512000 /dev/zero | tr '\0' x | cksum`)
	log, big, _ := strings.Cut(want.stdout, "\n")
	if got.code != 0 || got.stdout != "512000\n"+big+log+"\n" {
		t.Errorf("status %d, %q, want %q and %q\n%s", got.code, got.stdout, big, log, got.stderr)
	}
	if b, err := os.ReadFile(filepath.Join(h.root, "home/log")); err != nil || strings.Count(string(b), "\n") != 100 {
		t.Errorf("%q %v", b, err)
	}
	if n := r.cuts.Load(); n < 5 {
		t.Errorf("only %d cuts", n)
	}
}

// TestRemoteSlowLink has each piece take its time.
func TestRemoteSlowLink(t *testing.T) {
	h := newFarHost(t, "--allow", "rw")
	h.reset()
	r := newRelay(t, h.sock, func() int { return 0 }, 10*time.Millisecond)
	got := h.through(r).proxied([]string{"--cwd", "/home"}, "bash", "-c", `echo a > x; cat x; rm x; ls x`)
	if got.stdout != "a\n" || !strings.Contains(got.stderr, "No such file") {
		t.Errorf("%+v", got)
	}
}

// TestRemoteLeasesResumed changes what a program has looked at while there is no link to the server: once that is there again, and something has been asked, the
// program sees it.
func TestRemoteLeasesResumed(t *testing.T) {
	h := newFarHost(t, "--allow", "rw")
	for _, mechanism := range []string{"notify", "ptrace"} {
		h.reset()
		if o := h.inside("mkdir d e; echo one > f; echo one > d/a; echo one > e/a; ln -s f l; touch m; chmod 600 m"); o.code != 0 {
			t.Fatalf("%+v", o)
		}
		r := newRelay(t, h.sock, func() int { return 0 }, 0)
		shell := h.through(r).converse("--cache", "lease=1h", "--mechanism", mechanism)
		const look = "cat f d/* e/*; ls d; readlink l; stat -c %a m; echo $?"
		want := "one one one a f 600 0"
		for i, change := range []struct{ change, want string }{
			{"echo two > f; echo two > d/a", "two two one a f 600 0"},
			{"echo three > g; mv g f; echo b > d/b; ln -sfn d l; chmod 640 m", "three two b one a b d 640 0"},
			{"mv d old; mv e d; mkdir e; echo new > e/a; ln -sfn f l", "three one new a f 640 0"},
			{"for i in {1..6000}; do echo $i > d/a; done; touch d/{1..6000}; rm d/[1-9]*; echo last > d/a", "three last new a f 640 0"},
		} {
			for range 3 { // so that it is known
				if got := shell.ask(look); got != want {
					t.Fatalf("%s: before %s: %q, want %q", mechanism, change.change, got, want)
				}
			}
			again := r.cut()
			if o := h.inside(change.change); o.code != 0 {
				t.Fatalf("%+v", o)
			}
			again()
			shell.ask(fmt.Sprintf("mkdir asked%d; echo $?", i)) // its answer comes after what was kept for us
			want = change.want
			if got := shell.ask(look); got != want {
				t.Errorf("%s: after %s: %q, want %q", mechanism, change.change, got, want)
			}
		}
	}
}

// TestRemoteTracedTogether records the calls of several programs by ptrace: while one is at its call, the others' are answered and told.
func TestRemoteTracedTogether(t *testing.T) {
	h := newFarHost(t)
	h.reset()
	got := h.proxied([]string{"--mechanism", "ptrace", "--trace", filepath.Join(t.TempDir(), "trace"), "--cwd", "/home"}, "bash", "-c",
		`for j in 1 2 3; do (for i in {1..300}; do read x < a.txt; [ -e b$i ]; done) & done; wait; echo end`)
	if got.stdout != "end\n" || got.code != 0 {
		t.Errorf("%+v", got)
	}
}

// replace puts another server where a client of this one, which has been killed, connects to.
func (h *farHost) replace(next *farHost) {
	h.t.Helper()
	if err := os.Remove(h.sock); err != nil {
		h.t.Fatal(err)
	}
	if err := os.Symlink(next.sock, h.sock); err != nil {
		h.t.Fatal(err)
	}
}

// TestRemoteRestart restarts the server under a program: it goes on, without what it had open.
func TestRemoteRestart(t *testing.T) {
	h := newFarHost(t, "--allow", "rw")
	h.reset()
	r := newRelay(t, h.sock, func() int { return 0 }, 0)
	in, go_, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	defer go_.Close()
	// Writes are waited for, so that the program is told of the one that fails.
	cmd, out, stderr := h.through(r).start(in, []string{"--cwd", "/home", "--saver", "all,-writes"}, `
exec 5>> kept; echo one >&5; echo ready; read line
cat /home/a.txt; echo two >&5; cat /etc/hostname; echo three > /home/new; echo end`)
	if line, err := out.ReadString('\n'); line != "ready\n" {
		t.Fatalf("%q, %v, %s", line, err, stderr)
	}
	a, err := os.ReadFile(filepath.Join(h.root, "home/a.txt"))
	if err != nil {
		t.Fatal(err)
	}
	h.kill()
	next := newFarHost(t, "--allow", "rw") // where the relay leads from now on
	h.replace(next)
	next.reset()
	if _, err := go_.WriteString("go on\n"); err != nil {
		t.Fatal(err)
	}
	rest, err := io.ReadAll(out)
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil || string(rest) != string(a)+"far\nend\n" {
		t.Errorf("%v, %q\n%s", err, rest, stderr)
	}
	if s := stderr.String(); !strings.Contains(s, "Stale file handle") || !strings.Contains(s, "connected again") {
		t.Errorf("%s", s)
	}
	for name, want := range map[string]string{h.root + "/home/kept": "one\n", next.root + "/home/new": "three\n"} {
		if b, err := os.ReadFile(name); err != nil || string(b) != want {
			t.Errorf("%s: %q %v", name, b, err)
		}
	}
}

// waitingScript is a program that handles a signal while it waits for something that does not come.
const waitingScript = `
import fcntl, os, signal, sys
class Stop(Exception): pass
def handler(*a): raise Stop
signal.signal(signal.SIGINT, handler)
signal.signal(signal.SIGUSR1, lambda *a: None)
signal.siginterrupt(signal.SIGUSR1, False) # SA_RESTART: only what is behind wakeup_fd sees it
os.set_blocking(1, False)
signal.set_wakeup_fd(1)
os.mkfifo("f") if not os.path.exists("f") else None
lock = os.open("lock", os.O_CREAT|os.O_RDWR)
both = os.open("f", os.O_RDWR) if sys.argv[1] == "read" else -1
print("ready", flush=True)
try:
    if sys.argv[1] == "open": os.open("f", os.O_RDONLY)
    if sys.argv[1] == "flock": fcntl.flock(lock, fcntl.LOCK_EX)
    if sys.argv[1] == "lockf": fcntl.lockf(lock, fcntl.LOCK_EX)
    if sys.argv[1] == "read": os.read(both, 10)
    print("did not wait")
except Stop: print("interrupted")
`

// TestRemoteInterrupt sends signals to programs that wait in a call of the server: with a handler, and without.
func TestRemoteInterrupt(t *testing.T) {
	h := newFarHost(t, "--allow", "rw")
	h.reset()
	holder, held, _ := h.start(nil, []string{"--cwd", "/home"}, `exec 3<>lock; flock 3; exec python3 -c 'import fcntl, os, time
fcntl.lockf(3, fcntl.LOCK_EX); print("held", flush=True); time.sleep(1000)'`)
	if line, err := held.ReadString('\n'); line != "held\n" {
		t.Fatal(line, err)
	}
	defer func() {
		_ = holder.Process.Kill()
		_ = holder.Wait()
	}()
	for _, what := range []string{"open", "flock", "lockf", "read"} {
		for _, mechanism := range []string{"notify", "ptrace"} {
			for _, signal := range []struct {
				sig    syscall.Signal
				script string
				want   string
				code   int
			}{
				{syscall.SIGINT, waitingScript, "\x02interrupted\n", 0},
				{syscall.SIGINT, strings.ReplaceAll(waitingScript, ", handler)", ", signal.SIG_DFL)"), "", 128 + int(syscall.SIGINT)},
				{syscall.SIGUSR1, waitingScript, "\n", 0},
				{syscall.SIGKILL, waitingScript, "", 128 + int(syscall.SIGKILL)},
			} {
				t.Run(fmt.Sprint(what, " ", mechanism, " ", signal.sig), func(t *testing.T) {
					h.interrupt(t, what, mechanism, signal.script, signal.sig, signal.want, signal.code)
				})
			}
		}
	}
}

// interrupt sends a signal to waitingScript, and then another if its call was made again.
func (h *farHost) interrupt(t *testing.T, what, mechanism, script string, sig syscall.Signal, want string, code int) {
	file := filepath.Join(t.TempDir(), "waits.py")
	if err := os.WriteFile(file, []byte(script), 0o666); err != nil {
		t.Fatal(err)
	}
	cmd, out, stderr := h.start(nil, []string{"--mechanism", mechanism, "--cwd", "/home", "--local", file}, "echo $$; exec python3 "+file+" "+what)
	line, err := out.ReadString('\n')
	pid, perr := strconv.Atoi(strings.TrimSpace(line))
	if err != nil || perr != nil {
		t.Fatal(line, err, stderr)
	}
	if line, err := out.ReadString('\n'); line != "ready\n" {
		t.Fatalf("%q, %v, %s", line, err, stderr)
	}
	untilWaiting(t, pid)
	if err := syscall.Kill(pid, sig); err != nil {
		t.Fatal(err)
	}
	if sig == syscall.SIGUSR1 {
		if line, err := out.ReadString('\n'); line != want {
			t.Fatalf("%q, %v, %s", line, err, stderr)
		}
		untilWaiting(t, pid) // the call was made again
		want = "\x02interrupted\n"
		if err := syscall.Kill(pid, syscall.SIGINT); err != nil {
			t.Fatal(err)
		}
	}
	rest, _ := io.ReadAll(out)
	err = cmd.Wait()
	if string(rest) != want || cmd.ProcessState.ExitCode() != code {
		t.Errorf("%q, %v, %s", rest, err, stderr)
	}
}

// alarmScript waits for a lock that another process has, until SIGALRM comes: before the call, while the proxy looks at it, or while it waits there.
const alarmScript = `
import fcntl, os, random, signal, sys
class Alarm(Exception): pass
def handler(*a): raise Alarm
signal.signal(signal.SIGALRM, handler)
f = os.open("lock", os.O_CREAT|os.O_RDWR)
r, w = os.pipe()
child = os.fork()
if child == 0:
    fcntl.lockf(f, fcntl.LOCK_EX); os.write(w, b"x"); signal.pause()
os.read(r, 1)
rnd = random.Random(1)
for i in range(int(sys.argv[1])):
    try:
        signal.setitimer(signal.ITIMER_REAL, rnd.choice([0.00005, 0.0005, 0.003, 0.02, 0.06, 0.1]) * (0.5 + rnd.random()), 5) # again: one may come before the call is made
        fcntl.lockf(f, fcntl.LOCK_EX)
        print("got it")
    except Alarm: pass
    signal.setitimer(signal.ITIMER_REAL, 0)
os.kill(child, signal.SIGKILL); os.waitpid(child, 0)
fcntl.lockf(f, fcntl.LOCK_EX)
print("end")
`

// TestRemoteAlarm has SIGALRM end F_SETLKW at any time. FARCALL_TEST_ALARMS says how often.
func TestRemoteAlarm(t *testing.T) {
	h := newFarHost(t, "--allow", "rw")
	n := cmp.Or(os.Getenv("FARCALL_TEST_ALARMS"), "30")
	for _, mechanism := range []string{"notify", "ptrace"} {
		h.reset()
		got := h.proxied([]string{"--mechanism", mechanism, "--cwd", "/home"}, "python3", "-c", alarmScript, n)
		if got.stdout != "end\n" || got.code != 0 {
			t.Errorf("%s: %+v", mechanism, got)
		}
	}
}

// TestRemoteKilledWaiting kills a program that waits in a call of the server: the call ends there too, while the session goes on.
func TestRemoteKilledWaiting(t *testing.T) {
	h := newFarHost(t, "--allow", "rw")
	for _, mechanism := range []string{"notify", "ptrace"} {
		h.reset()
		in, end, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		cmd, out, stderr := h.start(in, []string{"--mechanism", mechanism, "--cwd", "/home"}, `
mkfifo f; head -c 6 < f & echo $!; wait $!; echo $?; read line; echo hello > f & head -c 6 f`)
		in.Close()
		line, err := out.ReadString('\n')
		pid, perr := strconv.Atoi(strings.TrimSpace(line))
		if err != nil || perr != nil {
			t.Fatal(mechanism, line, err, stderr)
		}
		untilOpens(t, h.pid, true)
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		if line, err := out.ReadString('\n'); line != "137\n" {
			t.Fatal(mechanism, line, err, stderr)
		}
		untilOpens(t, h.pid, false)
		end.Close()
		rest, err := io.ReadAll(out)
		werr := cmd.Wait()
		if string(rest) != "hello\n" || err != nil || werr != nil {
			t.Errorf("%s: %q, %v, %v, %s", mechanism, rest, err, werr, stderr)
		}
	}
}

// untilOpens waits until a thread of a process is in openat(2) or openat2(2), or none is.
func untilOpens(t *testing.T, pid int, want bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		calls, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/syscall", pid))
		if err != nil || len(calls) == 0 {
			t.Fatal(calls, err)
		}
		opens := false
		for _, name := range calls {
			b, _ := os.ReadFile(name) // the thread may have ended
			nr, _, _ := strings.Cut(string(b), " ")
			opens = opens || nr == strconv.Itoa(unix.SYS_OPENAT) || nr == strconv.Itoa(unix.SYS_OPENAT2)
		}
		if opens == want {
			return
		}
	}
	t.Fatalf("a thread is in openat: not %v", want)
}

// untilWaiting waits until a thread is in a call that a listener answers, for longer than an answer takes.
func untilWaiting(t *testing.T, pid int) {
	t.Helper()
	for since, last := time.Now(), ""; time.Since(since) < 200*time.Millisecond; time.Sleep(5 * time.Millisecond) {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/syscall", pid))
		if err != nil {
			t.Fatal(err)
		}
		if s := string(b); s != last || s == "running\n" {
			since, last = time.Now(), s
		}
	}
}

// TestRemoteSignals has signals with a handler come all the time: nothing is done twice, and nothing is left out.
func TestRemoteSignals(t *testing.T) {
	h := newFarHost(t, "--allow", "rw")
	h.reset()
	file := filepath.Join(t.TempDir(), "signals.py")
	if err := os.WriteFile(file, []byte(`
import os, signal, sys
count = 0
def handler(*a):
    global count
    count += 1
signal.signal(signal.SIGUSR1, handler)
print(os.getpid(), flush=True)
f = os.open("log", os.O_CREAT|os.O_EXCL|os.O_WRONLY|os.O_APPEND)
i = 0
while i < 300 or count < 50:
    for call in (lambda: os.write(f, b"%d\n" % i), lambda: os.mkdir("d"), lambda: os.rename("d", "e"), lambda: os.rmdir("e")):
        while True:
            try: call(); break
            except InterruptedError: pass # before the supervisor has received it: it was not executed
    i += 1
print(i, flush=True)
`), 0o666); err != nil {
		t.Fatal(err)
	}
	cmd, out, stderr := h.start(nil, []string{"--cwd", "/home", "--local", file}, "exec python3 "+file)
	line, err := out.ReadString('\n')
	pid, perr := strconv.Atoi(strings.TrimSpace(line))
	if err != nil || perr != nil {
		t.Fatal(line, err, stderr)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var sender sync.WaitGroup
	sender.Go(func() {
		rnd := rand.New(rand.NewPCG(5, 6))
		for ctx.Err() == nil {
			_ = syscall.Kill(pid, syscall.SIGUSR1)
			time.Sleep(time.Duration(rnd.IntN(2000)) * time.Microsecond)
		}
	})
	line, err = out.ReadString('\n')
	cancel()
	sender.Wait()
	n, perr := strconv.Atoi(strings.TrimSpace(line))
	if werr := cmd.Wait(); err != nil || perr != nil || werr != nil {
		t.Fatal(line, err, werr, stderr)
	}
	var want bytes.Buffer
	for i := range n {
		fmt.Fprintln(&want, i)
	}
	if b, err := os.ReadFile(filepath.Join(h.root, "home/log")); err != nil || !bytes.Equal(b, want.Bytes()) {
		t.Errorf("%d bytes, want %d, %v", len(b), want.Len(), err)
	}
}

// TestRemoteExhausted runs out of room on the server's disk, and of descriptors on each side.
func TestRemoteExhausted(t *testing.T) {
	h := newFarHost(t, "--allow", "rw")
	h.reset()
	mount := exec.Command("nsenter", "-t", fmt.Sprint(h.pid), "-m", "mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", h.root+"/tmp")
	if b, err := mount.CombinedOutput(); err != nil {
		t.Fatal(err, string(b))
	}
	got := h.proxied([]string{"--cwd", "/tmp"}, "bash", "-c", `head -c 200000 /dev/zero > f; stat -c %s f; rm f; echo ok > g; cat g`)
	// The program is told at its next write, or farcall says so at the end.
	if got.stdout != "65536\nok\n" || !strings.Contains(strings.ToLower(got.stderr), "no space left on device") {
		t.Errorf("%+v", got)
	}
	const open = `
import os
fds = []
try:
    while len(fds) < 5000: fds.append(os.open("/home/a.txt", os.O_RDWR))
except OSError as e: print(e.strerror)
for f in fds: os.close(f)
print(open("/home/a.txt").read() != "")
`
	want := "Too many open files\nTrue\n"
	if got := h.proxied(nil, "bash", "-c", `ulimit -n 50; exec python3 -c "$0"`, open); got.stdout != want {
		t.Errorf("the program's limit: %+v", got)
	}
	if got := h.proxied(nil, "bash", "-c", `ulimit -n 6000; exec python3 -c "$0"`, open); got.stdout != want {
		t.Errorf("the session's limit: %+v", got)
	}
	limit := unix.Rlimit{Cur: 40, Max: 40}
	if err := unix.Prlimit(h.pid, unix.RLIMIT_NOFILE, &limit, nil); err != nil {
		t.Fatal(err)
	}
	if got := h.proxied(nil, "bash", "-c", `ulimit -n 6000; exec python3 -c "$0"`, open); got.stdout != want {
		t.Errorf("the server's limit: %+v", got)
	}
	if got := h.proxied(nil, "cat", "/etc/hostname"); got.stdout != "far\n" {
		t.Errorf("the server after that: %+v", got)
	}
}

// TestRemoteConfined looks at what a server may do that was started by root with --user.
func TestRemoteConfined(t *testing.T) {
	h := newFarHost(t, "--allow", "rw", "--user", "nobody")
	if err := os.WriteFile(filepath.Join(h.root, "etc/secret"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	got := h.proxied(nil, "bash", "-c", `cat /etc/hostname; cat /etc/secret; touch /tmp/new; id -u; stat -c %U /tmp/new`)
	if got.stdout != "far\n65534\nnobody\n" || !strings.Contains(got.stderr, "secret: Permission denied") {
		t.Errorf("%+v", got)
	}
	st, err := linux.ReadStatus(h.pid)
	if err != nil {
		t.Fatal(err)
	}
	if !st.UID.All(65534) || !st.GID.All(65534) || st.Groups != "65534" || st.Permitted|st.Effective|st.Inheritable|st.Ambient != 0 ||
		!st.NoNewPrivs || st.Seccomp != linux.SeccompFilter {
		t.Errorf("%+v", st)
	}
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*", h.pid))
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range tasks {
		tid, _ := strconv.Atoi(filepath.Base(dir))
		if st, err := linux.ReadStatus(tid); err == nil && (!st.UID.All(65534) || st.Effective != 0 || st.Seccomp != linux.SeccompFilter || !st.NoNewPrivs) {
			t.Errorf("thread %d: %+v", tid, st)
		}
	}
}

// TestRemoteStop stops a server with SIGTERM while a program waits for an answer: it gets that; later ones find nobody.
func TestRemoteStop(t *testing.T) {
	h := newFarHost(t, "--allow", "rw")
	h.reset()
	fifo := filepath.Join(h.root, "home/f")
	if err := unix.Mkfifo(fifo, 0o666); err != nil {
		t.Fatal(err)
	}
	cmd, out, stderr := h.start(nil, []string{"--cwd", "/home", "--on-loss", "eio"}, `echo $$; exec head -c 5 f`)
	line, err := out.ReadString('\n')
	pid, perr := strconv.Atoi(strings.TrimSpace(line))
	if err != nil || perr != nil {
		t.Fatal(line, err)
	}
	untilWaiting(t, pid)
	w, err := os.OpenFile(fifo, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	untilWaiting(t, pid) // for data now
	if err := syscall.Kill(h.pid, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	h.dead = true
	for { // until it has stopped listening
		c, err := net.Dial("unix", h.sock)
		if err != nil {
			break
		}
		c.Close()
	}
	if _, err := w.WriteString("late\n"); err != nil {
		t.Fatal(err)
	}
	rest, _ := io.ReadAll(out)
	err = cmd.Wait()
	if string(rest) != "late\n" || err != nil {
		t.Errorf("%q, %v, %s", rest, err, stderr)
	}
}
