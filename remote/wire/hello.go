package wire

import "encoding/binary"

// Version is the version of the protocol.
const Version = 1

const magic = "farcall\x00"

// A Capability is something that a side may or may not be able to do. A bit that one side does not know is ignored; what both have
// set can be used.
type Capability uint64

// The capabilities.
const (
	CapOpenX Capability = 1 << iota // OPENX
	CapListX                        // LISTX
	CapDial                         // DIAL

	CapResume Capability = 1 << 16 // ACK, RESUME and BYE
	CapCancel Capability = 1 << 17 // CANCEL
	CapBind   Capability = 1 << 24 // BIND, LISTEN and ACCEPTED
	CapLease  Capability = 1 << 25 // INVALIDATE
)

// A Hello is how a client begins: the versions that it speaks, and what it can do.
type Hello struct {
	Min, Max uint16
	Caps     Capability
	Turn     uint32 // which of the client's sessions this is, one after the other: 0 to MaxTurn
}

// Encode makes the payload.
func (h *Hello) Encode() []byte {
	b := append([]byte(nil), magic...)
	b = binary.LittleEndian.AppendUint16(b, h.Min)
	b = binary.LittleEndian.AppendUint16(b, h.Max)
	b = binary.LittleEndian.AppendUint64(b, uint64(h.Caps))
	return binary.LittleEndian.AppendUint32(b, h.Turn)
}

// Decode reads a payload. What a later version puts behind it is ignored.
func (h *Hello) Decode(b []byte) error {
	c := cursor{b: b}
	if string(c.take(len(magic))) != magic {
		return corrupt("HELLO does not begin as one")
	}
	h.Min, h.Max, h.Caps = c.u16(), c.u16(), Capability(c.u64())
	if c.bad || h.Min > h.Max {
		return corrupt("HELLO is too short or has no version")
	}
	h.Turn = 0
	if len(c.b) > 0 { // clients that have one session only need not say so
		h.Turn = c.u32()
	}
	if c.bad || h.Turn > MaxTurn {
		return corrupt("HELLO has a bad turn")
	}
	return nil
}

// A Welcome is a server's answer to a Hello: what was agreed on, and who and where the server is.
type Welcome struct {
	Version  uint16
	Caps     Capability
	UID, GID uint32 // effective ones
	Groups   []uint32
	Uname    [6]string // sysname, nodename, release, version, machine, domainname (uname(2))

	Ticket Ticket // with CapResume
	Grace  uint32 // with CapResume: milliseconds for which the session can be resumed
}

// Encode makes the payload.
func (w *Welcome) Encode() []byte {
	b := append([]byte(nil), magic...)
	b = binary.LittleEndian.AppendUint16(b, w.Version)
	b = binary.LittleEndian.AppendUint64(b, uint64(w.Caps))
	b = binary.LittleEndian.AppendUint32(b, w.UID)
	b = binary.LittleEndian.AppendUint32(b, w.GID)
	groups := w.Groups[:min(len(w.Groups), 1<<16-1)] // NGROUPS_MAX is 65,536
	b = binary.LittleEndian.AppendUint16(b, uint16(len(groups)))
	for _, g := range groups {
		b = binary.LittleEndian.AppendUint32(b, g)
	}
	for _, s := range w.Uname {
		b = appendText(b, s)
	}
	if w.Caps&CapResume != 0 {
		b = binary.LittleEndian.AppendUint32(w.Ticket.append(b), w.Grace)
	}
	return b
}

// Decode reads a payload. What a later version puts behind it is ignored.
func (w *Welcome) Decode(b []byte) error {
	c := cursor{b: b}
	if string(c.take(len(magic))) != magic {
		return corrupt("WELCOME does not begin as one")
	}
	*w = Welcome{Version: c.u16(), Caps: Capability(c.u64()), UID: c.u32(), GID: c.u32()}
	for n := c.u16(); n > 0 && !c.bad; n-- {
		w.Groups = append(w.Groups, c.u32())
	}
	for i := range w.Uname {
		w.Uname[i] = c.text()
	}
	if w.Caps&CapResume != 0 {
		w.Ticket.take(&c)
		w.Grace = c.u32()
	}
	if c.bad {
		return corrupt("WELCOME is too short")
	}
	return nil
}
