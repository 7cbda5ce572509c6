package region

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"farcall/internal/engine"
	"farcall/internal/marks"
	"farcall/internal/ptrace"
	"farcall/symbols"
	"farcall/syscalls"
)

// Marks follows regions that programs mark themselves. It belongs to the engine's thread.
type Marks struct {
	tr    *Tracker
	names []string // globs
	say   func(pid int, err error)
	sets  map[int]*served // by process
	calls map[syscalls.ABI][]int64

	told bool // something was said of some process

	mu    sync.Mutex
	found []bool   // of names: whether there was such a mark
	other []string // names of marks that were not wanted, up to maxOther
}

// maxOther is how many marks that are not wanted are remembered for a hint.
const maxOther = 5

// A served is a process whose marks are answered.
type served struct {
	*marks.Set
	last int  // the thread that marked last
	told bool // something was said of it
}

// NewMarks follows the marks whose names match one of the globs; say is told, on the engine's thread, why those of a process are not
// followed, or which were not.
func NewMarks(tr *Tracker, names []string, say func(pid int, err error)) *Marks {
	m := &Marks{tr: tr, names: names, say: say, sets: map[int]*served{}, calls: map[syscalls.ABI][]int64{},
		found: make([]bool, len(names))}
	for _, abi := range []syscalls.ABI{syscalls.AMD64, syscalls.ARM64} {
		for _, name := range []string{"semtimedop", "semget", "semctl", "getpid", "gettid", "geteuid", "clock_gettime", "rt_sigprocmask"} {
			if nr, ok := abi.Number(name); ok {
				m.calls[abi] = append(m.calls[abi], int64(nr))
			}
		}
	}
	marks.Clean() // what killed tracers have left
	return m
}

// Begin makes t's process able to mark, if it is not yet.
func (m *Marks) Begin(t *engine.Thread) {
	pid := t.PID()
	if m.sets[pid] != nil {
		return
	}
	s := &served{}
	m.sets[pid] = s
	set, err := marks.Create(pid)
	if err != nil {
		if err != unix.ESRCH {
			m.complain(s, pid, fmt.Errorf("marks are not seen: %w", err))
		}
		return
	}
	s.Set = set
	go m.serve(t.Engine(), s)
}

func (m *Marks) complain(s *served, pid int, err error) {
	if !s.told {
		s.told, m.told = true, true
		m.say(pid, err)
	}
}

// Execed: t's process has a new program; threads that were in a handshake are no more.
func (m *Marks) Execed(t *engine.Thread) {
	m.end(t.PID())
	m.Begin(t)
}

// Gone: t has ended, or is not traced any more.
func (m *Marks) Gone(t *engine.Thread, detached bool) {
	if detached || t.Proc.Threads() == 0 {
		m.end(t.PID())
	}
}

func (m *Marks) end(pid int) {
	if s := m.sets[pid]; s != nil {
		delete(m.sets, pid)
		if s.Set == nil {
			return
		}
		if err := s.Remove(); err != nil { // the process was faster than serve
			m.lost(s, err)
		}
	}
}

// Close removes all sets, once the engine is done.
func (m *Marks) Close() {
	for pid := range m.sets {
		m.end(pid)
	}
}

// serve answers marks until the set is removed. It has a goroutine of its own, and needs the engine's thread for those that are
// wanted only: memory can be read from anywhere.
func (m *Marks) serve(e *engine.Engine, s *served) {
	mem := ptrace.NewMemory(s.PID)
	defer mem.Close()
	for {
		err := s.Wait()
		var tid int
		var record uint64
		if err == nil {
			tid, record, err = s.Caller(marks.StepEnter, s.last, mem)
		}
		if err != nil {
			_ = e.Do(func() { m.failed(s, err) }) // ErrClosed: nobody is left to be told
			return
		}
		s.last = tid
		if m.answer(e, s, mem, tid, record) == engine.ErrClosed {
			return
		}
	}
}

// answer lets a thread go on that has come to a mark. Its error is one of Engine.Do.
func (m *Marks) answer(e *engine.Engine, s *served, mem *ptrace.Memory, tid int, record uint64) error {
	r, err := marks.ReadRecord(mem, record)
	if err == nil && m.wanted(r.Name) {
		return e.Do(func() { m.enter(s, e.Thread(tid), r) })
	}
	if err == nil {
		_ = marks.WriteReply(mem, record, marks.ReplyUnwanted) // an error means that it was killed
		_ = s.Grant()
		return nil
	}
	_ = s.Grant()
	return e.Do(func() { m.complain(s, s.PID, fmt.Errorf("a mark is not seen: %w", err)) })
}

// failed gives a process up whose set cannot be used any more.
func (m *Marks) failed(s *served, err error) {
	if m.sets[s.PID] != s {
		return // removed by us
	}
	_ = s.Remove()
	m.lost(s, err)
}

func (m *Marks) lost(s *served, err error) {
	m.complain(s, s.PID, fmt.Errorf("marks are not seen any more: %w", err))
}

// enter answers t, which waits for it.
func (m *Marks) enter(s *served, t *engine.Thread, r marks.Record) {
	if m.sets[s.PID] != s {
		return
	}
	if t == nil { // let go in the meantime
		_ = s.Grant()
		return
	}
	t.AtStop(func() {
		reply := marks.ReplyTraced
		if !m.tr.EnterMark(t, r.Name, r.Addr) {
			m.complain(s, s.PID, fmt.Errorf("mark %s is not seen: the thread is in %d regions already", r.Name, maxMarks))
			reply = marks.ReplyUnwanted
		}
		_ = marks.WriteReply(t.Memory(), r.Addr, reply) // an error means that it was killed
		_ = s.Grant()
	})
}

// wanted tells whether a mark is to be followed. It is called from the goroutines of all processes.
func (m *Marks) wanted(name string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	wanted := false
	for i, glob := range m.names {
		if symbols.MatchGlob(glob, name) {
			m.found[i], wanted = true, true
		}
	}
	if !wanted && len(m.other) < maxOther && !slices.Contains(m.other, name) {
		m.other = append(m.other, name)
	}
	return wanted
}

// Missing says which of the names no mark had, unless marks could not be seen. It counts once the engine is done.
func (m *Marks) Missing() []error {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []error
	if m.told || m.tr.done {
		return nil
	}
	for i, name := range m.names {
		if m.found[i] {
			continue
		}
		e := &Error{Pattern: name, Err: fmt.Errorf("no region '%s' was marked", name)}
		if len(m.other) > 0 {
			e.hint = "others were: " + strings.Join(m.other, ", ")
		} else {
			e.hint = "'farcall header' gives what programs in C mark regions with, farcall/mark is for those in Go"
		}
		out = append(out, e)
	}
	return out
}

// Unseen tells whether t is at the entry of a call that belongs to a mark, and ends its region where that is asked for.
func (m *Marks) Unseen(t *engine.Thread) bool {
	c := &t.Call
	step, record, ok := marks.StepOf(&c.Args)
	if !ok || !slices.Contains(m.calls[c.ABI], c.Number) {
		return false
	}
	s := m.sets[t.PID()]
	if step == marks.StepLeave && s != nil && s.Set != nil && int(c.Args[0]) == s.ID {
		m.tr.LeaveMark(t, record, Returned)
		if err := s.Release(); errors.Is(err, unix.EAGAIN) {
			m.complain(s, s.PID, errors.New("a mark waits for \"detach\" without having posted \"target-exit\""))
		}
	}
	return true
}
