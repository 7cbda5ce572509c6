package wire

import (
	"bytes"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// message is what all messages about sockets can do.
type message interface {
	Encode() []byte
	Decode([]byte) error
}

var socketMessages = []struct {
	full  message
	empty func() message
}{
	{&Dial{Stream: 5, Datagram: true, Addr: []byte("0123456789abcdef")}, func() message { return new(Dial) }},
	{&Bind{Stream: 6, Options: BindReuseAddr | BindV6Only, Addr: []byte{2, 0, 0, 80}}, func() message { return new(Bind) }},
	{&Listen{Stream: 7, Backlog: 128}, func() message { return new(Listen) }},
	{&Accepted{Listener: 7, Stream: FromServer | 1, Local: []byte("l"), Peer: []byte("peer")}, func() message { return new(Accepted) }},
	{&Dialed{Ret: -111, Local: []byte{}, Peer: []byte("p")}, func() message { return new(Dialed) }},
}

func TestSocketMessages(t *testing.T) {
	for _, m := range socketMessages {
		b := m.full.Encode()
		got := m.empty()
		if err := got.Decode(b); err != nil || !cmp.Equal(got, m.full) {
			t.Errorf("%T: %v, %s", m.full, err, cmp.Diff(m.full, got))
		}
		if err := m.empty().Decode(b[:3]); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%T cut short: %v", m.full, err)
		}
	}
	long := make([]byte, 200)
	for _, m := range []message{
		&Dial{Addr: long}, &Bind{Addr: long}, &Dial{Stream: FromServer}, &Bind{Stream: FromServer}, &Accepted{Stream: 1},
		&Accepted{Stream: FromServer, Peer: long}, &Dialed{Local: long},
	} {
		if err := m.Decode(m.Encode()); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%+v: %v", m, err)
		}
	}
	addr, data, err := SplitDatagram(AppendDatagram(nil, []byte("addr"), []byte("data")))
	if err != nil || string(addr) != "addr" || string(data) != "data" {
		t.Errorf("%q %q %v", addr, data, err)
	}
	for _, b := range [][]byte{nil, {0}, {5, 1}, {0, 1, 2}, append([]byte{0}, long...), append([]byte{1, 1}, make([]byte, MaxDatagram+1)...)} {
		if _, _, err := SplitDatagram(b); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%d bytes: %v", len(b), err)
		}
	}
}

func FuzzSocketMessages(f *testing.F) {
	for _, m := range socketMessages {
		f.Add(m.full.Encode())
	}
	f.Add(AppendDatagram(nil, []byte("addr"), []byte("data")))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, m := range socketMessages {
			got := m.empty()
			if err := got.Decode(b); err != nil {
				if !errors.Is(err, ErrCorrupt) {
					t.Fatal(err)
				}
				continue
			}
			again := m.empty()
			if err := again.Decode(got.Encode()); err != nil || !cmp.Equal(got, again) {
				t.Fatalf("%+v, again %+v, %v", got, again, err)
			}
		}
		if addr, data, err := SplitDatagram(b); err == nil && !bytes.Equal(AppendDatagram(nil, addr, data), b) {
			t.Fatalf("%q is not %q and %q", b, addr, data)
		}
	})
}
