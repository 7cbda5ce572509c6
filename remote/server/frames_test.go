package server_test

import (
	"bufio"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"time"

	"farcall/remote/client"
	"farcall/remote/server"
	"farcall/remote/wire"

	"golang.org/x/sys/unix"
)

// framesEnv says how many frames the tests with hostile peers exchange; a run of a million is for `FARCALL_TEST_FRAMES=1000000 go test -race -timeout 0`.
const framesEnv = "FARCALL_TEST_FRAMES"

func frames(t *testing.T) int {
	s := os.Getenv(framesEnv)
	if s == "" {
		return 20_000
	}
	n, err := strconv.Atoi(s)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// A hostile makes frames of which many are right, or nearly.
type hostile struct {
	*rand.Rand
	dir   string
	m     wire.Marshaller
	space wire.Space
	calls []string
	id    uint64
}

func newHostile(seed uint64, dir string) *hostile {
	h := &hostile{Rand: rand.New(rand.NewPCG(seed, 7)), dir: dir}
	for n := range uint16(500) {
		if c := wire.Lookup(n); c != nil {
			h.calls = append(h.calls, c.Name)
		}
	}
	return h
}

func (h *hostile) path() string {
	return []string{h.dir, h.dir + "/file", h.dir + "/fifo", "file", "", "..", "/proc/self/mem", "/proc/self/fd/3", "/dev/null", h.dir + "/new"}[h.IntN(10)]
}

// number is one that calls may do something with.
func (h *hostile) number() uint64 {
	return []uint64{0, 1, 2, 3, 7, 0x7fffffff, cwd, ^uint64(0), 4096, 1 << 20, 1 << 40, 0o100, 0o2000000, h.Uint64()}[h.IntN(14)]
}

func (h *hostile) call() []byte {
	h.space.Reset()
	var regs [6]uint64
	for i := range regs {
		switch h.IntN(4) {
		case 0:
			regs[i] = h.space.PutString(h.path())
		case 1:
			regs[i] = h.space.Room(64)
		default:
			regs[i] = h.number()
		}
	}
	call, err := h.m.Marshal(h.calls[h.IntN(len(h.calls))], regs, &h.space)
	if err != nil { // not one that a client could make
		return h.call()
	}
	b := call.AppendCall(nil)
	if h.IntN(100) == 0 {
		for range 1 + h.IntN(3) {
			b[h.IntN(len(b))] ^= 1 << h.IntN(8)
		}
	}
	return b
}

// noise is a payload without sense.
func (h *hostile) noise() []byte {
	b := make([]byte, []int{0, 1, 4, 8, 12, 56, 300, 70_000}[h.IntN(8)])
	for i := range min(len(b), 100) {
		b[i] = byte(h.Uint32() >> 5)
	}
	return b
}

func (h *hostile) frame() wire.Frame {
	h.id++
	f := wire.Frame{ID: h.id}
	if h.IntN(50) == 0 {
		f.ID = h.Uint64N(h.id)
	}
	switch n := h.IntN(2000) / 10; {
	case n < 120:
		f.Op, f.Payload = wire.OpCall, h.call()
	case n < 150:
		f.Op = wire.OpOpenX
		f.Payload = (&wire.OpenX{Dir: uint32(h.number()), Path: h.path(), Flags: uint32(h.number()), MaxData: uint32(h.number()), MaxEntries: 10}).Encode()
	case n < 160:
		f.Op, f.Payload = wire.OpListX, (&wire.ListX{Dir: uint32(h.number()), Path: h.path(), Max: uint32(h.number())}).Encode()
	case n < 170:
		f.Op, f.Payload = wire.OpDial, (&wire.Dial{Stream: h.Uint32(), Addr: []byte{2, 0, 0, 9, 127, 0, 0, 1}}).Encode()
	case n < 180:
		f = wire.StreamFrame(wire.OpData, h.Uint32N(20), make([]byte, h.IntN(100)))
	case n < 190:
		f = wire.CountFrame(wire.OpCancel, h.Uint64N(h.id))
	case n < 193:
		f.Op, f.Payload = wire.OpPing, h.noise()
	case n < 194:
		f = wire.CountFrame(wire.OpAck, h.Uint64N(40))
	case n < 199 && h.IntN(20) > 0:
		f.Op, f.Payload = wire.OpPing, nil
	case n < 197:
		f.Op, f.Payload = wire.OpClose, []byte{byte(h.IntN(4)), 0, 0, 0}
	default:
		f.Op, f.Payload = wire.Op(h.IntN(60)), h.noise()
	}
	return f
}

// TestHostileClientRun has a client send frames of all kinds. The server may only look, and is in the test's process, so what it could be made to do is on it:
// it must not crash, and not grow.
func TestHostileClientRun(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "file"), []byte("content"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mkfifo(filepath.Join(dir, "fifo"), 0o600); err != nil {
		t.Fatal(err)
	}
	to, err := server.ParseDestination("127.0.0.1:9") // nobody is there, most likely
	if err != nil {
		t.Fatal(err)
	}
	srv := server.New(server.Options{MaxHandles: 16, MaxWaiting: 4, Connect: to, Grace: time.Millisecond, MaxKept: 1 << 20})
	h := newHostile(1, dir)
	sessions, before, grown := 0, heap(), uint64(0)
	for left := frames(t); left > 0; sessions++ {
		near, far := net.Pipe()
		served, drained := make(chan error, 1), make(chan struct{})
		go func() { served <- srv.Serve(t.Context(), far, "hostile") }()
		go func() {
			defer close(drained)
			_, _ = io.Copy(io.Discard, near)
		}()
		caps := []wire.Capability{0, wire.CapResume, 0xffff}[h.IntN(3)]
		begin := wire.Hello{Min: 1, Max: 1, Caps: caps, Turn: h.Uint32N(3)}
		_, err := near.Write(wire.AppendFrame(nil, wire.Frame{Op: wire.OpHello, Payload: begin.Encode()}))
		for ; err == nil && left > 0; left-- {
			_, err = near.Write(wire.AppendFrame(nil, h.frame()))
			if h.IntN(5000) == 0 {
				break
			}
		}
		near.Close()
		<-drained
		<-served
		if sessions%100 == 0 {
			grown = max(grown, heap()-min(before, heap()))
		}
	}
	if grown > 64<<20 {
		t.Errorf("the server has grown by %d bytes", grown)
	}
	t.Logf("%d sessions, %d bytes more", sessions, grown)
	if b, err := os.ReadFile(filepath.Join(dir, "file")); err != nil || string(b) != "content" {
		t.Errorf("%q %v", b, err)
	}
	if _, err := os.Lstat(filepath.Join(dir, "new")); err == nil {
		t.Error("a client that may only look has made a file")
	}
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// answer makes what a hostile server says to a request: the last frame is an answer, or ends the session.
func (h *hostile) answer(f wire.Frame) (frames []wire.Frame) {
	a := wire.Frame{Op: f.Op + 1, ID: f.ID}
	switch h.IntN(400) {
	case 0:
		frames = append(frames, wire.Frame{Op: wire.Op(h.IntN(60)), Payload: h.noise()})
	case 1:
		a.ID += 1 + h.Uint64N(3)
	case 2:
		a.Payload = h.noise()
		return []wire.Frame{a}
	case 3:
		frames = append(frames, wire.CountFrame(wire.OpAck, h.Uint64N(500)))
	}
	ret := []int64{0, -2, -5000, 1 << 40, 1, -1}[h.IntN(6)]
	switch f.Op {
	case wire.OpCall:
		r := wire.Result{Ret: ret}
		if h.IntN(100) == 0 {
			r.Pieces = []wire.Piece{{Off: uint32(h.number()), Data: h.noise()}}
		}
		a.Payload = r.AppendResult(nil)
	case wire.OpOpenX:
		st := make([]byte, wire.StatxSize)
		a.Payload = (&wire.Opened{Ret: ret, Statx: st, Whole: h.IntN(2) == 0, Data: []byte{1}, Path: h.path()}).Encode()
	case wire.OpListX:
		a.Payload = (&wire.Listed{Ret: ret, Dirs: []wire.Directory{{Path: "/d", Entries: []wire.Entry{{Name: "x"}}}}}).Encode()
	case wire.OpDial:
		a.Payload = (&wire.Dialed{Ret: ret, Local: []byte{2, 0}}).Encode()
	}
	return append(frames, a)
}

// TestHostileServerRun has a server answer anything: each call of the client ends, with a result or the end of the session, and writes only where it may.
func TestHostileServerRun(t *testing.T) {
	h := newHostile(2, "/tmp")
	sessions, before, grown := 0, heap(), uint64(0)
	for left := frames(t); left > 0; sessions++ {
		near, far := net.Pipe()
		var server sync.WaitGroup
		server.Go(func() {
			defer far.Close()
			r := bufio.NewReader(far)
			if _, err := wire.ReadFrame(r, nil); err != nil {
				return
			}
			w := wire.Welcome{Version: 1, Caps: 0xffff}
			_, err := far.Write(wire.AppendFrame(nil, wire.Frame{Op: wire.OpWelcome, Payload: w.Encode()}))
			for err == nil {
				var f wire.Frame
				if f, err = wire.ReadFrame(r, nil); err != nil || f.ID == 0 {
					continue
				}
				var out []byte
				for _, a := range h.answer(f) {
					out = wire.AppendFrame(out, a)
				}
				_, err = far.Write(out)
			}
		})
		c, err := client.New(near)
		if err != nil {
			t.Fatal(err)
		}
		for ; err == nil && left > 0; left-- {
			err = ask(t, c, left)
		}
		if err != nil && !errors.Is(err, wire.ErrCorrupt) && !errors.Is(err, client.ErrLost) && !errors.Is(err, client.ErrRefused) {
			t.Errorf("the session ended with %v", err)
		}
		c.Close()
		server.Wait()
		if sessions%100 == 0 {
			grown = max(grown, heap()-min(before, heap()))
		}
	}
	if grown > 64<<20 {
		t.Errorf("the client has grown by %d bytes", grown)
	}
	t.Logf("%d sessions, %d bytes more", sessions, grown)
}

// ask makes one of several requests. An answer may take long if a hostile server gave it to somebody else, so there is one at a time.
func ask(t *testing.T, c *client.Conn, n int) error {
	var s wire.Space
	switch n % 4 {
	case 0:
		_, err := c.OpenX(&wire.OpenX{Dir: wire.CWD, Path: "/x", MaxData: 100})
		return err
	case 1:
		_, err := c.ListX(&wire.ListX{Dir: wire.CWD, Path: "/x", Max: 3})
		return err
	case 2:
		_, st, err := c.Dial(false, []byte{2, 0, 0, 1, 127, 0, 0, 1})
		if st != nil {
			st.Drop()
		}
		return err
	}
	guard := s.Put([]byte("guard"))
	buf := s.Room(10)
	after := s.Put([]byte("guard"))
	_, err := c.Syscall("read", [6]uint64{0, buf, 10}, &s)
	if string(s.Bytes(guard, 5)) != "guard" || string(s.Bytes(after, 5)) != "guard" {
		t.Error("the answer was written where it does not belong")
	}
	return err
}
