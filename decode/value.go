package decode

import "farcall/syscalls"

// State says how much of a value is known.
type State uint8

// The states.
const (
	Known   State = iota // Num, Bytes or Sub hold it
	Null                 // a null pointer
	Address              // only Addr: not described, not readable, or the call failed
	Absent               // the argument does not exist in this call
)

// A Value is an argument, a member of a structure or an element of an array: always the raw
// number, and what the description makes of it.
type Value struct {
	Name  string
	Type  *syscalls.Type
	Attr  syscalls.Attr
	State State
	More  bool    // Bytes or Sub were cut at the limit
	Num   uint64  // the number; behind a pointer, the number it points to
	Addr  uint64  // where the pointer points
	Bytes []byte  // the contents of strings and buffers; for fds and pids what was found out about them
	Sub   []Value // members or elements
	Pre   *Value  // inout: the value before the call
	Note  []byte  // a remark that belongs to the value, shown as a comment
	Sym   []byte  // a symbolic form of the number that a formatter found
	Size  int     // bytes or elements there are, of which Bytes or Sub may show a part; for a date its nanoseconds
}

// Int is the number as a signed one of the type's width.
func (v *Value) Int() int64 { return signExtend(v.Num, v.Type, syscalls.LayoutLP64) }

// Member returns the member or argument with the name, nil if there is none.
func Member(vs []Value, name string) *Value {
	for i := range vs {
		if vs[i].Name == name && vs[i].State != Absent {
			return &vs[i]
		}
		if vs[i].Attr&syscalls.AttrFlat != 0 {
			if m := Member(vs[i].Sub, name); m != nil {
				return m
			}
		}
	}
	return nil
}

func signExtend(n uint64, t *syscalls.Type, layout int) int64 {
	switch t.Extent(layout) {
	case 1:
		return int64(int8(n))
	case 2:
		return int64(int16(n))
	case 4:
		return int64(int32(n))
	}
	return int64(n)
}

func truncate(n uint64, width int) uint64 {
	switch width {
	case 1:
		return n & 0xff
	case 2:
		return n & 0xffff
	case 4:
		return n & 0xffffffff
	}
	return n
}
