package farcall_test

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// savings are commands, and how many round trips they may cost: the first time, and when it is known what they asked for the last time.
var savings = []struct {
	name          string
	options, args []string
	most, learned int
	saver         string // without which it costs more
}{
	{"cat of a small file", nil, []string{"cat", "a.txt"}, 1, 0, "profile"},
	{"ls -l of 23 files", nil, []string{"ls", "-l", "many"}, 4, 0, "start"},
	{"grep -r in 23 files", nil, []string{"grep", "-r", "x", "many"}, 7, 1, "contents"},
	{"stat of 3 files 8 times", nil, append([]string{"stat", "-c", "%s"}, strings.Fields(strings.Repeat("many/1 many/2 many/3 ", 8))...), 2, 0, "lists"},
	{"50 tests of what is not there", nil, []string{"bash", "-c", "cd many; for i in {1..50}; do [ -e no$i ]; done"}, 5, 1, "lists"},
	{"git status of 100 files", []string{"--cwd", "/home/repo"}, []string{"git", "status"}, 18, 2, "contents"},
	{"python3 imports", []string{"--remote", "/usr/lib/python3*"}, []string{"python3", "-c", "import json,http.client,sqlite3"}, 80, 2, "lists"},
	{"100 writes", nil, []string{"python3", "-c", `
import os
fd = os.open("written", os.O_CREAT|os.O_WRONLY|os.O_TRUNC)
for i in range(100): os.write(fd, b"0123456789")
os.fsync(fd)`}, 2, 2, "writes"},
}

// TestRemoteRoundTrips counts what programs cost. What the session's beginning takes along is not counted, as it costs none.
func TestRemoteRoundTrips(t *testing.T) {
	h := newFarHost(t, "--allow", "rw")
	h.reset()
	if o := h.inside(`mkdir many repo; for i in {1..23}; do echo x > many/$i; done
cd repo; git init -q -b main; for i in {1..100}; do mkdir -p d$((i % 10)); echo $i > d$((i % 10))/f$i; done
find . -path ./.git -prune -o -type f -exec touch -d 2020-01-01 {} +; git add .; git commit -qm one; git status --short`); o.code != 0 || o.stdout+o.stderr != "" {
		t.Fatalf("%+v", o)
	}
	file := filepath.Join(t.TempDir(), "stats")
	count := func(options []string, args []string) (outcome, int) {
		got := h.proxied(append([]string{"--cwd", "/home", "--stats", file, "--cache", "lease=1h"}, options...), args...)
		return got, readStats(t, file).RoundTrips
	}
	var table strings.Builder
	for _, s := range savings {
		naive, one := count(append(s.options[:len(s.options):len(s.options)], "--naive"), s.args)
		without, more := count(append(s.options[:len(s.options):len(s.options)], "--no-profile", "--saver", "-"+s.saver), s.args)
		first, most := count(s.options, s.args)
		again, learned := count(s.options, s.args)
		if first != again || first != without || first.stderr != "" {
			t.Errorf("%s: %+v, again %+v, without %s %+v", s.name, first, again, s.saver, without)
		}
		if first != naive && !strings.Contains(naive.stderr, " map ") { // nothing that is read piece by piece can be mapped
			t.Errorf("%s: %+v, call by call %+v", s.name, first, naive)
		}
		fmt.Fprintf(&table, "| %s | %d | %d | %d |\n", s.name, learned, most, one)
		if most > s.most || learned > s.learned {
			t.Errorf("%s: %d round trips, %d once it is learned, want at most %d and %d", s.name, most, learned, s.most, s.learned)
		}
		if s.saver == "profile" {
			more = most
			most = learned
		}
		if more <= most {
			t.Errorf("%s: %d round trips without %s, %d with it", s.name, more, s.saver, most)
		}
	}
	t.Logf("round trips\n| | learned | first | call by call |\n|---|---|---|---|\n%s", table.String())
}

// A farShell is a shell behind the proxy that answers lines.
type farShell struct {
	t   *testing.T
	in  io.WriteCloser
	out *bufio.Reader
}

// ask sends a line and returns the line that comes back.
func (c *farShell) ask(line string) string {
	c.t.Helper()
	if _, err := io.WriteString(c.in, line+"\n"); err != nil {
		c.t.Fatal(err)
	}
	answer, err := c.out.ReadString('\n')
	if err != nil {
		c.t.Fatalf("%s: %q, %v", line, answer, err)
	}
	return strings.TrimSuffix(answer, "\n")
}

// converse starts a shell that runs each line in a subshell and prints what comes of it as one line.
func (h *farHost) converse(options ...string) *farShell {
	h.t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		h.t.Fatal(err)
	}
	cmd, out, stderr := h.start(r, append([]string{"--cwd", "/home"}, options...), `while IFS= read -r l; do echo $(eval "$l" 2>&1); done`)
	r.Close()
	t := h.t
	t.Cleanup(func() {
		w.Close()
		if err := cmd.Wait(); err != nil {
			t.Errorf("%v: %s", err, stderr)
		}
	})
	return &farShell{t, w, out}
}

// TestRemoteChanges has somebody on the far host change what a program here has looked at.
func TestRemoteChanges(t *testing.T) {
	h := newFarHost(t, "--allow", "rw")
	h.reset()
	// Each looks at something, which is then changed there, and looks again.
	for _, c := range []struct{ look, before, change, after string }{
		{"cat f", "one", "echo two > f", "two"},
		{"cat f", "two", "echo three > g; mv g f", "three"},
		{"stat -c %a f", "644", "chmod 600 f", "600"},
		{"[ -e new ]; echo $?", "1", "echo n > new", "0"},
		{"cat new", "n", "rm new", "cat: new: No such file or directory"},
		{"ls d", "a b", "touch d/c", "a b c"},
		{"ls d", "a b c", "rm d/a", "b c"},
		{"cat d/b", "b", "mv d e; mkdir d; echo other > d/b", "other"},
		{"stat -c %s f", "6", "echo more >> f", "11"},
		{"cat hard1", "h", "echo changed > hard2", "changed"},
		{"readlink link", "f", "ln -sfn d link", "d"},
		{"cat up/dir/file", "deep", "mv up gone; mkdir -p up/dir; echo shallow > up/dir/file", "shallow"},
		{"python3 -c 'import os; print(len(os.listdir(\"d\")))'", "1", "touch d/{1..50}", "51"},
	} {
		t.Run(c.change, func(t *testing.T) {
			h.t = t
			defer func() { h.t = nil }()
			h.reset()
			setup := `umask 022; echo one > f; mkdir d; echo b > d/b; touch d/a; ln -s f link; echo h > hard1; ln hard1 hard2; mkdir -p up/dir; echo deep > up/dir/file`
			for _, before := range changesBefore[c.change] {
				setup += "; " + before
			}
			if o := h.inside(setup); o.code != 0 {
				t.Fatalf("%+v", o)
			}
			for _, cache := range []string{"strict", "lease", "lease=1h", "ttl=1h"} {
				t.Run(cache, func(t *testing.T) {
					h.t = t
					defer func() { h.t = t }()
					if o := h.inside("rm -rf * ; " + setup); o.code != 0 {
						t.Fatalf("%+v", o)
					}
					shell := h.converse("--cache", cache)
					for range 3 { // so that it is known
						if got := shell.ask(c.look); got != c.before {
							t.Fatalf("before: %q, want %q", got, c.before)
						}
					}
					if o := h.inside(c.change); o.code != 0 {
						t.Fatalf("%+v", o)
					}
					got := shell.ask(c.look)
					if cache == "ttl=1h" {
						if got != c.before && got != c.after {
							t.Errorf("%q, want what it was or is", got)
						}
						return
					}
					// The end of a lease takes a moment to arrive, and what cannot be leased is believed for a second.
					for deadline := time.Now().Add(20 * time.Second); got != c.after && strings.HasPrefix(cache, "lease") && time.Now().Before(deadline); {
						got = shell.ask(c.look)
					}
					if got != c.after {
						t.Errorf("after: %q, want %q", got, c.after)
					}
				})
			}
		})
	}
	h.t = t
}

// changesBefore is what has to have been done before a change.
var changesBefore = map[string][]string{
	"echo three > g; mv g f": {"echo two > f"}, "rm new": {"echo n > new"}, "rm d/a": {"touch d/c"}, "echo more >> f": {"echo three > f"},
	"touch d/{1..50}": {"rm d/a"},
}

// TestRemoteWriteBehind looks at what becomes of writes that a program does not wait for.
func TestRemoteWriteBehind(t *testing.T) {
	h := newFarHost(t, "--allow", "rw")
	h.reset()
	if o := h.inside("mkdir full; mount -t tmpfs -o size=64k none full"); o.code != 0 {
		t.Fatalf("%+v", o)
	}
	const write = `
import os, sys
def opened(name, flags=0): return os.open(name, os.O_CREAT|os.O_WRONLY|os.O_TRUNC|flags, 0o600)
def attempt(f, *a):
    try: f(*a); print("ok")
    except OSError as e: print(e.strerror)
`
	for _, c := range []struct{ name, script, out, err string }{
		{"in order", `
fd = opened("f")
for i in range(3000): os.write(fd, b"%07d\n" % i)
os.pwritev(fd, [b"AB", b"CD"], 8); os.lseek(fd, 0, 0); os.writev(fd, [b"x", b"y"])
r = os.open("f", os.O_RDONLY); print(os.fstat(fd).st_size, os.stat("f").st_size, len(os.read(r, 1 << 20)), os.pread(r, 12, 0))
os.rename("f", "g"); os.write(fd, b"!"); print(open("g").read(12))`, "24000 24000 24000 b'xy00000\\nABCD'\nxy!0000\nABCD\n", ""},
		{"an error at fsync", `
fd = opened("full/f"); os.write(fd, b"x" * 200000); attempt(os.fsync, fd); attempt(os.fsync, fd)`, "No space left on device\nok\n", ""},
		{"an error at the next write", `
fd = opened("full/f"); os.write(fd, b"x" * 200000); os.fstat(fd)
for i in range(1000):
    try: os.write(fd, b"y")
    except OSError as e: print(e.strerror); break`, "No space left on device\n", ""},
		{"nobody is told", `
fd = opened("full/f"); os.write(fd, b"x" * 200000); os.close(fd)`, "", "farcall: write to /home/full/f: no space left on device, after the program was told that it was written"},
		{"synchronous", `
fd = opened("full/f", os.O_SYNC); print(os.write(fd, b"x" * 200000) <= 65536); attempt(os.write, fd, b"x")`, "True\nNo space left on device\n", ""},
		{"read only", `
fd = os.open("a.txt", os.O_RDONLY); attempt(os.write, fd, b"x")
fd = opened("f"); attempt(os.pwrite, fd, b"x", -1); attempt(os.write, fd, b""); attempt(os.write, 77, b"x")`,
			"Bad file descriptor\nInvalid argument\nok\nBad file descriptor\n", ""},
	} {
		got := h.proxied([]string{"--cwd", "/home"}, "python3", "-c", write+c.script)
		if got.stdout != c.out || !strings.HasPrefix(got.stderr, c.err) || (got.code != 0) != (c.err != "") {
			t.Errorf("%s: %+v", c.name, got)
		}
	}
	if b, err := os.ReadFile(filepath.Join(h.root, "home/g")); err != nil || len(b) != 24000 {
		t.Errorf("%d bytes, %v", len(b), err)
	}
	h.inside("umount full")
}

// TestRemoteSynced kills the server when a program has been told that what it wrote is safe.
func TestRemoteSynced(t *testing.T) {
	h := newFarHost(t, "--allow", "rw")
	h.reset()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd, out, stderr := h.start(r, []string{"--cwd", "/home", "--on-loss", "eio"}, `exec python3 -c '
import os, sys
fd = os.open("f", os.O_CREAT|os.O_WRONLY)
for i in range(1000): os.write(fd, b"%07d\n" % i)
os.fsync(fd); print("synced", flush=True); sys.stdin.read()
try: os.write(fd, b"x"); os.write(fd, b"x"); os.fsync(fd)
except OSError as e: print(e.strerror)'`)
	r.Close()
	if line, err := out.ReadString('\n'); line != "synced\n" {
		t.Fatalf("%q, %v, %s", line, err, stderr)
	}
	h.kill()
	w.Close()
	if line, _ := out.ReadString('\n'); line != "Input/output error\n" {
		t.Errorf("after the end: %q", line)
	}
	if err := cmd.Wait(); err == nil || !strings.Contains(stderr.String(), "connection to the server lost") {
		t.Errorf("%v: %s", err, stderr)
	}
	b, err := os.ReadFile(filepath.Join(h.root, "home/f"))
	if err != nil || len(b) != 8000 || !strings.HasSuffix(string(b), "0000999\n") {
		t.Errorf("%d bytes, %v", len(b), err)
	}
}

// TestRemoteProfile spoils what was learned.
func TestRemoteProfile(t *testing.T) {
	h := newFarHost(t, "--allow", "rw")
	h.reset()
	options := []string{"--cwd", "/home"}
	want := h.proxied(options, "cat", "a.txt")
	files, err := filepath.Glob(filepath.Join(filepath.Dir(h.root), "cache/farcall/*.profile"))
	if err != nil || len(files) != 1 || want.stderr != "" {
		t.Fatalf("%v %v %+v", files, err, want)
	}
	good, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, text, note string }{
		{"garbage", "\x7fELF", "not a profile"},
		{"truncated", string(good[:len(good)-3]), "not a profile: no heading, or no end"},
		{"foreign", strings.Replace(string(good), "cat", "dog", 1), "not a profile for "},
		{"of what is gone", string(good) + "o 5 \"/gone\"\nd 0 \"/a/b/c\"\nd 0 \"/home/a.txt\"\n", ""},
		{"of a device", string(good) + "o 5 \"/dev/null\"\ns 0 \"/dev/tty\"\n", ""},
	} {
		if err := os.WriteFile(files[0], []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		got := h.proxied(options, "cat", "a.txt")
		if got.stdout != want.stdout || got.code != 0 || !strings.Contains(got.stderr, c.note) || (got.stderr == "") != (c.note == "") {
			t.Errorf("%s: %+v", c.name, got)
		}
		if b, err := os.ReadFile(files[0]); err != nil || string(b) != string(good) {
			t.Errorf("%s: afterwards %q, %v", c.name, b, err)
		}
	}
}
