package filter

import (
	"iter"
	"strings"

	"farcall/syscalls"
)

// A constant is a named value. It is present in v when v & mask is its pattern.
type constant struct {
	n    integer
	mask uint64
}

// Values that types know beside those of their sets (linux/fcntl.h, linux/stat.h, linux/resource.h).
var (
	dirConstants  = []syscalls.Val{{Name: "AT_FDCWD", Value: ^uint64(99), Mask: ^uint64(0)}}
	modeConstants = []syscalls.Val{
		{Name: "S_IFSOCK", Value: 0o140000, Mask: 0o170000}, {Name: "S_IFLNK", Value: 0o120000, Mask: 0o170000},
		{Name: "S_IFREG", Value: 0o100000, Mask: 0o170000}, {Name: "S_IFBLK", Value: 0o060000, Mask: 0o170000},
		{Name: "S_IFDIR", Value: 0o040000, Mask: 0o170000}, {Name: "S_IFCHR", Value: 0o020000, Mask: 0o170000},
		{Name: "S_IFIFO", Value: 0o010000, Mask: 0o170000},
		{Name: "S_ISUID", Value: 0o4000, Mask: 0o4000}, {Name: "S_ISGID", Value: 0o2000, Mask: 0o2000}, {Name: "S_ISVTX", Value: 0o1000, Mask: 0o1000},
	}
	rlimConstants = []syscalls.Val{
		{Name: "RLIM_INFINITY", Value: ^uint64(0), Mask: ^uint64(0)}, {Name: "RLIM64_INFINITY", Value: ^uint64(0), Mask: ^uint64(0)},
	}
)

// constantsOf are the named values of a type on an ABI, those of signals and errors excepted.
func constantsOf(t *syscalls.Type, a syscalls.ABI) []syscalls.Val {
	switch {
	case t.Set != nil:
		return t.Set.For(a)
	case t.Kind == syscalls.KindDirFD:
		return dirConstants
	case t.Kind == syscalls.KindMode, t.Kind == syscalls.KindPerm:
		return modeConstants
	case t.Kind == syscalls.KindRlim:
		return rlimConstants
	}
	return nil
}

// lookup finds a named value of a type. Of sets of bits the number of a bit is found.
func lookup(t *syscalls.Type, a syscalls.ABI, name string) (constant, bool) {
	switch t.Kind {
	case syscalls.KindSignal, syscalls.KindSigset:
		n, ok := syscalls.SignalNumber(name)
		return constant{integer{mag: uint64(n)}, ^uint64(0)}, ok
	case syscalls.KindErrno, syscalls.KindErrnum:
		n, ok := syscalls.ErrnoNumber(name)
		return constant{integer{mag: uint64(n)}, ^uint64(0)}, ok
	}
	for _, v := range constantsOf(t, a) {
		if name == "" || v.Name != name && !oneOf(v.Name, name) {
			continue
		}
		c := constant{integer{mag: v.Value}, v.Mask}
		if v.Value>>63 != 0 {
			c.n = integer{neg: true, mag: -v.Value}
		}
		if t.Kind == syscalls.KindEnum || t.Kind == syscalls.KindConst || t.Kind == syscalls.KindBits || v.Value&^v.Mask != 0 {
			c.mask = ^uint64(0)
		}
		return c, true
	}
	return constant{}, false
}

// oneOf tells whether names that one number has, as in "SNDCTL_TMR_START or TCSETS", include one.
func oneOf(names, name string) bool {
	if len(names) < len(name)+len(" or ") {
		return false
	}
	for n := range strings.SplitSeq(names, " or ") {
		if n == name {
			return true
		}
	}
	return false
}

// constantNames are the names that lookup knows for a type.
func constantNames(t *syscalls.Type, a syscalls.ABI) iter.Seq[string] {
	return func(yield func(string) bool) {
		switch t.Kind {
		case syscalls.KindSignal, syscalls.KindSigset:
			for n := 1; n <= 64; n++ {
				if !yield(syscalls.SignalName(n)) {
					return
				}
			}
		case syscalls.KindErrno, syscalls.KindErrnum:
			for n := range 600 {
				if name := syscalls.ErrnoName(n); name != "" && !yield(name) {
					return
				}
			}
		default:
			for _, v := range constantsOf(t, a) {
				for name := range strings.SplitSeq(v.Name, " or ") {
					if name != "" && !yield(name) {
						return
					}
				}
			}
		}
	}
}

// The types of what is no argument.
var (
	errnoType = syscalls.Type{Kind: syscalls.KindErrnum, Width: 4}
	longType  = syscalls.Type{Kind: syscalls.KindInt, Width: 8}
	pidType   = syscalls.Type{Kind: syscalls.KindInt, Width: 4}
	regType   = syscalls.Type{Kind: syscalls.KindHex, Width: 8}
	reg32Type = syscalls.Type{Kind: syscalls.KindHex, Width: 4}
)

// ownType is the type of a number that is no argument of the call.
func (f *field) ownType(a syscalls.ABI) *syscalls.Type {
	switch f.kind {
	case fieldErrno:
		return &errnoType
	case fieldReg:
		if a == syscalls.I386 {
			return &reg32Type
		}
		return &regType
	case fieldPID, fieldTID, fieldDepth:
		return &pidType
	}
	return &longType
}
