package ptrace

import (
	"bytes"
	"os"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"
)

// pattern is byte i of the memory that the program's mode "memory" fills.
func pattern(i uint64) byte { return byte(i%251 + 1) }

// accesses runs f for each way to reach memory.
func accesses(t *testing.T, f func(t *testing.T, m *Memory, base uint64, a access)) {
	for a, name := range []string{"process_vm", "proc_mem", "peek"} {
		t.Run(name, func(t *testing.T) {
			tr := start(t, "memory")
			tr.seize(0)
			m := NewMemory(tr.pid)
			m.access = access(a)
			t.Cleanup(func() { m.Close() })
			f(t, m, parseHex(t, tr.line), access(a))
			if m.access != access(a) {
				t.Errorf("access changed from %d to %d", a, m.access)
			}
		})
	}
}

func TestMemoryRead(t *testing.T) {
	accesses(t, func(t *testing.T, m *Memory, base uint64, a access) {
		p := pageSize
		// Forced reads see the inaccessible page too.
		hole := func(upTo uint64) int {
			if a == accessVM {
				return int(upTo)
			}
			return -1
		}
		for _, c := range []struct {
			name string
			addr uint64
			len  int
			n    int // -1: all
			err  error
		}{
			{"one byte", base + 3, 1, -1, nil},
			{"odd", base + 3, 61, -1, nil},
			{"nothing", base + p, 0, 0, nil},
			{"whole page", base, int(p), -1, nil},
			{"into a hole", base + p - 10, 30, 10, unix.EFAULT},
			{"page and hole", base, int(2 * p), int(p), unix.EFAULT},
			{"in a hole", base + p + 5, 8, 0, unix.EFAULT},
			{"across two holes", base + p + 5, int(p), 0, unix.EFAULT},
			{"read-only", base + 2*p + 1, 100, -1, nil},
			{"into the inaccessible page", base + 3*p - 20, 40, hole(20), unix.EFAULT},
			{"null", 0, 8, 0, unix.EFAULT},
			{"kernel", 0xffffffff81000000, 8, 0, unix.EFAULT},
			{"top of the address space", ^uint64(0) - 3, 8, 0, unix.EFAULT},
		} {
			b := make([]byte, c.len)
			n, err := m.Read(c.addr, b)
			if c.n < 0 {
				c.n, c.err = c.len, nil
			}
			if n != c.n || err != c.err {
				t.Errorf("%s: %d, %v; want %d, %v", c.name, n, err, c.n, c.err)
			}
			for i := range n {
				off := c.addr - base + uint64(i)
				if c.name != "into the inaccessible page" && b[i] != pattern(off) && off < p-6 {
					t.Errorf("%s: byte %d is %d, want %d", c.name, i, b[i], pattern(off))
					break
				}
			}
		}
	})
}

func TestMemoryReadV(t *testing.T) {
	accesses(t, func(t *testing.T, m *Memory, base uint64, a access) {
		p := pageSize
		ranges := []Range{
			{Addr: base, Buf: make([]byte, 8)},
			{Addr: 0, Buf: make([]byte, 8)},
			{Addr: base + p - 10, Buf: make([]byte, 20)},
			{Addr: base + p, Buf: make([]byte, 8)},
			{Addr: base + p, Buf: nil},
			{Addr: base + 100, Buf: make([]byte, int(p))},
			{Addr: base + 2*p, Buf: make([]byte, 16)},
			{Addr: base + 4*p + 9, Buf: make([]byte, 7), N: 99},
			{Addr: base + p + 9, Buf: make([]byte, 7), N: 99},
		}
		want := []int{8, 0, 10, 0, 0, int(p) - 100, 16, 7, 0}
		must(t, m.ReadV(ranges))
		for i, r := range ranges {
			if r.N != want[i] {
				t.Errorf("range %d: %d bytes, want %d", i, r.N, want[i])
			}
			for j := range r.N {
				off := r.Addr - base + uint64(j)
				if off >= p-6 && off < p {
					continue
				}
				if r.Buf[j] != pattern(off) {
					t.Errorf("range %d: byte %d is %d, want %d", i, j, r.Buf[j], pattern(off))
					break
				}
			}
		}
		must(t, m.ReadV(nil))
	})
}

// More ranges than one call takes, faulting ones among them.
func TestMemoryReadVMany(t *testing.T) {
	tr := start(t, "memory")
	base := parseHex(t, tr.line)
	m := NewMemory(tr.pid)
	ranges := make([]Range, 2*maxIOV+100)
	for i := range ranges {
		ranges[i] = Range{Addr: base + uint64(i%500), Buf: make([]byte, 3)}
		if i%97 == 0 {
			ranges[i].Addr = base + pageSize
		}
	}
	must(t, m.ReadV(ranges))
	for i, r := range ranges {
		switch {
		case i%97 == 0 && r.N != 0, i%97 != 0 && r.N != 3:
			t.Fatalf("range %d: %d bytes", i, r.N)
		case r.N == 3 && r.Buf[2] != pattern(uint64(i%500)+2):
			t.Fatalf("range %d has %v", i, r.Buf)
		}
	}
}

func TestReadString(t *testing.T) {
	accesses(t, func(t *testing.T, m *Memory, base uint64, a access) {
		p := pageSize
		for _, c := range []struct {
			name       string
			addr       uint64
			max        int
			n          int
			terminated bool
			err        error
		}{
			{"at the end of a page", base + p - 6, 4096, 5, true, nil},
			{"buffer too short", base + p - 6, 3, 3, false, nil},
			{"just fits without the NUL", base + p - 6, 5, 5, false, nil},
			{"just fits", base + p - 6, 6, 5, true, nil},
			{"empty", base + p - 1, 10, 0, true, nil},
			{"long", base + 10, 8192, int(p) - 6 - 10 + 5, true, nil},
			{"unmapped", base + p, 10, 0, false, unix.EFAULT},
			{"no buffer", base + p, 0, 0, false, nil},
		} {
			buf := make([]byte, c.max)
			n, terminated, err := m.ReadString(c.addr, buf)
			if n != c.n || terminated != c.terminated || err != c.err {
				t.Errorf("%s: %d, %v, %v; want %d, %v, %v", c.name, n, terminated, err, c.n, c.terminated, c.err)
			}
		}
		if a == accessVM {
			buf := make([]byte, 100)
			n, terminated, err := m.ReadString(base+3*p-8, buf)
			if n != 8 || terminated || err != unix.EFAULT || string(buf[:8]) != "no end.." {
				t.Errorf("unterminated: %d %v %v %q", n, terminated, err, buf[:n])
			}
		}
	})
}

func TestMemoryWrite(t *testing.T) {
	accesses(t, func(t *testing.T, m *Memory, base uint64, a access) {
		p := pageSize
		text := []byte("written by the tracer")
		n, err := m.Write(base+5, text)
		if n != len(text) || err != nil {
			t.Fatal(n, err)
		}
		n, err = m.Write(base+p-4, text)
		if n != 4 || err != unix.EFAULT {
			t.Errorf("into a hole: %d, %v", n, err)
		}
		got := make([]byte, len(text)+2)
		if _, err := m.Read(base+4, got); err != nil || !bytes.Equal(got[1:len(got)-1], text) ||
			got[0] != pattern(4) || got[len(got)-1] != pattern(5+uint64(len(text))) {
			t.Errorf("read back %q, %v", got, err)
		}
		n, err = m.Write(base+2*p, text)
		if a == accessVM && (n != 0 || err != unix.EFAULT) || a != accessVM && err != nil {
			t.Errorf("read-only page: %d, %v", n, err)
		}
		ranges := []Range{{Addr: base + 50, Buf: text}, {Addr: base + p, Buf: text}, {Addr: base + 4*p, Buf: text}}
		must(t, m.WriteV(ranges))
		if ranges[0].N != len(text) || ranges[1].N != 0 || ranges[2].N != len(text) {
			t.Errorf("wrote %d %d %d", ranges[0].N, ranges[1].N, ranges[2].N)
		}
		if _, err := m.Read(base+4*p, got[:len(text)]); err != nil || !bytes.Equal(got[:len(text)], text) {
			t.Errorf("read back %q, %v", got, err)
		}
	})
}

func TestMemoryForced(t *testing.T) {
	tr := start(t, "memory")
	tr.seize(0)
	base := parseHex(t, tr.line)
	m := NewMemory(tr.pid)
	defer m.Close()
	for _, page := range []uint64{2, 3} { // read-only, inaccessible
		addr := base + page*pageSize + 16
		n, err := m.WriteForced(addr, []byte{0xcc, 0xcd})
		if n != 2 || err != nil {
			t.Errorf("page %d: %d, %v", page, n, err)
		}
		b := make([]byte, 3)
		n, err = m.ReadForced(addr-1, b)
		if n != 3 || err != nil || b[1] != 0xcc || b[2] != 0xcd || b[0] != pattern(addr-1-base) {
			t.Errorf("page %d: %d, %v, %x", page, n, err, b)
		}
	}
	if m.access != accessVM {
		t.Error("a forced access changed the others")
	}
}

// The thread goes away: ESRCH, by every access.
func TestMemoryGone(t *testing.T) {
	accesses(t, func(t *testing.T, m *Memory, base uint64, a access) {
		b := make([]byte, 8)
		if _, err := m.Read(base, b); err != nil {
			t.Fatal(err)
		}
		must(t, unix.Kill(m.PID(), unix.SIGKILL))
		if ws := waitFor(t, m.PID()); ws.Signal() != unix.SIGKILL {
			t.Fatal(ws)
		}
		n, err := m.Read(base, b)
		if n != 0 || err != unix.ESRCH {
			t.Errorf("%d, %v", n, err)
		}
		wantErr(t, "ReadV", m.ReadV([]Range{{Addr: base, Buf: b}}), unix.ESRCH)
	})
	m := NewMemory(1<<22 + 1)
	_, err := m.Read(0x1000, make([]byte, 4))
	wantErr(t, "nobody", err, unix.ESRCH)
	_, err = m.ReadForced(0x1000, make([]byte, 4))
	wantErr(t, "nobody", err, unix.ESRCH)
}

// After an execve /proc/PID/mem has to be opened again.
func TestMemoryExec(t *testing.T) {
	tr := start(t, "events")
	tr.seize(OptTraceExec)
	var r Regs
	must(t, GetRegs(tr.pid, &r))
	stack := r.SP()
	m := NewMemory(tr.pid)
	m.access = accessFile
	defer m.Close()
	b := make([]byte, 16)
	if _, err := m.Read(stack, b); err != nil {
		t.Fatal(err)
	}
	tr.proceed()
	for range 100 {
		must(t, Cont(tr.pid, 0))
		ws := tr.wait()
		if ws.Event() == EventExec {
			break
		}
		if !ws.SignalStop() || ws.StopSignal() != unix.SIGCHLD {
			t.Fatal(ws)
		}
	}
	if n, err := m.viaFile(stack, b, false); n != 0 || err != unix.ESRCH {
		t.Errorf("former image: %d, %v", n, err)
	}
	must(t, GetRegs(tr.pid, &r))
	if n, err := m.Read(r.SP(), b); n != 16 || err != nil || b[0] != 2 { // argc
		t.Errorf("new image: %d, %v, % x", n, err, b)
	}
}

func TestMemoryReset(t *testing.T) {
	tr := start(t, "memory")
	tr.seize(0)
	base := parseHex(t, tr.line)
	m := NewMemory(tr.pid)
	b := make([]byte, 4)
	if _, err := m.ReadForced(base, b); err != nil {
		t.Fatal(err)
	}
	fd := m.file - 1
	m.access = accessPeek
	m.Reset(tr.pid)
	if m.access != accessVM || m.file != 0 {
		t.Error("not reset")
	}
	if _, err := os.Stat("/proc/self/fd/" + strconv.Itoa(fd)); err == nil {
		t.Errorf("descriptor %d is still open", fd)
	}
	if _, err := m.Read(base, b); err != nil || b[3] != pattern(3) {
		t.Errorf("%v, %v", b, err)
	}
	must(t, m.Close())
	must(t, m.Close())
}

func TestLengthInPage(t *testing.T) {
	p := int(pageSize)
	for _, c := range []struct {
		addr      uint64
		max, want int
	}{{0, 10, 10}, {pageSize - 3, 10, 3}, {pageSize, p + 1, p}, {^uint64(0), 5, 1}} {
		if got := LengthInPage(c.addr, c.max); got != c.want {
			t.Errorf("LengthInPage(%#x, %d) = %d, want %d", c.addr, c.max, got, c.want)
		}
	}
}

// A kernel that gives up a whole range because of one page, as process_vm_readv(2) permits, is made exact.
func TestMemoryFinish(t *testing.T) {
	tr := start(t, "memory")
	base := parseHex(t, tr.line)
	m := NewMemory(tr.pid)
	p := pageSize
	for _, c := range []struct {
		name string
		addr uint64
		len  int
		n    int
		err  error
	}{
		{"range over a hole", base + p - 10, 30, 10, unix.EFAULT},
		{"range over the inaccessible page", base + 3*p - 10, int(p), 10, unix.EFAULT},
		{"range in a hole", base + p, 10, 0, unix.EFAULT},
	} {
		b := make([]byte, c.len)
		n, err := m.finish(c.addr, b, 0, unix.EFAULT, unix.SYS_PROCESS_VM_READV)
		if n != c.n || err != c.err {
			t.Errorf("%s: %d, %v; want %d, %v", c.name, n, err, c.n, c.err)
		}
	}
	b := make([]byte, 20)
	if n, err := m.finish(base, b, 7, 0, unix.SYS_PROCESS_VM_READV); n != 20 || err != nil || b[19] != pattern(19) {
		t.Errorf("short count: %d, %v", n, err)
	}
}
