package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
)

// Limits of a frame, in bytes. They bound what either side keeps in memory for the other.
const (
	HeaderSize = 16
	MaxPayload = 4 << 20
	// MaxIO is the largest number of bytes that one call transfers.
	MaxIO = 1 << 20
)

// ErrCorrupt is matched by the errors about frames that do not follow the protocol. The session has to be closed: nothing that
// comes behind such a frame means anything.
var ErrCorrupt = errors.New("corrupt frame")

func corrupt(format string, args ...any) error {
	return fmt.Errorf("wire: %w: %s", ErrCorrupt, fmt.Sprintf(format, args...))
}

// An Op says what a frame is.
type Op uint8

// The kinds of frames.
const (
	OpHello   Op = 1 // client: the first frame
	OpWelcome Op = 2 // server: the answer to it
	OpRefuse  Op = 3 // server: why the session ends; the last frame
	OpCall    Op = 4 // client: a system call
	OpResult  Op = 5 // server: what came of it
	OpClose   Op = 6 // client, no answer: a handle is no longer used
	OpOpenX   Op = 7 // client: open, attributes and content in one
	OpOpened  Op = 8 // server: the answer to it
	OpListX   Op = 9 // client: a directory with the attributes of its entries
	OpListed  Op = 10
	OpPing    Op = 11 // either side; answered by OpPong with the same payload
	OpPong    Op = 12
	OpDial    Op = 13 // client: connect a socket
	OpDialed  Op = 14
	OpData    Op = 15 // either side, no answer: bytes, or a datagram, of a stream
	OpWindow  Op = 16 // either side, no answer: that many more bytes may be sent
	OpEOF     Op = 17 // either side, no answer: nothing more comes
	OpReset   Op = 18 // either side, no answer: the stream is over, both ways

	OpAck     Op = 48 // either side, no answer: how much has arrived
	OpResume  Op = 49 // client: the first frame of a connection that goes on with a session
	OpResumed Op = 50 // server: the answer to it
	OpCancel  Op = 51 // client, no answer: a request need not wait any longer
	OpBye     Op = 52 // client, no answer: the session is over

	OpBind     Op = 64 // client: make a socket with an address; answered by OpDialed
	OpListen   Op = 65 // client: have it listen; answered by OpDialed
	OpAccepted Op = 66 // server, no answer: somebody has connected

	OpInvalidate Op = 80 // server, no answer: what was leased has changed
)

var opNames = [...]string{
	OpHello: "HELLO", OpWelcome: "WELCOME", OpRefuse: "REFUSE", OpCall: "CALL", OpResult: "RESULT", OpClose: "CLOSE",
	OpOpenX: "OPENX", OpOpened: "OPENED", OpListX: "LISTX", OpListed: "LISTED", OpPing: "PING", OpPong: "PONG",
	OpDial: "DIAL", OpDialed: "DIALED", OpData: "DATA", OpWindow: "WINDOW", OpEOF: "EOF", OpReset: "RESET",
	OpBind: "BIND", OpListen: "LISTEN", OpAccepted: "ACCEPTED",
	OpAck: "ACK", OpResume: "RESUME", OpResumed: "RESUMED", OpCancel: "CANCEL", OpBye: "BYE",
	OpInvalidate: "INVALIDATE",
}

func (o Op) String() string {
	if int(o) < len(opNames) && opNames[o] != "" {
		return opNames[o]
	}
	return fmt.Sprintf("Op(%d)", uint8(o))
}

// A Frame is one message. An answer has the ID of what it answers; messages without answer have ID 0.
type Frame struct {
	Op      Op
	ID      uint64
	Payload []byte
}

// AppendFrame appends a frame's bytes to dst. The payload must not be longer than MaxPayload.
func AppendFrame(dst []byte, f Frame) []byte {
	at := len(dst)
	dst = append(slices.Grow(dst, HeaderSize+len(f.Payload)), make([]byte, HeaderSize)...)
	dst = append(dst, f.Payload...)
	FinishFrame(dst[at:], f.Op, f.ID)
	return dst
}

// NewFrame makes room for a frame's header, which FinishFrame fills in, and for a payload of n bytes that is going to be appended.
func NewFrame(n int) []byte { return make([]byte, HeaderSize, HeaderSize+n) }

// FinishFrame fills in the header of a frame that begins b, as its payload does behind that. The payload must not be longer than MaxPayload.
func FinishFrame(b []byte, op Op, id uint64) {
	binary.LittleEndian.PutUint32(b, uint32(len(b)-HeaderSize))
	b[4] = byte(op)
	binary.LittleEndian.PutUint64(b[8:], id)
}

// ReadFrame reads a frame. buf is used for the payload if it is large enough.
//
// Errors: io.EOF before the first byte of a frame; io.ErrUnexpectedEOF within one; ErrCorrupt; those of r.
func ReadFrame(r io.Reader, buf []byte) (Frame, error) {
	var h [HeaderSize]byte
	if _, err := io.ReadFull(r, h[:]); err != nil {
		return Frame{}, err
	}
	n := binary.LittleEndian.Uint32(h[:])
	f := Frame{Op: Op(h[4]), ID: binary.LittleEndian.Uint64(h[8:])}
	switch {
	case n > MaxPayload:
		return f, corrupt("%v of %d bytes, at most %d are allowed", f.Op, n, MaxPayload)
	case h[5] != 0 || h[6] != 0 || h[7] != 0:
		return f, corrupt("%v with reserved bytes set", f.Op)
	}
	if uint32(cap(buf)) < n {
		// A header alone must not make us allocate what never arrives.
		return readGrowing(r, f, int(n))
	}
	f.Payload = buf[:n]
	return f, whole(r, f.Payload)
}

func whole(r io.Reader, b []byte) error {
	_, err := io.ReadFull(r, b)
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return err
}

func readGrowing(r io.Reader, f Frame, n int) (Frame, error) {
	const step = 64 << 10
	for len(f.Payload) < n {
		was := len(f.Payload)
		more := n - was
		if was == 0 { // who sends a beginning will send the rest
			more = min(n, step)
		}
		f.Payload = slices.Grow(f.Payload, more)[:was+more]
		if err := whole(r, f.Payload[was:]); err != nil {
			return f, err
		}
	}
	return f, nil
}

// A cursor takes a payload apart. Once it has run out, every value is zero and bad is set.
type cursor struct {
	b   []byte
	bad bool
}

func (c *cursor) take(n int) []byte {
	if c.bad || n < 0 || n > len(c.b) {
		c.bad = true
		return nil
	}
	b := c.b[:n:n]
	c.b = c.b[n:]
	return b
}

func (c *cursor) u8() uint8 {
	if b := c.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (c *cursor) u16() uint16 {
	if b := c.take(2); b != nil {
		return binary.LittleEndian.Uint16(b)
	}
	return 0
}

func (c *cursor) u32() uint32 {
	if b := c.take(4); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

func (c *cursor) u64() uint64 {
	if b := c.take(8); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

// text is a string of at most 65,535 bytes behind its length.
func (c *cursor) text() string { return string(c.take(int(c.u16()))) }

// blob is a string of bytes behind its length.
func (c *cursor) blob() []byte { return c.take(int(c.u32())) }

// end is the error of a payload that is too short or too long.
func (c *cursor) end(op Op) error {
	switch {
	case c.bad:
		return corrupt("%v is too short", op)
	case len(c.b) > 0:
		return corrupt("%v has %d bytes too many", op, len(c.b))
	}
	return nil
}

func appendText(b []byte, s string) []byte {
	s = s[:min(len(s), 1<<16-1)]
	return append(binary.LittleEndian.AppendUint16(b, uint16(len(s))), s...)
}

func appendBlob(b, s []byte) []byte {
	return append(binary.LittleEndian.AppendUint32(b, uint32(len(s))), s...)
}
