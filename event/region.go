package event

import "strconv"

// region writes the members of a RegionEntry or RegionReturn.
func (j *JSON) region(b []byte, e *Event) []byte {
	if e.Marked {
		b = append(b, `,"marked":true`...)
	}
	if e.Inside {
		b = append(b, `,"attached":true`...)
	}
	if e.Kind == RegionEntry {
		if e.Marked || e.Inside {
			return b
		}
		b = append(b, `,"registers":[`...)
		for i, v := range e.RegionArgs {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendAddress(b, v)
		}
		return append(b, ']')
	}
	b = append(b, `,"end":`...)
	b = appendString(b, e.RegionEnd)
	b = append(b, `,"duration":`...)
	b = strconv.AppendInt(b, e.Duration/1e9, 10)
	b = appendFraction(b, e.Duration%1e9, 9)
	if e.RegionEnd == "return" && !e.Marked {
		b = append(b, `,"register":`...)
		b = appendAddress(b, e.RegionResult)
	}
	return b
}

// regionEntry writes ">>> name(registers)", ">>> name" for one that is marked, ">>> name (attached)" where the thread was inside before, and the
// depth if it is not the first.
func (t *Text) regionEntry(e *Event) {
	t.leader(e)
	t.paint(sgrSignal)
	t.buf = append(t.buf, ">>> "...)
	t.buf = append(t.buf, e.Region...)
	switch {
	case e.Inside:
		t.buf = append(t.buf, attachedMark...)
	case !e.Marked:
		t.buf = append(t.buf, '(')
		for i, v := range e.RegionArgs {
			if i > 0 {
				t.buf = append(t.buf, ", "...)
			}
			t.buf = strconv.AppendUint(append(t.buf, "0x"...), v, 16)
		}
		t.buf = append(t.buf, ')')
	}
	t.depth(e)
	t.endPainted()
}

// regionReturn writes "<<< name = result <seconds>", or how the region ended without one.
func (t *Text) regionReturn(e *Event) {
	t.leader(e)
	t.paint(sgrSignal)
	t.buf = append(t.buf, "<<< "...)
	t.buf = append(t.buf, e.Region...)
	switch {
	case e.RegionEnd != "return":
		t.buf = append(append(append(t.buf, " = ? ("...), e.RegionEnd...), ')')
	case !e.Marked:
		t.buf = strconv.AppendUint(append(t.buf, " = 0x"...), e.RegionResult, 16)
	}
	t.depth(e)
	if e.Inside {
		t.buf = append(t.buf, attachedMark...)
	}
	t.buf = append(t.buf, " <"...)
	t.buf = strconv.AppendInt(t.buf, e.Duration/1e9, 10)
	t.buf = appendFraction(t.buf, e.Duration%1e9, 6)
	t.buf = append(t.buf, '>')
	t.endPainted()
}

// attachedMark says that a region was entered before the tracer came: no arguments are known, nor how long ago that was.
const attachedMark = " (attached)"

func (t *Text) depth(e *Event) {
	if e.Depth > 1 {
		t.buf = strconv.AppendInt(append(t.buf, " depth "...), int64(e.Depth), 10)
	}
}
