package doctor

import (
	"errors"
	"os"
	"strings"

	"farcall"
	"farcall/internal/linux"

	"golang.org/x/sys/unix"
)

// seeDoctor is the hint where nothing better is known.
const seeDoctor = "'farcall doctor' says what stands in the way on this machine"

// AttachHint is the remedy, in a line, for the error of an attach. It looks at the process that a [farcall.AttachError] names.
func AttachHint(err error) string {
	var a *farcall.AttachError
	if !errors.As(err, &a) {
		return seeDoctor
	}
	s := linux.SurveySelf(os.DirFS("/"), os.Getpid(), a.PID, environment())
	return attachDiagnosis(a, s)
}

// attachDiagnosis prefers what was true when the attach failed to what can be seen since.
func attachDiagnosis(a *farcall.AttachError, s *linux.Situation) string {
	first := s.First()
	switch {
	case a.Cause == farcall.CauseGone && first.Kind > linux.KindHidden:
		return "it ended meanwhile"
	case a.Cause == farcall.CauseZombie && first.Kind == linux.KindGone:
		return "it has ended"
	}
	return first.String()
}

// launchErrnoHints are the remedies for errors of the execve, and of what comes before it.
var launchErrnoHints = map[unix.Errno]string{
	unix.EACCES:  "the file is not executable for you, or a directory on its way or its file system forbids it",
	unix.ENOEXEC: "the file is neither a program for this machine nor a script that begins with #!",
	unix.ENOENT:  "the file exists, but not the interpreter that its first line or its ELF header names",
	unix.EAGAIN:  "there are too many processes: see 'ulimit -u', and pids.max of the control group",
	unix.ENOMEM:  "there is not enough memory, or the control group's limit is reached",
	unix.E2BIG:   "arguments and environment are too long: see 'getconf ARG_MAX' and 'ulimit -s'",
	unix.ETXTBSY: "somebody is writing to that file",
	unix.ELOOP:   "the path has too many symbolic links, or an interpreter needs an interpreter that needs ...",
	unix.EMFILE:  "too many files are open: see 'ulimit -n'",
	unix.ENFILE:  "too many files are open on this machine: see 'sysctl fs.file-max'",
	unix.EINVAL:  "the program's ELF header names more than one interpreter, or is damaged",
}

// LaunchHint is the remedy, in a line, for a program that could not be started. It looks at the file that a
// [farcall.LaunchError] names.
func LaunchHint(err error) string {
	var launch *farcall.LaunchError
	switch {
	case !errors.As(err, &launch):
		return launchDiagnosis("", err)
	case launch.Op == "execve" && errors.Is(launch.Err, unix.EACCES):
		return deniedHint(launch.Path)
	}
	return launchDiagnosis(launch.Op, launch.Err)
}

// deniedHint looks at a file that execve refused with EACCES.
func deniedHint(path string) string {
	st, err := os.Stat(path)
	switch {
	case err != nil:
	case st.IsDir():
		return "it is a directory"
	case !st.Mode().IsRegular():
		return "it is not a regular file"
	case st.Mode()&0o111 == 0:
		return "the file is not executable: chmod +x makes it so"
	case linux.NoExec(path):
		return "its file system is mounted noexec"
	}
	return launchErrnoHints[unix.EACCES]
}

// launchDiagnosis is the remedy for a program that could not be started: op is the call that failed.
func launchDiagnosis(op string, err error) string {
	var errno unix.Errno
	if !errors.As(err, &errno) {
		return seeDoctor
	}
	switch {
	case strings.HasPrefix(op, "PTRACE_"):
		return traceHint(linux.ProbePtrace(), linux.ReadYama(os.DirFS("/")), environment())
	case op == "seccomp" || strings.HasPrefix(op, "prctl"):
		return "filters are refused here: try --seccomp-bpf=no"
	case strings.HasPrefix(op, "setres") || op == "setgroups":
		return "farcall may not change the user here; in a user namespace the user may have no number"
	case errno == unix.EPERM:
		return "the kernel or a security module forbids executing it; " + seeDoctor
	}
	if h := launchErrnoHints[errno]; h != "" {
		return h
	}
	return seeDoctor
}

// TracemeRefused tells whether a program can ask to be traced with PTRACE_TRACEME: 0, or the error number that it would get
// and the remedy, in a line.
func TracemeRefused() (e unix.Errno, remedy string) {
	refused, yama := linux.ProbePtrace(), linux.ReadYama(os.DirFS("/"))
	if refused == 0 && yama != linux.YamaNone {
		return 0, ""
	}
	e = refused
	if e == 0 {
		e = unix.EPERM
	}
	return e, traceHint(refused, yama, environment())
}

// traceHint says why even a child cannot be traced.
func traceHint(refused unix.Errno, yama linux.Yama, env linux.Environment) string {
	switch {
	case refused != 0:
		return "ptrace(2) as such is refused here, by a seccomp filter or a sandbox: " + linux.AllowPtrace(env.Container)
	case yama == linux.YamaNone:
		return "kernel.yama.ptrace_scope is 3: nobody may trace anything until the next boot"
	case yama == linux.YamaAdmin:
		return "kernel.yama.ptrace_scope is 2: run as root, or 'sysctl kernel.yama.ptrace_scope=1'"
	}
	return seeDoctor
}
