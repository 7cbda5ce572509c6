package decode

import "farcall/syscalls"

// formatters refine the values of types that name them; see syscalls.Format.
var formatters = [...]func(*Call, *Value){
	syscalls.FormatNone: nil,
}

func (c *Call) format(v *Value) {
	if f := v.Type.Format; f != syscalls.FormatNone {
		formatters[f](c, v)
	}
}
