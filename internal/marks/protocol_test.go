package marks

import (
	"encoding/binary"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"golang.org/x/sys/unix"
)

// A space is memory that begins at an address.
type space struct {
	base uint64
	b    []byte
}

func (s *space) Read(addr uint64, p []byte) (int, error) {
	if addr < s.base || addr-s.base >= uint64(len(s.b)) {
		return 0, unix.EFAULT
	}
	n := copy(p, s.b[addr-s.base:])
	if n < len(p) {
		return n, unix.EFAULT
	}
	return n, nil
}

func (s *space) Write(addr uint64, p []byte) (int, error) {
	if addr < s.base || addr-s.base >= uint64(len(s.b)) {
		return 0, unix.EFAULT
	}
	return copy(s.b[addr-s.base:], p), nil
}

const base = 0x1000

func record(name string, length uint64) *space {
	b := make([]byte, recordSize)
	binary.NativeEndian.PutUint64(b[0:], recordMagic)
	binary.NativeEndian.PutUint64(b[8:], base+recordSize)
	binary.NativeEndian.PutUint64(b[16:], length)
	return &space{base, append(b, name...)}
}

func TestReadRecord(t *testing.T) {
	for _, tt := range []struct{ name, want string }{
		{"load", "load"},
		{"", ""},
		{"two words", "two words"},
		{"\xffä\n\x1b[1m\\\"", `\xffä\n\x1b[1m\\"`},
		{"\u202eabc\u00a0", `\u202eabc\u00a0`},
		{strings.Repeat("a", 1000), strings.Repeat("a", MaxName)},
		{strings.Repeat("a", MaxName-1) + "ä", strings.Repeat("a", MaxName-1) + `\xc3`},
	} {
		s := record(tt.name, uint64(len(tt.name)))
		r, err := ReadRecord(s, base)
		if err != nil || r.Name != tt.want || r.Addr != base {
			t.Errorf("%q: %+v, %v, want %q", tt.name, r, err, tt.want)
		}
		if err := WriteReply(s, base, ReplyTraced); err != nil || s.b[replyAt] != 1 {
			t.Errorf("reply: %v, % x", err, s.b[:recordSize])
		}
	}
}

func TestBadRecords(t *testing.T) {
	good := record("x", 1)
	badMagic, badName := record("x", 1), record("x", 1<<60)
	badMagic.b[3] = 0
	for _, tt := range []struct {
		what string
		s    *space
		addr uint64
	}{
		{"address 0", good, 0}, {"address 8", good, 8}, {"end", good, base + 1}, {"highest", good, ^uint64(0)},
		{"magic", badMagic, base}, {"name", badName, base},
	} {
		if r, err := ReadRecord(tt.s, tt.addr); !errors.Is(err, ErrRecord) {
			t.Errorf("%s: %+v, %v", tt.what, r, err)
		}
	}
}

func FuzzReadRecord(f *testing.F) {
	f.Add(record("load", 4).b, uint64(base))
	f.Add(record("\xff", 9).b, uint64(base+4))
	f.Fuzz(func(t *testing.T, b []byte, addr uint64) {
		r, err := ReadRecord(&space{base, b}, addr)
		if err != nil && !errors.Is(err, ErrRecord) {
			t.Errorf("error %v", err)
		}
		if !utf8.ValidString(r.Name) || strings.ContainsAny(r.Name, "\n\x1b") || len(r.Name) > 10*MaxName {
			t.Errorf("name %q", r.Name)
		}
	})
}
