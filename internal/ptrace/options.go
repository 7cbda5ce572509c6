package ptrace

import (
	"fmt"
	"strings"
	"unsafe"
)

// Options are the bits of PTRACE_SETOPTIONS and of the last argument of PTRACE_SEIZE.
type Options uint32

// The options (ptrace(2), PTRACE_SETOPTIONS).
const (
	OptTraceSysgood    Options = 1 << 0 // syscall-stops report SIGTRAP|0x80
	OptTraceFork       Options = 1 << 1
	OptTraceVfork      Options = 1 << 2
	OptTraceClone      Options = 1 << 3
	OptTraceExec       Options = 1 << 4
	OptTraceVforkDone  Options = 1 << 5
	OptTraceExit       Options = 1 << 6
	OptTraceSeccomp    Options = 1 << 7
	OptExitKill        Options = 1 << 20 // SIGKILL the tracee when the tracer exits
	OptSuspendSeccomp  Options = 1 << 21 // the tracee's filters do nothing; needs CAP_SYS_ADMIN
	optionsPrefix              = "PTRACE_O_"
	eventPrefix                = "PTRACE_EVENT_"
	syscallStopBit             = 0x80
	statusStopped              = 0x7f
	statusContinued            = 0xffff
	statusCoreDumpFlag         = 0x80
)

var optionNames = []struct {
	bit  Options
	name string
}{
	{OptTraceSysgood, "TRACESYSGOOD"}, {OptTraceFork, "TRACEFORK"}, {OptTraceVfork, "TRACEVFORK"},
	{OptTraceClone, "TRACECLONE"}, {OptTraceExec, "TRACEEXEC"}, {OptTraceVforkDone, "TRACEVFORKDONE"},
	{OptTraceExit, "TRACEEXIT"}, {OptTraceSeccomp, "TRACESECCOMP"}, {OptExitKill, "EXITKILL"},
	{OptSuspendSeccomp, "SUSPEND_SECCOMP"},
}

// String joins the names of the bits by "|"; unknown bits follow in hexadecimal.
func (o Options) String() string {
	if o == 0 {
		return "0"
	}
	var parts []string
	for _, n := range optionNames {
		if o&n.bit != 0 {
			parts = append(parts, optionsPrefix+n.name)
			o &^= n.bit
		}
	}
	if o != 0 {
		parts = append(parts, fmt.Sprintf("%#x", uint32(o)))
	}
	return strings.Join(parts, "|")
}

// SetOptions replaces the options of a stopped tracee. New children inherit them when they are
// traced automatically.
//
// Errors: EINVAL if opts has unknown bits (Seize gives EIO for them); EPERM for OptSuspendSeccomp without
// CAP_SYS_ADMIN or when the tracer is itself confined by seccomp; ESRCH as usual.
func SetOptions(tid int, opts Options) error {
	return do(ReqSetOptions, tid, 0, uintptr(opts))
}

// GetEventMsg gives the number that belongs to the last event stop: the new thread's id for fork, vfork,
// clone and vfork-done (in the tracer's pid namespace), the former thread id for exec, the wait status for
// exit, the filter's 16 bits of data for seccomp; and in a syscall-stop 1 for the entry and 2 for the exit
// (Linux 5.3).
//
// Errors: ESRCH as usual.
func GetEventMsg(tid int) (uint64, error) {
	var msg uint64
	_, err := doPtr(ReqGetEventMsg, tid, 0, unsafe.Pointer(&msg))
	return msg, err
}

// An Event is the kind of a PTRACE_EVENT stop, in bits 16 to 23 of a wait status.
type Event uint8

// The events (ptrace(2), "PTRACE_EVENT stops"). Zero is no event.
const (
	EventNone      Event = 0
	EventFork      Event = 1
	EventVfork     Event = 2
	EventClone     Event = 3
	EventExec      Event = 4
	EventVforkDone Event = 5
	EventExit      Event = 6
	EventSeccomp   Event = 7
	EventStop      Event = 128 // group-stop, Interrupt, the first stop of an automatically seized child
)

var eventNames = map[Event]string{
	EventFork: "FORK", EventVfork: "VFORK", EventClone: "CLONE", EventExec: "EXEC",
	EventVforkDone: "VFORK_DONE", EventExit: "EXIT", EventSeccomp: "SECCOMP", EventStop: "STOP",
}

// String is the name that ptrace(2) uses; "0" for EventNone; an unknown one has its number.
func (e Event) String() string {
	if e == EventNone {
		return "0"
	}
	if s, ok := eventNames[e]; ok {
		return eventPrefix + s
	}
	return fmt.Sprintf("Event(%d)", uint8(e))
}
