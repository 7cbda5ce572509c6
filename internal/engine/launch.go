package engine

import (
	"errors"
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"farcall/internal/ptrace"
)

// A Credential is what a program is to run as.
type Credential struct {
	UID, GID uint32
	Groups   []uint32
}

// A Program says what to launch. Everything it does not mention is as the tracer itself was started: directory,
// dispositions and mask of signals, umask, limits, open descriptors without close-on-exec.
type Program struct {
	Path string   // to be executed; not searched for
	Args []string // from argv[0] on
	Env  []string // nil means the tracer's
	Dir  string   // working directory if not ""

	// Files become descriptors 0, 1, ...; nil entries are closed. A nil slice passes on 0, 1 and 2.
	Files []*os.File

	// Credential, if not nil, is taken on after the filter is installed, just before the execve, so that a privileged
	// tracer can do without NO_NEW_PRIVS.
	Credential *Credential

	// Sys has further attributes for fork. Credential, Ptrace, Pdeathsig and Chroot in it are not supported.
	Sys *syscall.SysProcAttr

	// Ignored overrides the set of signals that the program starts with ignored; nil means OriginallyIgnored.
	Ignored *ptrace.Sigset
}

// A LaunchError is why a program did not start.
type LaunchError struct {
	Path string
	Op   string // the call that failed: execve, setresuid, ...
	Err  error
}

func (e *LaunchError) Error() string { return fmt.Sprintf("launch %s: %s: %v", e.Path, e.Op, e.Err) }

// Unwrap gives the errno.
func (e *LaunchError) Unwrap() error { return e.Err }

// A Launched is a program that Launch has started.
type Launched struct {
	Thread *Thread // its first thread; its TID is the process id
	// NoNewPrivs tells that PR_SET_NO_NEW_PRIVS was needed for the filter: set-user-ID programs run without their privileges.
	NoNewPrivs bool

	l *launch
}

// Err is why the program could not be executed (a *LaunchError), once that is known, or nil. It may be called after Run, or on the
// engine's thread. The sink has seen the failing execve, and an exit with status 1.
func (l *Launched) Err() error {
	if l.l.err == nil {
		return nil // not a nil *LaunchError in an error
	}
	return l.l.err
}

type launchPhase uint8

const (
	phaseStart launchPhase = iota // until the first stop
	phasePrepare
	phaseExec   // in the program's execve
	phaseFailed // on the way to the exit
)

type launch struct {
	path    string
	phase   launchPhase
	call    int64 // the launcher's call in progress
	traceme bool  // it waits in a stop of its own making, not for goAhead
	err     *LaunchError
}

// launcherOps names the launcher's calls that may fail.
var launcherOps = map[int64]string{
	unix.SYS_PRCTL: "prctl(PR_SET_NO_NEW_PRIVS)", unix.SYS_SECCOMP: "seccomp", unix.SYS_SETGROUPS: "setgroups",
	unix.SYS_SETRESGID: "setresgid", unix.SYS_SETRESUID: "setresuid", unix.SYS_EXECVE: "execve",
}

// Launch starts a program as a tracee, stopped before its execve until Run. Errors of that execve come from Launched.Err.
func (e *Engine) Launch(p *Program) (*Launched, error) {
	var (
		l   *Launched
		err error
	)
	if derr := e.Do(func() { l, err = e.launch(p) }); derr != nil {
		return nil, derr
	}
	return l, err
}

func (e *Engine) launch(p *Program) (*Launched, error) {
	plan, err := e.opts.plan(p)
	if err != nil {
		return nil, err
	}
	if e.opts.Classic {
		plan.flags |= launchTraceme
	}
	img, err := plan.image()
	if err != nil {
		return nil, err
	}
	pid, err := e.forkLauncher(p, img)
	if err != nil {
		return nil, fmt.Errorf("launch %s: %w", p.Path, err)
	}
	if !e.opts.Classic {
		err := ptrace.Seize(pid, e.opts.ptraceOptions())
		if err == nil {
			err = ptrace.Interrupt(pid)
		}
		if err != nil {
			_ = unix.Kill(pid, unix.SIGKILL)
			_, _ = unix.Wait4(pid, nil, unix.WALL, nil)
			return nil, &LaunchError{Path: p.Path, Op: "PTRACE_SEIZE", Err: err}
		}
	}
	var stop ptrace.WaitStatus
	if e.opts.Classic {
		// It is not a tracee until it has asked for it; after that its first stop waits.
		if _, stop, err = ptrace.Wait4(pid, unix.WALL, nil); err != nil || !stop.Stopped() {
			return nil, &LaunchError{Path: p.Path, Op: "PTRACE_TRACEME", Err: unix.EPERM}
		}
	}
	t := e.addThread(pid, pid)
	t.launch = &launch{path: p.Path, traceme: e.opts.Classic}
	t.filtered, t.pinnable = e.opts.filtering(), true
	t.expectStop, t.setOptions = e.opts.Classic, e.opts.Classic
	if e.opts.Classic {
		e.enqueue(pid, stop)
	}
	return &Launched{Thread: t, NoNewPrivs: plan.flags&launchNoNewPrivs != 0, l: t.launch}, nil
}

func (o *Options) plan(p *Program) (*launchPlan, error) {
	plan := &launchPlan{path: p.Path, ignored: uint64(OriginallyIgnored()), filter: o.Filter}
	if p.Ignored != nil {
		plan.ignored = uint64(*p.Ignored)
	}
	if o.filtering() && !hasCap(unix.CAP_SYS_ADMIN) {
		plan.flags |= launchNoNewPrivs
	}
	if c := p.Credential; c != nil {
		plan.flags |= launchCreds
		plan.uid, plan.gid, plan.groups = c.UID, c.GID, c.Groups
	}
	if s := p.Sys; s != nil && (s.Ptrace || s.Credential != nil || s.Pdeathsig != 0 || s.Chroot != "") {
		return nil, fmt.Errorf("launch %s: Ptrace, Credential, Pdeathsig and Chroot: %w", p.Path, errors.ErrUnsupported)
	}
	return plan, nil
}

// launcherMemfd is a variable for tests, which cannot forbid memfds.
var launcherMemfd = newLauncherMemfd

// forkLauncher makes the child. It runs on the engine's thread, whose child it has to be.
func (e *Engine) forkLauncher(p *Program, img []byte) (int, error) {
	attr := &syscall.ProcAttr{Dir: p.Dir, Env: p.Env, Sys: p.Sys, Files: []uintptr{0, 1, 2}}
	if attr.Env == nil {
		attr.Env = os.Environ()
	}
	highest := 2
	if p.Files != nil {
		attr.Files = make([]uintptr, len(p.Files))
		for i, f := range p.Files {
			attr.Files[i] = ^uintptr(0)
			if f != nil {
				attr.Files[i] = f.Fd()
				highest = max(highest, int(f.Fd()))
			}
		}
	}
	file, err := launcherMemfd(img, highest+len(p.Files)+16)
	if err == nil {
		pid, err := syscall.ForkExec(file.path, p.Args, attr)
		file.close()
		if err == nil || (err != syscall.ENOENT && err != syscall.EACCES && err != syscall.EPERM) {
			return pid, err
		}
	}
	// No memfd, or it may not be executed, or /proc is not mounted.
	file, err = newLauncherTemp(img)
	if err != nil {
		return 0, err
	}
	defer file.close()
	const attempts = 50
	for i := 0; ; i++ {
		pid, err := syscall.ForkExec(file.path, p.Args, attr)
		// Another goroutine's fork may hold the file open for writing until its exec.
		if err != syscall.ETXTBSY || i == attempts {
			return pid, err
		}
	}
}

// launchStop handles the first stop of a launcher, whichever it is: an Interrupt can be answered by any.
func (e *Engine) launchStop(t *Thread) {
	t.launch.phase = phasePrepare
	if t.launch.traceme {
		return
	}
	// goAhead is the low half of this word; flags are the other.
	if w, err := ptrace.PeekData(t.TID, launcherData); err == nil {
		_ = ptrace.PokeData(t.TID, launcherData, w|1)
	}
}

// launchEntry and launchExit watch the launcher's own calls; they tell whether the sink may see the stop.
func (e *Engine) launchEntry(t *Thread) bool {
	l := t.launch
	l.call = e.info.Number()
	if l.phase == phasePrepare && l.call == unix.SYS_EXECVE {
		l.phase = phaseExec
	}
	return l.phase == phaseExec
}

func (e *Engine) launchExit(t *Thread) bool {
	l := t.launch
	if !e.info.IsError() {
		return l.phase == phaseExec
	}
	op := launcherOps[l.call]
	switch {
	case l.phase == phaseExec:
		l.phase = phaseFailed
		l.err = &LaunchError{Path: l.path, Op: op, Err: e.info.Errno()}
		return true
	case l.phase == phasePrepare && op != "":
		l.phase = phaseFailed
		l.err = &LaunchError{Path: l.path, Op: op, Err: e.info.Errno()}
	}
	return false
}
