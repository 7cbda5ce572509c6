package unwind

import (
	"debug/elf"
	"encoding/binary"
)

// maxRegs is the number of registers that are followed, numbered as DWARF does.
const maxRegs = 34

// Regs are a thread's registers by their DWARF numbers. The zero value knows none.
type Regs struct {
	value [maxRegs]uint64
	known uint64 // a bit for each
}

// Set gives a register a value. Numbers that are not followed are ignored.
func (r *Regs) Set(n int, v uint64) {
	if n >= 0 && n < maxRegs {
		r.value[n] = v
		r.known |= 1 << n
	}
}

// Get is a register's value; it is false where that is not known.
func (r *Regs) Get(n int) (uint64, bool) {
	if n < 0 || n >= maxRegs || r.known&(1<<n) == 0 {
		return 0, false
	}
	return r.value[n], true
}

func (r *Regs) forget(n int) {
	if n >= 0 && n < maxRegs {
		r.known &^= 1 << n
	}
}

// A Machine is what unwinding has to know of an architecture.
type Machine struct {
	Name string
	Word int // bytes
	PC   int // numbers of the registers, by DWARF where it has one
	SP   int
	FP   int // the frame pointer
	LR   int // the link register, -1 where calls put the return address on the stack

	order binary.ByteOrder

	// saved are the registers that a function preserves: without a rule, the caller's value is the
	// callee's.
	saved []int

	// A signal's handler returns to code that is sigreturn and nothing else. At its first
	// instruction the stack pointer plus frame[r] is where register r of the interrupted code is.
	sigreturn []byte
	frame     map[int]uint64

	// call gives the function that a direct call of callSize bytes is to, 0 for other code. next is the address behind it.
	call     func(code []byte, next uint64) uint64
	callSize uint64

	// code is the mask of addresses of code; other bits of a return address are its signature.
	code uint64
}

// Call is the length that is taken off a return address to get into the call: instructions are
// looked up by an address within them.
const callBack = 1

// The machines. Register numbers: x86-64 psABI, figure 3.36; i386 psABI, table 2.14; DWARF for the
// Arm 64-bit Architecture (AADWARF64), 4.1. Signal frames: arch/x86/include/asm/sigframe.h and
// uapi/asm/sigcontext.h, arch/arm64/kernel/signal.c and uapi/asm/sigcontext.h.
var machines = map[elf.Machine]*Machine{
	elf.EM_X86_64: {
		Name: "x86-64", Word: 8, PC: 16, SP: 7, FP: 6, LR: -1, order: binary.LittleEndian, code: ^uint64(0),
		saved: []int{3, 6, 12, 13, 14, 15}, // rbx, rbp, r12 to r15
		// mov $15, %rax; syscall
		sigreturn: []byte{0x48, 0xc7, 0xc0, 0x0f, 0, 0, 0, 0x0f, 0x05},
		frame:     x86Frame(),
		call:      x86Call, callSize: 5,
	},
	elf.EM_386: {
		Name: "i386", Word: 4, PC: 8, SP: 4, FP: 5, LR: -1, order: binary.LittleEndian, code: 1<<32 - 1,
		saved: []int{3, 5, 6, 7}, // ebx, ebp, esi, edi
	},
	elf.EM_AARCH64: {
		Name: "arm64", Word: 8, PC: 32, SP: 31, FP: 29, LR: 30, order: binary.LittleEndian, code: 1<<48 - 1,
		saved: []int{19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30},
		// mov x8, #139; svc #0
		sigreturn: []byte{0x68, 0x11, 0x80, 0xd2, 0x01, 0, 0, 0xd4},
		frame:     arm64Frame(),
		call:      arm64Call, callSize: 4,
	},
}

// MachineOf is the machine of that ELF number, nil for one that this package does not know.
func MachineOf(m elf.Machine) *Machine { return machines[m] }

// x86Frame: the ucontext is where the stack pointer is once the handler has returned; its mcontext
// follows flags, link and stack (40 bytes) and is r8 to r15, rdi, rsi, rbp, rbx, rdx, rax, rcx,
// rsp, rip.
func x86Frame() map[int]uint64 {
	out := map[int]uint64{}
	for i, r := range []int{8, 9, 10, 11, 12, 13, 14, 15, 5, 4, 6, 3, 1, 0, 2, 7, 16} {
		out[r] = 40 + 8*uint64(i)
	}
	return out
}

// arm64Frame: a siginfo of 128 bytes, then the ucontext, whose mcontext is at 176: fault address,
// x0 to x30, sp, pc.
func arm64Frame() map[int]uint64 {
	out := map[int]uint64{}
	for r := range 33 {
		out[r] = 128 + 176 + 8 + 8*uint64(r)
	}
	return out
}

// x86Call: CALL rel32 (Intel SDM, volume 2).
func x86Call(code []byte, next uint64) uint64 {
	if code[0] != 0xe8 {
		return 0
	}
	return next + uint64(int64(int32(binary.LittleEndian.Uint32(code[1:]))))
}

// arm64Call: BL, with 26 bits of distance in instructions (Arm ARM, C6.2).
func arm64Call(code []byte, next uint64) uint64 {
	op := binary.LittleEndian.Uint32(code)
	if op>>26 != 0b100101 {
		return 0
	}
	return next - 4 + uint64(int64(int32(op<<6))>>6)*4
}
