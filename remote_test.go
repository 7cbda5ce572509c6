package farcall_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// A farHost is a server with a root directory, mounts, a network and a host name of its own, so that nothing of this host can pass for
// something of it.
type farHost struct {
	t    *testing.T
	root string
	sock string
	pid  int
	dead bool // we have killed it
}

// farSetup is run in the new namespaces: $1 is the root directory, $2 farcall, $3 the socket, and what follows are options.
const farSetup = `
set -e
root=$1 farcall=$2 sock=$3
shift 3
mount --make-rprivate /
mkdir -p $root/{usr,dev,proc,etc,tmp,home}
chmod 1777 $root/tmp
mount --rbind /usr $root/usr
mount --rbind /dev $root/dev
mount --rbind /proc $root/proc
for d in bin sbin lib lib64; do ln -s usr/$d $root/$d; done
cp -a /etc/ld.so.cache /etc/passwd /etc/group /etc/alternatives $root/etc/
echo far > $root/etc/hostname
hostname far
ip link set lo up
exec -a farcall "$farcall" serve --listen unix://$sock --root $root "$@"
`

// newFarHost starts one. It needs root, as CI has.
func newFarHost(t *testing.T, options ...string) *farHost {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("namespaces and chroot need root")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	h := &farHost{t: t, root: filepath.Join(dir, "root"), sock: filepath.Join(dir, "sock")}
	if err := os.Mkdir(h.root, 0o755); err != nil {
		t.Fatal(err)
	}
	args := append([]string{"--mount", "--uts", "--net", "--ipc", "bash", "-c", farSetup, "far", h.root, self, h.sock}, options...)
	cmd := exec.Command("unshare", args...)
	var log bytes.Buffer
	out, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	h.pid = cmd.Process.Pid // unshare and bash become farcall
	ready, done := make(chan bool, 1), make(chan struct{})
	go func() {
		defer close(done)
		buf := make([]byte, 4096)
		for {
			n, err := out.Read(buf)
			log.Write(buf[:n])
			if strings.Contains(log.String(), "serving on") {
				select {
				case ready <- true:
				default:
				}
			}
			if err != nil {
				close(ready)
				return
			}
		}
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		<-done
		if err := cmd.Wait(); err != nil && !h.dead {
			t.Errorf("the server ended with %v", err)
		}
		if s := strings.TrimSpace(log.String()); strings.Count(s, "\n") > 0 {
			t.Logf("the server said:\n%s", s)
		}
	})
	if !<-ready {
		<-done
		t.Fatalf("the server does not start:\n%s", log.String())
	}
	return h
}

// kill kills the server.
func (h *farHost) kill() {
	h.dead = true
	if err := syscall.Kill(h.pid, syscall.SIGKILL); err != nil {
		h.t.Fatal(err)
	}
}

// outcome is what a command came to.
type outcome struct {
	stdout, stderr string
	code           int
}

func (h *farHost) run(cmd *exec.Cmd) outcome {
	h.t.Helper()
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		h.t.Fatal(err)
	}
	return outcome{stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()}
}

var farEnv = []string{"PATH=/usr/bin:/bin", "HOME=/home", "LC_ALL=C", "TZ=UTC", "GIT_CONFIG_NOSYSTEM=1",
	"GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@b", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@b",
	"GIT_AUTHOR_DATE=2020-01-01T00:00:00Z", "GIT_COMMITTER_DATE=2020-01-01T00:00:00Z"}

const farTimeout = 5 * time.Minute

// inside runs a shell script there, without farcall.
func (h *farHost) inside(script string) outcome {
	ctx, cancel := context.WithTimeout(h.t.Context(), farTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, "nsenter", "-t", fmt.Sprint(h.pid), "-m", "-u", "-n", "-i",
		"/usr/sbin/chroot", h.root, "/bin/bash", "-c", `cd /home; exec -a bash bash -c "$0"`, script)
	cmd.Env = farEnv
	return h.run(cmd)
}

// proxied runs a program through the proxy.
func (h *farHost) proxied(options []string, args ...string) outcome {
	ctx, cancel := context.WithTimeout(h.t.Context(), farTimeout)
	defer cancel()
	self, err := os.Executable()
	if err != nil {
		h.t.Fatal(err)
	}
	cmd := exec.CommandContext(ctx, self)
	cmd.Args = append(append([]string{"farcall", "proxy", "--to", "unix://" + h.sock}, options...), append([]string{"--"}, args...)...)
	cmd.Env = append([]string{"XDG_CACHE_HOME=" + filepath.Join(filepath.Dir(h.root), "cache")}, farEnv...)
	return h.run(cmd)
}

// tree describes all files below a directory of the far host.
func (h *farHost) tree(dir string) string {
	h.t.Helper()
	var b strings.Builder
	err := filepath.WalkDir(filepath.Join(h.root, dir), func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		fmt.Fprintf(&b, "%s %v", strings.TrimPrefix(p, h.root), info.Mode())
		switch {
		case info.Mode().IsRegular():
			data, err := os.ReadFile(p)
			if err != nil {
				return err
			}
			fmt.Fprintf(&b, " %d %x", len(data), sha256.Sum256(data))
			if strings.HasSuffix(p, ".git/index") { // has times in it
				b.Reset()
			}
		case info.Mode()&fs.ModeSymlink != 0:
			target, err := os.Readlink(p)
			if err != nil {
				return err
			}
			b.WriteString(" -> " + target)
		}
		b.WriteByte('\n')
		return nil
	})
	if err != nil {
		h.t.Fatal(err)
	}
	return b.String()
}

// reset gives the far host's /home the same content every time.
func (h *farHost) reset() {
	h.t.Helper()
	home := filepath.Join(h.root, "home")
	if err := os.RemoveAll(home); err != nil {
		h.t.Fatal(err)
	}
	for name, text := range map[string]string{
		"a.txt": "one\ntwo\nthree\n", "b.txt": "two\nfour\n", "dir/c.txt": "deep two\n", "dir/sub/d": strings.Repeat("x", 300_000),
		"empty": "", "with space": "s\n", "script.sh": "#!/bin/sh\necho script $0 $1\n",
	} {
		p := filepath.Join(home, name)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			h.t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(text), 0o644); err != nil {
			h.t.Fatal(err)
		}
		when := time.Unix(1_500_000_000, 0)
		if err := os.Chtimes(p, when, when); err != nil {
			h.t.Fatal(err)
		}
	}
	if err := os.Chmod(filepath.Join(home, "script.sh"), 0o755); err != nil {
		h.t.Fatal(err)
	}
	link := filepath.Join(home, "link")
	if err := os.Symlink("dir/c.txt", link); err != nil {
		h.t.Fatal(err)
	}
	when := unix.NsecToTimespec(1_500_000_000e9)
	if err := unix.UtimesNanoAt(unix.AT_FDCWD, link, []unix.Timespec{when, when}, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		h.t.Fatal(err)
	}
}

type farScript struct{ name, script string }

// farScripts are run by a bash on either side of the proxy; what they print and leave behind has to be the same.
var farScripts = []farScript{
	{"cat", `cat a.txt b.txt /etc/hostname link; cat missing`},
	{"redirections", `echo hello > new; echo more >> new; cat < new; { echo x; echo y >&2; } > both 2>&1; cat both; cat <<< here`},
	{"globs", `echo *; echo d*/* */*; for f in *.txt; do echo "<$f>"; done; shopt -s globstar; echo **/*.txt`},
	{"cd", `pwd; cd dir/sub; pwd; cd ..; pwd; ls; cd -; cd /usr/lib; pwd; cat ../../etc/hostname; cd ~; pwd; cd nowhere; (cd dir; pwd); pwd`},
	{"pipes", `cat a.txt | sort | tee sorted | wc -l; sort a.txt b.txt | uniq -c; cat sorted; grep two a.txt | tr a-z A-Z`},
	{"tests", `for f in a.txt dir link empty missing; do for o in e f d L s r w x; do [ -$o $f ] && echo $f $o; done; done; [ a.txt -ef ./a.txt ] && echo same`},
	{"ls", `ls; ls -l a.txt b.txt empty | awk '{print $1,$2,$3,$4,$5,$NF}'; ls -a; ls -R dir; ls -ld dir | cut -c1-10; ls missing`},
	{"stat", `stat -c '%n %F %s %a %h %U %G %Y' a.txt dir/c.txt link; stat -L -c '%n %F %s' link; stat -f -c %l . `},
	{"find", `find . | sort; find . -name '*.txt' -size -2 -type f | sort; find . -type l -printf '%p %l\n'; find . -name d -exec wc -c {} +`},
	{"grep", `grep -r two . | sort; grep -c two a.txt; grep -rl nothing .`},
	{"tar", `tar cf t.tar a.txt dir link; tar tf t.tar | sort; mkdir x; tar xf t.tar -C x; diff -r dir x/dir && echo same; tar czf t.tgz dir && tar tzf t.tgz | sort; rm t.tgz t.tar`},
	{"cp", `cp -a dir copy; diff -r dir copy && echo same; cp a.txt copy/; cp /etc/hostname host; cat host; cp -r dir nowhere/x; cp dir/sub/d big; cmp dir/sub/d big && echo same`},
	{"mv and rm", `mv a.txt z; mv z dir/; mv dir moved; ls moved; rm -r moved/sub; rm moved/z b.txt; rmdir moved; ls moved; rm missing; ln z y; ln -s q w; ln a b`},
	{"permissions", `umask 027; touch p; mkdir q; stat -c %a p q; chmod 600 p; chmod u+s p; stat -c %a p; chown 12:34 p; stat -c '%u %g' p; umask 0; touch r; stat -c %a r`},
	{"times", `touch -d '2001-02-03 04:05:06' t; stat -c %Y t; touch -r a.txt t; stat -c %Y t; touch -h -d '2002-01-01' link; stat -c %Y link; [ a.txt -nt t ] || echo no`},
	{"sed", `sed -i s/two/TWO/ a.txt b.txt; cat a.txt b.txt; sed -n 2p a.txt; sed -i.bak 1d a.txt; ls a.txt*`},
	{"dd", `dd if=dir/sub/d of=o bs=1000 count=3 skip=2 2>/dev/null; wc -c < o; dd if=/dev/zero of=o bs=1 count=2 seek=1 conv=notrunc 2>/dev/null; head -c 4 o | od -c; truncate -s 5 o; wc -c < o; fallocate -l 100 o; wc -c < o`},
	{"fifo", `mkfifo f; cat f > out & echo through > f; wait; cat out; [ -p f ] && echo fifo`},
	{"locks", `exec 9> lock; flock -n 9 && echo got; flock -n lock true || echo busy; exec 9>&-; flock lock echo again`},
	{"xattrs", `python3 -c '
import os
os.setxattr("a.txt", "user.k", b"value"); print(os.listxattr("a.txt"), os.getxattr("a.txt", "user.k"))
os.removexattr("a.txt", "user.k"); print(os.listxattr("a.txt"))'`},
	{"git", `git init -q -b main r; cd r; echo 1 > f; git add f; git commit -q -m one; echo 2 >> f; git status --short; git diff | tail -n 2; git commit -qam two; git log --format=%s; git clone -q . ../c; cat ../c/f; git gc -q; git fsck`},
	{"sqlite", `sqlite3 db 'create table t(a); insert into t values(1),(2); select sum(a) from t;'; sqlite3 db 'update t set a=a+1; select * from t; pragma integrity_check;'; sqlite3 db 'pragma journal_mode=persist; insert into t values(9);'; rm db-journal`},
	{"python", `python3 -c '
import os, shutil, glob, tempfile
print(sorted(os.listdir(".")), os.getcwd(), open("a.txt").read())
with open("w", "w+") as f: f.write("abc"); f.seek(1); print(f.read()); f.truncate(2); os.fsync(f.fileno())
print(os.path.getsize("w"), os.path.realpath("link")); shutil.copytree("dir", "dir2"); print(sorted(glob.glob("**/*", recursive=True)))
os.makedirs("p/q"); os.rename("w", "p/q/w"); print(os.stat("p/q/w").st_size); os.chdir("p"); print(os.getcwd(), os.path.exists("q/w"))
fd = os.open("..", os.O_RDONLY); print(sorted(os.listdir(fd))); os.chdir(fd); print(os.getcwd(), os.uname().nodename, os.getuid())
print(os.writev(os.open("v", os.O_CREAT|os.O_RDWR), [b"12", b"345"]), open("v").read(), os.access("v", os.W_OK), os.statvfs("v").f_namemax)'`},
	{"mmap", `python3 -c '
import mmap
f = open("dir/sub/d"); m = mmap.mmap(f.fileno(), 0, prot=mmap.PROT_READ); print(len(m), m[:4])'`},
	{"subshells", `x=$(cat a.txt); echo "$x"; diff <(cat a.txt) <(cat b.txt); (exec 3< a.txt; read l <&3; read m <&3; echo $l $m); while read l; do echo "[$l]"; done < a.txt`},
	{"xargs", `ls *.txt | xargs wc -c; printf '%s\0' * | xargs -0 -n1 basename; sort -o a.txt a.txt b.txt; cat a.txt; split -b 4 b.txt s.; cat s.*`},
	{"vim", `vim -i NONE -u NONE -N -es -c '%s/two/TWO/' -c 'normal Goadded' -c 'w! new.txt' -c wq a.txt; cat a.txt new.txt; vim -i NONE -u NONE -N -es -c 'set backup' -c 'normal dd' -c x b.txt; ls -a; cat b.txt~; vim -i NONE -u NONE -es -c 'r dir/c.txt' -c 'w out' -c q! empty; cat out`},
	{"identity", `uname -n; id -u; id -g; hostname; whoami`},
	{"exec", `./script.sh arg; sh script.sh x; ./missing; ./a.txt`},
	{"local-files", `cat /proc/self/comm; cat ../proc/self/comm; (cd /; cat proc/self/comm; echo x > dev/null); echo > /dev/null; [ -e /proc/self/exe ] && echo yes; ls /usr/bin/env; cp /usr/bin/env env; cmp env /usr/bin/env && echo same; head -c 10 /dev/zero > z; wc -c z`},
}

// TestRemoteDemo runs programs through the proxy and, for comparison, inside the far host, with both mechanisms.
func TestRemoteDemo(t *testing.T) {
	h := newFarHost(t, "--allow", "rw")
	for _, s := range farScripts {
		t.Run(s.name, func(t *testing.T) {
			h.t = t
			defer func() { h.t = nil }()
			h.reset()
			want := h.inside(s.script)
			wantTree := h.tree("home")
			for _, mechanism := range []string{"notify", "ptrace"} {
				h.reset()
				got := h.proxied([]string{"--cwd", "/home", "--mechanism", mechanism}, "bash", "-c", s.script)
				if got != want {
					t.Errorf("%s:\n got %d %q\n     %q\nwant %d %q\n     %q", mechanism, got.code, got.stdout, got.stderr, want.code, want.stdout, want.stderr)
				}
				if tree := h.tree("home"); tree != wantTree {
					t.Errorf("%s: the tree differs (-want +got):\n%s", mechanism, cmp.Diff(strings.Split(wantTree, "\n"), strings.Split(tree, "\n")))
				}
			}
		})
	}
	h.t = t
}

// stats reads what --stats wrote.
type stats struct {
	Calls struct {
		Local, Remote, Answered, Denied int
	}
	RoundTrips int `json:"round_trips"`
}

func readStats(t *testing.T, file string) (s stats) {
	t.Helper()
	b, err := os.ReadFile(file)
	if err == nil {
		err = json.Unmarshal(b, &s)
	}
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// start starts a program through the proxy and waits for what it prints first.
func (h *farHost) start(stdin *os.File, options []string, script string) (cmd *exec.Cmd, out *bufio.Reader, stderr *bytes.Buffer) {
	h.t.Helper()
	self, err := os.Executable()
	if err != nil {
		h.t.Fatal(err)
	}
	cmd = exec.Command(self)
	cmd.Args = append(append([]string{"farcall", "proxy", "--to", "unix://" + h.sock}, options...), "--", "bash", "-c", script)
	cmd.Env = append([]string{"XDG_CACHE_HOME=" + filepath.Join(filepath.Dir(h.root), "cache")}, farEnv...)
	stderr = new(bytes.Buffer)
	cmd.Stdin, cmd.Stderr = nil, stderr
	if stdin != nil {
		cmd.Stdin = stdin
	}
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		h.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		h.t.Fatal(err)
	}
	return cmd, bufio.NewReader(pipe), stderr
}

// TestRemoteLoss kills the server under a program.
func TestRemoteLoss(t *testing.T) {
	const script = `echo ready; read line; cat a.txt; echo end`
	for _, c := range []struct{ option, out, says string }{
		{"eio", "end\n", "a.txt: Input/output error"},
		{"kill", "", ""},
	} {
		h := newFarHost(t, "--allow", "rw")
		h.reset()
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		cmd, out, stderr := h.start(r, []string{"--on-loss", c.option, "--cwd", "/home"}, script)
		if line, err := out.ReadString('\n'); line != "ready\n" {
			t.Fatalf("%q, %v", line, err)
		}
		h.kill()
		if _, err := w.WriteString("go on\n"); err != nil {
			t.Fatal(err)
		}
		rest, err := io.ReadAll(out)
		if err != nil {
			t.Fatal(err)
		}
		err = cmd.Wait()
		if string(rest) != c.out || err == nil || !strings.Contains(stderr.String(), "connection to the server lost") || !strings.Contains(stderr.String(), c.says) {
			t.Errorf("%s: %v, %q, %q", c.option, err, rest, stderr)
		}
		r.Close()
		w.Close()
	}
}

// TestRemoteSupervisorKilled makes sure that a program whose supervisor has been killed does not go on.
func TestRemoteSupervisorKilled(t *testing.T) {
	h := newFarHost(t, "--allow", "rw")
	h.reset()
	cmd, out, _ := h.start(nil, nil, `while echo $BASHPID; do read x < /etc/hostname; (exec sleep 1000) & done`)
	for range 3 {
		if _, err := out.ReadString('\n'); err != nil {
			t.Fatal(err)
		}
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	// The pipe ends when everybody who has it is gone: the shell and all its children.
	if _, err := io.Copy(io.Discard, out); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
}

// farNetwork is a web server, a name server that knows one address, and a datagram service, for the network of the far host.
const farNetwork = `
import http.server, socket, threading, sys
def dns():
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(("127.0.0.1", 53))
    while True:
        d, a = s.recvfrom(2000)
        end = d.index(b"\0", 12) + 5
        v4 = d[end-4:end-2] == b"\0\1"
        answer = b"\xc0\x0c\0\1\0\1\0\0\0\5\0\4\x7f\0\0\1" if v4 else b""
        s.sendto(d[:2] + b"\x81\x80\0\1\0" + bytes([v4]) + b"\0\0\0\0" + d[12:end] + answer, a)
def upper():
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(("127.0.0.1", 5353))
    while True:
        d, a = s.recvfrom(2000); s.sendto(d.upper(), a)
class H(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        b = b"x" * 3000000 if self.path == "/big" else b"hello from " + self.headers["Host"].encode()
        self.send_response(200); self.send_header("Content-Length", str(len(b))); self.end_headers(); self.wfile.write(b)
    def do_POST(self):
        n = sum(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(200); self.end_headers(); self.wfile.write(str(n).encode())
    def log_message(self, *a): pass
web = http.server.ThreadingHTTPServer(("127.0.0.1", 8000), H)
for f in dns, upper: threading.Thread(target=f, daemon=True).start()
threading.Thread(target=web.serve_forever, daemon=True).start()
for port in 53, 5353: # until both are bound
    while True:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            try: s.bind(("127.0.0.1", port))
            except OSError: break
print("ready", flush=True)
sys.stdin.read()
`

// TestRemoteNetwork has programs reach what only the far host can reach.
func TestRemoteNetwork(t *testing.T) {
	h := newFarHost(t, "--allow", "rw", "--connect", "127.0.0.0/8")
	if err := os.WriteFile(filepath.Join(h.root, "etc/resolv.conf"), []byte("nameserver 127.0.0.1\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	services := exec.Command("nsenter", "-t", fmt.Sprint(h.pid), "-n", "/usr/bin/python3", "-c", farNetwork)
	in, err := services.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := services.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	services.Stderr = os.Stderr
	if err := services.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		in.Close()
		_ = services.Wait()
	}()
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "ready\n" {
		t.Fatalf("%q, %v", line, err)
	}
	for _, c := range []struct {
		args []string
		out  string
		code int
	}{
		{[]string{"curl", "-sS", "http://127.0.0.1:8000/"}, "hello from 127.0.0.1:8000", 0},
		{[]string{"curl", "-sS", "http://name.example:8000/"}, "hello from name.example:8000", 0},
		{[]string{"bash", "-c", "curl -sS http://127.0.0.1:8000/big | wc -c"}, "3000000\n", 0},
		{[]string{"bash", "-c", "head -c 2000000 /dev/zero | tr '\\0' '\\1' | curl -sS --data-binary @- http://127.0.0.1:8000/"}, "2000000", 0},
		{[]string{"curl", "-s", "http://127.0.0.1:9/"}, "", 7}, // refused
		{[]string{"curl", "-s", "http://192.0.2.1/"}, "", 7},   // not allowed
		{[]string{"getent", "hosts", "name.example"}, "127.0.0.1       name.example\n", 0},
		{[]string{"python3", "-c", `
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.connect(("127.0.0.1", 5353)); s.send(b"one"); print(s.recvfrom(9), s.getpeername())
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.sendto(b"two", ("127.0.0.1", 5353)); print(s.recvfrom(9))
s = socket.create_connection(("127.0.0.1", 8000)); s.settimeout(5); s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
print(s.type, s.family, s.getpeername(), s.getsockname()[0]); d = s.dup(); s.close()
d.sendall(b"GET / HTTP/1.0\r\nHost: h\r\n\r\n"); d.shutdown(socket.SHUT_WR); print(d.makefile().read().split()[-1])
`}, "(b'ONE', ('127.0.0.1', 5353)) ('127.0.0.1', 5353)\n(b'TWO', ('127.0.0.1', 5353))\n" +
			"1 2 ('127.0.0.1', 8000) 127.0.0.1\nh\n", 0},
	} {
		got := h.proxied([]string{"--net", "remote"}, c.args...)
		if got.stdout != c.out || got.code != c.code {
			t.Errorf("%q: %d %q %q, want %d %q", c.args, got.code, got.stdout, got.stderr, c.code, c.out)
		}
	}
	// This host's network knows nothing of all that.
	if got := h.proxied([]string{"--net", "local"}, "curl", "-sS", "http://127.0.0.1:8000/"); got.code != 7 {
		t.Errorf("from here: %+v", got)
	}
}
