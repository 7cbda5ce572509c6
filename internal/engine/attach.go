package engine

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"farcall/internal/ptrace"
)

// A Cause is why an attach failed.
type Cause uint8

// The causes.
const (
	CauseOther      Cause = iota
	CauseGone             // no such process or thread
	CauseSelf             // the tracer itself or one of its threads
	CauseCycle            // it traces the tracer, directly or through others
	CauseTraced           // AttachError.Tracer traces it
	CauseYama             // kernel.yama.ptrace_scope forbids it
	CausePermission       // another user's, or not dumpable, and no CAP_SYS_PTRACE
	CauseZombie           // it has exited
	CauseKernel           // a kernel thread
)

var causeTexts = [...]string{"", "no such process", "it is the tracer itself", "it traces this tracer",
	"it is traced already", "forbidden by kernel.yama.ptrace_scope", "operation not permitted", "it has exited",
	"it is a kernel thread"}

func (c Cause) String() string {
	if int(c) < len(causeTexts) {
		return causeTexts[c]
	}
	return "Cause(" + strconv.Itoa(int(c)) + ")"
}

// An AttachError is why a process could not be attached to.
type AttachError struct {
	PID    int
	Cause  Cause
	Tracer int   // for CauseTraced and CauseCycle: the process that traces
	Err    error // the errno of the request, or nil if none was made
}

func (e *AttachError) Error() string {
	s := fmt.Sprintf("attach %d: ", e.PID)
	switch {
	case e.Cause == CauseTraced:
		return s + fmt.Sprintf("it is traced already by process %d", e.Tracer)
	case e.Cause == CauseOther:
		return s + e.Err.Error()
	}
	return s + e.Cause.String()
}

// Unwrap gives the errno.
func (e *AttachError) Unwrap() error { return e.Err }

// Attach takes hold of a running process: of all its threads with Options.Follow, otherwise of the thread pid only. Its calls
// are seen from the next stop on, once Run is called. If the process is a child of this one (of os/exec, say) its exit status goes to the
// engine and not to whoever waits for it: to the kernel, tracer and parent are one process (kernel/exit.c, wait_task_zombie).
//
// Errors: *AttachError, ErrClosed.
func (e *Engine) Attach(pid int) error {
	var err error
	if derr := e.Do(func() { err = e.attach(pid) }); derr != nil {
		return derr
	}
	return err
}

func (e *Engine) attach(pid int) error {
	st, err := readStatus(pid)
	if err != nil {
		return &AttachError{PID: pid, Cause: CauseGone, Err: unix.ESRCH}
	}
	if st.tgid == os.Getpid() {
		return &AttachError{PID: pid, Cause: CauseSelf, Err: unix.EPERM}
	}
	if tracer := tracesUs(st.tgid); tracer != 0 {
		return &AttachError{PID: pid, Cause: CauseCycle, Tracer: tracer, Err: unix.EDEADLK}
	}
	if !e.opts.Follow && e.opts.Breakpoints == nil {
		if e.threads[pid] != nil {
			return nil
		}
		t, aerr := e.seize(pid, st.tgid)
		if aerr != nil {
			return aerr
		}
		e.sink.Attached(t, []*Thread{t})
		return nil
	}
	return e.attachAll(pid, st.tgid)
}

// attachAll takes hold of every thread. Those that are being born of threads which are not traced yet, or were not when their
// clone began, come to light in another scan once all that are traced have stopped: see arrived.
func (e *Engine) attachAll(pid, tgid int) error {
	taken, err := e.seizeNew(tgid)
	if len(taken) == 0 {
		if err == nil && e.procs[tgid] == nil {
			err = &AttachError{PID: pid, Cause: CauseZombie, Err: unix.EPERM}
		}
		return err
	}
	main := taken[0]
	for _, t := range taken {
		if t.TID == pid {
			main = t
		}
	}
	main.Proc.scan = true
	e.sink.Attached(main, taken)
	return nil
}

// maxScans bounds how often a list of threads is read again because of one in it that is about to end.
const maxScans = 1000

// seizeNew takes hold of the threads of a process that are not traced yet, until the list has none that is new. The error is
// the first that is not explained by the end of a thread.
func (e *Engine) seizeNew(tgid int) (taken []*Thread, first error) {
	tried := make(map[int]bool)
	scans := 0
	for fresh := true; fresh; {
		fresh = false
		ids, err := tasks(tgid)
		if err != nil && len(taken) == 0 {
			return nil, &AttachError{PID: tgid, Cause: CauseGone, Err: unix.ESRCH}
		}
		for _, tid := range ids {
			if e.threads[tid] != nil {
				continue
			}
			if tried[tid] {
				// The kernel ends a list where a thread ends that it has just listed (fs/proc/base.c, next_tid). A zombie
				// leader stays, and one that was seized at birth ends for us only.
				if tid != tgid && !tracedByUs(tid) && scans < maxScans {
					fresh = true
				}
				continue
			}
			tried[tid], fresh = true, true
			t, err := e.seize(tid, tgid)
			if err == nil {
				taken = append(taken, t)
				continue
			}
			// A thread that has exited is no reason to fail, nor is one that was seized at birth. A leader that
			// has exited is a zombie while its threads go on.
			ours := err.Cause == CauseTraced && err.Tracer == os.Getpid()
			if err.Cause != CauseGone && err.Cause != CauseZombie && !ours && first == nil {
				first = err
			}
		}
		if scans++; first != nil && len(taken) == 0 {
			return nil, first
		}
	}
	return taken, first
}

// tracedByUs tells whether a thread is traced by a thread of this process.
func tracedByUs(tid int) bool {
	st, err := readStatus(tid)
	if err != nil || st.tracer == 0 {
		return false
	}
	tst, err := readStatus(st.tracer)
	return err == nil && tst.tgid == os.Getpid()
}

// arrived notes that a thread has stopped after its seizure, or is gone. A clone that had begun before the seizure made an untraced
// thread: once all have stopped no such clone is under way, and what it made is in the list.
func (e *Engine) arrived(t *Thread) {
	p := t.Proc
	if !t.coming {
		return
	}
	t.coming = false
	if p.coming--; p.coming != 0 || !p.scan {
		return
	}
	taken, _ := e.seizeNew(p.PID)
	p.scan = len(taken) != 0
	for _, n := range taken {
		e.sink.Created(nil, n, HowUnknown)
	}
	if p.scan {
		return
	}
	if t.ended {
		if t = e.another(t); t == nil {
			return
		}
	}
	e.sink.Held(t)
}

// another is a traced thread of the process of t, which is no more; nil if it was the last one.
func (e *Engine) another(t *Thread) *Thread {
	for _, o := range e.threads {
		if o != t && o.Proc == t.Proc && !o.ended {
			return o
		}
	}
	return nil
}

// seize takes hold of one thread and makes it stop.
func (e *Engine) seize(tid, tgid int) (*Thread, *AttachError) {
	opts := e.opts.ptraceOptions()
	if !e.opts.Follow && e.opts.Breakpoints == nil {
		opts &^= ptrace.OptTraceFork | ptrace.OptTraceVfork | ptrace.OptTraceClone
	}
	// A thread that is just being killed, or replaced by another's execve, gives EPERM like one that may not be traced; at
	// the next try it is gone, or a new one.
	const attempts = 5
	for i := 1; ; i++ {
		var err error
		if e.opts.Classic {
			err = ptrace.Attach(tid)
		} else {
			err = ptrace.Seize(tid, opts)
		}
		if err == nil {
			break
		}
		if ae := explain(tid, err); ae.Cause != CausePermission || i == attempts {
			return nil, ae
		}
		runtime.Gosched()
	}
	t := e.addThread(tid, tgid)
	t.coming = true
	t.Proc.coming++
	if e.opts.Classic {
		t.expectStop, t.setOptions = true, true
		return t, nil
	}
	_ = ptrace.Interrupt(tid) // ESRCH: it has just died, and wait4 will say so
	return t, nil
}

// explain finds the cause of a failed attach.
func explain(tid int, err error) *AttachError {
	ae := &AttachError{PID: tid, Err: err}
	if err == unix.ESRCH {
		ae.Cause = CauseGone
		return ae
	}
	st, serr := readStatus(tid)
	switch {
	case serr != nil:
		ae.Cause = CauseGone
	case st.tracer != 0:
		ae.Cause, ae.Tracer = CauseTraced, st.tracer
		if tst, err := readStatus(st.tracer); err == nil {
			ae.Tracer = tst.tgid
		}
	case st.state == 'Z' || st.state == 'X':
		ae.Cause = CauseZombie
	case isKernelThread(tid):
		ae.Cause = CauseKernel
	case err == unix.EPERM && yamaScope() > 0 && !hasCap(unix.CAP_SYS_PTRACE):
		ae.Cause = CauseYama
	case err == unix.EPERM:
		ae.Cause = CausePermission
	}
	return ae
}

// isKernelThread looks at the flags in /proc/TID/stat for PF_KTHREAD (include/linux/sched.h).
func isKernelThread(tid int) bool {
	const (
		pfKthread  = 0x00200000
		flagsField = 6 // behind the name, from 0: state ppid pgrp session tty tpgid flags
	)
	b, err := os.ReadFile("/proc/" + strconv.Itoa(tid) + "/stat")
	if err != nil {
		return false
	}
	s := string(b)
	f := strings.Fields(s[strings.LastIndexByte(s, ')')+1:])
	if len(f) <= flagsField {
		return false
	}
	flags, _ := strconv.ParseUint(f[flagsField], 10, 64)
	return flags&pfKthread != 0
}

func yamaScope() int {
	b, err := os.ReadFile("/proc/sys/kernel/yama/ptrace_scope")
	if err != nil {
		return 0
	}
	return atoi([]byte(strings.TrimSpace(string(b))))
}

func hasCap(c uint) bool {
	hdr := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if unix.Capget(&hdr, &data[0]) != nil {
		return false
	}
	return data[c/32].Effective&(1<<(c%32)) != 0
}

// tracesUs tells whether process pid traces one of our threads, or traces who does: 0 or the process that traces us. The
// kernel does not refuse such a cycle; all in it would stop for good.
func tracesUs(pid int) int {
	seen := map[int]bool{}
	pending := []int{os.Getpid()}
	for len(pending) > 0 {
		p := pending[0]
		pending = pending[1:]
		ids, err := tasks(p)
		if err != nil || seen[p] {
			continue
		}
		seen[p] = true
		for _, tid := range ids {
			st, err := readStatus(tid)
			if err != nil || st.tracer == 0 {
				continue
			}
			tracer := st.tracer
			if ts, err := readStatus(tracer); err == nil {
				tracer = ts.tgid
			}
			if tracer == pid {
				return tracer
			}
			pending = append(pending, tracer)
		}
	}
	return 0
}
