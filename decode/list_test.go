package decode

import (
	"encoding/binary"
	"testing"

	"farcall/syscalls"
)

// at is memory that begins at an address.
type at struct {
	addr uint64
	data []byte
}

func (m at) Read(addr uint64, b []byte) int {
	if addr < m.addr || addr >= m.addr+uint64(len(m.data)) {
		return 0
	}
	return copy(b, m.data[addr-m.addr:])
}

func (m at) ReadV(r []Range) {
	for i := range r {
		r[i].N = m.Read(r[i].Addr, r[i].Buf)
	}
}

type noConsts struct{}

func (noConsts) Value(syscalls.ABI, string) (uint64, bool) { return 0, false }

func parseCall(t *testing.T, text, name string) *syscalls.Call {
	t.Helper()
	tab, err := syscalls.Parse([]syscalls.Source{{Name: "test", Text: text}}, noConsts{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return tab.Calls[syscalls.AMD64][name]
}

// A list is cut into elements by the length that each begins with; one too long is cut short, one
// too short ends the list.
func TestList(t *testing.T) {
	desc := parseCall(t, "struct e { len uint16; kind uint16; data num[*] }\nf(p in list[e, n], n size) int\n", "f")
	for _, c := range []struct {
		name string
		lens []int // what the elements say
		size int   // bytes
		want []int // bytes of data of each element
	}{
		{"aligned", []int{5, 8}, 16, []int{1, 4}},
		{"too long", []int{8, 60}, 16, []int{4, 4}},
		{"too short", []int{8, 2, 8}, 24, []int{4, 0}},
		{"empty", nil, 3, nil},
	} {
		b := make([]byte, c.size)
		off := 0
		for _, n := range c.lens {
			binary.LittleEndian.PutUint16(b[off:], uint16(n))
			off += max((n+3)&^3, 4)
			if off >= len(b) {
				break
			}
		}
		var call Call
		call.Enter(desc, syscalls.AMD64, 1, [6]uint64{0x1000, uint64(c.size)}, at{0x1000, b}, Options{})
		v := &call.Args[0]
		if v.State != Known || len(v.Sub) != len(c.want) {
			t.Errorf("%s: state %d, %d elements, want %d", c.name, v.State, len(v.Sub), len(c.want))
			continue
		}
		for i, want := range c.want {
			got := 0
			if d := Member(v.Sub[i].Sub, "data"); d != nil {
				got = d.Size
			}
			if got != want {
				t.Errorf("%s: element %d has %d bytes of data, want %d", c.name, i, got, want)
			}
		}
	}
}

// Union alternatives say how many bytes they want.
func TestUnionMinimum(t *testing.T) {
	desc := parseCall(t, "struct s { a uint; b uint }\nunion u { 1/8: s; 2/8!: s; 3/0!: s; *: num }\nf(p in u[k, n], n size, k int) int\n", "f")
	for _, c := range []struct {
		k, n   uint64
		kind   syscalls.Kind
		member bool
		state  State
	}{
		{1, 8, syscalls.KindStruct, true, Known},
		{1, 7, syscalls.KindBytes, false, Known},
		{1, 4, syscalls.KindInt, false, Known},
		{2, 7, 0, false, Address},
		{3, 7, 0, false, Address},
		{3, 8, syscalls.KindStruct, true, Known},
		{4, 6, syscalls.KindBytes, false, Known},
	} {
		var call Call
		call.Enter(desc, syscalls.AMD64, 1, [6]uint64{0x1000, c.n, c.k}, at{0x1000, make([]byte, 16)}, Options{})
		v := &call.Args[0]
		if v.State != c.state || c.state == Known && (v.Type.Kind != c.kind || (len(v.Sub) == 2) != c.member) {
			t.Errorf("alternative %d of %d bytes: state %d, kind %d, %d members", c.k, c.n, v.State, v.Type.Kind, len(v.Sub))
		}
	}
}

// The capacity of an output buffer is what the program passed, its contents what the kernel returned.
func TestLengthBeforeAndAfter(t *testing.T) {
	desc := parseCall(t, "f(buf out bytes[*len, *len], len inout int) int\n", "f")
	mem := at{0x1000, make([]byte, 64)}
	binary.LittleEndian.PutUint32(mem.data[32:], 4)
	var call Call
	call.Enter(desc, syscalls.AMD64, 1, [6]uint64{0x1000, 0x1020}, mem, Options{})
	binary.LittleEndian.PutUint32(mem.data[32:], 16)
	call.Exit(0, false)
	if got := len(call.Args[0].Bytes); got != 4 {
		t.Errorf("buffer has %d bytes, want 4", got)
	}
	if v := &call.Args[1]; v.Num != 16 || v.Pre == nil || v.Pre.Num != 4 {
		t.Errorf("length is %d (before: %v), want 4 and 16", v.Num, v.Pre)
	}
}
