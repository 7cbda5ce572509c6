// Package marks is the tracer's half of the protocol by which programs mark their own regions: sets of five System V
// semaphores, one set for each process. docs/marks.md describes it; include/farcall.h and the package mark are the program's half.
package marks

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// The semaphores of a set.
const (
	semGuard = iota
	semAttach
	semTarget
	semTargetExit
	semDetach
	semCount
)

const (
	keyBase = 0x7f000000
	keyMask = 0x003fffff // PID_MAX_LIMIT is 2^22 (include/linux/threads.h)

	// deathPost is what the kernel adds to "target" and "detach" when the tracer dies: see Create.
	deathPost = 16384
	// dead is a value of "target" that nothing but deathPost brings about.
	dead = 8192
)

// callMagic, plus a Step, is in the sixth argument of every call that a mark makes.
const callMagic = 0x6c6c61636b726100

// A Step is what a call of a mark is for.
type Step uint8

// The steps.
const (
	StepOther Step = iota // nothing that the tracer has to answer
	StepEnter             // waits for "target"
	StepLeave             // waits for "detach"
)

// StepOf tells whether a call with these arguments is of a mark, for what, and where the record is. It does not look at the call's
// number.
func StepOf(args *[6]uint64) (step Step, record uint64, ok bool) {
	n := args[5] - callMagic
	return Step(n), args[4], n <= uint64(StepLeave)
}

// Key is the key of the set for a process with that id in its own pid namespace.
func Key(pid int) int32 { return keyBase | int32(pid&keyMask) }

// pidOf is the process that a key is for, and whether it can be one of a set of ours.
func pidOf(key int32) (int, bool) { return int(key & keyMask), key&^keyMask == keyBase }

// A Reply is what the tracer writes into the record of a region.
type Reply int32

// The replies.
const (
	ReplyTraced   Reply = 1 // the region is followed: its end has to be told
	ReplyUnwanted Reply = 2 // it is not
)

const (
	recordMagic = 0x316b72616d6c6c66
	recordSize  = 40
	replyAt     = 36
)

// MaxName is how much of a name is read, in bytes.
const MaxName = 128

// ErrRecord is matched by errors about records that are none.
var ErrRecord = errors.New("not the record of a mark")

// A Record is what a program tells of a region.
type Record struct {
	Addr uint64 // in the program; it identifies a stay in a region
	Name string // printable; bytes that are not UTF-8, control characters and backslashes are escaped
}

// A Memory is a program's. Both return how many bytes were moved; fewer than asked come with an error.
type Memory interface {
	Read(addr uint64, p []byte) (int, error)
	Write(addr uint64, p []byte) (int, error)
}

// ReadRecord reads the record at an address that a program gave. Of longer names the first MaxName bytes count.
//
// Error: ErrRecord.
func ReadRecord(m Memory, addr uint64) (Record, error) {
	var b [recordSize]byte
	if n, _ := m.Read(addr, b[:]); n != len(b) || addr == 0 {
		return Record{}, fmt.Errorf("%w: nothing can be read at %#x", ErrRecord, addr)
	}
	if v := binary.NativeEndian.Uint64(b[0:]); v != recordMagic {
		return Record{}, fmt.Errorf("%w: %#x has %#x in place of the magic number", ErrRecord, addr, v)
	}
	name := make([]byte, min(binary.NativeEndian.Uint64(b[16:]), MaxName))
	at := binary.NativeEndian.Uint64(b[8:])
	if n, _ := m.Read(at, name); n != len(name) {
		return Record{}, fmt.Errorf("%w: its name at %#x cannot be read", ErrRecord, at)
	}
	return Record{Addr: addr, Name: escape(name)}, nil
}

// unanswered tells whether a record has no reply yet. It is true of what is no record.
func unanswered(m Memory, addr uint64) bool {
	var b [4]byte
	_, _ = m.Read(addr+replyAt, b[:])
	return binary.NativeEndian.Uint32(b[:]) == 0
}

// WriteReply answers the record at an address.
func WriteReply(m Memory, addr uint64, r Reply) error {
	_, err := m.Write(addr+replyAt, binary.NativeEndian.AppendUint32(nil, uint32(r)))
	return err
}

// escape makes a name fit for a line of text.
func escape(name []byte) string {
	var out strings.Builder
	for len(name) > 0 {
		c, n := utf8.DecodeRune(name)
		switch {
		case c == utf8.RuneError && n == 1:
			fmt.Fprintf(&out, `\x%02x`, name[0])
		case c == '\\':
			out.WriteString(`\\`)
		case c == ' ' || unicode.IsGraphic(c) && !unicode.IsSpace(c):
			out.WriteRune(c)
		default:
			q := strconv.QuoteToASCII(string(c))
			out.WriteString(q[1 : len(q)-1])
		}
		name = name[n:]
	}
	return out.String()
}
