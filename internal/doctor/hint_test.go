package doctor

import (
	"os"
	"strings"
	"testing"

	"farcall"
	"farcall/internal/linux"

	"golang.org/x/sys/unix"
)

// TestAttachDiagnosis has situations that are no more when the diagnosis is made.
func TestAttachDiagnosis(t *testing.T) {
	me, other := &linux.Process{}, &linux.Process{}
	me.PID, other.PID = 10, 20
	for _, tt := range []struct {
		name  string
		cause farcall.Cause
		s     linux.Situation
		want  string
	}{
		{"gone since", farcall.CauseGone, linux.Situation{Tracer: me, Target: other, Exists: true}, "it ended meanwhile"},
		{"gone", farcall.CauseGone, linux.Situation{Tracer: me}, "no process or thread has this number"},
		{"hidden", farcall.CauseGone, linux.Situation{Tracer: me, Exists: true}, "there is such a process, but /proc hides it"},
		{"reaped", farcall.CauseZombie, linux.Situation{Tracer: me}, "it has ended"},
		{"unknown", farcall.CausePermission, linux.Situation{Tracer: me, Target: other, LSMs: []string{"capability", "landlock"}},
			"the kernel refuses it, though none of its common rules does; security modules that may: capability, landlock"},
	} {
		got := attachDiagnosis(&farcall.AttachError{PID: 20, Cause: tt.cause, Err: unix.EPERM}, &tt.s)
		if !strings.HasPrefix(got, tt.want) {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestLaunchDiagnosis(t *testing.T) {
	for _, tt := range []struct {
		op   string
		err  error
		want string
	}{
		{"execve", unix.ENOEXEC, "neither a program"},
		{"execve", unix.ENOENT, "interpreter"},
		{"execve", unix.EPERM, "security module"},
		{"execve", unix.ELIBBAD, "farcall doctor"},
		{"", unix.EAGAIN, "too many processes"},
		{"seccomp", unix.EACCES, "--seccomp-bpf=no"},
		{"prctl(PR_SET_NO_NEW_PRIVS)", unix.EPERM, "--seccomp-bpf=no"},
		{"setresuid", unix.EINVAL, "change the user"},
		{"", os.ErrNotExist, "farcall doctor"},
	} {
		if got := launchDiagnosis(tt.op, tt.err); !strings.Contains(got, tt.want) {
			t.Errorf("%s %v: %q, want %q", tt.op, tt.err, got, tt.want)
		}
	}
	for _, tt := range []struct {
		refused unix.Errno
		yama    linux.Yama
		env     linux.Environment
		want    string
	}{
		{unix.EPERM, linux.YamaAbsent, linux.Environment{Container: "docker"}, "docker run --cap-add=SYS_PTRACE"},
		{unix.ENOSYS, linux.YamaAbsent, linux.Environment{Container: "kubernetes"}, "securityContext"},
		{unix.EPERM, linux.YamaAbsent, linux.Environment{}, "sandbox"},
		{0, linux.YamaNone, linux.Environment{}, "ptrace_scope is 3"},
		{0, linux.YamaAdmin, linux.Environment{}, "ptrace_scope is 2"},
		{0, linux.YamaDescendant, linux.Environment{}, "farcall doctor"},
	} {
		if got := traceHint(tt.refused, tt.yama, tt.env); !strings.Contains(got, tt.want) {
			t.Errorf("%v %v %v: %q, want %q", tt.refused, tt.yama, tt.env, got, tt.want)
		}
	}
}
