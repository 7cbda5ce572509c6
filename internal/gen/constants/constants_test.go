package constants

import (
	"path/filepath"
	"strings"
	"testing"
)

func load(t *testing.T, arch string) *Set {
	t.Helper()
	s, err := Load(arch)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// From the kernel's headers: asm-generic/fcntl.h and what arch/arm64/include/uapi changes,
// linux/futex.h, asm-generic/ioctl.h.
func TestValueByArch(t *testing.T) {
	for arch, want := range map[string]map[string]uint64{
		"amd64": {
			"O_DIRECTORY": 0o200000, "O_NOFOLLOW": 0o400000, "O_DIRECT": 0o40000, "O_LARGEFILE": 0o100000,
			"AT_FDCWD": 1<<64 - 100, "FUTEX_WAIT_BITSET": 9, "FUTEX_PRIVATE_FLAG": 128, "MAP_32BIT": 0x40,
			"ARCH_SET_FS": 0x1002, "SI_QUEUE": 1<<64 - 1, "SEGV_MAPERR": 1,
			"FS_IOC_GETFLAGS": 0x80086601, "KVM_RUN": 0xae80, "SNDRV_PCM_IOCTL_PVERSION": 0x80044100,
			"PTRACE_GET_SYSCALL_INFO": 0x420e, "RLIM_INFINITY": 1<<64 - 1, "SCSI_IOCTL_SEND_COMMAND": 1, "SG_IO": 0x2285,
			"MSG_STAT": 11, "SEM_UNDO": 0x1000, "SHM_RND": 0o20000, "IORING_OP_READV": 1, "BPF_PROG_TYPE_XDP": 6,
			"SIG_IGN": 1, "SWAP_FLAG_PREFER": 0x8000, "AT_SYSINFO_EHDR": 33, "AT_PAGESZ": 6,
		},
		"arm64": {
			"O_DIRECTORY": 0o40000, "O_NOFOLLOW": 0o100000, "O_DIRECT": 0o200000, "O_LARGEFILE": 0o400000,
			"AT_FDCWD": 1<<64 - 100, "FUTEX_WAIT_BITSET": 9, "PROT_BTI": 0x10, "FS_IOC_GETFLAGS": 0x80086601,
		},
		"386": {
			"O_DIRECTORY": 0o200000, "O_LARGEFILE": 0o100000, "F_GETLK64": 12, "FS_IOC_GETFLAGS": 0x80046601,
			"RLIM_INFINITY": 1<<32 - 1, "MAP_32BIT": 0x40,
		},
	} {
		s := load(t, arch)
		for name, value := range want {
			if got, ok := s.Value(name); !ok || got != value {
				t.Errorf("%s: %s = %#x, %v; want %#x", arch, name, got, ok, value)
			}
		}
	}
}

func TestValueUnknown(t *testing.T) {
	s := load(t, "arm64")
	for _, name := range []string{"", "O_NOSUCH", "ARCH_SET_FS", "MAP_32BIT", "KVM_GET_LAPIC"} {
		if v, ok := s.Value(name); ok {
			t.Errorf("arm64: %s = %#x; want none", name, v)
		}
	}
	if _, err := Load("pdp11"); err == nil {
		t.Error("Load(pdp11) succeeded")
	}
}

// Values by hand are for what no other source knows.
func TestExtraIsNeeded(t *testing.T) {
	dir, err := moduleDir("farcall")
	if err != nil {
		t.Fatal(err)
	}
	dir = filepath.Join(dir, "syscalls", "linux")
	extra := &Set{headers: map[string]uint64{}}
	if err := extra.readHeaders(filepath.Join(dir, "macros-extra.txt")); err != nil {
		t.Fatal(err)
	}
	observed := &Set{headers: map[string]uint64{}}
	if err := observed.readHeaders(filepath.Join(dir, "macros-amd64.txt")); err != nil {
		t.Fatal(err)
	}
	xsys := load(t, "amd64").xsys
	for name := range extra.headers {
		_, inHeaders := observed.headers[name]
		if _, inXSys := xsys[name]; inHeaders || inXSys {
			t.Errorf("%s need not stand in macros-extra.txt", name)
		}
	}
}

func TestInXSys(t *testing.T) {
	s := load(t, "amd64")
	if s.InXSys("FUTEX_WAIT") {
		t.Error("FUTEX_WAIT is not in x/sys")
	}
	// x/sys has glibc's 0.
	if s.InXSys("O_LARGEFILE") {
		t.Error("unix.O_LARGEFILE has not the kernel's value")
	}
}

// Where both sources know a name they agree, but for a known few.
func TestSourcesAgree(t *testing.T) {
	differ := map[string]string{
		"O_LARGEFILE": "glibc's 0",
		"F_GETLK":     "glibc's 64-bit commands on 386", "F_SETLK": "as well", "F_SETLKW": "as well",
		"IFA_MAX": "has grown", "RTA_MAX": "has grown", "BPF_F_REDIRECT_FLAGS": "has grown",
		"SYS_SECCOMP": "a code of siginfo there, a call here",
	}
	for _, arch := range Arches {
		s := load(t, arch)
		shared := 0
		for name, x := range s.xsys {
			h, ok := s.headers[name]
			if !ok {
				continue
			}
			shared++
			if strings.HasPrefix(name, "SYS_") {
				continue // calls of socketcall in linux/net.h
			}
			// Widths differ: 32-bit masks may be signed in one source.
			if h != x && uint32(h) != uint32(x) && differ[name] == "" {
				t.Errorf("%s: %s is %#x in x/sys and %#x in the headers", arch, name, x, h)
			}
		}
		if shared < 3000 {
			t.Errorf("%s: only %d names in both sources", arch, shared)
		}
	}
}

func TestIoctls(t *testing.T) {
	list := load(t, "amd64").Ioctls()
	if len(list) < 3000 {
		t.Errorf("%d commands", len(list))
	}
	byName := map[string]Ioctl{}
	for _, c := range list {
		if _, ok := byName[c.Name]; ok {
			t.Errorf("%s stands twice", c.Name)
		}
		byName[c.Name] = c
	}
	for _, want := range []Ioctl{
		{"TCGETS", 0x5401, "asm-generic/ioctls.h", ""},
		{"FICLONERANGE", 0x4020940d, "linux/fs.h", "struct file_clone_range"},
		{"SIOCGIFCONF", 0x8912, "linux/sockios.h", ""},
	} {
		if got := byName[want.Name]; got != want {
			t.Errorf("got %+v; want %+v", got, want)
		}
	}
	if n := len(load(t, "arm64").Ioctls()); n >= len(list) {
		t.Errorf("arm64 has %d commands, amd64 %d", n, len(list))
	}
}

func TestEachLineErrors(t *testing.T) {
	err := eachLine(strings.NewReader("# x\nA 1\nB\n"), func([]string) error { return nil })
	if err == nil || !strings.Contains(err.Error(), "line 3") {
		t.Errorf("got %v", err)
	}
	for _, bad := range []string{"", "x", "1x", "0x", "99999999999999999999", "--1"} {
		if v, err := parseValue(bad); err == nil {
			t.Errorf("parseValue(%q) = %d", bad, v)
		}
	}
	if v, err := parseValue("-100"); err != nil || v != 1<<64-100 {
		t.Errorf("parseValue(-100) = %#x, %v", v, err)
	}
}
