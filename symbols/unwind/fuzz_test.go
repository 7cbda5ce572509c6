package unwind

import (
	"debug/elf"
	"encoding/binary"
	"os"
	"testing"
)

// FuzzFrames asks a table made of arbitrary bytes for rows, and uses them.
func FuzzFrames(f *testing.F) {
	table := open(f, build(f, nil, "gcc", "-O2", cSource(f)))
	f.Add(table.ehFrame.b, uint64(0x1140), false)
	table = open(f, build(f, nil, "gcc", "-O2", "-g", "-fno-asynchronous-unwind-tables", cSource(f)))
	f.Add(table.debugFrame.b, uint64(0x1140), true)
	f.Add([]byte("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"), uint64(0), false)
	m := MachineOf(elf.EM_X86_64)
	f.Fuzz(func(t *testing.T, b []byte, addr uint64, debug bool) {
		fr := frames{m: m, b: b, addr: 0x2000, debug: debug}
		fr.list()
		asked := []uint64{addr}
		for i := range min(len(fr.index), 16) {
			asked = append(asked, fr.index[i].start, fr.index[i].end-1)
		}
		mem := newMemory(stackAt, 0x1000)
		u := Unwinder{mem: mem}
		work := maxWork
		for _, addr := range asked {
			d, ok := fr.find(addr)
			if !ok {
				continue
			}
			if addr < d.start || addr >= d.end {
				t.Fatalf("0x%x is not in 0x%x to 0x%x", addr, d.start, d.end)
			}
			if r, ok := d.run(m, addr, fr.addr, &work); ok {
				u.apply(m, r, registers(m, addr, stackAt, stackAt+64), &Frame{PC: addr}, 0)
			}
		}
		if _, search, ok := header(m, b, 0x2000); ok && search != nil {
			search(addr)
		}
	})
}

// FuzzExpression evaluates arbitrary bytes.
func FuzzExpression(f *testing.F) {
	f.Add([]byte{opBreg0 + 7, 8, opBreg0 + 16, 0, opLit0 + 15, opAnd, opLit0 + 11, opGe, opLit0 + 3, opShl, opPlus})
	f.Add([]byte{opSkip, 0xfd, 0xff})
	f.Add([]byte{opBreg0 + 7, 0, opDup, opDeref, opRot, opPick, 1, opDerefSize, 2})
	m := MachineOf(elf.EM_X86_64)
	f.Fuzz(func(t *testing.T, expr []byte) {
		u := Unwinder{mem: newMemory(stackAt, 0x1000)}
		u.evaluate(m, expr, registers(m, 0, stackAt, stackAt+64), 7, true, 0)
	})
}

// FuzzStack walks stacks of arbitrary content, through a program's tables and code without any.
func FuzzStack(f *testing.F) {
	table := open(f, build(f, nil, "gcc", "-O2", cSource(f)))
	self, err := os.Executable()
	if err != nil {
		f.Fatal(err)
	}
	golang := open(f, self) // a Go program, without the time to build one
	text := uint64(0)
	for _, s := range table.File.Sections() {
		if s.Name == ".text" {
			text = s.Addr
		}
	}
	var seed []byte
	for i := range 64 {
		seed = binary.LittleEndian.AppendUint64(seed, text+uint64(i))
	}
	f.Add(seed, text, uint64(0x40))
	f.Add(seed, uint64(0x5000000), uint64(0x40))
	if b, err := os.ReadFile("/proc/self/maps"); err == nil {
		f.Add(b, text+8, uint64(8))
	}
	space := areas{
		{Start: 0, End: 0x100000, Exec: true, Table: table},
		{Start: 0x400000, End: 0x4000000, Exec: true, Table: golang},
		{Start: 0x5000000, End: 0x5001000, Exec: true, Anonymous: true},
		{Start: stackAt, End: stackAt + 0x8000},
	}
	m := MachineOf(elf.EM_X86_64)
	var u Unwinder
	f.Fuzz(func(t *testing.T, b []byte, pc, fp uint64) {
		mem := newMemory(stackAt, 0x8000)
		copy(mem.b, b)
		frames, end := u.Stack(m, space, mem, registers(m, pc, stackAt, stackAt+fp))
		if end == endNone || len(frames) > DefaultLimit || mem.reads > maxReads+1 {
			t.Fatalf("%d frames, end %v, %d reads", len(frames), end, mem.reads)
		}
	})
}
