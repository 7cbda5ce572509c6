package wire

import "encoding/binary"

// Window is how many bytes of a stream each side may send before the other has said that it has room for more.
const Window = 256 << 10

// MaxChunk is the largest DATA, in bytes: no datagram is larger, with its address.
const MaxChunk = 64 << 10

// FromServer is set in the numbers of streams that the server has chosen, and in no others.
const FromServer = 1 << 31

// maxSockaddr is the size of struct sockaddr_storage, which no address exceeds.
const maxSockaddr = 128

// A Dial asks for a socket that is connected to an address. Its number is the client's choice: one that is not in use, or that of a
// socket which BIND has made.
type Dial struct {
	Stream   uint32
	Datagram bool
	Addr     []byte // struct sockaddr_in, sockaddr_in6 or sockaddr_un (ip(7), ipv6(7), unix(7)); the family in little-endian order
}

// Encode makes the payload.
func (d *Dial) Encode() []byte {
	b := binary.LittleEndian.AppendUint32(nil, d.Stream)
	return append(append(b, socketKind(d.Datagram)), d.Addr...)
}

// Decode reads the payload.
func (d *Dial) Decode(b []byte) error {
	c := cursor{b: b}
	d.Stream = c.u32()
	kind := c.u8()
	d.Datagram, d.Addr = kind == 2, c.b
	if c.bad || kind != 1 && kind != 2 || len(d.Addr) > maxSockaddr || d.Stream&FromServer != 0 {
		return corrupt("DIAL is too short, too long or of another kind")
	}
	return nil
}

func socketKind(datagram bool) byte {
	if datagram {
		return 2
	}
	return 1
}

// BindOptions are the options of a socket that count when it gets its address (socket(7), ipv6(7)).
type BindOptions uint8

// The options.
const (
	BindReuseAddr BindOptions = 1 << iota
	BindReusePort
	BindV6Only
)

// A Bind asks for a socket that has an address but no peer.
type Bind struct {
	Stream   uint32
	Datagram bool
	Options  BindOptions
	Addr     []byte // as Dial's
}

// Encode makes the payload.
func (r *Bind) Encode() []byte {
	b := binary.LittleEndian.AppendUint32(nil, r.Stream)
	return append(append(b, socketKind(r.Datagram), byte(r.Options)), r.Addr...)
}

// Decode reads the payload.
func (r *Bind) Decode(b []byte) error {
	c := cursor{b: b}
	r.Stream = c.u32()
	kind := c.u8()
	r.Options = BindOptions(c.u8())
	r.Datagram, r.Addr = kind == 2, c.b
	if c.bad || kind != 1 && kind != 2 || len(r.Addr) > maxSockaddr || r.Stream&FromServer != 0 {
		return corrupt("BIND is too short, too long or of another kind")
	}
	return nil
}

// A Listen has a socket that BIND has made wait for connections.
type Listen struct {
	Stream  uint32
	Backlog uint32 // as in listen(2)
}

// Encode makes the payload.
func (l *Listen) Encode() []byte {
	return binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(nil, l.Stream), l.Backlog)
}

// Decode reads the payload.
func (l *Listen) Decode(b []byte) error {
	c := cursor{b: b}
	*l = Listen{c.u32(), c.u32()}
	return c.end(OpListen)
}

// An Accepted tells of a connection to a socket that listens. Its stream begins with this frame.
type Accepted struct {
	Listener    uint32
	Stream      uint32 // with FromServer
	Local, Peer []byte
}

// Encode makes the payload.
func (a *Accepted) Encode() []byte {
	b := binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(nil, a.Listener), a.Stream)
	return appendBlob(appendBlob(b, a.Local), a.Peer)
}

// Decode reads the payload.
func (a *Accepted) Decode(b []byte) error {
	c := cursor{b: b}
	*a = Accepted{c.u32(), c.u32(), c.blob(), c.blob()}
	if len(a.Local) > maxSockaddr || len(a.Peer) > maxSockaddr || a.Stream&FromServer == 0 {
		return corrupt("ACCEPTED with an address that is too long, or a stream of the client's")
	}
	return c.end(OpAccepted)
}

// MaxDatagram is the largest datagram, in bytes: of UDP over IPv4 (RFC 768).
const MaxDatagram = 65507

// AppendDatagram makes the content of a DATA of a datagram socket: an address, whose it is from or whom it is for, and a datagram.
func AppendDatagram(dst, addr, data []byte) []byte {
	return append(append(append(dst, byte(len(addr))), addr...), data...)
}

// SplitDatagram takes it apart. Without an address it is an error of the server's socket, and data is its number.
func SplitDatagram(b []byte) (addr, data []byte, err error) {
	c := cursor{b: b}
	addr = c.take(int(c.u8()))
	if c.bad || len(addr) == 0 && len(c.b) != 4 || len(c.b) > MaxDatagram {
		return nil, nil, corrupt("a datagram of %d bytes", len(b))
	}
	return addr, c.b, nil
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
	if len(d.Local) > maxSockaddr || len(d.Peer) > maxSockaddr {
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
