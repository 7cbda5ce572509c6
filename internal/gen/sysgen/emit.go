package main

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"

	"farcall/syscalls"
)

// An emitter writes a parsed table as Go composite literals that the linker lays out: nothing
// runs at start-up. Equal types share one variable.
type emitter struct {
	types   map[string]string // literal -> variable
	typeDef []string
	structs map[*syscalls.Struct]string
	unions  map[*syscalls.Union]string
	sets    map[*syscalls.Set]string
	calls   map[*syscalls.Call]string
	decls   bytes.Buffer
	names   map[string]int
}

func newEmitter() *emitter {
	return &emitter{
		types: map[string]string{}, structs: map[*syscalls.Struct]string{}, unions: map[*syscalls.Union]string{},
		sets: map[*syscalls.Set]string{}, calls: map[*syscalls.Call]string{}, names: map[string]int{},
	}
}

// unique makes a variable name of the prefix and an arbitrary name.
func (e *emitter) unique(prefix, name string) string {
	s := prefix + strings.Map(func(r rune) rune {
		if r == '_' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' {
			return r
		}
		return '_'
	}, name)
	e.names[s]++
	if n := e.names[s]; n > 1 {
		s = fmt.Sprintf("%s_%d", s, n)
	}
	return s
}

func (e *emitter) set(s *syscalls.Set) string {
	if v, ok := e.sets[s]; ok {
		return v
	}
	v := e.unique("zset_", s.Name)
	e.sets[s] = v
	fmt.Fprintf(&e.decls, "var %s = set{Name: %q", v, s.Name)
	if s.Unknown != "" {
		fmt.Fprintf(&e.decls, ", Unknown: %q", s.Unknown)
	}
	e.vals("Vals", s.Vals)
	if s.ARM64 != nil {
		e.vals("ARM64", s.ARM64)
	}
	if s.Sorted != nil {
		e.decls.WriteString(", Sorted: []uint16{")
		for i, x := range s.Sorted {
			if i > 0 {
				e.decls.WriteString(", ")
			}
			fmt.Fprint(&e.decls, x)
		}
		e.decls.WriteString("}")
	}
	e.decls.WriteString("}\n\n")
	return v
}

func (e *emitter) vals(field string, vals []syscalls.Val) {
	fmt.Fprintf(&e.decls, ", %s: []val{\n", field)
	for _, v := range vals {
		fmt.Fprintf(&e.decls, "\t{Name: %q, Value: %#x, Mask: %#x},\n", v.Name, v.Value, v.Mask)
	}
	e.decls.WriteString("}")
}

func (e *emitter) expr(x *syscalls.Expr) string {
	var b strings.Builder
	fmt.Fprintf(&b, "&expr{Op: %d", x.Op)
	if x.Num != 0 {
		fmt.Fprintf(&b, ", Num: %#x", x.Num)
	}
	if x.L != nil {
		fmt.Fprintf(&b, ", L: %s", e.expr(x.L))
	}
	if x.R != nil {
		fmt.Fprintf(&b, ", R: %s", e.expr(x.R))
	}
	return b.String() + "}"
}

func (e *emitter) typ(t *syscalls.Type) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Kind: %d", t.Kind)
	if t.Dir != 0 {
		fmt.Fprintf(&b, ", Dir: %d", t.Dir)
	}
	if t.Width != 0 {
		fmt.Fprintf(&b, ", Width: %d", t.Width)
	}
	if t.Format != 0 {
		fmt.Fprintf(&b, ", Format: %d", t.Format)
	}
	switch {
	case t.Set != nil && t.Kind == syscalls.KindConst: // one constant: stands with its type
		v := t.Set.Vals[0]
		fmt.Fprintf(&b, ", Set: &set{Name: %q, Vals: []val{{Name: %q, Value: %#x, Mask: %#x}}}", t.Set.Name, v.Name, v.Value, v.Mask)
	case t.Set != nil:
		fmt.Fprintf(&b, ", Set: &%s", e.set(t.Set))
	}
	if t.Struct != nil {
		fmt.Fprintf(&b, ", Struct: &%s", e.structure(t.Struct))
	}
	if t.Union != nil {
		fmt.Fprintf(&b, ", Union: &%s", e.union(t.Union))
	}
	if t.Elem != nil {
		fmt.Fprintf(&b, ", Elem: &%s", e.typ(t.Elem))
	}
	for _, x := range []struct {
		name string
		e    *syscalls.Expr
	}{{"Len", t.Len}, {"RetLen", t.RetLen}, {"Sel", t.Sel}} {
		if x.e != nil {
			fmt.Fprintf(&b, ", %s: %s", x.name, e.expr(x.e))
		}
	}
	if len(t.Params) > 0 {
		b.WriteString(", Params: []*expr{")
		for _, p := range t.Params {
			b.WriteString(e.expr(p) + ", ")
		}
		b.WriteString("}")
	}
	lit := b.String()
	if v, ok := e.types[lit]; ok {
		return v
	}
	v := fmt.Sprintf("zt%d", len(e.types))
	e.types[lit] = v
	e.typeDef = append(e.typeDef, fmt.Sprintf("%s = typ{%s}", v, lit))
	return v
}

func (e *emitter) field(f *syscalls.Field, member bool) string {
	var b strings.Builder
	fmt.Fprintf(&b, "{Name: %q, Type: &%s", f.Name, e.typ(f.Type))
	if f.Attr != 0 {
		fmt.Fprintf(&b, ", Attr: %d", f.Attr)
	}
	if member {
		fmt.Fprintf(&b, ", Off: [3]uint16{%d, %d, %d}", f.Off[0], f.Off[1], f.Off[2])
	} else {
		fmt.Fprintf(&b, ", Reg: %d, Reg32: %d", f.Reg, f.Reg32)
	}
	if f.Cond != nil {
		fmt.Fprintf(&b, ", Cond: %s", e.expr(f.Cond))
	}
	if f.When != nil {
		fmt.Fprintf(&b, ", When: %s", e.expr(f.When))
	}
	if f.Bits[1] != 0 {
		fmt.Fprintf(&b, ", Bits: [2]uint8{%d, %d}", f.Bits[0], f.Bits[1])
	}
	return b.String() + "}"
}

func (e *emitter) structure(s *syscalls.Struct) string {
	if v, ok := e.structs[s]; ok {
		return v
	}
	v := e.unique("zstruct_", s.Name)
	e.structs[s] = v
	var b strings.Builder
	fmt.Fprintf(&b, "var %s = structure{Name: %q, Size: [3]uint16{%d, %d, %d}", v, s.Name, s.Size[0], s.Size[1], s.Size[2])
	if s.Packed {
		b.WriteString(", Packed: true")
	}
	if s.Dated {
		b.WriteString(", Dated: true")
	}
	if s.Show != nil {
		b.WriteString(", Show: []uint8{")
		for i, n := range s.Show {
			if i > 0 {
				b.WriteString(", ")
			}
			fmt.Fprint(&b, n)
		}
		b.WriteString("}")
	}
	if s.Tuple {
		b.WriteString(", Tuple: true")
	}
	b.WriteString(", Fields: []field{\n")
	for i := range s.Fields {
		fmt.Fprintf(&b, "\t%s,\n", e.field(&s.Fields[i], true))
	}
	b.WriteString("}}\n\n")
	e.decls.WriteString(b.String())
	return v
}

func (e *emitter) union(u *syscalls.Union) string {
	if v, ok := e.unions[u]; ok {
		return v
	}
	v := e.unique("zunion_", u.Name)
	e.unions[u] = v
	var b strings.Builder
	fmt.Fprintf(&b, "var %s = union{Name: %q, Alts: []alt{\n", v, u.Name)
	for _, a := range u.Alts {
		b.WriteString("\t{Vals: []uint64{")
		for _, x := range a.Vals {
			fmt.Fprintf(&b, "%#x, ", x)
		}
		fmt.Fprintf(&b, "}, Type: &%s", e.typ(a.Type))
		if a.Min != 0 || a.Only {
			fmt.Fprintf(&b, ", Min: %d, Only: %v", a.Min, a.Only)
		}
		b.WriteString("},\n")
	}
	b.WriteString("}")
	if u.Else != nil {
		fmt.Fprintf(&b, ", Else: &%s", e.typ(u.Else))
	}
	b.WriteString("}\n\n")
	e.decls.WriteString(b.String())
	return v
}

func (e *emitter) call(c *syscalls.Call) string {
	if v, ok := e.calls[c]; ok {
		return v
	}
	name := c.Name
	if c.Variant != "" {
		name += "__" + c.Variant
	}
	v := e.unique("zcall_", name)
	e.calls[c] = v
	var b strings.Builder
	fmt.Fprintf(&b, "var %s = call{Name: %q", v, c.Name)
	if c.Variant != "" {
		fmt.Fprintf(&b, ", Variant: %q", c.Variant)
	}
	b.WriteString(", Args: []field{\n")
	for i := range c.Args {
		fmt.Fprintf(&b, "\t%s,\n", e.field(&c.Args[i], false))
	}
	fmt.Fprintf(&b, "}, Ret: &%s", e.typ(c.Ret))
	if c.Aux != nil {
		fmt.Fprintf(&b, ", Aux: &%s", e.typ(c.Aux))
	}
	if c.AuxText != "" {
		fmt.Fprintf(&b, ", AuxText: %q", c.AuxText)
	}
	fmt.Fprintf(&b, ", Class: %#x, Defer: %d", uint32(c.Class), c.Defer)
	if c.Derived {
		b.WriteString(", Derived: true")
	}
	if len(c.Variants) > 0 {
		fmt.Fprintf(&b, ", Key: %d, Variants: []*call{\n", c.Key)
		for _, x := range c.Variants {
			fmt.Fprintf(&b, "\t&%s,\n", e.call(x))
		}
		b.WriteString("}")
	}
	b.WriteString("}\n\n")
	e.decls.WriteString(b.String())
	return v
}

// table writes everything that the calls of a table need.
func (e *emitter) table(t *syscalls.Table) []byte {
	var index bytes.Buffer
	for a := syscalls.ABI(0); a < syscalls.NumABI; a++ {
		fmt.Fprintf(&index, "var zcalls%s = [...]*call{\n", strings.ToUpper(a.String()))
		for nr, name := range a.Names() {
			if c := t.Calls[a][name]; c != nil {
				fmt.Fprintf(&index, "\t%d: &%s,\n", nr&^syscalls.X32Bit, e.call(c))
			}
		}
		index.WriteString("}\n\n")
	}
	// Sets, structures and unions that no call uses yet are there for descriptions at run time.
	for _, n := range slices.Sorted(maps.Keys(t.Sets)) {
		e.set(t.Sets[n])
	}
	var named bytes.Buffer
	named.WriteString("// What descriptions given at run time may refer to.\nvar (\n")
	write := func(what, typ string, names []string, ref func(string) string) {
		fmt.Fprintf(&named, "\t%s = [...]%s{\n", what, typ)
		for _, n := range names {
			fmt.Fprintf(&named, "\t\t{name: %q, it: &%s},\n", n, ref(n))
		}
		named.WriteString("\t}\n")
	}
	write("zsets", "named[set]", slices.Sorted(maps.Keys(t.Sets)), func(n string) string { return e.set(t.Sets[n]) })
	write("zstructs", "named[structure]", slices.Sorted(maps.Keys(t.Structs)), func(n string) string { return e.structure(t.Structs[n]) })
	write("zunions", "named[union]", slices.Sorted(maps.Keys(t.Unions)), func(n string) string { return e.union(t.Unions[n]) })
	write("ztypes", "named[typ]", slices.Sorted(maps.Keys(t.Types)), func(n string) string { return e.typ(t.Types[n]) })
	named.WriteString(")\n")

	var out bytes.Buffer
	out.WriteString("// Code generated by internal/gen/sysgen from the descriptions beside it; DO NOT EDIT.\n\npackage linux\n\n")
	out.Write(index.Bytes())
	out.Write(named.Bytes())
	out.WriteString("\nvar (\n")
	for _, d := range e.typeDef {
		out.WriteString("\t" + d + "\n")
	}
	out.WriteString(")\n\n")
	out.Write(e.decls.Bytes())
	return out.Bytes()
}
