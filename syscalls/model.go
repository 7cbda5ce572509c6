package syscalls

// Dir says what the kernel does with the memory behind a pointer.
type Dir uint8

// The directions. By-value arguments and fields have none.
const (
	In    Dir = 1 << iota // the kernel reads it
	Out                   // the kernel writes it
	InOut = In | Out
)

func (d Dir) String() string {
	return [...]string{"", "in", "out", "inout"}[d&InOut]
}

// A Kind is how a value of a type is read and shown.
type Kind uint8

// The kinds of the description language; see docs/HOWTO-add-a-system-call.md.
const (
	KindInt     Kind = iota // signed decimal
	KindUint                // unsigned decimal
	KindHex                 // hexadecimal, 0 as 0
	KindOct                 // octal with a leading 0
	KindPtr                 // an address whose pointee is not described
	KindFD                  // file descriptor
	KindDirFD               // file descriptor or AT_FDCWD
	KindPID                 // process or thread id
	KindUID                 // user or group id, -1 for "no change"
	KindSignal              // signal number
	KindPerm                // permission bits, octal, at least three digits
	KindMode                // file type and permission bits
	KindDev                 // device number
	KindTime                // seconds since the Epoch
	KindNsec                // nanoseconds
	KindPort                // port in network byte order
	KindIPv4                // 4 bytes
	KindIPv6                // 16 bytes
	KindRlim                // resource limit
	KindFlags               // bits of Set
	KindEnum                // one value of Set
	KindConst               // the value that chooses a variant of a call
	KindString              // NUL-terminated, limited by the string size
	KindPath                // NUL-terminated path name, shown whole
	KindBytes               // Len bytes, RetLen of them valid after the call
	KindChars               // fixed-size array of characters, ended by NUL if shorter
	KindArray               // Len elements, RetLen of them valid after the call
	KindStruct              // fields of Struct
	KindUnion               // the alternative of Union that Sel chooses
	KindSigset              // Len bytes of signal bits
	KindStrings             // NULL-terminated vector of pointers to strings (argv)
	KindEnv                 // the same, shown by its count unless verbose
	KindPad                 // bytes never shown
	KindDate                // seconds since the Epoch, shown as a date too; Len gives the nanoseconds
	KindRecords             // as KindArray, with Len in bytes and elements that say how long they are
	KindHex0                // hexadecimal, padded with zeros to the digits of its width
	KindStatus              // status of a child as wait(2) gives it
	KindErrno               // 0, a number, or a negated error number
	KindTicks               // clock ticks of 1/100 s
	KindBitset              // numbers of the bits set in Len bytes, RetLen of them valid after the call
	KindIfindex             // index of a network interface
	KindList                // elements of varying size: each begins with its own length
	KindSunPath             // path of a UNIX socket; a leading NUL makes it abstract
	KindHex8                // hexadecimal, at least eight characters
	KindMAC                 // hardware address
	KindErrnum              // error number, 0 as 0
	KindBits                // numbers of the bits that are set, named by Set
	KindFDSet               // descriptors below Len as bits, for select(2)
	numKinds
)

// Widths that depend on the ABI. Other values of Type.Width are bytes.
const (
	WidthLong uint8 = 254 // __kernel_long_t: 4 on i386, 8 elsewhere
	WidthWord uint8 = 255 // size_t and pointers: 4 on i386 and x32, 8 elsewhere
)

// Widths of KindBytes.
const (
	WholeBytes uint8 = 1 // shown whole, whatever the limit on strings
	HexBytes   uint8 = 2 // shown in hexadecimal
	IntBytes   uint8 = 4 // shown as an int when there are four of them, by address when there are none
)

// A Type describes a value in a register or in memory. With a direction it is a pointer
// to such a value.
type Type struct {
	Kind   Kind
	Dir    Dir
	Width  uint8  // of a number, in bytes, or WidthLong, WidthWord
	Format Format // a Go formatter that adds what the language cannot say
	Set    *Set
	Struct *Struct
	Union  *Union
	Elem   *Type
	Len    *Expr   // bytes or elements before the call; for a struct: bytes the caller gave
	RetLen *Expr   // the same after the call, nil for Len
	Sel    *Expr   // chooses the union's alternative
	Params []*Expr // what a structure's $1, $2, ... stand for
}

// Attr modifies how an argument or field is shown.
type Attr uint16

// The attributes.
const (
	AttrVerbose Attr = 1 << iota // @v: left out, and "..." shown, unless verbose
	AttrNonzero                  // @nz: left out when zero
	AttrHidden                   // @hide: never shown
	AttrExit                     // @exit: shown only once the call has returned, and what follows too
	AttrEntry                    // @entry: shown at entry although an earlier argument is written by the kernel
	AttrNamed                    // @name: shown as name=value in an argument list
	AttrPlain                    // @plain: shown without its name in a structure
	AttrApart                    // @apart: a number before and after the call is shown as [1] => [2], not [1 => 2]
	AttrFlat                     // @flat: the fields of this structure or union belong to its parent
	AttrOver                     // @over: lies over the member before it, as in a union
	AttrAfter                    // @after: an argument whose comma is shown only once the call has returned
	AttrBrief                    // @brief: a pointer shown as such unless verbose
	AttrArrow                    // @arrow: an argument shown behind an arrow instead of a comma
	AttrWas                      // @was: a member shown with its value before the call too, when that differs
	AttrOK                       // @ok: a member shown only if the call succeeded
)

// attrReg marks an argument whose register was given while its line is parsed.
const attrReg Attr = 1 << 15

// A Field is an argument of a call or a member of a structure.
type Field struct {
	Name  string
	Type  *Type
	Attr  Attr
	Reg   uint8     // arguments: the index of its register; i386 differs where 64-bit values come first
	Reg32 uint8     // arguments: the same on i386
	Off   [3]uint16 // members: offset by layout
	Cond  *Expr     // present only when non-zero
	When  *Expr     // the memory behind the pointer is looked at only when non-zero, and then in any case
	Bits  [2]uint8  // members: the lowest bit and the number of bits of a bit field
}

// RegSP stands for the stack pointer where the index of an argument's register is wanted: the
// frame that rt_sigreturn(2) finds there.
const RegSP = 6

// The layouts of structures in memory.
const (
	LayoutLP64 = iota // amd64, arm64
	LayoutI386        // 4-byte words, 64-bit integers aligned to 4
	LayoutX32         // 4-byte pointers, 8-byte kernel longs
)

// Layout is the index of the ABI's structure layout.
func (a ABI) Layout() int {
	switch a {
	case I386:
		return LayoutI386
	case X32:
		return LayoutX32
	}
	return LayoutLP64
}

// A Struct is a structure with its layout on each ABI.
type Struct struct {
	Name   string
	Fields []Field
	Size   [3]uint16
	Packed bool
	Dated  bool    // seconds and a fraction, shown as a date too
	Show   []uint8 // the order in which members are shown, nil for that of memory
	Tuple  bool    // its members are shown without names in brackets
}

// A Union is a choice of types by the value of a selector.
type Union struct {
	Name string
	Alts []Alt
	Else *Type // nil: nothing is shown
}

// An Alt is one alternative of a Union.
type Alt struct {
	Vals []uint64
	Type *Type
	Min  uint16 // bytes that must be there, or else Union.Else applies
	Only bool   // with fewer bytes (Min 0: than the type has) nothing applies, not even Union.Else
}

// Pick returns the alternative for a selector's value and have bytes of memory, nil if there is
// none.
func (u *Union) Pick(sel uint64, have, layout int) *Type {
	for i := range u.Alts {
		for _, v := range u.Alts[i].Vals {
			if v == sel {
				if u.Alts[i].Only {
					if have < int(u.Alts[i].Min) || u.Alts[i].Min == 0 && have < u.Alts[i].Type.Extent(layout) {
						return nil
					}
				} else if have < int(u.Alts[i].Min) {
					return u.Else
				}
				return u.Alts[i].Type
			}
		}
	}
	return u.Else
}

// A Call describes a system call, or one variant of it.
type Call struct {
	Name     string
	Variant  string // the part behind $, empty for the call itself
	Args     []Field
	Ret      *Type
	Aux      *Type  // shown in parentheses behind the result
	AuxText  string // precedes Aux
	Class    Class
	Defer    uint8   // index of the first argument that is known only at exit
	Derived  bool    // arguments come from the kernel's own prototype, nobody has described them
	Key      uint8   // index of the argument that chooses the variant
	Variants []*Call // sorted by the value of the key argument
}

// KeyValue is the value of the constant argument with index key in a variant.
func (c *Call) KeyValue(key uint8) uint64 {
	if int(key) < len(c.Args) && c.Args[key].Type.Kind == KindConst {
		return c.Args[key].Type.Set.Vals[0].Value
	}
	return 0
}

// Match returns the variant of c that the argument registers choose, or c itself.
// It looks at the low 32 bits of each constant argument, as the kernel does.
func (c *Call) Match(args *[6]uint64, i386 bool) *Call {
	if len(c.Variants) == 0 {
		return c
	}
	want := uint32(args[c.Args[c.Key].reg(i386)])
	lo, hi := 0, len(c.Variants)
	for lo < hi {
		m := int(uint(lo+hi) >> 1)
		if uint32(c.Variants[m].KeyValue(c.Key)) < want {
			lo = m + 1
		} else {
			hi = m
		}
	}
next:
	for ; lo < len(c.Variants); lo++ {
		v := c.Variants[lo]
		if uint32(v.KeyValue(c.Key)) != want {
			break
		}
		for i := range v.Args {
			a := &v.Args[i]
			if a.Type.Kind == KindConst && uint8(i) != c.Key &&
				uint32(a.Type.Set.Vals[0].Value) != uint32(args[a.reg(i386)]) {
				continue next
			}
		}
		return v
	}
	return c
}

func (f *Field) reg(i386 bool) uint8 {
	if i386 {
		return f.Reg32
	}
	return f.Reg
}

// Register is the index of the register (0 to 5) that holds the argument, or its low half; RegSP is none of
// the six.
func (f *Field) Register(a ABI) int { return int(f.reg(a == I386)) }

// Size is the number of bytes that a value of the type occupies in memory: the pointer's
// size when it has a direction. Variable-length types give 0.
func (t *Type) Size(layout int) int {
	if t.Dir != 0 {
		return wordSize(layout)
	}
	return t.Extent(layout)
}

// Extent is the number of bytes of the value itself, behind the pointer when the type has a
// direction. Variable-length types give 0.
func (t *Type) Extent(layout int) int {
	switch t.Kind {
	case KindStruct:
		return int(t.Struct.Size[layout])
	case KindUnion:
		n := 0
		for i := range t.Union.Alts {
			n = max(n, t.Union.Alts[i].Type.Size(layout))
		}
		if t.Union.Else != nil {
			n = max(n, t.Union.Else.Size(layout))
		}
		return n
	case KindBytes, KindChars, KindPad, KindSigset, KindBitset, KindSunPath, KindMAC:
		if t.Len != nil && t.Len.Op == OpNum {
			return int(t.Len.Num)
		}
		return 0
	case KindArray:
		if t.Len != nil && t.Len.Op == OpNum {
			return int(t.Len.Num) * t.Elem.Size(layout)
		}
		return 0
	case KindIPv4:
		return 4
	case KindIPv6:
		return 16
	case KindPort:
		return max(2, int(t.Width))
	}
	return t.width(layout)
}

func (t *Type) width(layout int) int {
	switch t.Width {
	case WidthLong:
		if layout == LayoutI386 {
			return 4
		}
		return 8
	case WidthWord:
		return wordSize(layout)
	}
	return int(t.Width)
}

func wordSize(layout int) int {
	if layout == LayoutLP64 {
		return 8
	}
	return 4
}

// align is the alignment of a value of the type in a structure.
func (t *Type) align(layout int) int {
	n := 1
	switch {
	case t.Dir != 0:
		n = wordSize(layout)
	case t.Kind == KindStruct:
		if t.Struct.Packed {
			return 1
		}
		for i := range t.Struct.Fields {
			n = max(n, t.Struct.Fields[i].Type.align(layout))
		}
	case t.Kind == KindUnion:
		for i := range t.Union.Alts {
			n = max(n, t.Union.Alts[i].Type.align(layout))
		}
		if t.Union.Else != nil {
			n = max(n, t.Union.Else.align(layout))
		}
	case t.Kind == KindArray:
		n = t.Elem.align(layout)
	case t.Kind == KindBytes, t.Kind == KindChars, t.Kind == KindPad, t.Kind == KindIPv6, t.Kind == KindList, t.Kind == KindSunPath, t.Kind == KindMAC:
		n = 1
	case t.Kind == KindSigset, t.Kind == KindBitset:
		n = wordSize(layout)
	case t.Kind == KindIPv4:
		n = 4
	case t.Kind == KindPort:
		n = max(2, int(t.Width))
	default:
		n = max(1, t.width(layout))
	}
	if layout == LayoutI386 {
		n = min(n, 4)
	}
	return n
}

// maxStruct is the size of the largest structure, in bytes.
const maxStruct = 1<<16 - 1

// place computes the offsets of a structure's members and its size on every layout. It tells whether the
// structure is small enough.
func (s *Struct) place() bool {
	for l := range s.Size {
		off, align := 0, 1
		for i := range s.Fields {
			f := &s.Fields[i]
			a := f.Type.align(l)
			if s.Packed {
				a = 1
			}
			align = max(align, a)
			if (f.Bits[0] > 0 || f.Attr&AttrOver != 0) && i > 0 { // shares the previous member's storage
				f.Off[l] = s.Fields[i-1].Off[l]
				continue
			}
			off = (off + a - 1) / a * a
			size := f.Type.Size(l)
			if size < 0 || size > maxStruct || off+size > maxStruct {
				return false
			}
			f.Off[l] = uint16(off)
			off += size
		}
		if off = (off + align - 1) / align * align; off > maxStruct {
			return false
		}
		s.Size[l] = uint16(off)
	}
	return true
}
