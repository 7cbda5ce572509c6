package filter

import (
	"iter"
	"slices"
	"strconv"
)

// Limits of what is parsed, so that no text makes it deep or slow.
const (
	maxText    = 1 << 16
	maxNesting = 64
)

// Parse reads a condition. Errors are of type *[ExprError].
func Parse(text string) (*Expr, error) {
	e, rest, err := ParsePrefix(text, 0)
	if err == nil && rest < len(text) {
		return nil, &ExprError{Text: text, Offset: rest, Length: len("then"), Message: "'then' belongs to rules, not to conditions"}
	}
	return e, err
}

// ParsePrefix reads the condition that begins at byte offset of a line and ends before the word "then" or at the end of
// the line. rest is the offset of that word, or of the end. Errors are of type *[ExprError], about the whole line.
func ParsePrefix(text string, offset int) (e *Expr, rest int, err error) {
	p := &exprParser{lexer: lexer{text: text}}
	if len(text) > maxText {
		return nil, 0, p.fail(0, 0, "", "the condition is longer than %d bytes", maxText)
	}
	if err := p.advance(offset); err != nil {
		return nil, 0, err
	}
	root, err := p.or()
	if err != nil {
		return nil, 0, err
	}
	if p.tok.kind != tokEnd && !p.isWord("then") {
		hint := ""
		switch {
		case p.tok.text == "=":
			hint = "equality is =="
		case p.tok.kind == tokWord:
			hint = suggest(p.tok.text, slices.Values(operatorWords))
		}
		return nil, 0, p.failHere(hint, "'and', 'or' or the end is expected, not %s", p.describe())
	}
	if err := p.countPlaces(root); err != nil {
		return nil, 0, err
	}
	return &Expr{text, root}, p.tok.pos, nil
}

// operatorWords are the operators that are words.
var operatorWords = []string{"and", "or", "in", "has", "contains", "glob", "matches"}

type exprParser struct {
	lexer
	depth int
}

// next goes on to the next token.
func (p *exprParser) next() error { return p.advance(p.tok.end) }

func (p *exprParser) failHere(hint, format string, args ...any) error {
	return p.fail(p.tok.pos, p.tok.end, hint, format, args...)
}

func (p *exprParser) isSign(s string) bool { return p.tok.kind == tokSign && p.tok.text == s }
func (p *exprParser) isWord(s string) bool { return p.tok.kind == tokWord && p.tok.text == s }

// describe names the current token in messages.
func (p *exprParser) describe() string {
	if p.tok.kind == tokEnd {
		return "the end"
	}
	return "'" + p.text[p.tok.pos:p.tok.end] + "'"
}

// expect skips a sign.
func (p *exprParser) expect(sign string) error {
	if !p.isSign(sign) {
		return p.failHere("", "'%s' is expected, not %s", sign, p.describe())
	}
	return p.next()
}

func (p *exprParser) or() (*node, error)  { return p.chain(nodeOr, "or", "||", p.and) }
func (p *exprParser) and() (*node, error) { return p.chain(nodeAnd, "and", "&&", p.not) }

// chain reads operands between words or signs that mean the same.
func (p *exprParser) chain(kind nodeKind, word, sign string, operand func() (*node, error)) (*node, error) {
	n, err := operand()
	for err == nil && (p.isWord(word) || p.isSign(sign)) {
		if err := p.next(); err != nil {
			return nil, err
		}
		var more *node
		if more, err = operand(); err != nil {
			return nil, err
		}
		// The operands of one chain are those of one node, whatever parentheses say.
		if n.kind != kind {
			n = &node{kind: kind, sub: []*node{n}}
		}
		if more.kind == kind {
			n.sub = append(n.sub, more.sub...)
		} else {
			n.sub = append(n.sub, more)
		}
	}
	return n, err
}

func (p *exprParser) not() (*node, error) {
	if p.depth++; p.depth > maxNesting {
		return nil, p.failHere("", "the condition is nested more than %d deep", maxNesting)
	}
	defer func() { p.depth-- }()
	switch {
	case p.isWord("not"), p.isSign("!"):
		if err := p.next(); err != nil {
			return nil, err
		}
		n, err := p.not()
		if err != nil {
			return nil, err
		}
		if n.kind == nodeNot { // twice is not at all
			return n.sub[0], nil
		}
		return &node{kind: nodeNot, sub: []*node{n}}, nil
	case p.isSign("("):
		open := p.tok
		if err := p.next(); err != nil {
			return nil, err
		}
		n, err := p.or()
		if err != nil {
			return nil, err
		}
		if !p.isSign(")") {
			if p.tok.kind == tokEnd {
				return nil, p.fail(open.pos, open.end, "", "this parenthesis is not closed")
			}
			return nil, p.expect(")")
		}
		return n, p.next()
	}
	l, err := p.leaf()
	if err != nil {
		return nil, err
	}
	return &node{kind: nodeLeaf, leaf: l}, nil
}

// leaf reads a comparison.
func (p *exprParser) leaf() (*leaf, error) {
	l := &leaf{}
	if err := p.subject(&l.subject); err != nil {
		return nil, err
	}
	l.pos = l.subject.pos
	if l.field.cat == catTruth {
		l.end = l.subject.end
		return l, nil
	}
	if err := p.operator(l); err != nil {
		return nil, err
	}
	if l.field.kind == fieldStack && (p.isWord("glob") || p.isWord("matches") || p.isSign("=~")) { // stack has glob "x*"
		l.op = opGlob
		if !p.isWord("glob") {
			l.op = opMatches
		}
		if err := p.next(); err != nil {
			return nil, err
		}
	}
	if err := p.values(l); err != nil {
		return nil, err
	}
	l.end = l.values[len(l.values)-1].end
	return l, p.patterns(l)
}

// operator reads an operator and the words that change it.
func (p *exprParser) operator(l *leaf) error {
	l.opPos = p.tok.pos
	if p.isWord("not") {
		l.neg = true
		if err := p.next(); err != nil {
			return err
		}
		if p.tok.kind != tokWord {
			return p.failHere("", "'in', 'has', 'contains', 'glob' or 'matches' is expected behind 'not', not %s", p.describe())
		}
	}
	switch t := p.tok.text; {
	case p.tok.kind != tokSign && p.tok.kind != tokWord:
		return p.failHere("", "an operator is expected behind '%s', not %s", p.text[l.subject.pos:l.subject.end], p.describe())
	case t == "!=":
		l.op, l.neg = opEq, true
	case t == "!~":
		l.op, l.neg = opMatches, true
	case t == "matches":
		l.op = opMatches
	case t == "has_any":
		l.op = opHasAny
	case t == "=":
		return p.failHere("equality is ==", "'=' is no operator")
	default:
		i := slices.Index(opNames[:], t)
		if i <= 0 {
			return p.failHere(suggest(t, slices.Values(operatorWords)), "an operator is expected behind '%s', not %s", p.text[l.subject.pos:l.subject.end], p.describe())
		}
		l.op = op(i)
	}
	if err := p.next(); err != nil {
		return err
	}
	if l.op == opHasAll && (p.isWord("any") || p.isWord("all")) {
		if p.isWord("any") {
			l.op = opHasAny
		}
		return p.next()
	}
	return nil
}

// subject reads what a comparison is about.
func (p *exprParser) subject(s *subject) error {
	if p.tok.kind != tokWord {
		return p.failHere("", "a condition is expected, not %s", p.describe())
	}
	word := p.tok.text
	s.pos, s.end = p.tok.pos, p.tok.end
	if s.field = fieldOf(word); s.field == nil {
		return p.failHere(unknownField(word), "there is nothing called '%s'", word)
	}
	if s.field.kind == fieldReg {
		s.reg = int(word[len("arg")] - '0')
	}
	if err := p.next(); err != nil {
		return err
	}
	for p.isSign(".") || p.isSign("[") {
		if s.field.kind != fieldArgs && s.field.kind != fieldFD {
			return p.failHere("", "'%s' has no parts", s.field.name)
		}
		if err := p.step(s); err != nil {
			return err
		}
	}
	switch {
	case s.field.kind == fieldArgs && len(s.steps) == 0:
		return p.fail(s.pos, s.end, "such as args.filename", "the name of an argument is missing")
	case s.field.kind == fieldArgs && s.steps[0].name == "":
		return p.fail(s.steps[0].pos, s.steps[0].end, "arg0 to arg5 are the registers", "arguments have names")
	case len(s.steps) > maxNesting:
		return p.fail(s.pos, s.end, "", "too many parts")
	}
	return p.arithmetic(s)
}

// step reads one step to a part.
func (p *exprParser) step(s *subject) error {
	st := step{pos: p.tok.pos}
	dot := p.isSign(".")
	if err := p.next(); err != nil {
		return err
	}
	switch {
	case dot && p.tok.kind != tokWord:
		return p.failHere("", "a name is expected behind the point, not %s", p.describe())
	case dot:
		st.name = p.tok.text
	case p.isSign("*"):
		st.index = anyElement
	default:
		n, err := strconv.ParseUint(p.tok.text, 10, 16)
		if p.tok.kind != tokNumber || err != nil {
			return p.failHere("[0] is the first element, [*] any", "the number of an element is expected, not %s", p.describe())
		}
		st.index = int(n)
	}
	st.end, s.end = p.tok.end, p.tok.end
	if dot {
		st.pos = p.tok.pos
	}
	if err := p.next(); err != nil {
		return err
	}
	if !dot {
		st.end, s.end = p.tok.end, p.tok.end
		if err := p.expect("]"); err != nil {
			return err
		}
	}
	s.steps = append(s.steps, st)
	return nil
}

// arithmetic reads a mask or a divisor behind a subject.
func (p *exprParser) arithmetic(s *subject) error {
	switch {
	case p.isSign("&"):
		if err := p.next(); err != nil {
			return err
		}
		v, err := p.value()
		if err != nil {
			return err
		}
		if v.kind != valNumber {
			return p.fail(v.pos, v.end, "", "a number is expected behind &")
		}
		s.mask, s.end = &v, v.end
	case p.isSign("%"):
		if err := p.next(); err != nil {
			return err
		}
		n, err := strconv.ParseUint(p.tok.text, 10, 63)
		if p.tok.kind != tokNumber || err != nil || n == 0 {
			return p.failHere("", "a positive number is expected behind %%, not %s", p.describe())
		}
		s.mod, s.end = n, p.tok.end
		return p.next()
	}
	return nil
}

// values reads the constants of a comparison.
func (p *exprParser) values(l *leaf) error {
	list := l.op == opIn || l.op == opGlob || l.op == opMatches || l.op == opContains
	if l.op == opMatches && p.isSign("/") {
		return p.pattern(l)
	}
	paren := p.isSign("(")
	if paren {
		if err := p.next(); err != nil {
			return err
		}
	}
	for {
		if l.op == opMatches && p.isSign("/") {
			if err := p.pattern(l); err != nil {
				return err
			}
		} else {
			v, err := p.value()
			if err != nil {
				return err
			}
			if l.op != opIn && v.kind == valRange {
				return p.fail(v.pos, v.end, "", "a range can stand only behind 'in'")
			}
			l.values = append(l.values, v)
		}
		if !paren {
			if p.isSign(",") && list {
				return p.failHere("", "a list is written in parentheses")
			}
			return nil
		}
		if !list || !p.isSign(",") {
			return p.expect(")")
		}
		if err := p.next(); err != nil {
			return err
		}
	}
}

// pattern reads a regular expression between slashes.
func (p *exprParser) pattern(l *leaf) error {
	if err := p.slashed(); err != nil {
		return err
	}
	l.values = append(l.values, value{kind: valString, text: p.tok.text, pos: p.tok.pos, end: p.tok.end})
	return p.next()
}

// countPlaces sees to it that count stands where it has a meaning: beside the rest of the condition, not within.
func (p *exprParser) countPlaces(root *node) error {
	parts := []*node{root}
	if root.kind == nodeAnd {
		parts = root.sub
	}
	for _, part := range parts {
		var first *leaf
		others := false
		part.leaves(func(l *leaf) bool {
			if l.field.kind != fieldCount {
				others = true
			} else if first == nil {
				first = l
			}
			return true
		})
		if first != nil && others {
			return p.fail(first.pos, first.subject.end, "write: (the rest) and count == 3",
				"'count' numbers the matches of the rest of the condition: it is joined to that by 'and'")
		}
	}
	return nil
}

// suggest is a hint with the candidate that a mistyped word was probably meant to be, or "".
func suggest(word string, candidates iter.Seq[string]) string {
	if best := Nearest(word, candidates); best != "" {
		return "did you mean '" + best + "'?"
	}
	return ""
}
