package cli

import (
	"os"
	"os/signal"
	"runtime"
	"sync"
	"time"
	"unsafe"

	"farcall/internal/cmdline"

	"golang.org/x/sys/unix"
)

// fatal are the signals that end a trace from outside.
var fatal = []os.Signal{unix.SIGHUP, unix.SIGINT, unix.SIGQUIT, unix.SIGPIPE, unix.SIGTERM}

// interrupts waits for signals to farcall itself.
type interrupts struct {
	ch   chan os.Signal
	done chan struct{}
	wg   sync.WaitGroup
	by   unix.Signal // that ended the trace
	at   time.Time
}

// oneRequest is how close signals are together that are one request: timeout(1), for one, sends its signal to the command and
// once more to its process group.
const oneRequest = 200 * time.Millisecond

// catchInterrupts lets a signal end the trace in order: programs that farcall started get the signal and a
// SIGCONT, those that it attached to go on, and the output is complete. With -I never, which is the default for -o
// and a program, signals that the terminal sends to both are left to the program.
func (r *traceRun) catchInterrupts() *interrupts {
	in := &interrupts{ch: make(chan os.Signal, 4), done: make(chan struct{})}
	ignore := r.opts.Interruptible >= cmdline.InterruptNever
	var wanted []os.Signal
	for _, s := range fatal {
		if s == unix.SIGHUP && signal.Ignored(s) || s == unix.SIGINT && signal.Ignored(s) {
			continue // as under nohup
		}
		wanted = append(wanted, s)
	}
	if r.opts.Interruptible == cmdline.InterruptNeverTSTP {
		wanted = append(wanted, unix.SIGTSTP)
	}
	if len(wanted) > 0 {
		signal.Notify(in.ch, wanted...)
	}
	in.wg.Add(1)
	go func() {
		defer in.wg.Done()
		for {
			select {
			case <-in.done:
				return
			case s := <-in.ch:
				if ignore {
					continue
				}
				sig := s.(unix.Signal)
				switch {
				case in.by == 0:
					in.by, in.at = sig, time.Now()
					r.terminate(sig)
				case time.Since(in.at) > oneRequest: // asked twice
					_ = r.tracer.Do(r.watch.kill)
				}
			}
		}
	}()
	return in
}

// stop ends the waiting and returns the signal that ended the trace, 0 if none did.
func (in *interrupts) stop() unix.Signal {
	signal.Stop(in.ch)
	close(in.done)
	in.wg.Wait()
	return in.by
}

// terminate ends the trace because of a signal.
func (r *traceRun) terminate(sig unix.Signal) {
	_ = r.tracer.Do(func() { r.watch.terminate(sig) }) // fails when the trace has ended by itself
	// Programs that carry a filter cannot be let go; they have got the signal, and are traced to their end.
	_ = r.tracer.Detach()
}

// dieOf ends farcall by the signal that ended the program, without a core dump of its own.
func dieOf(sig unix.Signal) {
	_ = unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{})
	signal.Reset(sig)
	setDefault(sig)
	runtime.LockOSThread() // so that the signal is delivered before tgkill returns
	_ = unix.Tgkill(unix.Getpid(), unix.Gettid(), sig)
}

// setDefault gives a signal its default action in spite of the Go runtime, which keeps handlers of its own.
func setDefault(sig unix.Signal) {
	var act [4]uintptr // struct sigaction of the kernel: SIG_DFL, no flags, empty mask
	_, _, _ = unix.RawSyscall6(unix.SYS_RT_SIGACTION, uintptr(sig), uintptr(unsafe.Pointer(&act)), 0, 8, 0, 0)
}
