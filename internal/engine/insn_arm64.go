package engine

import (
	"bytes"

	"farcall/internal/ptrace"
)

// breakpointCode is brk #0; the program counter stays at it.
var breakpointCode = []byte{0x00, 0x00, 0x20, 0xd4}

const (
	breakpointAdvance = 0
	maxInstruction    = 4
)

// An insn is what has to be known of an instruction to execute a copy of it at another address.
type insn struct {
	ok, absolute, call, flags bool
	disp, skip                int
	push                      int8
}

// decodeInsn knows the instructions that functions begin with and that do not depend on where they stand: bti and paciasp (hints),
// stores and loads of pairs, immediate additions. Others are not ok. (Arm ARM, C4.1)
func decodeInsn(b []byte) insn {
	in := insn{push: -1}
	if len(b) < 4 {
		return in
	}
	w := uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16 | uint32(b[3])<<24
	switch {
	case w == 0xd503201f || w&0xffffff3f == 0xd503241f: // nop, bti
		in.ok, in.skip = true, 4
	case w == 0xd503233f: // paciasp
		in.ok = true
	case w&0x3a000000 == 0x28000000, // load/store pair
		w&0x3b000000 == 0x39000000, // load/store, unsigned offset
		w&0x1f800000 == 0x11000000, // add/sub immediate
		w&0x1f000000 == 0x0a000000, // logical, register
		w&0x1f800000 == 0x12800000: // move wide
		in.ok = true
	}
	return in
}

func (in *insn) relocated(code []byte, _, _ uint64) ([]byte, bool) {
	return append([]byte(nil), code...), true
}

func pushed(*ptrace.Regs, int8) uint64 { return 0 }

// isStartCode tells whether code begins as the start code of C libraries: by marking the outermost frame with a frame pointer of 0. What
// has to follow is longer than a slot.
func isStartCode(code []byte) bool {
	code = bytes.TrimPrefix(code, []byte{0x5f, 0x24, 0x03, 0xd5}) // bti c
	return bytes.HasPrefix(code, []byte{0x1d, 0x00, 0x80, 0xd2})  // mov x29, #0
}

// debugOffset 0: the debug registers of arm64 are a register set, which this package does not write.
const debugOffset = 0
