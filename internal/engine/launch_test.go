package engine

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"unsafe"

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

// Row 26: a first exec that fails is shown, is an error, and the exit status is 1.
func TestFailingExec(t *testing.T) {
	dir := t.TempDir()
	noexec := dir + "/noexec"
	if err := os.WriteFile(noexec, []byte("#!/bin/sh\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	garbage := dir + "/garbage"
	if err := os.WriteFile(garbage, []byte("\x01\x02\x03garbage"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		path string
		want unix.Errno
	}{{dir + "/none", unix.ENOENT}, {noexec, unix.EACCES}, {garbage, unix.ENOEXEC}, {dir, unix.EACCES}} {
		for name, opts := range map[string]Options{"seize": {}, "classic": {Classic: true},
			"filter": filterOptions(true, unix.SYS_WRITE), "filter execve": filterOptions(true, unix.SYS_EXECVE)} {
			r := newRecorder()
			l, _ := trace(t, opts, r, tc.path)
			var le *LaunchError
			if !errors.As(l.Err(), &le) || le.Op != "execve" || !errors.Is(l.Err(), tc.want) {
				t.Errorf("%s %s: error %v, want %v", name, tc.path, l.Err(), tc.want)
			}
			if st := r.lastExit(t, l.Thread.TID); st.Code != 1 {
				t.Errorf("%s %s: exit %+v", name, tc.path, st)
			}
			want := 1
			if name == "filter" {
				want = 0
			}
			if r.enters[unix.SYS_EXECVE] != want || len(r.enters) != want {
				t.Errorf("%s %s: calls %v", name, tc.path, r.enters)
			}
		}
	}
}

// The program's identity, directory, arguments and environment are as asked for.
func TestProgramAttributes(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root for other credentials")
	}
	for _, opts := range []Options{{}, {Classic: true}, filterOptions(true, unix.SYS_WRITE)} {
		r := newRecorder()
		e := start(t, opts, r)
		pr, pw, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		l, err := e.Launch(&Program{
			Path: fixture(t, "transparent"), Args: []string{"other name", "", "b"}, Env: []string{"X=1", "odd"}, Dir: "/usr",
			Files:      []*os.File{nil, pw, nil, nil, pr},
			Credential: &Credential{UID: 65534, GID: 65533, Groups: []uint32{7, 8}},
		})
		pw.Close()
		if err != nil {
			t.Fatal(err)
		}
		if err := e.Run(); err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(pr)
		if err != nil {
			t.Fatal(err)
		}
		pr.Close()
		if l.Err() != nil {
			t.Error(l.Err())
		}
		for _, want := range []string{"ids 65534 65534 65533 65533\n", "arg other name\narg \narg b\n", "env X=1\nenv odd\ncwd /usr\n", "nnp 0 ", "fd 1: ", "fd 4: "} {
			if !strings.Contains(string(b), want) {
				t.Errorf("%+v: no %q in\n%s", opts.Classic, want, b)
			}
		}
		for _, not := range []string{"fd 0:", "fd 2:", "fd 3:"} {
			if strings.Contains(string(b), not) {
				t.Errorf("%q is open", not)
			}
		}
	}
}

// A tracer without rights sets NO_NEW_PRIVS for the filter, and cannot take on other credentials.
func TestLaunchWithoutPrivileges(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root to give it up")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(self)
	if err != nil {
		t.Fatal(err)
	}
	fixture(t, "transparent") // makes the directory
	bin := fixtures.dir + "/tracer"
	if err := os.WriteFile(bin, b, 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(bin, fixture(t, "transparent"))
	cmd.Env = []string{"ENGINE_TEST_ROLE=unprivileged"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	if !strings.Contains(string(out), "nnp 1 ") || !strings.Contains(string(out), "refused: operation not permitted in setgroups") {
		t.Errorf("output\n%s", out)
	}
}

func init() {
	roles["unprivileged"] = func() int {
		e := New(filterOptions(true, unix.SYS_WRITE), Ignore{})
		defer e.Close()
		l, err := e.Launch(&Program{Path: os.Args[1], Args: os.Args[1:]})
		if err != nil || !l.NoNewPrivs || e.Run() != nil || l.Err() != nil {
			fmt.Println("launch:", err, l)
			return 1
		}
		l, err = e.Launch(&Program{Path: os.Args[1], Args: os.Args[1:], Credential: &Credential{UID: 0}})
		if err != nil || e.Run() != nil {
			fmt.Println("launch:", err)
			return 2
		}
		var le *LaunchError
		if errors.As(l.Err(), &le) {
			fmt.Println("refused:", le.Err, "in", le.Op)
		}
		return 0
	}
}

// Where memfds are refused, or may not be executed, a temporary file serves, and is removed.
func TestLauncherTempFile(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("TMPDIR", dir)
	defer func() { launcherMemfd = newLauncherMemfd }()
	for name, memfd := range map[string]func([]byte, int) (*launcherFile, error){
		"refused":        func([]byte, int) (*launcherFile, error) { return nil, unix.EACCES },
		"not executable": func([]byte, int) (*launcherFile, error) { return &launcherFile{fd: -1, path: "/etc/passwd"}, nil },
		"no /proc":       func([]byte, int) (*launcherFile, error) { return &launcherFile{fd: -1, path: "/none"}, nil },
	} {
		launcherMemfd = memfd
		r := newRecorder()
		l, out := trace(t, Options{}, r, "/bin/echo", "hello")
		if out != "hello\n" || l.Err() != nil || r.enters[unix.SYS_EXECVE] != 1 {
			t.Errorf("%s: output %q, %v", name, out, l.Err())
		}
		if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
			t.Errorf("%s: left %v %v", name, left, err)
		}
	}
}

// All code of the launcher is copied: it ends with a breakpoint instruction before the limit.
func TestLauncherCodeFits(t *testing.T) {
	code := unsafe.Slice((*byte)(launcherAddr()), launcherMax)
	exit := []byte{0x48, 0xc7, 0xc7, 1, 0, 0, 0, 0x0f, 0x05, 0xcd, 3} // MOVQ $1, DI; SYSCALL; INT $3
	if runtime.GOARCH == "amd64" && !bytes.Contains(code, exit) {
		t.Errorf("no end in %x", code)
	}
	var d launchData
	if unsafe.Offsetof(d.fprog) != 24 || unsafe.Offsetof(d.uid) != 40 || unsafe.Offsetof(d.ngroups) != 48 || unsafe.Offsetof(d.action) != 64 {
		t.Error("launchData does not have the layout that the code expects")
	}
}
