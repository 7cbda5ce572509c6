package stack

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"unsafe"

	"farcall/internal/ptrace"
	"farcall/symbols/unwind"

	"golang.org/x/sys/unix"
)

// procMemory reads /proc/PID/mem.
type procMemory struct{ *os.File }

func (m procMemory) Read(addr uint64, b []byte) int {
	n, err := m.ReadAt(b, int64(addr))
	for err != nil && !errors.Is(err, io.EOF) && n == 0 && len(b) > 4096 {
		b = b[:len(b)/2]
		n, err = m.ReadAt(b, int64(addr))
	}
	return n
}

// ownMemory reads this process's memory.
func ownMemory(t testing.TB) procMemory {
	t.Helper()
	f, err := os.Open("/proc/self/mem")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return procMemory{f}
}

// TestSpaceFollows: mappings that come, go and take others' places are seen, and nothing is read again
// when only the heap has grown.
func TestSpaceFollows(t *testing.T) {
	dir := t.TempDir()
	library := func(name, function string) *os.File {
		t.Helper()
		src := filepath.Join(dir, name+".c")
		if err := os.WriteFile(src, []byte("int "+function+"(void) { return 1; }\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		out := filepath.Join(dir, name+".so")
		if b, err := exec.Command("gcc", "-shared", "-fPIC", "-nostdlib", "-Wl,-z,noseparate-code", src, "-o", out).CombinedOutput(); err != nil {
			t.Fatalf("gcc: %v\n%s", err, b)
		}
		f, err := os.Open(out)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		return f
	}
	load := func(f *os.File) []byte {
		t.Helper()
		b, err := unix.Mmap(int(f.Fd()), 0, 8192, unix.PROT_READ|unix.PROT_EXEC, unix.MAP_PRIVATE)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	one, two := library("one", "first"), library("two", "second")

	var files Files
	space := NewSpace(os.Getpid(), ownMemory(t), &files)
	defer space.Close()
	function := func(b []byte, name string) bool {
		space.refresh()
		a := space.find(addressOf(b))
		if a == nil || a.module == nil {
			return false
		}
		for s := range a.module.file.Each {
			if s.Name == name {
				return true
			}
		}
		return false
	}

	b := load(one)
	if !function(b, "first") {
		t.Error("a library is not seen")
	}
	// The runtime of this very process may reserve memory meanwhile, which counts.
	kept := false
	for range 20 {
		space.refresh()
		areas := space.areas
		heap, err := unix.Mmap(-1, 0, 1<<20, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = unix.Munmap(heap) }()
		if kept = function(b, "first") && &areas[0] == &space.areas[0]; kept {
			break
		}
	}
	if !kept {
		t.Error("the mappings are read again because of the heap")
	}
	if err := unix.Munmap(b); err != nil {
		t.Fatal(err)
	}
	if function(b, "first") {
		t.Error("a library that was unloaded is still there")
	}
	c := load(two)
	defer func() { _ = unix.Munmap(c) }()
	if !function(c, "second") {
		t.Error("a library that came later is not seen")
	}
	if n := len(files.modules); n < 2 {
		t.Errorf("%d files are kept", n)
	}
	if files.Memory() == 0 {
		t.Error("the files take no memory")
	}
}

// TestFilesAreShared: two processes' views of one file read it once.
func TestFilesAreShared(t *testing.T) {
	var files Files
	var modules []*module
	for range 2 {
		space := NewSpace(os.Getpid(), ownMemory(t), &files)
		defer space.Close()
		space.refresh()
		for _, a := range space.areas {
			if a.Exec && a.module != nil {
				modules = append(modules, a.module)
				break
			}
		}
	}
	if len(modules) != 2 || modules[0] != modules[1] {
		t.Errorf("modules %v", modules)
	}
	files.Limit = 1
	files.shrink()
	if len(files.modules) != 0 {
		t.Error("what exceeds the limit is kept")
	}
}

// TestVDSO: the kernel's library is read from memory.
func TestVDSO(t *testing.T) {
	var files Files
	space := NewSpace(os.Getpid(), ownMemory(t), &files)
	defer space.Close()
	space.refresh()
	for _, a := range space.areas {
		if a.mapping.Path != "[vdso]" {
			continue
		}
		if got := space.find(a.Start + 16); got == nil || got.module == nil || got.Table == nil {
			t.Fatalf("the vDSO was not read: %+v", got)
		}
		for s := range space.find(a.Start + 16).module.file.Each {
			if strings.Contains(s.Name, "clock_gettime") {
				return
			}
		}
		t.Error("no clock_gettime")
		return
	}
	t.Error("no vDSO")
}

// TestRegisterNumbers: each register has the number that the psABI gives it.
func TestRegisterNumbers(t *testing.T) {
	x := ptrace.X86Regs{
		Rax: 100, Rdx: 101, Rcx: 102, Rbx: 103, Rsi: 104, Rdi: 105, Rbp: 106, Rsp: 107, R8: 108, R9: 109, R10: 110, R11: 111,
		R12: 112, R13: 113, R14: 114, R15: 115, Rip: 116, Cs: 0x33,
	}
	var r unwind.Regs
	m := X86(&x, &r)
	if m == nil || m.Name != "x86-64" {
		t.Fatalf("machine %v", m)
	}
	for n := range 17 {
		if v, ok := r.Get(n); !ok || v != uint64(100+n) {
			t.Errorf("x86-64: register %d is %d", n, v)
		}
	}
	x.Cs = 0x23
	x.Rax = 1<<40 | 100
	m = X86(&x, &r)
	if m == nil || m.Name != "i386" {
		t.Fatalf("machine %v", m)
	}
	for n, want := range []uint64{100, 102, 101, 103, 107, 106, 104, 105, 116} { // eax ecx edx ebx esp ebp esi edi eip
		if v, ok := r.Get(n); !ok || v != want {
			t.Errorf("i386: register %d is %d, want %d", n, v, want)
		}
	}
	if _, ok := r.Get(9); ok {
		t.Error("i386 has a register 9")
	}
	a := ptrace.ARM64Regs{Sp: 131, Pc: 132}
	for n := range a.X {
		a.X[n] = uint64(100 + n)
	}
	m = ARM64(&a, &r)
	if m == nil || m.Name != "arm64" {
		t.Fatalf("machine %v", m)
	}
	for n := range 33 {
		if v, ok := r.Get(n); !ok || v != uint64(100+n) {
			t.Errorf("arm64: register %d is %d", n, v)
		}
	}
	a.Pstate = 0x10
	if ARM64(&a, &r) != nil {
		t.Error("32-bit code of arm64 has a machine")
	}
}

func addressOf(b []byte) uint64 { return uint64(uintptr(unsafe.Pointer(unsafe.SliceData(b)))) }
