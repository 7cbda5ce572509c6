package engine

import (
	"bytes"
	"os"
	"testing"
	"unsafe"

	"farcall/internal/ptrace"
)

// A slot in which a thread is stepping keeps its copy until that thread has left it.
func TestRestoreLeavesBusySlots(t *testing.T) {
	memory := bytes.Repeat([]byte{0x90}, 2*slotSize)
	base := uint64(uintptr(unsafe.Pointer(&memory[0])))
	th := &Thread{mem: ptrace.NewMemory(os.Getpid())}
	defer th.mem.Close()
	s := &slots{all: []slot{{addr: base}, {addr: base + slotSize}}}
	code := []byte{0x48, 0x83, 0xec, 0x08} // sub $8, %rsp
	first := &step{addr: base, code: code, in: decodeInsn(code)}
	second := &step{addr: base, code: code, in: decodeInsn(code)}
	if !s.take(th, first) || !s.take(th, second) || first.slot == second.slot {
		t.Fatalf("slots %#x and %#x", first.slot, second.slot)
	}
	at := func(st *step) []byte { return memory[st.slot-base:][:len(code)] }
	s.give(th, first)
	s.restore(th)
	if !bytes.Equal(at(first), []byte{0x90, 0x90, 0x90, 0x90}) || !bytes.Equal(at(second), code) {
		t.Errorf("one slot given back: % x, busy: % x", at(first), at(second))
	}
	s.give(th, second)
	s.restore(th)
	if !bytes.Equal(memory, bytes.Repeat([]byte{0x90}, 2*slotSize)) {
		t.Errorf("restored: % x", memory)
	}
}
