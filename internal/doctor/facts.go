package doctor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"time"

	"farcall"
	"farcall/event"
	"farcall/filter"
	"farcall/internal/linux"
	"farcall/internal/marks"

	"golang.org/x/sys/unix"
)

// facts are all that a report is made of, so that reports of other machines can be tested.
type facts struct {
	uname   linux.Uname
	env     linux.Environment
	self    *linux.Process // nil without /proc
	caps    linux.CapSet   // effective
	initial bool           // in the initial user namespace
	yama    linux.Yama
	lsms    []string
	ptrace  unix.Errno

	launch, filtered error // of a whole trace
	attach           attachFacts

	seccomp     linux.Seccomp
	vmRead      unix.Errno
	memfd, temp error
	tempDir     string
	tempNoExec  bool
	memfdScope  int // vm.memfd_noexec

	compat       error
	x32          bool
	btf          error
	tracefs      string // where, "" if it is not mounted
	tracefsErr   error
	bpf          unix.Errno
	maxUserNS    int // user.max_user_namespaces, -1 unknown
	usernsClone  int // kernel.unprivileged_userns_clone of Debian's kernels, -1 unknown
	usernsAA     int // kernel.apparmor_restrict_unprivileged_userns, -1 unknown
	files        uint64
	filesLimit   bool
	procs        uint64
	procsLimit   bool
	cpus         int
	leftovers    []marks.Leftover
	noSemaphores bool
	tracerName   string
}

// gatherFacts looks and tries. program finds the file of this farcall.
func gatherFacts(program func() (string, error)) *facts {
	root := os.DirFS("/")
	leftovers, _ := marks.Leftovers()
	f := &facts{
		leftovers: leftovers, noSemaphores: !marks.Supported(),
		uname: linux.ReadUname(), env: environment(), yama: linux.ReadYama(root), lsms: linux.LSMs(root),
		ptrace: linux.ProbePtrace(), seccomp: linux.ProbeSeccomp(), vmRead: linux.ProbeVMRead(),
		memfd: linux.ProbeMemfdExec(), temp: linux.ProbeTempExec(), tempDir: os.TempDir(),
		compat: linux.ProbeCompat(), x32: linux.ProbeX32(), bpf: linux.ProbeBPF(), cpus: runtime.NumCPU(),
	}
	f.self, _ = linux.ReadProcess(root, os.Getpid())
	f.caps = linux.EffectiveCaps()
	f.initial = linux.InitialUserNS(linux.IDMap(root, "self"))
	f.tempNoExec = linux.NoExec(f.tempDir)
	number := func(name string, missing int) int {
		if n, ok := linux.Sysctl(root, name); ok {
			return n
		}
		return missing
	}
	f.memfdScope = number("vm.memfd_noexec", 0)
	f.maxUserNS = number("user.max_user_namespaces", -1)
	f.usernsClone = number("kernel.unprivileged_userns_clone", -1)
	f.usernsAA = number("kernel.apparmor_restrict_unprivileged_userns", -1)
	f.files, f.filesLimit = linux.Limit(unix.RLIMIT_NOFILE)
	f.procs, f.procsLimit = linux.Limit(unix.RLIMIT_NPROC)
	f.btf = readable("/sys/kernel/btf/vmlinux")
	for _, dir := range []string{"/sys/kernel/tracing", "/sys/kernel/debug/tracing"} {
		err := readable(dir + "/events/syscalls")
		if err == nil || errors.Is(err, unix.EACCES) {
			f.tracefs, f.tracefsErr = dir, err
			break
		}
	}
	if f.self != nil && f.self.Tracer != 0 {
		f.tracerName = fmt.Sprintf("process %d", f.self.Tracer)
		if p, err := linux.ReadProcess(root, f.self.Tracer); err == nil {
			f.tracerName = fmt.Sprintf("process %d (%s)", p.PID, p.Name)
		}
	}
	if f.ptrace == 0 {
		f.launch = tryLaunch(program, nil)
		if calls, err := filter.ParseCallSet("execve"); err == nil {
			f.filtered = tryLaunch(program, calls)
		}
		f.attach = tryAttach()
	} else {
		f.launch, f.filtered, f.attach = f.ptrace, f.ptrace, attachFacts{err: f.ptrace}
	}
	return f
}

func readable(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	return f.Close()
}

// tryTime bounds what the doctor waits for a trace.
const tryTime = 10 * time.Second

// tryLaunch traces farcall itself as it prints its version: all calls, or those of a set, for which a
// filter is used. It is good if the execve has been seen.
func tryLaunch(program func() (string, error), calls *filter.CallSet) error {
	tracer := farcall.New(farcall.Options{Calls: calls, KillOnExit: true, KeepProcessors: true})
	seen := false
	tracer.Observe(func(_ *farcall.Task, ev *event.Event) {
		if ev.Kind == event.CallExit && ev.Call != nil && ev.Call.Number == unix.SYS_EXECVE && !ev.Call.Failed {
			seen = true
		}
	})
	path, err := program()
	if err != nil {
		return err
	}
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer null.Close()
	if err := tracer.Launch(&farcall.Program{
		Path: path, Args: []string{"farcall", "-V"}, Files: []*os.File{null, null, null},
	}); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), tryTime)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { _ = tracer.Kill() })
	defer stop()
	err = tracer.Wait()
	var exit *farcall.ExitError
	switch {
	case ctx.Err() != nil:
		return errors.New("the traced program did not end")
	case seen:
		return nil
	case err == nil || errors.As(err, &exit):
		return errors.New("the program ran, but its execve was not seen")
	}
	return err
}

// environment is where this farcall runs.
func environment() linux.Environment {
	return linux.DetectEnvironment(os.DirFS("/"), linux.ReadUname(), os.Getenv)
}
