package seccomp

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/cilium/ebpf/btf"
	"golang.org/x/sys/unix"

	"farcall/syscalls"
)

// roleVar makes the test binary play a part instead of running tests.
const roleVar = "FARCALL_SECCOMP_TEST_ROLE"

func TestMain(m *testing.M) {
	switch os.Getenv(roleVar) {
	case "install":
		os.Exit(roleInstall())
	}
	os.Exit(m.Run())
}

// buildCalls compiles the program that makes the calls.
func buildCalls(t testing.TB) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "calls")
	if out, err := exec.Command("gcc", "-O1", "-Wall", "-o", path, "testdata/calls.c").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return path
}

// filterInput is what the program reads.
func filterInput(p *Program) []byte {
	b := p.Encode()
	return append(binary.LittleEndian.AppendUint32(nil, uint32(len(b))), b...)
}

// On the real kernel, RET_ERRNO hits what the Spec names, for both interfaces in one process.
func TestKernelErrno(t *testing.T) {
	p, _ := compile(t, Spec{Calls: map[syscalls.ABI]Calls{
		syscalls.AMD64: {Rules: []Rule{
			{Number: unix.SYS_GETPPID, Action: Errno(unix.EXDEV)},
			{Number: unix.SYS_CLOSE, Action: Errno(unix.ENOLINK), When: []Condition{{Arg: 0, Min: 101, Max: 102}}},
			{Number: unix.SYS_CLOSE, Action: Errno(unix.ENODATA), When: []Condition{Equal(0, 0xffffffff, 102)}},
		}},
		syscalls.X32:  {Default: Errno(unix.ENOTTY)},
		syscalls.I386: {Rules: []Rule{{Number: 64, Action: Errno(unix.EMFILE)}}},
	}})
	cmd := exec.Command(buildCalls(t))
	cmd.Stdin = bytes.NewReader(filterInput(p))
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	want := lines(
		"installed",
		"64 getppid", -int(unix.EXDEV),
		"32 getppid", -int(unix.EMFILE),
		"64 64", nil, // semget
		"32 110", nil, // iopl
		"64 x32", -int(unix.ENOTTY),
		"64 -1", -int(unix.ENOSYS),
		"64 close 100", -int(unix.EBADF),
		"64 close 101", -int(unix.ENOLINK),
		"64 close 102", -int(unix.ENOLINK),
		"64 close 103", -int(unix.EBADF),
		"64 close int", -int(unix.ENODATA),
		"32 close 102", -int(unix.EBADF),
	)
	compareLines(t, string(out), want)
}

// lines joins names and results; nil stands for a result that does not matter.
func lines(parts ...any) (out []string) {
	for _, p := range parts {
		switch p := p.(type) {
		case string:
			out = append(out, p)
		case int:
			out[len(out)-1] += fmt.Sprint(" ", p)
		case nil:
			out[len(out)-1] += " *"
		}
	}
	return out
}

func compareLines(t *testing.T, got string, want []string) {
	t.Helper()
	have := strings.Split(strings.TrimSpace(got), "\n")
	if len(have) != len(want) {
		t.Fatalf("%d lines, want %d:\n%s", len(have), len(want), got)
	}
	for i, w := range want {
		if prefix, any := strings.CutSuffix(w, "*"); any && strings.HasPrefix(have[i], prefix) || have[i] == w {
			continue
		}
		t.Errorf("line %d: %q, want %q", i, have[i], w)
	}
}

// RET_TRACE stops exactly the calls that are named, and brings their data.
func TestKernelTrace(t *testing.T) {
	p, _ := compile(t, Spec{Calls: map[syscalls.ABI]Calls{
		syscalls.AMD64: {Rules: []Rule{
			{Number: unix.SYS_GETPPID, Action: Trace(11)},
			{Number: unix.SYS_CLOSE, Action: Trace(12), When: []Condition{{Arg: 0, Min: 101, Max: 102}}},
			{Number: unix.SYS_EXIT_GROUP, Action: Trace(13)},
		}},
		syscalls.I386: {Rules: []Rule{{Number: 64, Action: Trace(21)}, {Number: 6, Action: Trace(22)}}},
	}})
	runtime.LockOSThread() // the tracer, for the rest of the test
	input := filepath.Join(t.TempDir(), "filter")
	if err := os.WriteFile(input, filterInput(p), 0o600); err != nil {
		t.Fatal(err)
	}
	in, err := os.Open(input)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	path := buildCalls(t)
	proc, err := os.StartProcess(path, []string{path}, &os.ProcAttr{
		Files: []*os.File{in, null, os.Stderr}, Sys: &unix.SysProcAttr{Ptrace: true},
	})
	if err != nil {
		t.Fatal(err)
	}
	pid := proc.Pid
	proc.Release()
	ended := false
	defer func() {
		if !ended {
			unix.Kill(pid, unix.SIGKILL)
			unix.Wait4(pid, nil, unix.WALL, nil)
		}
	}()
	wait := func() (ws unix.WaitStatus) {
		t.Helper()
		for {
			_, err := unix.Wait4(pid, &ws, unix.WALL, nil)
			if err == unix.EINTR {
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			return ws
		}
	}
	wait()
	if err := unix.PtraceSetOptions(pid, unix.PTRACE_O_TRACESECCOMP|unix.PTRACE_O_EXITKILL); err != nil {
		t.Fatal(err)
	}
	type stop struct {
		data   uint
		number uint64
	}
	var stops []stop
	for range 100 {
		if err := unix.PtraceCont(pid, 0); err != nil {
			t.Fatal(err)
		}
		ws := wait()
		if ws.Exited() || ws.Signaled() {
			ended = true
			if ws.ExitStatus() != 0 {
				t.Errorf("status %#x", ws)
			}
			break
		}
		if ws.TrapCause() != unix.PTRACE_EVENT_SECCOMP {
			t.Fatalf("stop %#x", ws)
		}
		data, err := unix.PtraceGetEventMsg(pid)
		if err != nil {
			t.Fatal(err)
		}
		var r unix.PtraceRegs
		if err := unix.PtraceGetRegs(pid, &r); err != nil {
			t.Fatal(err)
		}
		stops = append(stops, stop{data, r.Orig_rax})
	}
	want := []stop{{11, unix.SYS_GETPPID}, {21, 64}, {12, unix.SYS_CLOSE}, {12, unix.SYS_CLOSE}, {22, 6}, {13, unix.SYS_EXIT_GROUP}}
	if fmt.Sprint(stops) != fmt.Sprint(want) {
		t.Errorf("stops %v, want %v", stops, want)
	}
}

// Install, in a child: refused without no_new_privs to the unprivileged, then in force in this thread only,
// then in all.
func TestInstall(t *testing.T) {
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), roleVar+"=install")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

func roleInstall() int {
	runtime.LockOSThread()
	fail := func(format string, args ...any) int {
		fmt.Fprintf(os.Stderr, format+"\n", args...)
		return 1
	}
	refuse := func(e unix.Errno) *Program {
		p, err := Compile(Spec{Calls: map[syscalls.ABI]Calls{
			syscalls.AMD64: {Rules: []Rule{{Number: unix.SYS_GETPGRP, Action: Errno(e)}}},
		}})
		if err != nil {
			panic(err)
		}
		return p
	}
	getpgrp := func() unix.Errno {
		_, _, e := unix.RawSyscall(unix.SYS_GETPGRP, 0, 0, 0)
		return e
	}
	if os.Getuid() == 0 {
		// Only this thread: others keep their rights, and so can tell whether the filter reaches them.
		if _, _, e := unix.RawSyscall(unix.SYS_SETRESUID, 65534, 65534, 65534); e != 0 {
			return fail("setresuid: %v", e)
		}
	}
	if _, err := refuse(unix.EXDEV).Install(0); err == nil || !strings.HasSuffix(err.Error(), unix.EACCES.Error()) {
		return fail("without no_new_privs: %v, want EACCES", err)
	}
	if err := NoNewPrivs(); err != nil {
		return fail("%v", err)
	}
	if _, err := refuse(unix.EXDEV).Install(1 << 30); err == nil {
		return fail("unknown flags accepted")
	}
	if fd, err := refuse(unix.EXDEV).Install(0); err != nil || fd != 0 {
		return fail("install: %d, %v", fd, err)
	}
	if e := getpgrp(); e != unix.EXDEV {
		return fail("getpgrp: %v, want EXDEV", e)
	}
	other := make(chan unix.Errno)
	go func() {
		runtime.LockOSThread()
		other <- getpgrp()
		<-other
		other <- getpgrp()
	}()
	if e := <-other; e != 0 {
		return fail("getpgrp in another thread: %v", e)
	}
	if _, err := refuse(unix.ENOLINK).Install(unix.SECCOMP_FILTER_FLAG_TSYNC); err != nil {
		return fail("install in all threads: %v", err)
	}
	other <- 0
	// The newer filter's errno wins between equal actions.
	if e := <-other; e != unix.ENOLINK {
		return fail("getpgrp in another thread after TSYNC: %v, want ENOLINK", e)
	}
	return 0
}

// BenchmarkAllowed reports the cost of a call that the filter lets through (ns/call).
func BenchmarkAllowed(b *testing.B) {
	path := buildCalls(b)
	var rules []Rule
	for nr := range uint32(300) {
		switch 2 * nr {
		case unix.SYS_GETPPID, unix.SYS_CLOCK_GETTIME, unix.SYS_NEWFSTATAT: // the program needs them
		default:
			rules = append(rules, Rule{Number: 2 * nr, Action: Trace(0)})
		}
	}
	for _, c := range []struct {
		name string
		spec Spec
	}{
		{"everything allowed", Spec{}},
		{"one call traced", Spec{Calls: map[syscalls.ABI]Calls{syscalls.AMD64: {Rules: []Rule{{Number: 257, Action: Trace(0)}}}}}},
		{"300 traced", Spec{Calls: map[syscalls.ABI]Calls{syscalls.AMD64: {Rules: rules}}}},
		{"300 traced, this one by argument", Spec{Calls: map[syscalls.ABI]Calls{syscalls.AMD64: {
			Rules: append(rules[:len(rules):len(rules)], Rule{Number: unix.SYS_GETPPID, Action: Trace(0), When: []Condition{Equal(0, 0, 5)}}),
		}}}},
	} {
		b.Run(c.name, func(b *testing.B) {
			p, _ := compile(b, c.spec)
			for b.Loop() {
				cmd := exec.Command(path, "2000000")
				cmd.Stdin = bytes.NewReader(filterInput(p))
				out, err := cmd.Output()
				if err != nil {
					b.Fatal(err)
				}
				var ns float64
				if _, err := fmt.Sscanf(string(out), "installed\n%f", &ns); err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(ns, "ns/call")
			}
		})
	}
}

// The offsets at which the program looks are those of the running kernel.
func TestSeccompData(t *testing.T) {
	if _, err := os.Stat("/sys/kernel/btf/vmlinux"); err != nil {
		t.Skip("the kernel was built without BTF")
	}
	spec, err := btf.LoadKernelSpec()
	if err != nil {
		t.Fatal(err)
	}
	var s *btf.Struct
	if err := spec.TypeByName("seccomp_data", &s); err != nil {
		t.Fatal(err)
	}
	want := map[string]uint32{"nr": offNumber, "arch": offArch, "args": offArgs}
	for _, m := range s.Members {
		if off, ok := want[m.Name]; ok && m.Offset.Bytes() != off {
			t.Errorf("%s is at %d, want %d", m.Name, m.Offset.Bytes(), off)
		}
		delete(want, m.Name)
	}
	if len(want) != 0 || s.Size != 64 {
		t.Errorf("no members %v; %d bytes", want, s.Size)
	}
}
