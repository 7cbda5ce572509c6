package syscalls

import (
	"fmt"
	"strconv"
)

// A SyntaxError is a fault in a description, with its place.
type SyntaxError struct {
	File      string
	Line, Col int // from 1; Col counts bytes
	Msg       string
}

func (e *SyntaxError) Error() string {
	return fmt.Sprintf("%s:%d:%d: %s", e.File, e.Line, e.Col, e.Msg)
}

type tokenKind uint8

const (
	tokEOF tokenKind = iota
	tokNewline
	tokIdent
	tokNumber
	tokString
	tokParam // $1
	tokPunct
)

type token struct {
	kind      tokenKind
	text      string
	num       uint64
	line, col int
}

func (t token) String() string {
	switch t.kind {
	case tokEOF:
		return "end of file"
	case tokNewline:
		return "end of line"
	}
	return strconv.Quote(t.text)
}

// lexer splits a description file into tokens. Line ends inside brackets are skipped.
type lexer struct {
	file      string
	src       string
	pos       int
	line, bol int // current line and the offset of its first byte
	depth     int
}

func (l *lexer) fail(at token, format string, args ...any) *SyntaxError {
	return &SyntaxError{l.file, at.line, at.col, fmt.Sprintf(format, args...)}
}

func isIdent(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

var punct2 = map[string]bool{"==": true, "!=": true, "&&": true, "||": true, ">>": true}

func (l *lexer) next() (token, error) {
	for l.pos < len(l.src) {
		t := token{line: l.line, col: l.pos - l.bol + 1}
		c := l.src[l.pos]
		switch {
		case c == ' ' || c == '\t' || c == '\r':
			l.pos++
		case c == '#':
			for l.pos < len(l.src) && l.src[l.pos] != '\n' {
				l.pos++
			}
		case c == '\n':
			l.pos++
			l.line++
			l.bol = l.pos
			if l.depth == 0 {
				t.kind = tokNewline
				return t, nil
			}
		case c == '"':
			end := l.pos + 1
			for end < len(l.src) && l.src[end] != '"' && l.src[end] != '\n' {
				end++
			}
			if end == len(l.src) || l.src[end] != '"' {
				return t, l.fail(t, "string is not closed")
			}
			t.kind, t.text = tokString, l.src[l.pos+1:end]
			l.pos = end + 1
			return t, nil
		case c == '$' && l.pos+1 < len(l.src) && l.src[l.pos+1] >= '1' && l.src[l.pos+1] <= '9':
			t.kind, t.text, t.num = tokParam, l.src[l.pos:l.pos+2], uint64(l.src[l.pos+1]-'1')
			l.pos += 2
			return t, nil
		case isIdent(c):
			start := l.pos
			for l.pos < len(l.src) && isIdent(l.src[l.pos]) {
				l.pos++
			}
			t.text = l.src[start:l.pos]
			if c >= '0' && c <= '9' {
				n, err := strconv.ParseUint(t.text, 0, 64)
				if err == nil {
					t.kind, t.num = tokNumber, n
					return t, nil
				}
				if _, bad := strconv.ParseUint(t.text, 36, 64); c == '0' || bad != nil {
					return t, l.fail(t, "bad number %q", t.text)
				}
			}
			t.kind = tokIdent
			return t, nil
		default:
			t.kind, t.text = tokPunct, l.src[l.pos:l.pos+1]
			if l.pos+2 <= len(l.src) && punct2[l.src[l.pos:l.pos+2]] {
				t.text = l.src[l.pos : l.pos+2]
			}
			l.pos += len(t.text)
			switch c {
			case '(', '[', '{':
				l.depth++
			case ')', ']', '}':
				l.depth = max(0, l.depth-1)
			}
			return t, nil
		}
	}
	return token{kind: tokEOF, line: l.line, col: l.pos - l.bol + 1}, nil
}
