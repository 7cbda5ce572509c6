package linux

import (
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"

	"golang.org/x/sys/unix"
)

// user1000 is a plain process of user 1000, changed by the given functions.
func user1000(pid int, change ...func(*Process)) *Process {
	p := &Process{UserNS: 1, Owner: 1000}
	p.PID, p.TID, p.State, p.Name = pid, pid, 'S', "prog"
	p.UID, p.GID = IDs{1000, 1000, 1000, 1000}, IDs{100, 100, 100, 100}
	for _, f := range change {
		f(p)
	}
	return p
}

func asRoot(p *Process) {
	p.UID, p.GID, p.Owner = IDs{}, IDs{}, 0
	p.Permitted, p.Effective = 1<<41-1, 1<<41-1
}

func withoutCaps(p *Process) { p.Permitted, p.Effective = 0, 0 }

func TestObstacles(t *testing.T) {
	tracer := user1000(10)
	root := user1000(10, asRoot)
	for _, tt := range []struct {
		name string
		s    Situation
		want []Kind
		text string // part of the first
	}{
		{"same user", Situation{Tracer: tracer, Target: user1000(20), NS: NSSame}, nil, ""},
		{"root", Situation{Tracer: root, Target: user1000(20), NS: NSSame}, nil, ""},
		{"gone", Situation{Tracer: tracer}, []Kind{KindGone}, "no process"},
		{"hidden", Situation{Tracer: tracer, Exists: true}, []Kind{KindHidden}, "hidepid"},
		{"no /proc", Situation{Exists: true}, []Kind{KindNoProc}, "nothing can be found out"},
		{"no /proc and gone", Situation{}, []Kind{KindNoProc}, "no process has this number"},
		{"self", Situation{Tracer: tracer, Target: user1000(10)}, []Kind{KindSelf}, "itself"},
		{"circle", Situation{Tracer: tracer, Target: user1000(20), NS: NSSame, Circle: true}, []Kind{KindCircle}, "process 20 is tracing"},
		{"kernel thread", Situation{Tracer: root, Target: user1000(20, func(p *Process) { p.KernelThread = true })},
			[]Kind{KindKernelThread}, "kernel thread"},
		{"zombie", Situation{Tracer: root, Target: user1000(20, func(p *Process) { p.State, p.Parent = 'Z', 7 })},
			[]Kind{KindZombie}, "its parent, process 7,"},
		{"traced", Situation{Tracer: root, Target: user1000(20, func(p *Process) { p.Tracer = 31 }), NS: NSSame,
			TracedBy: user1000(30, func(p *Process) { p.Name = "gdb" })}, []Kind{KindTraced}, "by process 30 (gdb)"},
		{"traced by one unseen", Situation{Tracer: root, Target: user1000(20, func(p *Process) { p.Tracer = 31 }), NS: NSSame},
			[]Kind{KindTraced}, "by process 31,"},
		{"seccomp", Situation{Tracer: root, Target: user1000(20), NS: NSSame, Refused: unix.EPERM, Container: "podman"},
			[]Kind{KindSeccomp}, "EPERM"},
		{"other user", Situation{Tracer: tracer, Target: user1000(20, func(p *Process) { p.UID = IDs{1001, 1001, 1001, 1001} }), NS: NSSame},
			[]Kind{KindOtherUser}, "user 1001, and farcall as user 1000"},
		{"set-user-ID", Situation{Tracer: tracer, Target: user1000(20, func(p *Process) { p.UID.Effective = 0 }), NS: NSSame},
			[]Kind{KindOtherUser}, "root (real 1000, saved 1000)"},
		{"other group", Situation{Tracer: tracer, Target: user1000(20, func(p *Process) { p.GID.Saved = 5 }), NS: NSSame}, []Kind{KindOtherUser}, ""},
		{"not dumpable", Situation{Tracer: tracer, Target: user1000(20, func(p *Process) { p.Owner = 0 }), NS: NSSame},
			[]Kind{KindNotDumpable}, "PR_SET_DUMPABLE"},
		{"not dumpable, root", Situation{Tracer: root, Target: user1000(20, func(p *Process) { p.Owner = 0 }), NS: NSSame}, nil, ""},
		{"more capabilities", Situation{Tracer: tracer, Target: user1000(20, func(p *Process) { p.Permitted = CapsOf(unix.CAP_NET_ADMIN) }), NS: NSSame},
			[]Kind{KindCapabilities}, "CAP_NET_ADMIN"},
		{"root without capabilities", Situation{Tracer: user1000(10, asRoot, withoutCaps), Target: user1000(20), NS: NSSame, Container: "docker"},
			[]Kind{KindOtherUser}, "farcall as root without CAP_SYS_PTRACE"},
		{"namespace below", Situation{Tracer: root, Target: user1000(20), NS: NSBelow}, nil, ""},
		{"own namespace", Situation{Tracer: tracer, Target: user1000(20, asRoot), NS: NSOwned}, nil, ""},
		{"namespace above", Situation{Tracer: root, Target: user1000(20), NS: NSOther}, []Kind{KindUserNS}, "user namespace"},
		{"namespace above, same user", Situation{Tracer: tracer, Target: user1000(20), NS: NSOther}, []Kind{KindUserNS}, "user namespace"},
		{"yama 0", Situation{Tracer: tracer, Target: user1000(20), NS: NSSame, Yama: YamaClassic}, nil, ""},
		{"yama 1", Situation{Tracer: tracer, Target: user1000(20), NS: NSSame, Yama: YamaDescendant}, []Kind{KindYama}, "ptrace_scope is 1"},
		{"yama 1, child", Situation{Tracer: tracer, Target: user1000(20), NS: NSSame, Yama: YamaDescendant, Descendant: true}, nil, ""},
		{"yama 1, root", Situation{Tracer: root, Target: user1000(20), NS: NSSame, Yama: YamaDescendant}, nil, ""},
		{"yama 2", Situation{Tracer: tracer, Target: user1000(20), NS: NSSame, Yama: YamaAdmin, Descendant: true}, []Kind{KindYama}, "ptrace_scope is 2"},
		{"yama 2, root", Situation{Tracer: root, Target: user1000(20), NS: NSSame, Yama: YamaAdmin}, nil, ""},
		{"yama 3, root", Situation{Tracer: root, Target: user1000(20), NS: NSSame, Yama: YamaNone}, []Kind{KindYama}, "ptrace_scope is 3"},
		{"other user and yama", Situation{Tracer: tracer, Target: user1000(20, asRoot), NS: NSSame, Yama: YamaDescendant},
			[]Kind{KindOtherUser, KindYama}, "runs as root"},
		{"selinux", Situation{Tracer: root, Target: user1000(20), NS: NSSame, DenyPtrace: true}, []Kind{KindLSM}, "deny_ptrace"},
		{"apparmor", Situation{Tracer: user1000(10, func(p *Process) { p.Label = "docker-default (enforce)" }), Target: user1000(20), NS: NSSame},
			[]Kind{KindLSM}, `"docker-default (enforce)"`},
		{"apparmor, same profile", Situation{Tracer: user1000(10, func(p *Process) { p.Label = "a (enforce)" }),
			Target: user1000(20, func(p *Process) { p.Label = "a (enforce)" }), NS: NSSame}, nil, ""},
		{"apparmor, unconfined", Situation{Tracer: user1000(10, func(p *Process) { p.Label = "unconfined" }),
			Target: user1000(20, func(p *Process) { p.Label = "x (enforce)" }), NS: NSSame}, nil, ""},
	} {
		got := tt.s.Obstacles()
		var kinds []Kind
		for _, o := range got {
			kinds = append(kinds, o.Kind)
			if strings.Contains(o.Text+o.Remedy, "\n") || o.Text == "" {
				t.Errorf("%s: not a line: %q", tt.name, o)
			}
		}
		if !slices.Equal(kinds, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, kinds, tt.want)
			continue
		}
		if first := tt.s.First(); !strings.Contains(first.String(), tt.text) || len(got) == 0 && first.Kind != KindUnknown {
			t.Errorf("%s: %q, want %q", tt.name, first, tt.text)
		}
	}
}

func TestAllowPtrace(t *testing.T) {
	for container, want := range map[string]string{
		"docker": "docker run --cap-add=SYS_PTRACE", "podman": "podman run", "containerd": "nerdctl run",
		"kubernetes": "securityContext", "": "sandbox", "lxc": "(lxc)",
	} {
		if got := AllowPtrace(container); !strings.Contains(got, want) {
			t.Errorf("%s: %q", container, got)
		}
	}
}

// TestSurvey reads a machine: 10 is the tracer, traced by 40, which 50 traces; 20 is its grandchild.
func TestSurvey(t *testing.T) {
	stat := func(pid, parent, tracer int) string {
		return fmt.Sprintf("Name:\tp%d\nState:\tS (sleeping)\nTgid:\t%d\nPid:\t%d\nPPid:\t%d\nTracerPid:\t%d\nUid:\t0\t0\t0\t0\n", pid, pid, pid, parent, tracer)
	}
	root := fstest.MapFS{}
	for _, p := range [][3]int{{1, 0, 0}, {10, 1, 40}, {15, 10, 0}, {20, 15, 0}, {30, 1, 0}, {40, 1, 50}, {50, 1, 0}, {60, 1, 30}} {
		for _, dir := range []string{fmt.Sprintf("proc/%d", p[0]), fmt.Sprintf("proc/%d/task/%d", p[0], p[0])} {
			root[dir+"/status"] = &fstest.MapFile{Data: []byte(stat(p[0], p[1], p[2])), Sys: &syscall.Stat_t{}}
		}
		root[fmt.Sprintf("proc/%d/ns/user", p[0])] = &fstest.MapFile{Data: []byte("user:[5]"), Mode: fs.ModeSymlink}
	}
	root["proc/sys/kernel/yama/ptrace_scope"] = &fstest.MapFile{Data: []byte("1\n")}
	for _, tt := range []struct {
		pid                int
		descendant, circle bool
		tracedBy           string
	}{
		{pid: 20, descendant: true}, {pid: 30}, {pid: 40, circle: true, tracedBy: "p50"}, {pid: 50, circle: true}, {pid: 60, tracedBy: "p30"},
	} {
		s := Survey(root, 10, tt.pid)
		by := ""
		if s.TracedBy != nil {
			by = s.TracedBy.Name
		}
		if s.Descendant != tt.descendant || s.Circle != tt.circle || by != tt.tracedBy || s.NS != NSSame || s.Yama != YamaDescendant {
			t.Errorf("%d: %+v", tt.pid, s)
		}
	}
	if s := Survey(root, 10, 99); s.Exists || s.Target != nil {
		t.Errorf("missing: %+v", s)
	}
}

// TestSurveySelf looks at the parent, which is somebody's child of this user, and at no process.
func TestSurveySelf(t *testing.T) {
	s := SurveySelf(os.DirFS("/"), os.Getpid(), os.Getppid(), Environment{})
	if !s.Exists || s.Target == nil || s.NS != NSSame || s.Refused != 0 || s.Descendant {
		t.Errorf("parent: %+v", s)
	}
	const nobody = 1<<31 - 1 // above every pid_max
	if s := SurveySelf(os.DirFS("/"), os.Getpid(), nobody, Environment{}); s.Exists || s.First().Kind != KindGone {
		t.Errorf("none: %+v", s)
	}
}
