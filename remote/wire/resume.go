package wire

import "encoding/binary"

// A Ticket is what a client takes up its session with on another connection.
type Ticket struct {
	Session [16]byte // which one it is
	Secret  [32]byte // random; only who was welcomed has it
}

// ticketSize is the size of a Ticket on the wire.
const ticketSize = 16 + 32

func (t *Ticket) append(b []byte) []byte { return append(append(b, t.Session[:]...), t.Secret[:]...) }

func (t *Ticket) take(c *cursor) {
	if b := c.take(ticketSize); b != nil {
		copy(t.Session[:], b)
		copy(t.Secret[:], b[len(t.Session):])
	}
}

// A Resume is the first frame of a connection that goes on with a session: its ticket, and how much of what the server has sent in it has
// arrived, in bytes of whole frames. WELCOME counts, ACK and RESUMED do not.
type Resume struct {
	Ticket   Ticket
	Received uint64
}

// Encode makes the payload.
func (r *Resume) Encode() []byte {
	return binary.LittleEndian.AppendUint64(r.Ticket.append([]byte(magic)), r.Received)
}

// Decode reads the payload.
func (r *Resume) Decode(b []byte) error {
	c := cursor{b: b}
	if string(c.take(len(magic))) != magic {
		return corrupt("RESUME does not begin as one")
	}
	r.Ticket.take(&c)
	r.Received = c.u64()
	return c.end(OpResume)
}

// CountFrame makes an ACK or a RESUMED: received is how much of what the other side has sent has arrived.
func CountFrame(op Op, received uint64) Frame {
	return Frame{Op: op, Payload: binary.LittleEndian.AppendUint64(nil, received)}
}

// Count reads the payload of an ACK, a RESUMED or a CANCEL.
func Count(f Frame) (uint64, error) {
	c := cursor{b: f.Payload}
	n := c.u64()
	return n, c.end(f.Op)
}

// HandlesPerSession is how many numbers of handles a session has: those that are in the range of another one are stale, not wrong.
const HandlesPerSession = 1 << 20

// MaxTurn is the highest Hello.Turn: handles are less than NoHandle.
const MaxTurn = 1<<31/HandlesPerSession - 2

// NoHandle is never a handle: it is in the place of a descriptor that is not open, so that the server finds the error in the order in which its
// kernel finds it.
const NoHandle = 0x7fffffff
