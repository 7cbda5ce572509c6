package farcall

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync"

	"farcall/event"
	"farcall/filter"
	"farcall/internal/engine"
	"farcall/internal/ptrace"
	"farcall/internal/region"
	"farcall/internal/seccomp"
	"farcall/syscalls"
	"farcall/syscalls/linux"

	"golang.org/x/sys/unix"
)

// ErrNotSupported is matched by errors about what this system cannot do.
var ErrNotSupported = errors.ErrUnsupported

// A Tracer traces programs. Make one with New; set it up with Use and Observe; then Run, or Start and Attach
// followed by Wait. Its methods may be called from any goroutine, but not from its observers and handlers
// unless they say so.
type Tracer struct {
	opts       Options
	middleware []Middleware
	observers  []func(*Task, *event.Event)
	ctx        context.Context
	engine     *engine.Engine
	main       *engine.Launched
	launching  bool
	begun      bool // the program that was started has been executed
	nnp        bool
	tasks      int
	regs       ptrace.Regs
	regions    *region.Tracker
	marks      *region.Marks
	failed     bool    // a region was not found: nothing more is told
	stacks     *stacks // nil until a stack is asked for

	mu     sync.Mutex
	err    error
	status *ExitError
}

// New makes a tracer.
func New(opts Options) *Tracer {
	tr := &Tracer{opts: opts, ctx: context.Background()}
	if len(opts.Refuse) > 0 {
		tr.Use(tr.refusing)
	}
	return tr
}

// Use adds a middleware. The first one added is the outermost.
func (tr *Tracer) Use(m Middleware) { tr.middleware = append(tr.middleware, m) }

// Observe adds an observer. It is told of each event of each task in order, while the task is
// stopped, on the tracer's thread; event and task are valid only until it returns.
func (tr *Tracer) Observe(f func(*Task, *event.Event)) { tr.observers = append(tr.observers, f) }

func (tr *Tracer) chain(h Handler) Handler {
	for i := len(tr.middleware) - 1; i >= 0; i-- {
		h = tr.middleware[i](h)
	}
	return h
}

// An ExitError says that the traced program did not succeed.
type ExitError struct {
	Code   int         // its exit status, if Signal is 0
	Signal unix.Signal // the signal that killed it
	Core   bool        // and dumped core
}

func (e *ExitError) Error() string {
	switch {
	case e.Signal != 0 && e.Core:
		return fmt.Sprintf("killed by %s (core dumped)", syscalls.SignalName(int(e.Signal)))
	case e.Signal != 0:
		return fmt.Sprintf("killed by %s", syscalls.SignalName(int(e.Signal)))
	}
	return fmt.Sprintf("exit status %d", e.Code)
}

// Run starts a program, traces it and waits for its end and that of everything that is traced with it.
// The program must not have been started. When ctx is done, the traced programs are killed.
//
// Of cmd, Path, Args, Env, Dir and the standard streams count; streams must be files, or nil for
// /dev/null. Errors: *ExitError if the program did not succeed; a handler's error; an error of Start.
func (tr *Tracer) Run(ctx context.Context, cmd *exec.Cmd) error {
	tr.ctx = ctx
	if err := tr.Start(cmd); err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { _ = tr.Kill() })
	defer stop()
	if err := tr.Wait(); err != nil {
		return err
	}
	return ctx.Err()
}

// Start starts a program as a tracee. It runs when Wait is called.
//
// Errors: those of looking the program up (cmd.Err); ErrNotSupported for streams that are not files;
// errnos of fork(2) and ptrace(2), wrapped.
func (tr *Tracer) Start(cmd *exec.Cmd) error {
	if cmd.Err != nil {
		return cmd.Err
	}
	p := &engine.Program{Path: cmd.Path, Args: cmd.Args, Env: cmd.Env, Dir: cmd.Dir, Sys: cmd.SysProcAttr}
	var null *os.File
	defer func() {
		if null != nil {
			null.Close()
		}
	}()
	for i, stream := range []any{cmd.Stdin, cmd.Stdout, cmd.Stderr} {
		f, ok := stream.(*os.File)
		if stream != nil && !ok {
			return fmt.Errorf("start %s: stream %d is not a file: %w", cmd.Path, i, ErrNotSupported)
		}
		if stream == nil {
			if null == nil {
				var err error
				if null, err = os.OpenFile(os.DevNull, os.O_RDWR, 0); err != nil {
					return fmt.Errorf("start %s: %w", cmd.Path, err)
				}
			}
			f = null
		}
		p.Files = append(p.Files, f)
	}
	p.Files = append(p.Files, cmd.ExtraFiles...)
	return tr.Launch(p)
}

// A Program is a program to start, described in full.
type Program = engine.Program

// An AttachError is why a process could not be attached to.
type AttachError = engine.AttachError

// A Credential is what a program is to run as.
type Credential = engine.Credential

// A LaunchError is why a program could not be executed.
type LaunchError = engine.LaunchError

// ErrFiltered is returned by Detach for programs that carry a seccomp filter: without a tracer, the calls that it
// stops at would fail with ENOSYS.
var ErrFiltered = engine.ErrFiltered

// Launch is Start for a program that is described in full.
func (tr *Tracer) Launch(p *Program) error {
	tr.launching = true
	if err := tr.open(); err != nil {
		return err
	}
	return tr.launched(tr.engine.Launch(p))
}

// Become replaces the calling process by a program that waits for a tracer with the same options, in another process, to
// Adopt it. The program keeps the process id; Files and Sys of p must be nil. It returns only if it fails.
func (tr *Tracer) Become(p *Program) error {
	tr.launching = true
	o, err := tr.engineOptions()
	if err != nil {
		return err
	}
	return engine.Become(p, o)
}

// Adopt takes hold of a process that has called Become, as if it had been launched. path is for messages. The adopter has to
// wait until Become is done: the end of file of a pipe whose write end is close-on-exec says so. Errors are *AttachError.
func (tr *Tracer) Adopt(pid int, path string) error {
	tr.launching = true
	if err := tr.open(); err != nil {
		return err
	}
	return tr.launched(tr.engine.Adopt(pid, path))
}

func (tr *Tracer) launched(l *engine.Launched, err error) error {
	if err != nil {
		return err
	}
	tr.main, tr.nnp = l, l.NoNewPrivs
	return nil
}

// NoNewPrivs tells that the started program had to give up the privileges of set-user-ID programs for the
// sake of the seccomp filter, as the tracer lacks CAP_SYS_ADMIN.
func (tr *Tracer) NoNewPrivs() bool { return tr.nnp }

// LaunchErr is why the program that was started could not be executed, nil if it could. It counts once Wait
// has returned.
func (tr *Tracer) LaunchErr() error {
	if tr.main == nil {
		return nil
	}
	return tr.main.Err()
}

// Attach takes hold of running processes: of all their threads with Options.Follow. Their calls are seen
// when Wait is called. Errors are *AttachError, for the first process that failed; those before
// it stay attached.
func (tr *Tracer) Attach(pids ...int) error {
	if err := tr.open(); err != nil {
		return err
	}
	for _, pid := range pids {
		if err := tr.engine.Attach(pid); err != nil {
			return err
		}
	}
	return nil
}

// Filtering tells whether a seccomp filter is used for programs that the tracer starts.
func (tr *Tracer) Filtering() bool {
	return tr.opts.Seccomp != SeccompOff && !tr.opts.Emulate && !tr.opts.Regions.limited() && tr.opts.Calls != nil && !tr.opts.Calls.IsAll()
}

// filterData marks the stops of our own filter among those of the program's.
const filterData = 0xfa7c

// open makes the engine.
func (tr *Tracer) open() error {
	if tr.engine != nil {
		return nil
	}
	o, err := tr.engineOptions()
	if err == nil {
		tr.engine = engine.New(o, &sink{tr})
	}
	return err
}

func (tr *Tracer) engineOptions() (engine.Options, error) {
	o := engine.Options{
		Follow: tr.opts.Follow, Classic: tr.opts.Classic, KillOnExit: tr.opts.KillOnExit, Rusage: tr.opts.Usage,
		Pin: engine.PinAuto, Registers: tr.opts.Registers,
		Emulate: tr.opts.Emulate,
	}
	if r := &tr.opts.Regions; r.limited() {
		tracker, err := region.New(region.Options{Symbols: r.In, Threads: r.Threads, Hardware: r.Hardware, Step: r.Step,
			Returns: r.Returns, Follow: tr.opts.Follow}, regionSink{&sink{tr}})
		if err != nil {
			return o, err
		}
		tr.regions, o.Breakpoints = tracker, tracker
		if len(r.Marks) > 0 {
			tr.marks = region.NewMarks(tracker, r.Marks, r.notice)
			o.Unseen = tr.marks.Unseen
		}
	}
	if tr.watchesMaps() {
		o.Mapped = tr.mapped
	}
	if tr.opts.KeepProcessors {
		o.Pin = engine.PinOff
	}
	if calls := tr.stopsAt(); calls != nil && !calls.IsAll() {
		calls = withMultiplexers(calls)
		o.Wanted = func(abi syscalls.ABI, nr int64) bool { return calls.Has(abi, uint64(nr)) }
		if tr.Filtering() && tr.launching {
			prog, err := tr.compileFilter(calls)
			if err != nil {
				return o, fmt.Errorf("build filter: %w", err)
			}
			o.Filter, o.FilterData = prog.Encode(), filterData
		}
	}
	return o, nil
}

// withMultiplexers adds to a set those calls of i386 that stand for one of its calls.
func withMultiplexers(calls *filter.CallSet) *filter.CallSet {
	more := *calls
	for name, sub := range linux.Multiplexed {
		if hasName(calls, sub) {
			if nr, ok := syscalls.I386.Number(name); ok {
				more.Add(syscalls.I386, nr)
			}
		}
	}
	return &more
}

// hasName tells whether a set has the call of that name that i386's multiplexers stand for. Some of those have a number on
// amd64 only.
func hasName(calls *filter.CallSet, name string) bool {
	switch name {
	case "send":
		name = "sendto"
	case "recv":
		name = "recvfrom"
	}
	for _, abi := range []syscalls.ABI{syscalls.I386, syscalls.AMD64} {
		if nr, ok := abi.Number(name); ok && calls.Has(abi, nr) {
			return true
		}
	}
	return false
}

// filterSpec is the filter that stops the program at the calls of a set, as far as when does not exclude them by their
// registers, and at those that the engine wants to see.
func filterSpec(calls *filter.CallSet, when func(syscalls.ABI, uint64) *filter.Cond) seccomp.Spec {
	spec := seccomp.Spec{Calls: map[syscalls.ABI]seccomp.Calls{}}
	other := seccomp.FromRet(unix.SECCOMP_RET_ALLOW)
	if calls.Unnamed() {
		other = seccomp.Trace(filterData)
	}
	for abi := syscalls.ABI(0); abi < syscalls.NumABI; abi++ {
		var rules []seccomp.Rule
		for nr := range abi.Names() {
			act := seccomp.FromRet(unix.SECCOMP_RET_ALLOW)
			var cond *filter.Cond
			if calls.Has(abi, nr) {
				act = seccomp.Trace(filterData)
				if when != nil {
					cond = when(abi, nr)
				}
			}
			for _, need := range engine.Needs(abi) {
				if uint64(need) == nr {
					act, cond = seccomp.Trace(filterData), nil
				}
			}
			if cond != nil && seccomp.Fits(cond) {
				rules = append(rules, seccomp.Rule{Number: uint32(nr), Action: act, If: cond})
				act = seccomp.FromRet(unix.SECCOMP_RET_ALLOW)
			}
			rules = append(rules, seccomp.Rule{Number: uint32(nr), Action: act})
		}
		spec.Calls[abi] = seccomp.Calls{Default: other, Rules: rules}
	}
	return spec
}

// Wait lets the traced programs go on and returns when none is left: all have ended or been detached.
//
// Errors: *ExitError if the program that Start started did not succeed; the error of a handler.
func (tr *Tracer) Wait() error {
	if tr.engine == nil {
		return nil
	}
	err := tr.engine.Run()
	tr.engine.Close()
	if tr.marks != nil {
		tr.marks.Close()
	}
	if errors.Is(err, engine.ErrClosed) {
		err = nil
	}
	tr.mu.Lock()
	defer tr.mu.Unlock()
	switch {
	case tr.err != nil:
		return tr.err
	case tr.main != nil && tr.main.Err() != nil:
		return tr.main.Err()
	case tr.status != nil:
		return tr.status
	}
	return err
}

// Detach lets all traced programs go; Wait returns when that is done. Programs that carry a seccomp filter
// cannot go on without a tracer: the error is then ErrFiltered, and nothing has been done.
func (tr *Tracer) Detach() error {
	if tr.engine == nil {
		return nil
	}
	return tr.engine.DetachAll()
}

// Kill kills all traced programs with SIGKILL.
func (tr *Tracer) Kill() error {
	if tr.engine == nil {
		return nil
	}
	return tr.engine.KillAll()
}

// Do runs f on the tracer's thread between two stops. It fails when the trace is over.
func (tr *Tracer) Do(f func()) error { return tr.engine.Do(f) }

// fail ends the trace because of a handler's error.
func (tr *Tracer) fail(err error) {
	tr.mu.Lock()
	first := tr.err == nil
	if first {
		tr.err = err
	}
	tr.mu.Unlock()
	if first {
		go func() {
			if tr.opts.KillOnError || tr.Detach() != nil {
				_ = tr.Kill() // the filter would refuse their calls
			}
		}()
	}
}

// A Cause is why a process could not be attached to.
type Cause = engine.Cause

// The causes of an AttachError.
const (
	CauseOther      = engine.CauseOther
	CauseGone       = engine.CauseGone       // no such process or thread
	CauseSelf       = engine.CauseSelf       // the tracer itself
	CauseCycle      = engine.CauseCycle      // it traces the tracer
	CauseTraced     = engine.CauseTraced     // AttachError.Tracer traces it
	CauseYama       = engine.CauseYama       // kernel.yama.ptrace_scope forbids it
	CausePermission = engine.CausePermission // the tracer may not trace it
	CauseZombie     = engine.CauseZombie     // it has exited
	CauseKernel     = engine.CauseKernel     // a kernel thread
)
