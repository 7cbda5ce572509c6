package ptrace

import (
	"bufio"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"farcall/internal/seccomp"
	"farcall/syscalls"
)

func itoa(n int) string { return strconv.Itoa(n) }

func init() {
	roles["unprivileged"] = roleUnprivileged
	roles["traceme"] = roleTraceme
	roles["own"] = roleOwn
	roles["refuse-vm"] = func() int { return roleRefused(accessFile) }
	roles["refuse-mem"] = func() int { return roleRefused(accessPeek) }
}

// roleUnprivileged gives up root and tries to attach to somebody else's process.
func roleUnprivileged() int {
	runtime.LockOSThread()
	pid, err := strconv.Atoi(os.Getenv("TARGET"))
	if err != nil {
		return 2
	}
	if err := unix.Setresuid(65534, 65534, 65534); err != nil {
		fmt.Fprintln(os.Stderr, "setresuid:", err)
		return 3
	}
	for what, err := range map[string]error{"Attach": Attach(pid), "Seize": Seize(pid, OptTraceExit)} {
		if err != unix.EPERM {
			fmt.Fprintf(os.Stderr, "%s: %v, want EPERM\n", what, err)
			return 1
		}
	}
	m := NewMemory(pid)
	if _, err := m.Read(0x1000, make([]byte, 8)); err != unix.ESRCH {
		fmt.Fprintf(os.Stderr, "Read of a foreign process: %v, want ESRCH (nothing works, PEEK says so)\n", err)
		return 1
	}
	return 0
}

// roleTraceme becomes a tracee of its parent and executes a program.
func roleTraceme() int {
	runtime.LockOSThread()
	if err := Traceme(); err != nil {
		fmt.Fprintln(os.Stderr, "traceme:", err)
		return 1
	}
	if err := Traceme(); err != unix.EPERM {
		fmt.Fprintln(os.Stderr, "traceme again:", err)
		return 2
	}
	program := os.Getenv("PROGRAM")
	err := unix.Exec(program, []string{program, "leave"}, nil)
	fmt.Fprintln(os.Stderr, "exec:", err)
	return 3
}

// roleInput keeps the program's standard input open for as long as the role runs.
var roleInput *os.File

// startRole starts the program of the test for a role and waits until it is ready.
func startRole(mode string) (pid int, line string, err error) {
	inR, inW, err := os.Pipe()
	if err != nil {
		return 0, "", err
	}
	roleInput = inW
	outR, outW, err := os.Pipe()
	if err != nil {
		return 0, "", err
	}
	p, err := os.StartProcess(os.Getenv("PROGRAM"), []string{"tracee", mode}, &os.ProcAttr{Files: []*os.File{inR, outW, os.Stderr}})
	if err != nil {
		return 0, "", err
	}
	pid = p.Pid
	p.Release()
	outW.Close()
	line, err = bufio.NewReader(outR).ReadString('\n')
	return pid, strings.TrimSpace(line), err
}

// seizeRole attaches to it and stops it; it will be killed with the role.
func seizeRole(pid int) error {
	if err := Seize(pid, OptExitKill); err != nil {
		return err
	}
	if err := Interrupt(pid); err != nil {
		return err
	}
	for {
		if _, _, err := Wait4(pid, unix.WALL, nil); err != unix.EINTR {
			return err
		}
	}
}

// roleOwn gives up root and traces its own child.
func roleOwn() int {
	runtime.LockOSThread()
	if err := unix.Setresuid(65534, 65534, 65534); err != nil {
		fmt.Fprintln(os.Stderr, "setresuid:", err)
		return 3
	}
	pid, _, err := startRole("sleep")
	if err == nil {
		err = seizeRole(pid)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 3
	}
	bad := 0
	if err := SetOptions(pid, OptSuspendSeccomp); err != unix.EPERM {
		fmt.Fprintf(os.Stderr, "suspend seccomp: %v, want EPERM\n", err)
		bad = 1
	}
	if _, err := SeccompGetFilter(pid, 0, nil); err != unix.EACCES {
		fmt.Fprintf(os.Stderr, "get filter: %v, want EACCES\n", err)
		bad = 1
	}
	if _, err := SeccompGetMetadata(pid, 0); err != unix.EACCES {
		fmt.Fprintf(os.Stderr, "get metadata: %v, want EACCES\n", err)
		bad = 1
	}
	var info SyscallInfo
	if _, err := GetSyscallInfo(pid, &info); err != nil {
		fmt.Fprintf(os.Stderr, "get syscall info: %v\n", err)
		bad = 1
	}
	return bad
}

// roleRefused forbids itself the ways to reach memory that come before want, and uses memory all the same.
func roleRefused(want access) int {
	runtime.LockOSThread()
	spec := seccomp.Spec{Calls: map[syscalls.ABI]seccomp.Calls{hostABI: {Rules: []seccomp.Rule{
		{Number: unix.SYS_PROCESS_VM_READV, Action: seccomp.Errno(unix.ENOSYS)},
		{Number: unix.SYS_PROCESS_VM_WRITEV, Action: seccomp.Errno(unix.EPERM)},
	}}}}
	if want == accessPeek {
		c := spec.Calls[hostABI]
		c.Rules = append(c.Rules, seccomp.Rule{Number: unix.SYS_OPENAT, Action: seccomp.Errno(unix.EACCES),
			When: []seccomp.Condition{seccomp.Equal(2, unix.O_ACCMODE, unix.O_RDWR)}})
		spec.Calls[hostABI] = c
	}
	p, err := seccomp.Compile(spec)
	if err == nil {
		err = seccomp.NoNewPrivs()
	}
	if err == nil {
		_, err = p.Install(0)
	}
	var pid int
	var line string
	if err == nil {
		pid, line, err = startRole("memory")
	}
	if err == nil {
		err = seizeRole(pid)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 3
	}
	base, err := strconv.ParseUint(line, 16, 64)
	if err != nil {
		return 3
	}
	for _, write := range []bool{false, true} { // either may come first
		m := NewMemory(pid)
		b := make([]byte, 9)
		if write {
			b[0] = pattern(21)
			if n, err := m.Write(base+21, b[:1]); n != 1 || err != nil {
				fmt.Fprintf(os.Stderr, "write: %d, %v\n", n, err)
				return 1
			}
		}
		if n, err := m.Read(base+20, b); n != 9 || err != nil || b[1] != pattern(21) || b[8] != pattern(28) {
			fmt.Fprintf(os.Stderr, "read: %d, %v, %v\n", n, err, b)
			return 1
		}
		v := []Range{{Addr: base, Buf: b[:4]}, {Addr: base + pageSize, Buf: b[4:6]}, {Addr: base + 9, Buf: b[6:]}}
		if err := m.ReadV(v); err != nil || v[0].N != 4 || v[1].N != 0 || v[2].N != 3 {
			fmt.Fprintf(os.Stderr, "readv: %v %v\n", err, v)
			return 1
		}
		if m.access != want {
			fmt.Fprintf(os.Stderr, "access %d, want %d\n", m.access, want)
			return 1
		}
		m.Close()
	}
	return 0
}
