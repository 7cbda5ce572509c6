package decode

import "farcall/syscalls"

// Struct decodes a structure given as bytes, laid out for the ABI, outside of any call. Pointers in
// it are known by their addresses only. Like Enter it begins anew: what c held before is gone, and
// the Value is valid until c is used again.
func (c *Call) Struct(st *syscalls.Struct, abi syscalls.ABI, b []byte, opts Options) Value {
	c.Skip(&noCall, abi, 0, [6]uint64{})
	c.reset()
	c.layout, c.mem, c.opts = abi.Layout(), nothing{}, opts
	c.Done = true
	c.beginStage()
	v := Value{Name: st.Name, Type: &syscalls.Type{Kind: syscalls.KindStruct, Struct: st}, Size: len(b)}
	c.structure(&v, b)
	return v
}

var noCall = syscalls.Call{Ret: &syscalls.Type{Kind: syscalls.KindPad}}

// nothing is a Memory without any.
type nothing struct{}

func (nothing) Read(uint64, []byte) int { return 0 }
func (nothing) ReadV([]Range)           {}
