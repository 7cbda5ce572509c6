package filter

import (
	"fmt"
	"iter"
	"slices"
	"strings"

	"farcall/syscalls"
)

// A listed call is one that a condition is checked against.
type listed struct {
	abi  syscalls.ABI
	nr   uint64
	call *syscalls.Call
}

// variants yields the call and its variants.
func (c *listed) variants(yield func(*syscalls.Call) bool) {
	if !yield(c.call) {
		return
	}
	for _, v := range c.call.Variants {
		if !yield(v) {
			return
		}
	}
}

// list gives the described calls of a table.
func (t *Table) list() []listed {
	var out []listed
	for a := syscalls.ABI(0); a < syscalls.NumABI; a++ {
		for nr := range a.Names() {
			if call := t.describe(a, nr); call != nil && t.has(a, nr) {
				out = append(out, listed{a, nr, call})
			}
		}
	}
	return out
}

// A checker checks a condition against calls.
type checker struct {
	expr *Expr
}

// Check holds the condition against the descriptions of the calls of a table: each argument, member and constant that it
// names must exist for one of the calls that the names, classes and ABIs beside it leave, and suit the operator. Errors are of
// type *[ExprError].
func (e *Expr) Check(t Table) error {
	calls := t.list()
	c := checker{e}
	if err := c.node(e.root, calls); err != nil {
		return err
	}
	if !slices.ContainsFunc(calls, func(call listed) bool { return e.root.byNumber(&call) != False }) && t.Calls != nil && !t.Calls.Unnamed() {
		return c.contradiction("no system call of those that are traced can be meant")
	}
	if !slices.ContainsFunc(calls, func(call listed) bool { return e.root.byNumber(&call) != False }) && e.unnamed(syscalls.AMD64).Never() {
		return c.contradiction("no system call can be meant")
	}
	return nil
}

func (c *checker) contradiction(message string) error {
	first, last := -1, 0
	c.expr.root.leaves(func(l *leaf) bool {
		if first < 0 {
			first = l.pos
		}
		last = l.end
		return true
	})
	return c.fail(first, last, "", "%s", message)
}

func (c *checker) fail(pos, end int, hint, format string, args ...any) error {
	return &ExprError{Text: c.expr.text, Offset: pos, Length: end - pos, Message: fmt.Sprintf(format, args...), Hint: hint}
}

func (c *checker) node(n *node, calls []listed) error {
	if n.kind == nodeLeaf {
		return c.leaf(n.leaf, calls)
	}
	for i, s := range n.sub {
		of := calls
		if n.kind == nodeAnd {
			of = narrowed(n.sub, i, calls)
		}
		if err := c.node(s, of); err != nil {
			return err
		}
	}
	return nil
}

// narrowed gives the calls that all parts but part i allow by their names, classes and ABIs; all if that leaves none.
func narrowed(parts []*node, i int, calls []listed) []listed {
	var out []listed
	for k := range calls {
		possible := true
		for j, p := range parts {
			if j != i && p.byNumber(&calls[k]) == False {
				possible = false
				break
			}
		}
		if possible {
			out = append(out, calls[k])
		}
	}
	if len(out) == 0 {
		return calls
	}
	return out
}

// byNumber decides a condition by the name, the classes and the ABI of a call.
func (n *node) byNumber(c *listed) Truth {
	switch n.kind {
	case nodeLeaf:
		l := n.leaf
		switch l.field.kind {
		case fieldName:
			return truth(l.names(c.call.Name, c.call.Class) != l.neg)
		case fieldClass:
			return truth(l.classes(c.call.Class) != l.neg)
		case fieldABI:
			return truth(l.abis(c.abi) != l.neg)
		}
		return Unknown
	case nodeNot:
		switch n.sub[0].byNumber(c) {
		case True:
			return False
		case False:
			return True
		}
		return Unknown
	}
	absorbing, out := False, True
	if n.kind == nodeOr {
		absorbing, out = True, False
	}
	for _, s := range n.sub {
		switch t := s.byNumber(c); t {
		case absorbing:
			return t
		case Unknown:
			out = t
		}
	}
	return out
}

// spelling is a piece of the text.
func (c *checker) spelling(pos, end int) string { return c.expr.text[pos:end] }

func (c *checker) leaf(l *leaf, calls []listed) error {
	switch l.field.kind {
	case fieldArgs, fieldFD:
		return c.argument(l, calls)
	}
	if l.op != opTruth {
		if err := c.operator(l, l.field.cat); err != nil {
			return err
		}
	}
	switch l.field.cat {
	case catName, catClass, catABI:
		return c.symbols(l)
	case catText, catStack:
		return c.strings(l)
	case catNumber, catDuration:
		types := []*syscalls.Type{l.field.ownType(syscalls.AMD64)}
		if l.field.kind == fieldRet {
			for i := range calls {
				b := binder{call: calls[i].call, abi: calls[i].abi}
				if t := b.ownType(l.field); !slices.Contains(types, t) {
					types = append(types, t)
				}
			}
		}
		return c.numbers(l, types, syscalls.AMD64)
	}
	return nil
}

// operator sees to it that an operator suits a category.
func (c *checker) operator(l *leaf, cat category) error {
	if slices.Contains(operatorsOf[cat], l.op) {
		return nil
	}
	var names []string
	for _, o := range operatorsOf[cat] {
		names = append(names, opNames[o])
		if o == opEq {
			names = append(names, "!=")
		}
	}
	hint := ""
	if len(names) > 0 {
		hint = "what can be asked of it: " + strings.Join(names, " ")
	}
	return c.fail(l.opPos, l.opPos+len(opText(c.expr.text[l.opPos:])), hint, "'%s' does not apply to %s, which is %s",
		opNames[l.op], c.spelling(l.subject.pos, l.subject.end), categoryNames[cat])
}

// opText is the operator at the beginning of a text.
func opText(s string) string {
	n := 0
	for n < len(s) && isLetter(s[n]) {
		n++
	}
	if n == 0 {
		for _, sign := range signs {
			if strings.HasPrefix(s, sign) {
				return sign
			}
		}
	}
	return s[:n]
}

// symbols checks the constants of name, class and abi.
func (c *checker) symbols(l *leaf) error {
	for i := range l.values {
		v := &l.values[i]
		word := v.text
		if v.kind == valNumber && len(v.terms) == 1 && v.terms[0].name != "" {
			word = v.terms[0].name
		} else if v.kind != valString && v.kind != valClass {
			return c.fail(v.pos, v.end, "", "%s is not %s", c.spelling(v.pos, v.end), categoryNames[l.field.cat])
		}
		switch l.field.kind {
		case fieldName:
			if v.kind == valNumber && !isCallName(word) {
				return c.fail(v.pos, v.end, suggest(word, callNames), "there is no system call '%s'", word)
			}
		case fieldClass:
			if _, ok := classNamed(v); !ok {
				return c.fail(v.pos, v.end, suggest("%"+word, slices.Values(ClassNames())), "there is no class '%s'", word)
			}
		case fieldABI:
			var known []string
			for a := syscalls.ABI(0); a < syscalls.NumABI; a++ {
				known = append(known, a.String())
			}
			if !slices.Contains(known, word) || v.kind == valClass {
				return c.fail(v.pos, v.end, "one of "+strings.Join(known, ", "), "there is no ABI '%s'", word)
			}
		}
	}
	return nil
}

func isCallName(word string) bool {
	for a := syscalls.ABI(0); a < syscalls.NumABI; a++ {
		if _, ok := a.Number(word); ok {
			return true
		}
	}
	return false
}

// callNames yields the names of all calls.
func callNames(yield func(string) bool) {
	for a := syscalls.ABI(0); a < syscalls.NumABI; a++ {
		for _, name := range a.Names() {
			if !yield(name) {
				return
			}
		}
	}
}

// strings sees to it that constants are strings.
func (c *checker) strings(l *leaf) error {
	for i := range l.values {
		if v := &l.values[i]; v.kind != valString {
			text := c.spelling(v.pos, v.end)
			return c.fail(v.pos, v.end, `write "`+text+`"`, "%s is text: it is compared with strings in quotes", c.spelling(l.subject.pos, l.subject.end))
		}
	}
	if l.mask != nil || l.mod != 0 {
		return c.fail(l.subject.pos, l.subject.end, "", "arithmetic is for numbers")
	}
	return nil
}

// numbers checks the constants of a comparison with a number of one of the types.
func (c *checker) numbers(l *leaf, types []*syscalls.Type, a syscalls.ABI) error {
	for i := range l.values {
		v := &l.values[i]
		ends := []*value{v}
		if v.kind == valRange {
			ends = []*value{v.lo, v.hi}
		}
		for _, end := range ends {
			if err := c.numeric(l, end, types, a); err != nil {
				return err
			}
		}
	}
	if l.mask != nil {
		return c.terms(l, l.mask, types, a)
	}
	return nil
}

func (c *checker) numeric(l *leaf, v *value, types []*syscalls.Type, a syscalls.ABI) error {
	what := c.spelling(l.subject.pos, l.subject.end)
	switch {
	case v.kind == valNull:
		return c.fail(v.pos, v.end, "", "%s is no pointer", what)
	case v.kind == valString:
		return c.fail(v.pos, v.end, "", "%s is a number, not text", what)
	case v.kind == valClass:
		return c.fail(v.pos, v.end, "classes are compared with 'name' or 'class'", "%s is a number", what)
	case l.field.cat == catDuration && v.kind == valNumber && (v.terms[0].name != "" || v.terms[0].n.mag != 0):
		return c.fail(v.pos, v.end, "such as 5ms or 1.5s", "%s is compared with a time, which has a unit", what)
	case l.field.cat != catDuration && v.kind == valDuration:
		return c.fail(v.pos, v.end, "", "%s is not compared with a time", what)
	}
	return c.terms(l, v, types, a)
}

// terms checks the numbers and names of a constant.
func (c *checker) terms(l *leaf, v *value, types []*syscalls.Type, a syscalls.ABI) error {
	what := c.spelling(l.subject.pos, l.subject.end)
	for i := range v.terms {
		t := &v.terms[i]
		if t.name != "" {
			if _, ok := resolverOf(types, a)(t.name); !ok {
				return c.fail(t.pos, t.end, c.constantHint(l, t.name, types, a), "'%s' is no value of %s", t.name, what)
			}
			continue
		}
		has := l.op == opHasAll || l.op == opHasAny
		if has && t.n.mag == 0 && types[0].Kind != syscalls.KindBits {
			return c.fail(t.pos, t.end, "", "0 has no bits to look for")
		}
		width := uint64(0)
		for _, typ := range types {
			width |= layoutOf(typ, a).mask()
		}
		if _, fits := t.n.pattern(width); !fits && (l.op == opEq || l.op == opIn || has) {
			return c.fail(t.pos, t.end, "", "%s does not fit into %s", t.text, what)
		}
	}
	return nil
}

// constantHint says what may be meant by a name that is no constant of the types.
func (c *checker) constantHint(l *leaf, name string, types []*syscalls.Type, a syscalls.ABI) string {
	named := false
	hint := suggest(name, func(yield func(string) bool) {
		for _, t := range types {
			for n := range constantNames(t, a) {
				named = true
				if !yield(n) {
					return
				}
			}
		}
	})
	if hint != "" {
		return hint
	}
	if owner := constantOwner(name, a); owner != "" {
		return name + " is a value of " + owner
	}
	if !named {
		return "it has no named values: write a number"
	}
	return ""
}

// constantOwner is an argument that has the constant: "args.family of socket".
func constantOwner(name string, a syscalls.ABI) string {
	t := Table{}
	for _, call := range t.list() {
		if call.abi != a {
			continue
		}
		for d := range call.variants {
			for i := range d.Args {
				if _, ok := lookup(d.Args[i].Type, a, name); ok {
					return "args." + d.Args[i].Name + " of " + d.Name
				}
			}
		}
	}
	return ""
}

// argument checks a leaf about an argument: it must suit it in one of the calls.
func (c *checker) argument(l *leaf, calls []listed) error {
	var first error
	var places []place
	var types []*syscalls.Type // of the call and its variants: a variant alone knows only the value that chose it
	for i := range calls {
		call := &calls[i]
		places, types = places[:0], types[:0]
		for d := range call.variants {
			places = l.places(places, d)
		}
		for k := range places {
			if cat, _ := categoryOf(places[k].t); cat == catNumber && !slices.Contains(types, places[k].t) {
				types = append(types, places[k].t)
			}
		}
		for k := range places {
			err := c.place(l, &places[k], types, call.abi)
			if err == nil {
				return nil
			}
			if first == nil {
				first = err
			}
		}
	}
	if first != nil {
		return first
	}
	return c.noPlace(l, calls)
}

// place checks a leaf about what a subject leads to in one call, where its numbers are of the types.
func (c *checker) place(l *leaf, p *place, types []*syscalls.Type, a syscalls.ABI) error {
	what := c.spelling(l.subject.pos, l.subject.end)
	cat, pointer := categoryOf(p.t)
	switch {
	case p.meaning != "":
		if err := c.operator(l, catText); err != nil {
			return err
		}
		return c.strings(l)
	case l.isNull():
		if !pointer {
			return c.fail(l.values[0].pos, l.values[0].end, "", "%s is no pointer", what)
		}
		return nil
	case cat == catComposite:
		if elementOf(p.t) != nil {
			return c.fail(l.subject.pos, l.subject.end, "its elements are "+what+"[0] and so on; "+what+"[*] is any of them", "%s is an array", what)
		}
		return c.fail(l.subject.pos, l.subject.end, memberHint([]*syscalls.Type{p.t}, ""), "%s is a structure", what)
	}
	if k := p.t.Kind; (k == syscalls.KindEnum || k == syscalls.KindConst || k == syscalls.KindSignal) && (l.op == opHasAll || l.op == opHasAny) {
		return c.fail(l.opPos, l.values[len(l.values)-1].end, "compare it by == or in", "%s is one value, not a set of bits", what)
	}
	if err := c.operator(l, cat); err != nil {
		return err
	}
	if cat == catText {
		return c.strings(l)
	}
	if cat != catNumber { // the elements of a set are known to it alone
		types = []*syscalls.Type{p.t}
	}
	return c.numbers(l, types, a)
}

// noPlace says why a subject leads nowhere.
func (c *checker) noPlace(l *leaf, calls []listed) error {
	names := map[string]bool{}
	for i := range calls {
		names[calls[i].call.Name] = true
	}
	who := "none of the calls has an"
	switch {
	case len(names) == 1:
		who = calls[0].call.Name + " has no"
	case len(calls) > 1000:
		who = "no system call has an"
	}
	// How far do the steps lead?
	for n := len(l.steps) - 1; n >= 0; n-- {
		if n == 0 && l.field.kind == fieldArgs {
			break
		}
		shorter := l.subject
		shorter.steps = l.steps[:n]
		var types []*syscalls.Type
		for i := range calls {
			for d := range calls[i].variants {
				for _, p := range shorter.places(nil, d) {
					types = append(types, p.t)
				}
			}
		}
		if len(types) == 0 {
			continue
		}
		st := &l.steps[n]
		what := c.spelling(l.subject.pos, stepEnd(&shorter))
		if st.name == "" {
			return c.fail(st.pos, st.end, "", "%s is not an array", what)
		}
		return c.fail(st.pos, st.end, memberHint(types, st.name), "%s has no part '%s'", what, st.name)
	}
	if l.field.kind == fieldFD {
		return c.fail(l.subject.pos, l.subject.end, "", "%s argument that is a file descriptor", who)
	}
	st := &l.steps[0]
	return c.fail(st.pos, st.end, c.argumentHint(st.name, calls, len(names)), "%s argument '%s'", who, st.name)
}

// stepEnd is where the text of a subject ends.
func stepEnd(s *subject) int {
	if n := len(s.steps); n > 0 {
		return s.steps[n-1].end
	}
	return s.pos + len(s.field.name)
}

// argumentHint proposes an argument, or lists those of the only call.
func (c *checker) argumentHint(name string, calls []listed, names int) string {
	var all []string
	for i := range calls {
		for d := range calls[i].variants {
			for k := range d.Args {
				if !slices.Contains(all, d.Args[k].Name) {
					all = append(all, d.Args[k].Name)
				}
			}
		}
	}
	if best := Nearest(name, slices.Values(all)); best != "" {
		return "did you mean 'args." + best + "'?"
	}
	if names == 1 && len(all) > 0 && len(all) <= 12 {
		return "its arguments are " + strings.Join(all, ", ")
	}
	return ""
}

// memberHint proposes a member of the structures, or lists them.
func memberHint(types []*syscalls.Type, name string) string {
	var all []string
	for _, t := range types {
		for m := range memberNames(t, 0) {
			if !slices.Contains(all, m) {
				all = append(all, m)
			}
		}
	}
	if len(all) == 0 {
		return ""
	}
	if best := Nearest(name, slices.Values(all)); best != "" && name != "" {
		return "did you mean '" + best + "'?"
	}
	if len(all) > 20 {
		all = append(all[:20], "...")
	}
	return "its parts are " + strings.Join(all, ", ")
}

// memberNames yields the names of the parts of a type.
func memberNames(t *syscalls.Type, depth int) iter.Seq[string] {
	return func(yield func(string) bool) {
		if depth > maxWalk {
			return
		}
		switch t.Kind {
		case syscalls.KindFD, syscalls.KindDirFD:
			_ = yield("path") && yield("peer")
		case syscalls.KindUnion:
			for _, alt := range alternatives(t) {
				for m := range memberNames(alt, depth+1) {
					if !yield(m) {
						return
					}
				}
			}
		case syscalls.KindStruct:
			for i := range t.Struct.Fields {
				f := &t.Struct.Fields[i]
				if f.Type.Kind == syscalls.KindPad {
					continue
				}
				if f.Attr&syscalls.AttrFlat == 0 {
					if !yield(f.Name) {
						return
					}
					continue
				}
				for m := range memberNames(f.Type, depth+1) {
					if !yield(m) {
						return
					}
				}
			}
		}
	}
}

// unknownField proposes what may be meant by a word that is no field: an argument, or a field.
func unknownField(word string) string {
	t := Table{}
	for _, call := range t.list() {
		for d := range call.variants {
			for i := range d.Args {
				if d.Args[i].Name == word {
					return "the argument is args." + word
				}
			}
		}
	}
	if isCallName(word) {
		return "the call is name == " + word
	}
	return suggest(word, func(yield func(string) bool) {
		for i := range fields {
			if !yield(fields[i].name) {
				return
			}
		}
	})
}

// Refuse is the error that the condition asks for something that cannot be told, nil if it does not. why is the end of a
// sentence that begins with the word in the condition.
func (e *Expr) Refuse(cannot Needs, why string) error {
	var err error
	e.root.leaves(func(l *leaf) bool {
		if l.field.needs&cannot != 0 {
			err = &ExprError{Text: e.text, Offset: l.subject.pos, Length: l.subject.end - l.subject.pos, Message: "'" + l.field.name + "' " + why}
		}
		return err == nil
	})
	return err
}
