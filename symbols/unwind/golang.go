package unwind

import "strings"

// goRow is a GoFrame, kept.
type goRow struct {
	ok    bool
	size  uint64
	entry uint64
	top   bool
	swtch goSwitch
}

// goSwitch is what a function of Go's runtime does to the stack.
type goSwitch uint8

const (
	goStays      goSwitch = iota
	goSystem              // runs a function, of Go or C, on the thread's own stack, for the goroutine that called it
	goParks               // leaves the goroutine for the scheduler: there is no caller
	goForeign             // is called by C, and goes on on a goroutine's stack
	goThread              // makes a thread: its caller's in the thread that calls it, the bottom of the new one's
	goBottom              // a goroutine or thread begins here
	goStarts              // called by the code that begins a thread, though marked as having no caller
	goSignalCode          // the return from a signal's handler
)

// goSwitches are the functions of package runtime between which the stack changes
// (runtime/asm_*.s, runtime/sys_linux_*.s). Those where a stack begins are marked in the function
// table as well, since Go 1.17.
var goSwitches = map[string]goSwitch{
	"systemstack": goSystem,
	"mcall":       goParks,
	"morestack":   goParks, "morestack_noctxt": goParks,
	"asmcgocall": goSystem, "asmcgocall_no_g": goSystem, "cgocallback": goForeign,
	"goexit": goBottom, "rt0_go": goBottom, "gogo": goBottom, "clone": goThread,
	"mstart":               goStarts,
	"sigreturn__sigaction": goSignalCode, "sigreturn": goSignalCode,
}

// goFrame is the frame of a Go function at an in-file address.
func (t *Table) goFrame(addr uint64) (goRow, bool) {
	if r, ok := t.goFrames[addr]; ok {
		return r, r.ok
	}
	var r goRow
	if g, ok := t.File.GoFrame(addr); ok {
		r = goRow{ok: true, size: g.Size, entry: g.Entry, top: g.Top}
		if name, ok := strings.CutPrefix(g.Name, "runtime."); ok {
			name, _, _ = strings.Cut(name, ".abi")
			r.swtch = goSwitches[name]
		}
		if strings.HasPrefix(g.Name, "_rt0_") {
			r.swtch = goBottom
		}
	}
	if len(t.goFrames) >= maxRows {
		clear(t.goFrames)
	}
	t.goFrames[addr] = r
	return r, r.ok
}

// stepGo leaves a frame of a Go function (runtime/traceback.go). The frame is size bytes above the
// stack pointer; above it, where calls push it, is the return address, and just below that a copy
// of the caller's frame pointer. Functions without a frame have neither pushed nor changed it.
func (u *Unwinder) stepGo(m *Machine, g goRow, regs *Regs, leaf bool) (Regs, End) {
	sp, ok := regs.Get(m.SP)
	if !ok {
		return Regs{}, EndLost
	}
	if g.top && g.swtch != goStarts || g.swtch == goBottom {
		return Regs{}, EndBottom
	}
	word := uint64(m.Word)
	next := *regs
	var pc uint64
	switch {
	case m.LR < 0:
		top := sp + g.size
		if pc, ok = u.load(m, top, m.Word); !ok {
			return Regs{}, EndMemory
		}
		next.Set(m.SP, top+word)
		if g.size >= word {
			u.restore(m, &next, m.FP, top-word)
		}
	case g.size == 0:
		if !leaf {
			return Regs{}, EndLost
		}
		if pc, ok = regs.Get(m.LR); !ok {
			return Regs{}, EndLost
		}
	default:
		// arm64: the link register is saved at the frame's bottom, the frame pointer below it.
		if pc, ok = u.load(m, sp, m.Word); !ok {
			return Regs{}, EndMemory
		}
		u.restore(m, &next, m.FP, sp-word)
		next.Set(m.SP, sp+g.size)
	}
	if pc == 0 {
		return Regs{}, EndBottom
	}
	// Go's functions preserve no register but the frame pointer.
	fp, known := next.Get(m.FP)
	sp, _ = next.Get(m.SP)
	out := Regs{}
	out.Set(m.SP, sp)
	out.Set(m.PC, pc)
	if known {
		out.Set(m.FP, fp)
	}
	return out, endNone
}

// calls tells whether the instruction before an in-file address is a call of a function.
func (t *Table) calls(addr, function uint64) bool {
	m := t.Machine
	if m.call == nil || !t.File.Executable(addr) {
		return false
	}
	code := t.File.Loaded(addr-m.callSize, m.callSize)
	return uint64(len(code)) == m.callSize && m.call(code, addr) == function
}

// leaveClone goes from the call that makes a thread to its caller, if this is not the new thread: that has its own stack, with
// nothing on it that would have called.
func (u *Unwinder) leaveClone(m *Machine, t *Table, g goRow, bias uint64, regs *Regs) (Regs, bool) {
	next, end := u.stepGo(m, g, regs, true)
	pc, ok := next.Get(m.PC)
	return next, end == endNone && ok && t.calls(pc-bias, g.entry)
}

// maxGoroutineFrame is how far from its frame pointer a function's call of systemstack is looked for.
const maxGoroutineFrame = 32 << 10

// leaveSystemStack goes from systemstack, which runs on the thread's own stack, to the function that
// called it, on the goroutine's. The frame pointer shows the way: systemstack has pushed it, so that it
// points at the caller's and the return address, on the goroutine's stack. In a systemstack without a
// frame it still is the caller's: it points at the slot below the caller's own return address, and
// the return address of the call of systemstack is as far below as the caller's frame is large.
// Either way the instruction before that address has to be that call.
func (u *Unwinder) leaveSystemStack(m *Machine, t *Table, g goRow, bias uint64, regs *Regs) (Regs, bool) {
	fp, ok := regs.Get(m.FP)
	if !ok || m.LR >= 0 || m.Word != 8 || fp%8 != 0 {
		return Regs{}, false
	}
	calls := func(pc uint64) bool { return t.calls(pc-bias, g.entry) }
	at := func(sp, pc, fp uint64) Regs {
		var out Regs
		out.Set(m.SP, sp)
		out.Set(m.PC, pc)
		out.Set(m.FP, fp)
		return out
	}
	up, ok1 := u.load(m, fp, 8)
	pc, ok2 := u.load(m, fp+8, 8)
	if ok1 && ok2 && calls(pc) {
		return at(fp+16, pc, up), true
	}
	from := fp - min(fp, maxGoroutineFrame)
	b := u.bytes(from, int(fp-from))
	u.work -= len(b) / 8
	for i := len(b)&^7 - 8; i >= 0; i -= 8 {
		pc := m.order.Uint64(b[i:])
		if !calls(pc) {
			continue
		}
		slot := from + uint64(i)
		if f, ok := t.goFrame(pc - bias - callBack); ok && slot+f.size == fp {
			return at(slot+8, pc, fp), true
		}
	}
	return Regs{}, false
}
