package unwind

import (
	"encoding/binary"
	"math"
)

// reader takes a table apart. After an access outside of it, bad is set and all values are 0.
type reader struct {
	b     []byte
	at    int
	order binary.ByteOrder
	bad   bool
}

func (r *reader) rest() int { return len(r.b) - r.at }

// take returns the next n bytes, nil where there are fewer.
func (r *reader) take(n uint64) []byte {
	if n > uint64(r.rest()) {
		r.bad, r.at = true, len(r.b)
		return nil
	}
	out := r.b[r.at : r.at+int(n)]
	r.at += int(n)
	return out
}

// fixed reads a number of 1, 2, 4 or 8 bytes.
func (r *reader) fixed(n int) uint64 {
	b := r.take(uint64(n))
	if b == nil {
		return 0
	}
	switch n {
	case 1:
		return uint64(b[0])
	case 2:
		return uint64(r.order.Uint16(b))
	case 4:
		return uint64(r.order.Uint32(b))
	}
	return r.order.Uint64(b)
}

// signed reads a number of n bytes and extends its sign.
func (r *reader) signed(n int) int64 {
	shift := 64 - 8*n
	return int64(r.fixed(n)<<shift) >> shift
}

func (r *reader) byte() byte { return byte(r.fixed(1)) }

// uleb reads an unsigned LEB128; bits beyond 64 are dropped.
func (r *reader) uleb() uint64 {
	var v uint64
	for shift := 0; ; shift += 7 {
		b := r.byte()
		if shift < 64 {
			v |= uint64(b&0x7f) << shift
		}
		if b < 0x80 || r.bad {
			return v
		}
	}
}

// sleb reads a signed LEB128.
func (r *reader) sleb() int64 {
	var v int64
	for shift := 0; ; shift += 7 {
		b := r.byte()
		if shift < 64 {
			v |= int64(b&0x7f) << shift
		}
		if b < 0x80 || r.bad {
			if shift+7 < 64 && b&0x40 != 0 {
				v |= -1 << (shift + 7)
			}
			return v
		}
	}
}

// block reads a length and that many bytes.
func (r *reader) block() []byte { return r.take(r.uleb()) }

// name reads a text up to its NUL.
func (r *reader) name() string {
	for i := r.at; i < len(r.b); i++ {
		if r.b[i] == 0 {
			s := string(r.b[r.at:i])
			r.at = i + 1
			return s
		}
	}
	r.bad, r.at = true, len(r.b)
	return ""
}

// The encodings of pointers (Linux Standard Base, DWARF Exception Header Encoding).
const (
	encOmit     = 0xff
	encIndirect = 0x80
	encPCRel    = 0x10
	encDataRel  = 0x30
)

// pointer reads an encoded address. here is the in-file address of the table's first byte, data
// what data-relative addresses count from. It is false for encodings that need a running process.
func (r *reader) pointer(enc byte, here, data uint64, word int) (uint64, bool) {
	if enc == encOmit {
		return 0, false
	}
	base := uint64(0)
	switch enc & 0x70 {
	case 0:
	case encPCRel:
		base = here + uint64(r.at)
	case encDataRel:
		base = data
	default:
		r.bad = true
		return 0, false
	}
	v, ok := r.value(enc, word)
	if word == 4 {
		v = uint64(uint32(v))
		return uint64(uint32(v + base)), ok && enc&encIndirect == 0
	}
	return v + base, ok && enc&encIndirect == 0
}

// value reads the number of a pointer's format.
func (r *reader) value(enc byte, word int) (uint64, bool) {
	switch enc & 0x0f {
	case 0x00:
		return r.fixed(word), !r.bad
	case 0x01:
		return r.uleb(), !r.bad
	case 0x02, 0x03, 0x04:
		return r.fixed(1 << (enc & 7) >> 1), !r.bad
	case 0x09:
		return uint64(r.sleb()), !r.bad
	case 0x0a, 0x0b, 0x0c:
		return uint64(r.signed(1 << (enc & 7) >> 1)), !r.bad
	}
	r.bad = true
	return 0, false
}

// length reads the length of a record, and the size of offsets in it: 4, or 8 for the wide format.
func (r *reader) length() (n uint64, offset int) {
	n, offset = r.fixed(4), 4
	if n == math.MaxUint32 {
		n, offset = r.fixed(8), 8
	}
	return n, offset
}
