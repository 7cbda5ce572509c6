package farcalltest_test

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"farcall"
	"farcall/farcalltest"

	"golang.org/x/sys/unix"
)

// A witness is a test that remembers what went wrong with it.
type witness struct {
	testing.TB
	errors []string
}

func (w *witness) Errorf(format string, args ...any) {
	w.errors = append(w.errors, fmt.Sprintf(format, args...))
}
func (w *witness) Helper() {}

// expect checks that the assertions f makes fail with messages that have these words.
func expect(t *testing.T, cmd *exec.Cmd, f func(*farcalltest.Result), words ...string) {
	t.Helper()
	w := &witness{TB: t}
	f(farcalltest.Run(w, cmd))
	all := strings.Join(w.errors, "\n")
	if len(words) == 0 && all != "" {
		t.Errorf("unexpected: %s", all)
	}
	if len(words) > 0 && all == "" {
		t.Errorf("no failure, want one with %q", words)
	}
	for _, word := range words {
		if !strings.Contains(all, word) {
			t.Errorf("%q is not in:\n%s", word, all)
		}
	}
}

func sh(script string) *exec.Cmd { return exec.Command("sh", "-c", script) }

func TestNever(t *testing.T) {
	expect(t, sh("echo x"), func(r *farcalltest.Result) { r.Never("fsync,%net").Succeeds() })
	expect(t, exec.Command("/usr/bin/python3", "-SEc", "import os; os.fsync(os.open('.', 0))"),
		func(r *farcalltest.Result) { r.Never("fsync") }, "must never call fsync", "once", "fsync(3)")
}

func TestAtMost(t *testing.T) {
	expect(t, sh("echo 1; echo 2"), func(r *farcalltest.Result) { r.AtMost("write", 2).AtLeast("write", 2) })
	expect(t, sh("echo 1; echo 2; echo 3"), func(r *farcalltest.Result) { r.AtMost("write", 2) },
		"write 2 times, and does 3 times", `write(1, "3\n", 2)`)
	expect(t, sh("echo 1"), func(r *farcalltest.Result) { r.AtLeast("write", 2) }, "2 times or more, and does once")
}

func TestOpensOnlyUnder(t *testing.T) {
	dir := t.TempDir()
	cmd := func() *exec.Cmd {
		c := sh("echo x > a; cat < a; cat /etc/passwd > /dev/null")
		c.Dir = dir
		return c
	}
	expect(t, cmd(), func(r *farcalltest.Result) {
		r.OpensOnlyUnder(append(farcalltest.System, dir, "/etc/passwd")...)
	})
	expect(t, cmd(), func(r *farcalltest.Result) { r.OpensOnlyUnder(append(farcalltest.System, dir)...) }, "/etc/passwd")
	expect(t, cmd(), func(r *farcalltest.Result) { r.OpensOnlyUnder(farcalltest.System...) }, `"a"`)
}

func TestFailsCleanly(t *testing.T) {
	expect(t, exec.Command("cat", "/etc/passwd"), func(r *farcalltest.Result) {
		r.FailsCleanlyWhen("write,copy_file_range,%file", unix.ENOSPC, func(c *farcall.Call) bool {
			return c.Name() == "write" || c.Value("filename") != nil && string(c.Value("filename").Bytes) == "/etc/passwd"
		})
	})
	expect(t, sh("echo x || true"), func(r *farcalltest.Result) { r.FailsCleanlyWhen("write", unix.ENOSPC) },
		"as if nothing had happened", `= -1 ENOSPC (No space left on device) (INJECTED)`)
	expect(t, sh("echo x || kill -SEGV $$"), func(r *farcalltest.Result) { r.FailsCleanlyWhen("write", unix.ENOSPC) }, "killed by SIGSEGV")
	expect(t, sh("echo x || true"), func(r *farcalltest.Result) { r.SurvivesWhen("write", unix.ENOSPC) })
	expect(t, sh(":"), func(r *farcalltest.Result) { r.SurvivesWhen("write", unix.ENOSPC) })
}

func TestFailsCleanlyHangs(t *testing.T) {
	was := farcalltest.Timeout
	farcalltest.Timeout = time.Second
	defer func() { farcalltest.Timeout = was }()
	expect(t, sh("echo x || sleep 1000"), func(r *farcalltest.Result) { r.FailsCleanlyWhen("write", unix.ENOSPC) }, "does not end in 1s", "ENOSPC")
}

func TestInputAndOutput(t *testing.T) {
	cmd := exec.Command("cat")
	cmd.Stdin = strings.NewReader("some input")
	var out strings.Builder
	cmd.Stdout = &out
	r := farcalltest.Run(t, cmd)
	if r.Stdout != "some input" || out.String() != r.Stdout {
		t.Errorf("output %q, %q", r.Stdout, out.String())
	}
	r.FailsCleanlyWhen("write,copy_file_range,splice", unix.EIO, func(c *farcall.Call) bool { return c.Name() == "write" })
}

// An example: sort must not lose what it sorts. It writes to one directory only, and says so if the disk is full.
func TestSort(t *testing.T) {
	dir := t.TempDir()
	r := farcalltest.Run(t, exec.Command("sort", "-o", filepath.Join(dir, "out"), "/etc/passwd")).Succeeds()
	r.Never("%net").OpensOnlyUnder(append(farcalltest.System, dir, "/etc/passwd")...)
	r.FailsCleanlyWhen("write", unix.ENOSPC)
}
