// Package btfcheck tells how the running kernel lays out its structures, for tests that compare
// it with what the descriptions of system calls say.
package btfcheck

import (
	"errors"
	"fmt"
	"sync"

	"github.com/cilium/ebpf/btf"
)

// ErrNotFound is in the chain of errors of Layout when the kernel has no such structure: it was
// built without the feature, or has no BTF (CONFIG_DEBUG_INFO_BTF).
var ErrNotFound = btf.ErrNotFound

// A Kind is the shape of a member.
type Kind string

// Kinds of members; typedefs and qualifiers are seen through.
const (
	Int      Kind = "int"
	Unsigned Kind = "unsigned"
	Bool     Kind = "bool"
	Enum     Kind = "enum"
	Pointer  Kind = "pointer"
	Struct   Kind = "struct"
	Union    Kind = "union"
	Array    Kind = "array"
	Other    Kind = "other"
)

// A Member is one field of a structure. Offset and Size are in bytes from the start of the
// structure that was asked for; a bit field has Bits above 0, its offset is rounded down.
type Member struct {
	Name   string
	Offset int
	Size   int
	Kind   Kind
	Bits   int
}

var kernel = sync.OnceValues(btf.LoadKernelSpec)

// Layout is the members of struct (or union) name of the running kernel, by offset, and its size
// in bytes. Members of anonymous structures and unions stand among those of the outer one, as C
// names them.
func Layout(name string) ([]Member, int, error) {
	spec, err := kernel()
	if err != nil {
		return nil, 0, fmt.Errorf("layout of %s: %w", name, err)
	}
	types, err := spec.AnyTypesByName(name)
	if err != nil {
		return nil, 0, fmt.Errorf("layout of %s: %w", name, err)
	}
	for _, t := range types {
		switch t := btf.UnderlyingType(t).(type) {
		case *btf.Struct:
			members, err := flatten(nil, t.Members, 0)
			return members, int(t.Size), wrap(name, err)
		case *btf.Union:
			members, err := flatten(nil, t.Members, 0)
			return members, int(t.Size), wrap(name, err)
		}
	}
	return nil, 0, fmt.Errorf("layout of %s: no structure: %w", name, ErrNotFound)
}

func wrap(name string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("layout of %s: %w", name, err)
}

func flatten(list []Member, members []btf.Member, base int) ([]Member, error) {
	for _, m := range members {
		offset := base + int(m.Offset.Bytes())
		inner := btf.UnderlyingType(m.Type)
		if m.Name == "" {
			var nested []btf.Member
			switch t := inner.(type) {
			case *btf.Struct:
				nested = t.Members
			case *btf.Union:
				nested = t.Members
			default:
				continue // an unnamed bit field pads
			}
			var err error
			if list, err = flatten(list, nested, offset); err != nil {
				return nil, err
			}
			continue
		}
		size, err := btf.Sizeof(m.Type)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", m.Name, err)
		}
		list = append(list, Member{m.Name, offset, size, kind(inner), int(m.BitfieldSize)})
	}
	return list, nil
}

func kind(t btf.Type) Kind {
	switch t := t.(type) {
	case *btf.Int:
		switch {
		case t.Encoding&btf.Bool != 0:
			return Bool
		case t.Encoding&btf.Signed != 0:
			return Int
		}
		return Unsigned
	case *btf.Enum:
		return Enum
	case *btf.Pointer:
		return Pointer
	case *btf.Struct:
		return Struct
	case *btf.Union:
		return Union
	case *btf.Array:
		return Array
	}
	return Other
}

// Available reports why the running kernel's BTF cannot be read, nil if it can.
func Available() error {
	if _, err := kernel(); err != nil {
		return errors.Join(errors.New("no kernel BTF"), err)
	}
	return nil
}
