package linux

import (
	"fmt"
	"io/fs"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// A Situation is what decides whether one process may attach to another.
type Situation struct {
	PID        int      // the process or thread to attach to
	Tracer     *Process // nil if /proc cannot be read
	Target     *Process // nil if there is none to be seen
	TracedBy   *Process // who traces the target, if somebody does
	Exists     bool     // kill(2) says that there is a process, whether /proc shows it or not
	Descendant bool     // the target is a descendant of the tracer
	Circle     bool     // the target traces the tracer, directly or through others
	NS         NSRelation
	Yama       Yama
	LSMs       []string
	DenyPtrace bool       // SELinux' boolean
	Refused    unix.Errno // ptrace(2) itself is refused to the tracer: see ProbePtrace
	Container  string
}

// NSRelation says where the target's user namespace is, seen from the tracer's.
type NSRelation uint8

// The relations.
const (
	NSUnknown NSRelation = iota
	NSSame
	NSBelow // a descendant of the tracer's: capabilities of the tracer count there
	NSOwned // a child of the tracer's that belongs to the tracer's user: all capabilities count
	NSOther // any other: none count
)

// A Kind of obstacle.
type Kind uint8

// The kinds.
const (
	KindNoProc Kind = iota
	KindGone
	KindHidden
	KindSelf
	KindCircle
	KindSeccomp
	KindKernelThread
	KindZombie
	KindTraced
	KindUserNS
	KindOtherUser
	KindNotDumpable
	KindCapabilities
	KindYama
	KindLSM
	KindUnknown
)

var kindNames = [...]string{"no-proc", "gone", "hidden", "own-process", "circle", "seccomp", "kernel-thread", "zombie", "traced",
	"user-namespace", "other-user", "not-dumpable", "capabilities", "yama", "security-module", "unknown"}

func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return "Kind(" + strconv.Itoa(int(k)) + ")"
}

// An Obstacle is one reason why an attach fails: one line each.
type Obstacle struct {
	Kind   Kind
	Text   string // what is in the way
	Remedy string // what can be done, "" for nothing
}

func (o Obstacle) String() string {
	if o.Remedy == "" {
		return o.Text
	}
	return o.Text + ": " + o.Remedy
}

// Survey finds out the situation of a tracer that wants to attach to a process. It changes nothing and does not
// try the attach.
func Survey(root fs.FS, tracer, pid int) *Situation {
	s := &Situation{PID: pid, Yama: ReadYama(root), LSMs: LSMs(root), DenyPtrace: SELinuxDeniesPtrace(root)}
	s.Tracer, _ = ReadProcess(root, tracer)
	s.Target, _ = ReadProcess(root, pid)
	s.Exists = s.Target != nil
	if s.Tracer == nil || s.Target == nil {
		return s
	}
	if t := s.Target.Tracer; t != 0 {
		s.TracedBy, _ = ReadProcess(root, t)
	}
	s.Descendant = descends(root, pid, tracer)
	s.Circle = tracesTracer(root, s.Target.PID, tracer)
	if s.Tracer.UserNS != 0 && s.Tracer.UserNS == s.Target.UserNS {
		s.NS = NSSame
	}
	return s
}

// SurveySelf is Survey for the calling process and the running kernel, with what only system calls can tell.
func SurveySelf(root fs.FS, self, pid int, env Environment) *Situation {
	s := Survey(root, self, pid)
	s.Container = env.Container
	s.Refused = ProbePtrace()
	if !s.Exists && pid > 0 {
		err := unix.Kill(pid, 0)
		s.Exists = err == nil || err == unix.EPERM
	}
	if s.NS == NSUnknown && s.Target != nil && s.Tracer != nil {
		s.NS = relation(self, pid)
		// What a process with the capability may not even look at is beyond its namespace, if it is not in the first.
		if s.NS == NSUnknown && s.Tracer.Effective.Has(unix.CAP_SYS_PTRACE) && !InitialUserNS(IDMap(root, "self")) {
			s.NS = NSOther
		}
	}
	return s
}

// Obstacles lists what is in the way, those first that no further right removes (kernel/ptrace.c: ptrace_attach and
// __ptrace_may_access; security/commoncap.c, cap_ptrace_access_check; security/yama/yama_lsm.c). An empty list
// means that nothing known is.
func (s *Situation) Obstacles() []Obstacle {
	var out []Obstacle
	add := func(k Kind, text, remedy string) { out = append(out, Obstacle{k, text, remedy}) }
	if o, ok := s.missing(); ok {
		return []Obstacle{o}
	}
	a, t := s.Tracer, s.Target
	switch {
	case t.PID == a.PID:
		add(KindSelf, "a process cannot trace itself", "trace one farcall with another")
		return out
	case s.Circle:
		add(KindCircle, fmt.Sprintf("process %d is tracing this farcall, directly or through others: both would stop for good", t.PID),
			"start farcall outside of that trace")
	}
	if s.Refused != 0 {
		add(KindSeccomp, fmt.Sprintf("ptrace(2) as such is refused here (%s): by a seccomp filter or a sandbox", errnoName(s.Refused)),
			s.allowPtrace())
	}
	switch {
	case t.KernelThread:
		add(KindKernelThread, "it is a kernel thread: these make no system calls and cannot be traced", "")
		return out
	case t.State == 'Z' || t.State == 'X':
		add(KindZombie, fmt.Sprintf("it has ended and only waits for its parent, process %d, to ask for its status", t.Parent), "")
		return out
	case t.Tracer != 0:
		add(KindTraced, "it is traced already by "+s.tracedBy()+", and there can be only one tracer", "end that one first")
	}
	return append(out, s.permissions()...)
}

// missing is for a process that is not to be seen.
func (s *Situation) missing() (Obstacle, bool) {
	switch {
	case s.Target != nil && s.Tracer != nil:
		return Obstacle{}, false
	case s.Tracer == nil:
		text := "/proc is not mounted, so nothing can be found out about it"
		if !s.Exists {
			text = "no process has this number, and /proc is not mounted"
		}
		return Obstacle{KindNoProc, text, "mount -t proc proc /proc"}, true
	case s.Exists:
		return Obstacle{KindHidden, "there is such a process, but /proc hides it from this user (mount option hidepid)",
			"run as that process's user or as root"}, true
	}
	return Obstacle{KindGone, "no process or thread has this number",
		"it may have ended, or be in a pid namespace that is not visible from here"}, true
}

// permissions are the rules about users and capabilities, then those of the security modules.
func (s *Situation) permissions() []Obstacle {
	var out []Obstacle
	add := func(k Kind, text, remedy string) { out = append(out, Obstacle{k, text, remedy}) }
	a, t := s.Tracer, s.Target
	if !s.capable() {
		sameUser := t.UID.All(a.UID.Real) && t.GID.All(a.GID.Real)
		switch {
		case s.NS == NSOther && !sameUser:
			add(KindUserNS, "its user namespace is not below that of farcall, so that capabilities here do not count there",
				"run farcall in the namespace of that process or in one above (nsenter --user)")
		case !sameUser:
			add(KindOtherUser, fmt.Sprintf("it runs as %s, and farcall as %s without CAP_SYS_PTRACE", who(t), who(a)),
				s.asRoot("run farcall as that user, or as root with sudo"))
		case t.notDumpable():
			add(KindNotDumpable, "it is not dumpable: it was started from a file that only root may read, has changed its user, or asked for it (PR_SET_DUMPABLE)",
				s.asRoot("run farcall as root with sudo"))
		case s.NS != NSOther && t.Permitted.Without(a.Permitted) != 0:
			add(KindCapabilities, "it has capabilities that farcall lacks: "+few(t.Permitted.Without(a.Permitted)),
				s.asRoot("run farcall as root with sudo"))
		case s.NS == NSOther:
			add(KindUserNS, "its user namespace is another than that of farcall, and not below it",
				"run farcall in the namespace of that process or in one above (nsenter --user)")
		}
	}
	switch {
	case s.Yama == YamaNone:
		add(KindYama, "kernel.yama.ptrace_scope is 3: nobody may trace anything", "only a reboot changes it; programs that farcall starts cannot be traced either")
	case s.Yama == YamaAdmin && !s.capable():
		add(KindYama, "kernel.yama.ptrace_scope is 2: attaching needs CAP_SYS_PTRACE", "run as root, or 'sysctl kernel.yama.ptrace_scope=1'")
	case s.Yama == YamaDescendant && !s.capable() && !s.Descendant:
		add(KindYama, "kernel.yama.ptrace_scope is 1: only descendants may be attached to",
			"run as root, or 'sysctl kernel.yama.ptrace_scope=0', or let farcall start the program")
	}
	if s.DenyPtrace {
		add(KindLSM, "SELinux refuses ptrace to everybody (boolean deny_ptrace)", "setsebool deny_ptrace off")
	} else if confined(a.Label) && a.Label != t.Label {
		add(KindLSM, fmt.Sprintf("farcall is confined by the profile %q, the process by %q, and the profile may not allow ptrace between them", a.Label, orNone(t.Label)),
			"allow it in the profile, or run farcall outside of it")
	}
	return out
}

// Unknown is the obstacle to name when the kernel refuses an attach and no known rule does.
func (s *Situation) Unknown() Obstacle {
	text := "the kernel refuses it, though none of its common rules does"
	if len(s.LSMs) > 0 {
		text += "; security modules that may: " + strings.Join(s.LSMs, ", ")
	}
	remedy := "look for the refusal in the kernel's log (dmesg) and in the audit log"
	if s.Container != "" {
		remedy += "; outside of the container it may work"
	}
	return Obstacle{KindUnknown, text, remedy}
}

// First is the obstacle that decides, for an attach that the kernel has refused.
func (s *Situation) First() Obstacle {
	if all := s.Obstacles(); len(all) > 0 {
		return all[0]
	}
	return s.Unknown()
}

// capable tells whether CAP_SYS_PTRACE counts in the target's user namespace (user_namespaces(7)).
func (s *Situation) capable() bool {
	switch s.NS {
	case NSOwned:
		return true
	case NSOther:
		return false
	}
	return s.Tracer.Effective.Has(unix.CAP_SYS_PTRACE)
}

func (s *Situation) tracedBy() string {
	if s.TracedBy == nil {
		return "process " + strconv.Itoa(s.Target.Tracer)
	}
	return fmt.Sprintf("process %d (%s)", s.TracedBy.PID, s.TracedBy.Name)
}

// asRoot adds what a root without the capability needs.
func (s *Situation) asRoot(remedy string) string {
	if s.Tracer.UID.Effective != 0 {
		return remedy
	}
	if s.Container != "" {
		return s.allowPtrace()
	}
	return "farcall is root without CAP_SYS_PTRACE here: start it with that capability"
}

func (s *Situation) allowPtrace() string { return AllowPtrace(s.Container) }

// AllowPtrace says how ptrace is allowed in a container of this kind; "" means none.
func AllowPtrace(container string) string {
	switch container {
	case "docker", "podman", "containerd":
		tool := container
		if tool == "containerd" {
			tool = "nerdctl"
		}
		return "start the container with '" + tool + " run --cap-add=SYS_PTRACE', or also --security-opt seccomp=unconfined"
	case "kubernetes":
		return "give the container securityContext.capabilities.add: [SYS_PTRACE], or use 'kubectl debug --profile=sysadmin'"
	case "":
		return "run farcall outside of the sandbox, or allow ptrace in its seccomp filter"
	}
	return "allow ptrace in the configuration of the container (" + container + ")"
}

// confined tells whether a label is that of a profile which restricts; SELinux has labels for everybody.
func confined(label string) bool {
	profile, _, _ := strings.Cut(label, " ")
	return strings.HasSuffix(label, "(enforce)") && profile != "unconfined"
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

// few keeps a list of capabilities within a line.
func few(s CapSet) string {
	const most = 3
	names := strings.Split(s.String(), ",")
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
}

// who names the user of a process.
func who(p *Process) string {
	if p.UID.All(p.UID.Effective) {
		return user(p.UID.Effective)
	}
	return fmt.Sprintf("%s (real %d, saved %d)", user(p.UID.Effective), p.UID.Real, p.UID.Saved)
}

func user(uid uint32) string {
	if uid == 0 {
		return "root"
	}
	return "user " + strconv.FormatUint(uint64(uid), 10)
}

func errnoName(e unix.Errno) string {
	if name := unix.ErrnoName(e); name != "" {
		return name
	}
	return e.Error()
}
