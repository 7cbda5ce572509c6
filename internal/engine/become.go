package engine

import (
	"errors"
	"fmt"
	"os"
	"syscall"

	"farcall/internal/ptrace"
)

// Become replaces the calling process by the program, which keeps its process id, and waits for an engine in another process to
// Adopt it. It serves a tracer that is a grandchild, out of sight of whoever started the command. opts has to be the adopting
// engine's. p.Files and p.Sys must be nil.
//
// The adopter has to wait until Become is done: the end of file of a pipe whose write end is close-on-exec says so. Signals that
// the Go runtime does not leave blocked, SIGCHLD among them, are not blocked in the program even if they were.
//
// It returns only if it fails.
func Become(p *Program, opts Options) error {
	if p.Files != nil || p.Sys != nil {
		return fmt.Errorf("become %s: files and attributes: %w", p.Path, errors.ErrUnsupported)
	}
	plan, err := opts.plan(p)
	if err != nil {
		return err
	}
	plan.flags |= launchOrphan
	img, err := plan.image()
	if err != nil {
		return err
	}
	const minFD = 64 // any
	file, err := newLauncherMemfd(img, minFD)
	if err != nil {
		return fmt.Errorf("become %s: %w", p.Path, err)
	}
	defer file.close()
	if p.Dir != "" {
		if err := os.Chdir(p.Dir); err != nil {
			return err
		}
	}
	env := p.Env
	if env == nil {
		env = os.Environ()
	}
	return fmt.Errorf("become %s: %w", p.Path, syscall.Exec(file.path, p.Args, env))
}

// Adopt traces a process that has called Become, as Launch does its child. path is for messages.
//
// Errors: *AttachError, ErrClosed.
func (e *Engine) Adopt(pid int, path string) (*Launched, error) {
	var (
		l   *Launched
		err error
	)
	if derr := e.Do(func() { l, err = e.adopt(pid, path) }); derr != nil {
		return nil, derr
	}
	return l, err
}

func (e *Engine) adopt(pid int, path string) (*Launched, error) {
	var err error
	if e.opts.Classic {
		err = ptrace.Attach(pid)
	} else if err = ptrace.Seize(pid, e.opts.ptraceOptions()); err == nil {
		err = ptrace.Interrupt(pid)
	}
	if err != nil {
		return nil, explain(pid, err)
	}
	t := e.addThread(pid, pid)
	t.launch = &launch{path: path}
	t.filtered, t.pinnable = e.opts.filtering(), true
	t.expectStop, t.setOptions = e.opts.Classic, e.opts.Classic
	return &Launched{Thread: t, l: t.launch}, nil
}
