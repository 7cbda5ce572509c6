package fuse

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// memory is a File in memory.
type memory struct {
	kind   Kind
	mu     sync.Mutex
	b      []byte
	reads  int
	closed chan bool
	wait   chan bool // reading waits for it
}

func (f *memory) Kind() (Kind, []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.kind, f.b
}

func (f *memory) Read(q *Request, at int64, n int) {
	if f.wait != nil {
		go func() {
			select {
			case <-f.wait:
				q.Data([]byte("late"))
			case <-q.Interrupted(false):
				q.Fail(unix.EINTR)
			}
		}()
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.reads++
	b := f.b[min(int(at), len(f.b)):]
	q.Data(b[:min(n, len(b))])
}

func (f *memory) Write(q *Request, at int64, b []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if at > 1<<22 {
		q.Fail(unix.ENOSPC)
		return
	}
	if end := int(at) + len(b); end > len(f.b) {
		f.b = append(f.b, make([]byte, end-len(f.b))...)
	}
	q.Written(copy(f.b[at:], b))
}

func (f *memory) Size(q *Request) { f.mu.Lock(); defer f.mu.Unlock(); q.Size(uint64(len(f.b))) }
func (f *memory) Seek(q *Request, at int64, whence uint32) {
	if whence == 3 { // SEEK_DATA
		q.Position(at)
		return
	}
	q.Fail(unix.ENXIO)
}
func (f *memory) Sync(q *Request) { q.Done() }

// state is what the file has, and how often it was read.
func (f *memory) state() (b []byte, reads int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.b, f.reads
}

func (f *memory) Closed() { f.closed <- true }

func mounted(t *testing.T) *Mount {
	t.Helper()
	m, err := New()
	if err != nil {
		t.Fatal(err)
	}
	socket, root, err := m.Opener()
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan bool)
	go func() { // here a goroutine will do
		defer close(done)
		defer socket.Close()
		defer root.Close()
		Serve(int(socket.Fd()), int(root.Fd()))
	}()
	t.Cleanup(func() { m.Close(); <-done })
	return m
}

// opened opens a file.
func opened(t *testing.T, m *Mount, n *Node, f *memory, flags int) *os.File {
	t.Helper()
	if f.closed == nil {
		f.closed = make(chan bool, 2)
	}
	fd, err := m.Open(n, f, "name", 0, flags)
	if err != nil {
		t.Fatal(err)
	}
	return os.NewFile(uintptr(fd), "name")
}

// A file is read and written by the kernel's calls alone, at each position and of any size.
func TestFile(t *testing.T) {
	m := mounted(t)
	f := &memory{}
	file := opened(t, m, m.NewNode(), f, unix.O_RDWR)
	if link, err := os.Readlink("/proc/self/fd/" + strconv.Itoa(int(file.Fd()))); err != nil || !strings.HasPrefix(link, "/name") {
		t.Errorf("%q, %v", link, err)
	}
	want := bytes.Repeat([]byte("0123456789"), 300_000) // several requests
	if n, err := file.Write(want); n != len(want) || err != nil {
		t.Fatal(n, err)
	}
	if at, err := file.Seek(-10, io.SeekEnd); at != int64(len(want)-10) || err != nil {
		t.Error(at, err)
	}
	if b, err := io.ReadAll(file); string(b) != "0123456789" || err != nil {
		t.Errorf("%q, %v", b, err)
	}
	if at, err := file.Seek(17, 3); at != 17 || err != nil {
		t.Error(at, err)
	}
	if at, err := file.Seek(17, 4); at != 0 || err == nil {
		t.Error(at, err)
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		t.Error(err)
	}
	if b, err := io.ReadAll(file); !bytes.Equal(b, want) || err != nil {
		t.Errorf("%d bytes, %v", len(b), err)
	}
	if n, err := file.WriteAt(want, 1<<22-100_000); n >= len(want) || !strings.Contains(err.Error(), "no space") {
		t.Error(n, err)
	}
	if err := file.Sync(); err != nil {
		t.Error(err)
	}
	file.Close()
	m.Wait()
	select {
	case <-f.closed:
	default:
		t.Error("nobody said that the file was closed")
	}
}

// What is cached is not asked for, by read(2) and by mmap(2), until that expires; then as it is.
func TestCached(t *testing.T) {
	m := mounted(t)
	n := m.NewNode()
	want := bytes.Repeat([]byte("cached"), 5000)
	f := &memory{kind: Cached, b: want}
	file := opened(t, m, n, f, unix.O_RDONLY)
	defer file.Close()
	mapped, err := unix.Mmap(int(file.Fd()), 0, len(want), unix.PROT_READ|unix.PROT_EXEC, unix.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Munmap(mapped)
	b, err := io.ReadAll(file)
	if _, reads := f.state(); !bytes.Equal(b, want) || err != nil || !bytes.Equal(mapped, want) || reads != 0 {
		t.Errorf("%d bytes, %v, %d reads", len(b), err, reads)
	}
	f.mu.Lock()
	f.b, f.kind = bytes.Repeat([]byte("others"), 5000), Direct
	f.mu.Unlock()
	m.Expire(n)
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		t.Error(err)
	}
	b, err = io.ReadAll(file)
	if want, reads := f.state(); !bytes.Equal(b, want) || err != nil || reads == 0 {
		t.Errorf("%d bytes, %v", len(b), err)
	}
	for _, b := range []byte("xyz") { // each time
		f.mu.Lock()
		f.b = append(bytes.Repeat([]byte{b}, 100), f.b[100:]...)
		f.mu.Unlock()
		got := make([]byte, 1)
		if _, err := file.ReadAt(got, 50); got[0] != b || err != nil {
			t.Errorf("%c, not %c: %v", got[0], b, err)
		}
	}
}

// Appending goes to where all who have the node open have written.
func TestAppend(t *testing.T) {
	m := mounted(t)
	n := m.NewNode()
	var shared memory
	a := opened(t, m, n, &shared, unix.O_RDWR)
	b := opened(t, m, n, &shared, unix.O_WRONLY|unix.O_APPEND)
	defer a.Close()
	defer b.Close()
	for range 3 {
		if _, err := a.Write([]byte("abc")); err != nil {
			t.Fatal(err)
		}
		if _, err := b.Write([]byte("de")); err != nil {
			t.Fatal(err)
		}
	}
	if at, err := b.Seek(0, io.SeekCurrent); at != 11 || err != nil {
		t.Error(at, err)
	}
	if got, _ := shared.state(); string(got) != "abcabcabcde" {
		t.Errorf("%q", got)
	}
}

// Another process has it as we do, and a signal ends its waiting.
func TestInterrupted(t *testing.T) {
	m := mounted(t)
	f := &memory{kind: Stream, wait: make(chan bool)}
	file := opened(t, m, m.NewNode(), f, unix.O_RDONLY)
	cmd := exec.Command("cat")
	cmd.Stdin = file
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	file.Close()
	for { // until it reads
		if b, _ := os.ReadFile("/proc/" + strconv.Itoa(cmd.Process.Pid) + "/syscall"); strings.HasPrefix(string(b), strconv.Itoa(unix.SYS_READ)+" 0x0 ") {
			break
		}
	}
	_ = cmd.Process.Signal(os.Interrupt)
	if err := cmd.Wait(); err == nil {
		t.Error("it goes on")
	}
	select {
	case <-f.closed:
	case <-time.After(time.Minute):
		t.Error("nobody said that the file was closed")
	}
}

// A mount of a user namespace does what another does.
func TestUnprivileged(t *testing.T) {
	dev, root, err := mountElsewhere()
	if err != nil {
		t.Fatal(err)
	}
	m := begin(dev, root)
	defer m.Close()
	file := opened(t, m, m.NewNode(), &memory{kind: Cached, b: []byte("content")}, unix.O_RDONLY)
	defer file.Close()
	if b, err := io.ReadAll(file); string(b) != "content" || err != nil {
		t.Errorf("%q, %v", b, err)
	}
	if b, err := unix.Mmap(int(file.Fd()), 0, 7, unix.PROT_READ|unix.PROT_EXEC, unix.MAP_PRIVATE); err != nil || string(b) != "content" {
		t.Errorf("%q, %v", b, err)
	}
}

// FuzzParse takes requests apart that no kernel makes.
func FuzzParse(f *testing.F) {
	f.Add([]byte{})
	f.Add(append([]byte{44, 0, 0, 0, opLookup, 0, 0, 0}, make([]byte, 36)...))
	f.Add(append([]byte{80, 0, 0, 0, opWrite, 0, 0, 0}, make([]byte, 72)...))
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := parse(b)
		if err != nil {
			return
		}
		m := &Mount{dev: -1, files: map[uint64]*open{0: {&memory{closed: make(chan bool, 1)}, &Node{}}}, asked: map[uint64]*Request{}}
		buf := make([]byte, bufferSize)
		m.handle(&Request{mount: m, buf: &buf}, &h)
	})
}
