package decode_test

import (
	"fmt"

	"farcall/decode"
	"farcall/syscalls"
	"farcall/syscalls/linux"
)

// memory is a program's memory at one address.
type memory struct {
	addr uint64
	data []byte
}

func (m memory) Read(addr uint64, b []byte) int {
	if off := addr - m.addr; off < uint64(len(m.data)) {
		return copy(b, m.data[off:])
	}
	return 0
}

func (m memory) ReadV(ranges []decode.Range) {
	for i := range ranges {
		ranges[i].N = m.Read(ranges[i].Addr, ranges[i].Buf)
	}
}

// Decode a call from its registers and the memory that they point to, and list what it reads there.
func ExampleCall() {
	nr, _ := syscalls.AMD64.Number("openat")
	mem := memory{0x1000, []byte("/etc/hostname\x00")}
	var call decode.Call
	call.Enter(linux.Describe(syscalls.AMD64, nr), syscalls.AMD64, nr, [6]uint64{0xffffff9c, 0x1000, 0x80000}, mem, decode.Options{})
	for i, v := range call.Args[:call.Ready] {
		fmt.Printf("%s: %d %q\n", call.Desc.Args[i].Name, v.Int(), v.Bytes)
	}
	call.Regions(func(r decode.Region) { fmt.Printf("%d bytes at %#x\n", r.Len, r.Addr) })
	// Output:
	// dfd: -100 ""
	// filename: 0 "/etc/hostname"
	// flags: 524288 ""
	// mode: 0 ""
	// 14 bytes at 0x1000
}
