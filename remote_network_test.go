package farcall_test

import (
	"crypto/sha256"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestRemoteSockets uses sockets in many ways, on the far host and through the proxy.
func TestRemoteSockets(t *testing.T) {
	h := newFarHost(t, "--allow", "rw", "--connect", "all", "--connect", "unix", "--bind", "all", "--bind", "unix:/tmp")
	script, err := os.ReadFile("testdata/remote/sockets.py")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(h.root, "sockets.py"), script, 0o644); err != nil {
		t.Fatal(err)
	}
	want := h.inside("python3 /sockets.py")
	if want.code != 0 || want.stderr != "" {
		t.Fatalf("there: %+v", want)
	}
	got := h.proxied([]string{"--net", "remote"}, "python3", "/sockets.py")
	a, b := strings.Split(want.stdout, "\n"), strings.Split(got.stdout, "\n")
	for i := range a {
		if i >= len(b) || a[i] != b[i] {
			t.Errorf("want %s", a[i])
			if i < len(b) {
				t.Errorf(" got %s", b[i])
			}
		}
	}
	if got.code != 0 || got.stderr != "" {
		t.Errorf("%d %s", got.code, got.stderr)
	}
}

// farBackground starts a program inside the far host and returns what ends it.
func (h *farHost) farBackground(args ...string) *exec.Cmd {
	h.t.Helper()
	cmd := exec.Command("nsenter", append([]string{"-t", fmt.Sprint(h.pid), "-m", "-u", "-n", "-i", "/usr/sbin/chroot", h.root}, args...)...)
	cmd.Env = farEnv
	if err := cmd.Start(); err != nil {
		h.t.Fatal(err)
	}
	return cmd
}

// TestRemoteServers starts servers here whose sockets and files are there, and reaches them from there, and only from there.
func TestRemoteServers(t *testing.T) {
	h := newFarHost(t, "--allow", "rw", "--bind", ":8080", "--bind", "127.0.0.1:8081", "--connect", "127.0.0.0/8")
	h.reset()
	if err := os.WriteFile(filepath.Join(h.root, "home/nginx.conf"), []byte(`
daemon off; worker_processes 2; pid /home/nginx.pid; error_log stderr error; user root;
events { worker_connections 64; }
http { access_log /home/access.log; client_body_temp_path /tmp/1; proxy_temp_path /tmp/2; fastcgi_temp_path /tmp/3; uwsgi_temp_path /tmp/4; scgi_temp_path /tmp/5;
  server { listen 127.0.0.1:8081; root /home; location /up { proxy_pass http://127.0.0.1:8080/a.txt; } } }
`), 0o644); err != nil {
		t.Fatal(err)
	}
	const fetch = `for i in {1..200}; do curl -sS -o /dev/null http://127.0.0.1:$PORT/ 2>/dev/null && break; done; for f in a.txt dir/sub/d missing; do curl -sS http://127.0.0.1:$PORT/$f | sha256sum; done; curl -s -o /dev/null -w '%{http_code}\n' http://127.0.0.1:$PORT/missing`
	start := func(args ...string) func() {
		self, err := os.Executable()
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(self)
		cmd.Args = append([]string{"farcall", "proxy", "--to", "unix://" + h.sock, "--no-profile", "--net", "remote", "--cwd", "/home", "--"}, args...)
		cmd.Env = farEnv
		var stderr strings.Builder
		cmd.Stdout, cmd.Stderr = &stderr, &stderr
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		return func() {
			_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM)
			_ = cmd.Wait()
			if t.Failed() {
				t.Logf("%s said:\n%s", args[0], stderr.String())
			}
		}
	}
	stop := start("python3", "-m", "http.server", "8080", "--bind", "0.0.0.0")
	defer stop()
	python := h.inside("PORT=8080; " + fetch)
	want := h.inside(`for f in a.txt dir/sub/d; do sha256sum < $f; done`)
	if !strings.HasPrefix(python.stdout, want.stdout) || !strings.HasSuffix(python.stdout, "404\n") {
		t.Errorf("python's: %+v, want %q", python, want.stdout)
	}
	// A program of the same host reaches it too, this host does not.
	if got := h.proxied([]string{"--net", "remote"}, "curl", "-sS", "http://127.0.0.1:8080/a.txt"); got.stdout != "one\ntwo\nthree\n" {
		t.Errorf("curl through the proxy: %+v", got)
	}
	if c, err := net.Dial("tcp", "127.0.0.1:8080"); err == nil {
		c.Close()
		t.Error("it can be reached here")
	}
	defer start("/usr/sbin/nginx", "-c", "/home/nginx.conf", "-p", "/home")()
	nginx := h.inside("PORT=8081; " + fetch + "; curl -sS http://127.0.0.1:8081/up")
	if !strings.HasPrefix(nginx.stdout, want.stdout) || !strings.HasSuffix(nginx.stdout, "404\none\ntwo\nthree\n") {
		t.Errorf("nginx's: %+v, want %q", nginx, want.stdout)
	}
	// What the server does not allow.
	got := h.proxied([]string{"--net", "remote"}, "python3", "-c", `import socket
for a in ("0.0.0.0", 8082), ("127.0.0.1", 8080):
    try: socket.create_server(a)
    except OSError as e: print(e.errno)
s = socket.socket()
try: s.listen()
except OSError as e: print(e.errno)`)
	if got.stdout != "13\n98\n13\n" {
		t.Errorf("what is not allowed: %+v", got)
	}
}

// TestRemoteGoClient has a static Go program fetch from a web server that only the far host can reach.
func TestRemoteGoClient(t *testing.T) {
	client := filepath.Join(t.TempDir(), "webclient")
	build := exec.Command("go", "build", "-buildvcs=false", "-o", client, "./testdata/remote/webclient")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if b, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, b)
	}
	h := newFarHost(t, "--connect", "127.0.0.0/8")
	h.reset()
	web := h.farBackground("/usr/bin/python3", "-m", "http.server", "-d", "/home", "8000", "--bind", "127.0.0.1")
	defer func() {
		_ = web.Process.Kill()
		_ = web.Wait()
	}()
	h.inside(`for i in {1..200}; do curl -sS -o /dev/null http://127.0.0.1:8000/ 2>/dev/null && break; done`)
	urls := strings.Fields(strings.Repeat("http://127.0.0.1:8000/a.txt ", 20))
	got := h.proxied([]string{"--net", "remote", "--local", filepath.Dir(client)}, append([]string{client}, append(urls, "http://127.0.0.1:9/")...)...)
	want := strings.Repeat("200 one\ntwo\nthree\n <nil>\n", 20) + `Get "http://127.0.0.1:9/": dial tcp 127.0.0.1:9: connect: connection refused` + "\n"
	if got.stdout != want || got.code != 0 {
		t.Errorf("%d %q %q", got.code, got.stdout, got.stderr)
	}
}

// TestRemotePostgres has psql talk to a PostgreSQL that only the far host can reach.
func TestRemotePostgres(t *testing.T) {
	bins, err := filepath.Glob("/usr/lib/postgresql/*/bin")
	if err != nil || len(bins) == 0 {
		t.Fatalf("no PostgreSQL: %v", err)
	}
	bin := bins[len(bins)-1]
	h := newFarHost(t, "--allow", "rw", "--connect", "127.0.0.1:5432", "--connect", "unix:/tmp")
	h.reset()
	const user = "/usr/bin/setpriv --reuid nobody --clear-groups "
	setup := h.inside(`mkdir /data; chown nobody /data; ` + user + bin + `/initdb -D /data -A trust -U far >/dev/null && ` + user + bin +
		`/pg_ctl -D /data -w -o '-c listen_addresses=127.0.0.1 -c unix_socket_directories=/tmp' -l /tmp/log start >/dev/null`)
	if setup.code != 0 {
		t.Fatalf("PostgreSQL there: %+v", setup)
	}
	defer h.inside(user + bin + `/pg_ctl -D /data -m immediate stop`)
	const sql = `create table t(a int, b text); insert into t select i, repeat('x', i) from generate_series(1, 1000) i; select sum(a), sum(length(b)) from t;
\copy t to 'copy'
select inet_server_addr();`
	for _, c := range []struct{ host, addr string }{{"127.0.0.1", "127.0.0.1"}, {"/tmp", ""}} {
		script := fmt.Sprintf(`psql -X -q -A -t -v ON_ERROR_STOP=1 -h %[2]s -U far -d postgres <<'END'
%[1]s
END
wc -l < copy; psql -X -h %[2]s -U far -d postgres -c 'drop table t'; psql -h %[2]s -U nobody -d nothing`, sql, c.host)
		want := h.inside(script)
		got := h.proxied([]string{"--net", "remote", "--cwd", "/home"}, "bash", "-c", script)
		if got != want || !strings.HasPrefix(want.stdout, "500500|500500\n"+c.addr+"\n1000\nDROP TABLE\n") {
			t.Errorf("%s: %+v, there %+v", c.host, got, want)
		}
	}
}

// TestRemoteUser has a server that was started by root act as another user.
func TestRemoteUser(t *testing.T) {
	h := newFarHost(t, "--allow", "rw", "--user", "nobody")
	h.reset()
	if err := os.Chmod(filepath.Join(h.root, "home/b.txt"), 0o600); err != nil {
		t.Fatal(err)
	}
	got := h.proxied([]string{"--cwd", "/home", "--env", "remote"}, "bash", "-c",
		`id -u; id -un; echo $HOME; cat a.txt b.txt | head -n 1; touch /tmp/mine && stat -c %U /tmp/mine; touch mine; cd dir; pwd; ls`)
	want := "65534\nnobody\n/nonexistent\none\nnobody\n/home/dir\nc.txt\nsub\n"
	if got.stdout != want || strings.Count(got.stderr, "Permission denied") != 2 {
		t.Errorf("%q %q, want %q", got.stdout, got.stderr, want)
	}
	if r := h.inside("cat /proc/" + fmt.Sprint(h.pid) + "/status | grep -E '^(Uid|Groups|CapEff)'"); !strings.Contains(r.stdout, "CapEff:\t0000000000000000") || !strings.Contains(r.stdout, "65534\t65534\t65534\t65534") {
		t.Errorf("%+v", r)
	}
}

// TestRemoteReadOnly has programs look at files there, none of whose reads and writes anybody sees.
func TestRemoteReadOnly(t *testing.T) {
	h := newFarHost(t, "--allow", "rw")
	h.reset()
	before := h.tree("home")
	large, err := os.Create(filepath.Join(h.root, "tmp/large"))
	if err == nil {
		err = large.Truncate(65 << 20)
		large.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	stats := filepath.Join(t.TempDir(), "stats")
	const script = `cat a.txt empty dir/sub/d link | sha256sum; read x < a.txt; echo $x; cat < /proc/self/comm; grep -r two . | sort; ls; dd if=dir/sub/d bs=1 2>/dev/null | wc -c
for f in a.txt new dir/x; do echo x > $f; done; mkdir n; rm a.txt; touch a.txt; exec 3< a.txt; echo x >&3; cat /tmp/large | wc -c; python3 -c '
import os, mmap
f = os.open("a.txt", os.O_RDONLY)
for what in lambda: os.write(f, b"x"), lambda: os.ftruncate(f, 1), lambda: os.pwrite(f, b"x", 0), lambda: os.open("b.txt", os.O_RDWR):
    try: what()
    except OSError as e: print(e.errno)
print(os.pread(f, 3, 4), os.lseek(f, 0, 2), mmap.mmap(f, 0, prot=mmap.PROT_READ)[:3])'`
	sum := sha256.Sum256([]byte("one\ntwo\nthree\n" + strings.Repeat("x", 300_000) + "deep two\n"))
	for standIns, read := range map[string]int{"memfd": 0, "fuse": 65 << 20} { // of the large one
		got := h.proxied([]string{"--cwd", "/home", "--read-only", "--stand-ins", standIns, "--stats", stats}, "bash", "-c", script)
		want := fmt.Sprintf("%x  -\none\ncat\n", sum) + "./a.txt:two\n./b.txt:two\n./dir/c.txt:deep two\n" +
			"a.txt\nb.txt\ndir\nempty\nlink\nscript.sh\nwith space\n300000\n" +
			strconv.Itoa(read) + "\n9\n22\n9\n30\nb'two' 14 b'one'\n"
		if got.stdout != want {
			t.Errorf("%s: %q, want %q", standIns, got.stdout, want)
		}
		if n := strings.Count(got.stderr, "Read-only file system"); n != 6 || !strings.Contains(got.stderr, "Bad file descriptor") || strings.Contains(got.stderr, "File too large") != (read == 0) {
			t.Errorf("%s: %d refusals: %s", standIns, n, got.stderr)
		}
		if after := h.tree("home"); after != before {
			t.Errorf("something has changed (-before +after):\n%s", cmp.Diff(before, after))
		}
		if s := readStats(t, stats); s.Calls.Local > 100_000 { // dd alone reads and writes 600,000 times
			t.Errorf("%s: %d calls were seen", standIns, s.Calls.Local)
		}
	}
}

// TestRemoteLostConnection kills the server under a program that waits for what comes over a connection.
func TestRemoteLostConnection(t *testing.T) {
	h := newFarHost(t, "--connect", "127.0.0.0/8", "--bind", "127.0.0.1")
	cmd, out, stderr := h.start(nil, []string{"--net", "remote", "--on-loss", "wait=1s"}, `exec python3 -c '
import socket, threading
l = socket.create_server(("127.0.0.1", 0)); c = socket.create_connection(l.getsockname()); a, _ = l.accept()
a.sendall(b"x"); c.recv(9); print("ready", flush=True)
try: print(c.recv(9))
except OSError as e: print(e.errno)
try: socket.create_connection(("127.0.0.1", 1))
except OSError as e: print(e.errno)'`)
	if line, err := out.ReadString('\n'); line != "ready\n" {
		t.Fatalf("%q, %v", line, err)
	}
	h.kill()
	rest, err := io.ReadAll(out)
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); string(rest) != "104\n5\n" || err == nil || !strings.Contains(stderr.String(), "lost") {
		t.Errorf("%q, %v, %q", rest, err, stderr)
	}
}

// TestRemoteLostListener restarts the server, or takes it away, under programs that wait for connections there: they are told.
func TestRemoteLostListener(t *testing.T) {
	const script = `exec python3 -c '
import select, socket, threading
blocking, polled, bound = socket.create_server(("127.0.0.1", 8080)), socket.create_server(("127.0.0.1", 8081)), socket.socket()
bound.bind(("127.0.0.1", 8082))
p = select.poll(); p.register(polled, select.POLLIN)
def accept(s):
    try: s.accept(); return "accepted"
    except OSError as e: return e.errno
result = []
t = threading.Thread(target=lambda: result.append(accept(blocking))); t.start()
print("ready", flush=True)
print(p.poll()[0][1] & select.POLLIN, accept(polled)); t.join(); print(*result)
try: bound.listen()
except OSError as e: print(e.errno)
try: socket.create_server(("127.0.0.1", 8080)); print("again")
except OSError as e: print(e.errno)'`
	const again = "1 22\n22\n22\n"
	for _, test := range []struct {
		onLoss, want string
		restarted    bool
	}{{"wait=1m", again + "again\n", true}, {"eio", again + "5\n", false}} {
		options := []string{"--bind", "127.0.0.1"}
		h := newFarHost(t, options...)
		cmd, out, stderr := h.start(nil, []string{"--net", "remote", "--on-loss", test.onLoss}, script)
		if line, err := out.ReadString('\n'); line != "ready\n" {
			t.Fatalf("%q, %v, %s", line, err, stderr)
		}
		h.kill()
		if test.restarted {
			h.replace(newFarHost(t, options...))
		}
		rest, err := io.ReadAll(out)
		if err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait()
		if string(rest) != test.want || !strings.Contains(stderr.String(), "farcall: 2 sockets that listened on the server do so no more") {
			t.Errorf("%s: %q, want %q, %s", test.onLoss, rest, test.want, stderr)
		}
	}
}
