package decode

import "farcall/syscalls"

// formatters refine the values of types that name them; see syscalls.Format.
var formatters = [...]func(*Call, *Value){
	syscalls.FormatNone:    nil,
	syscalls.FormatClone:   formatClone,
	syscalls.FormatClock:   formatClock,
	syscalls.FormatPages:   func(_ *Call, v *Value) { v.Num <<= 12 },
	syscalls.FormatWakeOp:  formatWakeOp,
	syscalls.FormatIoprio:  formatIoprio,
	syscalls.FormatSyscall: formatSyscall,
	syscalls.FormatCaps:    formatCaps,
	syscalls.FormatDecimal: formatDecimal,
	syscalls.FormatComment: formatComment,
	syscalls.FormatInsn:    formatInsn,
	syscalls.FormatUtime:   nil,
	syscalls.FormatPolled:  nil,
	syscalls.FormatIoctl:   nil,
	syscalls.FormatCC:      nil,
	syscalls.FormatHighLow: func(c *Call, v *Value) { v.Num = c.Regs[1]<<32 | c.Regs[2]&0xffffffff },
}

func (c *Call) format(v *Value) {
	if f := v.Type.Format; formatters[f] != nil {
		formatters[f](c, v)
	}
}
