package linux

import (
	"errors"
	"io/fs"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"

	"golang.org/x/sys/unix"
)

func TestParseVersion(t *testing.T) {
	for _, tt := range []struct {
		release string
		want    Version
		bad     bool
	}{
		{"6.1.0-18-amd64", Version{6, 1, 0}, false},
		{"5.10.16.3-microsoft-standard-WSL2", Version{5, 10, 16}, false},
		{"6.18-rc3", Version{6, 18, 0}, false},
		{"7.0", Version{7, 0, 0}, false},
		{"4.4.0", Version{4, 4, 0}, false},
		{"3.10.0-1160.el7.x86_64", Version{3, 10, 0}, false},
		{"6", Version{}, true},
		{"", Version{}, true},
		{"six.one", Version{}, true},
		{"6.x", Version{}, true},
		{"99999999999999999999.1", Version{}, true},
	} {
		got, err := ParseVersion(tt.release)
		if got != tt.want || (err != nil) != tt.bad {
			t.Errorf("%q: %v, %v; want %v", tt.release, got, err, tt.want)
		}
	}
	v := Version{5, 3, 0}
	for _, tt := range []struct {
		major, minor int
		want         bool
	}{{5, 3, true}, {5, 4, false}, {4, 20, true}, {6, 0, false}} {
		if got := v.AtLeast(tt.major, tt.minor); got != tt.want {
			t.Errorf("%v at least %d.%d: %v", v, tt.major, tt.minor, got)
		}
	}
	if _, err := ParseVersion(ReadUname().Release); err != nil {
		t.Errorf("this kernel: %v", err)
	}
}

func TestCapSet(t *testing.T) {
	s := CapsOf(unix.CAP_SYS_PTRACE, unix.CAP_SYS_ADMIN)
	if got := s.String(); got != "CAP_SYS_PTRACE,CAP_SYS_ADMIN" {
		t.Error(got)
	}
	if s.Has(unix.CAP_BPF) || !s.Has(unix.CAP_SYS_PTRACE) || s.Without(s) != 0 {
		t.Error("membership")
	}
	if got := CapSet(1 << 50).String(); got != "CAP_50" {
		t.Error(got)
	}
	if got := CapSet(0).String(); got != "none" {
		t.Error(got)
	}
	if len(capNames) != unix.CAP_LAST_CAP+1 {
		t.Errorf("%d names for %d capabilities", len(capNames), unix.CAP_LAST_CAP+1)
	}
	for c, name := range capNames {
		if name == "" {
			t.Errorf("capability %d has no name", c)
		}
	}
}

const statusText = "Name:\tmy (odd) name \nUmask:\t0022\nState:\tt (tracing stop)\nTgid:\t1200\nNgid:\t0\nPid:\t1201\nPPid:\t1000\n" +
	"TracerPid:\t77\nUid:\t1000\t0\t1000\t0\nGid:\t100\t100\t100\t100\nThreads:\t3\nCapInh:\t0000000000000000\n" +
	"CapPrm:\t0000000000080000\nCapEff:\t0000000000080000\nCapBnd:\t000001ffffffffff\nCapAmb:\t0000000000000001\n" +
	"NoNewPrivs:\t1\nSeccomp:\t2\nSeccomp_filters:\t4\nNonsense\n" +
	"Groups:\t10 20 \nSigPnd:\t0000000000000001\nShdPnd:\t0000000000000706\nSigBlk:\t0000000000000200\n" +
	"SigIgn:\t0000000000000400\nSigCgt:\t0000000000000006\n"

func TestParseStatus(t *testing.T) {
	want := Status{
		Name: "my (odd) name ", State: 't', PID: 1200, TID: 1201, Parent: 1000, Tracer: 77,
		UID: IDs{1000, 0, 1000, 0}, GID: IDs{100, 100, 100, 100}, Threads: 3,
		Permitted: CapsOf(unix.CAP_SYS_PTRACE), Effective: CapsOf(unix.CAP_SYS_PTRACE), Bounding: 1<<41 - 1, Ambient: 1,
		NoNewPrivs: true, Seccomp: SeccompFilter, Filters: 4,
		Groups: "10 20", Umask: 0o22, Pending: 1, SharedPending: 0x706, Blocked: 0x200, Ignored: 0x400, Caught: 6,
	}
	if n := want.Deliverable(); n != 0x107 {
		t.Errorf("deliverable %#x", n)
	}
	if got := ParseStatus(statusText); got != want {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
	if got := ParseStatus(""); got != (Status{}) {
		t.Errorf("empty: %+v", got)
	}
}

func FuzzParseStatus(f *testing.F) {
	f.Add(statusText)
	f.Add("State:\n")
	f.Fuzz(func(t *testing.T, s string) { ParseStatus(s) })
}

func TestReadStatus(t *testing.T) {
	st, err := ReadStatus(unix.Getpid())
	if err != nil || st.PID != unix.Getpid() || st.Parent != unix.Getppid() || st.Threads == 0 {
		t.Errorf("%+v, %v", st, err)
	}
	if _, err := ReadStatus(1 << 30); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}

// machine is a root directory.
type machine map[string]string

func (m machine) FS() fs.FS {
	out := fstest.MapFS{}
	for name, text := range m {
		mode := fs.FileMode(0o444)
		if target, ok := strings.CutPrefix(text, "-> "); ok {
			text, mode = target, fs.ModeSymlink
		}
		out[name] = &fstest.MapFile{Data: []byte(text), Mode: mode, Sys: &syscall.Stat_t{}}
	}
	return out
}

func TestReadProcess(t *testing.T) {
	root := machine{
		"proc/1200/status":                "Name:\tx\nTgid:\t1200\nPid:\t1200\nUid:\t5\t5\t5\t5\n",
		"proc/1200/stat":                  "1200 (a ) b) S 1 1 1 0 -1 4194304 0 0",
		"proc/1200/ns/user":               "-> user:[4026531837]",
		"proc/1200/attr/apparmor/current": "docker-default (enforce)\n",
		"proc/2/status":                   "Name:\tkthreadd\nTgid:\t2\n",
		"proc/2/stat":                     "2 (kthreadd) S 0 0 0 0 -1 2129984 0 0",
		"proc/3/status":                   "Name:\tk\nKthread:\t1\n",
	}.FS()
	p, err := ReadProcess(root, 1200)
	if err != nil {
		t.Fatal(err)
	}
	if p.KernelThread || p.UserNS != 4026531837 || p.Label != "docker-default (enforce)" || !p.notDumpable() {
		t.Errorf("%+v", p)
	}
	for _, pid := range []int{2, 3} {
		if p, err := ReadProcess(root, pid); err != nil || !p.KernelThread {
			t.Errorf("%d: %+v, %v", pid, p, err)
		}
	}
	if _, err := ReadProcess(root, 4); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing: %v", err)
	}
	self, err := ReadProcess(os.DirFS("/"), os.Getpid())
	if err != nil || self.PID != os.Getpid() || self.UID.Effective != uint32(os.Geteuid()) || self.notDumpable() || self.UserNS == 0 {
		t.Errorf("this process: %+v, %v", self, err)
	}
	if err == nil && EffectiveCaps() != self.Effective {
		t.Errorf("capabilities: %v, in /proc %v", EffectiveCaps(), self.Effective)
	}
}

func TestSecurityFiles(t *testing.T) {
	root := machine{
		"proc/sys/kernel/yama/ptrace_scope":     "2\n",
		"proc/sys/kernel/seccomp/actions_avail": "kill_process trap errno user_notif trace log allow\n",
		"sys/kernel/security/lsm":               "lockdown,capability,yama,apparmor",
		"sys/fs/selinux/booleans/deny_ptrace":   "1 1",
		"proc/self/uid_map":                     "         0       1000          1\n         1     100000      65536\n",
		"proc/9/uid_map":                        "         0          0 4294967295\n",
	}.FS()
	if y := ReadYama(root); y != YamaAdmin || y.String() != "administrators only" {
		t.Error(y)
	}
	if y := ReadYama(fstest.MapFS{}); y != YamaAbsent || y.String() != "absent" {
		t.Error(y)
	}
	if y := Yama(9); y.String() != "ptrace_scope 9" {
		t.Error(y)
	}
	if a := SeccompActions(root); len(a) != 7 || a[4] != "trace" {
		t.Error(a)
	}
	if l := LSMs(root); len(l) != 4 || l[3] != "apparmor" {
		t.Error(l)
	}
	if !SELinuxDeniesPtrace(root) || SELinuxDeniesPtrace(fstest.MapFS{}) {
		t.Error("deny_ptrace")
	}
	if m := IDMap(root, "self"); len(m) != 2 || m[1] != (IDRange{1, 100000, 65536}) || InitialUserNS(m) {
		t.Error(m)
	}
	if m := IDMap(root, "9"); !InitialUserNS(m) {
		t.Error(m)
	}
	if m := IDMap(root, "8"); m != nil || InitialUserNS(m) {
		t.Error(m)
	}
}

func TestDetectEnvironment(t *testing.T) {
	for _, tt := range []struct {
		name  string
		files machine
		uname Uname
		env   map[string]string
		want  Environment
	}{
		{"bare", machine{"proc/self/cgroup": "0::/user.slice/session-1.scope\n"}, Uname{Release: "6.1.0"}, nil, Environment{}},
		{"docker", machine{".dockerenv": ""}, Uname{Release: "6.1.0"}, nil, Environment{Container: "docker"}},
		{"podman", machine{"run/.containerenv": "engine=\"podman-4.3.1\"\n"}, Uname{}, nil, Environment{Container: "podman"}},
		{"kubernetes", machine{".dockerenv": ""}, Uname{}, map[string]string{"KUBERNETES_SERVICE_HOST": "10.0.0.1"},
			Environment{Container: "kubernetes"}},
		{"by cgroup", machine{"proc/self/cgroup": "0::/kubepods/burstable/pod1/x\n"}, Uname{}, nil, Environment{Container: "kubernetes"}},
		{"old docker", machine{"proc/self/cgroup": "4:memory:/docker/0123abcd\n"}, Uname{}, nil, Environment{Container: "docker"}},
		{"nspawn", machine{"run/systemd/container": "systemd-nspawn\n"}, Uname{}, nil, Environment{Container: "systemd-nspawn"}},
		{"lxc", machine{"proc/1/environ": "TERM=linux\x00container=lxc\x00"}, Uname{}, nil, Environment{Container: "lxc"}},
		{"gvisor", machine{}, Uname{Release: "4.4.0", Version: gvisorVersion}, nil, Environment{GVisor: true}},
		{"newer gvisor", machine{}, Uname{Release: "4.19.0-gvisor"}, nil, Environment{GVisor: true}},
		{"wsl 1", machine{}, Uname{Release: "4.4.0-19041-Microsoft"}, nil, Environment{WSL: 1}},
		{"wsl 2", machine{}, Uname{Release: "5.15.90.1-microsoft-standard-WSL2"}, nil, Environment{WSL: 2}},
	} {
		if got := DetectEnvironment(tt.files.FS(), tt.uname, func(k string) string { return tt.env[k] }); got != tt.want {
			t.Errorf("%s: %+v, want %+v", tt.name, got, tt.want)
		}
	}
}

// TestProbes compares the probes with what is known of every kernel that farcall supports.
func TestProbes(t *testing.T) {
	v, err := ParseVersion(ReadUname().Release)
	if err != nil {
		t.Fatal(err)
	}
	if e := ProbePtrace(); e != 0 {
		t.Errorf("ptrace: %v", e)
	}
	if e := ProbeVMRead(); e != 0 {
		t.Errorf("process_vm_readv: %v", e)
	}
	s := ProbeSeccomp()
	if s.Filter != 0 || !s.Trace || !s.Notify {
		t.Errorf("seccomp: %+v", s)
	}
	if v.AtLeast(5, 14) && !s.AddFDSend || v.AtLeast(5, 19) && !s.WaitKillable {
		t.Errorf("Linux %v: %+v", v, s)
	}
	// Nothing of it stays.
	if p, err := ReadProcess(os.DirFS("/"), os.Getpid()); err != nil || p.Seccomp != SeccompDisabled && p.Filters == 1 {
		t.Errorf("after the probe: %+v, %v", p, err)
	}
	if err := ProbeTempExec(); err != nil && !NoExec(os.TempDir()) {
		t.Errorf("temporary file: %v", err)
	}
	if n, _ := Sysctl(os.DirFS("/"), "vm.memfd_noexec"); n < 2 {
		if err := ProbeMemfdExec(); err != nil {
			t.Errorf("memfd: %v", err)
		}
	}
	if err := ProbeCompat(); err != nil && !errors.Is(err, ErrNoABI) && !errors.Is(err, unix.ENOEXEC) {
		t.Errorf("compat: %v", err)
	}
	_ = ProbeX32()
	_ = ProbeBPF()
}

func TestStartIdle(t *testing.T) {
	p, err := StartIdle()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Kill(); err != nil {
		t.Error(err)
	}
	st, err := p.Wait()
	if err != nil || st.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		t.Errorf("ended with %v, %v", st, err)
	}
}

// TestOnOwnThread fills the threads there are with goroutines, so that the main thread takes part.
func TestOnOwnThread(t *testing.T) {
	for range 20 * runtime.GOMAXPROCS(0) {
		called := 0
		OnOwnThread(func(tid int) {
			called++
			if tid == os.Getpid() || tid != unix.Gettid() {
				t.Errorf("thread %d of process %d", tid, os.Getpid())
			}
		})
		if called != 1 {
			t.Fatalf("called %d times", called)
		}
	}
}

func TestStringers(t *testing.T) {
	for k := KindNoProc; k <= KindUnknown; k++ {
		if strings.HasPrefix(k.String(), "Kind(") {
			t.Errorf("kind %d has no name", k)
		}
	}
	if got := Kind(200).String(); got != "Kind("+strconv.Itoa(200)+")" {
		t.Error(got)
	}
	if got := SeccompMode(7).String(); got != "seccomp mode 7" {
		t.Error(got)
	}
	if got := SeccompStrict.String(); got != "strict" {
		t.Error(got)
	}
}
