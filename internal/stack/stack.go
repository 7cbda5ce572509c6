package stack

import (
	"farcall/event"
	"farcall/symbols/unwind"
)

// A Walker makes named stacks. It keeps buffers between stacks, and is for one goroutine.
type Walker struct {
	Limit int  // of frames, 0 for unwind.DefaultLimit
	Lines bool // look source lines up, and inlined functions

	unwinder unwind.Unwinder
}

// Append adds the frames of a thread with these registers to out, innermost first.
func (w *Walker) Append(out []event.StackFrame, s *Space, m *unwind.Machine, regs *unwind.Regs) []event.StackFrame {
	s.refresh()
	w.unwinder.Limit = w.Limit
	frames, end := w.unwinder.Stack(m, s, s.Memory, regs)
	for i := range frames {
		out = w.append(out, &frames[i])
	}
	if n := len(out); n > 0 {
		out[n-1].End = ends[end]
	}
	return out
}

// Frames walks the stack of a thread with these registers, innermost frame first: functions that were compiled, without names. The frames
// are valid until the next stack.
func (w *Walker) Frames(s *Space, m *unwind.Machine, regs *unwind.Regs) []unwind.Frame {
	s.refresh()
	w.unwinder.Limit = w.Limit
	frames, _ := w.unwinder.Stack(m, s, s.Memory, regs)
	return frames
}

// ends are what a stack's last frame says of why it is the last, where that is not the stack's bottom.
var ends = [...]string{
	unwind.EndBottom: "", unwind.EndLimit: "too many stack frames",
	unwind.EndUnknown: "no frame information", unwind.EndLost: "register lost",
	unwind.EndMemory: "unreadable stack", unwind.EndCycle: "stack does not go on",
	unwind.EndSwitch: "stack switch", unwind.EndWork: "too much frame information",
}

// append adds a frame: first the functions that were inlined there, then the one that was compiled.
func (w *Walker) append(out []event.StackFrame, f *unwind.Frame) []event.StackFrame {
	e := event.StackFrame{IP: f.PC, Guess: f.How == unwind.ByFramePointer}
	if f.Area == nil {
		return append(out, e)
	}
	a := f.Area.User.(*area)
	e.Object = a.mapping.Path
	e.Position = f.PC - a.Start + a.mapping.Offset
	if a.module == nil {
		return append(out, e)
	}
	e.BuildID = a.module.buildID
	addr := f.LookupPC() - a.Bias
	for _, n := range a.module.at(addr, w.Lines) {
		e.Symbol, e.Offset, e.Inline = n.symbol, n.offset, n.inline
		if !n.inline && n.symbol != "" && f.Call {
			e.Offset = n.offset + 1
		}
		e.File, e.Line = n.file, n.line
		out = append(out, e)
	}
	return out
}
