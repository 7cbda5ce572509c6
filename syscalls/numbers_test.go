package syscalls

import (
	"slices"
	"testing"
)

func TestNumberKnown(t *testing.T) {
	// From the system-call tables of the kernel, arch/*/entry/syscalls.
	for _, tt := range []struct {
		abi  ABI
		name string
		nr   uint64
	}{
		{AMD64, "read", 0},
		{AMD64, "pread64", 17},
		{AMD64, "_sysctl", 156},
		{AMD64, "umount2", 166},
		{AMD64, "newfstatat", 262},
		{AMD64, "rseq", 334},
		{AMD64, "uretprobe", 335},
		{AMD64, "pidfd_send_signal", 424},
		{AMD64, "map_shadow_stack", 453},
		{AMD64, "rseq_slice_yield", 471},
		{I386, "restart_syscall", 0},
		{I386, "umount", 22},
		{I386, "umount2", 52},
		{I386, "socketcall", 102},
		{I386, "_newselect", 142},
		{I386, "futex_time64", 422},
		{X32, "write", X32Bit + 1},
		{X32, "rt_sigaction", X32Bit + 512},
		{X32, "pwritev2", X32Bit + 547},
		{X32, "openat2", X32Bit + 437},
		{X32, "rseq_slice_yield", X32Bit + 471},
		{ARM64, "io_setup", 0},
		{ARM64, "fcntl", 25},
		{ARM64, "newfstatat", 79},
		{ARM64, "clone", 220},
		{ARM64, "rseq_slice_yield", 471},
	} {
		if nr, ok := tt.abi.Number(tt.name); !ok || nr != tt.nr {
			t.Errorf("%v.Number(%q) = %d, %v; want %d", tt.abi, tt.name, nr, ok, tt.nr)
		}
		if name := tt.abi.Name(tt.nr); name != tt.name {
			t.Errorf("%v.Name(%d) = %q; want %q", tt.abi, tt.nr, name, tt.name)
		}
	}
}

func TestNameX32WithoutBit(t *testing.T) {
	if got := X32.Name(514); got != "ioctl" {
		t.Errorf("X32.Name(514) = %q; want ioctl", got)
	}
	// The bit belongs to x32 alone.
	if got := AMD64.Name(X32Bit); got != "" {
		t.Errorf("AMD64.Name(X32Bit) = %q; want none", got)
	}
}

func TestNumberUnknown(t *testing.T) {
	for _, tt := range []struct {
		abi  ABI
		name string
	}{
		{AMD64, ""},
		{AMD64, "a"},
		{AMD64, "zzz"},
		{AMD64, "socketcall"},
		{AMD64, "umount"},
		{X32, "map_shadow_stack"}, // a "64" call, syscall_64.tbl
		{X32, "uselib"},
		{ARM64, "open"},
		{ABI(NumABI), "read"},
	} {
		if nr, ok := tt.abi.Number(tt.name); ok {
			t.Errorf("%v.Number(%q) = %d; want none", tt.abi, tt.name, nr)
		}
	}
	for _, tt := range []struct {
		abi ABI
		nr  uint64
	}{
		{AMD64, 400}, {AMD64, 1 << 20}, {AMD64, ^uint64(0)},
		{X32, 16}, {X32, X32Bit + 16}, {X32, 2*X32Bit + 1}, {ARM64, 244}, {ABI(NumABI), 0},
	} {
		if name := tt.abi.Name(tt.nr); name != "" {
			t.Errorf("%v.Name(%#x) = %q; want none", tt.abi, tt.nr, name)
		}
	}
}

func TestNamesRoundTrip(t *testing.T) {
	least := [NumABI]int{AMD64: 385, I386: 461, X32: 365, ARM64: 327}
	for abi := range ABI(NumABI) {
		count, last := 0, int64(-1)
		for nr, name := range abi.Names() {
			count++
			if int64(nr) <= last {
				t.Errorf("%v: %d after %d", abi, nr, last)
			}
			last = int64(nr)
			if got, ok := abi.Number(name); !ok || got != nr {
				t.Errorf("%v.Number(%q) = %d, %v; want %d", abi, name, got, ok, nr)
			}
			if got := abi.Name(nr); got != name {
				t.Errorf("%v.Name(%d) = %q; want %q", abi, nr, got, name)
			}
		}
		if count < least[abi] {
			t.Errorf("%v has %d calls; want at least %d", abi, count, least[abi])
		}
		table := abi.table()
		if !slices.IsSortedFunc(table.sorted, func(x, y uint16) int {
			if table.names[x] < table.names[y] {
				return -1
			}
			return 1
		}) {
			t.Errorf("%v: sorted numbers are not in the order of their names", abi)
		}
	}
}

func TestNamesStopsEarly(t *testing.T) {
	seen := 0
	for range AMD64.Names() {
		if seen++; seen == 3 {
			break
		}
	}
	if seen != 3 {
		t.Errorf("saw %d calls; want 3", seen)
	}
}

func BenchmarkNumber(b *testing.B) {
	for b.Loop() {
		AMD64.Number("openat2")
	}
}
