package filter

import (
	"math"
	"math/bits"
	"regexp"
	"strconv"
	"strings"
)

// units are what can be joined to a number, and what they multiply it by.
var units = []struct {
	name     string
	factor   uint64
	duration bool
}{
	{"k", 1 << 10, false}, {"K", 1 << 10, false}, {"M", 1 << 20, false}, {"G", 1 << 30, false}, {"T", 1 << 40, false},
	{"ns", 1, true}, {"us", 1e3, true}, {"ms", 1e6, true}, {"s", 1e9, true}, {"min", 60e9, true}, {"h", 3600e9, true},
}

// value reads a constant: a number, a name, several of both joined by |, a string, a class, or a range.
func (p *exprParser) value() (value, error) {
	v, err := p.bound()
	if err != nil || !p.isSign("..") {
		return v, err
	}
	if err := p.next(); err != nil {
		return v, err
	}
	lo := v
	hi, err := p.bound()
	if err != nil {
		return v, err
	}
	for _, end := range []*value{&lo, &hi} {
		if end.kind != valNumber && end.kind != valDuration {
			return v, p.fail(end.pos, end.end, "", "the ends of a range are numbers")
		}
	}
	if lo.kind != hi.kind {
		return v, p.fail(lo.pos, hi.end, "", "the ends of the range are of different kinds")
	}
	return value{kind: valRange, lo: &lo, hi: &hi, pos: lo.pos, end: hi.end}, nil
}

// bound reads what can be an end of a range.
func (p *exprParser) bound() (value, error) {
	v := value{pos: p.tok.pos, end: p.tok.end, text: p.tok.text}
	switch {
	case p.tok.kind == tokString:
		v.kind = valString
		return v, p.next()
	case p.isSign("%"):
		return p.class()
	case p.isWord("NULL"):
		v.kind = valNull
		return v, p.next()
	}
	for {
		t, duration, err := p.term()
		if err != nil {
			return v, err
		}
		v.terms = append(v.terms, t)
		v.end = t.end
		if duration {
			v.kind, v.text = valDuration, t.text
			if len(v.terms) > 1 || p.isSign("|") {
				return v, p.fail(v.pos, v.end, "", "times cannot be joined by |")
			}
			return v, nil
		}
		if !p.isSign("|") {
			return v, nil
		}
		if err := p.next(); err != nil {
			return v, err
		}
	}
}

// class reads the name of a class: its percent signs are tokens of their own.
func (p *exprParser) class() (value, error) {
	pos := p.tok.pos
	for p.isSign("%") {
		if err := p.next(); err != nil {
			return value{}, err
		}
	}
	name := p.text[pos:p.tok.end]
	if _, ok := classOf(name); p.tok.kind != tokWord || !ok {
		return value{}, p.fail(pos, p.tok.end, suggest(name, func(yield func(string) bool) {
			for _, c := range ClassNames() {
				if !yield(c) {
					return
				}
			}
		}), "there is no class '%s'", name)
	}
	v := value{kind: valClass, text: name, pos: pos, end: p.tok.end}
	return v, p.next()
}

// term reads a number or a name.
func (p *exprParser) term() (t term, duration bool, err error) {
	t = term{pos: p.tok.pos}
	if p.isSign("-") {
		t.n.neg = true
		if err := p.next(); err != nil {
			return t, false, err
		}
		if p.tok.kind != tokNumber {
			return t, false, p.failHere("", "a number is expected behind the minus sign, not %s", p.describe())
		}
	}
	t.end, t.text = p.tok.end, p.tok.text
	switch {
	case p.tok.kind == tokNumber:
		t.n.mag, duration, err = p.number()
		if t.n.neg {
			t.text = "-" + t.text
		}
		if t.n.mag == 0 {
			t.n.neg = false
		}
	case p.tok.kind == tokWord && !isKeyword(p.tok.text):
		t.name = p.tok.text
	default:
		return t, false, p.failHere("", "a value is expected, not %s", p.describe())
	}
	if err != nil {
		return t, false, err
	}
	return t, duration, p.next()
}

// isKeyword tells whether a word cannot be the name of a constant.
func isKeyword(word string) bool {
	switch word {
	case "and", "or", "not", "then":
		return true
	}
	return false
}

// number is the value of the current token: 10, 0x1f, 0o17 or 017, 0b11, with a unit, and with one in fractions too.
func (p *exprParser) number() (n uint64, duration bool, err error) {
	text := p.tok.text
	bad := func(hint, format string, args ...any) (uint64, bool, error) {
		return 0, false, p.failHere(hint, format, args...)
	}
	if len(text) > 1 && text[0] == '0' && strings.IndexByte("xXoObB0123456789", text[1]) >= 0 && !strings.Contains(text, ".") {
		n, err := strconv.ParseUint(text, 0, 64)
		if err == nil && !strings.Contains(text, "_") {
			return n, false, nil
		}
		if ne := new(strconv.NumError); isNumError(err, ne) && ne.Err == strconv.ErrRange {
			return bad("", "%s does not fit into 64 bits", text)
		}
		if strings.Trim(text, "0123456789") == "" {
			return bad("a leading 0 means octal", "%s is no number", text)
		}
		return bad("", "%s is no number", text)
	}
	digits := strings.TrimLeft(text, "0123456789.")
	number, unit := text[:len(text)-len(digits)], digits
	factor := uint64(1)
	if unit != "" {
		known := false
		for _, u := range units {
			if u.name == unit {
				factor, duration, known = u.factor, u.duration, true
			}
		}
		if !known {
			hint := "sizes: k M G T, times: ns us ms s min h"
			if unit == "m" {
				hint = "M is 2^20, min is minutes"
			}
			return bad(hint, "%s has an unknown unit", text)
		}
	}
	whole, fraction, dotted := strings.Cut(number, ".")
	if strings.Contains(fraction, ".") || dotted && unit == "" {
		return bad("fractions want a unit, such as 1.5ms", "%s is no number", text)
	}
	n, err = strconv.ParseUint(whole, 10, 64)
	hi, lo := bits.Mul64(n, factor)
	if err != nil || hi != 0 {
		return bad("", "%s does not fit into 64 bits", text)
	}
	// The digits behind the point, each a tenth of the one before.
	part := float64(0)
	for i := len(fraction) - 1; i >= 0; i-- {
		part = (part + float64(fraction[i]-'0')) / 10
	}
	n, carry := bits.Add64(lo, uint64(math.Round(part*float64(factor))), 0)
	if carry != 0 || duration && n > math.MaxInt64 {
		return bad("", "%s does not fit into 64 bits", text)
	}
	return n, duration, nil
}

func isNumError(err error, into *strconv.NumError) bool {
	ne, ok := err.(*strconv.NumError)
	if ok {
		*into = *ne
	}
	return ok
}

// patterns compiles the globs or the regular expression of a comparison.
func (p *exprParser) patterns(l *leaf) error {
	if l.op != opGlob && l.op != opMatches && l.op != opContains {
		return nil
	}
	var all []string
	for i := range l.values {
		v := &l.values[i]
		if v.kind != valString {
			return p.fail(v.pos, v.end, "", "a string in quotes is expected behind '%s'", opNames[l.op])
		}
		switch l.op {
		case opContains:
			l.needles = append(l.needles, []byte(v.text))
		case opGlob:
			g, problem := compileGlob(v.text)
			if problem != "" {
				return p.fail(v.pos, v.end, "", "%s", problem)
			}
			l.globs = append(l.globs, g)
		case opMatches:
			if _, err := regexp.Compile(v.text); err != nil {
				return p.fail(v.pos, v.end, "", "%s", strings.TrimPrefix(err.Error(), "error parsing regexp: "))
			}
			all = append(all, "(?:"+v.text+")")
		}
	}
	if l.op == opMatches {
		text := l.values[0].text
		if len(all) > 1 {
			text = strings.Join(all, "|")
		}
		re, err := regexp.Compile(text)
		if err != nil {
			return p.fail(l.values[0].pos, l.end, "", "%s", strings.TrimPrefix(err.Error(), "error parsing regexp: "))
		}
		l.re = re
	}
	return nil
}
