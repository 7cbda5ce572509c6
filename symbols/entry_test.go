package symbols

import (
	"os/exec"
	"runtime"
	"strings"
	"testing"
)

const plainC = `#include <stdio.h>
#include <string.h>
static int twice(int x) { return 2 * x; }
int main(int argc, char **argv) {
	char b[200];
	strncpy(b, argv[0], 199);
	printf("%s %d\n", b, twice(argc));
	return 0;
}
`

// TestMainOfStripped compares the main that is found in a stripped program with the one that its
// symbol table had.
func TestMainOfStripped(t *testing.T) {
	if runtime.GOARCH != "amd64" {
		t.Skip("x86-64 start files")
	}
	for _, compiler := range []string{"gcc", "clang", "musl-gcc"} {
		for _, mode := range []string{"", "-static", "-static-pie", "-no-pie", "-Wl,--no-relax", "-fcf-protection=full"} {
			for _, level := range []string{"-O0", "-O2"} {
				t.Run(compiler+mode+level, func(t *testing.T) {
					t.Parallel()
					flags := []string{level}
					if mode != "" {
						flags = append(flags, mode)
					}
					full := compile(t, compiler, "p.c", plainC, flags...)
					want := resolve(t, open(t, full, none{}), "main")
					if want.Symbol.Source != SourceSymtab {
						t.Fatalf("main came from %v", want.Symbol.Source)
					}
					f := open(t, strip(t, full), none{})
					got := resolve(t, f, "main")
					if got.Addr != want.Addr || got.Symbol.Source != SourceEntry {
						t.Errorf("main is at 0x%x (%v), want 0x%x", got.Addr, got.Symbol.Source, want.Addr)
					}
					if got.Symbol.Size != want.Symbol.Size {
						t.Errorf("main has %d bytes, want %d", got.Symbol.Size, want.Symbol.Size)
					}
					if s, off, ok := f.Lookup(want.Addr + 4); !ok || s.Name != "main" || off != 4 {
						t.Errorf("main+4 is %s+%d, %v", s.Name, off, ok)
					}
				})
			}
		}
	}
	t.Run("rust", func(t *testing.T) {
		if _, err := exec.LookPath("rustc"); err != nil {
			t.Skip("no rustc")
		}
		full := compile(t, "rustc", "r.rs", "fn main() { println!(\"x\") }\n", "-O")
		want := resolve(t, open(t, full, none{}), "main")
		if got := resolve(t, open(t, strip(t, full), none{}), "main"); got.Addr != want.Addr {
			t.Errorf("main is at 0x%x, want 0x%x", got.Addr, want.Addr)
		}
	})
}

// TestNoMain makes sure that main is not invented: libraries, Go programs, and programs with a
// start file of their own have none.
func TestNoMain(t *testing.T) {
	lib := strip(t, compile(t, "gcc", "l.c", "int f(void){return 1;}\n", "-shared", "-fPIC"))
	own := strip(t, compile(t, "gcc", "o.c", `
static void leave(int code) { for (;;) __asm__ volatile("syscall" :: "a"(60), "D"(code)); }
void _start(void) { leave(0); }
`, "-nostdlib", "-static", "-O2"))
	for _, name := range []string{lib, own, libc(t)} {
		f := open(t, name, none{})
		if name == own && runtime.GOARCH != "amd64" {
			continue
		}
		if m, err := f.Resolve(pattern(t, "main")); err == nil {
			t.Errorf("%s: main at 0x%x", name, m.Addr)
		}
	}
}

// TestDecodeStart checks lengths against what the assembler made of these lines.
func TestDecodeStart(t *testing.T) {
	if runtime.GOARCH != "amd64" {
		t.Skip("x86-64 code")
	}
	lines := []string{
		"endbr64", "xor %ebp,%ebp", "mov %rdx,%r9", "pop %rsi", "mov %rsp,%rdx", "and $-16,%rsp", "push %rax", "push %rsp",
		"xor %r8d,%r8d", "lea 0x1234(%rip),%rdi", "mov $0x401136,%rdi", "mov $0x401136,%edi", "movabs $0x1122334455667788,%rdi",
		"mov 0x1234(%rip),%rdi", "call .+0x100", "call *0x2000(%rip)", "jmp .+0x100", "mov (%rdi),%esi", "lea 8(%rdi),%rdx",
		"lea 8(%rsp,%rax,8),%rdi", "lea 0x12345678(,%rax,8),%rdi", "nopl 0x0(%rax,%rax,1)", "nopw %cs:0x200(%rax,%rax,1)", "sub $0x108,%rsp",
		"add $8,%rsp", "test %rax,%rax", "cmp %rax,%rdi", "push 0x10(%rax)", "mov %r13,0x10(%r13)", "mov %r12,(%r12)", "mov $5,%r15d", "movq $7,8(%rsp)",
	}
	src := ".text\n.globl _start\n_start:\n" + strings.Join(lines, "\n") + "\n"
	obj := compile(t, "gcc", "c.s", src, "-nostdlib", "-static")
	f := open(t, obj, none{})
	code := f.image.memory(f.Entry, 4096)
	text := f.image.section(".text")
	at := uint64(0)
	for _, line := range lines {
		in, ok := decodeStart(code[at:])
		if !ok {
			t.Fatalf("%s: not decoded: % x", line, code[at:at+8])
		}
		at += uint64(in.length)
	}
	if at != text.Size {
		t.Errorf("decoded %d bytes of %d", at, text.Size)
	}
}
