package server_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"farcall/remote/client"
	"farcall/remote/server"
	"farcall/remote/wire"

	"golang.org/x/sys/unix"
)

// session starts a session in this process.
func session(t *testing.T, o server.Options) *client.Conn { return start(t, o, client.Options{}) }

// start is session with options of the client's.
func start(t *testing.T, o server.Options, co client.Options) *client.Conn {
	t.Helper()
	near, far := net.Pipe()
	done := make(chan error, 1)
	go func() { done <- server.New(o).Serve(t.Context(), far, "test") }()
	c, err := client.Start(near, co)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.Close()
		if err := <-done; err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("the server ended with %v", err)
		}
	})
	return c
}

// registers are those of a call; arguments are integers, or strings that are put into memory.
func registers(s *wire.Space, args ...any) (regs [6]uint64) {
	for i, a := range args {
		switch a := a.(type) {
		case int:
			regs[i] = uint64(a)
		case uint64:
			regs[i] = a
		case string:
			regs[i] = s.PutString(a)
		}
	}
	return regs
}

// call makes a call, with arguments as registers has them.
func call(t *testing.T, c *client.Conn, s *wire.Space, name string, args ...any) int64 {
	t.Helper()
	ret, err := c.Syscall(name, registers(s, args...), s)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return ret
}

var cwd = func() uint64 { n := int64(unix.AT_FDCWD); return uint64(n) }()

// TestArguments has each of the four kinds of argument carried, and structures with pointers in them, and looks at what it did.
func TestArguments(t *testing.T) {
	c := session(t, server.Options{Write: true})
	file := filepath.Join(t.TempDir(), "file")
	var s wire.Space

	fd := int(call(t, c, &s, "openat", cwd, file, unix.O_CREAT|unix.O_RDWR, 0o640)) // integers and a path
	if fd < 0 {
		t.Fatal(unix.Errno(-fd))
	}
	if n := call(t, c, &s, "write", fd, s.Put([]byte("0123456789")), 10); n != 10 { // a buffer that is read
		t.Fatal(n)
	}
	if got, err := os.ReadFile(file); err != nil || string(got) != "0123456789" {
		t.Fatalf("%q, %v", got, err)
	}
	buf := s.Room(64)
	if n := call(t, c, &s, "pread64", fd, buf, 64, 3); n != 7 || string(s.Bytes(buf, 8)) != "3456789\x00" { // one that is written
		t.Errorf("%d %q", n, s.Bytes(buf, 8))
	}
	st := s.Room(wire.StatxSize) // a structure
	if n := call(t, c, &s, "statx", fd, "", unix.AT_EMPTY_PATH, unix.STATX_BASIC_STATS, st); n != 0 {
		t.Error(n)
	}
	if size := binary.LittleEndian.Uint64(s.Bytes(st, wire.StatxSize)[0x28:]); size != 10 {
		t.Errorf("size %d", size)
	}
	hint := s.Put(make([]byte, 8)) // pointers to an integer, both ways
	s.Bytes(hint, 8)[0] = 2
	if n := call(t, c, &s, "fcntl", fd, 1036, hint); n != 0 { // F_SET_RW_HINT
		t.Errorf("F_SET_RW_HINT: %d", n)
	}
	got := s.Room(8)
	if n := call(t, c, &s, "fcntl", fd, 1035, got); n != 0 || s.Bytes(got, 8)[0] != 2 {
		t.Errorf("F_GET_RW_HINT: %d %v", n, s.Bytes(got, 8))
	}
	off := s.Put(binary.LittleEndian.AppendUint64(nil, 8)) // one that is read and written
	other := int(call(t, c, &s, "openat", cwd, file+"2", unix.O_CREAT|unix.O_WRONLY, 0o600))
	if n := call(t, c, &s, "sendfile", other, fd, off, 100); n != 2 || binary.LittleEndian.Uint64(s.Bytes(off, 8)) != 10 {
		t.Errorf("sendfile: %d, offset %v", n, s.Bytes(off, 8))
	}
	a, b := s.Room(4), s.Room(100) // pointers in structures
	var iov []byte
	for _, v := range []uint64{a, 4, b, 100} {
		iov = binary.LittleEndian.AppendUint64(iov, v)
	}
	if n := call(t, c, &s, "preadv", fd, s.Put(iov), 2, 1); n != 9 || string(s.Bytes(a, 4)) != "1234" || string(s.Bytes(b, 6)) != "56789\x00" {
		t.Errorf("preadv: %d %q %q", n, s.Bytes(a, 4), s.Bytes(b, 6))
	}
	if n := call(t, c, &s, "lseek", fd, -2, unix.SEEK_END); n != 8 { // a signed integer
		t.Errorf("lseek: %d", n)
	}
	if n := call(t, c, &s, "openat", cwd, file+"/x", 0); n != -int64(unix.ENOTDIR) { // errors
		t.Errorf("openat: %d", n)
	}
	if n := call(t, c, &s, "read", 77, buf, 1); n != -int64(unix.EBADF) {
		t.Errorf("read of no handle: %d", n)
	}
	if n := call(t, c, &s, "read", fd, uint64(4096), 10); n != -int64(unix.EFAULT) { // out of the caller's memory
		t.Errorf("read to memory that is not there: %d", n)
	}
}

func TestReadOnly(t *testing.T) {
	var mu sync.Mutex
	var log bytes.Buffer
	c := session(t, server.Options{Audit: func(r *server.Record) {
		mu.Lock()
		defer mu.Unlock()
		log.WriteString(r.Call + " " + strings.Join(r.Paths, " ") + "\n")
	}})
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, []byte("text"), 0o600); err != nil {
		t.Fatal(err)
	}
	var s wire.Space
	rofs := -int64(unix.EROFS)
	for _, flags := range []int{unix.O_WRONLY, unix.O_RDWR, unix.O_TRUNC, unix.O_CREAT, unix.O_TMPFILE} {
		if n := call(t, c, &s, "openat", cwd, file, flags, 0o600); n != rofs {
			t.Errorf("open with %#o: %d", flags, n)
		}
		o, err := c.OpenX(&wire.OpenX{Dir: wire.CWD, Path: file, Flags: uint32(flags), Mode: 0o600})
		if err != nil || o.Ret != rofs {
			t.Errorf("openx with %#o: %v %v", flags, o, err)
		}
	}
	for _, n := range []int64{
		call(t, c, &s, "mkdirat", cwd, file+"d", 0o700), call(t, c, &s, "unlinkat", cwd, file, 0),
		call(t, c, &s, "truncate", file, 0), call(t, c, &s, "setxattr", file, "user.a", s.Put([]byte("x")), 1, 0),
	} {
		if n != rofs {
			t.Error(n)
		}
	}
	o, err := c.OpenX(&wire.OpenX{Dir: wire.CWD, Path: file, MaxData: 100})
	if err != nil || !o.Whole || string(o.Data) != "text" {
		t.Errorf("%+v %v", o, err)
	}
	if n := call(t, c, &s, "kexec_load", 0); n != -int64(unix.ENOSYS) {
		t.Error(n)
	}
	mu.Lock()
	defer mu.Unlock()
	for _, want := range []string{"unlinkat " + file, "openat " + file} {
		if !strings.Contains(log.String(), want+"\n") {
			t.Errorf("the audit log has no %q", want)
		}
	}
}

// TestDevices makes sure that a client cannot make a device and open a disk by it.
func TestDevices(t *testing.T) {
	c := session(t, server.Options{Write: true})
	var s wire.Space
	dir := t.TempDir()
	for mode, want := range map[int]int64{
		unix.S_IFBLK | 0o600: -int64(unix.EPERM), unix.S_IFCHR | 0o600: -int64(unix.EPERM), unix.S_IFIFO | 0o600: 0,
	} {
		if n := call(t, c, &s, "mknodat", cwd, filepath.Join(dir, fmt.Sprint(mode)), mode, int(unix.Mkdev(1, 1))); n != want {
			t.Errorf("mknod %#o: %d, want %d", mode, n, want)
		}
	}
}

// TestOwnProc makes sure that a client cannot reach the server's memory and descriptors through /proc.
func TestOwnProc(t *testing.T) {
	c := session(t, server.Options{Write: true})
	var s wire.Space
	for _, path := range []string{"/proc/self/mem", "/proc/self/fd", "/proc/thread-self/maps", "/proc/self/environ"} {
		if n := call(t, c, &s, "openat", cwd, path, 0); n != -int64(unix.EACCES) {
			t.Errorf("%s: %d", path, n)
		}
		if o, err := c.OpenX(&wire.OpenX{Dir: wire.CWD, Path: path, MaxData: 1 << 20}); err != nil || o.Ret != -int64(unix.EACCES) {
			t.Errorf("%s: %+v %v", path, o, err)
		}
	}
	if n := call(t, c, &s, "openat", cwd, "/proc/version", 0); n < 0 {
		t.Errorf("/proc/version: %v", unix.Errno(-n))
	}
}

func TestListX(t *testing.T) {
	c := session(t, server.Options{})
	dir := t.TempDir()
	if err := os.Symlink("to/where", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "file"), make([]byte, 123), 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := c.ListX(&wire.ListX{Dir: wire.CWD, Path: dir, Max: 100, Described: 100})
	if err != nil || l.Ret != 0 || len(l.Dirs) != 1 || len(l.Dirs[0].Entries) != 4 {
		t.Fatalf("%+v %v", l, err)
	}
	for _, e := range l.Dirs[0].Entries {
		switch e.Name {
		case "link":
			if e.Target != "to/where" || e.Type != unix.DT_LNK {
				t.Errorf("%+v", e)
			}
		case "file":
			if n := binary.LittleEndian.Uint64(e.Statx[0x28:]); n != 123 {
				t.Errorf("size %d", n)
			}
		}
	}
	if l, err = c.ListX(&wire.ListX{Dir: wire.CWD, Path: dir, Max: 3}); err != nil || l.Ret != -int64(unix.EMSGSIZE) {
		t.Errorf("%+v %v", l, err)
	}
}

// TestWaiting has a read wait for the other end of a pipe while the session goes on.
func TestWaiting(t *testing.T) {
	c := session(t, server.Options{Write: true})
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	var s wire.Space
	fd := int(call(t, c, &s, "openat", cwd, fifo, unix.O_RDWR))
	read := make(chan string)
	go func() {
		var s wire.Space
		buf := s.Room(10)
		n, err := c.Syscall("read", [6]uint64{uint64(fd), buf, 10}, &s)
		if err != nil || n < 0 {
			n = 0
		}
		read <- string(s.Bytes(buf, 10)[:n])
	}()
	if n := call(t, c, &s, "statx", cwd, fifo, 0, 0, s.Room(wire.StatxSize)); n != 0 {
		t.Error(n)
	}
	if n := call(t, c, &s, "write", fd, s.Put([]byte("late")), 4); n != 4 {
		t.Error(n)
	}
	if got := <-read; got != "late" {
		t.Errorf("read %q", got)
	}
}

func TestHandleLimit(t *testing.T) {
	c := session(t, server.Options{MaxHandles: 3})
	var s wire.Space
	for range 3 {
		if n := call(t, c, &s, "openat", cwd, "/", unix.O_DIRECTORY); n < 0 {
			t.Fatal(n)
		}
	}
	if n := call(t, c, &s, "openat", cwd, "/", unix.O_DIRECTORY); n != -int64(unix.EMFILE) {
		t.Error(n)
	}
	c.CloseHandle(1)
	if n := call(t, c, &s, "openat", cwd, "/", unix.O_DIRECTORY); n < 0 {
		t.Error(n)
	}
}
