package linux

import "encoding/binary"

// nativeELF is a static program that does exit(0).
func nativeELF() []byte {
	// mov eax, 60 (exit); xor edi, edi; syscall
	return elf64(62, []byte{0xb8, 60, 0, 0, 0, 0x31, 0xff, 0x0f, 0x05})
}

// idleELF calls pause over and over.
func idleELF() []byte {
	// mov eax, 34 (pause); syscall; jmp -9
	return elf64(62, []byte{0xb8, 34, 0, 0, 0, 0x0f, 0x05, 0xeb, 0xf7})
}

// compatELF is nativeELF as a program for i386.
func compatELF() []byte {
	// mov eax, 1 (exit); xor ebx, ebx; int 0x80
	code := []byte{0xb8, 1, 0, 0, 0, 0x31, 0xdb, 0xcd, 0x80}
	const ehdr, phdr, base = 52, 32, 0x08048000
	b := make([]byte, ehdr+phdr, ehdr+phdr+len(code))
	le := binary.LittleEndian
	copy(b, "\x7fELF\x01\x01\x01")
	le.PutUint16(b[16:], 2) // ET_EXEC
	le.PutUint16(b[18:], 3) // EM_386
	le.PutUint32(b[20:], 1)
	le.PutUint32(b[24:], base+ehdr+phdr)
	le.PutUint32(b[28:], ehdr)
	le.PutUint16(b[40:], ehdr)
	le.PutUint16(b[42:], phdr)
	le.PutUint16(b[44:], 1)
	size := uint32(ehdr + phdr + len(code))
	h := b[ehdr:]
	for i, v := range []uint32{1, 0, base, base, size, size, 5, 0x1000} { // PT_LOAD r-x
		le.PutUint32(h[4*i:], v)
	}
	return append(b, code...)
}
