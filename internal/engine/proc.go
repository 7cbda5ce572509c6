package engine

import (
	"bytes"
	"os"
	"strconv"
)

// status has what the engine needs of /proc/TID/status (proc_pid_status(5)).
type status struct {
	tgid, ppid, tracer int
	state              byte  // R, S, D, T, t, Z, X
	nspid              []int // ids of the thread, from the tracer's pid namespace inwards
	nstgid             []int
	pending            uint64 // signals to the thread, as a set
}

func readStatus(tid int) (status, error) {
	return readStatusFile("/proc/" + strconv.Itoa(tid) + "/status")
}

func readStatusFile(name string) (status, error) {
	var st status
	b, err := os.ReadFile(name)
	if err != nil {
		return st, err
	}
	for line := range bytes.Lines(b) {
		key, val, ok := bytes.Cut(line, []byte(":"))
		if !ok {
			continue
		}
		f := bytes.Fields(val)
		if len(f) == 0 {
			continue
		}
		switch string(key) {
		case "State":
			st.state = f[0][0]
		case "Tgid":
			st.tgid = atoi(f[0])
		case "PPid":
			st.ppid = atoi(f[0])
		case "TracerPid":
			st.tracer = atoi(f[0])
		case "NSpid":
			st.nspid = atois(f)
		case "SigPnd":
			st.pending, _ = strconv.ParseUint(string(f[0]), 16, 64)
		case "NStgid":
			st.nstgid = atois(f)
		}
	}
	return st, nil
}

func atoi(b []byte) int {
	n, _ := strconv.Atoi(string(b))
	return n
}

func atois(fields [][]byte) []int {
	ids := make([]int, len(fields))
	for i, f := range fields {
		ids[i] = atoi(f)
	}
	return ids
}

// tasks lists the threads of a process.
func tasks(pid int) ([]int, error) {
	d, err := os.Open("/proc/" + strconv.Itoa(pid) + "/task")
	if err != nil {
		return nil, err
	}
	defer d.Close()
	names, err := d.Readdirnames(-1)
	ids := make([]int, 0, len(names))
	for _, n := range names {
		if id, err := strconv.Atoi(n); err == nil {
			ids = append(ids, id)
		}
	}
	return ids, err
}

// NSIDs gives the ids of process and thread as the program itself sees them: those of its innermost pid namespace.
func (t *Thread) NSIDs() (pid, tid int, err error) {
	st, err := readStatus(t.TID)
	if err != nil || len(st.nspid) == 0 || len(st.nstgid) == 0 {
		return t.Proc.PID, t.TID, err
	}
	return st.nstgid[len(st.nstgid)-1], st.nspid[len(st.nspid)-1], nil
}
