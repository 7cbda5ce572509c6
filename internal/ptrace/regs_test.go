package ptrace

import (
	"strconv"
	"testing"

	"golang.org/x/sys/unix"

	"farcall/syscalls"
)

func parseHex(t *testing.T, s string) uint64 {
	t.Helper()
	n, err := strconv.ParseUint(s, 16, 64)
	must(t, err)
	return n
}

var hostABI = map[string]syscalls.ABI{"amd64": syscalls.AMD64, "arm64": syscalls.ARM64}[nativeABI]

// The registers and PTRACE_GET_SYSCALL_INFO have to agree, on whatever machine this runs.
func TestRegsAtCall(t *testing.T) {
	tr := start(t, "calls")
	tr.seize(OptTraceSysgood)
	tr.proceed()
	info := tr.entry(unix.SYS_CLOSE)
	var r Regs
	must(t, GetRegs(tr.pid, &r))
	if r.SyscallNumber() != unix.SYS_CLOSE || r.PC() != info.IP || r.SP() != info.SP || r.ABI() != hostABI || r.Compat() {
		t.Errorf("number %d pc %#x sp %#x abi %v", r.SyscallNumber(), r.PC(), r.SP(), r.ABI())
	}
	for i, want := range info.Args() {
		if got := r.Arg(hostABI, i); got != want {
			t.Errorf("argument %d: %#x, want %#x", i, got, want)
		}
	}
	// Turn it into getppid, then falsify the result.
	r.SetSyscallNumber(unix.SYS_GETPPID)
	must(t, SetRegs(tr.pid, &r))
	ex := tr.exit()
	if ex.Result() != int64(unix.Getpid()) {
		t.Errorf("changed call gave %d", ex.Result())
	}
	must(t, GetRegs(tr.pid, &r))
	if r.Result() != ex.Result() || int64(r.ReturnValue()) != ex.Result() {
		t.Errorf("result register %d", r.Result())
	}
	r.SetResult(-int64(unix.EXDEV))
	must(t, SetRegs(tr.pid, &r))
	if _, err := GetSyscallInfo(tr.pid, &ex); err != nil || ex.Errno() != unix.EXDEV {
		t.Errorf("changed result %v %v", ex.Result(), err)
	}
	// The argument of the exit, changed at its entry, reaches the kernel.
	tr.entry(unix.SYS_EXIT_GROUP)
	must(t, GetRegs(tr.pid, &r))
	r.SetArg(hostABI, 0, 55)
	must(t, SetRegs(tr.pid, &r))
	must(t, Syscall(tr.pid, 0))
	if ws := tr.wait(); ws.ExitStatus() != 55 {
		t.Error(ws)
	}
}

func TestSkippedCall(t *testing.T) {
	tr := start(t, "calls")
	tr.seize(OptTraceSysgood)
	tr.proceed()
	tr.entry(unix.SYS_GETPPID)
	var r Regs
	must(t, GetRegs(tr.pid, &r))
	r.SetSyscallNumber(-1)
	must(t, SetRegs(tr.pid, &r))
	if ex := tr.exit(); ex.Errno() != unix.ENOSYS {
		t.Errorf("result %d", ex.Result())
	}
}

func TestSysemu(t *testing.T) {
	tr := start(t, "calls")
	tr.seize(OptTraceSysgood)
	tr.proceed()
	tr.entry(unix.SYS_GETPPID)
	tr.exit()
	// Sysemu stops once for each call and does not execute it.
	var r Regs
	for range 2 {
		must(t, Sysemu(tr.pid, 0))
		if ws := tr.wait(); !ws.SyscallStop() {
			t.Fatal(ws)
		}
		must(t, GetRegs(tr.pid, &r))
		if r.SyscallNumber() != unix.SYS_GETPPID {
			t.Fatalf("call %d", r.SyscallNumber())
		}
		r.SetResult(1)
		must(t, SetRegs(tr.pid, &r))
	}
	must(t, Sysemu(tr.pid, 0))
	if ws := tr.wait(); !ws.SyscallStop() {
		t.Fatal(ws)
	}
	must(t, GetRegs(tr.pid, &r))
	if r.SyscallNumber() != unix.SYS_CLOSE {
		t.Fatalf("call %d", r.SyscallNumber())
	}
	must(t, SysemuSingleStep(tr.pid, 0))
	ws := tr.wait()
	if ws.StopSignal() != unix.SIGTRAP || ws.SyscallStop() {
		t.Fatalf("one instruction under sysemu: %v", ws)
	}
}

func TestSingleStep(t *testing.T) {
	tr := start(t, "loop")
	tr.seize(0)
	var r Regs
	seen := map[uint64]bool{}
	for range 20 {
		must(t, SingleStep(tr.pid, 0))
		if ws := tr.wait(); !ws.SignalStop() || ws.StopSignal() != unix.SIGTRAP {
			t.Fatal(ws)
		}
		var si Siginfo
		must(t, GetSiginfo(tr.pid, &si))
		if si.Code != codeTrapTrace && si.Code != 1 || si.Layout() != LayoutFault {
			t.Fatalf("code %d", si.Code)
		}
		must(t, GetRegs(tr.pid, &r))
		seen[r.PC()] = true
	}
	if len(seen) > 20 || len(seen) < 1 {
		t.Errorf("%d addresses", len(seen))
	}
	pc := r.PC()
	r.SetPC(pc)
	sp := r.SP()
	r.SetSP(sp - 64)
	must(t, SetRegs(tr.pid, &r))
	must(t, GetRegs(tr.pid, &r))
	if r.PC() != pc || r.SP() != sp-64 {
		t.Errorf("pc %#x sp %#x", r.PC(), r.SP())
	}
}

func TestRegSets(t *testing.T) {
	tr := start(t, "sleep")
	tr.seize(0)
	buf := make([]byte, 16384)
	n, err := GetRegSet(tr.pid, SetPrstatus, buf)
	must(t, err)
	if n != prstatusSize {
		t.Errorf("NT_PRSTATUS has %d bytes", n)
	}
	if n, err = SetRegSet(tr.pid, SetPrstatus, buf[:n]); err != nil || n != prstatusSize {
		t.Errorf("%d bytes, %v", n, err)
	}
	if n, err = GetRegSet(tr.pid, SetPrstatus, buf[:16]); err != nil || n != 16 {
		t.Errorf("short buffer: %d bytes, %v", n, err)
	}
	_, err = GetRegSet(tr.pid, SetPrstatus, buf[:3])
	wantErr(t, "not a whole register", err, unix.EINVAL)
	_, err = GetRegSet(tr.pid, 0x7777, buf)
	wantErr(t, "unknown set", err, unix.EINVAL)
	n, err = GetRegSet(tr.pid, SetFPRegSet, buf)
	must(t, err)
	if n != fpSize {
		t.Errorf("NT_PRFPREG has %d bytes", n)
	}
	if n, err = SetRegSet(tr.pid, SetFPRegSet, buf[:n]); err != nil || n != fpSize {
		t.Errorf("%d bytes, %v", n, err)
	}
	var fp FPRegs
	must(t, GetFPRegs(tr.pid, &fp))
	must(t, SetFPRegs(tr.pid, &fp))
}
