package seccomp

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// An Action is what the kernel does with a call. The zero value allows it.
type Action uint32

// The kernel's value of an action, of which Action stores the difference to "allow", so that zero is harmless.
const (
	retKillProcess = unix.SECCOMP_RET_KILL_PROCESS
	retKillThread  = unix.SECCOMP_RET_KILL_THREAD
	retTrap        = unix.SECCOMP_RET_TRAP
	retErrno       = unix.SECCOMP_RET_ERRNO
	retUserNotif   = unix.SECCOMP_RET_USER_NOTIF
	retTrace       = unix.SECCOMP_RET_TRACE
	retLog         = unix.SECCOMP_RET_LOG
	retAllow       = unix.SECCOMP_RET_ALLOW

	retActionFull = unix.SECCOMP_RET_ACTION_FULL
	retData       = unix.SECCOMP_RET_DATA
)

// The actions without a parameter (seccomp(2), "SECCOMP_RET_*").
const (
	Allow       Action = 0
	KillProcess Action = retKillProcess ^ retAllow
	KillThread  Action = retKillThread ^ retAllow
	Notify      Action = retUserNotif ^ retAllow // ask the listener of the filter; ENOSYS if there is none
	Log         Action = retLog ^ retAllow       // allow, with a line in the audit log
)

// Trace stops the call with PTRACE_EVENT_SECCOMP, data being the event message. Without a tracer that
// set PTRACE_O_TRACESECCOMP the call fails with ENOSYS.
func Trace(data uint16) Action { return Action((retTrace | uint32(data)) ^ retAllow) }

// Errno makes the call fail without executing it. Numbers above 4095 become 4095 in the kernel; 0 makes the
// call return 0.
func Errno(e unix.Errno) Action { return Action((retErrno | uint32(e)&retData) ^ retAllow) }

// Trap sends SIGSYS to the thread; data becomes si_errno.
func Trap(data uint16) Action { return Action((retTrap | uint32(data)) ^ retAllow) }

// FromRet is the action with a value SECCOMP_RET_* that a filter returns.
func FromRet(ret uint32) Action { return Action(ret ^ retAllow) }

// Ret is the value SECCOMP_RET_* that a filter returns for the action.
func (a Action) Ret() uint32 { return uint32(a) ^ retAllow }

// Data are the low 16 bits: data of Trace and Trap, the number of Errno.
func (a Action) Data() uint16 { return uint16(a.Ret() & retData) }

var actionNames = []struct {
	ret  uint32
	name string
}{
	{retKillProcess, "kill process"}, {retKillThread, "kill thread"}, {retTrap, "trap"}, {retErrno, "errno"},
	{retUserNotif, "notify"}, {retTrace, "trace"}, {retLog, "log"}, {retAllow, "allow"},
}

// String names the action, with its data if there are any.
func (a Action) String() string {
	for _, n := range actionNames {
		if n.ret != a.Ret()&retActionFull {
			continue
		}
		switch {
		case n.ret == retErrno:
			if s := unix.ErrnoName(unix.Errno(a.Data())); s != "" {
				return n.name + " " + s
			}
			return fmt.Sprintf("%s %d", n.name, a.Data())
		case a.Data() != 0:
			return fmt.Sprintf("%s %d", n.name, a.Data())
		}
		return n.name
	}
	return fmt.Sprintf("Action(%#x)", a.Ret())
}
