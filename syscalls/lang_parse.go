package syscalls

import (
	"slices"
)

// Consts resolves the names of kernel constants for an ABI.
type Consts interface {
	Value(a ABI, name string) (uint64, bool)
}

// A Source is a description file.
type Source struct {
	Name, Text string
}

// A Table is a parsed set of descriptions.
type Table struct {
	Calls   [NumABI]map[string]*Call // by name; variants hang under their call
	Structs map[string]*Struct
	Unions  map[string]*Union
	Sets    map[string]*Set
	Types   map[string]*Type
}

// Parse reads descriptions. Every name must be defined before it is used, except that base
// supplies what an earlier Parse defined; base may be nil. The error is a *SyntaxError.
func Parse(sources []Source, consts Consts, base *Table) (*Table, error) {
	t := &Table{
		Structs: map[string]*Struct{}, Unions: map[string]*Union{},
		Sets: map[string]*Set{}, Types: map[string]*Type{},
	}
	for a := range t.Calls {
		t.Calls[a] = map[string]*Call{}
	}
	p := &parser{table: t, base: base, consts: consts, specific: [NumABI]map[string]bool{{}, {}, {}, {}}}
	// Sets, structures and unions of all files come before the calls, so that
	// the order of the files does not matter.
	for _, defs := range []bool{true, false} {
		for _, s := range sources {
			p.lexer = &lexer{file: s.Name, src: s.Text, line: 1}
			p.have = false
			if err := p.file(defs); err != nil {
				return nil, err
			}
		}
	}
	if err := p.attach(); err != nil {
		return nil, err
	}
	return t, nil
}

type parser struct {
	*lexer
	table    *Table
	base     *Table
	consts   Consts
	tok      token
	have     bool
	fields   []Field // names that an expression may refer to
	isArgs   bool    // fields are arguments
	variants []variant
	nesting  int
	inUnion  bool
	specific [NumABI]map[string]bool // calls that an @abi line defined
}

func (p *parser) peek() (token, error) {
	if !p.have {
		t, err := p.next()
		if err != nil {
			return t, err
		}
		p.tok, p.have = t, true
	}
	return p.tok, nil
}

func (p *parser) take() (token, error) {
	t, err := p.peek()
	p.have = false
	return t, err
}

// accept takes the next token if it is the punctuation or word text.
func (p *parser) accept(text string) (bool, error) {
	t, err := p.peek()
	if err != nil {
		return false, err
	}
	if (t.kind == tokPunct || t.kind == tokIdent) && t.text == text {
		p.have = false
		return true, nil
	}
	return false, nil
}

func (p *parser) expect(text string) error {
	t, err := p.take()
	if err != nil {
		return err
	}
	if t.kind != tokPunct || t.text != text {
		return p.fail(t, "want %q, have %v", text, t)
	}
	return nil
}

func (p *parser) ident(what string) (token, error) {
	t, err := p.take()
	if err == nil && t.kind != tokIdent {
		err = p.fail(t, "want %s, have %v", what, t)
	}
	return t, err
}

// separator takes what stands between two members of a list, unless its end follows.
func (p *parser) separator(between, end string) error {
	t, err := p.peek()
	if err != nil || t.kind == tokPunct && t.text == end {
		return err
	}
	return p.expect(between)
}

// file parses the definitions of a file, or its calls.
func (p *parser) file(defs bool) error {
	for {
		t, err := p.peek()
		if err != nil {
			return err
		}
		switch {
		case t.kind == tokEOF:
			return nil
		case t.kind == tokNewline:
			p.have = false
			continue
		case t.kind != tokIdent:
			return p.fail(t, "want a definition, have %v", t)
		}
		isDef := t.text == "flags" || t.text == "enum" || t.text == "struct" || t.text == "union" || t.text == "type"
		if isDef != defs {
			if err := p.skipLine(); err != nil {
				return err
			}
			continue
		}
		p.fields = nil
		switch t.text {
		case "flags", "enum":
			err = p.set()
		case "struct":
			err = p.structDef()
		case "union":
			err = p.unionDef()
		case "type":
			err = p.alias()
		default:
			err = p.call()
		}
		if err != nil {
			return err
		}
		if t, err = p.take(); err != nil {
			return err
		}
		if t.kind != tokNewline && t.kind != tokEOF {
			return p.fail(t, "want end of line, have %v", t)
		}
	}
}

func (p *parser) skipLine() error {
	for {
		t, err := p.take()
		if err != nil {
			return err
		}
		if t.kind == tokNewline {
			return nil
		}
		if t.kind == tokEOF {
			p.tok, p.have = t, true
			return nil
		}
	}
}

// number parses a constant: a number or the name of one, possibly negated.
func (p *parser) number(a ABI) (uint64, error) {
	neg, err := p.accept("-")
	if err != nil {
		return 0, err
	}
	t, err := p.take()
	if err != nil {
		return 0, err
	}
	v, ok := t.num, t.kind == tokNumber
	if t.kind == tokIdent {
		v, ok = p.consts.Value(a, t.text)
	}
	if !ok {
		return 0, p.fail(t, "unknown constant %v", t)
	}
	if neg {
		v = -v
	}
	return v, nil
}

// set parses: flags|enum NAME ["UNKNOWN"] { NAME[:VALUE][/MASK], ... }
func (p *parser) set() error {
	kw, _ := p.take()
	name, err := p.ident("the name of a set")
	if err != nil {
		return err
	}
	if p.table.Sets[name.text] != nil {
		return p.fail(name, "set %s is defined twice", name.text)
	}
	s := &Set{Name: name.text}
	if t, err := p.peek(); err != nil {
		return err
	} else if t.kind == tokString {
		s.Unknown = t.text
		p.have = false
	}
	if err := p.expect("{"); err != nil {
		return err
	}
	differs := false
	for {
		if end, err := p.accept("}"); err != nil {
			return err
		} else if end {
			break
		}
		// A name may hold characters that identifiers cannot: it may be a string.
		n, err := p.take()
		if err != nil {
			return err
		}
		if n.kind != tokIdent && n.kind != tokString {
			return p.fail(n, "want the name of a value, have %v", n)
		}
		v := Val{Name: n.text}
		w := v
		if colon, err := p.accept(":"); err != nil {
			return err
		} else if colon {
			if v.Value, err = p.number(AMD64); err != nil {
				return err
			}
			w.Value = v.Value
		} else {
			var ok bool
			if v.Value, ok = p.consts.Value(AMD64, n.text); !ok {
				return p.fail(n, "unknown constant %v: give its value, as in %s:1", n, n.text)
			}
			if w.Value, ok = p.consts.Value(ARM64, n.text); !ok {
				w.Value = v.Value
			}
		}
		v.Mask, w.Mask = v.Value, w.Value
		if slash, err := p.accept("/"); err != nil {
			return err
		} else if slash {
			if v.Mask, err = p.number(AMD64); err != nil {
				return err
			}
			w.Mask = v.Mask
		}
		differs = differs || v != w
		s.Vals = append(s.Vals, v)
		s.ARM64 = append(s.ARM64, w)
		if _, err := p.accept(","); err != nil {
			return err
		}
	}
	if !differs {
		s.ARM64 = nil
	}
	if kw.text == "enum" && len(s.Vals) > 24 {
		s.Sort()
	}
	p.table.Sets[s.Name] = s
	return nil
}

// Sort prepares the binary search of a large enum. Of several names for one value the first counts.
func (s *Set) Sort() {
	idx := make([]uint16, len(s.Vals))
	for i := range idx {
		idx[i] = uint16(i)
	}
	slices.SortStableFunc(idx, func(a, b uint16) int {
		switch x, y := s.Vals[a].Value, s.Vals[b].Value; {
		case x < y:
			return -1
		case x > y:
			return 1
		}
		return 0
	})
	s.Sorted = idx
}

// show parses what may follow a structure: show { MEMBER, ... }
func (p *parser) show(s *Struct) error {
	if given, err := p.accept("show"); err != nil || !given {
		return err
	}
	if err := p.expect("{"); err != nil {
		return err
	}
	for {
		if end, err := p.accept("}"); err != nil || end {
			return err
		}
		n, err := p.ident("the name of a member")
		if err != nil {
			return err
		}
		i := p.fieldIndex(n.text)
		if i < 0 || i > 255 {
			return p.fail(n, "no member named %q", n.text)
		}
		s.Show = append(s.Show, uint8(i))
		if _, err := p.accept(","); err != nil {
			return err
		}
	}
}

// structDef parses: struct NAME [packed] [dated] { FIELD; ... } [show { MEMBER, ... }]
func (p *parser) structDef() error {
	p.take()
	name, err := p.ident("the name of a structure")
	if err != nil {
		return err
	}
	if err := p.fresh(name); err != nil {
		return err
	}
	s := &Struct{Name: name.text}
	if s.Packed, err = p.accept("packed"); err != nil {
		return err
	}
	if s.Dated, err = p.accept("dated"); err != nil {
		return err
	}
	if s.Tuple, err = p.accept("tuple"); err != nil {
		return err
	}
	if err := p.expect("{"); err != nil {
		return err
	}
	// Expressions may refer to members that come later: collect their names first.
	if p.fields, err = p.namesAhead(";", "}", "structure"); err != nil {
		return err
	}
	p.isArgs = false
	for {
		if end, err := p.accept("}"); err != nil {
			return err
		} else if end {
			break
		}
		f, err := p.field()
		if err != nil {
			return err
		}
		s.Fields = append(s.Fields, f)
		if more, err := p.accept(";"); err != nil {
			return err
		} else if t, err := p.peek(); !more && (err != nil || t.text != "}") {
			return p.fail(t, "want \";\" or \"}\" behind member %s, have %v", f.Name, t)
		}
	}
	if err := p.show(s); err != nil {
		return err
	}
	if !s.place() {
		return p.fail(name, "structure %s is larger than %d bytes", s.Name, maxStruct)
	}
	p.table.Structs[s.Name] = s
	return nil
}

// namesAhead looks ahead for the names of a list's members, such as a structure's: the first word and every word behind
// a separator of the outermost level, up to the end. what names the list in errors.
func (p *parser) namesAhead(separator, end, what string) ([]Field, error) {
	if p.have {
		return nil, p.fail(p.tok, "internal: token read ahead")
	}
	look := *p.lexer
	var names []Field
	depth, want := 0, true
	for {
		t, err := look.next()
		if err != nil {
			return nil, err
		}
		switch {
		case t.kind == tokEOF:
			return nil, p.fail(t, "%s is not closed", what)
		case want && t.kind == tokIdent:
			names = append(names, Field{Name: t.text})
			want = false
		case t.kind != tokPunct:
		case t.text == end && depth == 0:
			return names, nil
		case t.text == separator && depth == 0:
			want = true
		case t.text == "(" || t.text == "[" || t.text == "{":
			depth++
		case t.text == ")" || t.text == "]" || t.text == "}":
			depth--
		}
	}
}

func (p *parser) fresh(name token) error {
	_, kind := baseTypes[name.text]
	if kind || p.table.Structs[name.text] != nil || p.table.Unions[name.text] != nil || p.table.Types[name.text] != nil {
		return p.fail(name, "type %s is defined twice", name.text)
	}
	return nil
}

// unionDef parses: union NAME { VALUE[|VALUE...]: TYPE; ...; *: TYPE }
func (p *parser) unionDef() error {
	p.take()
	name, err := p.ident("the name of a union")
	if err != nil {
		return err
	}
	if err := p.fresh(name); err != nil {
		return err
	}
	u := &Union{Name: name.text}
	p.inUnion = true
	defer func() { p.inUnion = false }()
	if err := p.expect("{"); err != nil {
		return err
	}
	for {
		if end, err := p.accept("}"); err != nil {
			return err
		} else if end {
			break
		}
		var alt Alt
		star, err := p.accept("*")
		if err != nil {
			return err
		}
		for more := !star; more; {
			v, err := p.number(AMD64)
			if err != nil {
				return err
			}
			alt.Vals = append(alt.Vals, v)
			if more, err = p.accept("|"); err != nil {
				return err
			}
		}
		if slash, err := p.accept("/"); err != nil {
			return err
		} else if slash {
			n, err := p.number(AMD64)
			if err != nil {
				return err
			}
			alt.Min = uint16(n)
			if alt.Only, err = p.accept("!"); err != nil {
				return err
			}
		}
		if err := p.expect(":"); err != nil {
			return err
		}
		if alt.Type, err = p.typ(); err != nil {
			return err
		}
		if star {
			u.Else = alt.Type
		} else {
			u.Alts = append(u.Alts, alt)
		}
		if _, err := p.accept(";"); err != nil {
			return err
		}
	}
	p.table.Unions[u.Name] = u
	return nil
}

// alias parses: type NAME = TYPE
func (p *parser) alias() error {
	p.take()
	name, err := p.ident("the name of a type")
	if err != nil {
		return err
	}
	if err := p.fresh(name); err != nil {
		return err
	}
	if err := p.expect("="); err != nil {
		return err
	}
	t, err := p.typ()
	if err != nil {
		return err
	}
	p.table.Types[name.text] = t
	return nil
}
