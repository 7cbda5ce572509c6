package network

import (
	"io"
	"os"
	"os/exec"
	"strconv"
	"testing"

	"farcall/internal/linux"

	"golang.org/x/sys/unix"
)

func newSockets(t *testing.T) (ss *sockets, freed *[]uint32) {
	t.Helper()
	freed = new([]uint32)
	ss = &sockets{free: func(id uint32) { *freed = append(*freed, id) }}
	t.Cleanup(ss.close)
	return ss, freed
}

func inodeOf(t *testing.T, fd int) string {
	t.Helper()
	name, err := os.Readlink("/proc/self/fd/" + strconv.Itoa(fd))
	if err != nil {
		t.Fatal(err)
	}
	return name
}

func writable(fd int) bool {
	fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}
	n, err := unix.Poll(fds, 0)
	return n == 1 && err == nil && fds[0].Revents&unix.POLLOUT != 0
}

// TestSweep has a socket closed without anything having been done with it.
func TestSweep(t *testing.T) {
	ss, freed := newSockets(t)
	fd, s, err := ss.newStandIn(unix.AF_INET, unix.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	s.id = 7
	other, _, err := ss.newStandIn(unix.AF_INET6, unix.SOCK_DGRAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(other)
	if name := inodeOf(t, fd); ss.of(name) != s || ss.of("socket:[1]") != nil || ss.of("/dev/null") != nil {
		t.Errorf("%s is %p, want %p", name, ss.of(name), s)
	}
	ss.sweep(nil)
	if ss.count.Load() != 2 || len(*freed) > 0 {
		t.Fatalf("%d left of 2 that are open, %v freed", ss.count.Load(), *freed)
	}
	copied, err := unix.Dup(fd)
	if err != nil {
		t.Fatal(err)
	}
	unix.Close(fd)
	ss.sweep(nil)
	if ss.count.Load() != 2 {
		t.Fatalf("%d left though one has a copy", ss.count.Load())
	}
	unix.Close(copied)
	ss.sweep(nil)
	if ss.count.Load() != 1 || ss.datagrams.Load() != 1 || len(*freed) != 1 || (*freed)[0] != 7 {
		t.Errorf("%d left, %d of them for datagrams, %v freed", ss.count.Load(), ss.datagrams.Load(), *freed)
	}
}

// TestJoin connects a unix socket to one of ours, though a stranger has come before.
func TestJoin(t *testing.T) {
	ss, _ := newSockets(t)
	for _, datagram := range []bool{false, true} {
		kind, i := unix.SOCK_STREAM, 0
		if datagram {
			kind, i = unix.SOCK_SEQPACKET, 1
		}
		for round := range 2 {
			own, err := unix.Socket(unix.AF_UNIX, kind|unix.SOCK_CLOEXEC, 0)
			if err != nil {
				t.Fatal(err)
			}
			stranger, err := unix.Socket(unix.AF_UNIX, kind|unix.SOCK_CLOEXEC, 0)
			if err != nil {
				t.Fatal(err)
			}
			if round == 1 {
				if err := unix.Connect(stranger, ss.names[i]); err != nil {
					t.Fatal(err)
				}
			}
			near, err := ss.join(own, datagram)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := unix.Write(own, []byte("hello")); err != nil {
				t.Fatal(err)
			}
			b := make([]byte, 9)
			if n, err := near.Read(b); err != nil || string(b[:n]) != "hello" {
				t.Errorf("%q, %v", b[:n], err)
			}
			near.Close()
			unix.Close(own)
			unix.Close(stranger)
		}
	}
}

// TestObstruct looks at a socket whose connection is under way, at last is there, or fails.
func TestObstruct(t *testing.T) {
	ss, _ := newSockets(t)
	for _, fails := range []bool{false, true} {
		own, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Close(own)
		size, err := unix.GetsockoptInt(own, unix.SOL_SOCKET, unix.SO_SNDBUF)
		if err != nil {
			t.Fatal(err)
		}
		near, err := ss.join(own, false)
		if err != nil {
			t.Fatal(err)
		}
		lift, err := obstruct(own, near)
		if err != nil {
			t.Fatal(err)
		}
		if writable(own) {
			t.Error("it is writable")
		}
		if _, err := unix.Write(own, []byte("x")); err != unix.EAGAIN {
			t.Errorf("write: %v", err)
		}
		if fails {
			near.Close()
			if e, err := unix.GetsockoptInt(own, unix.SOL_SOCKET, unix.SO_ERROR); e == 0 || err != nil || !writable(own) {
				t.Errorf("failed: SO_ERROR is %d, %v, writable %v", e, err, writable(own))
			}
			continue
		}
		if err := lift(); err != nil {
			t.Fatal(err)
		}
		if now, err := unix.GetsockoptInt(own, unix.SOL_SOCKET, unix.SO_SNDBUF); !writable(own) || now != size || err != nil {
			t.Errorf("writable %v, a buffer of %d, before %d, %v", writable(own), now, size, err)
		}
		if _, err := unix.Write(own, []byte("first")); err != nil {
			t.Fatal(err)
		}
		unix.Close(own)
		if b, err := io.ReadAll(near); err != nil || string(b) != "first" {
			t.Errorf("%q, %v", b, err)
		}
		near.Close()
	}
}

// TestReset resets a connection of another process.
func TestReset(t *testing.T) {
	ss, _ := newSockets(t)
	fd, s, err := ss.newStandIn(unix.AF_INET, unix.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	near, err := ss.join(fd, false)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := near.Write([]byte("sent before\n")); err != nil {
		t.Fatal(err)
	}
	file := os.NewFile(uintptr(fd), "socket")
	cmd := exec.Command("bash", "-c", "read line; echo $line; echo ready >&2; LC_ALL=C cat")
	cmd.Stdin = file
	out, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	file.Close()
	ready := make([]byte, 6)
	if _, err := io.ReadFull(out, ready); err != nil {
		t.Fatal(err)
	}
	(&standIn{near, s}).Reset()
	said, err := io.ReadAll(out)
	if werr := cmd.Wait(); err != nil || werr == nil || string(said) != "cat: -: Connection reset by peer\n" {
		t.Errorf("%q, %v, %v", said, err, werr)
	}
}

// TestPatience looks at signals that are pending for a thread of another process.
func TestPatience(t *testing.T) {
	cmd := exec.Command("bash", "-c", `trap : USR1; trap "" USR2; kill -STOP $$`)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	pid := cmd.Process.Pid
	defer func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}()
	var ws unix.WaitStatus
	if _, err := unix.Wait4(pid, &ws, unix.WUNTRACED, nil); err != nil || !ws.Stopped() {
		t.Fatalf("%v, %v", ws, err)
	}
	p := patience{tid: pid}
	if p.over() || p.errno != 0 {
		t.Error("before")
	}
	if err := unix.Kill(pid, unix.SIGUSR2); err != nil || p.over() || p.errno != 0 {
		t.Errorf("a signal that is ignored: %v", err)
	}
	if err := unix.Kill(pid, unix.SIGUSR1); err != nil || p.over() || p.errno == 0 || !p.over() || p.errno != linux.ERESTARTSYS {
		t.Errorf("one that is not: %v, %+v, %v", err, p, p.errno)
	}
	gone := patience{tid: 1 << 30}
	if gone.over() || !gone.over() || gone.errno != unix.EINTR {
		t.Error("a thread that is not there")
	}
}
