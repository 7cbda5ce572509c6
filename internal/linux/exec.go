package linux

import (
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// ErrNoABI is returned by probes of what the architecture does not have.
var ErrNoABI = errors.New("this architecture has no such ABI")

// probeTime bounds the time that a program of a dozen bytes may take.
const probeTime = 5 * time.Second

// ProbeMemfdExec tells whether a memfd can be executed through /proc: nil, or why not. vm.memfd_noexec (Linux 6.3), a security
// module, a filter, or the lack of /proc forbid it.
func ProbeMemfdExec() error {
	f, err := memfd(nativeELF())
	if err != nil {
		return err
	}
	defer f.Close()
	return run(fmt.Sprintf("/proc/self/fd/%d", f.Fd()))
}

// StartIdle starts a program that does nothing until it is killed, to try things on. The caller has to kill it, and to wait
// for it.
func StartIdle() (*os.Process, error) {
	attr := &os.ProcAttr{Env: []string{}}
	if f, err := memfd(idleELF()); err == nil {
		p, err := os.StartProcess(fmt.Sprintf("/proc/self/fd/%d", f.Fd()), []string{"idle"}, attr)
		f.Close()
		if err == nil {
			return p, nil
		}
	}
	var p *os.Process
	err := withTemp(idleELF(), func(path string) (err error) {
		p, err = os.StartProcess(path, []string{"idle"}, attr)
		return err
	})
	return p, err
}

// memfd puts a program into memory. The descriptor is a high one: StartProcess puts others onto the low ones.
func memfd(img []byte) (*os.File, error) {
	fd, err := unix.MemfdCreate("probe", unix.MFD_CLOEXEC|unix.MFD_EXEC)
	if err == unix.EINVAL { // MFD_EXEC is of Linux 6.3
		fd, err = unix.MemfdCreate("probe", unix.MFD_CLOEXEC)
	}
	if err != nil {
		return nil, fmt.Errorf("memfd_create: %w", err)
	}
	const high = 16
	dup, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, high)
	unix.Close(fd)
	if err != nil {
		return nil, fmt.Errorf("fcntl: %w", err)
	}
	f := os.NewFile(uintptr(dup), "memfd")
	if _, err := f.Write(img); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// ProbeTempExec tells whether a file in the directory for temporary files can be executed: nil, or why not.
func ProbeTempExec() error { return runTemp(nativeELF()) }

// ProbeCompat tells whether the kernel runs 32-bit programs of the architecture (CONFIG_IA32_EMULATION, not
// switched off by ia32_emulation=0): nil; ErrNoABI; or the error of execve, ENOEXEC if it does not.
func ProbeCompat() error {
	img := compatELF()
	if img == nil {
		return ErrNoABI
	}
	return runTemp(img)
}

func runTemp(img []byte) error { return withTemp(img, run) }

// withTemp lets start execute a program from a temporary file.
func withTemp(img []byte, start func(path string) error) error {
	f, err := os.CreateTemp("", "farcall-probe-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(img)
	if err == nil {
		err = f.Chmod(0o700)
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return err
	}
	const attempts = 50
	for range attempts {
		// Another thread's fork may hold the file open for writing until its exec.
		if err = start(f.Name()); !errors.Is(err, unix.ETXTBSY) {
			break
		}
	}
	return err
}

// run executes a program that exits with status 0 at once.
func run(path string) error {
	p, err := os.StartProcess(path, []string{"probe"}, &os.ProcAttr{Env: []string{}})
	if err != nil {
		return err
	}
	stop := time.AfterFunc(probeTime, func() { _ = p.Kill() })
	defer stop.Stop()
	st, err := p.Wait()
	if err != nil {
		return err
	}
	if !st.Success() {
		return fmt.Errorf("the probe ended with %s", st)
	}
	return nil
}
