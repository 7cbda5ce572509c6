package proxy

import (
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"farcall/internal/seccomp"
	"farcall/remote/wire"
	"farcall/syscalls"
	"farcall/syscalls/linux"

	"golang.org/x/sys/unix"
)

// TestKernelPrototypes holds what is intercepted against the kernel's own prototypes: a call that takes a file descriptor or a path must be
// seen, or be kept on purpose. One that is forgotten would be executed on the wrong side without anybody noticing.
func TestKernelPrototypes(t *testing.T) {
	b, err := os.ReadFile("../../syscalls/linux/tracefs-6.18-amd64.txt")
	if err != nil {
		t.Fatal(err)
	}
	file := regexp.MustCompile(`(int|unsigned int|long|unsigned long) (fd|dfd|fildes|ufd|fd_in|fd_out|in_fd|out_fd|fdin|fdout|olddfd|newdfd|from_dfd|to_dfd|dirfd|oldfd|dir_fd|fs_fd|mnt_fd|fanotify_fd|kernel_fd|initrd_fd)\b|const char \* (filename|pathname|path|name|oldname|newname|dir_name|library|specialfile|from_pathname|to_pathname|_path|old|new_root|put_old)\b`)
	lines := 0
	for line := range strings.Lines(string(b)) {
		name, _, ok := strings.Cut(line, "(")
		if !ok || strings.HasPrefix(line, "#") {
			continue
		}
		lines++
		nr, ok := syscalls.AMD64.Number(name)
		if !ok || !file.MatchString(line) || kept[name] {
			continue
		}
		d := linux.Describe(syscalls.AMD64, nr)
		if d == nil || !intercepted(d, filterOptions{net: true, served: true}) {
			t.Errorf("%s is not intercepted", strings.TrimSpace(line))
		}
	}
	if lines < 300 {
		t.Errorf("only %d prototypes", lines)
	}
}

// TestKeptExist finds names in the tables that are no calls.
func TestKeptExist(t *testing.T) {
	for _, table := range []map[string]bool{kept, onContent, dataOnly} {
		for name := range table {
			if _, ok := syscalls.AMD64.Number(name); !ok {
				t.Errorf("no call %s", name)
			}
		}
	}
	for name := range forms {
		if _, ok := syscalls.AMD64.Number(name); !ok {
			t.Errorf("no call %s", name)
		}
		if wire.ByName(forms[name].name) == nil {
			t.Errorf("%s: %s is not carried", name, forms[name].name)
		}
	}
	for name := range questions {
		if _, ok := syscalls.AMD64.Number(name); !ok {
			t.Errorf("no call %s", name)
		}
	}
}

// TestFilter asks the filter what happens to some calls.
func TestFilter(t *testing.T) {
	s := spec(seccomp.Notify, filterOptions{})
	if _, err := seccomp.Compile(s); err != nil {
		t.Fatal(err)
	}
	decide := func(name string, args ...uint64) seccomp.Action {
		nr, ok := nativeABI.Number(name)
		if !ok {
			t.Fatalf("no call %s", name)
		}
		var a [6]uint64
		copy(a[:], args)
		return s.Decide(nativeABI, uint32(nr), a)
	}
	for name, want := range map[string]seccomp.Action{
		"openat": seccomp.Notify, "read": seccomp.Notify, "statx": seccomp.Notify, "execve": seccomp.Notify, "getcwd": seccomp.Notify,
		"mount": seccomp.Notify, "inotify_add_watch": seccomp.Notify, "io_uring_setup": seccomp.Notify,
		"io_setup": seccomp.Notify, "msync": seccomp.Notify, "munmap": seccomp.Allow, "restart_syscall": seccomp.Allow, "exit_group": seccomp.Allow,
		"futex": seccomp.Allow, "clock_gettime": seccomp.Allow, "close": seccomp.Allow, "brk": seccomp.Allow, "rt_sigreturn": seccomp.Allow,
	} {
		if got := decide(name); got != want {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
	if got := decide("mmap", 0, 4096, 3, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS); got != seccomp.Allow {
		t.Errorf("anonymous mmap: %v", got)
	}
	if got := decide("mmap", 0, 4096, 3, unix.MAP_PRIVATE, 3); got != seccomp.Notify {
		t.Errorf("mmap of a file: %v", got)
	}
	if got := s.Decide(syscalls.I386, 5, [6]uint64{}); got != seccomp.Errno(unix.ENOSYS) {
		t.Errorf("i386 open: %v", got)
	}
}

// TestFilterOptions asks what else depends on options.
func TestFilterOptions(t *testing.T) {
	for _, c := range []struct {
		o    filterOptions
		name string
		arg  uint64
		want seccomp.Action
	}{
		{filterOptions{}, "socket", unix.AF_INET, seccomp.Allow}, {filterOptions{net: true}, "socket", unix.AF_INET, seccomp.Notify},
		{filterOptions{net: true}, "socket", unix.AF_INET6, seccomp.Notify}, {filterOptions{net: true}, "socket", unix.AF_UNIX, seccomp.Allow},
		{filterOptions{}, "accept4", 3, seccomp.Allow}, {filterOptions{net: true}, "accept4", 3, seccomp.Notify},
		{filterOptions{}, "connect", 3, seccomp.Notify}, {filterOptions{net: true}, "shutdown", 3, seccomp.Allow},
		{filterOptions{io: true}, "read", 3, seccomp.Allow}, {filterOptions{io: true}, "pwritev2", 3, seccomp.Allow},
		{filterOptions{io: true}, "lseek", 3, seccomp.Notify}, {filterOptions{io: true}, "openat", 3, seccomp.Notify},
		{filterOptions{net: true, io: true}, "read", 3, seccomp.Notify}, {filterOptions{net: true, io: true}, "pread64", 3, seccomp.Allow},
	} {
		nr, ok := nativeABI.Number(c.name)
		if !ok {
			t.Fatalf("no call %s", c.name)
		}
		s := spec(seccomp.Notify, c.o)
		if got := s.Decide(nativeABI, uint32(nr), [6]uint64{c.arg}); got != c.want {
			t.Errorf("%s(%d) with %+v: %v, want %v", c.name, c.arg, c.o, got, c.want)
		}
	}
}

// TestNothingIsLeftOut holds the filter, and the tracer's set of calls, against the header that has all calls of a kernel: one that is
// neither known to be about no file nor seen must fail. A number that no kernel has yet must, too.
func TestNothingIsLeftOut(t *testing.T) {
	header, err := os.ReadFile("/usr/include/x86_64-linux-gnu/asm/unistd_64.h")
	if err != nil {
		t.Fatal(err) // libc6-dev brings it
	}
	s, seen := spec(seccomp.Notify, filterOptions{}), callSet(filterOptions{})
	decide := func(nr uint64) seccomp.Action { return s.Decide(nativeABI, uint32(nr), [6]uint64{}) }
	all := regexp.MustCompile(`#define __NR_(\w+) (\d+)`).FindAllStringSubmatch(string(header), -1)
	if len(all) < 300 {
		t.Fatalf("%d calls in the header", len(all))
	}
	for _, m := range all {
		nr, err := strconv.ParseUint(m[2], 10, 32)
		if err != nil {
			t.Fatal(err)
		}
		d := linux.Describe(nativeABI, nr)
		passes := d != nil && !intercepted(d, filterOptions{})
		if got := decide(nr); got == seccomp.Allow != passes || seen.Has(nativeABI, nr) == passes {
			t.Errorf("%s: %v, a tracer sees it: %v", m[1], got, seen.Has(nativeABI, nr))
		}
	}
	for _, nr := range []uint64{400, 999, 5000} { // there are none of these
		if got := decide(nr); got != seccomp.Errno(unix.ENOSYS) || !seen.Has(nativeABI, nr) {
			t.Errorf("%d: %v, a tracer sees it: %v", nr, got, seen.Has(nativeABI, nr))
		}
	}
}
