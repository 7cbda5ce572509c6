package event

import (
	"encoding/binary"
	"strconv"

	"farcall/decode"
	"farcall/syscalls"
)

// appendSym writes a number in the symbolic form that a formatter found.
func (s *Style) appendSym(b []byte, v *decode.Value, abi syscalls.ABI) []byte {
	if s.Consts == Abbrev || v.Type.Kind == syscalls.KindStruct {
		return append(b, v.Sym...)
	}
	switch v.Type.Kind {
	case syscalls.KindInt, syscalls.KindPID, syscalls.KindFD:
		b = strconv.AppendInt(b, intOf(v, abi), 10)
	default:
		b = appendHex(b, v.Num)
	}
	if s.Consts == Raw {
		return b
	}
	b = append(b, " /* "...)
	b = append(b, v.Sym...)
	return append(b, " */"...)
}

// appendParts writes a number of several parts, flags first: what is left of the number, and the
// parts that a formatter took out of it.
func (s *Style) appendParts(b []byte, v *decode.Value, abi syscalls.ABI) []byte {
	some := v.Num != 0
	if some {
		b = s.AppendFlags(b, v.Type.Set, v.Num, abi)
	}
	for i := range v.Sub {
		if some {
			b = append(b, '|')
		}
		some = true
		b = s.appendValue(b, &v.Sub[i], abi)
	}
	return b
}

// appendHex0 writes a number of width bytes with leading zeros; as printf(3) counts, the 0x
// belongs to the digits.
func appendHex0(b []byte, n uint64, width int) []byte {
	if n != 0 {
		b = append(b, '0', 'x')
		width--
	}
	digits := 1
	for x := n >> 4; x != 0; x >>= 4 {
		digits++
	}
	for ; digits < 2*width; digits++ {
		b = append(b, '0')
	}
	return strconv.AppendUint(b, n, 16)
}

// appendRlim writes a resource limit of width bytes.
func (s *Style) appendRlim(b []byte, n uint64, width int) []byte {
	start := len(b)
	if s.Consts != Abbrev {
		b = strconv.AppendUint(b, n, 10)
		if s.Consts == Raw {
			return b
		}
		b = append(b, " /* "...)
	}
	switch {
	case width == 8 && n == ^uint64(0):
		b = append(b, "RLIM64_INFINITY"...)
	case width == 4 && n == 0xffffffff:
		b = append(b, "RLIM_INFINITY"...)
	case n > 1024 && n%1024 == 0:
		b = append(strconv.AppendUint(b, n/1024, 10), "*1024"...)
	default:
		return strconv.AppendUint(b[:start], n, 10)
	}
	if s.Consts == Verbose {
		b = append(b, " */"...)
	}
	return b
}

// appendStatus writes what wait(2) says of a child, by the macros that take it apart.
func (s *Style) appendStatus(b []byte, n uint32) []byte {
	rest := n
	switch low := n & 0x7f; {
	case n&0xff == 0x7f:
		sig := n >> 8 & 0xff
		b = append(b, "{WIFSTOPPED(s) && WSTOPSIG(s) == "...)
		b = appendSigName(b, int(sig&0x7f))
		if sig&0x80 != 0 {
			b = append(b, " | 0x80"...)
		}
		rest &^= 0xffff
	case n == 0xffff:
		return append(b, "{WIFCONTINUED(s)}"...)
	case low != 0:
		b = append(b, "{WIFSIGNALED(s) && WTERMSIG(s) == "...)
		b = appendSigName(b, int(low))
		if n&0x80 != 0 {
			b = append(b, " && WCOREDUMP(s)"...)
		}
		rest &^= 0xff
	default:
		b = append(b, "{WIFEXITED(s) && WEXITSTATUS(s) == "...)
		b = strconv.AppendUint(b, uint64(n>>8&0xff), 10)
		rest &^= 0xff00
	}
	b = append(b, '}')
	if event := rest >> 16; event != 0 {
		b = append(b, " | "...)
		b = s.AppendEnum(b, &ptraceEvents, uint64(event), syscalls.AMD64)
		b = append(b, " << 16"...)
		rest &= 0xffff
	}
	if rest != 0 {
		b = append(b, " | "...)
		b = appendHex(b, uint64(rest))
	}
	return b
}

// linux/ptrace.h
var ptraceEvents = syscalls.Set{Name: "ptrace_events", Unknown: "PTRACE_EVENT_???", Vals: []syscalls.Val{
	{Name: "PTRACE_EVENT_FORK", Value: 1}, {Name: "PTRACE_EVENT_VFORK", Value: 2}, {Name: "PTRACE_EVENT_CLONE", Value: 3},
	{Name: "PTRACE_EVENT_EXEC", Value: 4}, {Name: "PTRACE_EVENT_VFORK_DONE", Value: 5}, {Name: "PTRACE_EVENT_EXIT", Value: 6},
	{Name: "PTRACE_EVENT_SECCOMP", Value: 7}, {Name: "PTRACE_EVENT_STOP", Value: 128},
}}

func appendSigName(b []byte, n int) []byte {
	if name := syscalls.SignalName(n); name != "" {
		return append(b, name...)
	}
	return strconv.AppendInt(b, int64(n), 10)
}

// appendErrno writes a number that is an error's when it is negative.
func (s *Style) appendErrno(b []byte, n int) []byte {
	name := ""
	if n < 0 {
		name = syscalls.ErrnoName(-n)
	}
	if name == "" || s.Consts == Raw {
		return strconv.AppendInt(b, int64(n), 10)
	}
	if s.Consts == Verbose {
		b = append(strconv.AppendInt(b, int64(n), 10), " /* "...)
	}
	b = append(append(b, '-'), name...)
	if s.Consts == Verbose {
		b = append(b, " */"...)
	}
	return b
}

// appendTicks writes a number of clock ticks, and how long they are.
func (s *Style) appendTicks(b []byte, n int64) []byte {
	b = strconv.AppendInt(b, n, 10)
	if n == 0 || s.Consts == Raw {
		return b
	}
	b = append(b, " /* "...)
	b = strconv.AppendFloat(b, float64(n)/100, 'f', 2, 64)
	return append(b, " s */"...)
}

// appendBitset writes the numbers of the bits that are set, in brackets.
func appendBitset(b, set []byte) []byte {
	b = append(b, '[')
	some := false
	for i, x := range set {
		for k := 0; x != 0; k, x = k+1, x>>1 {
			if x&1 == 0 {
				continue
			}
			if some {
				b = append(b, ' ')
			}
			some = true
			b = strconv.AppendInt(b, int64(8*i+k), 10)
		}
	}
	return append(b, ']')
}

// appendSigset writes the signals of a kernel signal set, or those missing from a nearly full one.
func (s *Style) appendSigset(b, set []byte) []byte {
	var word [8]byte
	copy(word[:], set)
	bits := binary.LittleEndian.Uint64(word[:])
	n, count := 8*min(len(set), 8), 0
	for i := range n {
		count += int(bits >> i & 1)
	}
	if count >= n*2/3 && n > 0 {
		b = append(b, '~')
		bits = ^bits
	}
	b = append(b, '[')
	first := true
	for i := range n {
		if bits>>i&1 == 0 {
			continue
		}
		if !first {
			b = append(b, ' ')
		}
		first = false
		name := syscalls.SignalName(i + 1)
		if len(name) > 3 && name[:3] == "SIG" {
			name = name[3:]
		}
		if s.Consts != Abbrev || name == "" {
			b = strconv.AppendInt(b, int64(i+1), 10)
		}
		switch s.Consts {
		case Abbrev:
			b = append(b, name...)
		case Verbose:
			b = append(b, " /* "...)
			b = append(b, name...)
			b = append(b, " */"...)
		}
	}
	return append(b, ']')
}
