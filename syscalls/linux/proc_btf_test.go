package linux_test

import (
	"errors"
	"runtime"
	"testing"

	"farcall/internal/gen/btfcheck"
	"farcall/syscalls"
	"farcall/syscalls/linux"
)

// TestProcessStructures compares structures of calls on processes, signals, time and the system
// with the running kernel's: the offset and size of each member that has the same name there, and
// the whole size where the description covers all of it.
func TestProcessStructures(t *testing.T) {
	if runtime.GOARCH != "amd64" {
		t.Skip("some of the structures differ by architecture")
	}
	structs := linux.Base().Structs
	for name, c := range map[string]struct {
		kernel string
		part   bool // the kernel's has more
		i386   bool
	}{
		"rlimit64": {kernel: "rlimit64"}, "rlimit": {kernel: "rlimit"}, "rusage": {kernel: "rusage"}, "tms": {kernel: "tms"},
		"clone_args": {kernel: "clone_args"}, "user_desc": {kernel: "user_desc"}, "futex_waitv": {kernel: "futex_waitv"},
		"kcmp_epoll_slot": {kernel: "kcmp_epoll_slot"}, "sigaction": {kernel: "sigaction"}, "sigaltstack": {kernel: "sigaltstack"},
		"siginfo": {kernel: "siginfo"}, "timezone": {kernel: "timezone"}, "timex": {kernel: "__kernel_timex"},
		"itimerspec": {kernel: "__kernel_itimerspec"}, "sigevent": {kernel: "sigevent"}, "sched_attr": {kernel: "sched_attr"},
		"sched_attr_set": {kernel: "sched_attr"}, "cap_header": {kernel: "__user_cap_header_struct"}, "seccomp_insn": {kernel: "sock_filter"},
		"seccomp_prog": {kernel: "sock_fprog"}, "seccomp_notif_sizes": {kernel: "seccomp_notif_sizes"},
		"landlock_ruleset_attr": {kernel: "landlock_ruleset_attr"}, "landlock_path": {kernel: "landlock_path_beneath_attr"},
		"landlock_port": {kernel: "landlock_net_port_attr"}, "utsname": {kernel: "new_utsname"}, "sysinfo": {kernel: "sysinfo"},
		"kexec_segment": {kernel: "kexec_segment", part: true}, "ptrace_peeksiginfo": {kernel: "ptrace_peeksiginfo_args"},
		"perf_event_attr": {kernel: "perf_event_attr", part: true}, "old_sigaction": {kernel: "compat_old_sigaction", i386: true},
	} {
		t.Run(name, func(t *testing.T) {
			s := structs[name]
			if s == nil {
				t.Fatalf("%s is not described", name)
			}
			members, size, err := btfcheck.Layout(c.kernel)
			if errors.Is(err, btfcheck.ErrNotFound) {
				t.Skipf("the kernel does not tell about %s", c.kernel)
			}
			if err != nil {
				t.Fatal(err)
			}
			layout := syscalls.LayoutLP64
			if c.i386 {
				layout = syscalls.LayoutI386
			}
			if got := int(s.Size[layout]); got != size && !(c.part && got < size) {
				t.Errorf("%d bytes, the kernel's %s has %d", got, c.kernel, size)
			}
			at := map[string]btfcheck.Member{}
			for _, m := range members {
				at[m.Name] = m
			}
			for i := range s.Fields {
				f := &s.Fields[i]
				m, ok := at[f.Name]
				if !ok {
					continue
				}
				switch {
				case f.Bits[1] != 0:
					if int(f.Bits[1]) != m.Bits {
						t.Errorf("%s has %d bits, the kernel's %d", f.Name, f.Bits[1], m.Bits)
					}
				case int(f.Off[layout]) != m.Offset:
					t.Errorf("%s is at %d, the kernel's at %d", f.Name, f.Off[layout], m.Offset)
				case f.Type.Size(layout) != m.Size:
					t.Errorf("%s has %d bytes, the kernel's %d", f.Name, f.Type.Size(layout), m.Size)
				}
			}
		})
	}
}
