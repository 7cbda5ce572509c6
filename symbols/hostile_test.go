package symbols

import (
	"bytes"
	"encoding/binary"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// builder makes ELF files that no linker makes.
type builder struct {
	body     bytes.Buffer // behind the header
	sections []byte
	names    bytes.Buffer
	count    int
}

func newBuilder() *builder {
	b := &builder{count: 1}
	b.names.WriteByte(0)
	b.sections = make([]byte, 64)
	return b
}

// add adds a section with its content, and returns its number.
func (b *builder) add(name string, kind, flags uint64, addr uint64, link uint32, data []byte) int {
	h := make([]byte, 64)
	le := binary.LittleEndian
	le.PutUint32(h, uint32(b.names.Len()))
	b.names.WriteString(name + "\x00")
	le.PutUint32(h[4:], uint32(kind))
	le.PutUint64(h[8:], flags)
	le.PutUint64(h[16:], addr)
	le.PutUint64(h[24:], uint64(64+b.body.Len()))
	le.PutUint64(h[32:], uint64(len(data)))
	le.PutUint32(h[40:], link)
	b.body.Write(data)
	b.sections = append(b.sections, h...)
	b.count++
	return b.count - 1
}

func (b *builder) file() []byte {
	names := b.add(".shstrtab", 3, 0, 0, 0, nil)
	le := binary.LittleEndian
	h := b.sections[names*64:]
	le.PutUint64(h[24:], uint64(64+b.body.Len()))
	le.PutUint64(h[32:], uint64(b.names.Len()))
	b.body.Write(b.names.Bytes())
	out := []byte("\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00")
	for _, v := range []uint16{3, 62} {
		out = le.AppendUint16(out, v)
	}
	out = le.AppendUint32(out, 1)
	for _, v := range []uint64{0, 0, uint64(64 + b.body.Len())} {
		out = le.AppendUint64(out, v)
	}
	out = le.AppendUint32(out, 0)
	for _, v := range []uint16{64, 56, 0, 64, uint16(b.count), uint16(names)} {
		out = le.AppendUint16(out, v)
	}
	return append(append(out, b.body.Bytes()...), b.sections...)
}

// TestManySymbols is about tables whose cost is not in proportion to the file. Each would take
// minutes, or all memory, if names were copied or places compared with each other; the test's
// own time limit is the bound.
func TestManySymbols(t *testing.T) {
	const n = 10000
	le := binary.LittleEndian
	long := "\x00" + strings.Repeat("_ZN1aC", 1<<17) // no end
	for name, fill := range map[string]func(e []byte, i int){
		"one long name": func(e []byte, i int) {
			le.PutUint32(e, uint32(1+6*(i%1000)))
			le.PutUint64(e[8:], uint64(0x1000+i))
			le.PutUint64(e[16:], 1)
		},
		"one address": func(e []byte, i int) {
			le.PutUint32(e, uint32(len(long)-1-i%60))
			le.PutUint64(e[8:], 0x1000)
		},
		"nested": func(e []byte, i int) {
			le.PutUint32(e, uint32(len(long)-1-i%60))
			le.PutUint64(e[8:], uint64(0x1000+i))
			le.PutUint64(e[16:], uint64(2*(n-i)))
		},
		"to the end of memory": func(e []byte, i int) {
			le.PutUint32(e, uint32(len(long)-1-i%60))
			le.PutUint64(e[8:], uint64(0x1000+i))
			le.PutUint64(e[16:], 1<<64-1)
		},
	} {
		table := make([]byte, 24*n)
		for i := 1; i < n; i++ {
			e := table[24*i:]
			e[4] = 0x12
			le.PutUint16(e[6:], 1)
			fill(e, i)
		}
		b := newBuilder()
		b.add(".text", 1, 6, 0x1000, 0, make([]byte, 4096))
		b.add(".strtab", 3, 0, 0, 0, []byte(long))
		b.add(".symtab", 2, 0, 0, 2, table)
		b.add(".dynsym", 11, 2, 0, 2, table)
		data := b.file()
		f, err := NewFile(bytes.NewReader(data), int64(len(data)), Options{})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if s, _, ok := f.Lookup(0x1004); !ok {
			t.Errorf("%s: nothing at 0x1004: %+v %v", name, s, f.Warnings())
		}
		for _, p := range []string{"a", "a::a", "*x", "main"} {
			_, _ = f.Resolve(pattern(t, p))
		}
		if m := f.Memory(); m > 20*int64(len(data)) {
			t.Errorf("%s: %d bytes for a file of %d", name, m, len(data))
		}
	}
}

// TestManyUnits is about DWARF in which every unit refers to the same long tables.
func TestManyUnits(t *testing.T) {
	const units = 20000
	le := binary.LittleEndian
	// Abbreviations that never end, so that each offset costs all of the rest.
	abbrev := bytes.Repeat([]byte{1, 0x11, 0, 0x10, 0x17, 0, 0}, 1<<17)
	var info []byte
	for i := range units {
		info = le.AppendUint32(info, 12)
		info = le.AppendUint16(info, 4)
		info = le.AppendUint32(info, uint32(7*i))
		info = append(info, 8, 1, 0, 0, 0, 0)
	}
	b := newBuilder()
	b.add(".debug_abbrev", 1, 0, 0, 0, abbrev)
	b.add(".debug_info", 1, 0, 0, 0, info)
	b.add(".debug_line", 1, 0, 0, 0, make([]byte, 100))
	data := b.file()
	f, err := NewFile(bytes.NewReader(data), int64(len(data)), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if file, line, ok := f.Line(0x1000); ok {
		t.Errorf("%s:%d", file, line)
	}
	if _, err := f.Resolve(pattern(t, "x.c:1")); err == nil {
		t.Error("found x.c:1")
	}

	// A compressed section that claims to be of any size.
	b = newBuilder()
	b.add(".debug_line", 1, 0x800, 0, 0, append(le.AppendUint64(le.AppendUint64([]byte{1, 0, 0, 0, 0, 0, 0, 0}, 1<<40), 1), make([]byte, 50)...))
	b.add(".debug_info", 1, 0, 0, 0, info)
	data = b.file()
	f, err = NewFile(bytes.NewReader(data), int64(len(data)), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.lineTable(); err == nil || !strings.Contains(err.Error(), ErrTooLarge.Error()) {
		t.Errorf("compressed: %v", err)
	}
}

// TestDemanglingBomb is about a name of a few hundred bytes that stands for more than any memory
// holds: each parameter's type is twice the one before.
func TestDemanglingBomb(t *testing.T) {
	digit := func(n int) string {
		if n == 0 {
			return ""
		}
		return strings.ToUpper(strconv.FormatInt(int64(n-1), 36))
	}
	for _, close := range []string{"", "E", "z"} {
		name := "_Z1fPFvvE"
		for i := 1; i < 60; i++ {
			s := "S" + digit(2*i-1) + "_"
			name += "PF" + s + s + "E"
		}
		if got := Demangle(name + close); len(got) > 1<<16 {
			t.Errorf("%d bytes", len(got))
		}
		demangledForms(name + close)
		tmpl := "_Z1fI" + strings.Repeat("N1aI", 200) + "i" + strings.Repeat("EE", 200) + "EvT_" + strings.Repeat("PFT_T_E", 200)
		Demangle(tmpl + close)
	}
}

// TestStubsARM64 decodes the two instructions of a stub (the ELF ABI for the Arm 64-bit
// architecture, PLT).
func TestStubsARM64(t *testing.T) {
	var code []byte
	for _, in := range []uint32{
		0xd503201f, 0x90000090, 0xf9400e11, 0x91006210, 0xd61f0220, // nop; adrp x16, +0x10000; ldr x17, [x16, #24]; add; br x17
		0xf0fffff0, 0xf9400211, // adrp x16, -0x1000; ldr x17, [x16]
	} {
		code = binary.LittleEndian.AppendUint32(code, in)
	}
	var got [][2]uint64
	jumpsARM64(code, 0x400100, func(at, slot uint64) { got = append(got, [2]uint64{at, slot}) })
	want := [][2]uint64{{0x400104, 0x410018}, {0x400114, 0x3ff000}}
	if !slices.Equal(got, want) {
		t.Errorf("%x, want %x", got, want)
	}
}
