package decode

import (
	"strconv"

	"farcall/syscalls"
)

var signalType = syscalls.Type{Kind: syscalls.KindSignal, Width: 4}

// formatClone takes the signal that a child sends at its end out of the flags of clone(2).
func formatClone(c *Call, v *Value) {
	const csignal = 0xff // linux/sched.h
	sig := v.Num & csignal
	v.Num &^= csignal
	if sig == 0 && v.Num != 0 {
		return
	}
	v.Sub = c.values(1)
	v.Sub[0] = Value{Name: "exit_signal", Type: &signalType, Num: sig}
}

// sym returns a symbolic form that stays valid until the next Enter.
func (c *Call) sym(add func([]byte) []byte) []byte {
	b := add(c.alloc(96)[:0])
	return b[:len(b):len(b)]
}

func appendName(b []byte, names []string, n uint64, unknown string) []byte {
	if n < uint64(len(names)) && names[n] != "" {
		return append(b, names[n]...)
	}
	b = strconv.AppendUint(append(b, "0x"...), n, 16)
	if n == 0 {
		b = append(b[:len(b)-3], '0')
	}
	if unknown != "" {
		b = append(append(append(b, " /* "...), unknown...), " */"...)
	}
	return b
}

// formatClock names clocks with negative ids, which say whose clock they are (posix-timers.h).
func formatClock(c *Call, v *Value) {
	id := int32(v.Num)
	if id >= 0 {
		return
	}
	v.Sym = c.sym(func(b []byte) []byte {
		if id&7 == 3 {
			b = append(b, "FD_TO_CLOCKID("...)
			return append(strconv.AppendInt(b, int64(^(id>>3)), 10), ')')
		}
		if id&4 != 0 {
			b = append(b, "MAKE_THREAD_CPUCLOCK("...)
		} else {
			b = append(b, "MAKE_PROCESS_CPUCLOCK("...)
		}
		b = strconv.AppendInt(b, int64(^(id >> 3)), 10)
		b = append(b, ", "...)
		b = appendName(b, []string{"CPUCLOCK_PROF", "CPUCLOCK_VIRT", "CPUCLOCK_SCHED", "CLOCKFD"}, uint64(id&3), "")
		return append(b, ')')
	})
}

// formatWakeOp takes apart what FUTEX_WAKE_OP does and compares (linux/futex.h).
func formatWakeOp(c *Call, v *Value) {
	n := v.Num & 0xffffffff
	v.Sym = c.sym(func(b []byte) []byte {
		if n>>28&8 != 0 {
			b = append(b, "FUTEX_OP_OPARG_SHIFT<<28|"...)
		}
		op, cmp := n>>28&7, n>>24&15
		b = appendName(b, []string{"FUTEX_OP_SET", "FUTEX_OP_ADD", "FUTEX_OP_OR", "FUTEX_OP_ANDN", "FUTEX_OP_XOR"}, op, "")
		b = append(b, "<<28"...)
		if op > 4 {
			b = append(b, " /* FUTEX_OP_??? */"...)
		}
		b = append(b, '|')
		b = appendName(b, nil, n>>12&0xfff, "")
		b = append(b, "<<12|"...)
		b = appendName(b, []string{"FUTEX_OP_CMP_EQ", "FUTEX_OP_CMP_NE", "FUTEX_OP_CMP_LT", "FUTEX_OP_CMP_LE",
			"FUTEX_OP_CMP_GT", "FUTEX_OP_CMP_GE"}, cmp, "")
		b = append(b, "<<24"...)
		if cmp > 5 {
			b = append(b, " /* FUTEX_OP_CMP_??? */"...)
		}
		return appendName(append(b, '|'), nil, n&0xfff, "")
	})
}

// formatIoprio takes an I/O priority apart (linux/ioprio.h).
func formatIoprio(c *Call, v *Value) {
	n := v.Num & 0xffffffff
	v.Sym = c.sym(func(b []byte) []byte {
		b = append(b, "IOPRIO_PRIO_VALUE("...)
		b = appendName(b, []string{"IOPRIO_CLASS_NONE", "IOPRIO_CLASS_RT", "IOPRIO_CLASS_BE", "IOPRIO_CLASS_IDLE"}, n>>13, "IOPRIO_CLASS_???")
		b = append(b, ", "...)
		b = strconv.AppendUint(b, n&0x1fff, 10)
		return append(b, ')')
	})
}

// formatSyscall names a call by its number, for the architecture in the member behind it.
func formatSyscall(c *Call, v *Value) {
	f := &c.frames[c.depth]
	abi := c.ABI
	for i := range f.st.Fields {
		if m := &f.st.Fields[i]; m.Type.Kind == syscalls.KindEnum && m.Type.Width == 4 {
			switch uint32(f.Field(i)) { // linux/audit.h
			case 0xc000003e:
				abi = syscalls.AMD64
				if v.Num&syscalls.X32Bit != 0 {
					abi = syscalls.X32
				}
			case 0x40000003:
				abi = syscalls.I386
			case 0xc00000b7:
				abi = syscalls.ARM64
			default:
				return
			}
		}
	}
	name := abi.Name(v.Num)
	switch {
	case name == "":
	case abi != c.ABI:
		v.Note = []byte(name)
	default:
		v.Sym = c.sym(func(b []byte) []byte { return append(append(b, "__NR_"...), name...) })
	}
}

// formatCaps adds the capabilities from 32 on, which linux/capability.h keeps in a second structure.
func formatCaps(c *Call, v *Value) {
	f := &c.frames[c.depth]
	for i := range f.st.Fields {
		m := &f.st.Fields[i]
		off := int(m.Off[c.layout]) + 12
		if m.Name == v.Name && off+4 <= len(f.buf) {
			v.Num |= load(f.buf[off:], 4) << 32
		}
	}
}

var decimalType = syscalls.Type{Kind: syscalls.KindInt, Width: 4}

// formatDecimal makes a named number an integer: in decimal where its name is not shown.
func formatDecimal(c *Call, v *Value) {
	set := v.Type.Set
	v.Type = &decimalType
	if name := set.Lookup(c.ABI, v.Num); name != "" {
		v.Sym = []byte(name)
	} else {
		v.Note = []byte(set.Unknown)
	}
}

// formatComment makes a number with a name an integer with a remark.
func formatComment(c *Call, v *Value) {
	name := v.Type.Set.Lookup(c.ABI, v.Num)
	if name == "" {
		name = v.Type.Set.Unknown
	}
	v.Type, v.Note = &decimalType, []byte(name)
}

// Parts of the code of a classic BPF instruction (linux/bpf_common.h).
var (
	bpfClass = []string{"BPF_LD", "BPF_LDX", "BPF_ST", "BPF_STX", "BPF_ALU", "BPF_JMP", "BPF_RET", "BPF_MISC"}
	bpfSize  = []string{"BPF_W", "BPF_H", "BPF_B"}
	bpfMode  = []string{"BPF_IMM", "BPF_ABS", "BPF_IND", "BPF_MEM", "BPF_LEN", "BPF_MSH"}
	bpfSrc   = []string{"BPF_K", "BPF_X"}
	bpfALU   = []string{"BPF_ADD", "BPF_SUB", "BPF_MUL", "BPF_DIV", "BPF_OR", "BPF_AND", "BPF_LSH", "BPF_RSH", "BPF_NEG", "BPF_MOD", "BPF_XOR"}
	bpfJump  = []string{"BPF_JA", "BPF_JEQ", "BPF_JGT", "BPF_JGE", "BPF_JSET"}
	bpfRet   = []string{"BPF_K", "BPF_X", "BPF_A"}
	bpfMisc  = map[uint64]string{0: "BPF_TAX", 0x80: "BPF_TXA"}
)

// formatInsn writes an instruction of a filter as the macros of linux/filter.h; its members stay.
func formatInsn(c *Call, v *Value) {
	if len(v.Sub) < 4 {
		return
	}
	code, jt, jf, k := v.Sub[0].Num, v.Sub[1].Num, v.Sub[2].Num, v.Sub[3].Num
	v.Sym = c.sym(func(b []byte) []byte {
		jump := jt != 0 || jf != 0
		if jump {
			b = append(b, "BPF_JUMP("...)
		} else {
			b = append(b, "BPF_STMT("...)
		}
		b = appendBPFCode(b, code)
		b = append(b, ", "...)
		if code == 6 { // BPF_RET|BPF_K: what becomes of the call
			b = appendAction(b, k)
		} else {
			b = appendName(b, nil, k, "")
		}
		if jump {
			b = appendName(append(b, ", "...), nil, jt, "")
			b = appendName(append(b, ", "...), nil, jf, "")
		}
		return append(b, ')')
	})
}

func appendBPFCode(b []byte, code uint64) []byte {
	b = append(b, bpfClass[code&7]...)
	rest := code &^ 7
	part := func(names []string, mask uint64, shift uint) {
		b = appendName(append(b, '|'), names, code&mask>>shift, "")
		rest &^= mask
	}
	switch code & 7 {
	case 0, 1:
		part(bpfSize, 0x18, 3)
		part(bpfMode, 0xe0, 5)
	case 4:
		part(bpfSrc, 0x08, 3)
		part(bpfALU, 0xf0, 4)
	case 5:
		part(bpfSrc, 0x08, 3)
		part(bpfJump, 0xf0, 4)
	case 6:
		part(bpfRet, 0x18, 3)
	case 7:
		b = append(append(b, '|'), bpfMisc[code&0xf8]...)
		rest &^= 0xf8
	}
	if rest != 0 {
		b = appendName(append(b, '|'), nil, rest, "")
	}
	return b
}

// appendAction names what a filter returns (linux/seccomp.h).
func appendAction(b []byte, k uint64) []byte {
	names := map[uint64]string{0x80000000: "SECCOMP_RET_KILL_PROCESS", 0: "SECCOMP_RET_KILL_THREAD", 0x30000: "SECCOMP_RET_TRAP",
		0x50000: "SECCOMP_RET_ERRNO", 0x7fc00000: "SECCOMP_RET_USER_NOTIF", 0x7ff00000: "SECCOMP_RET_TRACE",
		0x7ffc0000: "SECCOMP_RET_LOG", 0x7fff0000: "SECCOMP_RET_ALLOW"}
	name, ok := names[k&0xffff0000]
	if !ok {
		return append(appendName(b, nil, k, ""), " /* SECCOMP_RET_??? */"...)
	}
	b = append(b, name...)
	if data := k & 0xffff; data != 0 {
		b = appendName(append(b, '|'), nil, data, "")
	}
	return b
}
