// Package ptrace holds one thin, typed function for each ptrace(2) request, the registers of
// each architecture, wait statuses and the memory of a tracee.
//
// Nothing here keeps state about tracees or decides anything: the state machine is the engine's.
// A function does one system call, allocates nothing, and returns the kernel's [unix.Errno]
// unwrapped, so that err == unix.ESRCH works and costs nothing.
//
// # Threads
//
// The kernel ties a tracee to one thread of its tracer. Every request except Traceme has to come
// from the thread that attached (locked with [runtime.LockOSThread]) and, except Seize, Attach,
// Interrupt and Kill, while the tracee is in a ptrace-stop; otherwise it fails with ESRCH.
//
// # Errors of every request
//
//   - ESRCH: there is no such thread, the calling thread does not trace it, or it is not in a
//     ptrace-stop. A tracee that is killed leaves its stop at any moment, so that any request
//     on it may return ESRCH: it is then dead or about to be, and wait4 will report that.
//   - EIO: the request is unknown to this kernel or architecture, or an address or a signal
//     number is out of range.
//   - EFAULT: memory named by the request, in the tracer or in the tracee, cannot be accessed.
//
// The comments of the functions name these only where they mean something particular, together
// with the errors that are special to the request. Sources are ptrace(2), section ERRORS, and the
// kernel's kernel/ptrace.c.
package ptrace
