package syscalls

import (
	"fmt"
	"slices"
)

type variant struct {
	call *Call
	abis []ABI
	at   token
	file string
}

// call parses: NAME[$VARIANT][@ABI,...](ARG, ...) TYPE [aux ["TEXT"] TYPE] [: CLASS ...]
func (p *parser) call() error {
	name, err := p.ident("the name of a call")
	if err != nil {
		return err
	}
	c := &Call{Name: name.text}
	if dollar, err := p.accept("$"); err != nil {
		return err
	} else if dollar {
		t, err := p.ident("the name of a variant")
		if err != nil {
			return err
		}
		c.Variant = t.text
	}
	abis, err := p.abis()
	if err != nil {
		return err
	}
	if err := p.args(c); err != nil {
		return err
	}
	if c.Ret, err = p.typ(); err != nil {
		return err
	}
	if aux, err := p.accept("aux"); err != nil {
		return err
	} else if aux {
		if t, err := p.peek(); err != nil {
			return err
		} else if t.kind == tokString {
			c.AuxText = t.text
			p.have = false
		}
		if c.Aux, err = p.typ(); err != nil {
			return err
		}
	}
	if colon, err := p.accept(":"); err != nil {
		return err
	} else if colon {
		for {
			t, err := p.peek()
			if err != nil {
				return err
			}
			if t.kind != tokIdent {
				break
			}
			p.have = false
			cl, ok := ClassByName(t.text)
			if !ok {
				return p.fail(t, "unknown class %q", t.text)
			}
			c.Class |= cl
		}
	}
	return p.define(c, abis, name)
}

func (p *parser) define(c *Call, abis []ABI, at token) error {
	if c.Variant != "" {
		p.variants = append(p.variants, variant{c, abis, at, p.lexer.file})
		return nil
	}
	for a := ABI(0); a < NumABI; a++ {
		calls := p.table.Calls[a]
		switch {
		case abis == nil && p.specific[a][c.Name]:
		case abis == nil:
			if calls[c.Name] != nil {
				return p.fail(at, "call %s is described twice", c.Name)
			}
			calls[c.Name] = c
		case slices.Contains(abis, a):
			if p.specific[a][c.Name] {
				return p.fail(at, "call %s is described twice for %v", c.Name, a)
			}
			p.specific[a][c.Name] = true
			calls[c.Name] = c
		}
	}
	return nil
}

func (p *parser) abis() ([]ABI, error) {
	at, err := p.accept("@")
	if err != nil || !at {
		return nil, err
	}
	var abis []ABI
	for {
		t, err := p.ident("the name of an ABI")
		if err != nil {
			return nil, err
		}
		found := false
		for a := ABI(0); a < NumABI; a++ {
			if a.String() == t.text {
				abis, found = append(abis, a), true
			}
		}
		if !found {
			return nil, p.fail(t, "unknown ABI %q: want amd64, i386, x32 or arm64", t.text)
		}
		if comma, err := p.accept(","); err != nil || !comma {
			return abis, err
		}
	}
}

func (p *parser) args(c *Call) error {
	if err := p.expect("("); err != nil {
		return err
	}
	names, err := p.namesAhead(",", ")", "argument list")
	if err != nil {
		return err
	}
	p.fields, p.isArgs = names, true
	reg, reg32 := uint8(0), uint8(0)
	for {
		if end, err := p.accept(")"); err != nil {
			return err
		} else if end {
			break
		}
		f, err := p.field()
		if err != nil {
			return err
		}
		named := f.Attr&attrReg != 0 // shown elsewhere than it stands
		if named {
			f.Attr &^= attrReg
			reg, reg32 = f.Reg, f.Reg
		}
		f.Reg, f.Reg32 = reg, reg32
		reg++
		reg32++
		if f.Type.Dir == 0 && f.Type.Width == 8 { // two registers on i386
			reg32++
		}
		if reg > 6 && !named {
			return p.fail(p.tok, "call %s has more than six arguments", c.Name)
		}
		c.Args = append(c.Args, f)
		if err := p.separator(",", ")"); err != nil {
			return err
		}
	}
	c.Defer = deferFrom(c.Args)
	return nil
}

// deferFrom finds the first argument that is known only once the call has returned.
func deferFrom(args []Field) uint8 {
	for i := range args {
		if a := &args[i]; a.Attr&AttrExit != 0 || a.Type.Dir&Out != 0 && a.Attr&AttrEntry == 0 {
			return uint8(i)
		}
	}
	return uint8(len(args))
}

// attach hangs the variants under their calls.
func (p *parser) attach() error {
	for _, v := range p.variants {
		done := map[*Call]bool{}
		for a := ABI(0); a < NumABI; a++ {
			if v.abis != nil && !slices.Contains(v.abis, a) {
				continue
			}
			c := p.table.Calls[a][v.call.Name]
			if c == nil && p.base != nil && p.base.Calls[a][v.call.Name] != nil {
				copied := *p.base.Calls[a][v.call.Name]
				copied.Variants = slices.Clone(copied.Variants)
				c = &copied
				for b := a; b < NumABI; b++ {
					if p.base.Calls[b][v.call.Name] == p.base.Calls[a][v.call.Name] {
						p.table.Calls[b][v.call.Name] = c
					}
				}
			}
			if c == nil || done[c] {
				continue
			}
			done[c] = true
			if err := addVariant(c, v.call); err != nil {
				return &SyntaxError{v.file, v.at.line, v.at.col, err.Error()}
			}
		}
		if len(done) == 0 {
			return &SyntaxError{v.file, v.at.line, v.at.col,
				fmt.Sprintf("variant %s of a call that is not described: %s", v.call.Variant, v.call.Name)}
		}
	}
	return nil
}

// maxVariants bounds what one line can stand for.
const maxVariants = 1024

// addVariant puts v, once for each combination of its constants, among c's variants.
func addVariant(c, v *Call) error {
	key := -1
	for i := range v.Args {
		if v.Args[i].Type.Kind == KindConst {
			key = i
			break
		}
	}
	if key < 0 {
		return fmt.Errorf("variant %s has no const argument that chooses it", v.Variant)
	}
	if key >= len(c.Args) {
		return fmt.Errorf("variant %s has more arguments than %s", v.Variant, c.Name)
	}
	if len(c.Variants) > 0 && int(c.Key) != key {
		return fmt.Errorf("variant %s is chosen by argument %d, the others by %d", v.Variant, key+1, c.Key+1)
	}
	c.Key = uint8(key)
	v.Class |= c.Class
	lines := 1
	for i := range v.Args {
		if t := v.Args[i].Type; t.Kind == KindConst {
			if lines *= len(t.Set.Vals); lines > maxVariants {
				return fmt.Errorf("variant %s stands for more than %d combinations of constants", v.Variant, maxVariants)
			}
		}
	}
	for _, one := range expandConsts(v, 0) {
		at, _ := slices.BinarySearchFunc(c.Variants, one, func(a, b *Call) int {
			x, y := uint32(a.KeyValue(c.Key)), uint32(b.KeyValue(c.Key))
			switch {
			case x < y:
				return -1
			case x > y:
				return 1
			}
			return 0
		})
		// Later lines stand behind earlier ones with the same key.
		for at < len(c.Variants) && uint32(c.Variants[at].KeyValue(c.Key)) == uint32(one.KeyValue(c.Key)) {
			at++
		}
		c.Variants = slices.Insert(c.Variants, at, one)
	}
	return nil
}

func expandConsts(c *Call, from int) []*Call {
	for i := from; i < len(c.Args); i++ {
		t := c.Args[i].Type
		if t.Kind != KindConst || len(t.Set.Vals) < 2 {
			continue
		}
		var all []*Call
		for _, v := range t.Set.Vals {
			one := *c
			one.Args = slices.Clone(c.Args)
			ty := *t
			ty.Set = &Set{Name: v.Name, Vals: []Val{v}}
			one.Args[i].Type = &ty
			all = append(all, expandConsts(&one, i+1)...)
		}
		return all
	}
	return []*Call{c}
}
