package wire

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"reflect"
	"testing"

	"farcall/decode"
	"farcall/syscalls"
)

const testBase = 0x7f00_0000_0000

func words(v ...uint64) []byte {
	var b []byte
	for _, w := range v {
		b = binary.LittleEndian.AppendUint64(b, w)
	}
	return b
}

func number(t testing.TB, name string) uint16 {
	t.Helper()
	c := ByName(name)
	if c == nil {
		t.Fatalf("%s is not carried", name)
	}
	return c.Number
}

// TestPlaceRefuses holds Place against what a hostile client would send.
func TestPlaceRefuses(t *testing.T) {
	reg := func(i uint32) uint32 { return registerSlot | i }
	path := []byte("/etc/passwd\x00")
	for _, c := range []struct {
		what, name string
		call       Call
		want       error
	}{
		{"honest", "read", Call{Room: 64, Regs: [6]uint64{3, 0, 64}, Relocs: []uint32{reg(1)}}, nil},
		{"more than there is room for", "read", Call{Room: 64, Regs: [6]uint64{3, 0, 65}, Relocs: []uint32{reg(1)}}, ErrCorrupt},
		{"far more", "read", Call{Room: 64, Regs: [6]uint64{3, 0, 1 << 40}, Relocs: []uint32{reg(1)}}, ErrCorrupt},
		{"a length that wraps", "read", Call{Room: 64, Regs: [6]uint64{3, 32, ^uint64(0)}, Relocs: []uint32{reg(1)}}, ErrCorrupt},
		{"an address", "read", Call{Room: 64, Regs: [6]uint64{3, 0x7fff0000, 64}}, ErrCorrupt},
		{"behind the room", "read", Call{Room: 64, Regs: [6]uint64{3, 60, 8}, Relocs: []uint32{reg(1)}}, ErrCorrupt},
		{"an offset that wraps", "read", Call{Room: 64, Regs: [6]uint64{3, ^uint64(0), 8}, Relocs: []uint32{reg(1)}}, ErrCorrupt},
		{"a pointer that is an integer", "read", Call{Room: 64, Regs: [6]uint64{3, 0, 8}, Relocs: []uint32{reg(1), reg(2)}}, ErrCorrupt},
		{"a register that is none", "read", Call{Room: 64, Regs: [6]uint64{3, 0, 8}, Relocs: []uint32{reg(1), reg(9)}}, ErrCorrupt},
		{"no buffer", "read", Call{Regs: [6]uint64{3, 0, 8}}, nil}, // EFAULT by the kernel
		{"honest path", "openat", Call{Room: 12, Data: path, Relocs: []uint32{reg(1)}}, nil},
		{"a path without end", "openat", Call{Room: 11, Data: path[:11], Relocs: []uint32{reg(1)}}, ErrCorrupt},
		{"a path at an address", "openat", Call{Regs: [6]uint64{0, 0x400000}}, ErrCorrupt},
		{"honest vector", "writev", Call{Room: 20, Data: append(words(16, 4), 1, 2, 3, 4), Regs: [6]uint64{1, 0, 1}, Relocs: []uint32{0, reg(1)}}, nil},
		{"an address in a vector", "writev", Call{Room: 16, Data: words(0x7fff0000, 4), Regs: [6]uint64{1, 0, 1}, Relocs: []uint32{reg(1)}}, ErrCorrupt},
		{"a vector's buffer outside", "writev", Call{Room: 16, Data: words(8, 40), Regs: [6]uint64{1, 0, 1}, Relocs: []uint32{0, reg(1)}}, ErrCorrupt},
		{"a vector that is too long", "writev", Call{Room: 16, Data: words(0, 4), Regs: [6]uint64{1, 0, 2}, Relocs: []uint32{0, reg(1)}}, ErrCorrupt},
		{"a vector of 2^60", "writev", Call{Room: 16, Data: words(0, 4), Regs: [6]uint64{1, 0, 1 << 60}, Relocs: []uint32{0, reg(1)}}, ErrCorrupt},
		{"a pointer where the length stands", "writev", Call{Room: 16, Data: words(0, 4), Regs: [6]uint64{1, 0, 1}, Relocs: []uint32{0, 8, reg(1)}}, ErrCorrupt},
		{"a pointer across the end", "writev", Call{Room: 16, Data: words(0, 4), Regs: [6]uint64{1, 0, 1}, Relocs: []uint32{0, 12, reg(1)}}, ErrCorrupt},
		{"a command that is not carried", "fcntl", Call{Regs: [6]uint64{1, 0 /* F_DUPFD */}}, ErrNotCarried},
	} {
		c.call.Number = number(t, c.name)
		var back Call
		err := back.Decode(c.call.AppendCall(nil))
		var regs [6]uint64
		if err == nil {
			regs, err = back.Place(&Arena{testBase, make([]byte, back.Room)}, new(decode.Call))
		}
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v, registers %x", c.what, err, regs)
		}
	}
	var c Call
	nr, _ := ABI.Number("kexec_load")
	c.Number = uint16(nr)
	if _, err := c.Place(&Arena{}, new(decode.Call)); !errors.Is(err, ErrNotCarried) {
		t.Errorf("kexec_load: %v", err)
	}
}

// TestDecodeRefuses holds Call.Decode against lengths that lie.
func TestDecodeRefuses(t *testing.T) {
	good := (&Call{Room: 8, Data: make([]byte, 8), Relocs: []uint32{0, 4}}).AppendCall(nil)
	for n := range good {
		var c Call
		if err := c.Decode(good[:n]); n < 64 && !errors.Is(err, ErrCorrupt) {
			t.Errorf("%d of %d bytes: %v", n, len(good), err)
		}
	}
	for _, c := range []Call{{Room: MaxRoom + 1}, {Room: 3, Data: make([]byte, 4)}, {Relocs: []uint32{4, 4}}, {Relocs: []uint32{8, 0}}} {
		var back Call
		if err := back.Decode(c.AppendCall(nil)); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

// kernel executes a call that was placed by filling what it would write with 0xaa.
func kernel(a *Arena, d *decode.Call) {
	d.Regions(func(r decode.Region) {
		if r.Dir&syscalls.Out != 0 {
			b := a.Bytes[r.Addr-a.Base:][:r.Len]
			for i := range b {
				b[i] = 0xaa
			}
		}
	})
}

// TestRoundTrip takes a call with pointers in structures all the way and back.
func TestRoundTrip(t *testing.T) {
	var s Space
	first, second := s.Room(5), s.Room(8)
	vec := s.Put(words(first, 5, second, 8))
	var m Marshaller
	c, err := m.Marshal("readv", [6]uint64{3, vec, 2, 0xdead, 0xdead}, &s)
	if err != nil {
		t.Fatal(err)
	}
	if c.Regs[3] != 0 || c.Regs[4] != 0 {
		t.Error("registers that the call does not have were sent")
	}
	if bytes.Contains(c.Data, words(first)) {
		t.Error("an address was sent")
	}
	var far Call
	if err := far.Decode(c.AppendCall(nil)); err != nil {
		t.Fatal(err)
	}
	a := Arena{testBase, make([]byte, far.Room)}
	var d decode.Call
	regs, err := far.Place(&a, &d)
	if err != nil {
		t.Fatal(err)
	}
	if regs[0] != 3 || regs[1] < testBase || regs[2] != 2 {
		t.Errorf("registers %x", regs)
	}
	kernel(&a, &d)
	var r, back Result
	r.Results(&a, &d, 9)
	if err := back.Decode(r.AppendResult(nil)); err != nil {
		t.Fatal(err)
	}
	if err := m.Apply(&back, &s); err != nil {
		t.Fatal(err)
	}
	if back.Ret != 9 || !bytes.Equal(s.Bytes(first, 5), bytes.Repeat([]byte{0xaa}, 5)) ||
		!bytes.Equal(s.Bytes(second, 8), []byte{0xaa, 0xaa, 0xaa, 0xaa, 0, 0, 0, 0}) {
		t.Errorf("%d %x %x", back.Ret, s.Bytes(first, 5), s.Bytes(second, 8))
	}
	// What a hostile server may answer.
	for _, p := range []Piece{{0, []byte{1}}, {far.Room, []byte{1}}, {far.Room - 1, []byte{1, 2}}, {^uint32(0), []byte{1}}} {
		if err := m.Apply(&Result{Pieces: []Piece{p}}, &s); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%d bytes at %#x: %v", len(p.Data), p.Off, err)
		}
	}
}

func TestMarshalErrors(t *testing.T) {
	var m Marshaller
	var s Space
	if _, err := m.Marshal("reboot", [6]uint64{}, &s); !errors.Is(err, ErrNotCarried) {
		t.Error(err)
	}
	if _, err := m.Marshal("read", [6]uint64{0, spaceBase, 1 << 30}, &s); !errors.Is(err, ErrTooLarge) {
		t.Error(err)
	}
	if _, err := m.Marshal("write", [6]uint64{0, 0x1000, 10}, &s); err == nil {
		t.Error("memory that is not there was sent")
	}
}

func TestFrames(t *testing.T) {
	f := Frame{Op: OpPing, ID: 1 << 60, Payload: []byte("payload")}
	b := AppendFrame(nil, f)
	got, err := ReadFrame(bytes.NewReader(b), nil)
	if err != nil || !reflect.DeepEqual(got, f) {
		t.Errorf("%+v %v", got, err)
	}
	for n := range b {
		want := io.ErrUnexpectedEOF
		if n == 0 {
			want = io.EOF
		}
		if _, err := ReadFrame(bytes.NewReader(b[:n]), nil); err != want {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
	for _, change := range []func([]byte){
		func(b []byte) { binary.LittleEndian.PutUint32(b, MaxPayload+1) },
		func(b []byte) { b[5] = 1 },
	} {
		c := bytes.Clone(b)
		change(c)
		if _, err := ReadFrame(bytes.NewReader(c), nil); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%x: %v", c[:8], err)
		}
	}
}

func TestMessages(t *testing.T) {
	statx := bytes.Repeat([]byte{7}, StatxSize)
	hello, welcome := Hello{Min: 1, Max: 3, Caps: CapListX}, Welcome{Version: 1, Caps: 3, UID: 5, GID: 6, Groups: []uint32{7}, Uname: [6]string{"Linux", "far"}}
	open, list := OpenX{1, 2, 3, 4, 5, 0, "/p"}, ListX{1, 2, 3, 4, "/p"}
	opened, failed := Opened{Ret: 9, Statx: statx, Listed: true, Path: "/d", Entries: []Entry{{Name: "x"}}}, Opened{Ret: -2}
	whole := Opened{Whole: true, Closed: true, Leased: true, Statx: statx, Data: []byte("data")}
	listed := Listed{Dirs: []Directory{{"/d", true, true, []Entry{{1, 2, 3, true, "a", "b", statx}, {Name: "gone"}}}, {Path: "/e"}}}
	check := func(want, got any, err error) {
		t.Helper()
		if err != nil || !reflect.DeepEqual(want, got) {
			t.Errorf("%+v, want %+v, %v", got, want, err)
		}
	}
	var h Hello
	err := h.Decode(hello.Encode())
	check(hello, h, err)
	var w Welcome
	err = w.Decode(welcome.Encode())
	check(welcome, w, err)
	var o OpenX
	err = o.Decode(open.Encode())
	check(open, o, err)
	var l ListX
	err = l.Decode(list.Encode())
	check(list, l, err)
	for _, want := range []Opened{opened, failed, whole} {
		var r Opened
		err = r.Decode(want.Encode(), &OpenX{MaxData: 10, MaxEntries: 1})
		check(want, r, err)
	}
	var r Opened
	if err := r.Decode(whole.Encode(), &OpenX{MaxData: 3}); !errors.Is(err, ErrCorrupt) {
		t.Errorf("more than was asked for: %v", err)
	}
	if err := r.Decode(opened.Encode(), &OpenX{}); !errors.Is(err, ErrCorrupt) {
		t.Errorf("entries that were not asked for: %v", err)
	}
	var d Listed
	err = d.Decode(listed.Encode(), &ListX{Max: 2})
	check(listed, d, err)
}

func TestOpenFlags(t *testing.T) {
	// O_DIRECTORY|O_NOFOLLOW|O_CREAT in both.
	if got := OpenFlags(syscalls.ARM64, 0o40000|0o100000|0o100, true); got != 0o200000|0o400000|0o100 {
		t.Errorf("%#o", got)
	}
	for flags := uint32(0); flags < 1<<18; flags += 0o2000 {
		if got := OpenFlags(syscalls.ARM64, OpenFlags(syscalls.ARM64, flags, true), false); got != flags {
			t.Errorf("%#o became %#o", flags, got)
		}
		if got := OpenFlags(syscalls.AMD64, flags, true); got != flags {
			t.Errorf("amd64: %#o became %#o", flags, got)
		}
	}
}
