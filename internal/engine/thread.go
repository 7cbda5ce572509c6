package engine

import (
	"golang.org/x/sys/unix"

	"farcall/internal/ptrace"
	"farcall/syscalls"
)

// A Process is a thread group, for as long as one of its threads is traced.
type Process struct {
	PID  int // thread group id, in the tracer's pid namespace
	User any // for the sink

	space   *Space
	threads int
	coming  int  // threads that were seized by an attach and have not stopped yet
	scan    bool // its threads have to be listed again when coming is 0
}

// Threads is how many threads of the process are traced.
func (p *Process) Threads() int { return p.threads }

// A Call is a system call of a thread.
type Call struct {
	ABI     syscalls.ABI
	Number  int64 // as the kernel has it: X32Bit included, -1 if it was skipped before the entry
	Args    [6]uint64
	IP, SP  uint64 // at the last stop
	Entered bool   // the entry was seen: Number and Args are valid
	Ret     int64  // at the exit; -errno if IsError, ERESTARTSYS (512) and its kin included
	IsError bool

	// Resumes is set at the entry of restart_syscall(2): the call that was interrupted and goes on.
	// Its Entered is false if the interruption came before the tracer; Number is then -1 if not even that could be found out.
	Resumes *Call
}

// Errno is the error of a finished call, or 0.
func (c *Call) Errno() unix.Errno {
	if !c.IsError {
		return 0
	}
	return unix.Errno(-c.Ret)
}

// The errors that only a tracer sees (include/linux/errno.h): the call is going to be restarted, or
// to end with EINTR, depending on the signal's handler.
const (
	ERESTARTSYS          = unix.Errno(512)
	ERESTARTNOINTR       = unix.Errno(513)
	ERESTARTNOHAND       = unix.Errno(514)
	ERESTARTRestartblock = unix.Errno(516)
)

// A Thread is a traced thread. Its exported fields and methods belong to the engine's thread; Resume alone may be called
// from anywhere.
type Thread struct {
	TID    int // changes at an execve by a thread that is not the leader
	Proc   *Process
	Call   Call        // the call it is in (InCall), or the last one
	User   any         // for the sink
	Rusage unix.Rusage // as of the last stop, with Options.Rusage

	e   *Engine
	mem *ptrace.Memory

	launch   *launch // until the first execve has succeeded
	queued   int     // index+1 of its event in the engine's queue
	sig      unix.Signal
	forced   int64
	forcedOK bool // forced is no error, whatever its value
	maker    int
	resume   Call  // what restart_syscall would resume
	executed int64 // what SetCall had executed
	exec     *execution
	signals  []queued

	attached       bool   // its first stop has been handled
	coming         bool   // counted in Proc.coming
	step           *step  // a copy of an instruction that it executes
	again, againSP uint64 // a breakpoint that it has to pass once more, without a hit
	debug          debugSet
	watch          uint64 // see Watch
	native         bool   // runs without stopping at calls
	singling       bool   // was resumed by a single step

	onStop     func() // see AtStop
	trapped    bool   // stopped is by a SIGTRAP, which is not handled yet
	inCall     bool
	passing    bool // inCall, but it goes on without a stop at the exit: the call may be over
	shown      bool // Enter was called for Call
	skipExit   bool
	force      bool // Call was answered by the sink, with forced
	filtered   bool // carries Options.Filter
	full       bool // stops at every call although filtered, because of filters of its own
	hidden     bool // not for the sink
	early      bool // announced before the event of its parent, a thread of process maker
	stopped    bool // in a ptrace-stop, requests are possible
	groupStop  bool // stopped is a group-stop
	parked     bool
	pinnable   bool // of a launched program
	held       bool // stopped and waiting for Resume
	detaching  bool
	expectStop bool // a SIGSTOP that the tracer caused is still to come
	setOptions bool // PTRACE_SETOPTIONS is due at the next stop
	gone       bool
	ended      bool // the kernel has said so
	mustExit   bool // the exit matters to the engine
	maps       bool // the exit is that of a call for Options.Mapped
	altered    bool // SetCall has changed its registers
	sysemu     bool // it was resumed by PTRACE_SYSEMU
	emulating  bool // it is in a call that the kernel does not know of
	reenters   bool // it is about to enter its call once more
}

// PID is the thread group id.
func (t *Thread) PID() int { return t.Proc.PID }

// InCall tells whether t is between the entry and the exit of t.Call. In Exited it means that the call will not finish.
func (t *Thread) InCall() bool { return t.inCall && t.shown && !t.passing }

// Launching tells whether t is a launched thread that has not executed its program yet.
func (t *Thread) Launching() bool { return t.launch != nil }

// Filtered tells whether t carries Options.Filter.
func (t *Thread) Filtered() bool { return t.filtered }

// Engine is the engine that traces t.
func (t *Thread) Engine() *Engine { return t.e }

// Memory is the thread's address space. It stays valid for t, also after an execve.
func (t *Thread) Memory() *ptrace.Memory {
	if t.mem == nil {
		t.mem = ptrace.NewMemory(t.TID)
	}
	return t.mem
}

// Regs reads the general registers.
func (t *Thread) Regs(r *ptrace.Regs) error { return ptrace.GetRegs(t.TID, r) }

// SetRegs writes them.
func (t *Thread) SetRegs(r *ptrace.Regs) error { return ptrace.SetRegs(t.TID, r) }

// SkipExit, called from Enter, asks not to be told of the call's exit. Under a filter that also saves the stop.
func (t *Thread) SkipExit() { t.skipExit = true }

// Deliver, called from Signal, replaces the signal; 0 suppresses it. The siginfo goes with it if the number
// stays the same; otherwise the kernel makes one up that names the tracer.
func (t *Thread) Deliver(sig unix.Signal) { t.sig = sig }

// Park keeps t stopped after the present callback until Resume. Other threads go on.
func (t *Thread) Park() { t.parked = true }

// Resume lets a parked thread go on. It may be called from any goroutine, and does nothing if t is not parked (any more).
func (t *Thread) Resume() {
	t.e.post(func() {
		if !t.parked || t.gone {
			return
		}
		t.parked = false
		if t.held {
			t.held = false
			t.e.resume(t, t.sig)
		}
	})
}

// AtStop calls f, once, while t is stopped: now if it is, otherwise t is made to stop. If t ends or executes another program before, f
// is not called. Several are called in their order. It is for the engine's thread.
func (t *Thread) AtStop(f func()) {
	switch {
	case t.gone:
	case t.stopped:
		f()
	default:
		if before := t.onStop; before != nil {
			t.onStop = func() { before(); f() }
			return
		}
		t.onStop = f
		t.e.stop(t)
	}
}

// Kill sends sig to the thread's process.
func (t *Thread) Kill(sig unix.Signal) error { return unix.Kill(t.Proc.PID, sig) }
