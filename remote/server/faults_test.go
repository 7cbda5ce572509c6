package server_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"farcall/remote/client"
	"farcall/remote/server"
	"farcall/remote/wire"

	"golang.org/x/sys/unix"
)

// A fault is when a link fails: at a write of one side, before, in the middle of or behind what is written. Each write is a frame.
type fault struct {
	side  int // 0: the client's writes, 1: the server's
	write int
	part  int // 0: nothing arrives of it, 1: half of it, 2: all
}

// faulty is a side of a link that fails once.
type faulty struct {
	net.Conn
	mu   sync.Mutex
	left int // writes until it fails
	part int
	hit  *atomic.Bool
}

func (f *faulty) Write(b []byte) (int, error) {
	f.mu.Lock()
	f.left--
	fails := f.left == -1
	f.mu.Unlock()
	if !fails {
		return f.Conn.Write(b)
	}
	f.hit.Store(true)
	n := 0
	if f.part > 0 {
		n, _ = f.Conn.Write(b[:len(b)*f.part/2])
	}
	f.Conn.Close()
	return n, io.ErrClosedPipe
}

// A net that connects clients to servers, with a fault in the first connection, or in every one.
type faultyNet struct {
	t       *testing.T
	server  func() *server.Server
	fault   func() (f fault, ok bool)
	hit     atomic.Bool
	serving sync.WaitGroup
	ctx     context.Context
}

func (n *faultyNet) dial(context.Context) (io.ReadWriteCloser, error) {
	near, far := net.Pipe()
	var ends [2]net.Conn = [...]net.Conn{near, far}
	if f, ok := n.fault(); ok {
		ends[f.side] = &faulty{Conn: ends[f.side], left: f.write, part: f.part, hit: &n.hit}
	}
	srv := n.server()
	n.serving.Go(func() { _ = srv.Serve(n.ctx, ends[1], "test") }) // what the client sees counts
	return ends[0], nil
}

// A step is a call of the recorded program, with what it has to return.
type step struct {
	name string
	args []any
	want int64
}

// program writes, syncs and renames in dir. Each call but fsync shows if it is executed twice.
func program(dir string) []step {
	f := filepath.Join(dir, "file")
	return []step{
		{"openat", []any{cwd, f, unix.O_CREAT | unix.O_EXCL | unix.O_RDWR | unix.O_APPEND, 0o600}, 0},
		{"write", []any{0, "one ", 4}, 4},
		{"write", []any{0, "two ", 4}, 4},
		{"fsync", []any{0}, 0},
		{"mkdirat", []any{cwd, dir + "/d", 0o700}, 0},
		{"renameat2", []any{cwd, f, cwd, dir + "/d/new", 0}, 0},
		{"write", []any{0, "three ", 6}, 6},
		{"linkat", []any{cwd, dir + "/d/new", cwd, dir + "/link", 0}, 0},
		{"unlinkat", []any{cwd, dir + "/d/new", 0}, 0},
		{"unlinkat", []any{cwd, dir + "/d", unix.AT_REMOVEDIR}, 0},
		{"fsync", []any{0}, 0},
		{"faccessat", []any{cwd, dir + "/link", 0}, 0},
	}
}

// play runs a program until a call fails and returns the results.
func play(c *client.Conn, steps []step) (results []int64, err error) {
	var s wire.Space
	for _, st := range steps {
		s.Reset()
		ret, err := c.Syscall(st.name, registers(&s, st.args...), &s)
		if err != nil {
			return results, fmt.Errorf("%s: %w", st.name, err)
		}
		results = append(results, ret)
		if ret < 0 {
			break
		}
	}
	return results, nil
}

// TestFaultAtEveryFrame cuts the link at every frame of a session, before, in and behind it: with resumption, nobody notices.
func TestFaultAtEveryFrame(t *testing.T) {
	for side := range 2 {
		for part := range 3 {
			for write := 1; ; write++ { // 0 is HELLO and WELCOME
				if !faultAt(t, fault{side, write, part}) {
					if write < len(program("")) {
						t.Errorf("a session of %d frames", write)
					}
					break
				}
			}
		}
	}
}

func faultAt(t *testing.T, f fault) (hit bool) {
	dir := t.TempDir()
	srv := server.New(server.Options{Write: true, Grace: time.Minute})
	first := true
	ctx, cancel := context.WithCancel(t.Context())
	n := &faultyNet{t: t, server: func() *server.Server { return srv }, ctx: ctx, fault: func() (fault, bool) {
		was := first
		first = false
		return f, was
	}}
	defer n.serving.Wait()
	defer cancel()
	conn, _ := n.dial(ctx)
	c, err := client.Start(conn, client.Options{Lasting: client.Lasting{Redial: n.dial, Patience: time.Minute}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	steps := program(dir)
	got, err := play(c, steps)
	if err != nil {
		t.Errorf("%+v: %v", f, err)
	}
	for i, ret := range got {
		if ret != steps[i].want {
			t.Errorf("%+v: %s %v: %d, want %d", f, steps[i].name, steps[i].args, ret, steps[i].want)
		}
	}
	if b, err := os.ReadFile(filepath.Join(dir, "link")); string(b) != "one two three " {
		t.Errorf("%+v: %q %v", f, b, err)
	}
	return n.hit.Load()
}

// TestRestartAtEveryFrame has another server in place of the first one at every frame: calls give their results, or EIO or ESTALE; nothing is done twice, and what
// fsync has confirmed is there.
func TestRestartAtEveryFrame(t *testing.T) {
	for side := range 2 {
		for part := range 3 {
			for write := 1; restartAt(t, fault{side, write, part}); write++ {
			}
		}
	}
}

func restartAt(t *testing.T, f fault) (hit bool) {
	dir := t.TempDir()
	first := true
	ctx, cancel := context.WithCancel(t.Context())
	n := &faultyNet{t: t, ctx: ctx, fault: func() (fault, bool) {
		was := first
		first = false
		return f, was
	}}
	n.server = func() *server.Server { return server.New(server.Options{Write: true, Grace: time.Minute}) }
	defer n.serving.Wait()
	defer cancel()
	conn, _ := n.dial(ctx)
	c, err := client.Start(conn, client.Options{Lasting: client.Lasting{Redial: n.dial, Patience: time.Minute}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var restarted atomic.Bool
	c.OnRestart(func() { restarted.Store(true) })
	steps := program(dir)
	got, err := play(c, steps)
	if err != nil {
		t.Errorf("%+v: %v", f, err)
		return n.hit.Load()
	}
	for i, ret := range got { // the last may have failed
		stale := ret == -int64(unix.EIO) || ret == -int64(unix.ESTALE)
		if ret != steps[i].want && !(stale && restarted.Load()) {
			t.Errorf("%+v: %s %v: %d, want %d", f, steps[i].name, steps[i].args, ret, steps[i].want)
		}
	}
	if len(got) == len(steps) && f.write < len(steps)-2 { // the last step can be repeated, and its answer is not acknowledged
		t.Errorf("%+v: a session that was not resumed went on as if nothing had happened", f)
	}
	if ret := call(t, c, new(wire.Space), "faccessat", cwd, dir, 0); ret != 0 {
		t.Errorf("%+v: the next session: %d", f, ret)
	}
	var content []byte
	for _, name := range []string{"file", "d/new", "link"} {
		if b, err := os.ReadFile(filepath.Join(dir, name)); err == nil {
			content = b
		}
	}
	for i, word := range map[int]string{1: "one ", 2: "two ", 6: "three "} {
		count := strings.Count(string(content), word)
		if count > 1 || count == 0 && i < len(got) && got[i] > 0 {
			t.Errorf("%+v: %q is there %d times: %q", f, word, count, content)
		}
	}
	return n.hit.Load()
}

// TestFlakyLink has every connection fail soon, and several goroutines use the session.
func TestFlakyLink(t *testing.T) {
	dir := t.TempDir()
	srv := server.New(server.Options{Write: true, Grace: time.Minute})
	ctx, cancel := context.WithCancel(t.Context())
	var mu sync.Mutex
	r := rand.New(rand.NewPCG(1, 2))
	n := &faultyNet{t: t, server: func() *server.Server { return srv }, ctx: ctx, fault: func() (fault, bool) {
		mu.Lock()
		defer mu.Unlock()
		return fault{r.IntN(2), 2 + r.IntN(30), r.IntN(3)}, true
	}}
	defer n.serving.Wait()
	defer cancel()
	conn, _ := n.dial(ctx)
	c, err := client.Start(conn, client.Options{Lasting: client.Lasting{Redial: n.dial, Patience: time.Minute}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var writers sync.WaitGroup
	const lines = 200
	for i := range 3 {
		writers.Go(func() {
			var s wire.Space
			name := filepath.Join(dir, fmt.Sprint(i))
			fd, err := c.Syscall("openat", [6]uint64{cwd, s.PutString(name), unix.O_CREAT | unix.O_EXCL | unix.O_WRONLY | unix.O_APPEND, 0o600}, &s)
			if err != nil || fd < 0 {
				t.Error(fd, err)
				return
			}
			for j := range lines {
				s.Reset()
				line := fmt.Sprintf("%d\n", j)
				if ret, err := c.Syscall("write", [6]uint64{uint64(fd), s.PutString(line), uint64(len(line))}, &s); err != nil || ret != int64(len(line)) {
					t.Error(ret, err)
					return
				}
			}
			c.CloseHandle(uint32(fd))
		})
	}
	writers.Wait()
	var want bytes.Buffer
	for j := range lines {
		fmt.Fprintf(&want, "%d\n", j)
	}
	for i := range 3 {
		if b, err := os.ReadFile(filepath.Join(dir, fmt.Sprint(i))); err != nil || !bytes.Equal(b, want.Bytes()) {
			t.Errorf("file %d is not what was written: %d bytes, %v", i, len(b), err)
		}
	}
}

// TestGrace has the server give up a session that is not resumed, and refuse tickets of others.
func TestGrace(t *testing.T) {
	srv := server.New(server.Options{Grace: time.Millisecond})
	near, far := net.Pipe()
	served := make(chan error, 1)
	go func() { served <- srv.Serve(t.Context(), far, "alice") }()
	h := wire.Hello{Min: 1, Max: 1, Caps: wire.CapResume}
	if _, err := near.Write(wire.AppendFrame(nil, wire.Frame{Op: wire.OpHello, Payload: h.Encode()})); err != nil {
		t.Fatal(err)
	}
	f, err := wire.ReadFrame(near, nil)
	if err != nil {
		t.Fatal(err)
	}
	var w wire.Welcome
	if err := w.Decode(f.Payload); err != nil || w.Caps&wire.CapResume == 0 || w.Grace != 1 {
		t.Fatalf("%+v %v", w, err)
	}
	near.Close()
	if err := <-served; err == nil {
		t.Error("the session ended without a reason")
	}

	srv = server.New(server.Options{Grace: time.Hour})
	ctx, cancel := context.WithCancel(t.Context())
	near, far = net.Pipe()
	go func() { served <- srv.Serve(ctx, far, "alice") }()
	if _, err := near.Write(wire.AppendFrame(nil, wire.Frame{Op: wire.OpHello, Payload: h.Encode()})); err != nil {
		t.Fatal(err)
	}
	if f, err = wire.ReadFrame(near, nil); err != nil {
		t.Fatal(err)
	}
	if err := w.Decode(f.Payload); err != nil {
		t.Fatal(err)
	}
	near.Close()
	good := wire.Resume{Ticket: w.Ticket, Received: uint64(wire.HeaderSize + len(f.Payload))}
	secret, id, ahead := good, good, good
	secret.Ticket.Secret[3]++
	id.Ticket.Session[3]++
	ahead.Received++
	for _, c := range []struct {
		what string
		peer string
		q    wire.Resume
		op   wire.Op
	}{
		{"another peer", "bob", good, wire.OpRefuse}, {"another secret", "alice", secret, wire.OpRefuse},
		{"another session", "alice", id, wire.OpRefuse}, {"the peer itself", "alice", good, wire.OpResumed},
		{"once more", "alice", good, wire.OpResumed}, {"more than was sent", "alice", ahead, wire.OpRefuse},
		{"a session that is over", "alice", good, wire.OpRefuse},
	} {
		near, far := net.Pipe()
		go func() { _ = srv.Serve(ctx, far, c.peer) }()
		if _, err := near.Write(wire.AppendFrame(nil, wire.Frame{Op: wire.OpResume, Payload: c.q.Encode()})); err != nil {
			t.Fatal(err)
		}
		if f, err := wire.ReadFrame(near, nil); err != nil || f.Op != c.op {
			t.Errorf("%s: %v %q, %v", c.what, f.Op, f.Payload, err)
		}
		near.Close()
	}
	cancel()
	if err := <-served; err == nil {
		t.Error("the session ended without a reason")
	}
}

// TestCancel has calls wait, for the other end of a FIFO, for a lock and for data, and cancels them.
func TestCancel(t *testing.T) {
	c := session(t, server.Options{Write: true})
	dir := t.TempDir()
	fifo := filepath.Join(dir, "fifo")
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	var s wire.Space
	file := filepath.Join(dir, "file")
	a := call(t, c, &s, "openat", cwd, file, unix.O_CREAT|unix.O_RDWR, 0o600)
	b := call(t, c, &s, "openat", cwd, file, unix.O_RDWR)
	if n := call(t, c, &s, "flock", int(a), unix.LOCK_EX); n != 0 {
		t.Fatal(n)
	}
	both := call(t, c, &s, "openat", cwd, fifo, unix.O_RDWR)
	for _, w := range []step{
		{"openat", []any{cwd, filepath.Join(dir, "fifo2"), unix.O_RDONLY}, 0},
		{"flock", []any{int(b), unix.LOCK_EX}, 0},
		{"read", []any{int(both), 0, 10}, 0},
	} {
		if w.name == "openat" {
			if err := unix.Mkfifo(filepath.Join(dir, "fifo2"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		var s wire.Space
		regs := registers(&s, w.args...)
		if w.name == "read" {
			regs[1] = s.Room(10)
		}
		interrupted := make(chan struct{})
		done := make(chan int64)
		go func() {
			ret, err := c.Syscall(w.name, regs, interruptible{&s, interrupted})
			if err != nil {
				t.Error(err)
			}
			done <- ret
		}()
		// It is on its way, as it was sent before this.
		call(t, c, new(wire.Space), "fsync", int(a))
		select {
		case ret := <-done:
			t.Errorf("%s did not wait: %d", w.name, ret)
			continue
		default:
		}
		close(interrupted)
		if ret := <-done; ret != -int64(unix.EINTR) {
			t.Errorf("%s: %d", w.name, ret)
		}
	}
	if n := call(t, c, &s, "write", int(both), s.PutString("x"), 1); n != 1 {
		t.Error(n)
	}
	if n := call(t, c, &s, "read", int(both), s.Room(1), 1); n != 1 {
		t.Errorf("what the interrupted read did not take is gone: %d", n)
	}
}

type interruptible struct {
	*wire.Space
	c <-chan struct{}
}

func (i interruptible) Interrupted() <-chan struct{} { return i.c }
