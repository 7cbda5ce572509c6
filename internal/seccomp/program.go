package seccomp

import (
	"encoding/binary"
	"fmt"
	"runtime"
	"strings"
	"unsafe"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// A Program is a compiled filter.
type Program struct {
	code []bpf.Instruction
	raw  []bpf.RawInstruction
}

// Len is the number of instructions.
func (p *Program) Len() int { return len(p.raw) }

// Instructions are the instructions, for the interpreter of golang.org/x/net/bpf among others. They must
// not be changed.
func (p *Program) Instructions() []bpf.Instruction { return p.code }

// filterSize is the size of struct sock_filter (include/uapi/linux/filter.h).
const filterSize = 8

// Encode gives the instructions as the kernel's array of struct sock_filter, 8 bytes each, little-endian.
func (p *Program) Encode() []byte {
	b := make([]byte, 0, filterSize*len(p.raw))
	for _, r := range p.raw {
		b = binary.LittleEndian.AppendUint16(b, r.Op)
		b = append(b, r.Jt, r.Jf)
		b = binary.LittleEndian.AppendUint32(b, r.K)
	}
	return b
}

// EncodeFprog gives the 16 bytes of struct sock_fprog of a 64-bit program, which seccomp(2) takes, for
// instructions that lie at address addr.
func (p *Program) EncodeFprog(addr uint64) []byte {
	b := binary.LittleEndian.AppendUint64(nil, uint64(len(p.raw)))
	return binary.LittleEndian.AppendUint64(b, addr)
}

// Depth is the largest number of instructions that a call can cost.
func (p *Program) Depth() int {
	depth := make([]int, len(p.code)+1)
	for i := len(p.code) - 1; i >= 0; i-- {
		depth[i] = 1
		switch c := p.code[i].(type) {
		case bpf.RetConstant:
		case bpf.Jump:
			depth[i] += depth[i+1+int(c.Skip)]
		case bpf.JumpIf:
			depth[i] += max(depth[i+1+int(c.SkipTrue)], depth[i+1+int(c.SkipFalse)])
		default:
			depth[i] += depth[i+1]
		}
	}
	return depth[0]
}

// String lists the instructions, one on a line, with their positions.
func (p *Program) String() string {
	var b strings.Builder
	for i, c := range p.code {
		if r, ok := c.(bpf.RetConstant); ok {
			fmt.Fprintf(&b, "%4d  ret %v\n", i, FromRet(r.Val))
			continue
		}
		fmt.Fprintf(&b, "%4d  %v\n", i, c)
	}
	return b.String()
}

// Install makes the filter one of the calling thread, for good; the goroutine has to be locked to it. flags
// are SECCOMP_FILTER_FLAG_*; with unix.SECCOMP_FILTER_FLAG_TSYNC all threads of the process get it. The
// result is a descriptor with unix.SECCOMP_FILTER_FLAG_NEW_LISTENER, otherwise 0.
//
// Before Linux 5.16 a filter also slowed the whole process down, on processors that have to switch
// speculation off for it, unless unix.SECCOMP_FILTER_FLAG_SPEC_ALLOW was given.
//
// Errors: EACCES if the thread has neither CAP_SYS_ADMIN nor the no_new_privs bit (see NoNewPrivs); EINVAL
// if the kernel does not know the flags or an instruction; ENOMEM if its filters are longer than 32,768
// instructions together; ESRCH if with TSYNC another thread has a filter of its own; EBUSY if with
// NEW_LISTENER there is a listener already.
func (p *Program) Install(flags uint) (int, error) {
	prog := unix.SockFprog{
		Len: uint16(len(p.raw)),
		// RawInstruction has the layout of struct sock_filter.
		Filter: (*unix.SockFilter)(unsafe.Pointer(unsafe.SliceData(p.raw))),
	}
	n, _, e := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, uintptr(flags), uintptr(unsafe.Pointer(&prog)))
	runtime.KeepAlive(p)
	switch {
	case e != 0:
		return 0, fmt.Errorf("seccomp: install filter: %w", e)
	case n != 0 && flags&unix.SECCOMP_FILTER_FLAG_NEW_LISTENER == 0:
		return 0, fmt.Errorf("seccomp: install filter: thread %d has another one: %w", n, unix.ESRCH)
	}
	return int(n), nil
}

// NoNewPrivs sets the calling thread's no_new_privs bit, which allows an unprivileged thread to install
// filters: execve then no longer obeys set-user-ID bits and file capabilities (prctl(2),
// PR_SET_NO_NEW_PRIVS). It cannot be undone.
func NoNewPrivs() error {
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("seccomp: set no_new_privs: %w", err)
	}
	return nil
}
