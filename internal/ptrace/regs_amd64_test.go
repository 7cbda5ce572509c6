package ptrace

import (
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"farcall/syscalls"
)

const (
	nativeABI    = "amd64"
	prstatusSize = 216
	fpSize       = 512
)

// A breakpoint of the program itself, with known registers.
func TestTrapRegs(t *testing.T) {
	tr := start(t, "trap")
	tr.seize(OptTraceSysgood)
	tr.proceed()
	must(t, Cont(tr.pid, 0))
	ws := tr.wait()
	if !ws.SignalStop() || ws.StopSignal() != unix.SIGTRAP {
		t.Fatal(ws)
	}
	var r Regs
	must(t, GetRegs(tr.pid, &r))
	if r.R12 != 0x1111 || r.R13 != 0x2222 || r.OrigRax != ^uint64(0) || r.SyscallNumber() != -1 || r.Cs != x86UserCS64 {
		t.Errorf("%+v", r)
	}
	word, err := PeekUser(tr.pid, uint64(unsafe.Offsetof(r.R13)))
	if err != nil || word != r.R13 {
		t.Errorf("user area: %#x, %v", word, err)
	}
	must(t, PokeUser(tr.pid, uint64(unsafe.Offsetof(r.R13)), 0x3333))
	must(t, GetRegs(tr.pid, &r))
	if r.R13 != 0x3333 {
		t.Errorf("r13 %#x", r.R13)
	}
	wantErr(t, "kernel segment", PokeUser(tr.pid, uint64(unsafe.Offsetof(r.Cs)), 0x10), unix.EIO)
	wantErr(t, "kernel base", PokeUser(tr.pid, uint64(unsafe.Offsetof(r.FsBase)), 1<<63), unix.EIO)
	const debugRegs = 848 // offsetof(struct user, u_debugreg)
	wantErr(t, "impossible debug register", PokeUser(tr.pid, debugRegs+7*8, 1|4<<16), unix.EINVAL)
	bad := r
	bad.Cs = 0x10
	wantErr(t, "kernel segment", SetRegs(tr.pid, &bad), unix.EIO)
	var fp FPRegs
	must(t, GetFPRegs(tr.pid, &fp))
	fp.XmmSpace[4] = 0xdeadbeef
	must(t, SetFPRegs(tr.pid, &fp))
	var again FPRegs
	must(t, GetFPRegs(tr.pid, &again))
	if again.XmmSpace[4] != 0xdeadbeef || again.Mxcsr != 0x1f80 {
		t.Errorf("xmm1 %#x, mxcsr %#x", again.XmmSpace[4], again.Mxcsr)
	}
	fp.Mxcsr = 0xffffffff
	wantErr(t, "impossible mxcsr", SetFPRegs(tr.pid, &fp), unix.EINVAL)
	buf := make([]byte, 16384)
	n, err := GetRegSet(tr.pid, SetX86Xstate, buf)
	must(t, err)
	if n < 576 {
		t.Errorf("xstate has %d bytes", n)
	}
	if xmm1 := *(*uint32)(unsafe.Pointer(&buf[176])); xmm1 != 0xdeadbeef {
		t.Errorf("xmm1 in xstate %#x", xmm1)
	}
	if m, err := SetRegSet(tr.pid, SetX86Xstate, buf[:n]); err != nil || m != n {
		t.Errorf("%d bytes, %v", m, err)
	}
	_, err = SetRegSet(tr.pid, SetX86Xstate, buf[:64])
	wantErr(t, "short xstate", err, unix.EFAULT)
}

func TestCompat(t *testing.T) {
	if traceeProgram32 == "" {
		t.Skip("the compiler makes no 32-bit programs")
	}
	tr := startProgram(t, traceeProgram32, nil)
	tr.seize(OptTraceSysgood)
	buf := make([]byte, 512)
	if n, err := GetRegSet(tr.pid, SetPrstatus, buf); err != nil || n != 68 {
		t.Errorf("NT_PRSTATUS of a 32-bit thread: %d bytes, %v", n, err)
	}
	tr.proceed()
	info := tr.entry(192) // mmap2
	abi, ok := info.ABI()
	if !ok || abi != syscalls.I386 {
		t.Fatalf("abi %v", abi)
	}
	var r Regs
	must(t, GetRegs(tr.pid, &r))
	if !r.Compat() || r.ABI() != syscalls.I386 || r.SyscallNumber() != 192 {
		t.Errorf("cs %#x abi %v number %d", r.Cs, r.ABI(), r.SyscallNumber())
	}
	for i := range 6 {
		want := uint64(uint32(-1 - i))
		if got := r.Arg(abi, i); got != want || info.Args()[i] != want {
			t.Errorf("argument %d: %#x and %#x, want %#x", i, got, info.Args()[i], want)
		}
	}
	ex := tr.exit()
	if !ex.IsError() || ex.Result() >= 0 {
		t.Errorf("mmap2 gave %d", ex.Result())
	}
	must(t, GetRegs(tr.pid, &r))
	if r.Result() != ex.Result() {
		t.Errorf("result register %d, kernel says %d", r.Result(), ex.Result())
	}
	must(t, Cont(tr.pid, 0))
	if ws := tr.wait(); ws.ExitStatus() != 9 {
		t.Error(ws)
	}
}
