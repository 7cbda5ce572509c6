package linux

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
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
	Groups       string // supplementary ones, with blanks between
	Umask        uint32 // Linux 4.7
	Threads      int
	Inheritable  CapSet
	Permitted    CapSet
	Effective    CapSet
	Bounding     CapSet
	Ambient      CapSet
	NoNewPrivs   bool
	Seccomp      SeccompMode
	Filters      int // number of seccomp filters (Linux 5.9)

	// Signals, bit 0 standing for signal 1.
	Pending, SharedPending, Blocked, Ignored, Caught uint64
}

// Deliverable are the signals that wait for the thread to take them: pending for it or its process, neither blocked nor ignored.
func (s *Status) Deliverable() uint64 { return (s.Pending | s.SharedPending) &^ s.Blocked &^ s.Ignored }

// ERESTARTSYS (linux/errno.h) is the result of a call that a signal has interrupted: the kernel makes it EINTR, or makes the call again, as the handler of
// the signal that it delivers says (sigaction(2), SA_RESTART). Without a signal to deliver the program would see the number itself.
const ERESTARTSYS = unix.Errno(512)

// Interrupted tells whether a thread whose call waits for our answer should not wait any longer, as a signal waits for it, or it is gone, and what the
// call returns then: EINTR if another thread may take the signal, otherwise ERESTARTSYS. 0: it may wait on.
func Interrupted(tid int) unix.Errno {
	st, err := ReadStatus(tid)
	switch {
	case err != nil:
		return unix.EINTR
	case st.Deliverable() == 0:
		return 0
	case st.Pending&st.Deliverable() != 0 || st.Threads == 1:
		return ERESTARTSYS
	}
	return unix.EINTR
}

// ReadStatus reads the status of a process or thread.
//
// Errors: fs.ErrNotExist if it is gone, or hidden (proc(5), hidepid); syscall.ESRCH if it ended while it was read.
func ReadStatus(tid int) (*Status, error) {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(tid) + "/status")
	if err != nil {
		return nil, fmt.Errorf("read status: %w", err)
	}
	s := ParseStatus(string(b))
	return &s, nil
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
	"Groups":          func(s *Status, v string) { s.Groups = v },
	"Umask":           func(s *Status, v string) { n, _ := strconv.ParseUint(v, 8, 32); s.Umask = uint32(n) },
	"SigPnd":          func(s *Status, v string) { s.Pending = signals(v) },
	"ShdPnd":          func(s *Status, v string) { s.SharedPending = signals(v) },
	"SigBlk":          func(s *Status, v string) { s.Blocked = signals(v) },
	"SigIgn":          func(s *Status, v string) { s.Ignored = signals(v) },
	"SigCgt":          func(s *Status, v string) { s.Caught = signals(v) },
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

func signals(s string) uint64 {
	n, _ := strconv.ParseUint(s, 16, 64)
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
