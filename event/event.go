// Package event says what a tracer saw, and encodes it: as text in the form that users of
// strace(1) know, and as JSON, one object a line.
package event

import (
	"farcall/decode"
	"farcall/syscalls"
)

// A Kind tells what an Event is about.
type Kind uint8

// The kinds of events.
const (
	CallEntry    Kind = iota // a call begins; Call holds what is known before it
	CallExit                 // a call has returned
	Signal                   // a signal is about to be delivered
	GroupStop                // a stop by job control
	Exited                   // a thread ended by exiting
	Killed                   // a thread ended by a signal
	Superseded               // a thread vanished because another one of its process called execve
	Detached                 // the tracer let go of the thread
	Attached                 // the tracer took hold of a running thread
	Created                  // a traced thread made the thread, which is traced from now on
	Exec                     // the thread has a new program; By is its thread id until now
	Vanished                 // a thread ended without the kernel telling how
	RegionEntry              // a thread has come into a region; Region, Depth and RegionArgs describe it
	RegionReturn             // a thread has left a region; Duration, RegionEnd and RegionResult say how
	numKinds
)

func (k Kind) String() string {
	return [...]string{"entry", "syscall", "signal", "stop", "exit", "killed", "superseded", "detach", "attach", "create", "exec", "vanished", "enter", "return"}[k]
}

// Last tells that no more events of the thread follow.
func (k Kind) Last() bool {
	switch k {
	case Exited, Killed, Superseded, Detached, Vanished:
		return true
	}
	return false
}

// An Event is one thing that happened to one thread. It is valid only while it is handed out.
type Event struct {
	Kind     Kind
	TID, PID int    // thread and process (thread group)
	Comm     string // name of the process, when it was asked for
	Time     int64  // nanoseconds since the Epoch
	Duration int64  // CallExit: nanoseconds between entry and exit stop
	IP       uint64 // calls: the program's instruction pointer
	Call     *decode.Call
	Lost     bool          // CallExit: the thread ended inside the call, there is no result
	Siginfo  *decode.Value // Signal: a siginfo_t as it is described, nil if it could not be read
	Signo    int           // GroupStop, Killed
	Code     int           // Exited: exit status
	Core     bool          // Killed: a core dump was written
	By       int           // Superseded: the thread that called execve
	ABI      syscalls.ABI  // of the thread at its last call
	Stack    []StackFrame  // calls: innermost first, when it was asked for
	Injected *Injected     // calls: what a tracer changed, nil if nothing

	// Placement is where a call was executed if a supervisor decided about that: local, remote, answered by the supervisor itself, or denied.
	Placement string

	Region       string    // the innermost region that the thread is in, "" for none
	Depth        int       // in how many regions it is
	Marked       bool      // RegionEntry, RegionReturn: the program itself has marked it; there are no arguments and no result
	Inside       bool      // RegionEntry, RegionReturn: the thread was inside when the tracer came: there are no arguments, and times count from then
	RegionArgs   [6]uint64 // RegionEntry: the registers that pass a function's arguments
	RegionResult uint64    // RegionReturn: the register with a function's result
	RegionEnd    string    // RegionReturn: return, unwound, tail, exec, exit or detach; there is a result for the first
}

// Injected says how a call was changed on its way to the kernel and back.
type Injected struct {
	Args    bool     // its arguments, or memory that they point to
	Result  bool     // what the program got is not what the kernel answered, or another call was executed
	Delayed bool     // it was held up
	Rules   []string // the rules that did it, by name
	Actions []string // what they did, as in a rule
}

// A StackFrame is a function that was called and has not returned: where it is, or where it will go
// on, with what is known of it.
type StackFrame struct {
	IP       uint64 // instruction pointer, or return address
	Object   string // path of the file that IP is in, or the kernel's name for the mapping; "" for anonymous memory
	Position uint64 // of IP in that file, or in the mapping
	BuildID  string // of the file, hexadecimal
	Symbol   string // function, as its author wrote it; "" where none is known
	Offset   uint64 // of IP from the function's start
	File     string // source file and line, when they were asked for
	Line     int
	Inline   bool   // Symbol was inlined into the function of the frame that follows, at the same IP
	Guess    bool   // found by the chain of frame pointers alone: frames before it may be missing
	End      string // last frame: why it is the last, "" where it has no caller
}

// An Encoder writes events.
type Encoder interface {
	Encode(*Event) error
	Flush() error
}
