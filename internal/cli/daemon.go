package cli

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"syscall"

	"farcall"
	"farcall/internal/cmdline"
	"farcall/internal/message"

	"golang.org/x/sys/unix"
)

// With -D the process that was started becomes the program, and keeps its number and its parent; the tracer is a
// grandchild, whose parent is gone. farcall runs itself twice for it: the process in the middle starts the tracer and ends. The
// environment tells them what they are.
const daemonVariable = "FARCALL_DAEMON"

// daemonPipe is the descriptor at which the tracer finds the pipe whose end says that the process has become
// the launcher, ready to be adopted.
const daemonPipe = 3

// A daemonRole is what a process does for -D.
type daemonRole struct {
	middle bool
	adopt  int // the tracer: the process that becomes the program
}

// takeDaemonRole reads and removes what the environment says.
func takeDaemonRole() (role daemonRole) {
	value := os.Getenv(daemonVariable)
	if value == "" {
		return role
	}
	os.Unsetenv(daemonVariable)
	word, pid, _ := strings.Cut(value, " ")
	role.adopt, _ = strconv.Atoi(pid)
	role.middle = word == "middle"
	return role
}

// again runs farcall with its own arguments in another role. at is the pipe.
func again(role string, pid int, at uintptr, sys *syscall.SysProcAttr) (child int, err error) {
	env := append(os.Environ(), fmt.Sprintf("%s=%s %d", daemonVariable, role, pid))
	child, _, err = syscall.StartProcess("/proc/self/exe", os.Args, &syscall.ProcAttr{
		Env: env, Files: []uintptr{0, 1, 2, at}, Sys: sys,
	})
	if err != nil {
		return 0, fmt.Errorf("start the tracer: %w", err)
	}
	return child, nil
}

// startDaemon is the process in the middle.
func startDaemon(mode cmdline.DaemonMode, role daemonRole) error {
	sys := &syscall.SysProcAttr{Setpgid: mode == cmdline.DaemonPgroup, Setsid: mode == cmdline.DaemonSession}
	_, err := again("tracer", role.adopt, daemonPipe, sys)
	return err
}

// becomeProgram is the process that was started: it returns only if something fails.
func (r *traceRun) becomeProgram() error {
	p, err := r.program()
	if err != nil {
		return err
	}
	options, err := r.prepare()
	if err != nil {
		return err
	}
	var ends [2]int
	if err := unix.Pipe2(ends[:], unix.O_CLOEXEC); err != nil {
		return fmt.Errorf("start the tracer: %w", err)
	}
	middle, err := again("middle", os.Getpid(), uintptr(ends[0]), nil)
	if err != nil {
		return err
	}
	unix.Close(ends[0])
	var status unix.WaitStatus
	for {
		if _, err = unix.Wait4(middle, &status, 0, nil); err != unix.EINTR {
			break
		}
	}
	if err != nil || status.ExitStatus() != 0 {
		return message.Fail("the tracer did not start")
	}
	return farcall.New(options).Become(p)
}

// adopt is the tracer: it waits until the process is ready, and takes hold of it.
func (r *traceRun) adopt(pid int, p *farcall.Program) error {
	pipe := os.NewFile(daemonPipe, "pipe")
	unix.CloseOnExec(daemonPipe)
	_, _ = io.Copy(io.Discard, pipe) // its end is all that it says
	pipe.Close()
	err := r.tracer.Adopt(pid, p.Path)
	if err != nil {
		_ = unix.Kill(pid, unix.SIGKILL) // it would wait for ever
		return r.attachError(pid, err)
	}
	return nil
}
