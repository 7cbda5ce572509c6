package syscalls

// baseTypes are the type names of the language. A type with brackets reads its own
// parameters in parser.typ.
var baseTypes = map[string]Type{
	"int8": {Kind: KindInt, Width: 1}, "int16": {Kind: KindInt, Width: 2},
	"int32": {Kind: KindInt, Width: 4}, "int64": {Kind: KindInt, Width: 8},
	"uint8": {Kind: KindUint, Width: 1}, "uint16": {Kind: KindUint, Width: 2},
	"uint32": {Kind: KindUint, Width: 4}, "uint64": {Kind: KindUint, Width: 8},
	"x8": {Kind: KindHex, Width: 1}, "x16": {Kind: KindHex, Width: 2},
	"x32": {Kind: KindHex, Width: 4}, "x64": {Kind: KindHex, Width: 8},
	"int": {Kind: KindInt, Width: 4}, "uint": {Kind: KindUint, Width: 4},
	"long": {Kind: KindInt, Width: WidthLong}, "ulong": {Kind: KindUint, Width: WidthLong},
	"xlong": {Kind: KindHex, Width: WidthLong},
	"ssize": {Kind: KindInt, Width: WidthWord}, "size": {Kind: KindUint, Width: WidthWord},
	"xsize": {Kind: KindHex, Width: WidthWord},
	"oct":   {Kind: KindOct, Width: 4},
	"ptr":   {Kind: KindPtr, Width: WidthWord},
	"fd":    {Kind: KindFD, Width: 4}, "dirfd": {Kind: KindDirFD, Width: 4},
	"pid": {Kind: KindPID, Width: 4}, "uid": {Kind: KindUID, Width: 4},
	"signo": {Kind: KindSignal, Width: 4}, "perm": {Kind: KindPerm, Width: 2},
	"mode": {Kind: KindMode, Width: 4}, "dev": {Kind: KindDev, Width: 8},
	"time": {Kind: KindTime, Width: WidthLong}, "nsec": {Kind: KindNsec, Width: WidthLong},
	"port": {Kind: KindPort, Width: 2}, "ipv4": {Kind: KindIPv4, Width: 4}, "ipv6": {Kind: KindIPv6, Width: 16},
	"net32": {Kind: KindPort, Width: 4}, "netarg": {Kind: KindPort, Width: 1}, "ifindex": {Kind: KindIfindex, Width: 4}, "hex8": {Kind: KindHex8, Width: 4},
	"rlim": {Kind: KindRlim, Width: 8}, "date": {Kind: KindDate, Width: WidthLong},
	"str": {Kind: KindString}, "path": {Kind: KindPath},
	"strings": {Kind: KindStrings}, "env": {Kind: KindEnv},
	"none": {Kind: KindPad},
	"hex0": {Kind: KindHex0, Width: WidthLong}, "status": {Kind: KindStatus, Width: 4},
	"errno": {Kind: KindErrno, Width: 4}, "ticks": {Kind: KindTicks, Width: WidthLong},
	// with parameters
	"flags": {Kind: KindFlags, Width: 4}, "enum": {Kind: KindEnum, Width: 4},
	"const": {Kind: KindConst, Width: WidthLong},
	"bytes": {Kind: KindBytes}, "cstr": {Kind: KindChars}, "pad": {Kind: KindPad},
	"whole": {Kind: KindBytes, Width: WholeBytes}, "hexes": {Kind: KindBytes, Width: HexBytes}, "num": {Kind: KindBytes, Width: IntBytes}, "sunpath": {Kind: KindSunPath}, "mac": {Kind: KindMAC}, "errnum": {Kind: KindErrnum, Width: 4}, "bits": {Kind: KindBits, Width: 4}, "list": {Kind: KindList},
	"array": {Kind: KindArray}, "sigset": {Kind: KindSigset},
	"bitset": {Kind: KindBitset}, "records": {Kind: KindRecords}, "fdset": {Kind: KindFDSet},
}

var attrNames = map[string]Attr{
	"v": AttrVerbose, "nz": AttrNonzero, "hide": AttrHidden, "exit": AttrExit,
	"entry": AttrEntry, "name": AttrNamed, "plain": AttrPlain, "flat": AttrFlat, "was": AttrWas, "over": AttrOver, "brief": AttrBrief, "after": AttrAfter, "arrow": AttrArrow, "ok": AttrOK, "apart": AttrApart,
}

// field parses: NAME TYPE [@ATTR | @if(EXPR) | @when(EXPR) | @reg(N) | @bits(LOWEST, COUNT)]...
func (p *parser) field() (Field, error) {
	name, err := p.ident("a name")
	if err != nil {
		return Field{}, err
	}
	f := Field{Name: name.text}
	if f.Type, err = p.typ(); err != nil {
		return f, err
	}
	for {
		at, err := p.accept("@")
		if err != nil || !at {
			return f, err
		}
		t, err := p.ident("an attribute")
		if err != nil {
			return f, err
		}
		if t.text == "if" || t.text == "when" {
			if err := p.expect("("); err != nil {
				return f, err
			}
			e, err := p.expr(0)
			if err != nil {
				return f, err
			}
			if t.text == "if" {
				f.Cond = e
			} else {
				f.When = e
			}
			if err := p.expect(")"); err != nil {
				return f, err
			}
			continue
		}
		if t.text == "sp" {
			f.Reg, f.Attr = RegSP, f.Attr|attrReg
			continue
		}
		if t.text == "reg" || t.text == "bits" {
			n, err := p.numbers()
			if err != nil {
				return f, err
			}
			switch {
			case t.text == "reg" && len(n) == 1 && n[0] < 6:
				f.Reg, f.Attr = uint8(n[0]), f.Attr|attrReg
			case t.text == "bits" && len(n) == 2 && n[0] < 64 && n[1] > 0 && n[0]+n[1] <= 64:
				f.Bits = [2]uint8{uint8(n[0]), uint8(n[1])}
			default:
				return f, p.fail(t, "bad @%s: want @reg(REGISTER) or @bits(LOWEST, COUNT)", t.text)
			}
			continue
		}
		a, ok := attrNames[t.text]
		if !ok {
			return f, p.fail(t, "unknown attribute @%s", t.text)
		}
		f.Attr |= a
	}
}

// numbers parses: (NUMBER, ...)
func (p *parser) numbers() ([]uint64, error) {
	if err := p.expect("("); err != nil {
		return nil, err
	}
	var all []uint64
	for {
		n, err := p.number(AMD64)
		if err != nil {
			return nil, err
		}
		all = append(all, n)
		if comma, err := p.accept(","); err != nil {
			return nil, err
		} else if !comma {
			return all, p.expect(")")
		}
	}
}

// typ parses: [in|out|inout] NAME[[PARAMS]] [!FORMAT]
func (p *parser) typ() (*Type, error) {
	if p.nesting++; p.nesting > maxNesting {
		return nil, p.fail(p.tok, "type is nested too deeply")
	}
	defer func() { p.nesting-- }()
	name, err := p.ident("a type")
	if err != nil {
		return nil, err
	}
	dir := Dir(0)
	switch name.text {
	case "in":
		dir = In
	case "out":
		dir = Out
	case "inout":
		dir = InOut
	}
	if dir != 0 {
		if name, err = p.ident("a type"); err != nil {
			return nil, err
		}
	}
	t, err := p.named(name)
	if err != nil {
		return nil, err
	}
	if dir != 0 {
		if t.Dir != 0 {
			return nil, p.fail(name, "%s is a pointer already", name.text)
		}
		t.Dir = dir
	}
	if bang, err := p.accept("!"); err != nil {
		return nil, err
	} else if bang {
		f, err := p.ident("the name of a format")
		if err != nil {
			return nil, err
		}
		var ok bool
		if t.Format, ok = formatByName(f.text); !ok {
			return nil, p.fail(f, "unknown format %q", f.text)
		}
	}
	return t, nil
}

func (p *parser) named(name token) (*Type, error) {
	if b, ok := baseTypes[name.text]; ok {
		t := b
		return &t, p.baseParams(name, &t)
	}
	t := &Type{}
	if a := p.findType(name.text); a != nil {
		*t = *a
		return t, nil
	}
	if s := p.findStruct(name.text); s != nil {
		t.Kind, t.Struct = KindStruct, s
	} else if u := p.findUnion(name.text); u != nil {
		t.Kind, t.Union = KindUnion, u
	} else {
		return nil, p.fail(name, "unknown type %q", name.text)
	}
	open, err := p.accept("[")
	if err != nil {
		return nil, err
	}
	if !open {
		if t.Kind == KindUnion {
			return nil, p.fail(name, "union %s wants a selector, as in %s[family]", name.text, name.text)
		}
		return t, nil
	}
	if t.Kind == KindUnion {
		if t.Sel, err = p.expr(0); err != nil {
			return nil, err
		}
		if comma, err := p.accept(","); err != nil {
			return nil, err
		} else if comma {
			if t.Len, err = p.expr(0); err != nil {
				return nil, err
			}
			if err := p.retLen(t); err != nil {
				return nil, err
			}
		}
		return t, p.expect("]")
	}
	if star, err := p.accept("*"); err != nil {
		return nil, err
	} else if !star {
		if t.Len, err = p.expr(0); err != nil {
			return nil, err
		}
	}
	for {
		comma, err := p.accept(",")
		if err != nil {
			return nil, err
		}
		if !comma {
			return t, p.expect("]")
		}
		e, err := p.expr(0)
		if err != nil {
			return nil, err
		}
		switch {
		case t.RetLen == nil && len(t.Params) == 0 && (e.UsesResult() || t.Len != nil):
			t.RetLen = e
		default:
			t.Params = append(t.Params, e)
		}
	}
}

func (p *parser) findType(name string) *Type {
	if t := p.table.Types[name]; t != nil || p.base == nil {
		return t
	}
	return p.base.Types[name]
}

func (p *parser) findStruct(name string) *Struct {
	if s := p.table.Structs[name]; s != nil || p.base == nil {
		return s
	}
	return p.base.Structs[name]
}

func (p *parser) findUnion(name string) *Union {
	if u := p.table.Unions[name]; u != nil || p.base == nil {
		return u
	}
	return p.base.Unions[name]
}

func (p *parser) findSet(name string) *Set {
	if s := p.table.Sets[name]; s != nil || p.base == nil {
		return s
	}
	return p.base.Sets[name]
}

// baseParams reads what stands in brackets behind a base type.
func (p *parser) baseParams(name token, t *Type) error {
	var need bool
	switch t.Kind {
	case KindFlags, KindEnum, KindConst, KindChars, KindArray, KindSigset, KindList, KindRecords, KindFDSet, KindBitset, KindMAC, KindBits:
		need = true
	case KindBytes, KindSunPath:
		need = !p.inUnion // there the union says how many bytes there are
	case KindPad:
		need = name.text == "pad"
	}
	open, err := p.accept("[")
	if err != nil {
		return err
	}
	if !open {
		if need {
			return p.fail(name, "type %s wants parameters in brackets", name.text)
		}
		return nil
	}
	switch t.Kind {
	case KindFlags, KindEnum, KindBits:
		n, err := p.ident("the name of a set")
		if err != nil {
			return err
		}
		if t.Set = p.findSet(n.text); t.Set == nil {
			return p.fail(n, "unknown set %q", n.text)
		}
		if comma, err := p.accept(","); err != nil {
			return err
		} else if comma {
			if t.Width, err = p.widthParam(); err != nil {
				return err
			}
		}
	case KindConst:
		t.Set = &Set{}
		for more := true; more; {
			n, err := p.ident("the name of a constant")
			if err != nil {
				return err
			}
			v, ok := p.consts.Value(AMD64, n.text)
			if colon, err := p.accept(":"); err != nil {
				return err
			} else if colon {
				if v, err = p.number(AMD64); err != nil {
					return err
				}
			} else if !ok {
				return p.fail(n, "unknown constant %v", n)
			}
			t.Set.Vals = append(t.Set.Vals, Val{Name: n.text, Value: v, Mask: v})
			if more, err = p.accept("|"); err != nil {
				return err
			}
		}
		t.Set.Name = t.Set.Vals[0].Name
	case KindBytes, KindChars, KindPad, KindFDSet, KindSigset, KindSunPath, KindBitset, KindMAC:
		if rest, err := p.rest(); err != nil {
			return err
		} else if rest { // all that is there
			break
		}
		if t.Len, err = p.expr(0); err != nil {
			return err
		}
		if err := p.retLen(t); err != nil {
			return err
		}
	case KindPort: // named values in network byte order
		n, err := p.ident("the name of a set")
		if err != nil {
			return err
		}
		if t.Set = p.findSet(n.text); t.Set == nil {
			return p.fail(n, "unknown set %q", n.text)
		}
	case KindArray, KindList, KindRecords:
		if t.Elem, err = p.typ(); err != nil {
			return err
		}
		if err := p.expect(","); err != nil {
			return err
		}
		if rest, err := p.rest(); err != nil {
			return err
		} else if rest { // as many as there are
			break
		}
		if t.Len, err = p.expr(0); err != nil {
			return err
		}
		if err := p.retLen(t); err != nil {
			return err
		}
		if comma, err := p.accept(","); err != nil {
			return err
		} else if comma { // what all elements' buffers hold together, or a list's alignment
			e, err := p.expr(0)
			if err != nil {
				return err
			}
			t.Params = append(t.Params, e)
		}
	case KindString, KindPath: // the capacity of an output buffer
		if t.Len, err = p.expr(0); err != nil {
			return err
		}
		if err := p.retLen(t); err != nil {
			return err
		}
	default:
		if t.Width, err = p.widthParam(); err != nil {
			return err
		}
		if t.Kind != KindDate {
			break
		}
		if comma, err := p.accept(","); err != nil {
			return err
		} else if comma {
			if t.Len, err = p.expr(0); err != nil {
				return err
			}
		}
	}
	return p.expect("]")
}

func (p *parser) retLen(t *Type) error {
	comma, err := p.accept(",")
	if err != nil || !comma {
		return err
	}
	t.RetLen, err = p.expr(0)
	return err
}

func (p *parser) widthParam() (uint8, error) {
	t, err := p.take()
	if err != nil {
		return 0, err
	}
	switch {
	case t.kind == tokNumber && (t.num == 1 || t.num == 2 || t.num == 4 || t.num == 8):
		return uint8(t.num), nil
	case t.kind == tokIdent && t.text == "long":
		return WidthLong, nil
	case t.kind == tokIdent && t.text == "word":
		return WidthWord, nil
	}
	return 0, p.fail(t, "bad width %v: want 1, 2, 4, 8, long or word", t)
}

// binding powers of the binary operators
var binary = map[string]struct {
	power int
	op    Op
}{
	"||": {1, OpLor}, "&&": {2, OpLand},
	"==": {3, OpEq}, "!=": {3, OpNe}, "<": {4, OpLt}, ">": {4, OpGt},
	"|": {5, OpOr}, "&": {6, OpAnd}, ">>": {7, OpShr},
	"+": {8, OpAdd}, "-": {8, OpSub}, "*": {9, OpMul}, "/": {9, OpDiv},
}

// maxNesting bounds the depth of types and parentheses, so that hostile input cannot exhaust the stack.
const maxNesting = 64

func (p *parser) expr(power int) (*Expr, error) {
	if p.nesting++; p.nesting > maxNesting {
		return nil, p.fail(p.tok, "expression is nested too deeply")
	}
	defer func() { p.nesting-- }()
	l, err := p.operand()
	if err != nil {
		return nil, err
	}
	for {
		t, err := p.peek()
		if err != nil {
			return nil, err
		}
		b, ok := binary[t.text]
		if t.kind != tokPunct || !ok || b.power <= power {
			return l, nil
		}
		p.have = false
		r, err := p.expr(b.power)
		if err != nil {
			return nil, err
		}
		l = &Expr{Op: b.op, L: l, R: r}
	}
}

func (p *parser) operand() (*Expr, error) {
	t, err := p.take()
	if err != nil {
		return nil, err
	}
	switch t.kind {
	case tokNumber:
		return &Expr{Op: OpNum, Num: t.num}, nil
	case tokParam:
		return &Expr{Op: OpParam, Num: t.num}, nil
	case tokIdent:
		return p.ref(t)
	case tokPunct:
		switch t.text {
		case "(":
			e, err := p.expr(0)
			if err != nil {
				return nil, err
			}
			return e, p.expect(")")
		case "!":
			e, err := p.expr(10)
			return &Expr{Op: OpNot, L: e}, err
		case "*":
			n, err := p.ident("the name of a pointer argument")
			if err != nil {
				return nil, err
			}
			i := p.fieldIndex(n.text)
			if i < 0 || !p.isArgs {
				return nil, p.fail(n, "no argument named %q", n.text)
			}
			return &Expr{Op: OpDeref, Num: uint64(i)}, nil
		}
	}
	return nil, p.fail(t, "want a number or a name, have %v", t)
}

func (p *parser) fieldIndex(name string) int {
	for i := range p.fields {
		if p.fields[i].Name == name {
			return i
		}
	}
	return -1
}

// ref resolves a name: an argument or member, the result, or a constant.
func (p *parser) ref(t token) (*Expr, error) {
	if t.text == "netlink" {
		if err := p.expect("("); err != nil {
			return nil, err
		}
		e, err := p.expr(0)
		if err != nil {
			return nil, err
		}
		return &Expr{Op: OpNetlink, L: e}, p.expect(")")
	}
	if t.text == "min" {
		return p.min()
	}
	if i := p.fieldIndex(t.text); i >= 0 {
		if p.isArgs {
			return &Expr{Op: OpArg, Num: uint64(i)}, nil
		}
		return &Expr{Op: OpField, Num: uint64(i)}, nil
	}
	switch t.text {
	case "ret":
		return &Expr{Op: OpRet}, nil
	case "err":
		return &Expr{Op: OpErr}, nil
	}
	if v, ok := p.consts.Value(AMD64, t.text); ok {
		return &Expr{Op: OpNum, Num: v}, nil
	}
	return nil, p.fail(t, "%q is neither an argument, a member nor a constant", t.text)
}

// min parses what follows the word: (EXPR, EXPR).
func (p *parser) min() (*Expr, error) {
	if err := p.expect("("); err != nil {
		return nil, err
	}
	l, err := p.expr(0)
	if err != nil {
		return nil, err
	}
	if err := p.expect(","); err != nil {
		return nil, err
	}
	r, err := p.expr(0)
	if err != nil {
		return nil, err
	}
	return &Expr{Op: OpMin, L: l, R: r}, p.expect(")")
}

// rest takes a * that stands for a length by itself, not one before the name of a pointer argument.
func (p *parser) rest() (bool, error) {
	t, err := p.peek()
	if err != nil || t.kind != tokPunct || t.text != "*" {
		return false, err
	}
	look := *p.lexer
	next, err := look.next()
	if err != nil || next.kind != tokPunct || next.text != "]" && next.text != "," {
		return false, err
	}
	p.have = false
	return true, nil
}
