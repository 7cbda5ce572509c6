package engine

import (
	"bytes"
	"encoding/binary"

	"farcall/internal/ptrace"
)

// breakpointCode is int3; the program counter is behind it when it has been executed.
var breakpointCode = []byte{0xcc}

const (
	breakpointAdvance = 1  // bytes
	maxInstruction    = 15 // bytes (Intel SDM volume 2, 2.3.11)
)

// An insn is what has to be known of an instruction to execute a copy of it at another address.
type insn struct {
	ok       bool
	disp     int  // where in it the distance to its operand stands, if that counts from the next instruction; 0 for none
	absolute bool // it jumps to an address that does not depend on its own
	call     bool // it pushes the address of the next instruction
	flags    bool // it pushes the flags, among them that of single steps
	skip     int  // > 0: it does nothing, and is this long
	push     int8 // number of the register that it pushes and does nothing else, -1 for none
}

// oneByteModRM and twoByteModRM tell which opcodes have a ModRM byte: a bit for each, in rows of 16 (Intel SDM volume 2,
// appendix A).
var (
	oneByteModRM = [16]uint16{
		0: 0x0f0f, 1: 0x0f0f, 2: 0x0f0f, 3: 0x0f0f, 6: 0x0a08, 8: 0xffff, 0xc: 0x00c3, 0xd: 0xff0f, 0xf: 0xc0c0,
	}
	twoByteModRM = [16]uint16{
		0: 0xa00f, 1: 0xffff, 2: 0xff0f, 4: 0xffff, 5: 0xffff, 6: 0xffff, 7: 0xff7f,
		9: 0xffff, 0xa: 0xf8f8, 0xb: 0xffff, 0xc: 0x00ff, 0xd: 0xffff, 0xe: 0xffff, 0xf: 0xffff,
	}
)

// decodeInsn looks at the instruction that b begins with. Not ok are instructions whose copy would do something
// else: system calls, as a child would begin its life in the copy, and transactions.
func decodeInsn(b []byte) insn {
	in := insn{push: -1}
	i, rex := 0, byte(0)
prefixes:
	for ; i < len(b); i++ {
		switch b[i] {
		case 0x66, 0x67, 0xf0, 0xf2, 0xf3, 0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65:
			rex = 0
		default:
			if b[i]&0xf0 != 0x40 {
				break prefixes
			}
			rex = b[i]
		}
	}
	if i >= len(b) {
		return in
	}
	plain := i == 0 || i == 1 && rex != 0
	op := b[i]
	i++
	modrm := func() bool {
		if i >= len(b) {
			return false
		}
		if b[i]&0xc7 == 0x05 {
			if i+5 > len(b) {
				return false
			}
			in.disp = i + 1
		}
		return true
	}
	switch op {
	case 0xc4, 0xc5, 0x62: // VEX and EVEX, which in 64-bit code are nothing else
		if i += map[byte]int{0xc4: 2, 0xc5: 1, 0x62: 3}[op]; i >= len(b) {
			return in
		}
		zeroUpper := op != 0x62 && b[i] == 0x77
		i++
		in.ok = zeroUpper || modrm()
		return in
	case 0x0f:
		if i >= len(b) {
			return in
		}
		second := b[i]
		i++
		switch {
		case second == 0x05 || second == 0x34: // syscall, sysenter
		case second == 0x38 || second == 0x3a:
			i++
			in.ok = modrm()
		case second == 0x1e && i == 3 && len(b) > 3 && b[0] == 0xf3 && b[3] == 0xfa: // endbr64
			in.ok, in.skip = true, 4
		case twoByteModRM[second>>4]>>(second&15)&1 != 0:
			in.ok = modrm()
		default:
			in.ok = true
		}
		return in
	case 0xcd: // int
		return in
	case 0xc2, 0xc3, 0xca, 0xcb, 0xcf: // returns
		in.ok, in.absolute = true, true
		return in
	case 0xe8:
		in.ok, in.call = true, true
		return in
	case 0x9c:
		in.ok, in.flags = true, true
		return in
	case 0xc7: // xbegin is c7 f8
		in.ok = i < len(b) && b[i] != 0xf8 && modrm()
		return in
	case 0xff:
		if in.ok = modrm(); in.ok {
			switch b[i] >> 3 & 7 {
			case 2, 3:
				in.call, in.absolute = true, true
			case 4, 5:
				in.absolute = true
			}
		}
		return in
	}
	switch {
	case op == 0x90 && i == 1:
		in.ok, in.skip = true, 1
	case op&0xf8 == 0x50 && plain:
		in.ok, in.push = true, int8(op&7|rex<<3&8)
		in.skip = i
	case oneByteModRM[op>>4]>>(op&15)&1 != 0:
		in.ok = modrm()
	default:
		in.ok = true
	}
	return in
}

// relocated copies an instruction so that it does at to what it does at from. It fails where its operand would be out of
// reach.
func (in *insn) relocated(code []byte, from, to uint64) ([]byte, bool) {
	out := append([]byte(nil), code...)
	if in.disp == 0 {
		return out, true
	}
	d := int64(int32(binary.LittleEndian.Uint32(out[in.disp:]))) + int64(from-to)
	if d != int64(int32(d)) {
		return nil, false
	}
	binary.LittleEndian.PutUint32(out[in.disp:], uint32(d))
	return out, true
}

// isStartCode tells whether code begins as the start code of C libraries: by marking the outermost frame with a frame pointer of 0 (System V psABI,
// 3.4.1). What has to follow, getting at the arguments, aligning the stack and a call, is longer than a slot.
func isStartCode(code []byte) bool {
	code = bytes.TrimPrefix(code, []byte{0xf3, 0x0f, 0x1e, 0xfa})                                       // endbr64
	return bytes.HasPrefix(code, []byte{0x31, 0xed}) || bytes.HasPrefix(code, []byte{0x48, 0x31, 0xed}) // xor %ebp, %ebp; xor %rbp, %rbp
}

// pushed is the value of the register that a push has in its code (Intel SDM volume 2, table 3-1).
func pushed(r *ptrace.Regs, n int8) uint64 {
	return *[...]*uint64{&r.Rax, &r.Rcx, &r.Rdx, &r.Rbx, &r.Rsp, &r.Rbp, &r.Rsi, &r.Rdi, &r.R8, &r.R9, &r.R10, &r.R11,
		&r.R12, &r.R13, &r.R14, &r.R15}[n&15]
}

// debugOffset is that of u_debugreg in struct user (arch/x86/include/asm/user_64.h).
const debugOffset = 848
