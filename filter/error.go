package filter

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// An ExprError says what is wrong with a condition, or with the line that it is part of, and where.
type ExprError struct {
	Text    string // the whole line
	Offset  int    // bytes of Text before what is wrong
	Length  int    // bytes of it, 0 at the end of the text
	Message string // one line
	Hint    string // what to write instead, or ""
}

// Error gives the message behind its column, which counts characters from 1.
func (e *ExprError) Error() string { return fmt.Sprintf("column %d: %s", e.Column(), e.Message) }

// Column is the place of the error in the line, in characters from 1.
func (e *ExprError) Column() int { return utf8.RuneCountInString(e.Text[:e.Offset]) + 1 }

// caretWindow is how many bytes of a long line are shown before and behind the error.
const caretWindow = 60

// Caret gives the line, or what is around the error of a long one, and a line that marks the error under it.
func (e *ExprError) Caret() (line, marks string) {
	from, to := max(0, e.Offset-caretWindow), min(len(e.Text), e.Offset+e.Length+caretWindow)
	for from > 0 && !utf8.RuneStart(e.Text[from]) {
		from--
	}
	for to < len(e.Text) && !utf8.RuneStart(e.Text[to]) {
		to++
	}
	before, wrong, after := e.Text[from:e.Offset], e.Text[e.Offset:e.Offset+e.Length], e.Text[e.Offset+e.Length:to]
	lead, trail := "", ""
	if from > 0 {
		lead = "..."
	}
	if to < len(e.Text) {
		trail = "..."
	}
	line = lead + printable(before) + printable(wrong) + printable(after) + trail
	marks = strings.Repeat(" ", len(lead)+utf8.RuneCountInString(before)) + strings.Repeat("^", max(1, utf8.RuneCountInString(wrong)))
	return line, marks
}

// printable replaces what would move the cursor.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, s)
}
