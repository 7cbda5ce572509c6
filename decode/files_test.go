package decode_test

import (
	"fmt"
	"strings"
	"testing"

	"farcall/decode"
	"farcall/event"
	"farcall/syscalls"
)

// dirent is a linux_dirent64 with the length that it claims to have.
func dirent(reclen uint16, kind byte, name string) []byte {
	b := append(words(7, 9), byte(reclen), byte(reclen>>8), kind)
	b = append(b, name...)
	return append(b, make([]byte, max(0, int(reclen)-len(b)))...)
}

func TestFileCalls(t *testing.T) {
	entries := append(dirent(24, 4, "."), dirent(32, 8, "file\x00junk")...)
	broken := append(dirent(24, 4, "."), dirent(4000, 8, "x")...)
	polls := []byte{3, 0, 0, 0, 1, 0, 0, 0, 4, 0, 0, 0, 4, 0, 0, 0}
	polled := []byte{3, 0, 0, 0, 1, 0, 1, 0, 4, 0, 0, 0, 4, 0, 0, 0}
	verbose := decode.Options{Verbose: true}
	for _, c := range []struct {
		name  string
		args  [6]uint64
		mem   space
		after space
		ret   int64
		opts  decode.Options
		want  string
	}{
		{"getdents64", [6]uint64{3, 0x1000, 4096}, space{}, space{0x1000: entries}, 56, decode.Options{}, `getdents64(3, 0x1000 /* 2 entries */, 4096) = 56`},
		{"getdents64", [6]uint64{3, 0x1000, 4096}, space{}, space{0x1000: entries}, 56, verbose,
			`getdents64(3, [{d_ino=7, d_off=9, d_reclen=24, d_type=DT_DIR, d_name="."}, {d_ino=7, d_off=9, d_reclen=32, d_type=DT_REG, d_name="file"}], 4096) = 56`},
		{"getdents64", [6]uint64{3, 0x1000, 4096}, space{}, space{0x1000: broken}, 48, decode.Options{}, `getdents64(3, 0x1000 /* 1 entries */, 4096) = 48`},
		{"getdents64", [6]uint64{3, 0x1000, 4096}, space{}, space{}, 56, decode.Options{}, `getdents64(3, 0x1000, 4096) = 56`},
		{"getdents64", [6]uint64{3, 0x1000, 4096}, space{}, space{0x1000: entries}, 0, verbose, `getdents64(3, [], 4096) = 0`},
		{"poll", [6]uint64{0x1000, 2, 5}, space{0x1000: polls}, space{0x1000: polled}, 1, decode.Options{},
			`poll([{fd=3, events=POLLIN}, {fd=4, events=POLLOUT}], 2, 5) = 1 ([{fd=3, revents=POLLIN}])`},
		{"poll", [6]uint64{0x1000, 2, 5}, space{0x1000: polls}, nil, 0, decode.Options{}, `poll([{fd=3, events=POLLIN}, {fd=4, events=POLLOUT}], 2, 5) = 0 (Timeout)`},
		{"select", [6]uint64{70, 0x1000, 0, 0x1000, 0}, space{0x1000: words(8, 1)}, space{0x1000: words(8, 0)}, 2, decode.Options{},
			`select(70, [3 64], NULL, [3 64], NULL) = 2 (in [3], except [3])`},
		{"select", [6]uint64{^uint64(0), 0x1000}, space{0x1000: words(8)}, nil, -22, decode.Options{}, `select(-1, 0x1000, NULL, NULL, NULL) = -1 EINVAL (Invalid argument)`},
		{"utimensat", [6]uint64{3, 0, 0x1000, 0}, space{0x1000: words(0, 1<<30-1, 86400, 5)}, nil, 0, decode.Options{},
			`utimensat(3, NULL, [UTIME_NOW, {tv_sec=86400, tv_nsec=5} /* ` + string(event.AppendClock(nil, 86400, 5)) + ` */], 0) = 0`},
		{"sendfile", [6]uint64{1, 3, 0x1000, 9}, space{0x1000: words(5)}, space{0x1000: words(14)}, 9, decode.Options{}, `sendfile(1, 3, [5] => [14], 9) = 9`},
		{"memfd_create", [6]uint64{0, 21<<26 | 4}, space{}, nil, -14, decode.Options{}, `memfd_create(NULL, MFD_HUGETLB|21<<MFD_HUGE_SHIFT) = -1 EFAULT (Bad address)`},
		{"ioctl", [6]uint64{0, 0x5401, 0x1000}, space{}, space{0x1000: make([]byte, 36)}, 0, decode.Options{},
			`ioctl(0, TCGETS, {c_iflag=, c_oflag=NL0|CR0|TAB0|BS0|VT0|FF0|, c_cflag=B0|CS5|, c_lflag=, ...}) = 0`},
		{"ioctl", [6]uint64{0, 0x80045499, 7}, space{}, nil, -25, decode.Options{}, `ioctl(0, _IOC(_IOC_READ, 0x54, 0x99, 0x4), 0x7) = -1 ENOTTY (Inappropriate ioctl for device)`},
		{"fcntl", [6]uint64{3, 3}, space{}, nil, 0x8402, decode.Options{}, `fcntl(3, F_GETFL) = 0x8402 (flags O_RDWR|O_APPEND|O_LARGEFILE)`},
		{"fcntl", [6]uint64{3, 11}, space{}, nil, 0, decode.Options{}, `fcntl(3, F_GETSIG) = 0`},
		{"readv", [6]uint64{3, 0x1000, 2}, space{0x1000: words(0x2000, 4, 0x3000, 9)}, space{0x2000: []byte("abcd"), 0x3000: []byte("efXXXXXXX")}, 6, decode.Options{},
			`readv(3, [{iov_base="abcd", iov_len=4}, {iov_base="ef", iov_len=9}], 2) = 6`},
		{"mount", [6]uint64{0, 0, 0x1000, 0x1000, 0x1000}, space{0x1000: []byte("x\x00")}, nil, -2, decode.Options{}, `mount(NULL, NULL, 0x1000, MS_BIND, 0x1000) = -1 ENOENT (No such file or directory)`},
	} {
		if got := line(t, c.name, c.args, c.mem, c.after, c.ret, c.opts); got != c.want {
			t.Errorf("got  %s\nwant %s", got, c.want)
		}
	}
}

func TestFileRegions(t *testing.T) {
	mem := space{0x1000: make([]byte, 4096), 0x7000: []byte("/etc\x00")}
	for _, c := range []struct {
		name string
		args [6]uint64
		want string
	}{
		{"getdents64", [6]uint64{3, 0x1000, 4096}, "1000+4096 out"},
		{"fstat", [6]uint64{3, 0x1000}, "1000+144 out"},
		{"statx", [6]uint64{3, 0x7000, 0, 0, 0x1000}, "7000+5 in, 1000+256 out"},
		{"readlink", [6]uint64{0x7000, 0x1000, 99}, "7000+5 in, 1000+99 out"},
		{"poll", [6]uint64{0x1000, 2, 0}, "1000+16 inout"},
		{"select", [6]uint64{70, 0x1000, 0, 0, 0}, "1000+16 inout"},
		{"fcntl", [6]uint64{3, 5, 0x1000}, "1000+32 inout"},
		{"fcntl", [6]uint64{3, 6, 0x1000}, "1000+32 in"},
		{"fcntl", [6]uint64{3, 1, 0x1000}, ""},
		{"ioctl", [6]uint64{0, 0x5401, 0x1000}, "1000+36 out"},
		{"sendfile", [6]uint64{1, 3, 0x1000, 9}, "1000+8 inout"},
		{"epoll_wait", [6]uint64{3, 0x1000, 4, 0}, "1000+48 out"},
	} {
		desc, nr := describe(t, c.name)
		var call decode.Call
		call.Enter(desc, syscalls.AMD64, nr, c.args, mem, decode.Options{})
		var got []string
		call.Regions(func(r decode.Region) { got = append(got, fmt.Sprintf("%x+%d %v", r.Addr, r.Len, r.Dir)) })
		if s := strings.Join(got, ", "); s != c.want {
			t.Errorf("%s%v: %q, want %q", c.name, c.args, s, c.want)
		}
	}
}
