package main

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"farcall/internal/gen/tracefs"
	"farcall/syscalls"
)

// check compares the 64-bit descriptions with the kernel's prototypes: the number of arguments,
// and that a pointer is described as one. Names may differ where strace users know another.
func check(t *syscalls.Table, protos map[string][]tracefs.Arg) error {
	var errs []error
	calls := t.Calls[syscalls.AMD64]
	for _, name := range slices.Sorted(maps.Keys(calls)) {
		proto, ok := protos[name]
		if !ok {
			continue
		}
		c := calls[name]
		for _, v := range append([]*syscalls.Call{c}, c.Variants...) {
			n := 0
			for _, a := range v.Args {
				if a.Reg < syscalls.RegSP {
					n = max(n, int(a.Reg)+1)
				}
			}
			if n > len(proto) || v == c && n < len(proto) {
				errs = append(errs, fmt.Errorf("%s$%s has %d arguments, the kernel's prototype %d", name, v.Variant, n, len(proto)))
				continue
			}
			for _, a := range v.Args {
				i := a.Reg
				if i >= syscalls.RegSP {
					continue
				}
				pointer := a.Type.Dir != 0 || a.Type.Kind == syscalls.KindPtr
				if !pointer && strings.Contains(proto[i].Type, "*") && a.Type.Kind != syscalls.KindUnion && a.Type.Width != syscalls.WidthWord {
					errs = append(errs, fmt.Errorf("%s: argument %s is a %s in the kernel's prototype, not a pointer here", name, a.Name, proto[i].Type))
				}
			}
		}
	}
	return errors.Join(errs...)
}

// derive describes the calls that nobody has described from their prototypes.
func derive(t *syscalls.Table, protos map[string][]tracefs.Arg) {
	for a := range t.Calls {
		for _, name := range syscalls.ABI(a).Names() {
			if t.Calls[a][name] != nil {
				continue
			}
			c := &syscalls.Call{Name: name, Ret: &syscalls.Type{Kind: syscalls.KindInt, Width: syscalls.WidthLong}, Derived: true}
			proto, ok := protos[name]
			if !ok { // unknown: all six registers, as strace shows such calls
				for i := range 6 {
					proto = append(proto, tracefs.Arg{Name: fmt.Sprintf("arg%d", i), Type: "unsigned long"})
				}
			}
			for i, p := range proto {
				c.Args = append(c.Args, syscalls.Field{Name: p.Name, Type: derivedType(p), Reg: uint8(i), Reg32: uint8(i)})
			}
			c.Defer = uint8(len(c.Args))
			t.Calls[a][name] = c
		}
	}
}

// derivedType guesses from a C type and a name.
func derivedType(a tracefs.Arg) *syscalls.Type {
	typ := strings.TrimSpace(strings.ReplaceAll(a.Type, "const ", ""))
	switch {
	case strings.Contains(typ, "*"):
		return &syscalls.Type{Kind: syscalls.KindPtr, Width: syscalls.WidthWord}
	case strings.HasSuffix(a.Name, "dfd") || a.Name == "dirfd":
		return &syscalls.Type{Kind: syscalls.KindDirFD, Width: 4}
	case (a.Name == "fd" || strings.HasSuffix(a.Name, "_fd")) && strings.HasSuffix(typ, "int"):
		return &syscalls.Type{Kind: syscalls.KindFD, Width: 4}
	case typ == "pid_t":
		return &syscalls.Type{Kind: syscalls.KindPID, Width: 4}
	case typ == "int", typ == "key_t", typ == "mqd_t", typ == "timer_t", typ == "clockid_t":
		return &syscalls.Type{Kind: syscalls.KindInt, Width: 4}
	case typ == "size_t":
		return &syscalls.Type{Kind: syscalls.KindUint, Width: syscalls.WidthWord}
	case typ == "unsigned int", typ == "u32", typ == "uid_t", typ == "gid_t":
		return &syscalls.Type{Kind: syscalls.KindHex, Width: 4}
	}
	return &syscalls.Type{Kind: syscalls.KindHex, Width: syscalls.WidthLong}
}
