package linux

import "encoding/binary"

// elf64 makes an executable of one segment.
func elf64(machine uint16, code []byte) []byte {
	const ehdr, phdr, base = 64, 56, 0x10000000
	b := make([]byte, ehdr+phdr, ehdr+phdr+len(code))
	le := binary.LittleEndian
	copy(b, "\x7fELF\x02\x01\x01")
	le.PutUint16(b[16:], 2) // ET_EXEC
	le.PutUint16(b[18:], machine)
	le.PutUint32(b[20:], 1)
	le.PutUint64(b[24:], base+ehdr+phdr)
	le.PutUint64(b[32:], ehdr)
	le.PutUint16(b[52:], ehdr)
	le.PutUint16(b[54:], phdr)
	le.PutUint16(b[56:], 1)
	size := uint64(ehdr + phdr + len(code))
	h := b[ehdr:]
	le.PutUint32(h, 1)     // PT_LOAD
	le.PutUint32(h[4:], 5) // r-x
	le.PutUint64(h[16:], base)
	le.PutUint64(h[24:], base)
	le.PutUint64(h[32:], size)
	le.PutUint64(h[40:], size)
	le.PutUint64(h[48:], 0x10000)
	return append(b, code...)
}
