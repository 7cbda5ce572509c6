package compare

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Tracer is a program that writes a trace in strace's format. Of Args, "@out" stands for the trace file; the command
// follows them.
type Tracer struct {
	Name string
	Args []string
}

// Strace is the reference.
var Strace = Tracer{"strace", []string{"strace", "-f", "-o", outPlaceholder, "--"}}

// Farcall traces by a farcall program at the given path.
func Farcall(program string) Tracer {
	return Tracer{"farcall", []string{program, "trace", "-f", "-o", outPlaceholder, "--"}}
}

const (
	outPlaceholder = "@out"
	runLimit       = 2 * time.Minute
)

// Run is a command traced once.
type Run struct {
	Trace  *Trace
	Status string // how the tracer ended: "exit status 1", "signal: killed"
	Errors string // what the tracer and the command wrote to standard error
	// FixedAddresses is set if the command ran without address space randomisation.
	FixedAddresses bool
}

// Run traces a command in a fresh working directory at always the same path, with a fixed environment, standard input from
// /dev/null and output to files. The tracer is a process group leader; the group is killed when ctx ends or two minutes passed.
func (e *Environment) Run(ctx context.Context, tracer Tracer, c *Command) (*Run, error) {
	dir := filepath.Join(e.dir, "work")
	for _, d := range []string{dir, filepath.Join(e.dir, "tmp"), filepath.Join(e.dir, "home")} {
		if err := os.RemoveAll(d); err != nil {
			return nil, err
		}
		if err := os.Mkdir(d, 0o755); err != nil {
			return nil, err
		}
	}
	if c.Setup != nil {
		if err := c.Setup(e, dir); err != nil {
			return nil, fmt.Errorf("set up %s: %w", c.Name, err)
		}
	}
	traceFile := filepath.Join(e.dir, "out", tracer.Name+".trace")
	if err := os.Remove(traceFile); err != nil && !os.IsNotExist(err) {
		return nil, err
	}
	var argv []string
	for _, a := range tracer.Args {
		argv = append(argv, strings.ReplaceAll(a, outPlaceholder, traceFile))
	}
	argv = append(argv, e.args(c)...)

	ctx, cancel := context.WithTimeout(ctx, runLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Dir = dir
	cmd.Env = e.environ(append([]string{"PWD=" + dir, "TMPDIR=" + filepath.Join(e.dir, "tmp")}, c.Env...))
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	stdout, err := os.Create(filepath.Join(e.dir, "out", "stdout"))
	if err != nil {
		return nil, err
	}
	defer stdout.Close()
	stderr, err := os.Create(filepath.Join(e.dir, "out", "stderr"))
	if err != nil {
		return nil, err
	}
	defer stderr.Close()
	cmd.Stdout, cmd.Stderr = stdout, stderr

	var run Run
	if run.FixedAddresses, err = startFixed(cmd); err != nil {
		return nil, fmt.Errorf("start %s: %w", tracer.Name, err)
	}
	waitErr := cmd.Wait()
	if ctx.Err() != nil {
		return nil, fmt.Errorf("%s %s: %w", tracer.Name, c.Name, ctx.Err())
	}
	if _, exited := waitErr.(*exec.ExitError); waitErr != nil && !exited {
		return nil, fmt.Errorf("%s %s: %w", tracer.Name, c.Name, waitErr)
	}
	run.Status = cmd.ProcessState.String()
	text, err := os.ReadFile(stderr.Name())
	if err != nil {
		return nil, err
	}
	run.Errors = string(text)
	if run.Trace, _, err = ParseFile(traceFile); err != nil {
		return nil, fmt.Errorf("%s %s: %w (%s)", tracer.Name, c.Name, err, strings.TrimSpace(run.Errors))
	}
	return &run, nil
}

// startFixed starts a command without address space randomisation, if that is allowed: some containers forbid it.
// The personality belongs to the thread that forks, and children inherit it (personality(2)).
func startFixed(cmd *exec.Cmd) (fixed bool, err error) {
	const (
		query           = 0xffffffff // personality(2): leaves it as it is
		addrNoRandomize = 0x0040000  // linux/personality.h
	)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	old, _, errno := unix.RawSyscall(unix.SYS_PERSONALITY, query, 0, 0)
	if errno != 0 {
		return false, cmd.Start()
	}
	if _, _, errno = unix.RawSyscall(unix.SYS_PERSONALITY, old|addrNoRandomize, 0, 0); errno == 0 {
		fixed = true
		defer unix.RawSyscall(unix.SYS_PERSONALITY, old, 0, 0)
	}
	return fixed, cmd.Start()
}
