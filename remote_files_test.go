package farcall_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// fixture compiles a C program of testdata/remote, statically, so that it runs on both sides.
func fixture(t *testing.T, name string) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), name)
	if msg, err := exec.Command("gcc", "-O1", "-Wall", "-Werror", "-static", "-o", out, "testdata/remote/"+name+".c").CombinedOutput(); err != nil {
		t.Fatalf("gcc: %v\n%s", err, msg)
	}
	return out
}

// install copies a program into the far host.
func (h *farHost) install(program string) {
	h.t.Helper()
	b, err := os.ReadFile(program)
	if err == nil {
		err = os.WriteFile(filepath.Join(h.root, filepath.Base(program)), b, 0o755)
	}
	if err != nil {
		h.t.Fatal(err)
	}
}

// size is how large an opt-in test is to be: an environment variable, or else.
func size(t *testing.T, variable string, otherwise int) int {
	t.Helper()
	v := os.Getenv(variable)
	if v == "" {
		return otherwise
	}
	n, err := strconv.Atoi(v)
	if err != nil {
		t.Fatalf("%s=%s: %v", variable, v, err)
	}
	return n
}

// TestRemoteOracle has random programs make the same calls on both sides: through the proxy, and natively inside the far host. Results, error
// numbers and what is left of files have to be the same. FARCALL_PROGRAMS is how many programs, FARCALL_SEED the first one's number.
func TestRemoteOracle(t *testing.T) {
	h := newFarHost(t, "--allow", "rw")
	oracle := fixture(t, "oracle")
	h.install(oracle)
	const calls, batch = 50, 500
	first, programs := size(t, "FARCALL_SEED", 1), size(t, "FARCALL_PROGRAMS", 300)
	mechanisms := [][]string{{"--stand-ins", "fuse"}, {"--stand-ins", "fuse", "--cache", "strict"}, {"--stand-ins", "memfd"}, {"--mechanism", "ptrace"}}
	for seed := first; seed < first+programs; seed += batch {
		n := min(batch, first+programs-seed)
		h.clear("home/t")
		want := h.inside(fmt.Sprintf("exec /oracle /home/t %d %d %d", seed, n, calls))
		wantTree := h.tree("home/t")
		if want.code != 0 || want.stderr != "" || strings.Count(want.stdout, "\n") < n*calls/2 {
			t.Fatalf("there: %d %s", want.code, want.stderr)
		}
		for _, options := range mechanisms {
			h.clear("home/t")
			got := h.proxied(append(options, "--local", oracle), oracle, "/home/t", fmt.Sprint(seed), fmt.Sprint(n), fmt.Sprint(calls))
			if got.code != 0 || got.stderr != "" {
				t.Fatalf("%q: %d %s", options, got.code, got.stderr)
			}
			differ := 0
			for program := range n {
				prefix := fmt.Sprintf("%d.", seed+program)
				a, b, same := firstDifference(want.stdout, got.stdout, prefix)
				if same {
					continue
				}
				if differ++; differ <= 10 {
					t.Errorf("%q:\n got %s\nwant %s", options, b, a)
				}
			}
			switch tree := h.tree("home/t"); {
			case differ > 0:
				t.Errorf("%q: %d of %d programs differ", options, differ, n)
			case got.stdout != want.stdout:
				t.Errorf("%q: lines outside of programs differ", options)
			case tree != wantTree:
				t.Errorf("%q: the tree differs (-want +got):\n%s", options, cmp.Diff(strings.Split(wantTree, "\n"), strings.Split(tree, "\n")))
			}
		}
	}
}

// firstDifference finds the first line of a program, which has its number, that is not the same in both outputs.
func firstDifference(want, got, number string) (a, b string, same bool) {
	mine := func(s string) (out []string) {
		for line := range strings.Lines(s) {
			if strings.HasPrefix(line, number) || strings.Contains(line, ": "+number) {
				out = append(out, strings.TrimSpace(line))
			}
		}
		return out
	}
	w, g := mine(want), mine(got)
	for i := range max(len(w), len(g)) {
		a, b = "nothing", "nothing"
		if i < len(w) {
			a = w[i]
		}
		if i < len(g) {
			b = g[i]
		}
		if a != b {
			return a, b, false
		}
	}
	return "", "", true
}

// clear makes an empty directory of the far host.
func (h *farHost) clear(dir string) {
	h.t.Helper()
	dir = filepath.Join(h.root, dir)
	err := os.RemoveAll(dir)
	if err == nil {
		err = os.MkdirAll(dir, 0o755)
	}
	if err != nil {
		h.t.Fatal(err)
	}
}

// TestRemoteMappedIO has a program hold random input and output, by calls and through mappings, against what the file has to contain.
// FARCALL_FSX is how many operations there are for each mechanism.
func TestRemoteMappedIO(t *testing.T) {
	h := newFarHost(t, "--allow", "rw")
	fsx := fixture(t, "fsx")
	operations := size(t, "FARCALL_FSX", 1000)
	want := fmt.Sprintf("%d operations\n", operations)
	for i, mechanism := range []string{"notify", "ptrace"} {
		h.clear("home")
		got := h.proxied([]string{"--mechanism", mechanism, "--local", fsx}, fsx, "/home/file", fmt.Sprint(size(t, "FARCALL_SEED", 1)+i), fmt.Sprint(operations))
		if got.code != 0 || got.stdout != want {
			t.Errorf("%s: %+v", mechanism, got)
		}
	}
}

// farMappings are programs about mappings that say what they have seen; what they leave in files has to be there when they have ended.
var farMappings = []struct{ name, script, out string }{
	{"written back at exit", `
import mmap, os
f = open("m", "w+b"); f.truncate(10000); m = mmap.mmap(f.fileno(), 10000); m[5000:5003] = b"end"; os._exit(0)`, ""},
	{"seen by another process", `
import mmap, os
f = open("m", "w+b"); f.truncate(10000); m = mmap.mmap(f.fileno(), 10000)
if os.fork() == 0:
    m[0:5] = b"child"; open("m", "r+b").write(b"C"); os._exit(0)
os.wait(); print(m[0:5], open("m", "rb").read(5)); m.close(); os.truncate("m", 5)`, "b'Child' b'Child'\n"},
	{"not writable", `
import mmap
open("m", "wb").write(b"x" * 100); f = open("m", "rb")
for prot in mmap.PROT_READ, mmap.PROT_READ | mmap.PROT_WRITE:
    try: print(len(mmap.mmap(f.fileno(), 100, mmap.MAP_SHARED, prot)))
    except OSError as e: print(e.strerror)`, "100\nPermission denied\n"},
	{"large", `
import mmap, os
f = open("m", "w+b"); f.seek(100 << 20); f.write(b"end"); f.flush()
m = mmap.mmap(f.fileno(), 0, prot=mmap.PROT_READ); print(m[-3:], m[:2]); m.close(); f.close()
f = open("m", "rb"); m = mmap.mmap(f.fileno(), 0, flags=mmap.MAP_PRIVATE, prot=mmap.PROT_READ); print(m[-3:]); os.unlink("m")`, "b'end' b'\\x00\\x00'\nb'end'\n"},
}

// TestRemoteMappings makes sure of what is left of a mapping when the program has ended, with both mechanisms.
func TestRemoteMappings(t *testing.T) {
	h := newFarHost(t, "--allow", "rw")
	for _, c := range farMappings {
		h.clear("home")
		want := h.inside("python3 -c '" + c.script + "'")
		wantTree := h.tree("home")
		if want.stdout != c.out || want.code != 0 {
			t.Fatalf("%s: there: %+v", c.name, want)
		}
		for _, mechanism := range []string{"notify", "ptrace"} {
			h.clear("home")
			got := h.proxied([]string{"--cwd", "/home", "--mechanism", mechanism}, "python3", "-c", c.script)
			if tree := h.tree("home"); got != want || tree != wantTree {
				t.Errorf("%s, %s: %+v %q, want %+v %q", c.name, mechanism, got, tree, want, wantTree)
			}
		}
	}
}

// TestRemoteThreads has one thread wait for what another does: neither mechanism may hold up the second.
func TestRemoteThreads(t *testing.T) {
	h := newFarHost(t, "--allow", "rw")
	const script = `
import os, threading
os.mkfifo("f")
t = threading.Thread(target=lambda: print(open("f").read())); t.start()
with open("f", "w") as f: f.write("through")
t.join()`
	for _, mechanism := range []string{"notify", "ptrace"} {
		h.clear("home")
		got := h.proxied([]string{"--cwd", "/home", "--mechanism", mechanism}, "python3", "-c", script)
		if got.stdout != "through\n" || got.code != 0 {
			t.Errorf("%s: %+v", mechanism, got)
		}
	}
}

// TestRemoteLocks asks for locks of processes: who has them, when they end, and when nobody could ever get one.
func TestRemoteLocks(t *testing.T) {
	h := newFarHost(t, "--allow", "rw")
	const script = `
import fcntl, os, struct
def lock(f, kind, start, n=10, how=fcntl.F_SETLK):
    try: fcntl.fcntl(f, how, struct.pack("hhqqi4x", kind, 0, start, n, 0)); return "ok"
    except OSError as e: return e.strerror
def owner(f):
    kind, _, start, n, pid = struct.unpack("hhqqi4x", fcntl.fcntl(f, fcntl.F_GETLK, struct.pack("hhqqi4x", fcntl.F_WRLCK, 0, 0, 0, 0)))
    return kind, start, n, pid == os.getppid()
def child(f):
    pid = os.fork()
    if pid == 0: f(); os._exit(0)
    return pid
a, b = open("l", "w+b", 0), open("l", "r+b", 0)
print(lock(a, fcntl.F_WRLCK, 0), lock(b, fcntl.F_WRLCK, 5))
os.waitpid(child(lambda: print(lock(a, fcntl.F_RDLCK, 0), lock(a, fcntl.F_RDLCK, 20), owner(a), flush=True)), 0)
b.close() # which ends all of them
os.waitpid(child(lambda: print(lock(a, fcntl.F_WRLCK, 0), flush=True)), 0)
print(lock(a, fcntl.F_WRLCK, 0)) # that of the child has ended with it
r, w = os.pipe()
def other():
    print(lock(a, fcntl.F_WRLCK, 50), flush=True); os.write(w, b"x"); os.write(w, lock(a, fcntl.F_WRLCK, 0, how=fcntl.F_SETLKW).encode())
pid = child(other); os.read(r, 1)
print(lock(a, fcntl.F_WRLCK, 50))
mine = lock(a, fcntl.F_WRLCK, 50, how=fcntl.F_SETLKW)
if mine != "ok": lock(a, fcntl.F_UNLCK, 0)
os.waitpid(pid, 0); print(sorted([mine, os.read(r, 100).decode()]))`
	// Whoever waits last, the child or its parent, waits for the other, who waits already.
	want := h.inside("cd /home; python3 -c '" + script + "'")
	for _, mechanism := range []string{"notify", "ptrace"} {
		h.clear("home")
		got := h.proxied([]string{"--cwd", "/home", "--mechanism", mechanism}, "python3", "-c", script)
		if got.stdout != want.stdout || got.code != 0 || want.code != 0 {
			t.Errorf("%s: %+v, want %+v", mechanism, got, want)
		}
	}
}

// nearSetup runs a command on this host's files, but in a layer above them, and then lists what it has changed: $1 is an empty directory, $2 one
// that is not below the layer. A directory in which a file has been made and removed again has changed: /tmp, by farcall itself.
const nearSetup = `
set -e
work=$1 shared=$2
shift 2
mount --make-rprivate /
mount -t tmpfs near $work
mkdir $work/{upper,work,root}
mount -t overlay -o lowerdir=/,upperdir=$work/upper,workdir=$work/work near $work/root
for d in /proc /dev /sys $shared; do mount --rbind $d $work/root$d; done
chroot $work/root "$@"
cd $work/upper
find . -mindepth 1 ! -path ./tmp -printf 'changed here: %P\n'
`

// stressors are those of stress-ng(1) that do what the proxy carries.
var stressors = []string{"access", "chmod", "chown", "copy-file", "dentry", "dir", "dirdeep", "fallocate", "fpunch", "fstat", "getdent", "hdd", "iomix", "link",
	"lockofd", "mknod", "mmap", "open", "rename", "symlink", "touch", "utime", "xattr"}

// TestRemoteStress has stress-ng work on the far host's files, and looks whether any of it has happened here. FARCALL_STRESS is for how many
// seconds all of them run, for each mechanism.
func TestRemoteStress(t *testing.T) {
	h := newFarHost(t, "--allow", "rw")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	work := t.TempDir()
	for _, mechanism := range []string{"notify", "ptrace"} {
		h.clear("home")
		args := []string{"stress-ng", "--temp-path", "/home", "--no-rand-seed"}
		if seconds := size(t, "FARCALL_STRESS", 0); seconds > 0 {
			args = append(args, "-t", fmt.Sprint(seconds))
			for _, s := range stressors {
				args = append(args, "--"+s, "1")
			}
		} else {
			for _, s := range []string{"chmod", "dentry", "getdent", "lockofd", "rename", "touch", "xattr"} {
				args = append(args, "--"+s, "1", "--"+s+"-ops", "20")
			}
		}
		stats := filepath.Join(filepath.Dir(h.sock), "stats") // outside of the layer
		cmd := exec.Command("unshare", append([]string{"--mount", "bash", "-c", nearSetup, "near", work, filepath.Dir(h.sock),
			"env", "PATH=/usr/bin:/bin", "bash", "-c", `exec -a farcall "$0" "$@"`, self,
			"proxy", "--to", "unix://" + h.sock, "--mechanism", mechanism, "--stats", stats, "--no-profile", "--cwd", "/home", "--"}, args...)...)
		got := h.run(cmd)
		if got.code != 0 || strings.Contains(got.stdout, "changed here") {
			t.Errorf("%s: %d %s %s", mechanism, got.code, got.stdout, got.stderr)
		}
		if s := readStats(t, stats); s.Calls.Remote < 100 {
			t.Errorf("%s: %+v", mechanism, s)
		}
	}
}
