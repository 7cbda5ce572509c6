package engine

import (
	"encoding/binary"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"farcall/internal/ptrace"
	"farcall/syscalls"
)

func mallocs() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.Mallocs
}

// traceFilter is a seccomp program that stops at the calls given, by their native numbers, and at Needs.
func traceFilter(numbers ...int64) []byte {
	var b []byte
	op := func(code uint16, jt, jf uint8, k uint32) {
		b = binary.NativeEndian.AppendUint16(b, code)
		b = append(b, jt, jf)
		b = binary.NativeEndian.AppendUint32(b, k)
	}
	const (
		load  = unix.BPF_LD | unix.BPF_W | unix.BPF_ABS
		equal = unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K
		ret   = unix.BPF_RET | unix.BPF_K
		allow = 0x7fff0000
		stop  = 0x7ff00000 | testFilterData
	)
	op(load, 0, 0, 4) // arch
	op(equal, 1, 0, ptrace.AuditArchX86_64)
	op(ret, 0, 0, allow)
	op(load, 0, 0, 0) // nr
	for _, n := range append(numbers, Needs(syscalls.AMD64)...) {
		op(equal, 0, 1, uint32(n))
		op(ret, 0, 0, stop)
	}
	op(ret, 0, 0, allow)
	return b
}

const testFilterData = 0xf4

func wantOnly(numbers ...int64) func(syscalls.ABI, int64) bool {
	return func(_ syscalls.ABI, n int64) bool {
		for _, w := range numbers {
			if w == n {
				return true
			}
		}
		return false
	}
}

func filterOptions(follow bool, numbers ...int64) Options {
	return Options{Follow: follow, Filter: traceFilter(numbers...), FilterData: testFilterData, Wanted: wantOnly(numbers...)}
}

// Under a filter only the wanted calls stop, with entry and exit; the first execve among them if it is wanted.
func TestFilter(t *testing.T) {
	for _, want := range [][]int64{{unix.SYS_WRITE}, {unix.SYS_WRITE, unix.SYS_EXECVE}} {
		r := newRecorder()
		l, out := trace(t, filterOptions(true, want...), r, "/bin/sh", "-c", "echo a; /bin/echo b; exit 3")
		if out != "a\nb\n" {
			t.Errorf("output %q", out)
		}
		if st := r.lastExit(t, l.Thread.TID); st.Code != 3 {
			t.Errorf("exit %+v", st)
		}
		if r.enters[unix.SYS_WRITE] != 2 || r.enters[unix.SYS_EXECVE] != 2*(len(want)-1) || len(r.enters) != len(want) {
			t.Errorf("entries %v", r.enters)
		}
		exits := 0
		for _, l := range r.lines {
			if strings.Contains(l, " exit amd64") {
				exits++
			}
		}
		if exits != 2*len(want) {
			t.Errorf("%d exits, want %d", exits, 2*len(want))
		}
	}
}

// Under a filter without Follow, children are not shown, and their calls work.
func TestFilterHidesChildren(t *testing.T) {
	r := newRecorder()
	l, out := trace(t, filterOptions(false, unix.SYS_WRITE), r, "/bin/sh", "-c", "echo a; /bin/echo b; exit 3")
	if out != "a\nb\n" {
		t.Errorf("output %q", out)
	}
	if st := r.lastExit(t, l.Thread.TID); st.Code != 3 {
		t.Errorf("exit %+v", st)
	}
	if r.enters[unix.SYS_WRITE] != 1 || len(r.exits) != 1 || len(r.made) != 0 {
		t.Errorf("%d writes, %d exits, %d created", r.enters[unix.SYS_WRITE], len(r.exits), len(r.made))
	}
}

// Calls can be answered and their exits skipped under a filter too.
func TestFilterAnswerAndSkip(t *testing.T) {
	r := newRecorder()
	r.onEnter = func(th *Thread) {
		switch th.Call.Number {
		case unix.SYS_WRITE:
			_ = th.Answer(int64(th.Call.Args[2]), false)
		case unix.SYS_BRK:
			th.SkipExit()
		}
	}
	r.onExit = func(th *Thread) {
		if th.Call.Number == unix.SYS_BRK {
			r.wrongf("exit of brk")
		}
	}
	_, out := trace(t, filterOptions(true, unix.SYS_WRITE, unix.SYS_BRK), r, "/bin/echo", "x")
	if out != "" || r.enters[unix.SYS_BRK] == 0 {
		t.Errorf("output %q, %d brk", out, r.enters[unix.SYS_BRK])
	}
}

// Row 18: what the program's own filters do wins, and is shown; with and without a filter of ours.
func TestOwnSeccompFilter(t *testing.T) {
	calls := []int64{unix.SYS_GETPPID, sysGetpgrp, unix.SYS_GETUID, unix.SYS_GETGID}
	for _, arg := range [][]string{nil, {"seccomp"}, {"tsync"}} {
		for name, opts := range map[string]Options{"full": {Follow: true}, "filter": filterOptions(true, calls...)} {
			r := newRecorder()
			rets := map[int64]int64{}
			r.onExit = func(th *Thread) { rets[th.Call.Number] = th.Call.Ret }
			l, out := trace(t, opts, r, append([]string{fixture(t, "ownfilter")}, arg...)...)
			if want := "errno -1 1 trap 1 trace -1 1\n"; out != want {
				t.Errorf("%s %v: output %q, want %q", name, arg, out, want)
			}
			if st := r.lastExit(t, l.Thread.TID); st.Signal != unix.SIGSYS {
				t.Errorf("%s %v: exit %+v", name, arg, st)
			}
			if rets[unix.SYS_GETPPID] != -int64(unix.EXDEV) || rets[unix.SYS_GETUID] != -int64(unix.ENOSYS) {
				t.Errorf("%s %v: results %v", name, arg, rets)
			}
			for _, c := range calls {
				want := 1
				if c == unix.SYS_GETPPID && arg != nil && arg[0] == "tsync" {
					want = 2
				}
				if r.enters[c] != want {
					t.Errorf("%s %v: call %d seen %d times", name, arg, c, r.enters[c])
				}
			}
			if last := r.exits[len(r.exits)-1]; last.call != unix.SYS_GETGID {
				t.Errorf("%s %v: killed after %+v, want getgid", name, arg, last)
			}
		}
	}
}
