package cli

import (
	"errors"
	"fmt"

	"farcall"
)

// attachHint is the remedy for a process that cannot be attached to.
func attachHint(err error) string {
	var a *farcall.AttachError
	if !errors.As(err, &a) {
		return ""
	}
	switch a.Cause {
	case farcall.CauseGone:
		return "no process or thread has this number; it may have ended"
	case farcall.CauseSelf:
		return "farcall cannot trace itself: trace one farcall with another"
	case farcall.CauseCycle:
		return fmt.Sprintf("process %d is tracing this farcall", a.Tracer)
	case farcall.CauseTraced:
		return fmt.Sprintf("process %d is tracing it already, and only one can: end that first", a.Tracer)
	case farcall.CauseYama:
		return "kernel.yama.ptrace_scope allows only descendants: run as root, or 'sysctl kernel.yama.ptrace_scope=0'"
	case farcall.CausePermission:
		return "run as the user of that process, or as root (CAP_SYS_PTRACE)"
	case farcall.CauseZombie:
		return "it has ended and waits for its parent"
	case farcall.CauseKernel:
		return "kernel threads make no system calls and cannot be traced"
	}
	return "'farcall doctor' says what stands in the way on this machine"
}
