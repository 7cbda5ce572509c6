package unwind

// Memory reads a process's memory.
type Memory interface {
	// Read copies the bytes at addr to b, and returns how many there were before one that cannot be read.
	Read(addr uint64, b []byte) int
}

// An Area is a stretch of a process's memory.
type Area struct {
	Start, End uint64
	Exec       bool
	Anonymous  bool   // no file: data, or code that the program has made itself
	Bias       uint64 // added to in-file addresses of Table's file, modulo 2^64
	Table      *Table // nil where no file is shown, or none that could be read
	User       any    // for the Space
}

// A Space tells what a process has mapped.
type Space interface {
	// Area returns what addr belongs to, nil for nothing. code tells that it is asked for as an address
	// of instructions: an answer that cannot be executed would be a surprise.
	Area(addr uint64, code bool) *Area
}

// How tells by what a frame was found: what the one before it said of its caller.
type How uint8

// The ways.
const (
	ByRegisters    How = iota // the thread's own registers: the innermost frame
	ByTable                   // call frame information
	ByGo                      // Go's function table
	BySignal                  // the registers that the kernel saved for a signal's handler
	ByFramePointer            // a guess that was found plausible: frames may be missing before it
	ByStackTop                // the word on top of the stack, after a call to nowhere
)

func (h How) String() string {
	return [...]string{"registers", "table", "go", "signal", "frame-pointer", "stack-top"}[h]
}

// A Frame is a function that has been called and has not returned.
type Frame struct {
	PC   uint64 // where it is, or where it goes on
	SP   uint64
	Area *Area // what PC is in, nil for nothing
	How  How

	// Call tells that PC is a return address: the call is the instruction before it.
	Call bool
}

// LookupPC is an address within the instruction that the frame is at.
func (f *Frame) LookupPC() uint64 {
	if f.Call {
		return f.PC - callBack
	}
	return f.PC
}

// End says why a walk has ended.
type End uint8

// The reasons.
const (
	endNone    End = iota
	EndBottom      // the last frame has no caller
	EndLimit       // there may be more frames
	EndUnknown     // code without frame information whose frame pointer leads nowhere
	EndLost        // the frame information needs a register that is not known
	EndMemory      // the stack could not be read
	EndCycle       // the stack does not go on upwards
	EndSwitch      // Go's runtime has left the goroutine's stack here
	EndWork        // following the frame information would take too long
)

func (e End) String() string {
	return [...]string{
		"", "bottom", "limit", "no frame information", "register lost", "unreadable stack", "stack does not grow", "stack switch",
		"too much frame information",
	}[e]
}

// DefaultLimit is how many frames are walked by default.
const DefaultLimit = 256

// MaxLimit is how many at most.
const MaxLimit = 1 << 16

// maxWork bounds the steps of one walk, to some tens of milliseconds. Rows that were found before cost none.
const maxWork = 1 << 21

// How much of the stack is read at once.
const (
	minWindow = 4 << 10
	maxWindow = 64 << 10
)

// Unwinder walks stacks. Its zero value works; it keeps buffers between walks, and is for one
// goroutine.
type Unwinder struct {
	Limit int // of frames, 0 for DefaultLimit

	frames []Frame
	mem    Memory
	reads  int
	work   int    // steps of programs and expressions that may still be made
	window window // from the stack pointer upwards
	other  window // whatever else is needed
	size   uint64 // of the window that the stacks of late needed
}

type window struct {
	start uint64
	b     []byte
	buf   []byte
}

// Stack walks the stack of a thread with these registers, innermost frame first. The frames are valid
// until the next walk.
func (u *Unwinder) Stack(m *Machine, s Space, mem Memory, regs *Regs) ([]Frame, End) {
	u.frames, u.mem, u.reads, u.work = u.frames[:0], mem, 0, maxWork
	u.window.b, u.other.b = nil, nil
	limit := u.Limit
	if limit <= 0 {
		limit = DefaultLimit
	}
	limit = min(limit, MaxLimit)
	r := *regs
	if sp, ok := r.Get(m.SP); ok {
		u.fill(s, sp)
		defer u.adapt(sp)
	}
	how, call := ByRegisters, false
	for {
		pc, ok := r.Get(m.PC)
		sp, ok2 := r.Get(m.SP)
		if !ok || !ok2 {
			return u.frames, EndLost
		}
		f := Frame{PC: pc, SP: sp, How: how, Call: call}
		f.Area = s.Area(f.LookupPC(), true)
		// The thread itself may be where there is no code, also when a signal came because of that.
		if call && (f.Area == nil || !f.Area.Exec) {
			return u.frames, u.nowhere(pc)
		}
		if len(u.frames) >= limit {
			return u.frames, EndLimit
		}
		u.frames = append(u.frames, f)
		next, by, end := u.step(m, s, &f, &r)
		if by == BySignal {
			u.frames[len(u.frames)-1].Call = false // nothing has called what a handler returns to
		}
		if u.work <= 0 {
			end = EndWork
		}
		if end != endNone {
			return u.frames, end
		}
		nsp, _ := next.Get(m.SP)
		// Only a signal can have changed the stack to one that is lower.
		if by != BySignal && how != BySignal && nsp <= sp && !(nsp == sp && len(u.frames) == 1) && !u.switched(&f) {
			return u.frames, EndCycle
		}
		how, call, r = by, by != BySignal, next
	}
}

// nowhere is what a return address outside of all code means: 0 is a usual mark of the outermost frame.
func (u *Unwinder) nowhere(pc uint64) End {
	if pc == 0 {
		return EndBottom
	}
	return EndUnknown
}

// switched tells whether a frame is one of those of Go's runtime in which the stack changes.
func (u *Unwinder) switched(f *Frame) bool {
	if f.Area == nil || f.Area.Table == nil || !f.Area.Table.goCode {
		return false
	}
	g, ok := f.Area.Table.goFrame(f.LookupPC() - f.Area.Bias)
	return ok && g.swtch == goSystem
}

// step finds the registers of a frame's caller.
func (u *Unwinder) step(m *Machine, s Space, f *Frame, regs *Regs) (Regs, How, End) {
	leaf := !f.Call
	if f.Area == nil || !f.Area.Exec {
		// A call to nowhere: the caller is as at a function's first instruction.
		next, end := u.apply(m, entryRow(m), regs, f, 0)
		return next, ByStackTop, end
	}
	if t := f.Area.Table; t != nil && t.Machine == m {
		addr := f.LookupPC() - f.Area.Bias
		if t.goCode {
			// What a handler returns to begins there: the address before it is another function's.
			if g, ok := t.goFrame(f.PC - f.Area.Bias); ok && g.swtch == goSignalCode {
				if next, ok := u.signalFrame(m, f, regs); ok {
					return next, BySignal, endNone
				}
			}
			if g, ok := t.goFrame(addr); ok {
				return u.goStep(m, t, g, f, regs, leaf)
			}
		}
		if row := t.row(addr, &u.work); row != nil {
			next, end := u.apply(m, row, regs, f, f.Area.Bias)
			how := ByTable
			if row.signal {
				how = BySignal
			}
			return next, how, end
		}
		if t.starts(addr) {
			return Regs{}, 0, EndBottom
		}
	}
	if next, ok := u.signalFrame(m, f, regs); ok {
		return next, BySignal, endNone
	}
	next, ok := u.framePointer(m, s, regs)
	if !ok {
		return next, 0, EndUnknown
	}
	return next, ByFramePointer, endNone
}

func (u *Unwinder) goStep(m *Machine, t *Table, g goRow, f *Frame, regs *Regs, leaf bool) (Regs, How, End) {
	switch g.swtch {
	case goParks, goForeign:
		return Regs{}, 0, EndSwitch
	case goSystem:
		if next, ok := u.leaveSystemStack(m, t, g, f.Area.Bias, regs); ok {
			return next, ByGo, endNone
		}
		return Regs{}, 0, EndSwitch
	case goThread:
		if next, ok := u.leaveClone(m, t, g, f.Area.Bias, regs); ok && leaf {
			return next, ByGo, endNone
		}
		return Regs{}, 0, EndBottom
	}
	next, end := u.stepGo(m, g, regs, leaf)
	return next, ByGo, end
}

// apply computes the caller's registers by a row.
func (u *Unwinder) apply(m *Machine, row *row, regs *Regs, f *Frame, bias uint64) (Regs, End) {
	var cfa uint64
	var ok bool
	if row.cfa.kind == ruleCFA {
		cfa, ok = regs.Get(int(row.cfa.reg))
		cfa = m.narrow(cfa + uint64(row.cfa.off))
	} else {
		cfa, ok = u.evaluate(m, row.cfa.expr, regs, 0, false, bias)
	}
	if !ok {
		return Regs{}, EndLost
	}
	if row.get(row.ra).kind == ruleUndef {
		return Regs{}, EndBottom
	}
	var next Regs
	for _, n := range m.saved {
		if v, ok := regs.Get(n); ok {
			next.Set(n, v)
		}
	}
	if row.signal {
		next = *regs // what has no rule was not changed
	}
	next.Set(m.SP, cfa)
	for i := range row.regs {
		c := &row.regs[i]
		v, ok := u.column(m, &c.rule, int(c.reg), regs, cfa, bias)
		if ok {
			next.Set(int(c.reg), v)
		} else if c.rule.kind != ruleNone {
			next.forget(int(c.reg))
		}
	}
	pc, ok := next.Get(int(row.ra))
	if !ok {
		if row.get(row.ra).kind == ruleOffset {
			return Regs{}, EndMemory
		}
		return Regs{}, EndLost
	}
	if m.LR >= 0 && int(row.ra) == m.LR && row.get(row.ra).kind == ruleNone && f.Call {
		return Regs{}, EndLost // the link register is that of the call that has been left already
	}
	if m.code != 0 && (row.signed || m.LR >= 0) {
		pc &= m.code
	}
	next.Set(m.PC, pc)
	return next, endNone
}

// column is the caller's value of a register.
func (u *Unwinder) column(m *Machine, r *rule, reg int, regs *Regs, cfa, bias uint64) (uint64, bool) {
	switch r.kind {
	case ruleSame:
		return regs.Get(reg)
	case ruleOffset:
		return u.load(m, m.narrow(cfa+uint64(r.off)), m.Word)
	case ruleValue:
		return m.narrow(cfa + uint64(r.off)), true
	case ruleRegister:
		return regs.Get(int(r.reg))
	case ruleExpr:
		at, ok := u.evaluate(m, r.expr, regs, cfa, true, bias)
		if !ok {
			return 0, false
		}
		return u.load(m, at, m.Word)
	case ruleValExpr:
		return u.evaluate(m, r.expr, regs, cfa, true, bias)
	}
	return 0, false
}

// restore sets a register to the word at an address, or forgets it.
func (u *Unwinder) restore(m *Machine, regs *Regs, n int, at uint64) {
	if v, ok := u.load(m, at, m.Word); ok {
		regs.Set(n, v)
	} else {
		regs.forget(n)
	}
}

// signalFrame leaves a signal's handler: the frame is code that is sigreturn, and the interrupted
// registers are on the stack.
func (u *Unwinder) signalFrame(m *Machine, f *Frame, regs *Regs) (Regs, bool) {
	if m.frame == nil || f.Area == nil {
		return Regs{}, false
	}
	code := u.bytes(f.PC, len(m.sigreturn))
	if string(code) != string(m.sigreturn) {
		return Regs{}, false
	}
	sp, _ := regs.Get(m.SP)
	var next Regs
	for reg, off := range m.frame {
		if v, ok := u.load(m, sp+off, m.Word); ok {
			next.Set(reg, v)
		}
	}
	_, ok1 := next.Get(m.PC)
	_, ok2 := next.Get(m.SP)
	return next, ok1 && ok2
}

// maxFramePointerStep is the largest frame that a frame pointer is believed to skip.
const maxFramePointerStep = 1 << 20

// framePointer follows the chain of frame pointers if it makes sense: a place above the stack
// pointer, aligned, whose return address is in code. That code need not have a call before it: Java's interpreter pushes the
// addresses that it returns to.
func (u *Unwinder) framePointer(m *Machine, s Space, regs *Regs) (Regs, bool) {
	fp, ok := regs.Get(m.FP)
	sp, _ := regs.Get(m.SP)
	word := uint64(m.Word)
	if !ok || fp < sp || fp-sp > maxFramePointerStep || fp%word != 0 {
		return Regs{}, false
	}
	up, ok1 := u.load(m, fp, m.Word)
	pc, ok2 := u.load(m, fp+word, m.Word)
	if !ok1 || !ok2 || up != 0 && up <= fp {
		return Regs{}, false
	}
	pc &= m.code
	a := s.Area(pc-callBack, true)
	if a == nil || !a.Exec {
		return Regs{}, false
	}
	var next Regs
	next.Set(m.SP, fp+2*word)
	next.Set(m.PC, pc)
	next.Set(m.FP, up)
	return next, true
}

// fill reads the stack from its pointer upwards, in one go: as much as the stacks before needed.
func (u *Unwinder) fill(s Space, sp uint64) {
	u.size = max(u.size, minWindow)
	n := u.size
	if a := s.Area(sp, false); a != nil {
		n = min(n, a.End-sp)
	}
	u.read(&u.window, sp, int(n))
}

// adapt chooses the size of the next window by how far this walk went.
func (u *Unwinder) adapt(sp uint64) {
	if n := len(u.frames); n > 0 && u.frames[n-1].SP > sp {
		used := (u.frames[n-1].SP - sp + frameSlack + 1023) &^ 1023
		switch {
		case used > u.size:
			u.size = min(used, maxWindow)
		case used < u.size/2:
			u.size -= u.size / 8 &^ 1023
		}
	}
}

// frameSlack is what is read beyond the last stack pointer: that frame itself.
const frameSlack = 256

// maxReads bounds the reads of memory of one walk.
const maxReads = 4096

func (u *Unwinder) read(w *window, addr uint64, n int) {
	w.start, w.b = addr, nil
	if u.reads++; u.reads > maxReads {
		return
	}
	if cap(w.buf) < n {
		w.buf = make([]byte, max(n, minWindow))
	}
	w.b = w.buf[:n]
	w.b = w.b[:u.mem.Read(addr, w.b)]
}

// bytes returns up to n bytes at an address. They are valid until the next access.
func (u *Unwinder) bytes(addr uint64, n int) []byte {
	for _, w := range []*window{&u.window, &u.other} {
		if d := addr - w.start; addr >= w.start && d < uint64(len(w.b)) && uint64(n) <= uint64(len(w.b))-d {
			return w.b[d : d+uint64(n)]
		}
	}
	const chunk = 1024
	from := addr &^ (chunk - 1)
	if size := int(addr-from) + n; size > chunk {
		from = addr
		u.read(&u.other, from, max(n, chunk))
	} else {
		u.read(&u.other, from, chunk)
	}
	w := &u.other
	d := addr - w.start
	if d >= uint64(len(w.b)) {
		return nil
	}
	return w.b[d:min(d+uint64(n), uint64(len(w.b)))]
}

// load reads a number of 1, 2, 4 or 8 bytes.
func (u *Unwinder) load(m *Machine, addr uint64, size int) (uint64, bool) {
	b := u.bytes(addr, size)
	if len(b) < size {
		return 0, false
	}
	switch size {
	case 1:
		return uint64(b[0]), true
	case 2:
		return uint64(m.order.Uint16(b)), true
	case 4:
		return uint64(m.order.Uint32(b)), true
	case 8:
		return m.order.Uint64(b), true
	}
	return 0, false
}
