package filter

import (
	"errors"
	"strings"
)

// ParseCalls reads the calls that a rule is for, from byte offset of a line on: names, %classes, /regular expressions/ and
// "any", separated by | or commas.
//
//	calls: item {("|" | ",") item}
//	item:  "any" | name["@" abi] | %class["@" abi] | /regex/["@" abi]
//
// It ends before what is no separator behind an item, such as the word "if" or "then": rest is the offset of that, or
// of the end of the line. Names, classes and expressions mean what they mean to [ParseCallSet]. Errors are of type
// *[ExprError], about the whole line.
func ParseCalls(text string, offset int) (set *CallSet, rest int, err error) {
	l := lexer{text: text}
	if len(text) > maxText {
		return nil, 0, l.fail(0, 0, "", "the line is longer than %d bytes", maxText)
	}
	set = new(CallSet)
	for pos := offset; ; pos++ {
		for pos < len(text) && strings.IndexByte(" \t\r\n", text[pos]) >= 0 {
			pos++
		}
		end, err := l.call(pos)
		if err != nil {
			return nil, 0, err
		}
		one, err := l.calls(pos, end)
		if err != nil {
			return nil, 0, err
		}
		set = set.Union(one)
		for pos = end; pos < len(text) && strings.IndexByte(" \t\r\n", text[pos]) >= 0; {
			pos++
		}
		if pos == len(text) || text[pos] != '|' && text[pos] != ',' {
			return set, pos, nil
		}
	}
}

// call finds the end of the item that begins at pos.
func (l *lexer) call(pos int) (end int, err error) {
	end = pos
	if strings.HasPrefix(l.text[pos:], "/") {
		l.tok = token{kind: tokSign, pos: pos, end: pos + 1, text: "/"}
		if err := l.slashed(); err != nil {
			return 0, err
		}
		end = l.tok.end
	}
	for end < len(l.text) && (isLetter(l.text[end]) || isDigit(l.text[end]) || strings.IndexByte("%@?", l.text[end]) >= 0) {
		end++
	}
	if end == pos {
		to := min(pos+1, len(l.text))
		return 0, l.fail(pos, to, "names of calls, %classes, /regular expressions/ or any, with | in between", "a system call is expected")
	}
	return end, nil
}

// calls gives the set of one item.
func (l *lexer) calls(pos, end int) (*CallSet, error) {
	word := l.text[pos:end]
	item := word
	switch {
	case word == "any":
		return AllCalls(), nil
	case word == "all": // a class to -e trace=, which lacks the numbers without a call
		return nil, l.fail(pos, end, "every call is 'any'", "there is no system call 'all'")
	case word[0] == '/': // to -e trace= the expression goes on to the end
		item = "/" + l.tok.text + word[strings.LastIndexByte(word, '/')+1:]
	}
	set := new(CallSet)
	err := newParser().item(set, item)
	var pe *ParseError
	switch {
	case !errors.As(err, &pe):
		return set, err
	case !strings.HasPrefix(pe.Message, "invalid system call"):
		return nil, l.fail(pos, end, pe.Hint, "%s", pe.Message)
	case word == "if" || isKeyword(word):
		return nil, l.fail(pos, end, "the calls come first", "there is no system call '%s'", word)
	}
	return nil, l.fail(pos, end, pe.Hint, "there is no system call '%s'", word)
}
