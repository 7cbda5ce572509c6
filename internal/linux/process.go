package linux

import (
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"syscall"
)

// A Process is what decides whether it may trace or be traced.
type Process struct {
	Status
	UserNS uint64 // inode number of its user namespace, 0 if it could not be read
	Owner  uint32 // owner of its directory in /proc: root if the process is not dumpable (proc(5), /proc/pid)
	Label  string // of the security module, such as "docker-default (enforce)"; "" if there is none
}

// ReadProcess reads the directory of a process, or of a thread, below proc/ in root. Only its status has to be readable.
//
// Errors: fs.ErrNotExist if there is no such process, or it is hidden (proc(5), hidepid), or /proc is not mounted.
func ReadProcess(root fs.FS, pid int) (*Process, error) {
	dir := "proc/" + strconv.Itoa(pid)
	text, err := fs.ReadFile(root, dir+"/status")
	if err != nil {
		return nil, fmt.Errorf("read process %d: %w", pid, err)
	}
	p := &Process{Status: ParseStatus(string(text))}
	if stat, err := fs.ReadFile(root, dir+"/stat"); err == nil && !p.KernelThread {
		p.KernelThread = kernelThread(string(stat)) // Kthread in status is of Linux 6.8
	}
	p.Owner = p.UID.Effective
	// The directory itself always belongs to the user (fs/proc/base.c, task_dump_owner).
	if info, err := fs.Stat(root, dir+"/status"); err == nil {
		if st, ok := info.Sys().(*syscall.Stat_t); ok {
			p.Owner = st.Uid
		}
	}
	p.UserNS = namespace(root, dir+"/ns/user")
	p.Label = label(root, dir)
	return p, nil
}

// kernelThread looks for PF_KTHREAD (include/linux/sched.h) among the flags in /proc/PID/stat.
func kernelThread(stat string) bool {
	const (
		pfKthread = 0x00200000
		flags     = 6 // fields behind the name, which may contain blanks and parentheses
	)
	f := strings.Fields(stat[strings.LastIndexByte(stat, ')')+1:])
	if len(f) <= flags {
		return false
	}
	n, _ := strconv.ParseUint(f[flags], 10, 64)
	return n&pfKthread != 0
}

// namespace reads the inode number out of a link such as user:[4026531837].
func namespace(root fs.FS, name string) uint64 {
	target, err := fs.ReadLink(root, name)
	if err != nil {
		return 0
	}
	_, inode, _ := strings.Cut(target, ":[")
	n, _ := strconv.ParseUint(strings.TrimSuffix(inode, "]"), 10, 64)
	return n
}

// label reads the security module's label. AppArmor has a directory of its own since Linux 5.8, as other modules may
// own the old file.
func label(root fs.FS, dir string) string {
	for _, name := range []string{"/attr/apparmor/current", "/attr/current"} {
		if b, err := fs.ReadFile(root, dir+name); err == nil {
			if s := strings.TrimRight(string(b), "\x00\n"); s != "" {
				return s
			}
		}
	}
	return ""
}

// notDumpable tells that a process is surely not dumpable: its files belong to somebody else. For processes of
// root it cannot be seen.
func (p *Process) notDumpable() bool { return p.Owner != p.UID.Effective }

// parentOf gives the parent of a process, 0 if there is none.
func parentOf(root fs.FS, pid int) int {
	text, err := fs.ReadFile(root, "proc/"+strconv.Itoa(pid)+"/status")
	if err != nil {
		return 0
	}
	return ParseStatus(string(text)).Parent
}

// descends tells whether ancestor is among the parents of pid.
func descends(root fs.FS, pid, ancestor int) bool {
	const deepest = 1 << 16 // parents can change while we walk
	for range deepest {
		if pid = parentOf(root, pid); pid == ancestor {
			return true
		}
		if pid <= 1 {
			return false
		}
	}
	return false
}

// tracesTracer tells whether process pid traces the process self, or a process that does, and so on. The kernel does not refuse such
// a circle, in which all would stop for good.
func tracesTracer(root fs.FS, pid, self int) bool {
	seen := map[int]bool{}
	pending := []int{self}
	for len(pending) > 0 {
		p := pending[0]
		pending = pending[1:]
		if seen[p] {
			continue
		}
		seen[p] = true
		threads, _ := fs.ReadDir(root, "proc/"+strconv.Itoa(p)+"/task")
		for _, t := range threads {
			text, err := fs.ReadFile(root, "proc/"+strconv.Itoa(p)+"/task/"+t.Name()+"/status")
			if err != nil {
				continue
			}
			tracer := ParseStatus(string(text)).Tracer
			if tracer == 0 {
				continue
			}
			if text, err := fs.ReadFile(root, "proc/"+strconv.Itoa(tracer)+"/status"); err == nil {
				tracer = ParseStatus(string(text)).PID
			}
			if tracer == pid {
				return true
			}
			pending = append(pending, tracer)
		}
	}
	return false
}
