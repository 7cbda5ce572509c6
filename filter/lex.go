package filter

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// A tokenKind tells the tokens of the language of conditions apart.
type tokenKind uint8

const (
	tokEnd    tokenKind = iota
	tokWord             // a name
	tokNumber           // digits and what is joined to them: 0x1f, 4k, 1.5ms
	tokString           // in quotes
	tokSign             // == ( | ...
)

// A token is a piece of a line. text is the spelling, of a string what it stands for.
type token struct {
	kind     tokenKind
	pos, end int
	text     string
}

// signs are the tokens made of signs, longer ones before their beginnings.
var signs = []string{
	"==", "!=", "=~", "!~", "<=", ">=", "&&", "||", "..", "<", ">", "!", "&", "|", "%", "(", ")", "[", "]", ",", ".", "*", "-", "/", "=",
}

// A lexer cuts a line into tokens, one ahead of the parser. Offsets count from the beginning of the line.
type lexer struct {
	text string
	tok  token
}

// fail makes an error about the bytes from pos to end.
func (l *lexer) fail(pos, end int, hint, format string, args ...any) error {
	return &ExprError{Text: l.text, Offset: pos, Length: end - pos, Message: fmt.Sprintf(format, args...), Hint: hint}
}

func isLetter(c byte) bool { return c == '_' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' }
func isDigit(c byte) bool  { return '0' <= c && c <= '9' }

// advance reads the next token, from offset pos on.
func (l *lexer) advance(pos int) error {
	for pos < len(l.text) && strings.IndexByte(" \t\r\n", l.text[pos]) >= 0 {
		pos++
	}
	rest := l.text[pos:]
	l.tok = token{pos: pos, end: pos}
	if rest == "" {
		return nil
	}
	n := 0
	switch c := rest[0]; {
	case isLetter(c):
		for n < len(rest) && (isLetter(rest[n]) || isDigit(rest[n])) {
			n++
		}
		l.tok.kind = tokWord
	case isDigit(c):
		for n < len(rest) && (isLetter(rest[n]) || isDigit(rest[n]) || rest[n] == '.' && n+1 < len(rest) && isDigit(rest[n+1])) {
			n++
		}
		l.tok.kind = tokNumber
	case c == '"' || c == '\'':
		return l.quoted(pos)
	default:
		for _, s := range signs {
			if strings.HasPrefix(rest, s) {
				n = len(s)
				break
			}
		}
		if n == 0 {
			_, size := utf8.DecodeRuneInString(rest)
			return l.fail(pos, pos+size, "", "%q is not part of the language", rest[:size])
		}
		l.tok.kind = tokSign
	}
	l.tok.text, l.tok.end = rest[:n], pos+n
	return nil
}

// escapes are the characters behind a backslash that stand for another one.
var escapes = map[byte]byte{
	'n': '\n', 't': '\t', 'r': '\r', 'a': 7, 'b': 8, 'f': 12, 'v': 11, 'e': 27, '\\': '\\', '"': '"', '\'': '\'',
}

// quoted reads a string in double or single quotes, with the escapes of C.
func (l *lexer) quoted(pos int) error {
	quote := l.text[pos]
	var b []byte
	for i := pos + 1; i < len(l.text); i++ {
		switch c := l.text[i]; {
		case c == quote:
			l.tok = token{tokString, pos, i + 1, string(b)}
			return nil
		case c != '\\':
			b = append(b, c)
		default:
			c, n := unescape(l.text[i+1:])
			if n == 0 {
				if i+1 == len(l.text) {
					break
				}
				_, size := utf8.DecodeRuneInString(l.text[i+1:])
				return l.fail(i, i+1+size, `write \\ for a backslash; a regular expression can stand between slashes: =~ /\.so$/`,
					"%s is no escape", l.text[i:i+1+size])
			}
			b = append(b, c)
			i += n
		}
	}
	return l.fail(pos, len(l.text), "", "the string does not end: there is no closing %c", quote)
}

// unescape reads what follows a backslash: a letter, up to three octal digits, or x and up to two hexadecimal ones.
// n is 0 if that is no escape.
func unescape(s string) (c byte, n int) {
	if s == "" {
		return 0, 0
	}
	if c, ok := escapes[s[0]]; ok {
		return c, 1
	}
	value, base, limit := 0, 8, 3
	if s[0] == 'x' {
		base, limit, n = 16, 3, 1
	}
	for n < len(s) && n < limit {
		d := strings.IndexByte("0123456789abcdef", s[n])
		if 'A' <= s[n] && s[n] <= 'F' {
			d = int(s[n]-'A') + 10
		}
		if d < 0 || d >= base || value*base+d > 255 {
			break
		}
		value = value*base + d
		n++
	}
	if s[0] == 'x' && n == 1 {
		return 0, 0
	}
	return byte(value), n
}

// slashed reads a regular expression between slashes, the first of which is the current token. A slash within is
// written \/.
func (l *lexer) slashed() error {
	pos := l.tok.pos
	var b strings.Builder
	for i := pos + 1; i < len(l.text); i++ {
		switch c := l.text[i]; {
		case c == '/':
			l.tok = token{tokString, pos, i + 1, b.String()}
			return nil
		case c == '\\' && i+1 < len(l.text):
			i++
			if l.text[i] != '/' {
				b.WriteByte(c)
			}
			b.WriteByte(l.text[i])
		default:
			b.WriteByte(c)
		}
	}
	return l.fail(pos, len(l.text), "", "the regular expression does not end: there is no closing /")
}

// appendQuoted writes a string so that the lexer reads it back.
func appendQuoted(b []byte, s string) []byte {
	b = append(b, '"')
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c == '\n':
			b = append(b, '\\', 'n')
		case c == '\t':
			b = append(b, '\\', 't')
		case c < ' ' || c == 0x7f:
			b = fmt.Appendf(b, `\x%02x`, c)
		default:
			b = append(b, c)
		}
	}
	return append(b, '"')
}
