package region

import (
	"slices"

	"farcall/internal/engine"
)

// maxMarks is in how many regions a thread can be when it enters one that is marked.
const maxMarks = 1000

// EnterMark brings t, which is stopped, into a region that LeaveMark ends. record identifies it; it is false if t is in too
// many.
func (tr *Tracker) EnterMark(t *engine.Thread, name string, record uint64) bool {
	tr.LeaveMark(t, record, Unwound) // its end was jumped over, and the place is used again
	if len(tr.thread(t).frames) >= maxMarks {
		return false
	}
	tr.push(t, Frame{Region: &Region{Name: name}, fixed: true, mark: record})
	return true
}

// LeaveMark ends a region that is marked, and those that were entered after it and are marked too: their ends were jumped over, or
// they are not nested. Functions stay; whether they are left is seen by the stack.
func (tr *Tracker) LeaveMark(t *engine.Thread, record uint64, end End) {
	if record == 0 || tr.leaveMark(t, record, end) {
		return
	}
	if h := tr.running[t]; h != nil { // it may have been entered before the goroutine's first function
		delete(tr.running, t)
		tr.leaveMark(t, record, end)
		tr.running[t] = h
		tr.settle(t)
	}
}

// leaveMark is false if it does not know of the region.
func (tr *Tracker) leaveMark(t *engine.Thread, record uint64, end End) (found bool) {
	th := tr.thread(t)
	if i := slices.IndexFunc(th.frames, func(f Frame) bool { return f.mark == record }); i >= 0 {
		found = true
		tr.unwindMarks(t, i, nil)
		tr.remove(t, i, end)
	}
	if i := slices.Index(th.owed, record); i >= 0 {
		found = true
		th.owed = slices.Delete(th.owed, i, i+1)
		tr.settle(t)
	}
	return found
}

// unwindTo removes the frames above i, whose function has returned and left the stack pointer at sp, except for marks whose
// records are not in what is no longer stack.
func (tr *Tracker) unwindTo(t *engine.Thread, i int, sp uint64) {
	tr.unwindMarks(t, i, func(record uint64) bool { return record < sp && oneStack(t, sp, record) })
	for j := len(tr.thread(t).frames) - 1; j > i; j-- {
		if tr.thread(t).frames[j].mark == 0 {
			tr.remove(t, j, Unwound)
		}
	}
}

// unwindMarks ends the marked regions above frame i that are dead, or all of them.
func (tr *Tracker) unwindMarks(t *engine.Thread, i int, dead func(record uint64) bool) {
	for j := len(tr.thread(t).frames) - 1; j > i; j-- {
		if m := tr.thread(t).frames[j].mark; m != 0 && (dead == nil || dead(m)) {
			tr.remove(t, j, Unwound)
		}
	}
}

// owes notes, of a frame that has just ended, that its program may yet ask for its end: t has to stop at that call.
func (th *thread) owes(f *Frame, end End) {
	if f.mark != 0 && end != Returned && len(th.owed) < maxMarks {
		th.owed = append(th.owed, f.mark)
	}
}

// Marked tells whether the program itself has marked the region.
func (f *Frame) Marked() bool { return f.mark != 0 }
