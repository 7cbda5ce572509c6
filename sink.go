package farcall

import (
	"fmt"
	"time"

	"farcall/decode"
	"farcall/event"
	"farcall/internal/engine"
	"farcall/internal/ptrace"
	"farcall/syscalls"
	"farcall/syscalls/linux"

	"golang.org/x/sys/unix"
)

// sink turns the engine's callbacks into events and calls of handlers.
type sink struct{ *Tracer }

func (s *sink) task(t *engine.Thread) *Task {
	if task, ok := t.User.(*Task); ok {
		return task
	}
	task := &Task{TID: t.TID, PID: t.PID(), thread: t, tracer: s.Tracer}
	task.mem.Memory = t.Memory()
	task.ev.Call = &task.call
	task.launched = s.main != nil && s.main.Thread == t
	if f := s.Tracer.opts.Resolver; f != nil {
		task.Resolver = f(task)
	}
	t.User = task
	s.tasks++
	return task
}

// Tasks is the number of threads that are traced. It is for observers.
func (tr *Tracer) Tasks() int { return tr.tasks }

// tell tells the observers of the event in t.ev.
func (t *Task) tell(k event.Kind) {
	ev := &t.ev
	ev.Kind, ev.TID, ev.PID, ev.ABI = k, t.TID, t.PID, t.ABI
	if t.tracer.regions != nil {
		ev.Region, ev.Depth = t.Region()
	}
	if t.tracer.failed {
		return
	}
	t.attach(ev)
	for _, f := range t.tracer.observers {
		f(t, ev)
	}
}

func (t *Task) now() { t.ev.Time = time.Now().UnixNano() }

// Enter implements engine.Sink.
func (s *sink) Enter(th *engine.Thread) {
	if s.regions != nil && !s.regions.Inside(th, th.Call.SP) {
		th.SkipExit()
		return
	}
	t := s.task(th)
	c := &th.Call
	t.ABI = c.ABI
	t.entered = time.Now()
	t.at = t.entered.UnixNano()
	t.ev.Time, t.ev.IP, t.ev.Lost = t.at, c.IP, false
	t.left = true
	t.moved()
	if !t.begin(uint64(c.Number), c) {
		th.SkipExit()
		return
	}
	t.left = false
	if len(s.middleware) > 0 {
		if t.handling == nil {
			t.handling = newHandling(t)
		}
		t.handling.enter()
		return
	}
	t.tell(event.CallEntry)
	if neverReturns(t.call.Desc) {
		t.leave()
	}
}

// neverReturns tells whether a call ends its thread. That it has no result is told at once: by the time that the
// kernel reports the end of the thread, others may have ended because of it.
func neverReturns(d *syscalls.Call) bool {
	return d.Ret.Kind == syscalls.KindPad && (d.Name == "exit_group" || d.Name == "exit")
}

// resumed names the call that restart_syscall goes on with. The last call that was seen is it, as no
// other can come between an interruption and its end but those of signal handlers.
func (t *Task) resumed(c *engine.Call) string {
	switch last := &t.call; {
	case last.Desc != nil && last.Failed && last.Ret == -int64(engine.ERESTARTRestartblock):
		return last.Desc.Name
	case c.Number >= 0:
		if d := linux.Describe(c.ABI, uint64(c.Number)); d != nil {
			return d.Name
		}
	}
	return "system call"
}

// leave tells of the end of a call that has no result.
func (t *Task) leave() {
	if t.left {
		return
	}
	t.left = true
	t.ev.Lost = true
	t.tell(event.CallExit)
	t.ev.Lost = false
}

// begin decodes the entry of a call. It tells whether the call is wanted, which for a call that stands for others is known
// only now.
func (t *Task) begin(nr uint64, c *engine.Call) bool {
	desc := t.tracer.opts.Describe(c.ABI, nr)
	if desc == nil {
		desc = t.unknownCall(nr)
	}
	args := c.Args
	if linux.Multiplexes(c.ABI, desc.Name) {
		if d, sub, ok := linux.Demultiplex(desc.Name, args, t.mem.Read); ok {
			desc, args = d, sub
		}
		if calls := t.tracer.opts.Calls; calls != nil && !calls.Has(c.ABI, nr) && !hasName(calls, desc.Name) {
			return false
		}
	}
	if !t.tracer.wanted(c.ABI, nr, &c.Args) {
		return false
	}
	t.call.SP = c.SP
	if t.tracer.opts.Undecoded {
		t.call.Skip(desc, c.ABI, nr, args)
		return true
	}
	o := &t.decoding // not a variable, which would be allocated for DecodeCall
	*o = t.tracer.opts.Decode
	o.Resolve = t.Resolver
	if n, ok := t.Resolver.(decode.Network); ok {
		o.Net = n
	}
	if f := t.tracer.opts.DecodeCall; f != nil {
		f(t, nr, o)
	}
	resumed := ""
	if c.Resumes != nil {
		resumed = t.resumed(c.Resumes)
	}
	t.call.Resumed = resumed
	t.call.Enter(desc, c.ABI, nr, args, &t.mem, *o)
	return true
}

// unknownCall describes a number that no table has.
func (t *Task) unknownCall(nr uint64) *syscalls.Call {
	if d := t.unknown[nr]; d != nil {
		return d
	}
	d := &syscalls.Call{Name: fmt.Sprintf("syscall_%#x", nr), Ret: &syscalls.Type{Kind: syscalls.KindInt, Width: syscalls.WidthLong}}
	for i := range 6 {
		d.Args = append(d.Args, syscalls.Field{
			Name: fmt.Sprintf("arg%d", i), Reg: uint8(i), Reg32: uint8(i),
			Type: &syscalls.Type{Kind: syscalls.KindHex, Width: syscalls.WidthLong},
		})
	}
	d.Defer = uint8(len(d.Args))
	if t.unknown == nil || len(t.unknown) > 1000 {
		t.unknown = map[uint64]*syscalls.Call{}
	}
	t.unknown[nr] = d
	return d
}

// Exit implements engine.Sink.
func (s *sink) Exit(th *engine.Thread) {
	t := s.task(th)
	c := &th.Call
	t.ABI = c.ABI
	if !c.Entered { // the tracer came while it was in the kernel
		return
	}
	t.ev.IP = c.IP
	t.ev.Duration = int64(time.Since(t.entered))
	if !s.opts.Undecoded {
		t.call.Exit(c.Ret, c.IsError)
	} else {
		t.call.Done, t.call.Ret, t.call.Failed = true, c.Ret, c.IsError
	}
	if t.handling != nil {
		t.handling.exit()
		return
	}
	t.tellExit()
}

func (t *Task) tellExit() {
	t.ev.Time = t.at + t.ev.Duration
	t.ev.Lost = false
	t.tell(event.CallExit)
}

// Signal implements engine.Sink.
func (s *sink) Signal(th *engine.Thread, info *ptrace.Siginfo) {
	if s.outside(th) {
		return
	}
	t := s.task(th)
	t.now()
	t.moved()
	t.pointer()
	t.ev.Signo = int(info.Signo)
	o := t.tracer.opts.Decode
	o.Resolve = t.Resolver
	v := t.info.Struct(linux.Siginfo(), syscalls.AMD64, info.Bytes(), o)
	t.ev.Siginfo = &v
	t.tell(event.Signal)
	t.ev.Siginfo = nil
}

// Stopped implements engine.Sink.
func (s *sink) Stopped(th *engine.Thread, sig unix.Signal) {
	if s.outside(th) {
		return
	}
	t := s.task(th)
	t.now()
	t.moved()
	t.pointer()
	t.ev.Signo = int(sig)
	t.tell(event.GroupStop)
}

// pointer asks where the thread is.
func (t *Task) pointer() {
	t.ev.IP = 0
	if t.thread.Regs(&t.tracer.regs) == nil {
		t.ev.IP = t.tracer.regs.PC()
	}
}

// Created implements engine.Sink.
func (s *sink) Created(parent, child *engine.Thread, how engine.How) {
	t := s.task(child)
	if parent != nil {
		p := s.task(parent)
		t.launched, t.ABI = p.launched, p.ABI
		s.inherit(parent, child, how)
	}
	t.now()
	if t.TID == t.PID {
		s.forgetSpace(t.PID)
	}
	t.tell(event.Created)
	if s.regions != nil {
		s.regions.Created(parent, child)
	}
	if s.marks != nil {
		s.marks.Begin(child)
	}
}

// Exec implements engine.Sink.
func (s *sink) Exec(th *engine.Thread, former int, superseded *engine.Thread) {
	t := s.task(th)
	if superseded != nil {
		if old, ok := superseded.User.(*Task); ok {
			old.now()
			if superseded.InCall() {
				old.leave()
			}
			old.ev.By = former
			s.tasks--
			old.tell(event.Superseded)
		}
	}
	t.TID, t.PID = th.TID, th.PID()
	th.Proc.User = nil // its scratch memory is gone
	if t.handling != nil {
		t.handling.places = t.handling.places[:0]
	}
	t.now()
	s.forgetSpace(t.PID)
	s.begun = s.begun || s.main != nil && s.main.Thread == th
	t.ev.By = former
	t.tell(event.Exec)
	if s.regions != nil {
		s.regions.Execed(th, superseded)
	}
	if s.marks != nil {
		s.marks.Execed(th)
	}
}

// Exited implements engine.Sink.
func (s *sink) Exited(th *engine.Thread, st engine.Status) {
	t := s.task(th)
	t.now()
	t.ev.IP = 0
	if h := t.handling; h != nil {
		h.leave()
	}
	if th.InCall() {
		t.leave()
	}
	if s.regions != nil {
		s.regions.Exited(th)
	}
	if s.marks != nil {
		s.marks.Gone(th, false)
	}
	if s.main != nil && th.TID == s.main.Thread.TID {
		s.mu.Lock()
		s.status = nil
		if st.Code != 0 || st.Signal != 0 {
			s.status = &ExitError{Code: st.Code, Signal: st.Signal, Core: st.CoreDump}
		}
		s.mu.Unlock()
	}
	t.ev.Code, t.ev.Signo, t.ev.Core = st.Code, int(st.Signal), st.CoreDump
	kind := event.Exited
	if st.Signal != 0 {
		kind = event.Killed
	}
	if st.Lost {
		kind = event.Vanished
	}
	s.ended(t, kind)
}

// ended tells of the end of a task, which still counts as one while it is told.
func (s *sink) ended(t *Task, k event.Kind) {
	t.tell(k)
	if t.TID == t.PID {
		s.forgetSpace(t.PID)
	}
	s.tasks--
}

// Attached implements engine.Sink.
func (s *sink) Attached(_ *engine.Thread, threads []*engine.Thread) {
	for _, th := range threads {
		t := s.task(th)
		t.now()
		t.tell(event.Attached)
	}
}

// Held implements engine.Sink. Regions begin here: a thread that is not traced yet would die of a breakpoint, and its mark be answered
// as if nobody wanted it.
func (s *sink) Held(th *engine.Thread) {
	if s.regions != nil {
		s.regions.Attached(th)
	}
	if s.marks != nil {
		s.marks.Begin(th)
	}
}

// Detached implements engine.Sink.
func (s *sink) Detached(th *engine.Thread) {
	t := s.task(th)
	t.now()
	if h := t.handling; h != nil {
		h.leave()
	}
	if s.regions != nil {
		s.regions.Detached(th)
	}
	if s.marks != nil {
		s.marks.Gone(th, true)
	}
	s.ended(t, event.Detached)
}
