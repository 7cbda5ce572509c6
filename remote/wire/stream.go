package wire

import "encoding/binary"

// Window is how many bytes of a stream each side may send before the other has said that it has room for more.
const Window = 256 << 10

// MaxChunk is the largest DATA, in bytes: no datagram is larger.
const MaxChunk = 64 << 10

// A Dial asks for a socket that is connected to an address. Its number is the client's choice: one that is not in use.
type Dial struct {
	Stream   uint32
	Datagram bool
	Addr     []byte // struct sockaddr_in or sockaddr_in6 (ip(7), ipv6(7)); the family in little-endian order
}

// Encode makes the payload.
func (d *Dial) Encode() []byte {
	b := binary.LittleEndian.AppendUint32(nil, d.Stream)
	kind := byte(1)
	if d.Datagram {
		kind = 2
	}
	return append(append(b, kind), d.Addr...)
}

// Decode reads the payload.
func (d *Dial) Decode(b []byte) error {
	c := cursor{b: b}
	d.Stream = c.u32()
	kind := c.u8()
	d.Datagram, d.Addr = kind == 2, c.b
	if c.bad || kind != 1 && kind != 2 || len(d.Addr) > 128 {
		return corrupt("DIAL is too short, too long or of another kind")
	}
	return nil
}

// A Dialed is the answer: 0 or a negated error number, and the addresses of the socket.
type Dialed struct {
	Ret         int64
	Local, Peer []byte
}

// Encode makes the payload.
func (d *Dialed) Encode() []byte {
	b := binary.LittleEndian.AppendUint64(nil, uint64(d.Ret))
	return appendBlob(appendBlob(b, d.Local), d.Peer)
}

// Decode reads the payload.
func (d *Dialed) Decode(b []byte) error {
	c := cursor{b: b}
	*d = Dialed{int64(c.u64()), c.blob(), c.blob()}
	if len(d.Local) > 128 || len(d.Peer) > 128 {
		return corrupt("DIALED with an address that is too long")
	}
	return c.end(OpDialed)
}

// StreamFrame makes a DATA, WINDOW, EOF or RESET.
func StreamFrame(op Op, stream uint32, rest []byte) Frame {
	return Frame{Op: op, Payload: append(binary.LittleEndian.AppendUint32(make([]byte, 0, 4+len(rest)), stream), rest...)}
}

// SplitStream takes the payload of such a frame apart.
func SplitStream(f Frame) (stream uint32, rest []byte, err error) {
	c := cursor{b: f.Payload}
	stream, rest = c.u32(), c.b
	switch {
	case c.bad || (f.Op == OpWindow || f.Op == OpReset) && len(rest) != 4 || f.Op == OpEOF && len(rest) != 0 || len(rest) > MaxChunk:
		return 0, nil, corrupt("%v of %d bytes", f.Op, len(f.Payload))
	}
	return stream, rest, nil
}
