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

// formatDecimal makes a number without a name an integer.
func formatDecimal(c *Call, v *Value) {
	if v.Type.Set.Lookup(c.ABI, v.Num) == "" {
		v.Type = &decimalType
	}
}
