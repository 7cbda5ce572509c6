package ptrace

import (
	"os"
	"os/exec"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// PeekUser offsets of struct user on x86-64 are those of X86Regs; other machines have no user area.
func TestPeekPoke(t *testing.T) {
	tr := start(t, "memory")
	base := parseHex(t, tr.line)
	tr.seize(0)
	word, err := PeekData(tr.pid, base)
	must(t, err)
	if word != 0x0807060504030201 {
		t.Errorf("word %#x", word)
	}
	must(t, PokeData(tr.pid, base+8, 0x4d))
	if word, err = PeekText(tr.pid, base+8); err != nil || word != 0x4d {
		t.Errorf("word %#x, %v", word, err)
	}
	page := pageSize
	_, err = PeekText(tr.pid, base+page)
	wantErr(t, "peek where nothing is mapped", err, unix.EIO)
	wantErr(t, "poke where nothing is mapped", PokeText(tr.pid, base+page, 1), unix.EIO)
	must(t, PokeText(tr.pid, base+2*page, 0x99)) // read-only, private
	if word, err = PeekText(tr.pid, base+2*page); err != nil || word != 0x99 {
		t.Errorf("poke of a read-only page: %#x, %v", word, err)
	}
	_, err = PeekUser(tr.pid, 3)
	wantErr(t, "unaligned user offset", err, unix.EIO)
	_, err = PeekUser(tr.pid, 1<<20)
	wantErr(t, "user offset outside", err, unix.EIO)
	wantErr(t, "unaligned user offset", PokeUser(tr.pid, 3, 0), unix.EIO)
	must(t, Cont(tr.pid, 0))
	_, err = PeekData(tr.pid, base)
	wantErr(t, "peek of a running tracee", err, unix.ESRCH)
	tr.proceed()
	if ws := tr.wait(); ws.ExitStatus() != 0x4d {
		t.Errorf("program saw %v", ws)
	}
}

// The errors that come from a bad address in the tracer.
func TestBadDestination(t *testing.T) {
	tr := start(t, "sleep")
	tr.seize(0)
	size := unsafe.Sizeof(SyscallInfo{})
	for _, r := range []struct {
		req  Request
		addr uintptr
	}{
		{ReqGetSiginfo, 0}, {ReqSetSiginfo, 0}, {ReqGetEventMsg, 0}, {ReqGetSigmask, 8}, {ReqSetSigmask, 8},
		{ReqGetRegSet, uintptr(SetPrstatus)}, {ReqSetRegSet, uintptr(SetPrstatus)}, {ReqGetSyscallInfo, size},
		{ReqSetSyscallInfo, size}, {ReqPeekSiginfo, 0}, {ReqGetSyscallUserDispatchConfig, 32},
		{ReqSetSyscallUserDispatchConfig, 32}, {ReqGetRseqConfiguration, 24},
	} {
		_, err := doPtr(r.req, tr.pid, r.addr, nil)
		wantErr(t, r.req.String(), err, unix.EFAULT)
	}
	_, err := doPtr(ReqGetSyscallUserDispatchConfig, tr.pid, 31, nil)
	wantErr(t, "wrong size", err, unix.EINVAL)
	_, err = doPtr(ReqSetSyscallInfo, tr.pid, 8, nil)
	wantErr(t, "structure too short", err, unix.EINVAL)
	_, _, err = Wait4(tr.pid, 1<<20, nil)
	wantErr(t, "unknown wait option", err, unix.EINVAL)
	_, _, err = RawWait4(tr.pid, 1<<20, nil)
	wantErr(t, "unknown wait option", err, unix.EINVAL)
}

func TestSetOptions(t *testing.T) {
	tr := start(t, "sleep")
	tr.seize(0)
	wantErr(t, "unknown option", SetOptions(tr.pid, 1<<30), unix.EINVAL)
	must(t, SetOptions(tr.pid, OptTraceSysgood|OptTraceExit))
	must(t, unix.Kill(tr.pid, unix.SIGTERM))
	must(t, Cont(tr.pid, 0))
	ws := tr.wait()
	if ws.StopSignal() != unix.SIGTERM {
		t.Fatal(ws)
	}
	must(t, Cont(tr.pid, unix.SIGTERM))
	if ws = tr.wait(); ws.Event() != EventExit {
		t.Fatal(ws)
	}
	msg, err := GetEventMsg(tr.pid)
	if err != nil || WaitStatus(msg).Signal() != unix.SIGTERM {
		t.Fatalf("exit event: %#x, %v", msg, err)
	}
	must(t, Cont(tr.pid, 0))
	if ws = tr.wait(); ws.Signal() != unix.SIGTERM {
		t.Fatal(ws)
	}
}

// Every event is seen once, with the message that belongs to it.
func TestEvents(t *testing.T) {
	tr := start(t, "events")
	tr.seize(OptTraceFork | OptTraceVfork | OptTraceVforkDone | OptTraceClone | OptTraceExec | OptTraceExit)
	tr.proceed()
	must(t, Cont(tr.pid, 0))
	var events []Event
	var children []int
	for range 1000 {
		pid, ws, err := Wait4(-1, unix.WALL|unix.WNOTHREAD, nil)
		if err == unix.EINTR {
			continue
		}
		must(t, err)
		if ws.Exited() && pid == tr.pid {
			if ws.ExitStatus() != 4 {
				t.Errorf("status %v", ws)
			}
			break
		}
		if !ws.Stopped() {
			continue
		}
		sig := unix.Signal(0)
		if ws.SignalStop() {
			sig = ws.StopSignal()
		}
		if pid == tr.pid && ws.Event() != EventNone {
			msg, err := GetEventMsg(pid)
			must(t, err)
			events = append(events, ws.Event())
			switch ws.Event() {
			case EventFork, EventVfork, EventClone:
				children = append(children, int(msg))
			case EventVforkDone:
				if int(msg) != children[1] {
					t.Errorf("vfork-done of %d, child was %d", msg, children[1])
				}
			case EventExec:
				if int(msg) != tr.pid {
					t.Errorf("exec event: former id %d, want %d", msg, tr.pid)
				}
			case EventExit:
				if WaitStatus(msg).ExitStatus() != 4 {
					t.Errorf("exit event: %#x", msg)
				}
			}
		}
		if err := Cont(pid, sig); err != nil && err != unix.ESRCH {
			t.Fatal(err)
		}
	}
	want := []Event{EventFork, EventVfork, EventVforkDone, EventClone, EventExec, EventExit}
	if len(events) != len(want) {
		t.Fatalf("events %v, want %v", events, want)
	}
	for i := range want {
		if events[i] != want[i] {
			t.Fatalf("events %v, want %v", events, want)
		}
	}
}

func TestSigmask(t *testing.T) {
	tr := start(t, "queue")
	tr.seize(0)
	m, err := GetSigmask(tr.pid)
	must(t, err)
	if !m.Has(unix.SIGUSR1) || !m.Has(35) || m.Len() != 2 {
		t.Errorf("mask %#x", uint64(m))
	}
	m = m.With(unix.SIGUSR2).With(unix.SIGKILL)
	must(t, SetSigmask(tr.pid, m))
	got, err := GetSigmask(tr.pid)
	must(t, err)
	if got != m.Without(unix.SIGKILL) {
		t.Errorf("mask %#x, want %#x", uint64(got), uint64(m.Without(unix.SIGKILL)))
	}
	var word uint64
	_, err = doPtr(ReqGetSigmask, tr.pid, 4, unsafe.Pointer(&word))
	wantErr(t, "wrong size of the mask", err, unix.EINVAL)
}

func TestPeekSiginfo(t *testing.T) {
	tr := start(t, "queue")
	tr.seize(0)
	// queue reads everything from position off, at most max signals at a time.
	queue := func(off uint64, shared bool, max int) (all []Siginfo) {
		t.Helper()
		for range 20 {
			infos := make([]Siginfo, max)
			n, err := PeekSiginfo(tr.pid, off, shared, infos)
			must(t, err)
			if n == 0 {
				return all
			}
			all = append(all, infos[:n]...)
			off += uint64(n)
		}
		t.Fatal("the queue has no end")
		return nil
	}
	for _, max := range []int{1, 2, 4} {
		infos := queue(0, true, max)
		if len(infos) != 2 || infos[0].Signo != 35 || infos[0].Value() != 11 || infos[1].Value() != 22 ||
			infos[0].Layout() != LayoutQueue {
			t.Errorf("shared signals: %+v", infos)
		}
	}
	if infos := queue(1, true, 4); len(infos) != 1 || infos[0].Value() != 22 {
		t.Errorf("shared signals from 1: %+v", infos)
	}
	if infos := queue(0, false, 4); len(infos) != 1 || infos[0].Signal() != unix.SIGUSR1 || infos[0].PID() != tr.pid {
		t.Errorf("private signals: %+v", infos)
	}
	if infos := queue(9, true, 4); len(infos) != 0 {
		t.Errorf("behind the end: %+v", infos)
	}
	n, err := PeekSiginfo(tr.pid, 0, true, nil)
	if n != 0 || err != nil {
		t.Errorf("no room: %d, %v", n, err)
	}
}

func TestSiginfo(t *testing.T) {
	tr := start(t, "signals")
	tr.seize(0)
	tr.proceed()
	must(t, Cont(tr.pid, 0))
	var si Siginfo
	next := func(sig unix.Signal, code int32, layout SiginfoLayout) {
		t.Helper()
		ws := tr.wait()
		if !ws.SignalStop() || ws.StopSignal() != sig {
			t.Fatalf("got %v, want a stop by %v", ws, sig)
		}
		must(t, GetSiginfo(tr.pid, &si))
		if si.Signal() != sig || si.Code != code || si.Layout() != layout {
			t.Errorf("siginfo %d code %d layout %v, want %d %d %v", si.Signo, si.Code, si.Layout(), sig, code, layout)
		}
	}
	next(unix.SIGUSR1, -1, LayoutQueue) // SI_QUEUE
	if si.PID() != tr.pid || si.UID() != unix.Getuid() || uint32(si.Value()) != 41 {
		t.Errorf("queued: %d %d %d", si.PID(), si.UID(), si.Value())
	}
	// The program must see the changed value.
	*(*uint64)(unsafe.Pointer(&si.Bytes()[24])) = 77
	must(t, SetSiginfo(tr.pid, &si))
	must(t, Cont(tr.pid, unix.SIGUSR1))
	next(unix.SIGUSR2, 0, LayoutKill)
	if si.PID() != tr.pid {
		t.Errorf("sender %d", si.PID())
	}
	must(t, Cont(tr.pid, unix.SIGUSR2))
	next(unix.SIGALRM, -2, LayoutTimer)
	if uint32(si.Value()) != 99 || si.Overrun() != 0 {
		t.Errorf("timer: value %d, overrun %d", si.Value(), si.Overrun())
	}
	must(t, Cont(tr.pid, unix.SIGALRM))
	next(unix.SIGCHLD, 1, LayoutChild) // CLD_EXITED
	if si.Status() != 3 || si.PID() == 0 {
		t.Errorf("child: status %d, pid %d", si.Status(), si.PID())
	}
	must(t, Cont(tr.pid, unix.SIGCHLD))
	if ws := tr.wait(); ws.ExitStatus() != 77 {
		t.Errorf("changed value did not arrive: %v", ws)
	}
}

func TestFaultSiginfo(t *testing.T) {
	tr := start(t, "fault")
	tr.seize(0)
	tr.proceed()
	must(t, Cont(tr.pid, 0))
	if ws := tr.wait(); ws.StopSignal() != unix.SIGSEGV {
		t.Fatal(ws)
	}
	var si Siginfo
	must(t, GetSiginfo(tr.pid, &si))
	if si.Layout() != LayoutFault || si.Addr() != 0x1234 || si.Code != 1 {
		t.Errorf("layout %v addr %#x code %d", si.Layout(), si.Addr(), si.Code)
	}
	must(t, Cont(tr.pid, unix.SIGSEGV))
	if ws := tr.wait(); ws.Signal() != unix.SIGSEGV {
		t.Error(ws)
	}
}

func TestSyscallInfo(t *testing.T) {
	tr := start(t, "calls")
	tr.seize(OptTraceSysgood)
	var info SyscallInfo
	if n, err := GetSyscallInfo(tr.pid, &info); err != nil || n != 24 || info.Op != OpNone || info.IP == 0 || info.SP == 0 {
		t.Errorf("outside of a call: %d bytes, %+v, %v", n, info, err)
	}
	tr.proceed()
	info = tr.entry(unix.SYS_GETPPID)
	if abi, ok := info.ABI(); !ok || abi.String() != nativeABI {
		t.Errorf("abi %v, %v", abi, ok)
	}
	if n, _ := GetSyscallInfo(tr.pid, &info); n != 80 {
		t.Errorf("entry: %d bytes", n)
	}
	if msg, err := GetEventMsg(tr.pid); err != nil || msg != 1 {
		t.Errorf("event message of an entry: %d, %v", msg, err)
	}
	ex := tr.exit()
	if ex.Result() != int64(unix.Getpid()) || ex.IsError() || ex.Errno() != 0 {
		t.Errorf("getppid gave %d", ex.Result())
	}
	if n, _ := GetSyscallInfo(tr.pid, &ex); n != 33 {
		t.Errorf("exit: %d bytes", n)
	}
	info = tr.entry(unix.SYS_CLOSE)
	if info.Args()[0] != 0xffffffff12345678 {
		t.Errorf("argument %#x", info.Args()[0])
	}
	ex = tr.exit()
	if !ex.IsError() || ex.Errno() != unix.EBADF || ex.Result() != -int64(unix.EBADF) {
		t.Errorf("close gave %d", ex.Result())
	}
	info = tr.entry(unix.SYS_EXIT_GROUP)
	must(t, Syscall(tr.pid, 0))
	if ws := tr.wait(); ws.ExitStatus() != 7 {
		t.Error(ws)
	}
}

func TestSetSyscallInfo(t *testing.T) {
	tr := start(t, "calls")
	tr.seize(OptTraceSysgood)
	tr.proceed()
	info := tr.entry(unix.SYS_GETPPID)
	bad := info
	bad.Op = OpExit
	wantErr(t, "wrong kind of stop", SetSyscallInfo(tr.pid, &bad), unix.EINVAL)
	bad = info
	bad.Flags = 1
	wantErr(t, "unknown flags", SetSyscallInfo(tr.pid, &bad), unix.EINVAL)
	bad = info
	bad.SetNumber(1 << 40)
	wantErr(t, "number too large", SetSyscallInfo(tr.pid, &bad), unix.ERANGE)

	// Another call: close(-1) fails with EBADF.
	info.SetNumber(unix.SYS_CLOSE)
	info.Args()[0] = ^uint64(0)
	must(t, SetSyscallInfo(tr.pid, &info))
	ex := tr.exit()
	if ex.Errno() != unix.EBADF {
		t.Errorf("changed call gave %d", ex.Result())
	}
	// Another result, read back.
	ex.SetResult(-int64(unix.ENOLINK), true)
	must(t, SetSyscallInfo(tr.pid, &ex))
	if _, err := GetSyscallInfo(tr.pid, &ex); err != nil || ex.Errno() != unix.ENOLINK {
		t.Errorf("changed result %d, %v", ex.Result(), err)
	}
	// Skipped.
	info = tr.entry(unix.SYS_GETPPID)
	info.SetNumber(-1)
	must(t, SetSyscallInfo(tr.pid, &info))
	if ex = tr.exit(); ex.Errno() != unix.ENOSYS {
		t.Errorf("skipped call gave %d", ex.Result())
	}
	ex.SetResult(12345, false)
	must(t, SetSyscallInfo(tr.pid, &ex))
	if _, err := GetSyscallInfo(tr.pid, &ex); err != nil || ex.Result() != 12345 || ex.IsError() {
		t.Errorf("changed result %d, %v", ex.Result(), err)
	}
}

func TestSeccomp(t *testing.T) {
	tr := start(t, "filter")
	tr.seize(OptTraceSeccomp)
	n, err := SeccompGetFilter(tr.pid, 0, nil)
	must(t, err)
	if n != 4 {
		t.Fatalf("%d instructions", n)
	}
	prog := make([]SockFilter, n)
	if _, err = SeccompGetFilter(tr.pid, 0, prog); err != nil || prog[1].K != unix.SYS_GETPPID || prog[2].K != 0x7ff01234 {
		t.Errorf("program %+v, %v", prog, err)
	}
	if flags, err := SeccompGetMetadata(tr.pid, 0); err != nil || flags != unix.SECCOMP_FILTER_FLAG_LOG {
		t.Errorf("metadata %#x, %v", flags, err)
	}
	_, err = SeccompGetFilter(tr.pid, 1, nil)
	wantErr(t, "one filter too far", err, unix.ENOENT)
	tr.proceed()
	must(t, Cont(tr.pid, 0))
	if ws := tr.wait(); ws.Event() != EventSeccomp {
		t.Fatal(ws)
	}
	msg, err := GetEventMsg(tr.pid)
	if err != nil || msg != 0x1234 {
		t.Errorf("event message %#x, %v", msg, err)
	}
	var info SyscallInfo
	if n, err := GetSyscallInfo(tr.pid, &info); err != nil || n < 84 || info.Op != OpSeccomp ||
		info.SeccompData() != 0x1234 || info.Number() != unix.SYS_GETPPID {
		t.Errorf("%d bytes, %+v, %v", n, info, err)
	}
	must(t, Cont(tr.pid, 0))
	if ws := tr.wait(); ws.ExitStatus() != 6 {
		t.Error(ws)
	}
}

func TestSeccompNone(t *testing.T) {
	tr := start(t, "sleep")
	tr.seize(0)
	_, err := SeccompGetFilter(tr.pid, 0, nil)
	wantErr(t, "no filter", err, unix.EINVAL)
	must(t, SetOptions(tr.pid, OptSuspendSeccomp)) // has CAP_SYS_ADMIN; see roleOwn for who has not
}

// A tracer without capabilities may trace its own program, but not look at filters or suspend them.
func TestUnprivilegedTracer(t *testing.T) {
	if unix.Getuid() != 0 {
		t.Skip("changes its user id; needs root")
	}
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), roleVar+"=own", "PROGRAM="+traceeProgram)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

// Where process_vm_readv, and then /proc/PID/mem too, are refused, reads and writes still work.
func TestMemoryRefused(t *testing.T) {
	for role, name := range map[string]string{"refuse-vm": "process_vm", "refuse-mem": "process_vm and /proc/PID/mem"} {
		t.Run(name, func(t *testing.T) {
			cmd := exec.Command("/proc/self/exe")
			cmd.Env = append(os.Environ(), roleVar+"="+role, "PROGRAM="+traceeProgram)
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
		})
	}
}

func TestRseq(t *testing.T) {
	tr := start(t, "sleep")
	tr.seize(0)
	var c RseqConfiguration
	must(t, GetRseqConfiguration(tr.pid, &c))
	// glibc 2.35 and later registers an area for every thread.
	if c.Pointer == 0 || c.Size < 20 || c.Flags != 0 {
		t.Errorf("%+v", c)
	}
	_, err := doPtr(ReqGetRseqConfiguration, tr.pid, 1<<20, nil)
	wantErr(t, "nowhere to put it", err, unix.EFAULT)
}

func TestSyscallUserDispatch(t *testing.T) {
	tr := start(t, "sud")
	selector := parseHex(t, tr.line)
	tr.seize(OptTraceSysgood)
	var c SyscallUserDispatch
	must(t, GetSyscallUserDispatchConfig(tr.pid, &c))
	if c != (SyscallUserDispatch{}) {
		t.Errorf("at first %+v", c)
	}
	want := SyscallUserDispatch{Mode: 1, Selector: selector, Offset: 0x1000, Len: 0x2000}
	must(t, SetSyscallUserDispatchConfig(tr.pid, &want))
	must(t, GetSyscallUserDispatchConfig(tr.pid, &c))
	if c != want {
		t.Errorf("%+v, want %+v", c, want)
	}
	wantErr(t, "off with a range", SetSyscallUserDispatchConfig(tr.pid, &SyscallUserDispatch{Len: 1}), unix.EINVAL)
	wantErr(t, "unknown mode", SetSyscallUserDispatchConfig(tr.pid, &SyscallUserDispatch{Mode: 9}), unix.EINVAL)
	wantErr(t, "kernel address", SetSyscallUserDispatchConfig(tr.pid,
		&SyscallUserDispatch{Mode: 1, Selector: 1 << 63, Offset: 0x1000, Len: 1}), unix.EFAULT)
	// Block: every further call gives SIGSYS.
	must(t, PokeData(tr.pid, selector&^7, 1<<(8*(selector&7))))
	tr.proceed()
	must(t, Cont(tr.pid, 0))
	if ws := tr.wait(); ws.StopSignal() != unix.SIGSYS {
		t.Fatal(ws)
	}
	var si Siginfo
	must(t, GetSiginfo(tr.pid, &si))
	if si.Layout() != LayoutSys || si.Code != 2 || si.CallAddr() == 0 || si.Arch() == 0 {
		t.Errorf("siginfo %v code %d: call %d at %#x, arch %#x", si.Layout(), si.Code, si.Syscall(), si.CallAddr(), si.Arch())
	}
	must(t, SetSyscallUserDispatchConfig(tr.pid, &SyscallUserDispatch{}))
}

func TestStringers(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{(OptTraceSysgood | OptExitKill | 1<<12).String(), "PTRACE_O_TRACESYSGOOD|PTRACE_O_EXITKILL|0x1000"},
		{Options(0).String(), "0"},
		{EventExec.String(), "PTRACE_EVENT_EXEC"},
		{Event(77).String(), "Event(77)"},
		{EventNone.String(), "0"},
		{OpSeccomp.String(), "seccomp"},
		{Op(9).String(), "Op(9)"},
		{ReqSeize.String(), "PTRACE_SEIZE"},
		{Request(0x9999).String(), "Request(0x9999)"},
		{SetX86Xstate.String(), "NT_X86_XSTATE"},
		{RegSet(0x777).String(), "RegSet(0x777)"},
		{LayoutSys.String(), "sys"},
		{SiginfoLayout(99).String(), "SiginfoLayout(99)"},
	} {
		if c.got != c.want {
			t.Errorf("%q, want %q", c.got, c.want)
		}
	}
}
