package event

import "strconv"

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
	b = append(b, f.Object...)
	b = append(b, '(')
	if f.Symbol != "" {
		b = append(b, f.Symbol...)
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
		b = append(b, f.File...)
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
