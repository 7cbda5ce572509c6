package ptrace

import (
	"os"
	"runtime"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"
)

// Nothing on a tracer's main path allocates, neither in success nor when a tracee has died.
func TestNoAllocation(t *testing.T) {
	tr := start(t, "memory")
	base := parseHex(t, tr.line)
	tr.seize(0)
	var (
		info SyscallInfo
		regs Regs
		si   Siginfo
		ru   unix.Rusage
		m    = NewMemory(tr.pid)
		buf  = make([]byte, 4096)
		vec  = []Range{{Addr: base, Buf: buf[:100]}, {Addr: base + pageSize, Buf: buf[100:200]}, {Addr: base + 8, Buf: buf[200:300]}}
		dead = 1<<22 + 1
	)
	must(t, m.ReadV(vec)) // sizes the arrays
	for _, c := range []struct {
		name string
		f    func()
	}{
		{"GetSyscallInfo", func() { GetSyscallInfo(tr.pid, &info) }},
		{"GetSyscallInfo of nobody", func() { GetSyscallInfo(dead, &info) }},
		{"local SyscallInfo", func() { var i SyscallInfo; GetSyscallInfo(tr.pid, &i) }},
		{"GetRegs", func() { GetRegs(tr.pid, &regs) }},
		{"SetRegs", func() { SetRegs(tr.pid, &regs) }},
		{"GetSiginfo", func() { GetSiginfo(tr.pid, &si) }},
		{"GetEventMsg", func() { GetEventMsg(tr.pid) }},
		{"PeekData", func() { PeekData(tr.pid, base) }},
		{"Cont of nobody", func() { Cont(dead, 0) }},
		{"Wait4", func() { Wait4(tr.pid, unix.WALL|unix.WNOHANG, &ru) }},
		{"RawWait4", func() { RawWait4(tr.pid, unix.WALL|unix.WNOHANG, nil) }},
		{"Wait4 of nobody", func() { Wait4(dead, unix.WALL, nil) }},
		{"Read", func() { m.Read(base, buf) }},
		{"Read of a hole", func() { m.Read(base+pageSize-8, buf) }},
		{"ReadV", func() { m.ReadV(vec) }},
		{"ReadString", func() { m.ReadString(base+pageSize-6, buf) }},
		{"Write", func() { m.Write(base, buf[:10]) }},
	} {
		if n := testing.AllocsPerRun(50, c.f); n != 0 {
			t.Errorf("%s allocates %v times", c.name, n)
		}
	}
}

// benchTracee is start for a benchmark: a program that makes n cheap calls, seized and stopped.
func benchTracee(b *testing.B, n int) int {
	runtime.LockOSThread()
	inR, inW, err := os.Pipe()
	if err != nil {
		b.Fatal(err)
	}
	outR, outW, err := os.Pipe()
	if err != nil {
		b.Fatal(err)
	}
	p, err := os.StartProcess(traceeProgram, []string{"tracee", "many", strconv.Itoa(n)},
		&os.ProcAttr{Files: []*os.File{inR, outW, os.Stderr}})
	if err != nil {
		b.Fatal(err)
	}
	pid := p.Pid
	p.Release()
	b.Cleanup(func() {
		for _, f := range []*os.File{inR, inW, outR, outW} {
			f.Close()
		}
		unix.Kill(pid, unix.SIGKILL)
		for {
			_, ws, err := Wait4(pid, unix.WALL, nil)
			if err != nil && err != unix.EINTR || err == nil && !ws.Stopped() {
				return
			}
		}
	})
	outR.Read(make([]byte, 16))
	if err := Seize(pid, OptTraceSysgood|OptExitKill); err != nil {
		b.Fatal(err)
	}
	if err := Interrupt(pid); err != nil {
		b.Fatal(err)
	}
	if _, _, err := Wait4(pid, unix.WALL, nil); err != nil {
		b.Fatal(err)
	}
	inW.Write([]byte{'\n'})
	return pid
}

// BenchmarkStop measures one syscall-stop: resume, wait, ask for the call. The tracee is on the same
// processor or on any; with other goroutines busy or not.
func BenchmarkStop(b *testing.B) {
	waits := []struct {
		name string
		wait func(int, int, *unix.Rusage) (int, WaitStatus, error)
	}{{"Wait4", Wait4}, {"RawWait4", RawWait4}}
	for _, where := range []string{"any", "same"} {
		for _, load := range []string{"idle", "busy"} {
			for _, w := range waits {
				b.Run("cpu="+where+"/go="+load+"/"+w.name, func(b *testing.B) {
					pid := benchTracee(b, 1<<60)
					if where == "same" {
						var one, old unix.CPUSet
						one.Set(0)
						if unix.SchedGetaffinity(0, &old) != nil || unix.SchedSetaffinity(0, &one) != nil || unix.SchedSetaffinity(pid, &one) != nil {
							b.Skip("cannot choose the processor")
						}
						defer unix.SchedSetaffinity(0, &old)
					}
					if load == "busy" {
						done := make(chan struct{})
						defer close(done)
						go churn(done)
					}
					var info SyscallInfo
					b.ReportAllocs()
					for b.Loop() {
						if err := Syscall(pid, 0); err != nil {
							b.Fatal(err)
						}
						for {
							_, ws, err := w.wait(pid, unix.WALL, nil)
							if err == unix.EINTR {
								continue
							}
							if err != nil || !ws.Stopped() {
								b.Fatal("the program ended")
							}
							break
						}
						if _, err := GetSyscallInfo(pid, &info); err != nil {
							b.Fatal(err)
						}
					}
				})
			}
		}
	}
}

// churn makes garbage at a moderate rate, as an encoder would.
func churn(done chan struct{}) {
	var keep [][]byte
	for {
		select {
		case <-done:
			return
		default:
		}
		keep = append(keep, make([]byte, 1024))
		if len(keep) == 1000 {
			keep = nil
		}
	}
}

// BenchmarkRead compares the ways to read a tracee's memory.
func BenchmarkRead(b *testing.B) {
	pid := benchTracee(b, 1)
	var r Regs
	if err := GetRegs(pid, &r); err != nil {
		b.Fatal(err)
	}
	m := NewMemory(pid)
	defer m.Close()
	buf := make([]byte, 4096)
	at := r.SP() &^ (pageSize - 1)
	for _, size := range []int{8, 256, 4096} {
		b.Run("process_vm/"+strconv.Itoa(size), func(b *testing.B) {
			for b.Loop() {
				m.Read(at, buf[:size])
			}
		})
		b.Run("proc_mem/"+strconv.Itoa(size), func(b *testing.B) {
			for b.Loop() {
				m.ReadForced(at, buf[:size])
			}
		})
	}
	b.Run("four ranges in one call", func(b *testing.B) {
		v := []Range{{Addr: at, Buf: buf[:64]}, {Addr: at + 64, Buf: buf[64:128]}, {Addr: at + 512, Buf: buf[128:192]}, {Addr: at + 900, Buf: buf[192:256]}}
		for b.Loop() {
			m.ReadV(v)
		}
	})
}
