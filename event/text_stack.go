package event

import (
	"strconv"
	"unicode"
	"unicode/utf8"
)

// stack writes the event's stack, a line for each frame.
func (t *Text) stack(e *Event) {
	for i := range e.Stack {
		t.frame(&e.Stack[i])
	}
}

// frame writes one line of a stack trace.
func (t *Text) frame(f *StackFrame) {
	b := append(t.buf, " > "...)
	if f.Object == "" {
		b = append(b, "[anonymous]"...)
	}
	b = appendName(b, f.Object)
	b = append(b, '(')
	if f.Symbol != "" {
		b = appendName(b, f.Symbol)
		if !f.Inline {
			b = append(b, "+0x"...)
			b = strconv.AppendUint(b, f.Offset, 16)
		}
	}
	b = append(b, ") [0x"...)
	position := f.Position
	if f.Object == "" {
		position = f.IP
	}
	b = strconv.AppendUint(b, position, 16)
	b = append(b, ']')
	if f.File != "" {
		b = append(b, ' ')
		b = appendName(b, f.File)
		b = append(b, ':')
		b = strconv.AppendInt(b, int64(f.Line), 10)
	}
	switch {
	case f.Inline:
		b = append(b, " (inlined)"...)
	case f.Guess:
		b = append(b, " (by frame pointer)"...)
	}
	b = append(b, '\n')
	if f.End != "" {
		b = append(b, " > "...)
		b = append(b, f.End...)
		b = append(b, '\n')
	}
	t.buf = b
	t.width = len(t.buf)
}

// appendName writes a name that a file has chosen: what would make another line of it, or speak to a terminal, in octal, as the
// kernel does in /proc/PID/maps.
func appendName(b []byte, s string) []byte {
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && n == 1 || unicode.IsControl(r) {
			for _, c := range []byte(s[i : i+n]) {
				b = append(b, '\\', '0'+c>>6, '0'+c>>3&7, '0'+c&7)
			}
		} else {
			b = append(b, s[i:i+n]...)
		}
		i += n
	}
	return b
}
