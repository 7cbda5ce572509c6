package linux

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

const everything = Paths | Sockets | Devices | PIDFDs

// self describes a descriptor of this process.
func self(t *testing.T, show Show, fd int) string {
	t.Helper()
	f := NewFDInfo(show)
	t.Cleanup(f.Close)
	return string(f.Task(os.Getpid()).FD(nil, int32(fd)))
}

func TestPaths(t *testing.T) {
	name := filepath.Join(t.TempDir(), "a<b>\n\"1")
	file, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	want := filepath.Dir(name) + `/a\74b\76\n\"1`
	if got := self(t, Paths, int(file.Fd())); got != want {
		t.Errorf("path is %s, want %s", got, want)
	}
	if err := os.Remove(name); err != nil {
		t.Fatal(err)
	}
	if got := self(t, Paths, int(file.Fd())); got != want+">(deleted)" {
		t.Errorf("deleted path is %s, want %s>(deleted)", got, want)
	}
	for _, fd := range []int{-1, 1 << 20} {
		if got := self(t, everything, fd); got != "" {
			t.Errorf("descriptor %d is %q, want nothing", fd, got)
		}
	}
}

// A file whose name ends as those of deleted files do is not deleted.
func TestNamedDeleted(t *testing.T) {
	name := filepath.Join(t.TempDir(), "x (deleted)")
	file, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if got := self(t, Paths, int(file.Fd())); got != name {
		t.Errorf("path is %s, want %s", got, name)
	}
}

// The number of a descriptor says nothing about what it will be next time.
func TestReusedDescriptor(t *testing.T) {
	f := NewFDInfo(everything)
	defer f.Close()
	task := f.Task(os.Getpid())
	server, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	for _, open := range []func() (int, string){
		func() (int, string) {
			fd, err := unix.Open("/dev/null", unix.O_RDONLY, 0)
			if err != nil {
				t.Fatal(err)
			}
			return fd, "/dev/null<char 1:3>"
		},
		func() (int, string) {
			fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
			if err != nil {
				t.Fatal(err)
			}
			a := server.Addr().(*net.TCPAddr)
			if err := unix.Connect(fd, &unix.SockaddrInet4{Port: a.Port, Addr: [4]byte{127, 0, 0, 1}}); err != nil {
				t.Fatal(err)
			}
			sa, err := unix.Getsockname(fd)
			if err != nil {
				t.Fatal(err)
			}
			return fd, fmt.Sprintf("TCP:[127.0.0.1:%d->%s]", sa.(*unix.SockaddrInet4).Port, a)
		},
		func() (int, string) {
			fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
			if err != nil {
				t.Fatal(err)
			}
			unix.Close(fds[1]) // the other end is gone: the first description must not be of an older socket
			var st unix.Stat_t
			if err := unix.Fstat(fds[0], &st); err != nil {
				t.Fatal(err)
			}
			return fds[0], fmt.Sprintf("UNIX-STREAM:[%d]", st.Ino)
		},
	} {
		fd, want := open()
		got := string(task.FD(nil, int32(fd)))
		unix.Close(fd)
		if got != want {
			t.Errorf("descriptor %d is %s, want %s", fd, got, want)
		}
	}
}

// TestAgainstStrace compares what strace shows of the descriptors of a shell with what is found here.
func TestAgainstStrace(t *testing.T) {
	if _, err := exec.LookPath("strace"); err != nil {
		t.Skip("no strace")
	}
	dir := t.TempDir()
	out := filepath.Join(dir, "out")
	script := `exec 3</dev/null 4>"$0/a<b" 5</dev 6</proc/self/ns/net 7<>/dev/ptmx; rm "$0/a<b"; exec 8<&0; exec 3<&- 4<&- 5<&- 6<&-`
	cmd := exec.Command("strace", "-f", "-yy", "-e", "trace=dup2,fcntl,close", "-o", out, "sh", "-c", script, dir)
	cmd.Stdin = strings.NewReader("")
	if b, err := cmd.CombinedOutput(); err != nil && len(b) > 0 {
		t.Skipf("strace: %v: %s", err, b)
	}
	text, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), "</dev/null<char 1:3>>") {
		t.Fatalf("strace shows nothing of /dev/null:\n%s", text)
	}
	null, err := os.Open("/dev/null")
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	if got := self(t, everything, int(null.Fd())); got != "/dev/null<char 1:3>" {
		t.Errorf("/dev/null is %s", got)
	}
	for _, m := range regexp.MustCompile(`<(/[^<>]*/a\\74b)>\(deleted\)`).FindAllStringSubmatch(string(text), 1) {
		if want := dir + `/a\74b`; m[1] != want {
			t.Errorf("strace escapes as %s, not as %s", m[1], want)
		}
	}
}

func TestProcesses(t *testing.T) {
	f := NewFDInfo(Commands | Namespaces)
	defer f.Close()
	task := f.Task(os.Getpid())
	comm, err := os.ReadFile("/proc/self/comm")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := string(task.PID(nil, int32(os.Getpid()))), strings.TrimSpace(string(comm)); got != want {
		t.Errorf("this process is %q, want %q", got, want)
	}
	if got := string(task.Remark(nil, int32(os.Getpid()))); got != "" {
		t.Errorf("remark %q on a process of our own namespace", got)
	}
	for _, pid := range []int32{0, -5} {
		if got := string(task.PID(nil, pid)); got != "" {
			t.Errorf("process %d is %q, want nothing", pid, got)
		}
	}
}

func TestNetlinkAndInterfaces(t *testing.T) {
	f := NewFDInfo(0)
	defer f.Close()
	task := f.Task(os.Getpid())
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW, unix.NETLINK_SOCK_DIAG)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if got := task.Netlink(int32(fd)); got != unix.NETLINK_SOCK_DIAG {
		t.Errorf("family %d, want %d", got, unix.NETLINK_SOCK_DIAG)
	}
	if got := task.Netlink(0); got != -1 {
		t.Errorf("standard input is of netlink family %d", got)
	}
	lo, err := net.InterfaceByName("lo")
	if err != nil {
		t.Skip("no loopback interface")
	}
	if got := string(task.Interface(nil, uint32(lo.Index))); got != "lo" {
		t.Errorf("interface %d is %q, want lo", lo.Index, got)
	}
}

func BenchmarkPath(b *testing.B) {
	f := NewFDInfo(Paths)
	defer f.Close()
	task := f.Task(os.Getpid())
	buf := make([]byte, 0, 256)
	b.ReportAllocs()
	for b.Loop() {
		buf = task.FD(buf[:0], 0)
	}
}
