package proxy

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"runtime"

	"farcall/decode"
	"farcall/internal/engine"
	"farcall/internal/notify"
	"farcall/internal/ptrace"
	"farcall/internal/seccomp"
	"farcall/syscalls"

	"golang.org/x/sys/unix"
)

// notify runs a program whose calls arrive by user notification.
func (p *Proxy) notify(ctx context.Context, cmd *exec.Cmd) (Status, error) {
	filter, err := seccomp.Compile(spec(seccomp.Notify, p.filter()))
	if err != nil {
		return Status{}, err
	}
	done := make(chan error, 1)
	err = notify.Launch(cmd, filter, uint64(engine.OriginallyIgnored()), func(l *notify.Listener) error {
		w, err := notify.Watch(l, p.objects.mount)
		if err != nil {
			return fmt.Errorf("start watchdog: %w", err)
		}
		go func() {
			defer w.Done()
			defer l.Close()
			done <- p.listen(ctx, l, w)
		}()
		return nil
	})
	if err != nil {
		return Status{}, err
	}
	stop := context.AfterFunc(ctx, func() { _ = cmd.Process.Kill() })
	defer stop()
	st, err := wait(cmd)
	return st, errors.Join(err, <-done)
}

// wait waits for the program's end. Not by waiting for a child alone, which would also take the stops that redirect waits for.
func wait(cmd *exec.Cmd) (st Status, err error) {
	pidfd, err := unix.PidfdOpen(cmd.Process.Pid, 0)
	if err != nil {
		return st, fmt.Errorf("pidfd_open: %w", err)
	}
	defer unix.Close(pidfd)
	for {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(pidfd), Events: unix.POLLIN}}, -1)
		if n == 1 {
			break
		}
		if err != nil && err != unix.EINTR {
			return st, fmt.Errorf("wait: poll: %w", err)
		}
	}
	state, err := cmd.Process.Wait()
	if err != nil {
		return st, fmt.Errorf("wait: %w", err)
	}
	ws := state.Sys().(interface {
		Signaled() bool
		Signal() unix.Signal
		ExitStatus() int
	})
	if ws.Signaled() {
		st.Signal = ws.Signal()
	} else {
		st.Code = ws.ExitStatus()
	}
	return st, nil
}

// listen answers calls until no process is left that makes any. What does not need the server is answered on this thread, which is
// quickest; the rest elsewhere, so that it holds nobody up.
//
// When ctx is done, programs are killed as they make calls.
func (p *Proxy) listen(ctx context.Context, l *notify.Listener, w *notify.Watchdog) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	t := &notified{listener: l}
	for {
		err := l.Receive(&t.Notification)
		if errors.Is(err, notify.ErrDone) {
			return nil
		}
		if err != nil {
			return err
		}
		w.Saw(t.TID())
		if ctx.Err() != nil {
			_ = unix.Kill(t.TID(), unix.SIGKILL)
			continue
		}
		t.mem.Reset(int(t.Notification.TID))
		if rest := p.Handle(t); rest != nil && l.Valid(t.ID) { // what was read of the thread was its own
			go func(t *notified) {
				rest()
				t.interruption.stop()
				t.mem.Close()
			}(t)
			t = &notified{listener: l}
		} else {
			t.mem.Close()
		}
	}
}

// notified is a call that has arrived at a listener. Its answers fail only if the thread has been killed.
type notified struct {
	notify.Notification
	listener *notify.Listener
	mem      ptrace.Memory

	interruption interruption
}

func (t *notified) TID() int { return int(t.Notification.TID) }

func (t *notified) Call() (abi syscalls.ABI, number uint64, args [6]uint64) {
	abi, number = nativeABI, uint64(uint32(t.Number))
	if abi == syscalls.AMD64 && number&syscalls.X32Bit != 0 {
		abi = syscalls.X32
	}
	return abi, number, t.Args
}

func (t *notified) Read(addr uint64, b []byte) int {
	n, _ := t.mem.Read(addr, b) // how far it got is all that counts
	return n
}

func (t *notified) ReadV(ranges []decode.Range) {
	for i := range ranges {
		ranges[i].N = t.Read(ranges[i].Addr, ranges[i].Buf)
	}
}

// Write makes sure that the thread still waits: its number could be another's by now.
func (t *notified) Write(addr uint64, b []byte) (int, error) {
	if !t.listener.Valid(t.ID) {
		return 0, unix.ESRCH
	}
	return t.mem.Write(addr, b)
}

func (t *notified) Return(v int64) {
	if v == -int64(unix.EINTR) {
		v = t.interruption.result()
	}
	_ = t.listener.Return(t.ID, v)
}

// Interrupted is closed when the thread should not wait for its call any longer: a signal waits for it, or it was killed.
func (t *notified) Interrupted() <-chan struct{} {
	return t.interruption.watch(t.TID(), func() bool { return t.listener.Valid(t.ID) })
}

func (t *notified) Continue() { _ = t.listener.Continue(t.ID) }

func (t *notified) Install(file int, cloexec bool) int64 {
	n, err := t.listener.Install(t.ID, file, cloexec)
	if err != nil {
		var errno unix.Errno
		errors.As(err, &errno)
		t.Return(-int64(errno)) // EMFILE
		return -int64(errno)
	}
	return int64(n)
}
