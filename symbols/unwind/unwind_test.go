package unwind

import (
	"debug/elf"
	"encoding/binary"
	"math"
	"slices"
	"testing"

	"farcall/symbols"
)

// memory is made of words at addresses, in one stretch.
type memory struct {
	start uint64
	b     []byte
	reads int // of addresses that are there
}

func newMemory(start uint64, size int) *memory { return &memory{start: start, b: make([]byte, size)} }

func (m *memory) put(addr uint64, words ...uint64) {
	for i, w := range words {
		binary.LittleEndian.PutUint64(m.b[addr-m.start+8*uint64(i):], w)
	}
}

func (m *memory) Read(addr uint64, b []byte) int {
	if addr < m.start || addr-m.start >= uint64(len(m.b)) {
		return 0
	}
	m.reads++
	return copy(b, m.b[addr-m.start:])
}

// areas is a Space.
type areas []*Area

func (s areas) Area(addr uint64, _ bool) *Area {
	for _, a := range s {
		if addr >= a.Start && addr < a.End {
			return a
		}
	}
	return nil
}

const stackAt, codeAt = 0x7fff0000, 0x10000

func machine(t testing.TB, m elf.Machine) *Machine {
	t.Helper()
	out := MachineOf(m)
	if out == nil {
		t.Fatalf("no %v", m)
	}
	return out
}

func registers(m *Machine, pc, sp, fp uint64) *Regs {
	r := &Regs{}
	r.Set(m.PC, pc)
	r.Set(m.SP, sp)
	r.Set(m.FP, fp)
	return r
}

func pcs(frames []Frame) (out []uint64) {
	for _, f := range frames {
		out = append(out, f.PC)
	}
	return out
}

// TestFramePointers walks code without any table.
func TestFramePointers(t *testing.T) {
	for _, machineNumber := range []elf.Machine{elf.EM_X86_64, elf.EM_AARCH64} {
		m := machine(t, machineNumber)
		space := areas{{Start: codeAt, End: codeAt + 0x1000, Exec: true, Anonymous: true}, {Start: stackAt, End: stackAt + 0x10000}}
		tests := []struct {
			name  string
			stack map[uint64][]uint64
			fp    uint64
			pcs   []uint64
			end   End
		}{
			{"chain", map[uint64][]uint64{0x40: {stackAt + 0x80, codeAt + 0x20}, 0x80: {0, codeAt + 0x30}}, stackAt + 0x40,
				[]uint64{codeAt, codeAt + 0x20, codeAt + 0x30}, EndUnknown},
			{"to itself", map[uint64][]uint64{0x40: {stackAt + 0x40, codeAt + 0x20}}, stackAt + 0x40, []uint64{codeAt}, EndUnknown},
			{"downwards", map[uint64][]uint64{0x40: {stackAt + 0x20, codeAt + 0x20}}, stackAt + 0x40, []uint64{codeAt}, EndUnknown},
			{"below the stack", nil, stackAt - 8, []uint64{codeAt}, EndUnknown},
			{"far away", nil, stackAt + 2<<20, []uint64{codeAt}, EndUnknown},
			{"unaligned", map[uint64][]uint64{0x41: {stackAt + 0x80, codeAt + 0x20}}, stackAt + 0x41, []uint64{codeAt}, EndUnknown},
			{"not to code", map[uint64][]uint64{0x40: {stackAt + 0x80, stackAt + 0x20}}, stackAt + 0x40, []uint64{codeAt}, EndUnknown},
			{"not mapped", nil, stackAt + 0x10000, []uint64{codeAt}, EndUnknown},
		}
		for _, tt := range tests {
			t.Run(m.Name+" "+tt.name, func(t *testing.T) {
				mem := newMemory(stackAt, 0x10000)
				for at, words := range tt.stack {
					mem.put(stackAt+at, words...)
				}
				var u Unwinder
				frames, end := u.Stack(m, space, mem, registers(m, codeAt, stackAt, tt.fp))
				if !slices.Equal(pcs(frames), tt.pcs) || end != tt.end {
					t.Errorf("frames %x, %v; want %x, %v", pcs(frames), end, tt.pcs, tt.end)
				}
				for i, f := range frames {
					if guess := f.How == ByFramePointer; guess != (i > 0) {
						t.Errorf("frame %d was found by %v", i, f.How)
					}
				}
			})
		}
	}
}

// TestSignalFrames leaves handlers whose return has no table.
func TestSignalFrames(t *testing.T) {
	for _, tt := range []struct {
		machine elf.Machine
		pc, sp  uint64 // where the kernel puts them, from the stack pointer of sigreturn
	}{
		{elf.EM_X86_64, 40 + 16*8, 40 + 15*8},                        // gregs 16 and 15 of ucontext_t
		{elf.EM_AARCH64, 128 + 176 + 8 + 32*8, 128 + 176 + 8 + 31*8}, // sigcontext.pc and .sp
	} {
		m := machine(t, tt.machine)
		t.Run(m.Name, func(t *testing.T) {
			// One area of memory has code and stack, so that the unwinder can read both.
			mem := newMemory(stackAt, 0x10000)
			copy(mem.b[0x8000:], m.sigreturn)
			mem.put(stackAt+0x40, stackAt+0x100, stackAt+0x8000) // the handler's frame: returns to sigreturn
			sp := uint64(stackAt + 0x50)
			mem.put(sp+tt.pc, stackAt+0x9000)
			mem.put(sp+tt.sp, stackAt+0x20) // a lower stack: the signal had one of its own
			space := areas{{Start: stackAt, End: stackAt + 0x10000, Exec: true}}
			var u Unwinder
			frames, _ := u.Stack(m, space, mem, registers(m, stackAt+0x8500, stackAt, stackAt+0x40))
			want := []uint64{stackAt + 0x8500, stackAt + 0x8000, stackAt + 0x9000}
			if got := pcs(frames); !slices.Equal(got, want) {
				t.Fatalf("frames %x, want %x", got, want)
			}
			if f := frames[2]; f.How != BySignal || f.Call || f.SP != stackAt+0x20 {
				t.Errorf("interrupted frame: %+v", f)
			}
			if frames[1].Call {
				t.Error("nothing has called sigreturn")
			}
		})
	}
}

// TestCallToNowhere leaves a function that is not there.
func TestCallToNowhere(t *testing.T) {
	m := machine(t, elf.EM_X86_64)
	mem := newMemory(stackAt, 0x1000)
	mem.put(stackAt, codeAt+0x10)
	space := areas{{Start: codeAt, End: codeAt + 0x1000, Exec: true}, {Start: stackAt, End: stackAt + 0x1000}}
	var u Unwinder
	frames, _ := u.Stack(m, space, mem, registers(m, 0, stackAt, 0))
	if got := pcs(frames); !slices.Equal(got, []uint64{0, codeAt + 0x10}) || frames[1].How != ByStackTop {
		t.Errorf("frames %x", got)
	}

	m = machine(t, elf.EM_AARCH64)
	r := registers(m, 0, stackAt, 0)
	r.Set(m.LR, 0x00aa<<48|codeAt+0x10) // signed
	frames, _ = u.Stack(m, space, mem, r)
	if got := pcs(frames); !slices.Equal(got, []uint64{0, codeAt + 0x10}) {
		t.Errorf("arm64: frames %x", got)
	}
}

// TestGoStack walks a stack of Go functions that is laid out as their table says.
func TestGoStack(t *testing.T) {
	for _, arch := range []string{"amd64", "arm64"} {
		t.Run(arch, func(t *testing.T) {
			table := open(t, goBinary(t, arch))
			m := table.Machine
			at := map[string]uint64{} // an address behind the prologue
			for s := range table.File.Each {
				switch s.Name {
				case "fmt.Fprintln", "main.main", "runtime.main":
					at[s.Name] = s.Addr + s.Size/2
				case "runtime.goexit", "runtime.goexit.abi0":
					at["runtime.goexit"] = s.Addr + uint64(4/m.quantum())
				}
			}
			order := []string{"fmt.Fprintln", "main.main", "runtime.main", "runtime.goexit"}
			mem := newMemory(stackAt, 0x10000)
			sp := uint64(stackAt + 0x100)
			for i, name := range order[:3] {
				g, ok := table.File.GoFrame(at[name] - callBack)
				if !ok || g.Size == 0 {
					t.Fatalf("%s: frame %+v, %v", name, g, ok)
				}
				if m.LR < 0 {
					mem.put(sp+g.Size, at[order[i+1]])
					sp += g.Size + 8
				} else {
					mem.put(sp, at[order[i+1]])
					sp += g.Size
				}
			}
			space := areas{{Start: 0, End: 1 << 30, Exec: true, Table: table}, {Start: stackAt, End: stackAt + 0x10000}}
			var u Unwinder
			frames, end := u.Stack(m, space, mem, registers(m, at["fmt.Fprintln"]-callBack, stackAt+0x100, 0))
			want := []uint64{at["fmt.Fprintln"] - callBack, at["main.main"], at["runtime.main"], at["runtime.goexit"]}
			if got := pcs(frames); !slices.Equal(got, want) || end != EndBottom {
				t.Errorf("frames %x, %v; want %x, %v", got, end, want, EndBottom)
			}
		})
	}
}

// quantum is the unit that addresses of instructions are multiples of.
func (m *Machine) quantum() int {
	if m.LR >= 0 {
		return 1
	}
	return 4
}

// TestLimit ends walks that are too long.
func TestLimit(t *testing.T) {
	m := machine(t, elf.EM_X86_64)
	mem := newMemory(stackAt, 0x40000)
	for at := uint64(0); at < 0x3ff00; at += 0x10 {
		mem.put(stackAt+at, stackAt+at+0x10, codeAt+0x20)
	}
	space := areas{{Start: codeAt, End: codeAt + 0x1000, Exec: true}, {Start: stackAt, End: stackAt + 0x40000}}
	for _, tt := range []struct{ limit, want int }{{0, 256}, {1, 1}, {5, 5}, {1000, 1000}} {
		u := Unwinder{Limit: tt.limit}
		if frames, end := u.Stack(m, space, mem, registers(m, codeAt, stackAt, stackAt)); len(frames) != tt.want || end != EndLimit {
			t.Errorf("limit %d: %d frames, %v", tt.limit, len(frames), end)
		}
	}
}

// TestOneRead holds a walk of an ordinary stack to one access to memory once it knows how much there is.
func TestOneRead(t *testing.T) {
	m := machine(t, elf.EM_X86_64)
	mem := newMemory(stackAt, 0x10000)
	for at := uint64(0); at < 0x5000; at += 0x100 {
		mem.put(stackAt+at, stackAt+at+0x100, codeAt+0x20)
	}
	var space Space = areas{{Start: codeAt, End: codeAt + 0x1000, Exec: true}, {Start: stackAt, End: stackAt + 0x10000}}
	var u Unwinder
	for range 3 {
		u.Stack(m, space, mem, registers(m, codeAt, stackAt, stackAt))
	}
	mem.reads = 0
	u.Stack(m, space, mem, registers(m, codeAt, stackAt, stackAt))
	if mem.reads != 1 {
		t.Errorf("%d reads", mem.reads)
	}
	regs := registers(m, codeAt, stackAt, stackAt)
	if allocs := testing.AllocsPerRun(100, func() { u.Stack(m, space, mem, regs) }); allocs > 0 {
		t.Errorf("%v allocations", allocs)
	}
}

func TestExpressions(t *testing.T) {
	m := machine(t, elf.EM_X86_64)
	mem := newMemory(stackAt, 0x100)
	mem.put(stackAt+8, 0x1234)
	u := Unwinder{mem: mem}
	regs := registers(m, 0, stackAt, 0)
	tests := []struct {
		name string
		expr []byte
		want uint64
		ok   bool
	}{
		{"cfa", nil, 7, true},
		{"literal", []byte{opLit0 + 5}, 5, true},
		{"constants", []byte{opConst1u, 0xff, opConst1u + 1, 0xff, opPlus}, 254, true},
		{"register", []byte{opBreg0 + 7, 8, opDeref}, 0x1234, true},
		{"register unknown", []byte{opBreg0 + 3, 0}, 0, false},
		{"x86 linkage stub", []byte{opBreg0 + 7, 8, opBreg0 + 16, 0, opLit0 + 15, opAnd, opLit0 + 11, opGe, opLit0 + 3, opShl, opPlus}, stackAt + 8, true},
		{"byte", []byte{opBreg0 + 7, 8, opDerefSize, 1}, 0x34, true},
		{"odd size", []byte{opBreg0 + 7, 8, opDerefSize, 3}, 0, false},
		{"rot", []byte{opLit0 + 1, opLit0 + 2, opLit0 + 3, opRot, opMinus, opMinus}, 4, true}, // 3 1 2 -> 3-(1-2)
		{"pick", []byte{opLit0 + 1, opLit0 + 2, opPick, 1}, 1, true},
		{"over", []byte{opLit0 + 1, opLit0 + 2, opOver}, 1, true},
		{"dup", []byte{opLit0 + 3, opDup, opMul}, 9, true},
		{"swap", []byte{opLit0 + 1, opLit0 + 9, opSwap, opMinus}, 8, true},
		{"divide by zero", []byte{opLit0 + 1, opLit0, opDiv}, 0, false},
		{"modulo zero", []byte{opLit0 + 1, opLit0, opMod}, 0, false},
		{"branch", []byte{opLit0 + 1, opBra, 1, 0, opLit0 + 9, opLit0 + 4}, 4, true},
		{"endless", []byte{opSkip, 0xfd, 0xff}, 0, false},
		{"outside", []byte{opSkip, 0xff, 0x7f}, 0, false},
		{"empty stack", []byte{opPlus}, 0, false},
		{"unknown", []byte{0xf1}, 0, false},
		{"cut off", []byte{opConst8s, 1}, 0, false},
	}
	for _, tt := range tests {
		got, ok := u.evaluate(m, tt.expr, regs, 7, true, 0)
		if tt.name == "empty stack" {
			got, ok = u.evaluate(m, tt.expr, regs, 0, false, 0)
		}
		if ok != tt.ok || ok && got != tt.want {
			t.Errorf("%s: %x, %v; want %x, %v", tt.name, got, ok, tt.want, tt.ok)
		}
	}
}

func TestNumbers(t *testing.T) {
	for _, tt := range []struct {
		b    []byte
		u    uint64
		s    int64
		size int
	}{
		{[]byte{0x02}, 2, 2, 1},
		{[]byte{0x7e}, 126, -2, 1},
		{[]byte{0xff, 0x00}, 127, 127, 2},
		{[]byte{0x81, 0x7f}, 16257, -127, 2},
		{[]byte{0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01}, 1 << 63, math.MinInt64, 10},
	} {
		r := &reader{b: tt.b}
		if v := r.uleb(); v != tt.u || r.at != tt.size || r.bad {
			t.Errorf("%x: unsigned %d", tt.b, v)
		}
		r = &reader{b: tt.b}
		if v := r.sleb(); v != tt.s || r.at != tt.size || r.bad {
			t.Errorf("%x: signed %d", tt.b, v)
		}
	}
}

// TestWork: frame information that is as slow as can be, other at each return address, ends a walk soon, and what was not
// followed for that reason is not taken as missing the next time.
func TestWork(t *testing.T) {
	m := machine(t, elf.EM_X86_64)
	program := []byte{cfaDefCFA, 7, 16}
	for reg := range byte(32) {
		if int(reg) != m.SP {
			program = append(program, 2<<6|reg, 1)
		}
	}
	for range maxSteps/34 - 10 {
		program = append(program, cfaRemember, cfaRestoreState)
	}
	program = append(program, 2<<6|16, 1)
	const code, functions = 0x10000, 64
	section := record(0, 0, append([]byte{1, 0, 1, 0x78, 16}, cfaNop, cfaNop, cfaNop))
	for i := range functions {
		body := binary.LittleEndian.AppendUint64(nil, uint64(code+0x100*i))
		body = binary.LittleEndian.AppendUint64(body, 0x100)
		section = append(section, record(uint32(len(section)), 4, append(body, program...))...)
	}
	table := &Table{File: &symbols.File{}, Machine: m, rows: map[uint64]*row{}, goFrames: map[uint64]goRow{}, ehFrame: frames{m: m, b: section}}
	mem := newMemory(stackAt, 0x1000)
	for i := range functions {
		mem.put(stackAt+uint64(16*i), 0, uint64(code+0x100*(i+1)-0x80))
	}
	space := areas{{Start: code, End: code + 0x100*functions, Exec: true, Table: table}, {Start: stackAt, End: stackAt + 0x1000}}
	var u Unwinder
	before := 0
	for {
		frames, end := u.Stack(m, space, mem, registers(m, code+0x10, stackAt, 0))
		if u.work < -maxSteps {
			t.Fatalf("a walk took %d steps", maxWork-u.work)
		}
		if end != EndWork {
			if before == 0 || len(frames) < functions {
				t.Errorf("%d frames, %v", len(frames), end)
			}
			break
		}
		if len(frames) <= before {
			t.Fatalf("%d frames after %d", len(frames), before)
		}
		before = len(frames)
	}
}

// record is a record of .eh_frame: a CIE, or with another id an FDE of the CIE at offset 0.
func record(at, id uint32, body []byte) []byte {
	if id != 0 {
		id = at + 4
	}
	out := binary.LittleEndian.AppendUint32(nil, uint32(4+len(body)))
	out = binary.LittleEndian.AppendUint32(out, id)
	return append(out, body...)
}

// TestCalls recognises direct calls of each machine, as its assembler writes them.
func TestCalls(t *testing.T) {
	for _, tt := range []struct {
		machine elf.Machine
		code    []byte
		next    uint64
		want    uint64
	}{
		{elf.EM_X86_64, []byte{0xe8, 0xfb, 0xff, 0xff, 0xff}, 0x1005, 0x1000}, // call itself
		{elf.EM_X86_64, []byte{0xe8, 0x10, 0, 0, 0}, 0x1005, 0x1015},
		{elf.EM_X86_64, []byte{0xe9, 0x10, 0, 0, 0}, 0x1005, 0}, // jmp
		{elf.EM_AARCH64, []byte{0, 0, 0, 0x94}, 0x1004, 0x1000}, // bl itself
		{elf.EM_AARCH64, []byte{0xff, 0xff, 0xff, 0x97}, 0x1004, 0xffc},
		{elf.EM_AARCH64, []byte{0, 0, 0, 0x14}, 0x1004, 0}, // b
	} {
		m := machine(t, tt.machine)
		if got := m.call(tt.code, tt.next); got != tt.want || uint64(len(tt.code)) != m.callSize {
			t.Errorf("%s: % x at 0x%x: 0x%x, want 0x%x", m.Name, tt.code, tt.next, got, tt.want)
		}
	}
}
