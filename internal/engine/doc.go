// Package engine turns the stops of traced threads into callbacks. It is the state machine of every
// thread and process that is traced: launch, attach, group-stop, exec, exit and detach.
//
// An Engine owns one operating system thread. All ptrace requests and all callbacks of its Sink run there, in the order of
// the stops. Several engines may run in one process, beside children of os/exec: an engine waits only for the children and
// tracees of its own thread. A sink must not start processes from a callback, as these would be children of that
// thread; it can do so from another goroutine.
//
// Each stop of a system call costs one PTRACE_GET_SYSCALL_INFO, one request to resume and one wait4(2), and no allocation.
package engine
