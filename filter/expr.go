package filter

import (
	"regexp"
	"strconv"
)

// An Expr is a condition on a system call, parsed. It is a plain value that any number of goroutines may use.
// [Parse] makes one; [Expr.Check] holds it against the descriptions of calls; [Expr.Reach] says what of it the kernel can
// decide; [Expr.Compile] makes what decides it for one call after the other. docs/filter.md describes the language.
type Expr struct {
	text string
	root *node
}

// String gives the condition in its canonical spelling, which [Parse] reads as the same condition.
func (e *Expr) String() string { return string(e.root.append(nil, 0)) }

// A nodeKind is what a node of the tree is.
type nodeKind uint8

const (
	nodeLeaf nodeKind = iota
	nodeNot
	nodeAnd
	nodeOr
)

// A node is a condition: a leaf, or a combination of others.
type node struct {
	kind nodeKind
	sub  []*node
	leaf *leaf
}

// An op is what a leaf asks of its subject.
type op uint8

const (
	opTruth op = iota // of ok and failed, which are true or not
	opEq
	opLt
	opLe
	opGt
	opGe
	opIn
	opHasAll
	opHasAny
	opContains
	opGlob
	opMatches
)

var opNames = [...]string{
	opEq: "==", opLt: "<", opLe: "<=", opGt: ">", opGe: ">=", opIn: "in", opHasAll: "has", opHasAny: "has any",
	opContains: "contains", opGlob: "glob", opMatches: "=~",
}

// A leaf compares a subject with constants. With neg it holds where the comparison does not, but as without it only
// where there is something to compare.
type leaf struct {
	subject
	op       op
	neg      bool
	values   []value
	re       *regexp.Regexp
	globs    []glob
	needles  [][]byte // of contains
	opPos    int
	pos, end int
}

// A subject is what a leaf asks about.
type subject struct {
	field    *field
	steps    []step // of args and fd
	reg      int    // of argN
	mask     *value // behind &
	mod      uint64 // behind %
	pos, end int
}

// A step leads from a value to one within it: a member, or an element.
type step struct {
	name     string
	index    int // of an element if name is ""; anyElement: whichever
	pos, end int
}

const anyElement = -1

// A valueKind tells constants apart.
type valueKind uint8

const (
	valNumber   valueKind = iota // terms that are numbers or names
	valDuration                  // n nanoseconds
	valString
	valRange // lo to hi, both included
	valClass // %file
	valNull
)

// A value is a constant of a condition.
type value struct {
	kind     valueKind
	terms    []term // valNumber: joined by |
	text     string // valString: itself; valClass: its name; others: as it was written
	lo, hi   *value // valRange
	pos, end int
}

// A term is a number, or a name for one.
type term struct {
	name     string // "" for a number
	n        integer
	text     string // as it was written
	pos, end int
}

// An integer is a whole number: mag, below zero if neg.
type integer struct {
	neg bool
	mag uint64
}

// pattern is the number in the width of mask, two's complement, and whether it fits.
func (n integer) pattern(mask uint64) (uint64, bool) {
	if n.neg {
		return -n.mag & mask, n.mag <= mask>>1+1
	}
	return n.mag, n.mag <= mask
}

// append writes the node; level is the binding strength of what is around it: 0 nothing, 1 or, 2 and, 3 not.
func (n *node) append(b []byte, level int) []byte {
	switch n.kind {
	case nodeLeaf:
		return n.leaf.append(b)
	case nodeNot:
		return n.sub[0].append(append(b, "not "...), 3)
	}
	word, own := " or ", 1
	if n.kind == nodeAnd {
		word, own = " and ", 2
	}
	if level > own {
		b = append(b, '(')
	}
	for i, s := range n.sub {
		if i > 0 {
			b = append(b, word...)
		}
		b = s.append(b, own+1)
	}
	if level > own {
		b = append(b, ')')
	}
	return b
}

func (l *leaf) append(b []byte) []byte {
	b = l.subject.append(b)
	if l.op == opTruth {
		return b
	}
	b = append(b, ' ')
	switch {
	case !l.neg:
		b = append(b, opNames[l.op]...)
	case l.op == opEq:
		b = append(b, "!="...)
	case l.op == opMatches:
		b = append(b, "!~"...)
	default:
		b = append(append(b, "not "...), opNames[l.op]...)
	}
	b = append(b, ' ')
	if l.op != opIn && len(l.values) == 1 {
		return l.values[0].append(b)
	}
	b = append(b, '(')
	for i := range l.values {
		if i > 0 {
			b = append(b, ", "...)
		}
		b = l.values[i].append(b)
	}
	return append(b, ')')
}

func (s *subject) append(b []byte) []byte {
	b = append(b, s.field.name...)
	for i := range s.steps {
		switch st := &s.steps[i]; {
		case st.name != "":
			b = append(append(b, '.'), st.name...)
		case st.index == anyElement:
			b = append(b, "[*]"...)
		default:
			b = append(strconv.AppendInt(append(b, '['), int64(st.index), 10), ']')
		}
	}
	if s.mask != nil {
		b = s.mask.append(append(b, " & "...))
	}
	if s.mod != 0 {
		b = strconv.AppendUint(append(b, " % "...), s.mod, 10)
	}
	return b
}

func (v *value) append(b []byte) []byte {
	switch v.kind {
	case valString:
		return appendQuoted(b, v.text)
	case valRange:
		return v.hi.append(append(v.lo.append(b), ".."...))
	case valNumber:
		for i := range v.terms {
			if i > 0 {
				b = append(b, '|')
			}
			b = append(b, v.terms[i].text...)
		}
		return b
	}
	return append(b, v.text...)
}

// leaves yields the leaves of a tree.
func (n *node) leaves(yield func(*leaf) bool) bool {
	if n.kind == nodeLeaf {
		return yield(n.leaf)
	}
	for _, s := range n.sub {
		if !s.leaves(yield) {
			return false
		}
	}
	return true
}
