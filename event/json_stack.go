package event

// appendStack writes the member with the stack, if there is one.
func appendStack(b []byte, stack []StackFrame) []byte {
	if len(stack) == 0 {
		return b
	}
	b = append(b, `,"stack":[`...)
	for i := range stack {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendFrame(b, &stack[i])
	}
	return append(b, ']')
}

func appendFrame(b []byte, f *StackFrame) []byte {
	b = append(b, `{"ip":`...)
	b = appendAddress(b, f.IP)
	text := func(key, s string) {
		if s != "" {
			b = append(b, ',', '"')
			b = append(b, key...)
			b = append(b, '"', ':')
			b = appendString(b, s)
		}
	}
	if f.Object != "" {
		text("file", f.Object)
		b = append(b, `,"position":`...)
		b = appendAddress(b, f.Position)
	}
	text("build_id", f.BuildID)
	if f.Symbol != "" {
		text("symbol", f.Symbol)
		if !f.Inline {
			b = appendInt(b, "offset", int64(f.Offset))
		}
	}
	if f.File != "" {
		text("source", f.File)
		if f.Line > 0 {
			b = appendInt(b, "line", int64(f.Line))
		}
	}
	if f.Inline {
		b = append(b, `,"inline":true`...)
	}
	if f.Guess {
		b = append(b, `,"guess":true`...)
	}
	text("end", f.End)
	return append(b, '}')
}
