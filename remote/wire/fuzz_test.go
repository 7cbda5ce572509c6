package wire

import (
	"bytes"
	"errors"
	"testing"

	"farcall/decode"
)

func FuzzReadFrame(f *testing.F) {
	f.Add(AppendFrame(nil, Frame{Op: OpHello, ID: 1, Payload: []byte("x")}))
	f.Add(AppendFrame(nil, Frame{Op: OpCall})[:7])
	f.Fuzz(func(t *testing.T, b []byte) {
		r := bytes.NewReader(b)
		for {
			fr, err := ReadFrame(r, nil)
			if err != nil {
				return
			}
			if len(fr.Payload) > len(b) {
				t.Fatalf("%d bytes of payload from %d", len(fr.Payload), len(b))
			}
		}
	})
}

// FuzzPlace executes what a hostile client may send: whatever Place lets through must stay within the arena, for the kernel too.
func FuzzPlace(f *testing.F) {
	var m Marshaller
	var s Space
	vec := s.Put(words(s.Room(5), 5, s.Room(8), 8))
	for _, c := range []struct {
		name string
		regs [6]uint64
	}{
		{"readv", [6]uint64{3, vec, 2}}, {"writev", [6]uint64{3, vec, 2}}, {"read", [6]uint64{3, vec, 9}},
		{"openat", [6]uint64{0, s.PutString("/a/b"), 0o100, 0o644}}, {"utimensat", [6]uint64{0, s.PutString("/a/b"), vec, 0}},
		{"renameat2", [6]uint64{0, s.PutString("/a"), 0, s.PutString("/b")}}, {"fcntl", [6]uint64{3, 1035, s.Room(8)}},
		{"setxattr", [6]uint64{s.PutString("/a"), s.PutString("user.x"), s.Put([]byte("v")), 1}},
		{"sendfile", [6]uint64{3, 4, s.Room(8), 100}}, {"statfs", [6]uint64{s.PutString("/"), s.Room(120)}},
	} {
		call, err := m.Marshal(c.name, c.regs, &s)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(call.AppendCall(nil))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var c Call
		if err := c.Decode(b); err != nil {
			if !errors.Is(err, ErrCorrupt) {
				t.Fatal(err)
			}
			return
		}
		a := Arena{testBase, make([]byte, c.Room)}
		var d decode.Call
		regs, err := c.Place(&a, &d)
		if err != nil {
			if !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrNotCarried) {
				t.Fatal(err)
			}
			return
		}
		// Decoded afresh, as the kernel would look at it.
		var again decode.Call
		again.Enter(Lookup(c.Number).Desc, ABI, uint64(c.Number), regs, &a, decode.Options{})
		again.Pointers(func(r decode.Region) {
			if r.Len == 0 || !a.contains(r.Addr, r.Len) {
				t.Fatalf("%s: %+v is outside of the arena", again.Desc.Name, r)
			}
		})
		kernel(&a, &d)
		var r Result
		r.Results(&a, &d, int64(len(b)))
		for _, p := range r.Pieces {
			if int(p.Off)+len(p.Data) > int(c.Room) {
				t.Fatalf("a piece of %d at %#x in a room of %d", len(p.Data), p.Off, c.Room)
			}
		}
	})
}

// guarded is memory of a program that only some of may be written.
type guarded struct {
	Space
	t   *testing.T
	out [][2]uint64 // from, to
}

func (g *guarded) Write(addr uint64, b []byte) (int, error) {
	for _, o := range g.out {
		if addr >= o[0] && addr <= o[1] && uint64(len(b)) <= o[1]-addr {
			return len(b), nil
		}
	}
	g.t.Fatalf("%d bytes written at %#x", len(b), addr)
	return 0, nil
}

// FuzzApply applies what a hostile server may answer.
func FuzzApply(f *testing.F) {
	f.Add((&Result{Ret: 5, Pieces: []Piece{{32, []byte("12345")}}}).AppendResult(nil))
	f.Add((&Result{Ret: -2}).AppendResult(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		g := guarded{t: t}
		first, second := g.Room(5), g.Room(8)
		g.out = [][2]uint64{{first, first + 5}, {second, second + 8}}
		var m Marshaller
		if _, err := m.Marshal("readv", [6]uint64{3, g.Put(words(first, 5, second, 8)), 2}, &g); err != nil {
			t.Fatal(err)
		}
		var r Result
		err := r.Decode(b)
		if err == nil {
			err = m.Apply(&r, &g)
		}
		if err != nil && !errors.Is(err, ErrCorrupt) {
			t.Fatal(err)
		}
	})
}

func FuzzMessages(f *testing.F) {
	statx := make([]byte, StatxSize)
	f.Add((&Hello{Min: 1, Max: 1, Caps: 3}).Encode())
	f.Add((&Welcome{Version: 1, Groups: []uint32{1}, Uname: [6]string{"Linux"}}).Encode())
	f.Add((&Welcome{Version: 1, Caps: CapResume, Uname: [6]string{"Linux"}, Grace: 9}).Encode())
	f.Add((&Resume{Received: 7}).Encode())
	f.Add(CountFrame(OpAck, 7).Payload)
	f.Add((&OpenX{Path: "/x"}).Encode())
	f.Add((&Opened{Statx: statx, Whole: true, Closed: true, Data: []byte("d")}).Encode())
	f.Add((&Invalidate{Changes: []Change{{"/d", "n", true}}}).Encode())
	f.Add((&Listed{Dirs: []Directory{{Path: "/d", Leased: true, Described: true, Entries: []Entry{{Name: "a", Target: "b", Statx: statx}}}}}).Encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		var o Opened
		var q Resume
		if q.Decode(b) == nil && !bytes.Equal(q.Encode(), b) {
			t.Errorf("RESUME is not what it was: %x", b)
		}
		if n, err := Count(Frame{Op: OpAck, Payload: b}); err == nil && !bytes.Equal(CountFrame(OpAck, n).Payload, b) {
			t.Errorf("ACK is not what it was: %x", b)
		}
		var h Hello
		var w Welcome
		var x OpenX
		var l ListX
		var d Listed
		var i Invalidate
		for _, err := range []error{o.Decode(b, &OpenX{MaxData: 100, MaxEntries: 10}), h.Decode(b), w.Decode(b), x.Decode(b), l.Decode(b), d.Decode(b, &ListX{Max: 10}), i.Decode(b)} {
			if err != nil && !errors.Is(err, ErrCorrupt) {
				t.Fatal(err)
			}
		}
	})
}
