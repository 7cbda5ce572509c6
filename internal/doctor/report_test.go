package doctor

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"farcall/internal/linux"

	"golang.org/x/sys/unix"
)

// version is what the reports are told.
const version = "1.2.3"

// wantLines checks that text has a line for each of the wanted ones that begins with it, in order.
func wantLines(t *testing.T, text string, want ...string) {
	t.Helper()
	rest := strings.Split(text, "\n")
	for _, w := range want {
		i := slices.IndexFunc(rest, func(l string) bool { return strings.HasPrefix(l, w) })
		if i < 0 {
			t.Fatalf("no line %q in its place in:\n%s", w, text)
		}
		rest = rest[i+1:]
	}
}

// healthy is a machine on which all works, for root.
func healthy() *facts {
	self := &linux.Process{UserNS: 1}
	self.PID = 10
	return &facts{
		uname: linux.Uname{Release: "6.12.0-1-amd64", Machine: "x86_64"},
		self:  self, caps: 1<<41 - 1, initial: true, yama: linux.YamaDescendant, lsms: []string{"capability", "yama"},
		attach:  attachFacts{setInfo: unix.EINVAL},
		seccomp: linux.Seccomp{Trace: true, Notify: true, WaitKillable: true, AddFDSend: true},
		tempDir: "/tmp", x32: true, tracefs: "/sys/kernel/tracing", maxUserNS: 1000, usernsClone: -1, usernsAA: -1, cpus: 4,
	}
}

// ordinary takes the privileges of root away.
func ordinary(f *facts) {
	f.self.UID = linux.IDs{Real: 1000, Effective: 1000, Saved: 1000, FS: 1000}
	f.caps = 0
}

func TestReportHealthy(t *testing.T) {
	r := healthy().report(version)
	if !r.Works || !r.OK() {
		t.Error("does not work")
	}
	for _, c := range r.Checks {
		if c.State != OK || c.Text == "" || c.Remedy != "" {
			t.Errorf("%+v", c)
		}
	}
}

// TestReportChecks changes one thing at a time.
func TestReportChecks(t *testing.T) {
	for _, tt := range []struct {
		check  string
		change func(*facts)
		state  State
		text   string
		remedy string
	}{
		{"kernel", func(f *facts) { f.uname.Release = "4.19.0-5" }, Limited, "older than 5.3", "update"},
		{"kernel", func(f *facts) { f.env.GVisor = true }, Limited, "gVisor", "Linux kernel"},
		{"kernel", func(f *facts) { f.env.WSL = 1 }, No, "WSL 1", "wsl --set-version"},
		{"kernel", func(f *facts) { f.uname.Release = "x" }, Limited, "not a version", ""},
		{"ptrace", func(f *facts) { f.ptrace, f.env.Container = unix.EPERM, "docker" }, No, "is refused", "--cap-add=SYS_PTRACE"},
		{"start a program", func(f *facts) { f.launch = unix.EAGAIN }, No, "", "too many processes"},
		{"start a program", func(f *facts) { f.launch, f.yama = unix.EPERM, linux.YamaNone }, No, "", "see yama"},
		{"start a program", func(f *facts) { f.launch, f.memfd, f.temp = unix.EACCES, unix.EACCES, unix.EACCES }, No, "", "executable"},
		{"attach to a child", func(f *facts) { f.attach = attachFacts{err: unix.EPERM, step: "PTRACE_SEIZE"} }, No, "PTRACE_SEIZE: operation", "dmesg"},
		{"user", ordinary, Limited, "user 1000 without CAP_SYS_PTRACE", "sudo"},
		{"user", func(f *facts) { f.initial = false }, Limited, "user namespace", "outside"},
		{"user", func(f *facts) { f.caps, f.env.Container = 0, "podman" }, Limited, "root without", "podman run --cap-add"},
		{"yama", func(f *facts) { f.yama = linux.YamaAbsent }, OK, "not there", ""},
		{"yama", func(f *facts) { f.yama = linux.YamaNone }, No, "is 3", "reboot"},
		{"yama", func(f *facts) { ordinary(f) }, Limited, "is 1", "sysctl"},
		{"yama", func(f *facts) { ordinary(f); f.yama = linux.YamaAdmin }, No, "is 2", "sysctl"},
		{"yama", func(f *facts) { ordinary(f); f.yama = linux.YamaClassic }, OK, "is 0", ""},
		{"security modules", func(f *facts) { f.self.Label = "docker-default (enforce)" }, Limited, "docker-default", "profile"},
		{"security modules", func(f *facts) { f.lsms = []string{"apparmor", "yama"} }, OK, "apparmor", ""},
		{"security modules", func(f *facts) { f.lsms = nil }, OK, "securityfs", ""},
		{"/proc", func(f *facts) { f.self = nil }, Limited, "not mounted", "mount -t proc"},
		{"traced", func(f *facts) { f.tracerName = "process 7 (gdb)" }, Limited, "process 7 (gdb)", ""},
		{"GET_SYSCALL_INFO", func(f *facts) { f.attach.getInfo = unix.EIO }, No, "input/output", "5.3"},
		{"SET_SYSCALL_INFO", func(f *facts) { f.attach.setInfo = unix.EIO }, Limited, "registers", "6.16"},
		{"seccomp filters", func(f *facts) { f.seccomp.Filter = unix.EINVAL }, No, "Invalid argument", "CONFIG_SECCOMP_FILTER"},
		{"seccomp filters", func(f *facts) { f.seccomp.Trace = false }, No, "RET_TRACE", "4.14"},
		{"seccomp filters", func(f *facts) { f.filtered = errors.New("odd") }, No, "odd", "dmesg"},
		{"set-user-ID programs", ordinary, Limited, "NO_NEW_PRIVS", "--seccomp-bpf=no"},
		{"own filter", func(f *facts) { f.self.Seccomp, f.self.Filters = linux.SeccompFilter, 2 }, Limited, "2 seccomp filters", ""},
		{"NO_NEW_PRIVS", func(f *facts) { f.self.NoNewPrivs = true }, Limited, "set already", "NoNewPrivileges"},
		{"user notification", func(f *facts) { f.seccomp.Notify = false }, Limited, "", "5.0"},
		{"ADDFD with SEND", func(f *facts) { f.seccomp.AddFDSend = false }, Limited, "", "5.14"},
		{"WAIT_KILLABLE_RECV", func(f *facts) { f.seccomp.WaitKillable = false }, Limited, "", "5.19"},
		{"process_vm_readv", func(f *facts) { f.attach.vm = unix.EPERM }, Limited, "slower", "seccomp"},
		{"process_vm_readv", func(f *facts) { f.attach.err, f.vmRead = unix.EPERM, unix.ENOSYS }, No, "not implemented", ""},
		{"/proc/PID/mem", func(f *facts) { f.attach.file = unix.EACCES }, Limited, "Permission denied", ""},
		{"memfd", func(f *facts) { f.memfd, f.memfdScope = unix.EACCES, 2 }, Limited, "temporary file", "vm.memfd_noexec=0"},
		{"temporary files", func(f *facts) { f.temp, f.tempNoExec = unix.EACCES, true }, Limited, "noexec", "TMPDIR"},
		{"temporary files", func(f *facts) { f.temp, f.memfd = unix.EACCES, unix.EPERM }, No, "", "TMPDIR"},
		{"i386 programs", func(f *facts) { f.compat = unix.ENOEXEC }, Limited, "do not run", "ia32_emulation"},
		{"i386 programs", func(f *facts) { f.compat = unix.EACCES }, Limited, "could not be tried", ""},
		{"x32 calls", func(f *facts) { f.x32 = false }, Limited, "X86_X32", ""},
		{"BTF", func(f *facts) { f.btf = unix.ENOENT }, Limited, "no such file", "CONFIG_DEBUG_INFO_BTF"},
		{"tracefs", func(f *facts) { f.tracefs = "" }, Limited, "not mounted", "mount -t tracefs"},
		{"tracefs", func(f *facts) { f.tracefsErr = unix.EACCES }, Limited, "not readable", "root"},
		{"eBPF", func(f *facts) { f.bpf = unix.EPERM }, Limited, "not permitted", "CAP_BPF"},
		{"user namespaces", func(f *facts) { f.maxUserNS = 0 }, Limited, "none", "user.max_user_namespaces"},
		{"user namespaces", func(f *facts) { f.usernsClone = 0 }, Limited, "only root", "unprivileged_userns_clone=1"},
		{"user namespaces", func(f *facts) { f.usernsAA = 1 }, Limited, "AppArmor", "apparmor_restrict"},
		{"user namespaces", func(f *facts) { f.maxUserNS = -1 }, Limited, "not in this kernel", ""},
		{"open files", func(f *facts) { f.files, f.filesLimit = 64, true }, Limited, "at most 64", "ulimit -n"},
		{"processes", func(f *facts) { f.procs, f.procsLimit = 10, true }, Limited, "at most 10", "ulimit -u"},
		{"processes", func(f *facts) { f.procs, f.procsLimit = 10000, true }, OK, "at most 10000", ""},
	} {
		f := healthy()
		tt.change(f)
		r := f.report(version)
		i := slices.IndexFunc(r.Checks, func(c Check) bool { return c.Name == tt.check })
		if i < 0 {
			t.Errorf("%s: no such check", tt.check)
			continue
		}
		c := r.Checks[i]
		if c.State != tt.state || !strings.Contains(c.Text, tt.text) || !strings.Contains(c.Remedy, tt.remedy) {
			t.Errorf("%s: %+v, want %s, %q, %q", tt.check, c, tt.state, tt.text, tt.remedy)
		}
		if r.Works != (f.launch == nil) {
			t.Errorf("%s: works %v", tt.check, r.Works)
		}
		for _, c := range r.Checks {
			if strings.Contains(c.Text+c.Remedy, "\n") || c.State == No && c.Remedy == "" {
				t.Errorf("%s: no single line, or no remedy: %+v", tt.check, c)
			}
		}
	}
}

func TestReportPrint(t *testing.T) {
	f := healthy()
	f.env.Container = "docker"
	f.launch = errors.New("an error that is so long that it has to go on in the line below the one in which it began")
	var b strings.Builder
	r := f.report(version)
	if err := r.WriteText(&b, false); err != nil {
		t.Fatal(err)
	}
	text := b.String()
	wantLines(t, text, "farcall "+version+" on Linux 6.12.0-1-amd64, x86_64, in a container (docker)", "Tracing", "  ok      kernel ",
		"  no      start a program       an error", "                                ", "                                -> ", "Filtering", "Memory", "Other",
		"Tracing does not work here.")
	for l := range strings.Lines(text) {
		if len(l) > lineWidth+1 {
			t.Errorf("line of %d: %q", len(l), l)
		}
		if strings.TrimRight(l, " \n") != strings.TrimRight(l, "\n") {
			t.Errorf("blanks at the end: %q", l)
		}
	}
	b.Reset()
	if err := r.WriteText(&b, true); err != nil {
		t.Fatal(err)
	}
	plain := strings.NewReplacer("\x1b[32m", "", "\x1b[33m", "", "\x1b[31m", "", "\x1b[0m", "").Replace(b.String())
	if plain != text || !strings.Contains(b.String(), "\x1b[31mno\x1b[0m") {
		t.Error("colour changes more than colours")
	}

	r.Process = &Process{PID: 7, Name: "x", Obstacles: []Obstacle{{"yama", "forbidden", "sysctl"}}}
	b.Reset()
	if err := r.WriteText(&b, false); err != nil {
		t.Fatal(err)
	}
	wantLines(t, b.String(), "Process 7 (x)", "  no      yama                  forbidden", "                                -> sysctl")
	if strings.Contains(b.String(), "Tracing does") || r.OK() {
		t.Error("the process decides")
	}
}

func TestReportJSON(t *testing.T) {
	r := healthy().report(version)
	r.Process = &Process{PID: 7, Obstacles: []Obstacle{}}
	var b strings.Builder
	if err := r.WriteJSON(&b); err != nil {
		t.Fatal(err)
	}
	var back map[string]any
	if err := json.Unmarshal([]byte(b.String()), &back); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"version", "kernel", "machine", "works", "checks", "process"} {
		if _, ok := back[key]; !ok {
			t.Errorf("no %q in %s", key, b.String())
		}
	}
	c := back["checks"].([]any)[0].(map[string]any)
	for _, key := range []string{"group", "name", "state", "text"} {
		if _, ok := c[key].(string); !ok {
			t.Errorf("no %q in %v", key, c)
		}
	}
}
