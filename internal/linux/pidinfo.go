package linux

import (
	"bytes"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// PID implements decode.Resolver: it appends the name of the process or thread.
func (t *TaskInfo) PID(dst []byte, pid int32) []byte {
	if t.info.show&Commands == 0 || pid <= 0 {
		return dst
	}
	own := t.translate(pid)
	if own <= 0 {
		return dst
	}
	other := TaskInfo{tid: own}
	comm := other.readFile(other.proc("comm", -1))
	return appendPath(dst, bytes.TrimSuffix(comm, []byte("\n")))
}

// Remark implements decode.Remarker: it appends the id of the process in our namespace where that
// is not the one that the program uses.
func (t *TaskInfo) Remark(dst []byte, pid int32) []byte {
	if t.info.show&Namespaces == 0 || pid <= 0 {
		return dst
	}
	own := t.translate(pid)
	if own <= 0 || own == int(pid) {
		return dst
	}
	return append(strconv.AppendInt(dst, int64(own), 10), " in strace's PID NS"...)
}

// nsGetPIDFromPIDNS is NS_GET_PID_FROM_PIDNS, linux/nsfs.h, since Linux 6.11.
const nsGetPIDFromPIDNS = 0x8004b706

// translate returns the id in our namespace of the process that has pid in the thread's, 0 if
// there is none.
func (t *TaskInfo) translate(pid int32) int {
	link := t.readlink(t.proc("ns/pid", -1))
	own, err := os.Readlink("/proc/self/ns/pid")
	if link == nil || err != nil || string(link) == own {
		return int(pid)
	}
	theirs := string(link)
	ns, err := unix.Open("/proc/"+strconv.Itoa(t.tid)+"/ns/pid", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err == nil {
		defer unix.Close(ns)
		n, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(ns), nsGetPIDFromPIDNS, uintptr(pid))
		if errno == 0 {
			return int(n)
		}
		if errno == unix.ESRCH {
			return 0
		}
	}
	return search(pid, theirs)
}

// search looks through all processes for the one that has pid in the namespace.
func search(pid int32, ns string) int {
	dir, err := os.ReadDir("/proc")
	if err != nil {
		return 0
	}
	for _, e := range dir {
		own, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		tasks, err := os.ReadDir("/proc/" + e.Name() + "/task")
		if err != nil {
			continue
		}
		if link, err := os.Readlink("/proc/" + e.Name() + "/ns/pid"); err != nil || link != ns {
			continue
		}
		for _, task := range tasks {
			if n, err := strconv.Atoi(task.Name()); err == nil {
				own = n
			}
			status, err := os.ReadFile("/proc/" + e.Name() + "/task/" + task.Name() + "/status")
			if err != nil {
				continue
			}
			_, rest, ok := bytes.Cut(status, []byte("\nNSpid:"))
			if !ok {
				continue
			}
			line, _, _ := bytes.Cut(rest, []byte("\n"))
			ids := bytes.Fields(line)
			if len(ids) > 0 && string(ids[len(ids)-1]) == strconv.Itoa(int(pid)) {
				return own
			}
		}
	}
	return 0
}
