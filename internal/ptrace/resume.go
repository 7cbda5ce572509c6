package ptrace

import "golang.org/x/sys/unix"

// Cont resumes a stopped tracee. From a signal-delivery-stop it delivers sig, or nothing if sig is 0
// (the signal is then suppressed); from other stops sig should be 0.
//
// Errors: EIO if sig is not a valid signal number (the tracee stays stopped); ESRCH as usual.
func Cont(tid int, sig unix.Signal) error {
	return do(ReqCont, tid, 0, uintptr(sig))
}

// Syscall resumes as Cont does until the next entry to or exit from a system call.
// Errors: as Cont.
func Syscall(tid int, sig unix.Signal) error {
	return do(ReqSyscall, tid, 0, uintptr(sig))
}

// SingleStep resumes as Cont does for one instruction; the stop is a SIGTRAP with code TRAP_TRACE (x86).
//
// Errors: as Cont, and EIO if the architecture cannot step.
func SingleStep(tid int, sig unix.Signal) error {
	return do(ReqSingleStep, tid, 0, uintptr(sig))
}

// Sysemu resumes as Cont does until the next entry to a system call, which the kernel then does not
// execute: there is one stop for each call, and the result is what the tracer leaves in the registers.
//
// Errors: as Cont, and EIO on an architecture without it (arm64 has it since Linux 5.3).
func Sysemu(tid int, sig unix.Signal) error {
	return do(ReqSysemu, tid, 0, uintptr(sig))
}

// SysemuSingleStep is Sysemu that also stops after one instruction if that is not a system call.
// Errors: as Sysemu.
func SysemuSingleStep(tid int, sig unix.Signal) error {
	return do(ReqSysemuSingleStep, tid, 0, uintptr(sig))
}
