package syscalls

import "strconv"

// A Set names the values of a flags or enum type.
type Set struct {
	Name    string
	Unknown string // what stands in the comment behind an unknown value, such as "O_???"; a leading | puts it behind unknown bits beside known ones too
	Vals    []Val
	ARM64   []Val    // the same where numbers differ on arm64, nil if none does
	Sorted  []uint16 // indices into Vals by value, for large enums
}

// A Val is a named value. In a flag set it is present in v when v&Mask == Value.
type Val struct {
	Name  string
	Value uint64
	Mask  uint64
}

// For returns the values as they are numbered on the ABI.
func (s *Set) For(a ABI) []Val {
	if a == ARM64 && s.ARM64 != nil {
		return s.ARM64
	}
	return s.Vals
}

// HasZero tells whether a flag set has a name for no bits.
func (s *Set) HasZero() bool {
	for i := range s.Vals {
		if s.Vals[i].Value == 0 {
			return true
		}
	}
	return false
}

// Lookup returns the name of a single value, "" if it has none. A negative value is found by its
// low 32 bits too.
func (s *Set) Lookup(a ABI, v uint64) string {
	name := s.lookup(a, v)
	if name == "" && v>>31 == 1 {
		name = s.lookup(a, v|0xffffffff<<32)
	}
	return name
}

func (s *Set) lookup(a ABI, v uint64) string {
	vals := s.For(a)
	if s.Sorted != nil && a != ARM64 {
		lo, hi := 0, len(s.Sorted)
		for lo < hi {
			m := int(uint(lo+hi) >> 1)
			if vals[s.Sorted[m]].Value < v {
				lo = m + 1
			} else {
				hi = m
			}
		}
		if lo < len(s.Sorted) && vals[s.Sorted[lo]].Value == v {
			return vals[s.Sorted[lo]].Name
		}
		return ""
	}
	for i := range vals {
		if vals[i].Value == v {
			return vals[i].Name
		}
	}
	return ""
}

// AppendFlags appends the names of the bits in v, joined by sep, and the rest in
// hexadecimal. known tells whether at least one name applied.
func (s *Set) AppendFlags(dst []byte, a ABI, v uint64, sep byte) (out []byte, known bool) {
	vals := s.For(a)
	rest := v
	perm := s.PermMask()
	if perm != 0 {
		rest &^= perm
		vals = vals[:len(vals)-1]
		defer func() {
			if rest := v &^ perm; rest != 0 && !known {
				out = append(strconv.AppendUint(append(out, "0x"...), rest, 16), sep)
			} else if known {
				out = append(out, sep)
			}
			out, known = AppendPerm(out, v&perm), true
		}()
	}
	var number uint64 // what stands in the bits of shifted
	var shifted *Val
	for i := range vals {
		f := &vals[i]
		if f.Value == 0 && f.Mask == 0 { // a name for "nothing set"
			if v == 0 && !known {
				return append(dst, f.Name...), true
			}
			continue
		}
		if f.Value&^f.Mask != 0 { // a number in the bits of the mask, which begin at bit Value
			if n := rest & f.Mask >> f.Value; n != 0 {
				number, shifted = n, f
				rest &^= f.Mask
			}
			continue
		}
		if rest&f.Mask != f.Value || f.Value == 0 && v&f.Mask != 0 {
			continue
		}
		if known {
			dst = append(dst, sep)
		}
		dst = append(dst, f.Name...)
		rest &^= f.Mask
		known = true
	}
	if rest != 0 && (known || shifted != nil) {
		if known {
			dst = append(dst, sep)
		}
		dst = append(dst, '0', 'x')
		dst = strconv.AppendUint(dst, rest, 16)
		known = true
	}
	if shifted != nil {
		if known {
			dst = append(dst, sep)
		}
		dst = append(append(strconv.AppendUint(dst, number, 10), "<<"...), shifted.Name...)
		known = true
	}
	return dst, known
}

// Shifted returns the value that stands for a number in some bits of the set, nil if there is none.
func (s *Set) Shifted(a ABI) *Val {
	vals := s.For(a)
	for i := range vals {
		if f := &vals[i]; f.Value&^f.Mask != 0 && f.Mask != 0 {
			return f
		}
	}
	return nil
}

// PermMask is the mask of the permission bits among the flags: the last value, without a name, stands for them.
func (s *Set) PermMask() uint64 {
	if n := len(s.Vals); n > 0 && s.Vals[n-1].Name == "" {
		return s.Vals[n-1].Mask
	}
	return 0
}

// AppendPerm appends permission bits in octal, with at least three digits: %#03o of C.
func AppendPerm(dst []byte, n uint64) []byte {
	switch {
	case n == 0:
		return append(dst, "000"...)
	case n < 8:
		dst = append(dst, "00"...)
	default:
		dst = append(dst, '0')
	}
	return strconv.AppendUint(dst, n, 8)
}

// Rest returns the bits of v that no name covers.
func (s *Set) Rest(a ABI, v uint64) uint64 {
	rest := v
	vals := s.For(a)
	for i := range vals {
		if f := &vals[i]; rest&f.Mask == f.Value {
			rest &^= f.Mask
		}
	}
	return rest
}
