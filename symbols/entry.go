package symbols

import (
	"debug/elf"
	"encoding/binary"
)

// maxEntryCode is how much of the code at the entry point is looked at, and maxEntrySteps how many
// instructions of it: the C library's start files have about fifteen up to the call.
const (
	maxEntryCode  = 256
	maxEntrySteps = 64
)

// addMain adds a symbol main where no table has one, for programs whose start file is that of
// glibc or musl.
func (f *File) addMain() {
	if f.Machine != elf.EM_X86_64 || f.Entry == 0 || f.pcln != nil {
		return
	}
	for i := range f.table.entries {
		e := &f.table.entries[i]
		if e.addr != 0 && e.typ == TypeFunc && f.table.named(e, "main") {
			return
		}
	}
	addr, ok := f.image.findMain()
	if !ok {
		return
	}
	f.main = addr
	f.table.addNamed("main", entry{
		addr: addr, size: f.image.functionSize(addr), typ: TypeFunc, binding: BindGlobal, source: SourceEntry, section: f.sectionAt(addr),
	})
}

// functionSize is the size of the function that starts at the address, from the unwinding tables,
// which stripped programs keep; 0 where they do not tell. It goes through the records of .eh_frame
// (Linux Standard Base, Exception Frames): length, distance to the common part (0 for such a part
// itself), start, size. Starts are read as x86-64 compilers write them, 32 bits from where they
// stand.
func (m *image) functionSize(addr uint64) uint64 {
	s := m.section(".eh_frame")
	b, err := m.data(s)
	if err != nil {
		return 0
	}
	for at := uint64(0); at+16 <= uint64(len(b)); {
		length := uint64(m.order.Uint32(b[at:]))
		if length >= 0xfffffff0 {
			return 0 // records of 64 bits, which no compiler writes
		}
		start := s.Addr + at + 8 + uint64(int64(int32(m.order.Uint32(b[at+8:]))))
		if length >= 12 && m.order.Uint32(b[at+4:]) != 0 && start == addr {
			return uint64(m.order.Uint32(b[at+12:]))
		}
		at += 4 + length // 0 ends a part of the table; the linker may have put another behind it
	}
	return 0
}

// findMain decodes the code at the entry point. The first argument (rdi) of the first call that
// passes an address of the program's own text is main: glibc's _start calls
// __libc_start_main(main, ...) (sysdeps/x86_64/start.S); musl's _start calls _start_c(sp), which
// goes on to __libc_start_main(main, ...) (crt/crt1.c).
func (m *image) findMain() (uint64, bool) {
	pc := m.header.Entry
	for range 2 {
		arg, target, ok := m.firstCall(pc)
		switch {
		case ok && arg != 0 && m.executable(arg):
			return arg, true
		case !ok || target == 0 || !m.executable(target):
			return 0, false
		}
		pc = target
	}
	return 0, false
}

// firstCall decodes instructions from pc up to the first call or tail call. arg is the address in
// rdi then, 0 where it is none that is known; target is the callee, 0 for one that is reached
// through memory.
func (m *image) firstCall(pc uint64) (arg, target uint64, ok bool) {
	code := m.memory(pc, maxEntryCode)
	for range maxEntrySteps {
		in, ok := decodeStart(code)
		if !ok {
			return 0, 0, false
		}
		next := pc + uint64(in.length)
		switch in.op {
		case opAddress:
			if arg = uint64(in.value); in.relative {
				arg += next
			}
		case opLoad:
			arg = m.loadedAddress(next + uint64(in.value))
		case opClobber:
			arg = 0
		case opCall:
			return arg, next + uint64(in.value), true
		case opCallIndirect:
			return arg, 0, true
		case opJump:
			// Within what was read, a jump; beyond it, a tail call.
			to := next + uint64(in.value)
			if to <= next || to-pc >= uint64(len(code)) || arg != 0 {
				return arg, to, true
			}
			in.length, next = int(to-pc), to
		}
		code, pc = code[in.length:], next
	}
	return 0, 0, false
}

// loadedAddress is the address that a word of the global offset table has once the loader is done.
func (m *image) loadedAddress(slot uint64) uint64 {
	if v, ok := m.relatives()[slot]; ok {
		return v
	}
	if b := m.memory(slot, uint64(m.wordSize())); len(b) == m.wordSize() {
		return m.word(b)
	}
	return 0
}

type startOp uint8

const (
	opOther        startOp = iota // rdi stays as it is
	opAddress                     // rdi becomes value, or value bytes from the next instruction
	opLoad                        // rdi becomes the word value bytes from the next instruction
	opClobber                     // rdi becomes something else
	opCall                        // to value bytes from the next instruction
	opCallIndirect                // through memory
	opJump                        // to value bytes from the next instruction
)

type startInstruction struct {
	op       startOp
	length   int
	value    int64
	relative bool
}

// decodeStart decodes one x86-64 instruction of those that start files consist of: moves, address
// computations, pushes, logic with constants, no-ops, calls. It refuses all others rather than
// guess their length.
func decodeStart(b []byte) (in startInstruction, ok bool) {
	i := 0
	var rex byte
prefixes:
	for ; i < len(b) && i < 8; i++ {
		switch b[i] {
		case 0x66, 0x67, 0x2e, 0x3e, 0xf2, 0xf3: // sizes, segments, bnd and notrack, repeat
			rex = 0
		default:
			if b[i]&0xf0 != 0x40 {
				break prefixes
			}
			rex = b[i]
		}
	}
	if i >= len(b) {
		return in, false
	}
	op := b[i]
	i++
	const rdi = 7
	need := func(n int) bool { return len(b)-i >= n }
	imm32 := func() int64 { return int64(int32(binary.LittleEndian.Uint32(b[i:]))) }

	// modrm measures the operand: register numbers, and the displacement where it counts from rip.
	var mod, reg, rm byte
	var disp int64
	var fromNext bool
	modrm := func() bool {
		if !need(1) {
			return false
		}
		v := b[i]
		i++
		mod, reg, rm = v>>6, v>>3&7|rex<<1&8, v&7|rex<<3&8
		if mod == 3 {
			return true
		}
		if v&7 == 4 {
			if !need(1) {
				return false
			}
			if mod == 0 && b[i]&7 == 5 {
				i += 4
			}
			i++
		}
		switch {
		case mod == 0 && v&7 == 5:
			if !need(4) {
				return false
			}
			disp, fromNext = imm32(), true
			i += 4
		case mod == 1:
			i++
		case mod == 2:
			i += 4
		}
		return i <= len(b)
	}
	done := func(o startOp, value int64, relative bool) (startInstruction, bool) {
		return startInstruction{o, i, value, relative}, i <= len(b)
	}
	writes := func(r byte) startOp {
		if r == rdi {
			return opClobber
		}
		return opOther
	}

	switch {
	case op == 0x0f:
		if !need(1) {
			return in, false
		}
		second := b[i]
		i++
		// endbr64 is f3 0f 1e fa; 0f 1e and 0f 1f are no-ops with an operand.
		if second != 0x1e && second != 0x1f || !modrm() {
			return in, false
		}
		return done(opOther, 0, false)
	case op == 0x90: // nop
		return done(opOther, 0, false)
	case op >= 0x50 && op <= 0x57: // push
		return done(opOther, 0, false)
	case op >= 0x58 && op <= 0x5f: // pop
		return done(writes(op&7|rex<<3&8), 0, false)
	case op == 0x31 || op == 0x33 || op == 0x29 || op == 0x2b || op == 0x89 || op == 0x21: // xor, sub, mov, and
		if !modrm() {
			return in, false
		}
		if op == 0x33 || op == 0x2b {
			return done(writes(reg), 0, false)
		}
		if mod == 3 {
			return done(writes(rm), 0, false)
		}
		return done(opOther, 0, false)
	case op == 0x85 || op == 0x39 || op == 0x3b: // test, cmp
		if !modrm() {
			return in, false
		}
		return done(opOther, 0, false)
	case op == 0x8b || op == 0x8d: // mov from memory, lea
		if !modrm() {
			return in, false
		}
		switch {
		case reg != rdi:
			return done(opOther, 0, false)
		case !fromNext || mod == 3:
			return done(opClobber, 0, false)
		case op == 0x8d:
			return done(opAddress, disp, true)
		}
		return done(opLoad, disp, false)
	case op == 0x83 || op == 0x81: // and, sub, add, cmp with a constant
		if !modrm() {
			return in, false
		}
		if i++; op == 0x81 {
			i += 3
		}
		if mod == 3 && reg&7 != 7 {
			return done(writes(rm), 0, false)
		}
		return done(opOther, 0, false)
	case op == 0xc7: // mov $imm32
		if !modrm() || !need(4) {
			return in, false
		}
		value := imm32()
		i += 4
		if mod == 3 && rm == rdi && reg&7 == 0 {
			return done(opAddress, value, false)
		}
		return done(opOther, 0, false)
	case op >= 0xb8 && op <= 0xbf: // mov $imm32 or, with REX.W, $imm64
		r, wide := op&7|rex<<3&8, rex&8 != 0
		if !need(4) || wide && !need(8) {
			return in, false
		}
		value := int64(uint32(imm32()))
		if wide {
			value = int64(binary.LittleEndian.Uint64(b[i:]))
			i += 4
		}
		i += 4
		if r == rdi {
			return done(opAddress, value, false)
		}
		return done(opOther, 0, false)
	case op == 0xe8 || op == 0xe9: // call, jmp
		if !need(4) {
			return in, false
		}
		value := imm32()
		i += 4
		if op == 0xe8 {
			return done(opCall, value, true)
		}
		return done(opJump, value, true)
	case op == 0xeb: // jmp
		if !need(1) {
			return in, false
		}
		value := int64(int8(b[i]))
		i++
		return done(opJump, value, true)
	case op == 0xff: // call *, jmp *, push
		if !modrm() {
			return in, false
		}
		switch reg & 7 {
		case 2, 4:
			return done(opCallIndirect, 0, false)
		case 6:
			return done(opOther, 0, false)
		}
	}
	return in, false
}
