package symbols

import (
	"fmt"
	"path"
	"strconv"
	"strings"
)

// Pattern is what a user writes to name a place of a program:
//
//	main                       a symbol, mangled or as in the source, Go's pkg.(*T).Method too
//	ns::f                      a C++ or Rust function, whatever its parameters
//	SSL_read@OPENSSL_1_1_0     a symbol of that version
//	puts@plt                   the stub that calls another object's puts
//	read*  parse_[a-f]?        a glob: * any text, ? one character, [...] one of these
//	server.c:120               a source line
//	0x401136                   an in-file address
//
// Any of them may follow the name of an object and a colon: libssl.so.3:SSL_read.
type Pattern struct {
	Text    string // the whole pattern, as written
	Object  string // name of the object, "" for any; may be a glob
	Name    string // name or glob, with its version; "" for the two kinds that follow
	File    string // source file
	Line    int    // line in File, from 1
	Addr    uint64
	HasAddr bool
}

// ParsePattern takes a pattern apart. It does not look at any file.
func ParsePattern(text string) (Pattern, error) {
	p := Pattern{Text: text}
	if text == "" {
		return p, fmt.Errorf("symbols: empty pattern")
	}
	rest := text
	// An object's name ends at a colon of its own: not at one of C++'s pairs, nor in a file:line.
	for i := 0; i < len(rest); i++ {
		if rest[i] != ':' {
			continue
		}
		if i+1 < len(rest) && rest[i+1] == ':' {
			i++
			continue
		}
		if i > 0 && i+1 < len(rest) && !allDigits(rest[i+1:]) && !strings.ContainsAny(rest[:i], "(<{ ") {
			p.Object, rest = rest[:i], rest[i+1:]
		}
		break
	}
	if hex, ok := strings.CutPrefix(rest, "0x"); ok {
		addr, err := strconv.ParseUint(hex, 16, 64)
		if err != nil {
			return p, fmt.Errorf("symbols: '%s' is no address", rest)
		}
		p.Addr, p.HasAddr = addr, true
		return p, nil
	}
	if i := strings.LastIndexByte(rest, ':'); i > 0 && rest[i-1] != ':' && i+1 < len(rest) && allDigits(rest[i+1:]) {
		n, err := strconv.Atoi(rest[i+1:])
		if err != nil || n <= 0 {
			return p, fmt.Errorf("symbols: '%s' is no line number", rest[i+1:])
		}
		p.File, p.Line = rest[:i], n
		return p, nil
	}
	p.Name = rest
	return p, nil
}

// InObject reports whether the pattern means the object with that path: it asks for none, or by the path, the file's name, its
// name without what follows .so, or a glob of these (path.Match).
func (p *Pattern) InObject(name string) bool {
	if p.Object == "" {
		return true
	}
	base := path.Base(name)
	bare, _, _ := strings.Cut(base, ".so")
	for _, n := range []string{base, bare, name} {
		if ok, err := path.Match(p.Object, n); p.Object == n || ok && err == nil {
			return true
		}
	}
	return false
}

func allDigits(s string) bool { return strings.Trim(s, "0123456789") == "" }

// isGlob reports whether the text has characters that are special in a glob.
func isGlob(s string) bool { return strings.ContainsAny(s, "*?[") }

// MatchGlob reports whether the glob matches all of the text, as in a Pattern.
func MatchGlob(glob, text string) bool { return matchGlob(glob, text) }

// matchGlob reports whether the glob matches all of the text: * stands for any text, slashes
// included, ? for one byte, [a-z] and [!a-z] for one of a set. Time is at most the product of the
// lengths.
func matchGlob(glob, text string) bool {
	star, mark := -1, 0 // after the last *, and where it was tried
	g, i := 0, 0
	for i < len(text) {
		if g < len(glob) {
			if glob[g] == '*' {
				g++
				star, mark = g, i
				continue
			}
			if n := matchOne(glob[g:], text[i]); n > 0 {
				g += n
				i++
				continue
			}
		}
		if star < 0 {
			return false
		}
		mark++
		g, i = star, mark
	}
	return strings.Trim(glob[g:], "*") == ""
}

// matchOne matches the glob's first element with one byte and returns the element's length, 0 for
// no match.
func matchOne(glob string, c byte) int {
	switch glob[0] {
	case '?':
		return 1
	case '[':
		end := strings.IndexByte(glob[min(2, len(glob)):], ']')
		if end < 0 {
			break // an ordinary bracket
		}
		end += 2
		set := glob[1:end]
		not := len(set) > 1 && (set[0] == '!' || set[0] == '^')
		if not {
			set = set[1:]
		}
		in := false
		for len(set) > 0 {
			if len(set) >= 3 && set[1] == '-' {
				in = in || set[0] <= c && c <= set[2]
				set = set[3:]
				continue
			}
			in = in || set[0] == c
			set = set[1:]
		}
		if in == not {
			return 0
		}
		return end + 1
	}
	if glob[0] == c {
		return 1
	}
	return 0
}
