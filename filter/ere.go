package filter

import (
	"errors"
	"regexp"
	"regexp/syntax"
	"strings"
)

// The texts of the C library's regerror(3), which strace passes on.
const (
	ereInvalid    = "Invalid regular expression"
	ereBracket    = "Unmatched [, [^, [:, [., or [="
	ereParen      = `Unmatched ( or \(`
	ereBrace      = `Unmatched \{`
	ereRangeEnd   = "Invalid range end"
	ereClassName  = "Invalid character class name"
	ereBackslash  = "Trailing backslash"
	ereBackRef    = "Invalid back reference"
	ereRepeated   = "Invalid preceding regular expression"
	ereTooBig     = "Regular expression too big"
	noBackRefHint = "back references are not supported"
)

var ereErrors = map[syntax.ErrorCode]string{
	syntax.ErrMissingBracket:        ereBracket,
	syntax.ErrMissingParen:          ereParen,
	syntax.ErrMissingRepeatArgument: ereRepeated,
	syntax.ErrInvalidRepeatOp:       ereRepeated,
	syntax.ErrInvalidCharRange:      ereRangeEnd,
	syntax.ErrInvalidCharClass:      ereClassName,
	syntax.ErrInvalidRepeatSize:     ereTooBig,
	syntax.ErrLarge:                 ereTooBig,
	syntax.ErrNestingDepth:          ereTooBig,
	syntax.ErrTrailingBackslash:     ereBackslash,
}

// compileERE compiles a POSIX extended regular expression (regex(7)) with the GNU additions
// \< \> \b \B \w \W \s \S. Only whether it matches is of interest, so the leftmost-longest rule
// is not.
func compileERE(pattern string) (*regexp.Regexp, error) {
	fail := func(text, hint string) error {
		return &ParseError{Message: "regcomp: " + pattern + ": " + text, Hint: hint}
	}
	translated, perl, problem := translateERE(pattern)
	if problem == ereBackRef {
		return nil, fail(problem, noBackRefHint)
	}
	if problem != "" {
		return nil, fail(problem, "")
	}
	compile := regexp.CompilePOSIX // knows "a**", which the other does not
	if perl {
		compile = regexp.Compile
	}
	re, err := compile(translated)
	if err == nil {
		return re, nil
	}
	text := ereInvalid
	var se *syntax.Error
	if errors.As(err, &se) {
		if t, ok := ereErrors[se.Code]; ok {
			text = t
		}
		if se.Code == syntax.ErrInvalidCharRange && strings.HasPrefix(se.Expr, "[:") {
			text = ereClassName
		}
	}
	return nil, fail(text, "")
}

// translateERE writes the pattern in Go's syntax where the two differ. perl tells that the
// result needs Go's larger syntax; problem is what regerror(3) would say, or "".
func translateERE(pattern string) (out string, perl bool, problem string) {
	var b strings.Builder
	depth := 0
	atom := false // whether a repetition has something to repeat
	for i := 0; i < len(pattern); i++ {
		c := pattern[i]
		switch c {
		case '[':
			end, problem := bracketEnd(pattern, i)
			if problem != "" {
				return "", false, problem
			}
			// Within brackets a backslash is itself.
			b.WriteString(strings.ReplaceAll(pattern[i:end], `\`, `\\`))
			i, atom = end-1, true
			continue
		case '\\':
			if i+1 == len(pattern) {
				return "", false, ereBackslash
			}
			i++
			s, wide := translateEscape(pattern[i])
			if s == "" {
				return "", false, ereBackRef
			}
			b.WriteString(s)
			perl, atom = perl || wide, true
			continue
		case '(':
			depth++
			atom = false
		case ')':
			if depth == 0 {
				b.WriteString(`\)`) // unmatched, it is itself
				atom = true
				continue
			}
			depth--
			atom = true
		case '|', '^':
			atom = false
		case '*', '+', '?':
			if !atom {
				return "", false, ereRepeated
			}
		case '{':
			if !atom {
				return "", false, ereRepeated
			}
			end := strings.IndexByte(pattern[i:], '}')
			if end < 2 || strings.Trim(pattern[i+1:i+end], "0123456789,") != "" {
				return "", false, ereBrace
			}
		default:
			atom = true
		}
		b.WriteByte(c)
	}
	return b.String(), perl, ""
}

// bracketEnd is the index after the bracket expression that begins at pattern[start].
func bracketEnd(pattern string, start int) (end int, problem string) {
	i := start + 1
	if i < len(pattern) && pattern[i] == '^' {
		i++
	}
	if i == len(pattern) {
		return 0, ereInvalid
	}
	if pattern[i] == ']' { // the first one is itself
		i++
	}
	for ; i < len(pattern); i++ {
		if pattern[i] == ']' {
			return i + 1, ""
		}
		if strings.HasPrefix(pattern[i:], "[:") {
			n := strings.Index(pattern[i+2:], ":]")
			if n < 0 {
				return 0, ereBracket
			}
			i += 2 + n + 1
		}
	}
	return 0, ereBracket
}

// translateEscape is what a backslash and c stand for, "" for a back reference, and whether that
// is beyond Go's POSIX syntax.
func translateEscape(c byte) (s string, perl bool) {
	switch c {
	case '<', '>', 'b':
		return `\b`, true
	case 'B':
		return `\B`, true
	case 'w', 'W', 's', 'S':
		return `\` + string(c), true
	case '1', '2', '3', '4', '5', '6', '7', '8', '9':
		return "", false
	}
	return regexp.QuoteMeta(string(rune(c))), false
}
