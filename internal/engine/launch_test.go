package engine

import (
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestFirstVisibleCallIsExecve(t *testing.T) {
	for _, classic := range []bool{false, true} {
		r := newRecorder()
		l, out := trace(t, Options{Classic: classic}, r, "/bin/echo", "hello")
		if out != "hello\n" {
			t.Errorf("classic %v: output %q", classic, out)
		}
		if len(r.lines) == 0 || !strings.HasSuffix(r.lines[0], "enter amd64 59") {
			t.Errorf("classic %v: first line %q, want an execve", classic, r.lines[:min(3, len(r.lines))])
		}
		if n := r.enters[unix.SYS_EXECVE]; n != 1 {
			t.Errorf("classic %v: %d execve", classic, n)
		}
		if st := r.lastExit(t, l.Thread.TID); st != (Status{}) {
			t.Errorf("classic %v: exit %+v", classic, st)
		}
		if l.Err() != nil {
			t.Error(l.Err())
		}
	}
}
