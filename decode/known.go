package decode

import "farcall/syscalls"

// Argument returns argument i as far as it is known: before the call nil for what the kernel is still to write, and for
// calls that are not decoded at all. What the kernel only reads is known before the call even where it stands behind
// arguments that are not.
func (c *Call) Argument(i int) *Value {
	switch {
	case i < c.Ready:
		return &c.Args[i]
	case i < len(c.Args) && c.pre[i] != nil && c.Desc.Args[i].Type.Dir == syscalls.In && c.Desc.Args[i].Attr&syscalls.AttrExit == 0:
		return c.pre[i]
	}
	return nil
}
