package ptrace

import "golang.org/x/sys/unix"

// Traceme makes the calling thread a tracee of its real parent. It is followed by an execve,
// whose end the tracee reports with a SIGTRAP unless OptTraceExec is set.
//
// Errors: EPERM if the caller is traced already or a security module refuses.
func Traceme() error {
	return do(ReqTraceme, 0, 0, 0)
}

// Attach attaches to a thread and sends it SIGSTOP, which the tracer has to await and to
// swallow. A tracee that was attached so cannot use Interrupt and Listen. Prefer Seize.
//
// Errors: EPERM if the thread is traced already, belongs to the caller's own thread group, is a
// kernel thread or exiting, or the caller lacks the rights (other user, not dumpable, CAP_SYS_PTRACE,
// Yama, another security module); ESRCH if it does not exist.
func Attach(tid int) error {
	return do(ReqAttach, tid, 0, 0)
}

// Seize attaches to a thread without stopping it and sets its options in the same step.
//
// Errors: those of Attach, and EIO if opts has unknown bits.
func Seize(tid int, opts Options) error {
	return do(ReqSeize, tid, 0, uintptr(opts))
}

// Interrupt asks a seized tracee to stop, also when it runs or sleeps in a call. The stop that follows
// is EventStop with SIGTRAP, or whichever other stop comes first; a stop that is due for another reason can
// serve as the answer. Once the tracee has such a stop, an earlier Interrupt is used up.
//
// Errors: EIO if the tracee was attached by Attach or Traceme; ESRCH if it is not ours or is dead.
func Interrupt(tid int) error {
	return do(ReqInterrupt, tid, 0, 0)
}

// Listen lets a seized tracee in a group-stop go on being stopped as if untraced: it does not run,
// but reports an EventStop when SIGCONT ends the group-stop.
//
// Errors: EIO if the tracee was not seized or its present stop is not an EventStop; ESRCH as usual.
func Listen(tid int) error {
	return do(ReqListen, tid, 0, 0)
}

// Detach ends the tracing of a stopped tracee and lets it run, delivering sig unless it is 0.
// sig is honoured only from a signal-delivery-stop; after a group-stop the tracee stays stopped.
//
// Errors: EIO if sig is not a valid signal number; ESRCH as usual.
func Detach(tid int, sig unix.Signal) error {
	return do(ReqDetach, tid, 0, uintptr(sig))
}

// Kill sends SIGKILL to a tracee through ptrace.
//
// Deprecated by ptrace(2), BUGS: before Linux 5.19 it had no effect on a tracee that was not
// stopped and yet succeeded. Use tgkill(2) with SIGKILL. It is here for completeness.
//
// Errors: ESRCH if the caller does not trace tid.
func Kill(tid int) error {
	return do(ReqKill, tid, 0, 0)
}
