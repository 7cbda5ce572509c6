package doctor

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"farcall/internal/linux"

	"golang.org/x/sys/unix"
)

// report makes the report of the facts.
func (f *facts) report(version string) *Report {
	r := &Report{Version: version, Kernel: f.uname.Release, Machine: f.uname.Machine, Container: f.env.Container}
	r.Works = f.launch == nil
	f.tracing(r)
	f.filtering(r)
	f.memory(r)
	f.other(r)
	return r
}

func (f *facts) tracing(r *Report) {
	f.kernel(r)
	allow := linux.AllowPtrace(f.env.Container)
	if f.ptrace == 0 {
		r.add(groupTracing, "ptrace", OK, "ptrace(2) is allowed", "")
	} else {
		r.add(groupTracing, "ptrace", No, "ptrace(2) is refused ("+linux.ErrorText(f.ptrace)+"), by a seccomp filter or a sandbox", allow)
	}
	tried(r, "start a program", f.launch, "a program was started and its execve traced", "", f.launchRemedy())
	attach := f.attach.err
	if attach != nil && f.attach.step != "" {
		attach = fmt.Errorf("%s: %w", f.attach.step, attach)
	}
	tried(r, "attach to a child", attach, "attached to a running child and detached", "", f.launchRemedy())
	f.user(r)
	f.yamaCheck(r)
	f.modules(r)
	switch {
	case f.self == nil:
		r.add(groupTracing, "/proc", Limited, "not mounted: processes cannot be described, and files and threads not listed", "mount -t proc proc /proc")
	case f.tracerName != "":
		r.add(groupTracing, "traced", Limited, "farcall itself is being traced by "+f.tracerName+": traces work, more slowly", "")
	}
	f.requests(r)
}

// tried is a line for something that was tried out.
func tried(r *Report, name string, err error, good, bad, remedy string) {
	if err == nil {
		r.add(groupTracing, name, OK, good, "")
		return
	}
	r.add(groupTracing, name, No, bad+message(err), remedy)
}

// message is an error in a line.
func message(err error) string {
	var exec *fs.PathError
	if errors.As(err, &exec) && exec.Op == "fork/exec" { // the path is the probe's
		return "cannot be executed: " + linux.ErrorText(exec.Err)
	}
	return strings.ReplaceAll(err.Error(), "\n", " ")
}

// launchRemedy is what to do where not even a child can be traced.
func (f *facts) launchRemedy() string {
	switch {
	case f.ptrace != 0:
		return linux.AllowPtrace(f.env.Container)
	case f.yama == linux.YamaNone, f.yama == linux.YamaAdmin && !f.canPtrace():
		return "see yama below"
	case f.memfd != nil && f.temp != nil:
		return "see 'memfd' and 'temporary files' below: one of them has to be executable"
	case errors.Is(f.launch, unix.EAGAIN):
		return launchErrnoHints[unix.EAGAIN]
	case f.env.GVisor || f.env.WSL == 1:
		return "run it on a real Linux kernel"
	}
	return "look for the refusal in the kernel's log (dmesg)"
}

// kernel judges the version. ptrace.c has GET_SYSCALL_INFO since 5.3, without which entry and exit cannot be told apart for certain.
func (f *facts) kernel(r *Report) {
	v, err := linux.ParseVersion(f.uname.Release)
	text := "Linux " + f.uname.Release
	switch {
	case f.env.GVisor:
		r.add(groupTracing, "kernel", Limited, "gVisor answers the calls, in place of Linux", "for complete traces, run on a Linux kernel")
	case f.env.WSL == 1:
		r.add(groupTracing, "kernel", No, text+": WSL 1 has no complete ptrace", "wsl --set-version DISTRIBUTION 2")
	case err != nil:
		r.add(groupTracing, "kernel", Limited, message(err), "")
	case !v.AtLeast(5, 3):
		r.add(groupTracing, "kernel", Limited, text+" is older than 5.3, which farcall is made for", "update the kernel")
	default:
		r.add(groupTracing, "kernel", OK, text, "")
	}
}

func (f *facts) canPtrace() bool {
	return f.caps.Has(unix.CAP_SYS_PTRACE)
}

func (f *facts) canAdmin() bool {
	return f.caps.Has(unix.CAP_SYS_ADMIN)
}

// user says whose processes can be attached to.
func (f *facts) user(r *Report) {
	const name = "user"
	if f.self == nil {
		return
	}
	who := fmt.Sprintf("user %d", f.self.UID.Effective)
	if f.self.UID.Effective == 0 {
		who = "root"
	}
	remedy := "for those of others run it under sudo"
	if f.env.Container != "" && f.self.UID.Effective == 0 {
		remedy = linux.AllowPtrace(f.env.Container)
	}
	switch {
	case f.canPtrace() && f.initial:
		r.add(groupTracing, name, OK, who+" with CAP_SYS_PTRACE: processes of all users can be traced", "")
	case f.canPtrace():
		r.add(groupTracing, name, Limited, who+" of a user namespace: processes in it, and below it, can be traced", "for others run farcall outside of it")
	default:
		r.add(groupTracing, name, Limited, who+" without CAP_SYS_PTRACE: only processes of this user can be attached to", remedy)
	}
}

// yamaCheck is about kernel.yama.ptrace_scope.
func (f *facts) yamaCheck(r *Report) {
	const name = "yama"
	text := fmt.Sprintf("kernel.yama.ptrace_scope is %d (%s)", int(f.yama), f.yama)
	switch {
	case f.yama == linux.YamaAbsent && f.self == nil:
		// Without /proc nobody knows.
	case f.yama == linux.YamaAbsent:
		r.add(groupTracing, name, OK, "not there", "")
	case f.yama == linux.YamaClassic:
		r.add(groupTracing, name, OK, text, "")
	case f.yama == linux.YamaNone:
		r.add(groupTracing, name, No, text+": nothing can be traced", "only a reboot changes it")
	case f.canPtrace():
		r.add(groupTracing, name, OK, text+", which CAP_SYS_PTRACE overrides", "")
	case f.yama == linux.YamaAdmin:
		r.add(groupTracing, name, No, text, "run as root, or 'sysctl kernel.yama.ptrace_scope=1'")
	default:
		r.add(groupTracing, name, Limited, text+": only what farcall starts can be traced", "run as root, or 'sysctl kernel.yama.ptrace_scope=0'")
	}
}

// restrictive are the modules that have a say in ptrace.
var restrictive = []string{"apparmor", "selinux", "smack", "tomoyo", "landlock"}

func (f *facts) modules(r *Report) {
	const name = "security modules"
	var active []string
	for _, m := range restrictive {
		if slices.Contains(f.lsms, m) {
			active = append(active, m)
		}
	}
	label := ""
	if f.self != nil {
		label = f.self.Label
	}
	switch {
	case label != "" && strings.HasSuffix(label, "(enforce)"):
		r.add(groupTracing, name, Limited, fmt.Sprintf("farcall is confined by the profile %q", label), "if an attach is refused, allow ptrace in the profile")
	case len(active) > 0:
		text := strings.Join(active, ", ")
		if label != "" {
			text += "; label " + label
		}
		r.add(groupTracing, name, OK, text, "")
	case f.lsms == nil:
		r.add(groupTracing, name, OK, "none seen (securityfs is not there)", "")
	default:
		r.add(groupTracing, name, OK, "none that restricts ptrace", "")
	}
}

// requests are the newer ones of ptrace(2).
func (f *facts) requests(r *Report) {
	if f.attach.err != nil {
		return
	}
	if f.attach.getInfo == nil {
		r.add(groupTracing, "GET_SYSCALL_INFO", OK, "tells entries from exits for certain", "")
	} else {
		r.add(groupTracing, "GET_SYSCALL_INFO", No, message(f.attach.getInfo)+": calls cannot be told apart for certain", "use Linux 5.3 or newer")
	}
	if f.attach.setInfo == nil || f.attach.setInfo == unix.EINVAL {
		r.add(groupTracing, "SET_SYSCALL_INFO", OK, "changes calls on every architecture", "")
	} else {
		r.add(groupTracing, "SET_SYSCALL_INFO", Limited, "not there: calls are changed through registers", "it is of Linux 6.16")
	}
}

func (f *facts) filtering(r *Report) {
	s := f.seccomp
	switch {
	case s.Filter != 0:
		r.add(groupFiltering, "seccomp filters", No, linux.ErrorText(s.Filter)+": each call stops the program, wanted or not", "use a kernel with CONFIG_SECCOMP_FILTER")
	case !s.Trace:
		r.add(groupFiltering, "seccomp filters", No, "the kernel has no SECCOMP_RET_TRACE", "use Linux 4.14 or newer")
	case f.filtered != nil:
		r.add(groupFiltering, "seccomp filters", No, message(f.filtered), f.launchRemedy())
	default:
		r.add(groupFiltering, "seccomp filters", OK, "calls that are not wanted run at full speed", "")
	}
	if f.canAdmin() {
		r.add(groupFiltering, "set-user-ID programs", OK, "keep their privileges under a filter (CAP_SYS_ADMIN)", "")
	} else {
		r.add(groupFiltering, "set-user-ID programs", Limited, "run without their privileges under a filter, which needs NO_NEW_PRIVS here", "--seccomp-bpf=no, or run as root")
	}
	if p := f.self; p != nil && p.Seccomp != linux.SeccompDisabled {
		text := "farcall itself runs under a seccomp filter"
		if p.Filters > 1 {
			text = fmt.Sprintf("farcall itself runs under %d seccomp filters", p.Filters)
		}
		r.add(groupFiltering, "own filter", Limited, text+", and all that it starts: what that refuses is refused in traces, too", "")
	}
	if f.self != nil && f.self.NoNewPrivs {
		r.add(groupFiltering, "NO_NEW_PRIVS", Limited, "is set already: set-user-ID programs have no effect here", "start farcall without it (systemd: NoNewPrivileges=no)")
	}
	for _, n := range []struct {
		name, since string
		there       bool
	}{
		{"user notification", "5.0", s.Notify},
		{"ADDFD with SEND", "5.14", s.AddFDSend},
		{"WAIT_KILLABLE_RECV", "5.19", s.WaitKillable},
	} {
		if n.there {
			r.add(groupFiltering, n.name, OK, "there", "")
		} else {
			r.add(groupFiltering, n.name, Limited, "not there", "it is of Linux "+n.since)
		}
	}
}

func (f *facts) memory(r *Report) {
	ways := []struct {
		name string
		err  error
	}{{"process_vm_readv", f.attach.vm}, {"/proc/PID/mem", f.attach.file}, {"PTRACE_PEEKDATA", f.attach.words}}
	if f.attach.err != nil && f.vmRead == 0 {
		r.add(groupMemory, "process_vm_readv", OK, "reads farcall's own memory", "")
		ways = nil
	} else if f.attach.err != nil {
		r.add(groupMemory, "process_vm_readv", No, linux.ErrorText(f.vmRead), linux.AllowPtrace(f.env.Container))
		ways = nil
	}
	for i, w := range ways {
		switch {
		case w.err == nil:
			r.add(groupMemory, w.name, OK, "reads the memory of a tracee", "")
		case i == 0:
			r.add(groupMemory, w.name, Limited, linux.ErrorText(w.err)+": slower ways are used", "allow the call in the seccomp filter")
		default:
			r.add(groupMemory, w.name, Limited, linux.ErrorText(w.err), "")
		}
	}
	switch {
	case f.memfd == nil:
		r.add(groupMemory, "memfd", OK, "can be executed, which is how farcall starts programs", "")
	case f.memfdScope > 0:
		r.add(groupMemory, "memfd", Limited, message(f.memfd)+": a temporary file is used", "sysctl vm.memfd_noexec=0")
	default:
		r.add(groupMemory, "memfd", Limited, message(f.memfd)+": a temporary file is used", "")
	}
	switch {
	case f.temp == nil:
		r.add(groupMemory, "temporary files", OK, "can be executed in "+f.tempDir, "")
	case f.tempNoExec:
		r.add(groupMemory, "temporary files", f.orLimited(), f.tempDir+" is mounted noexec", "set TMPDIR to a directory on another file system")
	default:
		r.add(groupMemory, "temporary files", f.orLimited(), message(f.temp), "set TMPDIR to a directory where programs can be executed")
	}
}

// orLimited: temporary files are needed only where a memfd cannot be executed.
func (f *facts) orLimited() State {
	if f.memfd == nil {
		return Limited
	}
	return No
}

func (f *facts) other(r *Report) {
	switch {
	case f.compat == nil:
		r.add(groupOther, "i386 programs", OK, "run, and are decoded by their own table", "")
	case errors.Is(f.compat, linux.ErrNoABI):
	case errors.Is(f.compat, unix.ENOEXEC):
		r.add(groupOther, "i386 programs", Limited, "do not run on this kernel", "boot it with ia32_emulation=1, if it has CONFIG_IA32_EMULATION")
	default:
		r.add(groupOther, "i386 programs", Limited, "could not be tried: "+message(f.compat), "")
	}
	if f.uname.Machine == "x86_64" {
		if f.x32 {
			r.add(groupOther, "x32 calls", OK, "the kernel answers them", "")
		} else {
			r.add(groupOther, "x32 calls", Limited, "not in this kernel (rare: CONFIG_X86_X32_ABI)", "")
		}
	}
	if f.btf == nil {
		r.add(groupOther, "BTF", OK, "the kernel describes its types", "")
	} else {
		r.add(groupOther, "BTF", Limited, message(f.btf), "needed for calls without a description only; CONFIG_DEBUG_INFO_BTF provides it")
	}
	switch {
	case f.tracefs == "":
		r.add(groupOther, "tracefs", Limited, "not mounted", "mount -t tracefs nodev /sys/kernel/tracing")
	case f.tracefsErr != nil:
		r.add(groupOther, "tracefs", Limited, "not readable for this user", "run as root")
	default:
		r.add(groupOther, "tracefs", OK, f.tracefs, "")
	}
	if f.bpf == 0 {
		r.add(groupOther, "eBPF", OK, "allowed", "")
	} else {
		r.add(groupOther, "eBPF", Limited, linux.ErrorText(f.bpf), "needs root, or CAP_BPF and CAP_PERFMON")
	}
	f.marks(r)
	f.userNamespaces(r)
	f.limits(r)
	if f.cpus == 1 {
		r.add(groupOther, "processors", OK, "1", "")
	} else {
		r.add(groupOther, "processors", OK, fmt.Sprintf("%d: farcall shares one with a single tracee", f.cpus), "")
	}
}

func (f *facts) userNamespaces(r *Report) {
	const name = "user namespaces"
	switch {
	case f.maxUserNS == 0:
		r.add(groupOther, name, Limited, "none can be made", "sysctl user.max_user_namespaces=10000")
	case f.usernsClone == 0:
		r.add(groupOther, name, Limited, "only root can make them", "sysctl kernel.unprivileged_userns_clone=1")
	case f.usernsAA == 1:
		r.add(groupOther, name, Limited, "AppArmor restricts those of users without privileges", "sysctl kernel.apparmor_restrict_unprivileged_userns=0")
	case f.maxUserNS < 0:
		r.add(groupOther, name, Limited, "not in this kernel, or not visible", "")
	default:
		r.add(groupOther, name, OK, "users without privileges can make them", "")
	}
}

// Limits below these are in the way of traces with many threads or files.
const (
	fewFiles     = 256
	fewProcesses = 64
)

func (f *facts) limits(r *Report) {
	for _, l := range []struct {
		name, flag string
		value, few uint64
		limited    bool
	}{
		{"open files", "-n", f.files, fewFiles, f.filesLimit},
		{"processes", "-u", f.procs, fewProcesses, f.procsLimit},
	} {
		switch {
		case !l.limited:
			r.add(groupOther, l.name, OK, "no limit", "")
		case l.value < l.few:
			r.add(groupOther, l.name, Limited, fmt.Sprintf("at most %d", l.value), "raise it with ulimit "+l.flag)
		default:
			r.add(groupOther, l.name, OK, fmt.Sprintf("at most %d", l.value), "")
		}
	}
}

// marks tells of the semaphores that killed tracers have left.
func (f *facts) marks(r *Report) {
	switch n := len(f.leftovers); {
	case f.noSemaphores:
		r.add(groupOther, "marks", Limited, "the kernel has no System V semaphores: --marks does not work", "CONFIG_SYSVIPC")
	case n == 0:
		r.add(groupOther, "marks", OK, "programs can mark regions (--marks)", "")
	default:
		r.add(groupOther, "marks", Limited, fmt.Sprintf("killed tracers have left %d semaphore sets behind", n), "farcall doctor --clean removes them")
	}
}
