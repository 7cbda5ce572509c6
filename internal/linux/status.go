package linux

import (
	"strconv"
	"strings"
)

// A SeccompMode is the mode of a thread in /proc/PID/status.
type SeccompMode uint8

// The modes (include/uapi/linux/seccomp.h).
const (
	SeccompDisabled SeccompMode = iota
	SeccompStrict               // read, write, exit and sigreturn only
	SeccompFilter
)

func (m SeccompMode) String() string {
	names := [...]string{"disabled", "strict", "filter"}
	if int(m) < len(names) {
		return names[m]
	}
	return "seccomp mode " + strconv.Itoa(int(m))
}

// IDs are the four user or group ids of a process.
type IDs struct{ Real, Effective, Saved, FS uint32 }

// All tells whether real, effective and saved id are id: what ptrace(2) asks of a tracee.
func (i IDs) All(id uint32) bool { return i.Real == id && i.Effective == id && i.Saved == id }

// A Status is what /proc/PID/status says (proc_pid_status(5)). Fields that the kernel does not have are zero.
type Status struct {
	Name         string
	State        byte // R, S, D, T, t, Z, X, I
	PID          int  // of the process, not the thread
	TID          int
	Parent       int
	Tracer       int // thread id of the tracer, 0 if there is none
	KernelThread bool
	UID, GID     IDs
	Threads      int
	Inheritable  CapSet
	Permitted    CapSet
	Effective    CapSet
	Bounding     CapSet
	Ambient      CapSet
	NoNewPrivs   bool
	Seccomp      SeccompMode
	Filters      int // number of seccomp filters (Linux 5.9)
}

// statusFields parses each field that counts.
var statusFields = map[string]func(s *Status, v string){
	"State":           func(s *Status, v string) { s.State = (v + "?")[0] },
	"Tgid":            func(s *Status, v string) { s.PID = number(v) },
	"Pid":             func(s *Status, v string) { s.TID = number(v) },
	"PPid":            func(s *Status, v string) { s.Parent = number(v) },
	"TracerPid":       func(s *Status, v string) { s.Tracer = number(v) },
	"Kthread":         func(s *Status, v string) { s.KernelThread = v == "1" },
	"Uid":             func(s *Status, v string) { s.UID = ids(v) },
	"Gid":             func(s *Status, v string) { s.GID = ids(v) },
	"Threads":         func(s *Status, v string) { s.Threads = number(v) },
	"CapInh":          func(s *Status, v string) { s.Inheritable = capSet(v) },
	"CapPrm":          func(s *Status, v string) { s.Permitted = capSet(v) },
	"CapEff":          func(s *Status, v string) { s.Effective = capSet(v) },
	"CapBnd":          func(s *Status, v string) { s.Bounding = capSet(v) },
	"CapAmb":          func(s *Status, v string) { s.Ambient = capSet(v) },
	"NoNewPrivs":      func(s *Status, v string) { s.NoNewPrivs = v == "1" },
	"Seccomp":         func(s *Status, v string) { s.Seccomp = SeccompMode(number(v)) },
	"Seccomp_filters": func(s *Status, v string) { s.Filters = number(v) },
}

// ParseStatus reads the text of a status file. Lines it does not know are passed over.
func ParseStatus(text string) Status {
	var s Status
	for line := range strings.Lines(text) {
		key, value, ok := strings.Cut(line, ":")
		if !ok {
			continue
		}
		if key == "Name" { // the kernel escapes newlines; blanks belong to the name
			s.Name = strings.TrimSuffix(strings.TrimPrefix(value, "\t"), "\n")
			continue
		}
		if set := statusFields[key]; set != nil {
			set(&s, strings.TrimSpace(value))
		}
	}
	return s
}

func number(s string) int {
	n, _ := strconv.Atoi(s)
	return n
}

func capSet(s string) CapSet {
	n, _ := strconv.ParseUint(s, 16, 64)
	return CapSet(n)
}

func ids(s string) IDs {
	var out [4]uint32
	for i, f := range strings.Fields(s) {
		if n, err := strconv.ParseUint(f, 10, 32); err == nil && i < len(out) {
			out[i] = uint32(n)
		}
	}
	return IDs{out[0], out[1], out[2], out[3]}
}
