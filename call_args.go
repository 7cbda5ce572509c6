package farcall

import (
	"strings"

	"farcall/decode"
)

// Args gives typed access to a call's arguments, and to fields of the structures that they point to, by names such as "filename"
// and "how.resolve". What is not there, or not known yet, is not ok.
type Args struct{ call *Call }

// Args are the arguments of the call.
func (c *Call) Args() Args { return Args{c} }

// find follows a path of names.
func (a Args) find(path string) *decode.Value {
	name, rest, deep := strings.Cut(path, ".")
	v := a.call.Value(name)
	for deep && v != nil {
		name, rest, deep = strings.Cut(rest, ".")
		v = decode.Member(v.Sub, name)
	}
	if v == nil || v.State == decode.Absent {
		return nil
	}
	return v
}

// Uint is a number, unsigned; for flags and enumerations their value. Behind a pointer, it is the number that it points to.
func (a Args) Uint(path string) (n uint64, ok bool) {
	v := a.find(path)
	if v == nil || v.State != decode.Known {
		return 0, false
	}
	return v.Num, true
}

// Int is a number, sign-extended from its width.
func (a Args) Int(path string) (n int64, ok bool) {
	v := a.find(path)
	if v == nil || v.State != decode.Known {
		return 0, false
	}
	return v.Int(), true
}

// String is a string, such as a path; of buffers it is as much as Options.Decode has read.
func (a Args) String(path string) (s string, ok bool) {
	v := a.find(path)
	if v == nil || v.State != decode.Known || v.Bytes == nil {
		return "", false
	}
	return string(v.Bytes), true
}

// Addr is where a pointer points, 0 for a null pointer.
func (a Args) Addr(path string) (addr uint64, ok bool) {
	v := a.find(path)
	if v == nil || v.Type.Dir == 0 {
		return 0, false
	}
	return v.Addr, true
}
