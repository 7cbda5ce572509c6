package syscalls

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// testConsts are a few constants, some of which differ on arm64.
type testConsts struct{}

func (testConsts) Value(a ABI, name string) (uint64, bool) {
	v, ok := map[string]uint64{"ONE": 1, "TWO": 2, "FOUR": 4, "SIX": 6, "BIG": 0x12345678, "MINUS": ^uint64(0)}[name]
	if a == ARM64 && name == "TWO" {
		return 0x200, true
	}
	return v, ok
}

func parse(t *testing.T, src string) *Table {
	t.Helper()
	table, err := Parse([]Source{{"x.sys", src}}, testConsts{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

func TestParseErrorsHavePositions(t *testing.T) {
	for _, c := range []struct{ src, want string }{
		{"read(fd fd) size size", `x.sys:1:18: want end of line, have "size"`},
		{"read(fd fdd) size", `x.sys:1:9: unknown type "fdd"`},
		{"\n\nread(fd fd", `x.sys:3:11: argument list is not closed`},
		{"read(a in bytes[b]) int", `x.sys:1:17: "b" is neither an argument, a member nor a constant`},
		{"flags f { ONE, NOPE }", `x.sys:1:16: unknown constant "NOPE": give its value, as in NOPE:1`},
		{"a() int\na() int", `x.sys:2:1: call a is described twice`},
		{"struct s { x int }\nstruct s { x int }", `x.sys:2:8: type s is defined twice`},
		{"struct int { x long }", `x.sys:1:8: type int is defined twice`},
		{"a(x in in int) int", `x.sys:1:8: unknown type "in"`},
		{"type p = in int\na(x out p) int", `x.sys:2:9: p is a pointer already`},
		{"a$B(x int) int\na(x int) int", `x.sys:1:1: variant B has no const argument that chooses it`},
		{"a$B(x const[ONE]) int", `x.sys:1:1: variant B of a call that is not described: a`},
		{"a(x int @bogus) int", `x.sys:1:10: unknown attribute @bogus`},
		{"a(x flags[nope]) int", `x.sys:1:11: unknown set "nope"`},
		{"a(x bytes) int", `x.sys:1:5: type bytes wants parameters in brackets`},
		{`a(x int) int aux "open`, `x.sys:1:18: string is not closed`},
		{"a(x int!nope) int", `x.sys:1:9: unknown format "nope"`},
		{"a@z80(x int) int", `x.sys:1:3: unknown ABI "z80": want amd64, i386, x32 or arm64`},
		{"a(x int[3]) int", `x.sys:1:9: bad width "3": want 1, 2, 4, 8, long or word`},
		{"a(a int, b int, c int, d int, e int, f int, g int) int", `call a has more than six arguments`},
		{"a(x in bytes[" + strings.Repeat("(", 100) + "1" + strings.Repeat(")", 100) + "]) int", `expression is nested too deeply`},
		{"a(x in " + strings.Repeat("array[", 200) + "int" + strings.Repeat(",1]", 200) + ") int", `type is nested too deeply`},
		{"struct s { x array[int, 100000] }", `structure s is larger than 65535 bytes`},
		{"a() int : nope", `x.sys:1:11: unknown class "nope"`},
		{"union u { ONE int }", `x.sys:1:15: want ":", have "int"`},
		{"union u { ONE: int }\na(x u) int", `x.sys:2:5: union u wants a selector, as in u[family]`},
		{"a(x 0x) int", `x.sys:1:5: bad number "0x"`},
	} {
		_, err := Parse([]Source{{"x.sys", c.src}}, testConsts{}, nil)
		var se *SyntaxError
		if !errors.As(err, &se) {
			t.Errorf("%q: error %v, want a SyntaxError", c.src, err)
			continue
		}
		if !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q:\n got %v\nwant %v", c.src, err, c.want)
		}
	}
}

func TestStructureLayout(t *testing.T) {
	table := parse(t, `
struct ts { sec long; nsec long }
struct s {
	c int8; l long; i int; d int64; p in int; sz size; t ts; a array[int16, 3]; name cstr[5]; e int
}
struct packed_s packed { c int8; d int64; s int16 }
`)
	s := table.Structs["s"]
	// What gcc lays out for these members with -m64, -m32 and -mx32 (kernel longs are 8 bytes on x32).
	want := map[string][3]uint16{
		"c": {0, 0, 0}, "l": {8, 4, 8}, "i": {16, 8, 16}, "d": {24, 12, 24}, "p": {32, 20, 32},
		"sz": {40, 24, 36}, "t": {48, 28, 40}, "a": {64, 36, 56}, "name": {70, 42, 62}, "e": {76, 48, 68},
	}
	for _, f := range s.Fields {
		if f.Off != want[f.Name] {
			t.Errorf("%s at %v, want %v", f.Name, f.Off, want[f.Name])
		}
	}
	if s.Size != [3]uint16{80, 52, 72} {
		t.Errorf("size %v", s.Size)
	}
	if p := table.Structs["packed_s"]; p.Size != [3]uint16{11, 11, 11} || p.Fields[2].Off[0] != 9 {
		t.Errorf("packed: size %v, last member at %v", p.Size, p.Fields[2].Off)
	}
}

func TestArgumentRegisters(t *testing.T) {
	table := parse(t, "pread(fd fd, buf out bytes[n, ret], n size, off int64, x int) size")
	c := table.Calls[AMD64]["pread"]
	last := &c.Args[4]
	if last.Register(AMD64) != 4 || last.Register(I386) != 5 {
		t.Errorf("argument behind a 64-bit one in registers %d and %d, want 4 and 5", last.Register(AMD64), last.Register(I386))
	}
	if c.Defer != 1 {
		t.Errorf("arguments from %d on wait for the exit, want 1", c.Defer)
	}
}

func TestVariants(t *testing.T) {
	table := parse(t, `
ctl$B(fd fd, cmd const[TWO|SIX], arg out int) int
ctl$A(fd fd, cmd const[ONE], arg int) int
ctl$AA(fd fd, cmd const[ONE], arg const[FOUR]) int
ctl(fd fd, cmd uint, arg xlong) int
`)
	c := table.Calls[AMD64]["ctl"]
	for _, m := range []struct {
		cmd, arg uint64
		want     string
	}{{1, 9, "A"}, {2, 0, "B"}, {6, 0, "B"}, {3, 0, ""}, {0xffffffff00000002, 0, "B"}} {
		got := c.Match(&[6]uint64{0, m.cmd, m.arg}, false)
		if got.Variant != m.want {
			t.Errorf("cmd %#x: variant %q, want %q", m.cmd, got.Variant, m.want)
		}
	}
}

func TestABIsOverride(t *testing.T) {
	table := parse(t, "a@i386(x int64) int\na(x int) int\na@arm64(x long, y long) int")
	if n := len(table.Calls[ARM64]["a"].Args); n != 2 {
		t.Errorf("arm64 has %d arguments, want 2", n)
	}
	if w := table.Calls[I386]["a"].Args[0].Type.Width; w != 8 {
		t.Errorf("i386's argument is %d bytes wide, want 8", w)
	}
	if w := table.Calls[X32]["a"].Args[0].Type.Width; w != 4 {
		t.Errorf("x32's argument is %d bytes wide, want 4", w)
	}
}

func TestFlags(t *testing.T) {
	table := parse(t, `
flags f "F_???" { NONE:0/3, ONE/3, TWO_:2/3, FOUR, BOTH:0x30/0x30, HALF:0x10 }
flags z { ZERO:0, FOUR }
`)
	for _, c := range []struct {
		set  string
		v    uint64
		want string
	}{
		{"f", 0, "NONE"}, {"f", 1, "ONE"}, {"f", 6, "TWO_|FOUR"}, {"f", 0x31, "ONE|BOTH"}, {"f", 0x12, "TWO_|HALF"},
		{"f", 0x104, "NONE|FOUR|0x100"}, {"z", 0, "ZERO"}, {"z", 4, "FOUR"},
	} {
		got, known := table.Sets[c.set].AppendFlags(nil, AMD64, c.v, '|')
		if string(got) != c.want || !known {
			t.Errorf("%s %#x: %q, want %q", c.set, c.v, got, c.want)
		}
	}
	if _, known := table.Sets["z"].AppendFlags(nil, AMD64, 0x100, '|'); known {
		t.Error("an unknown bit has a name")
	}
}

func TestEnumLookup(t *testing.T) {
	var b strings.Builder
	b.WriteString("enum e { MINUS, ONE, TWO, ")
	for i := 40; i > 3; i-- {
		b.WriteString("V" + string(rune('A'+i%26)) + string(rune('a'+i/26)) + ":" + strings.Repeat("1", 1) + ",")
	}
	b.WriteString("LAST:99 }")
	s := parse(t, b.String()).Sets["e"]
	if s.Sorted == nil {
		t.Fatal("a large enum is not prepared for binary search")
	}
	for v, want := range map[uint64]string{1: "ONE", 2: "TWO", 99: "LAST", 0xffffffff: "MINUS", ^uint64(0): "MINUS", 1000: ""} {
		if got := s.Lookup(AMD64, v); got != want {
			t.Errorf("%#x: %q, want %q", v, got, want)
		}
	}
	if got := s.Lookup(ARM64, 0x200); got != "TWO" {
		t.Errorf("arm64's value: %q, want TWO", got)
	}
}

func TestExpressions(t *testing.T) {
	table := parse(t, "a(x int, y in int, z in bytes[(x + 2) * 3 - 4 / 2 & 0xff | 0x100 >> 4 && !(x == 5) || *y > 7]) int")
	e := table.Calls[AMD64]["a"].Args[2].Type.Len
	for x, want := range map[uint64]uint64{0: 1, 5: 0} {
		if got := e.Eval(scope{x, 7}); got != want {
			t.Errorf("x=%d: %d, want %d", x, got, want)
		}
	}
	if got := e.Eval(scope{5, 8}); got != 1 {
		t.Errorf("with *y = 8: %d, want 1", got)
	}
	if got := (&Expr{Op: OpDiv, L: &Expr{Num: 1}, R: &Expr{}}).Eval(scope{}); got != 0 {
		t.Errorf("1/0 = %d, want 0", got)
	}
}

type scope struct{ x, deref uint64 }

func (s scope) Arg(int) uint64       { return s.x }
func (s scope) Field(int) uint64     { return 0 }
func (s scope) Param(int) uint64     { return 0 }
func (s scope) Ret() uint64          { return 0 }
func (s scope) Err() uint64          { return 0 }
func (s scope) Netlink(int32) uint64 { return 0 }
func (s scope) Deref(int) uint64     { return s.deref }

func TestParseAddsToABase(t *testing.T) {
	base := parse(t, "struct s { x int }\nflags f { ONE }\nioctl(fd fd, cmd uint, arg xlong) int\nioctl$A(fd fd, cmd const[ONE]) int")
	more, err := Parse([]Source{{"y.sys", "ioctl$MINE(fd fd, cmd const[MY:0x1234], arg in s) int\nnewcall(x flags[f]) int"}}, testConsts{}, base)
	if err != nil {
		t.Fatal(err)
	}
	c := more.Calls[AMD64]["ioctl"]
	if c == nil || c.Match(&[6]uint64{3, 0x1234}, false).Variant != "MINE" || c.Match(&[6]uint64{3, 1}, false).Variant != "A" {
		t.Error("the user's variant does not stand beside those of the base")
	}
	if len(base.Calls[AMD64]["ioctl"].Variants) != 1 {
		t.Error("the base was changed")
	}
	if more.Calls[AMD64]["newcall"] == nil {
		t.Error("the new call is missing")
	}
}

func FuzzParse(f *testing.F) {
	files, err := filepath.Glob("linux/*.sys")
	if err != nil || len(files) == 0 {
		f.Fatal("no descriptions to start from")
	}
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(b))
	}
	f.Add("a$B@i386(x in array[s[*, 1], *y], y inout int @if(x & 1)) size aux \"t\" flags[f, 8] : file")
	f.Fuzz(func(t *testing.T, src string) {
		table, err := Parse([]Source{{"x.sys", src}}, testConsts{}, nil)
		var se *SyntaxError
		if err != nil {
			if !errors.As(err, &se) || se.Line < 1 || se.Col < 1 {
				t.Fatalf("error without a position: %v", err)
			}
			return
		}
		for a := range table.Calls {
			for _, c := range table.Calls[a] {
				c.Match(&[6]uint64{1, 2, 3, 4, 5, 6}, ABI(a) == I386)
				for i := range c.Args {
					c.Args[i].Type.Size(0)
				}
			}
		}
	})
}
