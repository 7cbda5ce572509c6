package engine

import (
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A process turns into the program, with its id, and is traced from the first execve on.
func TestBecomeAndAdopt(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("ENGINE_TEST_ROLE", "become")
	for name, opts := range map[string]Options{"seize": {}, "classic": {Classic: true}, "filter": filterOptions(true, unix.SYS_EXECVE, unix.SYS_WRITE)} {
		tg := startTarget(t, self, "/bin/echo", "hello", name)
		for i := 0; ; i++ {
			if exe, _ := os.Readlink("/proc/" + strconv.Itoa(tg.pid) + "/exe"); strings.Contains(exe, "launcher") {
				break
			}
			if i == 100_000 {
				t.Fatal("the process does not become the launcher")
			}
			time.Sleep(50 * time.Microsecond)
		}
		r := newRecorder()
		e := start(t, opts, r)
		l, err := e.Adopt(tg.pid, "/bin/echo")
		if err != nil {
			t.Fatal(err)
		}
		if err := e.Run(); err != nil {
			t.Fatal(err)
		}
		tg.expect("hello " + name)
		if ws := tg.end(); ws.ExitStatus() != 0 {
			t.Errorf("%s: %v", name, ws)
		}
		if l.Err() != nil || len(r.lines) == 0 || !strings.HasSuffix(r.lines[0], "enter amd64 59") || r.enters[unix.SYS_EXECVE] != 1 || r.enters[unix.SYS_WRITE] != 1 {
			t.Errorf("%s: %v, calls %v", name, l.Err(), r.enters)
		}
		r.check(t)
	}
}

func init() {
	roles["become"] = func() int {
		opts := Options{}
		if os.Args[3] == "filter" {
			opts = filterOptions(true, unix.SYS_EXECVE, unix.SYS_WRITE)
		}
		println(Become(&Program{Path: os.Args[1], Args: append([]string{"echo"}, os.Args[2:]...)}, opts).Error())
		return 1
	}
}
