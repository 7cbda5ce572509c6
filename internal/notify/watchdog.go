package notify

import (
	"encoding/binary"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"

	"farcall/internal/fuse"
	"farcall/internal/linux"

	"golang.org/x/sys/unix"
)

// When the last listener of a filter is closed, every call that the filter wants to have answered fails with ENOSYS: programs would go on and do
// damage. A watchdog, a process of its own, has the listener too. If the supervisor dies it ends all programs that have the filter: those that
// it has been told of, some of which wait for an answer that does not come any more, and those that make a call later.

// watchdogName is the name that the watchdog is called by.
const watchdogName = "farcall-watchdog"

// The descriptors of a watchdog.
const (
	watchdogPipe     = 3 // process ids come here
	watchdogListener = 4
	watchdogOpener   = 5 // of fuse.Serve, if there are files to be opened
	watchdogRoot     = 6
)

// A Watchdog ends the programs of a listener should the supervisor die.
type Watchdog struct {
	cmd  *exec.Cmd
	pipe *os.File

	mu   sync.Mutex
	told map[int]bool
}

// Watch starts a watchdog for the listener. If there is a mount, it opens its files, too.
func Watch(l *Listener, m *fuse.Mount) (*Watchdog, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	fd, err := unix.FcntlInt(uintptr(l.fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		w.Close()
		return nil, err
	}
	listener := os.NewFile(uintptr(fd), "listener")
	defer listener.Close()
	files := []*os.File{r, listener}
	if m != nil {
		socket, root, err := m.Opener()
		if err != nil {
			w.Close()
			return nil, err
		}
		defer socket.Close()
		defer root.Close()
		files = append(files, socket, root)
	}
	cmd := &exec.Cmd{
		Path: "/proc/self/exe", Args: []string{watchdogName}, ExtraFiles: files, Dir: "/",
		SysProcAttr: &syscall.SysProcAttr{Setpgid: true}, // ^C at the terminal is not meant for it
	}
	if err := cmd.Start(); err != nil {
		w.Close()
		return nil, err
	}
	return &Watchdog{cmd: cmd, pipe: w, told: map[int]bool{}}, nil
}

// Saw tells of a thread that has made a call.
func (w *Watchdog) Saw(tid int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.told[tid] {
		return
	}
	w.told[tid] = true
	if len(w.told) > 1<<16 { // most are gone; those that are not are told of again
		clear(w.told)
	}
	_, _ = w.pipe.Write(binary.NativeEndian.AppendUint32(nil, uint32(tid))) // EPIPE: somebody has killed it
}

// Done ends the watchdog: no program is left.
func (w *Watchdog) Done() {
	_, _ = w.pipe.Write(binary.NativeEndian.AppendUint32(nil, 0))
	w.pipe.Close()
	_ = w.cmd.Wait()
}

func init() {
	if len(os.Args) == 1 && os.Args[0] == watchdogName {
		watchdog()
		os.Exit(0)
	}
}

// watchdog is the process.
func watchdog() {
	signal.Ignore(unix.SIGINT, unix.SIGTERM, unix.SIGHUP, unix.SIGQUIT, unix.SIGPIPE)
	unix.CloseOnExec(watchdogPipe)
	if _, err := unix.FcntlInt(watchdogRoot, unix.F_GETFD, 0); err == nil {
		unix.CloseOnExec(watchdogOpener)
		unix.CloseOnExec(watchdogRoot)
		go fuse.Serve(watchdogOpener, watchdogRoot)
	}
	l := New(watchdogListener)
	programs := map[int]int{} // process id to pidfd
	pipe := os.NewFile(watchdogPipe, "pipe")
	for {
		var b [4]byte
		if _, err := io.ReadFull(pipe, b[:]); err != nil {
			break
		}
		tid := int(binary.NativeEndian.Uint32(b[:]))
		if tid == 0 {
			return
		}
		if len(programs) >= 512 {
			forget(programs)
		}
		st, err := linux.ReadStatus(tid)
		if err != nil { // it is gone
			continue
		}
		if _, known := programs[st.PID]; !known {
			if fd, err := unix.PidfdOpen(st.PID, 0); err == nil {
				programs[st.PID] = fd
			}
		}
	}
	addDescendants(programs)
	for _, fd := range programs {
		_ = unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0)
	}
	for {
		var n Notification
		if l.Receive(&n) != nil {
			return
		}
		_ = unix.Kill(int(n.TID), unix.SIGKILL) // a thread's id will do
	}
}

// addDescendants adds what programs have started: one that has just made its first call may wait for the answer of a supervisor that was killed
// before it could tell of it, and that call is not received once more.
func addDescendants(programs map[int]int) {
	for grown := true; grown; {
		grown = false
		names, _ := filepath.Glob("/proc/[0-9]*")
		for _, name := range names {
			pid, err := strconv.Atoi(filepath.Base(name))
			if _, known := programs[pid]; err != nil || known {
				continue
			}
			st, err := linux.ReadStatus(pid)
			if err != nil {
				continue
			}
			if _, child := programs[st.Parent]; !child {
				continue
			}
			if fd, err := unix.PidfdOpen(pid, 0); err == nil {
				programs[pid] = fd
				grown = true
			}
		}
	}
}

// forget drops the programs that have ended.
func forget(programs map[int]int) {
	for pid, fd := range programs {
		if gone(fd) {
			unix.Close(fd)
			delete(programs, pid)
		}
	}
}
