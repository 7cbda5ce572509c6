package engine

import (
	"golang.org/x/sys/unix"

	"farcall/internal/ptrace"
)

// A Sink is told what happens. Every method is called on the engine's thread while the thread it is about is stopped (or gone,
// for Exited and Detached); the thread is resumed when the method returns, unless it was parked.
// Embed Ignore to implement only some.
type Sink interface {
	// Enter: t is about to execute t.Call.
	Enter(t *Thread)
	// Exit: t.Call has a result. t.Call.Entered is false if the tracer was not there when it began.
	Exit(t *Thread)
	// Signal: a signal is about to be delivered. Thread.Deliver replaces it.
	Signal(t *Thread, info *ptrace.Siginfo)
	// Stopped: t takes part in a group-stop because of sig.
	Stopped(t *Thread, sig unix.Signal)
	// Created: child is new. It is called before any other method for child. parent is nil if it cannot be known.
	Created(parent, child *Thread, how How)
	// Exec: t has a new program. If another thread than the leader called execve, former is its thread id
	// until now, and superseded is the leader that vanished without an exit, nil if it was not traced. Otherwise former is t.TID.
	Exec(t *Thread, former int, superseded *Thread)
	// Exited: t is gone; t.InCall tells that t.Call will never finish.
	Exited(t *Thread, status Status)
	// Attached: Engine.Attach has taken hold of threads of one process (of main alone without Follow).
	Attached(main *Thread, threads []*Thread)
	// Held: after an Attach that takes all threads of a process, none is left that is not traced, and whatever they make will be too. t
	// is one of them; it may run.
	Held(t *Thread)
	// Detached: t goes on untraced.
	Detached(t *Thread)
}

// Ignore is a Sink that does nothing.
type Ignore struct{}

// Enter implements Sink.
func (Ignore) Enter(*Thread) {}

// Exit implements Sink.
func (Ignore) Exit(*Thread) {}

// Signal implements Sink.
func (Ignore) Signal(*Thread, *ptrace.Siginfo) {}

// Stopped implements Sink.
func (Ignore) Stopped(*Thread, unix.Signal) {}

// Created implements Sink.
func (Ignore) Created(_, _ *Thread, _ How) {}

// Exec implements Sink.
func (Ignore) Exec(*Thread, int, *Thread) {}

// Exited implements Sink.
func (Ignore) Exited(*Thread, Status) {}

// Attached implements Sink.
func (Ignore) Attached(*Thread, []*Thread) {}

// Held implements Sink.
func (Ignore) Held(*Thread) {}

// Detached implements Sink.
func (Ignore) Detached(*Thread) {}

// How tells the way a thread came into being.
type How uint8

// The ways, after the events of ptrace(2). HowClone is any clone(2) or clone3(2) whose exit signal is not SIGCHLD, threads among them.
const (
	HowFork How = iota
	HowVfork
	HowClone
	HowUnknown // its first stop came before its parent's event
)

func (h How) String() string {
	names := [...]string{"fork", "vfork", "clone", "unknown"}
	if int(h) < len(names) {
		return names[h]
	}
	return "invalid"
}

// A Status tells how a thread ended.
type Status struct {
	Code     int         // exit status, if Signal is 0
	Signal   unix.Signal // what killed it
	CoreDump bool
	Lost     bool // it ended without the kernel telling how, as a leader does when an untraced thread calls execve
}

func statusOf(ws ptrace.WaitStatus) Status {
	if ws.Signaled() {
		return Status{Signal: ws.Signal(), CoreDump: ws.CoreDump()}
	}
	return Status{Code: ws.ExitStatus()}
}
