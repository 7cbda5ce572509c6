package doctor

import (
	"encoding/binary"
	"os"
	"strconv"
	"time"

	"farcall/internal/linux"
	"farcall/internal/ptrace"

	"golang.org/x/sys/unix"
)

// attachFacts is what came of attaching to a child.
type attachFacts struct {
	err             error // of the attach, the stop or the detach
	step            string
	getInfo         error
	setInfo         error // EINVAL is what a kernel says that has it: the stop is none of a call
	vm, file, words error // the three ways to read memory
}

// tryAttach attaches to a child that sleeps, reads its memory, and detaches.
func tryAttach() attachFacts {
	child, err := linux.StartIdle()
	if err != nil {
		return attachFacts{step: "start a child", err: err}
	}
	// The end of the child ends every wait for it.
	stop := time.AfterFunc(tryTime, func() { _ = child.Kill() })
	var f attachFacts
	linux.OnOwnThread(func(int) { f = attachTo(child.Pid) })
	stop.Stop()
	_ = child.Kill()
	_, _ = child.Wait()
	return f
}

func attachTo(pid int) attachFacts {
	var f attachFacts
	fail := func(step string, err error) bool {
		if err != nil && f.err == nil {
			f.step, f.err = step, err
		}
		return err != nil
	}
	if fail("PTRACE_SEIZE", ptrace.Seize(pid, ptrace.OptTraceSysgood)) ||
		fail("PTRACE_INTERRUPT", ptrace.Interrupt(pid)) {
		return f
	}
	_, status, err := ptrace.Wait4(pid, unix.WALL, nil)
	if fail("wait4", err) {
		return f
	}
	if !status.Stopped() {
		fail("wait for the stop", unix.ESRCH)
		return f
	}
	var info ptrace.SyscallInfo
	_, f.getInfo = ptrace.GetSyscallInfo(pid, &info)
	f.setInfo = ptrace.SetSyscallInfo(pid, &info)
	f.readMemory(pid)
	fail("PTRACE_DETACH", ptrace.Detach(pid, 0))
	return f
}

// readMemory reads a word of the child's stack in each way.
func (f *attachFacts) readMemory(pid int) {
	var regs ptrace.Regs
	if err := ptrace.GetRegs(pid, &regs); err != nil {
		f.vm, f.file, f.words = err, err, err
		return
	}
	addr := regs.SP()
	want, err := ptrace.PeekData(pid, addr)
	f.words = err

	var b [8]byte
	check := func(n int, err error) error {
		if err == nil && (n != len(b) || f.words == nil && binary.NativeEndian.Uint64(b[:]) != want) {
			err = unix.EIO
		}
		return err
	}
	local := unix.Iovec{Base: &b[0], Len: uint64(len(b))}
	remote := unix.RemoteIovec{Base: uintptr(addr), Len: len(b)}
	f.vm = check(unix.ProcessVMReadv(pid, []unix.Iovec{local}, []unix.RemoteIovec{remote}, 0))
	mem, err := os.Open("/proc/" + strconv.Itoa(pid) + "/mem")
	if err != nil {
		f.file = err
		return
	}
	defer mem.Close()
	f.file = check(mem.ReadAt(b[:], int64(addr)))
}

// trySeize attaches to a process without stopping it, and lets go of it by the end of the tracing thread.
func trySeize(pid int) error {
	var (
		err error
		tid int
	)
	linux.OnOwnThread(func(thread int) {
		tid = thread
		err = ptrace.Seize(pid, 0)
	})
	// The tracee is free once the thread is gone.
	const attempts, pause = 1000, time.Millisecond
	for range attempts {
		if unix.Tgkill(os.Getpid(), tid, 0) == unix.ESRCH {
			break
		}
		time.Sleep(pause)
	}
	return err
}

// ExamineAttach finds out whether the process or thread with the number pid can be traced. Where none of the kernel's rules
// is known to be against it from the start, it is tried: the process is attached to without being stopped, and released.
func ExamineAttach(pid int) *Process {
	s := linux.SurveySelf(os.DirFS("/"), os.Getpid(), pid, environment())
	p := &Process{PID: pid, Obstacles: []Obstacle{}}
	if s.Target != nil {
		p.Name = s.Target.Name
	}
	all := s.Obstacles()
	// The survey would not let the kernel refuse these.
	if len(all) == 0 || all[0].Kind != linux.KindSelf && all[0].Kind != linux.KindCircle {
		if trySeize(pid) == nil {
			p.Traceable = true
			return p
		}
	}
	if len(all) == 0 {
		all = append(all, s.Unknown())
	}
	for _, o := range all {
		p.Obstacles = append(p.Obstacles, Obstacle{o.Kind.String(), o.Text, o.Remedy})
	}
	return p
}
