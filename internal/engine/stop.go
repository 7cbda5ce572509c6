package engine

import (
	"golang.org/x/sys/unix"

	"farcall/internal/ptrace"
)

func (t *Thread) visible() bool { return !t.hidden && (t.launch == nil || t.launch.phase >= phaseExec) }

// wanted tells whether the sink is to see the thread's call. Once all are let go breakpoints are gone, and where a thread is
// cannot be known any more.
func (e *Engine) wanted(t *Thread) bool {
	if e.leaving && e.opts.Breakpoints != nil {
		return false
	}
	return !t.hidden && !t.native && (e.opts.Wanted == nil || e.opts.Wanted(t.Call.ABI, t.Call.Number))
}

// syscallStop handles an entry or exit. Which of the two it is, the kernel says; counting goes wrong.
func (e *Engine) syscallStop(t *Thread) {
	if e.getInfo(t) != nil {
		return // ESRCH: killed
	}
	if t.exec != nil {
		e.executing(t)
		e.resume(t, 0)
		return
	}
	switch e.info.Op {
	case ptrace.OpEntry:
		if t.reenters {
			t.reenters = false
			break
		}
		e.entry(t)
		t.emulating = t.sysemu
		if t.launch != nil && !e.launchEntry(t) {
			break
		}
		e.show(t)
	case ptrace.OpExit:
		if t.reenters {
			break // of the call that was not executed
		}
		e.exit(t)
	}
	e.resume(t, 0)
}

// seccompStop handles a stop of Options.Filter, or of one the program made itself.
func (e *Engine) seccompStop(t *Thread) {
	if e.getInfo(t) != nil {
		return
	}
	if e.info.Op == ptrace.OpSeccomp {
		if !t.inCall || t.passing { // otherwise the entry has been seen at its syscall-stop
			e.entry(t)
			e.show(t)
		}
		if e.info.SeccompData() != uint32(e.opts.FilterData) && t.launch == nil {
			e.foreignTrace(t)
		}
	}
	e.resume(t, 0)
}

// foreignTrace does for SECCOMP_RET_TRACE of the program's own filter what the kernel does without a
// tracer that cares: the call is not executed and gives ENOSYS (seccomp(2)).
func (e *Engine) foreignTrace(t *Thread) {
	if !t.force {
		_ = t.Answer(-int64(unix.ENOSYS), true)
	}
}

// entry records the call from e.info.
func (e *Engine) entry(t *Thread) {
	c := &t.Call
	abi, _ := e.info.ABI()
	c.ABI, c.Number, c.Args = abi, e.info.Number(), *e.info.Args()
	c.IP, c.SP = e.info.IP, e.info.SP
	c.Entered, c.Ret, c.IsError, c.Resumes = true, 0, false, nil
	t.altered = false
	t.inCall, t.passing, t.shown, t.skipExit, t.force, t.mustExit = true, false, false, false, false, false
	t.maps = e.opts.Mapped != nil && mapsCode(c)
	n := &numbers[abi]
	switch c.Number {
	case n.restart:
		c.Resumes = t.resumed()
	case n.clone, n.clone3:
		if e.opts.Follow || t.filtered {
			e.keepTraced(t)
		}
	case n.seccomp, n.prctl:
		t.mustExit = t.filtered && !t.full && t.launch == nil && e.installsFilter(c)
	}
	e.pin.entry(t, n)
}

// resumed gives the call that restart_syscall goes on with.
func (t *Thread) resumed() *Call {
	r := t.resume
	if r.Number == 0 && !r.Entered && r.Ret == 0 {
		r.Number = -1
	}
	return &r
}

// show calls Enter if the sink wants the call.
func (e *Engine) show(t *Thread) {
	if e.opts.Unseen != nil && t.visible() && e.opts.Unseen(t) {
		return
	}
	if e.wanted(t) {
		t.shown = true
		e.sink.Enter(t)
	}
}

// exit records the result from e.info and calls Exit.
func (e *Engine) exit(t *Thread) {
	c := &t.Call
	if !t.inCall {
		// The tracer came in the middle of the call, or the entry was missed.
		abi, _ := e.info.ABI()
		*c = Call{ABI: abi, Number: -1}
	}
	c.IP, c.SP = e.info.IP, e.info.SP
	if t.altered {
		e.restoreArgs(t)
	}
	if t.force {
		_ = t.SetResult(t.forced, !t.forcedOK)
	} else {
		c.Ret, c.IsError = e.info.Result(), e.info.IsError()
		if c.IsError && c.Ret == -int64(ERESTARTRestartblock) {
			t.interrupted()
		}
	}
	show := t.shown && !t.skipExit || !t.inCall && !t.hidden
	if t.launch != nil {
		show = e.launchExit(t) && show
	}
	if t.mustExit && !c.IsError {
		e.hasFilter(t)
	}
	if t.maps && !c.IsError {
		e.opts.Mapped(t)
	}
	t.inCall, t.force, t.mustExit, t.maps = false, false, false, false
	if show {
		e.sink.Exit(t)
	}
}

// interrupted remembers what a later restart_syscall stands for.
func (t *Thread) interrupted() {
	if t.Call.Resumes != nil {
		return // interrupted once more: still the first one
	}
	t.resume = t.Call
}

// hasFilter switches a thread that has installed a filter of its own to stopping at every call: that filter may refuse calls before ours
// reports them. With SECCOMP_FILTER_FLAG_TSYNC all threads of the process have it now; they are stopped to be switched.
func (e *Engine) hasFilter(t *Thread) {
	const tsync = 1
	t.full = true
	if c := &t.Call; c.Number != numbers[c.ABI].seccomp || c.Args[1]&tsync == 0 {
		return
	}
	for _, o := range e.threads {
		if o.Proc != t.Proc || o.full || !o.filtered {
			continue
		}
		running := !o.stopped && !o.wantsSyscallStop()
		o.full = true
		if running && !e.opts.Classic {
			_ = ptrace.Interrupt(o.TID)
		}
	}
}

// installsFilter tells whether a call installs a seccomp filter (include/uapi/linux/prctl.h, seccomp.h).
func (e *Engine) installsFilter(c *Call) bool {
	const (
		prSetSeccomp         = 22
		seccompModeFilter    = 2 // of prctl
		seccompSetModeStrict = 0
		seccompSetModeFilter = 1
	)
	n := &numbers[c.ABI]
	if c.Number == n.prctl {
		return c.Args[0] == prSetSeccomp
	}
	return c.Args[0] == seccompSetModeFilter || c.Args[0] == seccompSetModeStrict
}

// signalStop handles a signal-delivery-stop, and what looks like one.
func (e *Engine) signalStop(t *Thread, sig unix.Signal) {
	err := ptrace.GetSiginfo(t.TID, &e.siginfo)
	if err == unix.EINVAL { // a group-stop of a tracee that was not seized
		if t.visible() {
			e.sink.Stopped(t, sig)
		}
		e.resume(t, 0)
		return
	}
	if err != nil {
		return
	}
	if sig == unix.SIGTRAP && e.opts.Breakpoints != nil && e.trap(t) {
		return
	}
	if t.step != nil && e.signalInStep(t, sig) {
		e.resume(t, 0)
		return
	}
	sig = unix.Signal(e.siginfo.Signo) // it may be one that a step has kept back
	if sig == unix.SIGSTOP && t.expectStop && e.ownStop() {
		t.expectStop = false
		e.resume(t, 0)
		return
	}
	if sig == unix.SIGTRAP && t.expectStop && e.siginfo.Code == ptrace.CodeUser {
		// An execve was under way at the ATTACH; without PTRACE_O_TRACEEXEC, which could not be set yet, it ends with this.
		e.resume(t, 0)
		return
	}
	t.sig = sig
	if len(t.signals) > 0 {
		e.disguise(t)
	}
	if t.visible() {
		e.sink.Signal(t, &e.siginfo)
	}
	e.resume(t, t.sig)
}

// ownStop tells whether the SIGSTOP in e.siginfo comes from an attach, or from ourselves.
func (e *Engine) ownStop() bool {
	return e.siginfo.Code <= 0 || e.siginfo.Code == 0x80
}

// eventStop handles PTRACE_EVENT_STOP: a group-stop, its end, an Interrupt.
func (e *Engine) eventStop(t *Thread, sig unix.Signal) {
	if sig != unix.SIGTRAP {
		t.groupStop = true
		if t.visible() {
			e.sink.Stopped(t, sig)
		}
	}
	e.resume(t, 0)
}

// firstStop handles the stop by which an attachment is known to have taken place.
func (e *Engine) firstStop(t *Thread, ws ptrace.WaitStatus) {
	t.attached = true
	if t.launch != nil {
		e.launchStop(t)
	}
	if t.setOptions {
		t.setOptions = false
		_ = ptrace.SetOptions(t.TID, e.opts.ptraceOptions())
	}
	t.reconcile()
	if t.coming {
		if !t.expectStop && ws.Event() == ptrace.EventStop {
			e.learnInterrupted(t)
		}
		e.arrived(t)
	}
}

// learnInterrupted looks for a call that the attachment interrupted, for the restart_syscall that may come.
func (e *Engine) learnInterrupted(t *Thread) {
	if ptrace.GetRegs(t.TID, &e.regs) != nil {
		return
	}
	r := &e.regs
	if r.SyscallNumber() < 0 || r.Result() != -int64(ERESTARTRestartblock) {
		return
	}
	abi := r.ABI()
	t.resume = Call{ABI: abi, Number: r.SyscallNumber(), Ret: r.Result(), IsError: true}
	for i := range t.resume.Args {
		t.resume.Args[i] = r.Arg(abi, i)
	}
}

// exited handles the end of a thread.
func (e *Engine) exited(t *Thread, st Status) {
	if t.early && e.procs[t.maker] != nil {
		e.tombs[t.TID] = t.maker
	}
	p := t.Proc
	t.ended = true
	e.arrived(t)
	e.forget(t)
	if t.TID == p.PID && p.threads > 0 {
		// A leader's exit is reported after those of all other threads (kernel/exit.c, delay_group_leader): those that
		// are left have lost their ids in an execve whose stop was missed.
		for _, o := range e.Threads() {
			if o.Proc == p {
				e.lost(o)
			}
		}
	}
	if t.visible() {
		e.sink.Exited(t, st)
	}
	if p.threads == 0 {
		e.orphaned(p.PID)
	}
}

// execed handles PTRACE_EVENT_EXEC.
func (e *Engine) execed(t *Thread) {
	msg, err := ptrace.GetEventMsg(t.TID)
	if err != nil {
		return
	}
	former := int(msg)
	var superseded *Thread
	if former != t.TID {
		if caller := e.threads[former]; caller != nil {
			superseded, t = t, e.takeOver(caller, t)
		}
	}
	if t.mem != nil {
		t.mem.Reset(t.TID)
	}
	t.Proc.space, t.step, t.again, t.debug, t.watch = nil, nil, 0, debugSet{}, 0 // the kernel clears debug registers too
	first := t.launch != nil && t.launch.phase == phaseExec
	if t.launch != nil && !first {
		e.resume(t, 0) // the launcher's own image
		return
	}
	t.launch = nil
	if superseded == nil && former == t.TID && t.inCall && !isExec(&t.Call) {
		t.inCall = false // the former leader's call: an untraced thread's execve has taken over its id
	}
	if !t.hidden {
		e.sink.Exec(t, former, superseded)
	} else if e.opts.Breakpoints != nil {
		t.detaching = true // it no longer shares memory with breakpoints
	}
	e.resume(t, 0)
}

// pending tells whether an event of t is in the queue.
func (e *Engine) pending(t *Thread) bool {
	return t.queued > e.head && t.queued <= len(e.queue) && e.queue[t.queued-1].tid == t.TID
}

func isExec(c *Call) bool {
	n := &numbers[c.ABI]
	return c.Number == n.execve || c.Number == n.execveat
}

// takeOver gives caller, which executes, the id of its leader, which is no more.
func (e *Engine) takeOver(caller, leader *Thread) *Thread {
	tid := leader.TID
	e.forget(leader)
	delete(e.threads, caller.TID)
	caller.TID = tid
	e.threads[tid] = caller
	caller.stopped = true
	caller.attached = true
	caller.queued = 0
	e.last = caller
	return caller
}

var eventHow = map[ptrace.Event]How{
	ptrace.EventFork: HowFork, ptrace.EventVfork: HowVfork, ptrace.EventClone: HowClone,
}

// created handles the event that tells of a new thread or process.
func (e *Engine) created(t *Thread, ev ptrace.Event) {
	msg, err := ptrace.GetEventMsg(t.TID)
	if err != nil {
		return
	}
	tid := int(msg)
	if _, dead := e.tombs[tid]; dead {
		delete(e.tombs, tid)
		return
	}
	child := e.threads[tid]
	if child != nil && child.early {
		child.early = false
		return
	}
	if child != nil {
		e.lost(child) // an id that is in use again
	}
	pid := tid
	if e.makesThread(t, tid) {
		pid = t.Proc.PID
	}
	child = e.addThread(tid, pid)
	e.spaceOf(t, child, eventHow[ev])
	e.inherit(t, child)
	if !child.hidden {
		e.sink.Created(t, child, eventHow[ev])
	}
	if h, ok := e.held[tid]; ok {
		delete(e.held, tid)
		e.enqueue(tid, h.ws)
	}
}

func (e *Engine) inherit(t, child *Thread) {
	child.expectStop = e.opts.Classic
	if t != nil {
		child.filtered, child.full, child.hidden, child.pinnable = t.filtered, t.full, t.hidden, t.pinnable
	} else {
		child.filtered, child.full = e.opts.filtering(), true // it may have the filter: right either way
	}
	if e.opts.Breakpoints != nil && !e.opts.Follow {
		e.inheritBreakpoints(t, child)
		return
	}
	child.hidden = child.hidden || !e.opts.Follow
}

// makesThread tells whether tid, which t has just made, shares its thread group. The event does not say it.
func (e *Engine) makesThread(t *Thread, tid int) bool {
	c := &t.Call
	n := &numbers[c.ABI]
	switch {
	case !t.inCall:
	case c.Number == n.fork || c.Number == n.vfork:
		return false
	case c.Number == n.clone:
		return c.Args[0]&cloneThread != 0
	}
	st, err := readStatus(tid)
	return err == nil && st.tgid == t.Proc.PID
}

// unknown handles an event of a thread that is not in the table: a new one whose parent has not reported it yet, or never will
// (CLONE_PTRACE, or it was killed); or a child of the engine's thread that is none of its business.
func (e *Engine) unknown(tid int, ws ptrace.WaitStatus) *Thread {
	if !ws.Stopped() {
		delete(e.held, tid)
		return nil
	}
	if !e.opts.Follow && !e.opts.filtering() && e.opts.Breakpoints == nil {
		_ = ptrace.Detach(tid, 0)
		return nil
	}
	st, err := readStatus(tid)
	if err != nil {
		st = status{tgid: tid}
	}
	parent := e.parentOf(tid, &st)
	if st.tgid == tid && e.holdChild(tid, ws, parent) {
		return nil
	}
	t := e.addThread(tid, st.tgid)
	if parent != nil {
		t.early, t.maker = true, parent.Proc.PID
	}
	e.spaceOf(parent, t, HowUnknown)
	e.inherit(parent, t)
	if !t.hidden {
		e.sink.Created(parent, t, HowUnknown)
	}
	return t
}

// parentOf looks for the thread that made tid: one of the right process that is in such a call, or else any of it.
func (e *Engine) parentOf(tid int, st *status) *Thread {
	pid := st.ppid
	if st.tgid != tid {
		pid = st.tgid
	}
	var some *Thread
	for _, t := range e.threads {
		if t.Proc.PID != pid || t.TID == tid {
			continue
		}
		if t.inCall && isClone(&t.Call) {
			return t
		}
		if some == nil || t.TID == pid {
			some = t
		}
	}
	return some
}

func isClone(c *Call) bool {
	n := &numbers[c.ABI]
	return c.Number == n.clone || c.Number == n.clone3 || c.Number == n.fork || c.Number == n.vfork
}

// keepTraced takes CLONE_UNTRACED out of a call, by which a child would escape. Of clone3's structure, which the program may share or
// use again, the flag is cleared for good: nothing but a tracer can tell.
func (e *Engine) keepTraced(t *Thread) {
	c := &t.Call
	if c.Number == numbers[c.ABI].clone {
		if c.Args[0]&cloneUntraced != 0 {
			args := c.Args
			args[0] &^= cloneUntraced
			_ = t.SetCall(c.Number, args)
		}
		return
	}
	var flags [8]byte
	if n, _ := t.Memory().Read(c.Args[0], flags[:]); n != len(flags) {
		return
	}
	const at = 2 // byte of the flag
	if flags[at]&(cloneUntraced>>(8*at)) == 0 {
		return
	}
	flags[at] &^= cloneUntraced >> (8 * at)
	_, _ = t.Memory().Write(c.Args[0], flags[:])
}
