package farcall_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// standIns are what programs can have in place of the other host's files.
var standIns = []string{"fuse", "memfd"}

// TestRemoteStandIns makes calls of which the kernel, and not the proxy, executes a part: they have to come to the same as there.
func TestRemoteStandIns(t *testing.T) {
	h := newFarHost(t, "--allow", "rw")
	const script = `exec python3 -c '
import errno, os, resource, select, signal, sys
def told(what, call):
    try: print(what, call())
    except OSError as e: print(what, errno.errorcode[e.errno])
rw = os.open("f", os.O_RDWR | os.O_CREAT, 0o600)
told("write", lambda: os.write(rw, b"0123456789" * 1000))
told("tell", lambda: os.lseek(rw, 0, 1))
ro, ap, wo = os.open("f", os.O_RDONLY), os.open("f", os.O_WRONLY | os.O_APPEND), os.open("f", os.O_WRONLY)
told("read", lambda: os.read(ro, 4))
told("append", lambda: (os.write(ap, b"end"), os.lseek(ap, 0, 1), os.pread(ro, 9, 9998)))
told("cut", lambda: (os.ftruncate(rw, 100), os.write(ap, b"end"), os.lseek(ap, 0, 1), os.lseek(ro, 0, 2), os.pread(ro, 9, 98)))
told("cut by name", lambda: (os.truncate("f", 50), os.write(ap, b"end"), os.lseek(ap, 0, 1), os.read(ro, 9)))
told("seek", lambda: os.lseek(rw, -3, 2))
told("hole", lambda: (os.pwrite(rw, b"x", 1 << 20), os.lseek(rw, -9, 2), os.fstat(rw).st_size))
for fd in wo, os.open(".", os.O_RDONLY), os.open("f", os.O_PATH), os.open(".", os.O_PATH):
    told("read what cannot be", lambda: os.read(fd, 9))
    told("write what cannot be", lambda: os.write(ro if fd == wo else fd, b"x"))
    told("epoll", lambda: select.epoll().register(fd, select.EPOLLIN))
    told("seek what cannot be", lambda: os.lseek(fd, 0, 1))
told("flags", lambda: os.get_blocking(rw))
dup = os.dup(rw)
told("dup", lambda: (os.lseek(dup, 5, 0), os.read(rw, 3), os.lseek(dup, 0, 1)))
if os.fork() == 0:
    os.read(dup, 2); os._exit(0)
os.wait()
told("fork", lambda: os.lseek(rw, 0, 1))
a, b = os.open("a", os.O_RDWR | os.O_CREAT), os.open("b", os.O_RDWR | os.O_CREAT)
told("fill", lambda: os.write(a, b"abcdefghij") + os.lseek(a, 2, 0))
told("copy", lambda: (os.copy_file_range(a, b, 3), os.lseek(a, 0, 1), os.lseek(b, 0, 1), os.pread(b, 9, 0)))
told("copy to", lambda: (os.copy_file_range(a, b, 3, 0, 7), os.lseek(a, 0, 1), os.lseek(b, 0, 1), os.pread(b, 19, 0)))
told("sendfile", lambda: (os.sendfile(b, a, None, 2), os.lseek(a, 0, 1), os.lseek(b, 0, 1), os.pread(b, 19, 0)))
told("sendfile from", lambda: (os.sendfile(b, a, 1, 2), os.lseek(a, 0, 1), os.lseek(b, 0, 1), os.pread(b, 19, 0)))
r, w = os.pipe()
told("splice into", lambda: (os.write(w, b"piped"), os.splice(r, b, 5), os.lseek(b, 0, 1), os.pread(b, 29, 0)))
told("nothing", lambda: os.read(os.open("b", os.O_RDONLY | os.O_CREAT | os.O_TRUNC), 9))
signal.signal(signal.SIGXFSZ, lambda *a: print("SIGXFSZ"))
resource.setrlimit(resource.RLIMIT_FSIZE, (20, 20))
told("limit", lambda: os.write(b, b"x" * 30))
told("beyond", lambda: (os.lseek(b, 20, 0), os.write(b, b"x")))
resource.setrlimit(resource.RLIMIT_NOFILE, (20, 20))
told("descriptors", lambda: [os.open("f", os.O_RDONLY) for i in range(30)])
'`
	h.clear("home")
	want := h.inside(script)
	tree := h.tree("home")
	if want.code != 0 || want.stderr != "" {
		t.Fatalf("%+v", want)
	}
	for _, s := range standIns {
		h.clear("home")
		got := h.proxied([]string{"--cwd", "/home", "--stand-ins", s}, "bash", "-c", script)
		w := want.stdout
		if s == "memfd" {
			w, got.stdout = withoutMemfds(w), withoutMemfds(got.stdout)
		}
		if got.stdout != w || got.stderr != want.stderr || got.code != want.code {
			t.Errorf("%s:\n got %+v\nwant %+v", s, got, want)
		}
		if after := h.tree("home"); s == "fuse" && after != tree {
			t.Errorf("%s: the tree is\n%s\nand not\n%s", s, after, tree)
		}
	}
}

// withoutMemfds leaves out what is known to differ with memfds: RLIMIT_FSIZE, which only the kernel that writes knows, splicing, and epoll with O_PATH.
func withoutMemfds(s string) string {
	return regexp.MustCompile(`(?m)^(limit|beyond|SIGXFSZ|splice|epoll).*\n`).ReplaceAllString(s, "")
}

// TestRemoteUnseen counts what the proxy sees of a program that reads and writes this host's files while it has files of the other host open.
func TestRemoteUnseen(t *testing.T) {
	h := newFarHost(t, "--allow", "rw")
	h.reset()
	file, local := filepath.Join(t.TempDir(), "stats"), filepath.Join(t.TempDir(), "local")
	got := h.proxied([]string{"--cwd", "/home", "--stand-ins", "fuse", "--local", local, "--stats", file}, "bash", "-c",
		fmt.Sprintf(`exec 5<> a.txt; dd if=/dev/zero bs=1 count=10000 2>&1 > %s; read x <&5; echo $x; echo new >&5; cat a.txt`, local))
	if got.code != 0 || !strings.Contains(got.stdout, "one\none\nnew\nthree\n") {
		t.Errorf("%+v", got)
	}
	if s := readStats(t, file); s.Calls.Local > 2000 {
		t.Errorf("%d calls were seen", s.Calls.Local)
	}
}

// TestRemoteOpenAndClose opens more files, one after the other, than can be open.
func TestRemoteOpenAndClose(t *testing.T) {
	h := newFarHost(t, "--allow", "rw")
	h.reset()
	for _, options := range [][]string{{"--stand-ins", "fuse"}, {"--stand-ins", "memfd"}, {"--mechanism", "ptrace"}} {
		got := h.proxied(append(options, "--cwd", "/home"), "python3", "-c", `
import os
for i in range(1100):
    for f in "a.txt", "dir": os.close(os.open(f, os.O_RDONLY))
    with open("new", "a") as f: f.write("x")
print(os.stat("new").st_size)`)
		if got.stdout != "1100\n" || got.stderr != "" {
			t.Errorf("%q: %+v", options, got)
		}
		h.reset()
	}
}

// TestRemoteReadAhead reads a file one piece after the other, of which more is on its way already, while pieces in front are changed.
func TestRemoteReadAhead(t *testing.T) {
	h := newFarHost(t, "--allow", "rw")
	h.clear("home")
	file := filepath.Join(t.TempDir(), "stats")
	const pieces = 600
	got := h.proxied([]string{"--cwd", "/home", "--stand-ins", "fuse", "--stats", file}, "python3", "-c", fmt.Sprintf(`
import os
n = 16384
w = os.open("big", os.O_RDWR | os.O_CREAT)
want = [bytes([i %% 251]) * n for i in range(%d)]
for b in want: os.write(w, b)
r = os.open("big", os.O_RDWR)
for i in range(len(want)):
    if i %% 100 == 99:
        for at in i, i + 1, i + 70:
            if at < len(want):
                want[at] = b"changed" + want[at][7:]
                os.pwrite(w, b"changed", at * n)
    b = os.read(r, n)
    assert b == want[i], (i, b[:10], want[i][:10])
assert os.read(r, n) == b""
os.write(w, b"more")
assert os.read(r, n) == b"more"
os.ftruncate(w, 0)
assert os.pread(r, n, 0) == b""`, pieces))
	if got.code != 0 || got.stderr != "" {
		t.Errorf("%+v", got)
	}
	if s := readStats(t, file); s.RoundTrips > pieces {
		t.Errorf("%d round trips for %d reads", s.RoundTrips, pieces)
	}
}

// TestRemoteKilledAnytime kills the proxy while its programs open, read and write files: it ends, and so do they.
func TestRemoteKilledAnytime(t *testing.T) {
	h := newFarHost(t, "--allow", "rw")
	h.reset()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	const script = `echo $$; for i in 1 2 3; do (while :; do read x < a.txt; echo $i >> new$i; [ -e dir/c.txt ]; done) & done; while :; do read x < b.txt; done`
	for round := range 12 {
		cmd := exec.Command(self)
		cmd.Args = []string{"farcall", "proxy", "--to", "unix://" + h.sock, "--cwd", "/home", "--stand-ins", standIns[round%2], "--", "bash", "-c", script}
		cmd.Env = append([]string{"XDG_CACHE_HOME=" + filepath.Join(filepath.Dir(h.root), "cache")}, farEnv...)
		out, err := cmd.StdoutPipe()
		if err == nil {
			err = cmd.Start()
		}
		if err != nil {
			t.Fatal(err)
		}
		var pid int
		if _, err := fmt.Fscan(out, &pid); err != nil {
			t.Fatal(err)
		}
		program, err := unix.PidfdOpen(pid, 0)
		if err != nil {
			t.Fatal(err)
		}
		for range rand.IntN(2000) { // some moment
			_ = syscall.Kill(pid, 0)
		}
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // hangs if it cannot end
		fds := []unix.PollFd{{Fd: int32(program), Events: unix.POLLIN}}
		if n, err := unix.Poll(fds, int(time.Minute/time.Millisecond)); n != 1 {
			t.Errorf("round %d: the program goes on, %v", round, err)
		}
		unix.Close(program)
		out.Close()
	}
}
