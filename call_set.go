package farcall

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"farcall/decode"
	"farcall/syscalls"
)

// errDone is returned for changes of arguments that come too late.
var errDone = errors.New("the kernel has answered already")

// argument finds an argument by name.
func (c *Call) argument(name string) (int, *syscalls.Field, error) {
	return argumentOf(c.call.Desc, name)
}

func argumentOf(desc *syscalls.Call, name string) (int, *syscalls.Field, error) {
	args := desc.Args
	for i := range args {
		if args[i].Name == name {
			return i, &args[i], nil
		}
	}
	names := make([]string, len(args))
	for i := range args {
		names[i] = args[i].Name
	}
	return 0, nil, fmt.Errorf("%s has no argument %q; it has %s", desc.Name, name, strings.Join(names, ", "))
}

// register is where an argument is, an error for the one that is none.
func (c *Call) register(f *syscalls.Field) (int, error) {
	r := f.Register(c.ABI())
	if r >= len(c.args) {
		return 0, fmt.Errorf("%s of %s is in no register: %w", f.Name, c.Name(), ErrNotSupported)
	}
	return r, nil
}

// SetValue changes the argument with that name before next executes the call: a number, or where a pointer points.
//
// Errors: there is no such argument; it is too late.
func (c *Call) SetValue(name string, v uint64) error {
	_, f, err := c.argument(name)
	if err != nil {
		return err
	}
	if c.done {
		return fmt.Errorf("set %s: %w", name, errDone)
	}
	r, err := c.register(f)
	if err != nil {
		return err
	}
	c.SetArg(r, v)
	if f.Type.Dir == 0 && c.ABI() == syscalls.I386 && f.Type.Extent(syscalls.LayoutI386) == 8 && r+1 < len(c.args) {
		c.SetArg(r+1, v>>32)
	}
	return nil
}

// SetString lets the argument with that name, such as a path, point to another NUL-terminated string, of any length. What the
// program's own pointer points to is not touched. Before next only.
//
// Errors: there is no such argument, or it is no pointer; ErrNoScratch; ErrGone.
func (c *Call) SetString(name, s string) error {
	if strings.IndexByte(s, 0) >= 0 {
		return fmt.Errorf("set %s: a string with a zero byte", name)
	}
	return c.SetBytes(name, append([]byte(s), 0))
}

// SetBytes lets the argument with that name point to other bytes. An argument that says how many there are stays as it is. What
// the kernel changes in them is copied to where the program's own pointer points. Before next only.
//
// Errors: as SetString.
func (c *Call) SetBytes(name string, b []byte) error {
	_, f, err := c.argument(name)
	switch {
	case err != nil:
		return err
	case c.done || c.answered:
		return fmt.Errorf("set %s: %w", name, errDone)
	case f.Type.Dir == 0 && f.Type.Kind != syscalls.KindPtr:
		return fmt.Errorf("set %s: it is a number, no pointer", name)
	}
	r, err := c.register(f)
	if err != nil {
		return err
	}
	h := c.handling
	origin := c.args[r]
	for i := range h.loans {
		if l := &h.loans[i]; l.place.addr == c.args[r] {
			origin = l.origin // it points to our own memory already
		}
	}
	p, err := h.place(len(b))
	if err != nil {
		return err
	}
	_, err = c.WriteMemory(p.addr, b)
	if err == unix.EFAULT {
		// The program has unmapped it, or was forked just before it was mapped: begin anew.
		spaceOf(c.thread).free = nil
		h.places = h.places[:len(h.places)-1]
		if p, err = h.place(len(b)); err == nil {
			_, err = c.WriteMemory(p.addr, b)
		}
	}
	if err != nil {
		return fmt.Errorf("set %s: %w", name, err)
	}
	l := loan{place: p, origin: origin}
	if f.Type.Dir&syscalls.Out != 0 && origin != 0 {
		l.was = slices.Clone(b)
	}
	h.loans = append(h.loans, l)
	c.SetArg(r, p.addr)
	return nil
}

// A loan is scratch memory that stands in for some of the program's.
type loan struct {
	place  place
	origin uint64 // where the program's own pointer points
	was    []byte // what it held before the call, if the kernel may write to it
}

// settle copies what the kernel has written to scratch memory to where the program looks for it.
func (h *handling) settle() {
	for i := range h.loans {
		l := &h.loans[i]
		now := make([]byte, len(l.was))
		n, _ := h.call.ReadMemory(l.place.addr, now)
		for from := 0; from < n; {
			if now[from] == l.was[from] {
				from++
				continue
			}
			to := from + 1
			for to < n && now[to] != l.was[to] {
				to++
			}
			_, _ = h.call.WriteMemory(l.origin+uint64(from), now[from:to]) // EFAULT, as the kernel would have found
			h.call.dirty = true
			from = to
		}
	}
	h.loans = h.loans[:0]
}

// SetField changes one field of a structure that an argument points to, named like statbuf.st_size: before next in a copy that the kernel
// reads, after it in the program's memory. Fields of structures within structures are named with further points.
//
// Errors: there is no such argument or field, or it is no number; the pointer is null or bad; ErrNoScratch; ErrGone.
func (c *Call) SetField(path string, v uint64) error {
	name, rest, ok := strings.Cut(path, ".")
	if !ok {
		return c.SetValue(path, v)
	}
	_, f, err := c.argument(name)
	if err != nil {
		return err
	}
	r, err := c.register(f)
	if err != nil {
		return err
	}
	layout := c.ABI().Layout()
	fld, err := findField(f.Type, rest, layout)
	if err != nil {
		return fmt.Errorf("set %s: %w", path, err)
	}
	addr := c.args[r]
	if c.done {
		addr = c.call.Regs[r]
	}
	if addr == 0 {
		return fmt.Errorf("set %s: the pointer is null", path)
	}
	var word [8]byte
	at := word[:fld.width]
	if c.done {
		if _, err := c.ReadMemory(addr+uint64(fld.offset), at); err != nil {
			return fmt.Errorf("set %s: %w", path, err)
		}
		fld.store(at, v)
		return c.Poke(addr+uint64(fld.offset), at)
	}
	size := max(f.Type.Extent(layout), fld.offset+fld.width)
	c.call.Regions(func(reg decode.Region) {
		if reg.Addr == addr {
			size = max(size, reg.Len)
		}
	})
	b := make([]byte, size)
	n, err := c.ReadMemory(addr, b)
	if n < fld.offset+fld.width {
		return fmt.Errorf("set %s: %w", path, err)
	}
	fld.store(b[fld.offset:fld.offset+fld.width], v)
	return c.SetBytes(name, b[:n])
}

// Poke overwrites the program's memory at addr, constants too, and says so in the trace. Error: an errno.
func (c *Call) Poke(addr uint64, b []byte) error {
	_, err := c.WriteMemory(addr, b)
	if err == unix.EFAULT {
		err = c.thread.ForceWrite(addr, b)
	}
	c.dirty = true
	if err == nil {
		c.handling.injected.Args = true
	}
	return err
}

// A position is where a number stands in a structure.
type position struct {
	offset, width int
	bits          [2]uint8 // the lowest bit, and how many; 0 for all
	of            *syscalls.Type
}

// store writes the number.
func (p position) store(b []byte, v uint64) {
	var word [8]byte
	if p.bits[1] > 0 {
		copy(word[:], b)
		mask := (uint64(1)<<p.bits[1] - 1) << p.bits[0]
		v = binary.NativeEndian.Uint64(word[:])&^mask | v<<p.bits[0]&mask
	}
	binary.NativeEndian.PutUint64(word[:], v)
	copy(b, word[:])
}

// FieldType is the type of the argument or field that SetField changes, by the description of a call.
//
// Error: there is none, or it is no number.
func FieldType(desc *syscalls.Call, abi syscalls.ABI, path string) (*syscalls.Type, error) {
	name, rest, deep := strings.Cut(path, ".")
	_, f, err := argumentOf(desc, name)
	if err != nil || !deep {
		if err != nil {
			return nil, err
		}
		return f.Type, nil
	}
	p, err := findField(f.Type, rest, abi.Layout())
	return p.of, err
}

// findField looks for a field by its path within a type.
func findField(t *syscalls.Type, path string, layout int) (position, error) {
	name, rest, deep := strings.Cut(path, ".")
	var known []string
	f, base := member(t, name, layout, &known)
	switch {
	case f == nil && len(known) == 0:
		return position{}, fmt.Errorf("no field %q: it is no structure", name)
	case f == nil:
		return position{}, fmt.Errorf("no field %q; there are %s", name, strings.Join(known, ", "))
	}
	base += int(f.Off[layout])
	if deep {
		if f.Type.Dir != 0 {
			return position{}, fmt.Errorf("%s is a pointer: what it points to: %w", name, ErrNotSupported)
		}
		p, err := findField(f.Type, rest, layout)
		p.offset += base
		return p, err
	}
	w := f.Type.Size(layout)
	if w != 1 && w != 2 && w != 4 && w != 8 || f.Type.Kind == syscalls.KindStruct || f.Type.Kind == syscalls.KindUnion {
		return position{}, fmt.Errorf("%s is no number", name)
	}
	return position{base, w, f.Bits, f.Type}, nil
}

// member finds a member of a structure, or of an alternative of a union, and the offset of what it is a member of.
func member(t *syscalls.Type, name string, layout int, known *[]string) (*syscalls.Field, int) {
	switch t.Kind {
	case syscalls.KindStruct:
		for i := range t.Struct.Fields {
			f := &t.Struct.Fields[i]
			if f.Name == name {
				return f, 0
			}
			if f.Attr&syscalls.AttrFlat != 0 {
				if g, off := member(f.Type, name, layout, known); g != nil {
					return g, off + int(f.Off[layout])
				}
				continue
			}
			if f.Type.Kind != syscalls.KindPad && !slices.Contains(*known, f.Name) {
				*known = append(*known, f.Name)
			}
		}
	case syscalls.KindUnion:
		for i := range t.Union.Alts {
			if f, off := member(t.Union.Alts[i].Type, name, layout, known); f != nil {
				return f, off
			}
		}
	}
	return nil, 0
}

// Short lets a read or write transfer at most n bytes: the count that the call gives is made smaller. It is for calls
// with an argument that is a number of bytes, before next.
//
// Error: the call has no such argument.
func (c *Call) Short(n uint64) error {
	for _, name := range []string{"count", "len", "size", "buflen"} {
		i, f, err := c.argument(name)
		if err != nil || f.Type.Dir != 0 || i == 0 {
			continue
		}
		r, err := c.register(f)
		if err != nil {
			return err
		}
		if c.args[r] > n {
			c.SetArg(r, n)
		}
		return nil
	}
	return fmt.Errorf("short: %s has no number of bytes: %w", c.Name(), ErrNotSupported)
}

// Freeze stops the process (SIGSTOP), and lets go of it, so that a debugger can be attached to it. The call is executed, or
// interrupted and made again when the process is continued. It cannot be done where the process carries a seccomp filter of the tracer.
//
// Error: ErrFiltered.
func (c *Call) Freeze() error {
	t := c.thread
	if t.Filtered() {
		return ErrFiltered
	}
	if err := unix.Kill(t.PID(), unix.SIGSTOP); err != nil {
		return err
	}
	for _, o := range t.Engine().Threads() {
		if o.Proc == t.Proc {
			if err := o.Detach(); err != nil {
				return err
			}
		}
	}
	return nil
}
