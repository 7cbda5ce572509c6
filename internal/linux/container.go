package linux

import (
	"io/fs"
	"strings"
)

// An Environment is where the kernel, or what answers for it, runs.
type Environment struct {
	Container string // docker, podman, lxc, kubernetes, ...; "" for none
	GVisor    bool   // calls are answered by gVisor's kernel
	WSL       int    // 1 or 2 for Microsoft's subsystem, otherwise 0
}

// gvisorVersion is the fixed version that gVisor's kernel (pkg/sentry/syscalls/linux/linux64.go) gives itself.
const gvisorVersion = "#1 SMP Sun Jan 10 15:06:54 PST 2016"

// cgroupMarks are parts of paths in /proc/self/cgroup that container engines choose. With cgroup namespaces the path is "/",
// and there are none.
var cgroupMarks = []struct{ mark, name string }{
	{"kubepods", "kubernetes"}, {"libpod", "podman"}, {"/docker", "docker"}, {"/lxc", "lxc"},
	{"containerd", "containerd"}, {"machine.slice", "systemd-nspawn"},
}

// DetectEnvironment looks for the signs that containers and stand-ins of the kernel leave. getenv is that of the
// process.
func DetectEnvironment(root fs.FS, u Uname, getenv func(string) string) Environment {
	release := strings.ToLower(u.Release)
	e := Environment{
		Container: container(root, getenv),
		GVisor:    strings.Contains(release, "gvisor") || u.Version == gvisorVersion,
	}
	if strings.Contains(release, "microsoft") {
		e.WSL = 2
		if strings.HasPrefix(release, "4.4.0-") { // the version that the first WSL pretends to be
			e.WSL = 1
		}
	}
	return e
}

func container(root fs.FS, getenv func(string) string) string {
	exists := func(name string) bool { _, err := fs.Stat(root, name); return err == nil }
	read := func(name string) string {
		b, _ := fs.ReadFile(root, name)
		return strings.TrimSpace(string(b))
	}
	if getenv("KUBERNETES_SERVICE_HOST") != "" {
		return "kubernetes"
	}
	if name := read("run/systemd/container"); name != "" { // written by systemd as a container's init
		return name
	}
	if exists("run/.containerenv") {
		return "podman"
	}
	if exists(".dockerenv") {
		return "docker"
	}
	// The container interface of systemd; readable for root only.
	for _, v := range strings.Split(read("proc/1/environ"), "\x00") {
		if name, ok := strings.CutPrefix(v, "container="); ok && name != "" {
			return name
		}
	}
	cgroup := read("proc/self/cgroup")
	for _, m := range cgroupMarks {
		if strings.Contains(cgroup, m.mark) {
			return m.name
		}
	}
	return ""
}
