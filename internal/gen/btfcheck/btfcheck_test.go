//go:build linux && amd64

package btfcheck

import (
	"errors"
	"fmt"
	"os"
	"testing"
	"unsafe"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

func TestMain(m *testing.M) {
	// Without CONFIG_DEBUG_INFO_BTF, or below 5.4, there is nothing to compare with.
	if _, err := os.Stat("/sys/kernel/btf/vmlinux"); errors.Is(err, os.ErrNotExist) {
		fmt.Fprintln(os.Stderr, "btfcheck: the kernel has no BTF, nothing is compared")
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func TestLayoutIovec(t *testing.T) {
	members, size, err := Layout("iovec")
	if err != nil {
		t.Fatal(err)
	}
	want := []Member{
		{"iov_base", 0, 8, Pointer, 0},
		{"iov_len", 8, 8, Unsigned, 0},
	}
	if diff := cmp.Diff(want, members); diff != "" || size != 16 {
		t.Errorf("size %d\n%s", size, diff)
	}
}

// Members of the kernel against those that Go's compiler lays out in x/sys.
func TestLayoutAgainstGo(t *testing.T) {
	var (
		stat  unix.Stat_t
		statx unix.Statx_t
		msg   unix.Msghdr
		epoll unix.EpollEvent
		utime unix.Utsname
		how   unix.OpenHow
	)
	type offsets map[string]uintptr
	for _, tt := range []struct {
		name    string
		size    uintptr
		members offsets
	}{
		{"stat", unsafe.Sizeof(stat), offsets{
			"st_dev": unsafe.Offsetof(stat.Dev), "st_ino": unsafe.Offsetof(stat.Ino), "st_mode": unsafe.Offsetof(stat.Mode),
			"st_size": unsafe.Offsetof(stat.Size), "st_blocks": unsafe.Offsetof(stat.Blocks), "st_ctime": unsafe.Offsetof(stat.Ctim),
		}},
		{"statx", unsafe.Sizeof(statx), offsets{
			"stx_mask": 0, "stx_mode": unsafe.Offsetof(statx.Mode), "stx_size": unsafe.Offsetof(statx.Size),
			"stx_btime": unsafe.Offsetof(statx.Btime), "stx_mnt_id": unsafe.Offsetof(statx.Mnt_id),
		}},
		{"user_msghdr", unsafe.Sizeof(msg), offsets{
			"msg_name": unsafe.Offsetof(msg.Name), "msg_namelen": unsafe.Offsetof(msg.Namelen), "msg_iov": unsafe.Offsetof(msg.Iov),
			"msg_iovlen": unsafe.Offsetof(msg.Iovlen), "msg_control": unsafe.Offsetof(msg.Control), "msg_controllen": unsafe.Offsetof(msg.Controllen),
			"msg_flags": unsafe.Offsetof(msg.Flags),
		}},
		{"epoll_event", unsafe.Sizeof(epoll), offsets{"events": 0, "data": unsafe.Offsetof(epoll.Fd)}},
		{"new_utsname", unsafe.Sizeof(utime), offsets{"release": unsafe.Offsetof(utime.Release), "domainname": unsafe.Offsetof(utime.Domainname)}},
		{"open_how", unsafe.Sizeof(how), offsets{"flags": 0, "mode": unsafe.Offsetof(how.Mode), "resolve": unsafe.Offsetof(how.Resolve)}},
		{"timespec64", unsafe.Sizeof(unix.Timespec{}), offsets{"tv_sec": 0, "tv_nsec": 8}},
		{"sockaddr_in", unsafe.Sizeof(unix.RawSockaddrInet4{}), offsets{"sin_port": 2, "sin_addr": 4}},
	} {
		members, size, err := Layout(tt.name)
		if err != nil {
			t.Error(err)
			continue
		}
		if size != int(tt.size) {
			t.Errorf("%s has %d bytes; Go lays out %d", tt.name, size, tt.size)
		}
		found := 0
		for _, m := range members {
			if want, ok := tt.members[m.Name]; ok {
				found++
				if m.Offset != int(want) {
					t.Errorf("%s.%s is at %d; Go has it at %d", tt.name, m.Name, m.Offset, want)
				}
			}
		}
		if found != len(tt.members) {
			t.Errorf("%s: %d of %d members found in %v", tt.name, found, len(tt.members), members)
		}
	}
}

// struct sigaction of the kernel, include/linux/signal_types.h: not glibc's.
func TestLayoutSigaction(t *testing.T) {
	members, size, err := Layout("sigaction")
	if err != nil {
		t.Fatal(err)
	}
	want := []Member{
		{"sa_handler", 0, 8, Pointer, 0},
		{"sa_flags", 8, 8, Unsigned, 0},
		{"sa_restorer", 16, 8, Pointer, 0},
		{"sa_mask", 24, 8, Struct, 0},
	}
	if diff := cmp.Diff(want, members); diff != "" || size != 32 {
		t.Errorf("size %d\n%s", size, diff)
	}
}

// perf_event_attr has anonymous unions and bit fields.
func TestLayoutAnonymous(t *testing.T) {
	members, _, err := Layout("perf_event_attr")
	if err != nil {
		t.Fatal(err)
	}
	byName := map[string]Member{}
	for _, m := range members {
		byName[m.Name] = m
	}
	for _, want := range []Member{
		{"sample_period", 16, 8, Unsigned, 0},
		{"sample_freq", 16, 8, Unsigned, 0},
		{"disabled", 40, 8, Unsigned, 1},
		{"precise_ip", 41, 8, Unsigned, 2},
	} {
		if got := byName[want.Name]; got != want {
			t.Errorf("got %+v; want %+v", got, want)
		}
	}
}

func TestLayoutNotFound(t *testing.T) {
	for _, name := range []string{"no_such_structure", "size_t", ""} {
		if _, _, err := Layout(name); !errors.Is(err, ErrNotFound) {
			t.Errorf("Layout(%q): %v; want ErrNotFound", name, err)
		}
	}
	if err := Available(); err != nil {
		t.Error(err)
	}
}
