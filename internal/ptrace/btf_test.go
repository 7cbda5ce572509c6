package ptrace

import (
	"os"
	"runtime"
	"testing"
	"unsafe"

	"github.com/cilium/ebpf/btf"
)

// offsets are the members of a kernel structure that have to be where Go puts them.
type offsets map[string]uintptr

func checkLayout(t *testing.T, spec *btf.Spec, name string, size uintptr, want offsets) {
	t.Helper()
	var s *btf.Struct
	if err := spec.TypeByName(name, &s); err != nil {
		t.Errorf("struct %s: %v", name, err)
		return
	}
	if s.Size != uint32(size) {
		t.Errorf("struct %s has %d bytes, ours %d", name, s.Size, size)
	}
	have := offsets{}
	collect(s.Members, 0, have)
	for member, off := range want {
		if got, ok := have[member]; !ok {
			t.Errorf("struct %s has no member %s", name, member)
		} else if got != off {
			t.Errorf("struct %s: %s is at %d, ours at %d", name, member, got, off)
		}
	}
}

// collect finds the members, those of nested unions and structs under path names.
func collect(members []btf.Member, base uintptr, into offsets, prefix ...string) {
	for _, m := range members {
		off := base + uintptr(m.Offset.Bytes())
		name := m.Name
		if len(prefix) > 0 && prefix[0] != "" && name != "" {
			name = prefix[0] + "." + name
		} else if name == "" && len(prefix) > 0 {
			name = prefix[0]
		}
		if name != "" {
			into[name] = off
		}
		switch inner := btf.UnderlyingType(m.Type).(type) {
		case *btf.Struct:
			collect(inner.Members, off, into, name)
		case *btf.Union:
			collect(inner.Members, off, into, name)
		}
	}
}

func TestLayoutAgainstKernel(t *testing.T) {
	if _, err := os.Stat("/sys/kernel/btf/vmlinux"); err != nil {
		t.Skip("the kernel was built without BTF")
	}
	spec, err := btf.LoadKernelSpec()
	if err != nil {
		t.Fatal(err)
	}
	var info SyscallInfo
	union := unsafe.Offsetof(info.union)
	checkLayout(t, spec, "ptrace_syscall_info", unsafe.Sizeof(info), offsets{
		"op": unsafe.Offsetof(info.Op), "arch": unsafe.Offsetof(info.Arch),
		"flags":               unsafe.Offsetof(info.Flags),
		"instruction_pointer": unsafe.Offsetof(info.IP), "stack_pointer": unsafe.Offsetof(info.SP),
		"entry.nr": union, "entry.args": union + 8, "exit.rval": union, "exit.is_error": union + 8,
		"seccomp.nr": union, "seccomp.args": union + 8, "seccomp.ret_data": unsafe.Offsetof(info.retData),
	})
	var sud SyscallUserDispatch
	checkLayout(t, spec, "ptrace_sud_config", unsafe.Sizeof(sud), offsets{
		"mode": unsafe.Offsetof(sud.Mode), "selector": unsafe.Offsetof(sud.Selector),
		"offset": unsafe.Offsetof(sud.Offset), "len": unsafe.Offsetof(sud.Len),
	})
	var rseq RseqConfiguration
	checkLayout(t, spec, "ptrace_rseq_configuration", unsafe.Sizeof(rseq), offsets{
		"rseq_abi_pointer": unsafe.Offsetof(rseq.Pointer), "rseq_abi_size": unsafe.Offsetof(rseq.Size),
		"signature": unsafe.Offsetof(rseq.Signature), "flags": unsafe.Offsetof(rseq.Flags),
	})
	var sf SockFilter
	checkLayout(t, spec, "sock_filter", unsafe.Sizeof(sf), offsets{
		"code": unsafe.Offsetof(sf.Code), "jt": unsafe.Offsetof(sf.Jt), "jf": unsafe.Offsetof(sf.Jf), "k": unsafe.Offsetof(sf.K),
	})
	var si Siginfo
	const u = 16 // the union
	checkLayout(t, spec, "siginfo", unsafe.Sizeof(si), offsets{
		"si_signo": unsafe.Offsetof(si.Signo), "si_errno": unsafe.Offsetof(si.Errno), "si_code": unsafe.Offsetof(si.Code),
		"_sifields":                  unsafe.Offsetof(si.union),
		"_sifields._kill._pid":       u,
		"_sifields._kill._uid":       u + 4,
		"_sifields._timer._tid":      u,
		"_sifields._rt._sigval":      u + 8,
		"_sifields._sigchld._status": u + 8, "_sifields._sigchld._utime": u + 16, "_sifields._sigchld._stime": u + 24,
		"_sifields._sigfault._addr": u, "_sifields._sigfault._addr_bnd._lower": u + 16, "_sifields._sigfault._addr_bnd._upper": u + 24,
		"_sifields._sigfault._addr_pkey._pkey": u + 16, "_sifields._sigfault._perf._data": u + 8, "_sifields._sigfault._perf._type": u + 16,
		"_sifields._sigpoll._band": u, "_sifields._sigpoll._fd": u + 8,
		"_sifields._sigsys._call_addr": u, "_sifields._sigsys._syscall": u + 8, "_sifields._sigsys._arch": u + 12,
	})
	switch runtime.GOARCH {
	case "amd64":
		var r X86Regs
		checkLayout(t, spec, "user_regs_struct", unsafe.Sizeof(r), offsets{
			"r15": unsafe.Offsetof(r.R15), "bp": unsafe.Offsetof(r.Rbp), "bx": unsafe.Offsetof(r.Rbx),
			"r11": unsafe.Offsetof(r.R11), "r10": unsafe.Offsetof(r.R10), "r9": unsafe.Offsetof(r.R9),
			"r8": unsafe.Offsetof(r.R8), "ax": unsafe.Offsetof(r.Rax), "cx": unsafe.Offsetof(r.Rcx),
			"dx": unsafe.Offsetof(r.Rdx), "si": unsafe.Offsetof(r.Rsi), "di": unsafe.Offsetof(r.Rdi),
			"orig_ax": unsafe.Offsetof(r.OrigRax), "ip": unsafe.Offsetof(r.Rip), "cs": unsafe.Offsetof(r.Cs),
			"flags": unsafe.Offsetof(r.Eflags), "sp": unsafe.Offsetof(r.Rsp), "ss": unsafe.Offsetof(r.Ss),
			"fs_base": unsafe.Offsetof(r.FsBase), "gs_base": unsafe.Offsetof(r.GsBase), "gs": unsafe.Offsetof(r.Gs),
		})
	case "arm64":
		var r ARM64Regs
		checkLayout(t, spec, "user_pt_regs", arm64RegsSize, offsets{
			"regs": unsafe.Offsetof(r.X), "sp": unsafe.Offsetof(r.Sp), "pc": unsafe.Offsetof(r.Pc), "pstate": unsafe.Offsetof(r.Pstate),
		})
	}
}

// The layouts of both machines can be checked anywhere against the numbers of their headers
// (arch/x86/include/asm/user_64.h, arch/arm64/include/uapi/asm/ptrace.h).
func TestLayoutConstants(t *testing.T) {
	var x X86Regs
	var xf X86FPRegs
	var a ARM64Regs
	var af ARM64FPRegs
	for _, c := range []struct {
		name      string
		got, want uintptr
	}{
		{"x86 size", unsafe.Sizeof(x), 216},
		{"x86 orig_rax", unsafe.Offsetof(x.OrigRax), 120},
		{"x86 rip", unsafe.Offsetof(x.Rip), 128},
		{"x86 cs", unsafe.Offsetof(x.Cs), 136},
		{"x86 rsp", unsafe.Offsetof(x.Rsp), 152},
		{"x86 fp size", unsafe.Sizeof(xf), 512},
		{"x86 mxcsr", unsafe.Offsetof(xf.Mxcsr), 24},
		{"x86 xmm0", unsafe.Offsetof(xf.XmmSpace), 160},
		{"arm64 size", unsafe.Offsetof(a.number), arm64RegsSize},
		{"arm64 size", arm64RegsSize, 272},
		{"arm64 x8", unsafe.Offsetof(a.X) + 8*unsafe.Sizeof(a.X[0]), 64},
		{"arm64 sp", unsafe.Offsetof(a.Sp), 248},
		{"arm64 pc", unsafe.Offsetof(a.Pc), 256},
		{"arm64 pstate", unsafe.Offsetof(a.Pstate), 264},
		{"arm64 fp size", unsafe.Sizeof(af), 528},
		{"arm64 fpsr", unsafe.Offsetof(af.Fpsr), 512},
		{"arm64 fpcr", unsafe.Offsetof(af.Fpcr), 516},
	} {
		if c.got != c.want {
			t.Errorf("%s: %d, want %d", c.name, c.got, c.want)
		}
	}
}
