package notify

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"farcall/internal/linux"
	"farcall/internal/seccomp"

	"golang.org/x/sys/unix"
)

// A program is launched by way of this program itself: a filter has to be installed by the process that it is for, between fork and exec.
// The launcher installs it, tells where its listener is, waits until somebody listens, since its own execve is a call like any other,
// and becomes the program. Both sides talk by a page of shared memory, which no filter sees.

// launcherName is the name that the launcher is called by.
const launcherName = "farcall-launch"

// page is the shared memory.
type page struct {
	state   uint32 // one of the states below; waited for with futex(2)
	fd      uint32 // the listener's descriptor in the launcher
	errno   uint32 // with launchFailed
	failed  uint32 // index into launchSteps
	ignored uint64 // signals that the program starts with ignored
	filter  uint32 // bytes of the filter that follow
	_       uint32
}

const (
	launchStarted = iota
	launchListening
	launchGo
	launchFailed
)

var launchSteps = [...]string{"prctl(PR_SET_NO_NEW_PRIVS)", "seccomp", "execve"}

const pageSize = 64 << 10

// launcherFD is the descriptor of the shared memory in the launcher: the first behind the standard streams.
const launcherFD = 3

// ErrUnavailable is wrapped by the errors of Launch if there is no user notification here that can be relied upon.
var ErrUnavailable = errors.New("seccomp user notification is not available")

// Launch starts a program with a filter, and returns its listener. run is called before the program runs, and has to see to it that
// Receive is called; its error prevents the program. cmd's ExtraFiles must be empty. ignored are the signals that the program is to start with ignored, bit 0 being
// signal 1.
//
// Errors: ErrUnavailable; errnos.
func Launch(cmd *exec.Cmd, filter *seccomp.Program, ignored uint64, run func(*Listener) error) error {
	code := filter.Encode()
	mem, err := unix.MemfdCreate("launch", unix.MFD_CLOEXEC)
	if err != nil {
		return fmt.Errorf("memfd_create: %w", err)
	}
	file := os.NewFile(uintptr(mem), "launch")
	defer file.Close()
	if err := file.Truncate(pageSize); err != nil {
		return err
	}
	b, err := unix.Mmap(mem, 0, pageSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return fmt.Errorf("mmap: %w", err)
	}
	defer unix.Munmap(b)
	pg := (*page)(unsafe.Pointer(unsafe.SliceData(b)))
	if len(code) > pageSize-int(unsafe.Sizeof(*pg)) {
		return fmt.Errorf("filter of %d bytes is too long", len(code))
	}
	pg.ignored, pg.filter = ignored, uint32(len(code))
	copy(b[unsafe.Sizeof(*pg):], code)

	self := *cmd
	self.Path, self.Args = "/proc/self/exe", append([]string{launcherName, cmd.Path}, cmd.Args...)
	self.ExtraFiles = []*os.File{file}
	if err := self.Start(); err != nil {
		return fmt.Errorf("start launcher: %w", err)
	}
	cmd.Process = self.Process
	l, err := adopt(self.Process.Pid, pg)
	if err == nil {
		err = run(l)
	}
	if err != nil {
		_ = self.Process.Kill()
		_, _ = self.Process.Wait()
		return err
	}
	atomic.StoreUint32(&pg.state, launchGo)
	futexWake(&pg.state)
	return nil
}

// launchTimeout is how long the launcher may take; it only starts up.
const launchTimeout = 30 * time.Second

// adopt waits for the launcher's listener and takes it.
func adopt(pid int, pg *page) (*Listener, error) {
	pidfd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return nil, fmt.Errorf("pidfd_open: %w", err)
	}
	defer unix.Close(pidfd)
	for end := time.Now().Add(launchTimeout); ; {
		switch atomic.LoadUint32(&pg.state) {
		case launchListening:
			fd, err := unix.PidfdGetfd(pidfd, int(pg.fd), 0)
			if err != nil {
				return nil, fmt.Errorf("take the listener: pidfd_getfd: %w", err)
			}
			return New(fd), nil
		case launchFailed:
			return nil, fmt.Errorf("%w: %s: %w", ErrUnavailable, launchSteps[pg.failed], unix.Errno(pg.errno))
		}
		if gone(pidfd) || time.Now().After(end) {
			return nil, errors.New("the launcher ended early")
		}
		futexWait(&pg.state, launchStarted, 100*time.Millisecond)
	}
}

// gone tells whether a process has ended.
func gone(pidfd int) bool {
	fds := []unix.PollFd{{Fd: int32(pidfd), Events: unix.POLLIN}}
	n, _ := unix.Poll(fds, 0)
	return n == 1
}

func futexWait(w *uint32, old uint32, d time.Duration) {
	ts := unix.NsecToTimespec(int64(d))
	_, _, _ = unix.Syscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(w)), 0, uintptr(old), uintptr(unsafe.Pointer(&ts)), 0, 0)
}

func futexWake(w *uint32) {
	_, _, _ = unix.Syscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(w)), 1, 1, 0, 0, 0)
}

// init makes a process that was started as the launcher become the program that it is to launch. It does so before the rest of this
// program starts.
func init() {
	if len(os.Args) >= 3 && os.Args[0] == launcherName {
		launcher(os.Args[1], os.Args[2:])
	}
}

// launcher does not return.
func launcher(path string, args []string) {
	runtime.LockOSThread() // the filter is the thread's, which becomes the program
	b, err := unix.Mmap(launcherFD, 0, pageSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		os.Exit(127)
	}
	unix.CloseOnExec(launcherFD)
	pg := (*page)(unsafe.Pointer(unsafe.SliceData(b)))
	fail := func(step uint32, err error) {
		var errno unix.Errno
		errors.As(err, &errno)
		pg.failed, pg.errno = step, uint32(errno)
		atomic.StoreUint32(&pg.state, launchFailed)
		futexWake(&pg.state)
		os.Exit(127)
	}
	code := b[unsafe.Sizeof(*pg):][:pg.filter]
	prog := unix.SockFprog{Len: uint16(len(code) / 8), Filter: (*unix.SockFilter)(unsafe.Pointer(unsafe.SliceData(code)))}
	ignore(pg.ignored)
	env := os.Environ()
	if !linux.EffectiveCaps().Has(unix.CAP_SYS_ADMIN) {
		if err := seccomp.NoNewPrivs(); err != nil {
			fail(0, err)
		}
	}
	fd, _, e := unix.RawSyscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, NewListener|WaitKillable, uintptr(unsafe.Pointer(&prog)))
	if e != 0 {
		fail(1, e)
	}
	// From here on this thread makes no call that the filter may want to see, until somebody listens.
	pg.fd = uint32(fd)
	atomic.StoreUint32(&pg.state, launchListening)
	raw := func(op, val uintptr) {
		_, _, _ = unix.RawSyscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(&pg.state)), op, val, 0, 0, 0)
	}
	raw(1, 1)
	for atomic.LoadUint32(&pg.state) == launchListening {
		raw(0, launchListening)
	}
	err = syscall.Exec(path, args, env)
	message := []byte("farcall: " + path + ": " + err.Error() + "\n")
	_, _ = unix.Write(2, message)
	if errors.Is(err, unix.ENOENT) {
		os.Exit(127)
	}
	os.Exit(126)
}

// ignore ignores signals as the program's parent did: the runtime has handlers for most.
func ignore(set uint64) {
	for sig := range 64 {
		if set&(1<<sig) != 0 {
			var act [32]byte                         // struct sigaction of the kernel: handler, flags, restorer, mask
			binary.NativeEndian.PutUint64(act[:], 1) // SIG_IGN
			_, _, _ = unix.RawSyscall6(unix.SYS_RT_SIGACTION, uintptr(sig+1), uintptr(unsafe.Pointer(&act)), 0, 8, 0, 0)
		}
	}
}
