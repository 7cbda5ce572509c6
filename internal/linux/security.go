package linux

import (
	"io/fs"
	"strconv"
	"strings"
)

// Yama is kernel.yama.ptrace_scope (Documentation/admin-guide/LSM/Yama.rst).
type Yama int

// The scopes.
const (
	YamaAbsent     Yama = iota - 1 // the module is not there
	YamaClassic                    // no restriction
	YamaDescendant                 // descendants, and those that allow it (PR_SET_PTRACER)
	YamaAdmin                      // only with CAP_SYS_PTRACE
	YamaNone                       // nobody, until the next boot
)

func (y Yama) String() string {
	names := [...]string{"absent", "classic", "descendants only", "administrators only", "nobody"}
	if i := int(y) + 1; i >= 0 && i < len(names) {
		return names[i]
	}
	return "ptrace_scope " + strconv.Itoa(int(y))
}

// ReadYama reads the scope.
func ReadYama(root fs.FS) Yama {
	if n, ok := Sysctl(root, "kernel.yama.ptrace_scope"); ok {
		return Yama(n)
	}
	return YamaAbsent
}

// Sysctl reads a number, name being spelled with dots as for sysctl(8); false if there is none.
func Sysctl(root fs.FS, name string) (int, bool) {
	b, err := fs.ReadFile(root, "proc/sys/"+strings.ReplaceAll(name, ".", "/"))
	if err != nil {
		return 0, false
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(b)))
	return n, err == nil
}

// SeccompActions reads the actions of seccomp filters that the kernel knows, such as "trace" and "user_notif"; nil before
// Linux 4.14.
func SeccompActions(root fs.FS) []string {
	b, err := fs.ReadFile(root, "proc/sys/kernel/seccomp/actions_avail")
	if err != nil {
		return nil
	}
	return strings.Fields(string(b))
}

// LSMs reads which security modules are active, in order; nil if the list cannot be read, which needs
// securityfs.
func LSMs(root fs.FS) []string {
	b, err := fs.ReadFile(root, "sys/kernel/security/lsm")
	if err != nil {
		return nil
	}
	return strings.FieldsFunc(strings.TrimSpace(string(b)), func(r rune) bool { return r == ',' })
}

// SELinuxDeniesPtrace tells whether the boolean deny_ptrace is set, by which SELinux refuses ptrace to everybody.
func SELinuxDeniesPtrace(root fs.FS) bool {
	b, err := fs.ReadFile(root, "sys/fs/selinux/booleans/deny_ptrace")
	return err == nil && strings.HasPrefix(string(b), "1")
}

// An IDRange is one line of /proc/PID/uid_map (user_namespaces(7)).
type IDRange struct{ Inside, Outside, Count uint32 }

// IDMap reads a map of ids; nil for a user namespace that has none yet.
func IDMap(root fs.FS, pid string) []IDRange {
	b, err := fs.ReadFile(root, "proc/"+pid+"/uid_map")
	if err != nil {
		return nil
	}
	var out []IDRange
	for line := range strings.Lines(string(b)) {
		f := strings.Fields(line)
		if len(f) != 3 {
			continue
		}
		var n [3]uint32
		for i := range n {
			v, err := strconv.ParseUint(f[i], 10, 32)
			if err != nil {
				return out
			}
			n[i] = uint32(v)
		}
		out = append(out, IDRange{n[0], n[1], n[2]})
	}
	return out
}

// InitialUserNS tells whether a map is that of the initial user namespace, in which capabilities reach every process.
func InitialUserNS(m []IDRange) bool {
	return len(m) == 1 && m[0] == IDRange{0, 0, 1<<32 - 1}
}
