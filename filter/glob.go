package filter

import "bytes"

// A glob is a pattern as the shell has it: * stands for any bytes, those of / too, ? for one, [a-z] and [!a-z] for one of a
// set, a backslash for the character behind it as such.
type glob struct {
	parts []globPart
}

// A globPart is one byte of a pattern, or a star.
type globPart struct {
	star bool
	any  bool       // every byte
	set  *[4]uint64 // the bytes that match, nil for c alone
	c    byte
}

func (g *globPart) matches(c byte) bool {
	if g.set != nil {
		return g.set[c>>6]>>(c&63)&1 != 0
	}
	return g.any || g.c == c
}

// compileGlob reads a pattern; problem says what is wrong with it, or is "".
func compileGlob(pattern string) (g glob, problem string) {
	for i := 0; i < len(pattern); i++ {
		switch c := pattern[i]; c {
		case '*':
			if n := len(g.parts); n == 0 || !g.parts[n-1].star {
				g.parts = append(g.parts, globPart{star: true})
			}
		case '?':
			g.parts = append(g.parts, globPart{any: true})
		case '\\':
			if i++; i == len(pattern) {
				return g, "the pattern ends in a backslash"
			}
			g.parts = append(g.parts, globPart{c: pattern[i]})
		case '[':
			set, n, problem := globSet(pattern[i:])
			if problem != "" {
				return g, problem
			}
			g.parts = append(g.parts, globPart{set: set})
			i += n - 1
		default:
			g.parts = append(g.parts, globPart{c: c})
		}
	}
	return g, ""
}

// globSet reads the set at the beginning of s; n is its length there.
func globSet(s string) (set *[4]uint64, n int, problem string) {
	set = new([4]uint64)
	i := 1
	negated := i < len(s) && (s[i] == '!' || s[i] == '^')
	if negated {
		i++
	}
	for first := true; ; first = false {
		if i >= len(s) {
			return nil, 0, "a [ of the pattern is not closed"
		}
		if s[i] == ']' && !first {
			break
		}
		if s[i] == '\\' && i+1 < len(s) {
			i++
		}
		lo := s[i]
		hi := lo
		i++
		if i+1 < len(s) && s[i] == '-' && s[i+1] != ']' {
			hi = s[i+1]
			if i += 2; hi == '\\' && i < len(s) {
				hi = s[i]
				i++
			}
		}
		for c := int(lo); c <= int(hi); c++ {
			set[c>>6] |= 1 << (c & 63)
		}
	}
	if negated {
		for w := range set {
			set[w] = ^set[w]
		}
	}
	return set, i + 1, ""
}

// match tells whether the pattern matches the whole of s. It takes time proportional to the product of the lengths
// at most.
func (g *glob) match(s []byte) bool {
	p, i := 0, 0
	star, from := -1, 0
	for i < len(s) {
		switch {
		case p < len(g.parts) && g.parts[p].star:
			star, from = p, i
			p++
		case p < len(g.parts) && g.parts[p].matches(s[i]):
			p++
			i++
		case star >= 0: // the star takes one byte more
			from++
			p, i = star+1, from
		default:
			return false
		}
	}
	for p < len(g.parts) && g.parts[p].star {
		p++
	}
	return p == len(g.parts)
}

// text tells whether a string satisfies the comparison of a leaf.
func (l *leaf) text(s []byte) bool {
	switch l.op {
	case opGlob:
		for i := range l.globs {
			if l.globs[i].match(s) {
				return true
			}
		}
		return false
	case opMatches:
		return l.re.Match(s)
	}
	for _, needle := range l.needles {
		if bytes.Contains(s, needle) {
			return true
		}
	}
	if l.op == opContains {
		return false
	}
	for i := range l.values {
		if v := &l.values[i]; v.kind == valString && string(s) == v.text {
			return true
		}
	}
	return false
}
