package ptrace

import (
	"fmt"
	"os"
	"runtime"
	"strconv"

	"golang.org/x/sys/unix"
)

func itoa(n int) string { return strconv.Itoa(n) }

func init() {
	roles["unprivileged"] = roleUnprivileged
	roles["traceme"] = roleTraceme
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
