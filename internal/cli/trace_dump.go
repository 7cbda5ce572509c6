package cli

import (
	"encoding/binary"
	"strconv"

	"farcall"
	"farcall/decode"
	"farcall/internal/cmdline"
	"farcall/syscalls"
)

// A dumper writes the data that calls transfer, in full, behind their lines (-e read=, -e write=). It
// reads the program's memory when the call has returned.
type dumper struct {
	read, write *cmdline.NumberSet
	task        *farcall.Task // of the line that is being written
	buf         []byte
}

// A transfer is how a call's arguments say where its data is: always in the second one.
type transfer uint8

const (
	plainBuffer transfer = iota + 1 // and the third, or the result, how much it is
	vector                          // struct iovec, as many as the third says
	msghdr                          // struct msghdr
	mmsghdr                         // struct mmsghdr, as many as the result says
)

// input and output are the calls whose first argument is a descriptor that data comes from or goes to.
var (
	input = map[string]transfer{
		"read": plainBuffer, "pread64": plainBuffer, "recv": plainBuffer, "recvfrom": plainBuffer, "mq_timedreceive": plainBuffer,
		"mq_timedreceive_time64": plainBuffer, "readv": vector, "preadv": vector, "preadv2": vector, "recvmsg": msghdr,
		"recvmmsg": mmsghdr, "recvmmsg_time64": mmsghdr,
	}
	output = map[string]transfer{
		"write": plainBuffer, "pwrite64": plainBuffer, "send": plainBuffer, "sendto": plainBuffer, "mq_timedsend": plainBuffer,
		"mq_timedsend_time64": plainBuffer, "writev": vector, "pwritev": vector, "pwritev2": vector, "vmsplice": vector,
		"sendmsg": msghdr, "sendmmsg": mmsghdr,
	}
)

// dump is TextOptions.Dump.
func (d *dumper) dump(b []byte, c *decode.Call) []byte {
	fd := int(int32(c.Regs[0]))
	if c.Failed || fd < 0 || d.task == nil {
		return b
	}
	name := c.Desc.Name
	if d.read != nil && input[name] != 0 && d.read.Has(fd) {
		return d.data(b, c, input[name], uint64(c.Ret))
	}
	if d.write != nil && output[name] != 0 && d.write.Has(fd) {
		n := ^uint64(0)
		if output[name] == plainBuffer {
			n = c.Regs[2]
		}
		return d.data(b, c, output[name], n)
	}
	return b
}

// data writes at most n bytes of a call's data.
func (d *dumper) data(b []byte, c *decode.Call, how transfer, n uint64) []byte {
	addr := c.Regs[1]
	w := uint64(c.ABI.WordSize())
	if c.ABI == syscalls.X32 {
		w = 4
	}
	switch how {
	case plainBuffer:
		return d.bytes(b, addr, n)
	case vector:
		return d.vector(b, addr, c.Regs[2], n, w)
	case msghdr:
		iov, count, _, ok := d.header(addr, w)
		if !ok {
			return b
		}
		return d.vector(b, iov, count, n, w)
	}
	for i := range uint64(c.Ret) {
		iov, count, length, ok := d.header(addr+i*8*w, w)
		if !ok {
			break
		}
		b = append(b, " = "...)
		b = strconv.AppendUint(b, count, 10)
		b = append(b, " buffers in vector "...)
		b = strconv.AppendUint(b, i, 10)
		b = append(b, '\n')
		b = d.vector(b, iov, count, length, w)
	}
	return b
}

// header reads what matters here of a struct msghdr, and the length behind it of a struct mmsghdr; words have w bytes
// (include/linux/socket.h: struct user_msghdr, compat_msghdr).
func (d *dumper) header(addr, w uint64) (iov, count, length uint64, ok bool) {
	var h [64]byte
	n, _ := d.task.ReadMemory(addr, h[:8*w]) // of a lone msghdr at the end of a page there is less
	if uint64(n) < 4*w {
		return 0, 0, 0, false
	}
	return word(h[2*w:], w), word(h[3*w:], w), uint64(binary.LittleEndian.Uint32(h[7*w:])), true
}

func word(b []byte, w uint64) uint64 {
	if w == 4 {
		return uint64(binary.LittleEndian.Uint32(b))
	}
	return binary.LittleEndian.Uint64(b)
}

// maxVector is how many buffers the kernel takes at once (UIO_MAXIOV in include/uapi/linux/uio.h).
const maxVector = 1024

// vector writes the buffers of a struct iovec each, up to n bytes in all. As strace does, it ends at an empty one.
func (d *dumper) vector(b []byte, addr, count, n, w uint64) []byte {
	var v [16]byte
	for i := range min(count, maxVector) {
		if k, _ := d.task.ReadMemory(addr+i*2*w, v[:2*w]); uint64(k) < 2*w {
			break
		}
		size := min(word(v[w:], w), n)
		if size == 0 {
			break
		}
		n -= size
		b = append(b, " * "...)
		b = strconv.AppendUint(b, size, 10)
		b = append(b, " bytes in buffer "...)
		b = strconv.AppendUint(b, i, 10)
		b = append(b, '\n')
		b = d.bytes(b, word(v[:], w), size)
	}
	return b
}

// maxDump is how much of one buffer is shown: the most that read(2) and write(2) transfer.
const maxDump = 0x7ffff000

// bytes writes n bytes of memory, 16 a line, in hexadecimal and as characters.
func (d *dumper) bytes(b []byte, addr, n uint64) []byte {
	const (
		perLine = 16
		chunk   = 64 << 10
	)
	n = min(n, maxDump)
	digits := max(5, len(strconv.FormatUint(n, perLine)))
	if d.buf == nil {
		d.buf = make([]byte, chunk)
	}
	for at := uint64(0); at < n; at += chunk {
		part := d.buf[:min(n-at, chunk)]
		if k, _ := d.task.ReadMemory(addr+at, part); k < len(part) {
			break
		}
		for i := 0; i < len(part); i += perLine {
			b = dumpLine(b, at+uint64(i), digits, part[i:min(i+perLine, len(part))])
		}
	}
	return b
}

func dumpLine(b []byte, offset uint64, digits int, data []byte) []byte {
	const hex = "0123456789abcdef"
	b = append(b, " | "...)
	for shift := 4 * (digits - 1); shift >= 0; shift -= 4 {
		b = append(b, hex[offset>>shift&15])
	}
	b = append(b, ' ')
	for i := range 16 {
		if i == 8 {
			b = append(b, ' ')
		}
		if i < len(data) {
			b = append(b, ' ', hex[data[i]>>4], hex[data[i]&15])
		} else {
			b = append(b, "   "...)
		}
	}
	b = append(b, "  "...)
	for i := range 16 {
		switch {
		case i >= len(data):
			b = append(b, ' ')
		case data[i] >= ' ' && data[i] < 0x7f:
			b = append(b, data[i])
		default:
			b = append(b, '.')
		}
	}
	return append(b, " |\n"...)
}
