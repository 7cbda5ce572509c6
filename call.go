package farcall

import (
	"errors"
	"slices"

	"farcall/decode"
	"farcall/internal/engine"
	"farcall/internal/ptrace"
	"farcall/syscalls"

	"golang.org/x/sys/unix"
)

// ErrGone is returned by a handler's next when the thread ended inside the call: there is no result.
var ErrGone = errors.New("farcall: the thread ended inside the call")

// A Call is a system call on its way to the kernel and back. It is valid until its handler returns, and
// belongs to the handler's goroutine.
type Call struct {
	*Task

	// Result is what the program gets: set once next has returned. With Errno not 0 it is -1.
	Result int64
	Errno  unix.Errno

	number   uint64
	args     [6]uint64
	changed  bool // number or args
	answered bool
	dirty    bool // what was decoded is out of date
	done     bool // the kernel has answered
	handling *handling
}

// Name is the call's name, such as "openat".
func (c *Call) Name() string { return c.call.Desc.Name }

// Number is the call's number in its ABI.
func (c *Call) Number() uint64 { return c.call.Number }

// ABI is the ABI of the call: a 64-bit program can make 32-bit calls too.
func (c *Call) ABI() syscalls.ABI { return c.call.ABI }

// Arg is the value of argument register i, from 0 to 5.
func (c *Call) Arg(i int) uint64 { return c.args[i] }

// First tells whether the call is the execve by which the tracer itself starts the program.
func (c *Call) First() bool { return c.thread.Launching() }

// Decoded is the call as its description decodes it. Arguments that the kernel fills are decoded only
// after next.
func (c *Call) Decoded() *decode.Call { return &c.call }

// Value is the decoded argument of that name, nil if there is none or it is not known yet. It is valid until the handler next waits.
func (c *Call) Value(name string) *decode.Value {
	return decode.Member(c.call.Args[:c.call.Ready], name)
}

// SetArg changes argument register i of the call before next executes it. After next it does nothing.
func (c *Call) SetArg(i int, v uint64) {
	if c.done {
		return
	}
	c.args[i] = v
	c.changed, c.handling.injected.Args = true, true
}

// Replace makes the kernel execute another call of the same ABI in place of this one, before next. The program
// gets its result, and the trace shows it as that of the program's own call.
func (c *Call) Replace(number uint64, args [6]uint64) {
	if c.done {
		return
	}
	c.number, c.args, c.changed = number, args, true
	c.handling.injected.Result = true
}

// Skip keeps the kernel from executing the call; the program gets ENOSYS, as for a number that no call has. Error: see Return.
func (c *Call) Skip() error { return c.Fail(unix.ENOSYS) }

// Return gives the program v as the call's result; from -4095 to -1 it is a negated errno. Called before next, the kernel does not execute
// the call; called after it, the kernel's result is replaced. The error is an errno, ESRCH if the thread is gone.
//
// A call that does not return where it was made (execve, rt_sigreturn) has no result to replace once it has succeeded.
func (c *Call) Return(v int64) error { return c.Answer(v, engine.Failed(v)) }

// Fail makes the call fail with errno, like Return.
func (c *Call) Fail(errno unix.Errno) error { return c.Answer(-int64(errno), true) }

// Answer is Return for a v that says of itself whether it is a negated errno. The trace shows it so; the
// program takes every result from -4095 to -1 for one.
func (c *Call) Answer(v int64, failed bool) error {
	var err error
	if c.done {
		err = c.thread.SetResult(v, failed)
		c.dirty = true
	} else {
		err = c.thread.Answer(v, failed)
		c.answered = err == nil
	}
	if err == nil {
		c.handling.injected.Result = true
		c.result(v, failed)
	}
	return err
}

func (c *Call) result(v int64, failed bool) {
	c.Result, c.Errno = v, 0
	if failed {
		c.Result, c.Errno = -1, unix.Errno(-v)
	}
}

// Note says in the event of the call which rule has done what to it.
func (c *Call) Note(rule, action string) {
	i := &c.handling.injected
	if rule != "" && !slices.Contains(i.Rules, rule) {
		i.Rules = append(i.Rules, rule)
	}
	if action != "" {
		i.Actions = append(i.Actions, action)
	}
}

// SP is the thread's stack pointer, and whether it runs 32-bit code. After the next of an execve that succeeded it is that of the new program.
// Error: ESRCH.
func (c *Call) SP() (sp uint64, compat bool, err error) {
	r := &c.tracer.regs
	if err := c.thread.Regs(r); err != nil {
		return 0, false, err
	}
	return r.SP(), r.Compat(), nil
}

// Deliver sends the thread a signal: before next it is pending while the kernel executes the call, which it may interrupt. The program
// sees info as its siginfo_t; nil is that of a signal from the kernel, with the code SI_KERNEL.
//
// Errors: EINVAL for a number that no signal has; EAGAIN if too many are pending; ESRCH if the thread is gone.
func (c *Call) Deliver(sig unix.Signal, info *Siginfo) error {
	if info == nil {
		info = &Siginfo{Code: ptrace.CodeKernel}
	}
	s := *info
	s.Signo = int32(sig)
	return c.thread.Queue(&s)
}

// A Siginfo is the kernel's siginfo_t.
type Siginfo = ptrace.Siginfo

// Kill kills the process with SIGKILL. Error: ESRCH.
func (c *Call) Kill() error { return c.thread.Kill(unix.SIGKILL) }
