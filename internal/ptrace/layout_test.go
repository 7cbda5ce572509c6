package ptrace

import (
	"testing"

	"farcall/syscalls"
)

// machine is what both register structures offer.
type machine interface {
	SyscallNumber() int64
	SetSyscallNumber(int64)
	Arg(syscalls.ABI, int) uint64
	SetArg(syscalls.ABI, int, uint64)
	Result() int64
	SetResult(int64)
	ReturnValue() uint64
	SetReturnValue(uint64)
	PC() uint64
	SetPC(uint64)
	SP() uint64
	SetSP(uint64)
	Compat() bool
	ABI() syscalls.ABI
}

func TestMachines(t *testing.T) {
	for _, c := range []struct {
		name string
		m    machine
		abi  syscalls.ABI
	}{
		{"amd64", &X86Regs{Cs: x86UserCS64}, syscalls.AMD64},
		{"i386", &X86Regs{Cs: x86UserCS32}, syscalls.I386},
		{"arm64", &ARM64Regs{}, syscalls.ARM64},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := c.m
			if m.ABI() != c.abi || m.Compat() != (c.abi == syscalls.I386) {
				t.Errorf("abi %v compat %v", m.ABI(), m.Compat())
			}
			for i := range 6 {
				m.SetArg(c.abi, i, uint64(0xf00000010+i))
			}
			mask := ^uint64(0)
			if c.abi == syscalls.I386 {
				mask = 0xffffffff
			}
			for i := range 6 {
				if want := uint64(0xf00000010+i) & mask; m.Arg(c.abi, i) != want {
					t.Errorf("argument %d is %#x, want %#x", i, m.Arg(c.abi, i), want)
				}
			}
			for _, nr := range []int64{0, 435, -1} {
				m.SetSyscallNumber(nr)
				if m.SyscallNumber() != nr {
					t.Errorf("number %d, want %d", m.SyscallNumber(), nr)
				}
			}
			m.SetPC(0x1000)
			m.SetSP(0x2000)
			m.SetResult(-14)
			if m.PC() != 0x1000 || m.SP() != 0x2000 || m.Result() != -14 || int64(m.ReturnValue()) != -14 {
				t.Errorf("pc %#x sp %#x result %d", m.PC(), m.SP(), m.Result())
			}
			m.SetReturnValue(3)
			if m.Result() != 3 {
				t.Errorf("result %d", m.Result())
			}
		})
	}
}

func TestX32(t *testing.T) {
	r := X86Regs{Cs: x86UserCS64, OrigRax: syscalls.X32Bit | 1}
	if r.ABI() != syscalls.X32 {
		t.Error(r.ABI())
	}
	r.OrigRax = ^uint64(0) // no call: the bit in -1 means nothing
	if r.ABI() != syscalls.AMD64 {
		t.Error(r.ABI())
	}
	// The registers of x32 are those of amd64.
	r.R10 = 7
	if r.Arg(syscalls.X32, 3) != 7 {
		t.Error(r.Arg(syscalls.X32, 3))
	}
	for _, c := range []struct {
		info SyscallInfo
		abi  syscalls.ABI
		ok   bool
	}{
		{SyscallInfo{Op: OpEntry, Arch: AuditArchX86_64, union: [7]uint64{syscalls.X32Bit | 5}}, syscalls.X32, true},
		{SyscallInfo{Op: OpEntry, Arch: AuditArchX86_64, union: [7]uint64{5}}, syscalls.AMD64, true},
		{SyscallInfo{Op: OpEntry, Arch: AuditArchX86_64, union: [7]uint64{^uint64(0)}}, syscalls.AMD64, true},
		{SyscallInfo{Op: OpExit, Arch: AuditArchX86_64, union: [7]uint64{syscalls.X32Bit}}, syscalls.AMD64, true},
		{SyscallInfo{Op: OpEntry, Arch: AuditArchI386}, syscalls.I386, true},
		{SyscallInfo{Op: OpEntry, Arch: AuditArchAarch64}, syscalls.ARM64, true},
		{SyscallInfo{Op: OpEntry, Arch: 1}, 0, false},
	} {
		if abi, ok := c.info.ABI(); abi != c.abi || ok != c.ok {
			t.Errorf("%+v: %v %v", c.info, abi, ok)
		}
	}
}

func TestWaitStatus(t *testing.T) {
	for _, c := range []struct {
		status uint32
		text   string
	}{
		{0x0700, "exited with 7"},
		{0xff00, "exited with 255"},
		{0x0009, "killed by SIGKILL"},
		{0x008b, "killed by SIGSEGV (core dumped)"},
		{0xffff, "continued"},
		{0x857f, "syscall-stop"},
		{0x057f, "stopped by SIGTRAP"},
		{0x0b7f, "stopped by SIGSEGV"},
		{0x227f, "stopped by signal 34"},
		{0x4057f, "PTRACE_EVENT_EXEC"},
		{0x80057f, "PTRACE_EVENT_STOP"},
		{0x80137f, "group-stop by SIGSTOP"},
	} {
		w := WaitStatus(c.status)
		if w.String() != c.text {
			t.Errorf("%#x: %q, want %q", c.status, w, c.text)
		}
		kinds := 0
		for _, is := range []bool{w.Exited(), w.Signaled(), w.Continued(), w.SyscallStop(), w.SignalStop(), w.Event() != EventNone} {
			if is {
				kinds++
			}
		}
		if kinds != 1 {
			t.Errorf("%#x is %d kinds at once", c.status, kinds)
		}
	}
	if w := WaitStatus(0x0700); w.Signal() != -1 || w.StopSignal() != -1 {
		t.Error("an exit has a signal")
	}
	if w := WaitStatus(9); w.ExitStatus() != -1 {
		t.Error("a killed thread has an exit status")
	}
}

// The number of the call is written back only if it was changed, whatever else was.
func TestARM64Number(t *testing.T) {
	r := ARM64Regs{number: 5}
	r.numberRead()
	r.SetResult(1)
	r.SetSyscallNumber(5)
	if r.numberChanged() {
		t.Error("changed by writing the same")
	}
	if r.SetSyscallNumber(-1); !r.numberChanged() || r.SyscallNumber() != -1 {
		t.Error("not changed")
	}
}
