package farcall

import (
	"errors"
	"time"

	"farcall/decode"
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
	changed  bool
	answered bool
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

// Decoded is the call as its description decodes it. Arguments that the kernel fills are decoded only
// after next.
func (c *Call) Decoded() *decode.Call { return &c.call }

// Value is the decoded argument of that name, nil if there is none or it is not known yet.
func (c *Call) Value(name string) *decode.Value {
	return decode.Member(c.call.Args[:c.call.Ready], name)
}

// SetArg changes argument register i of the call before next executes it.
func (c *Call) SetArg(i int, v uint64) {
	c.args[i] = v
	c.changed = true
}

// Replace makes the kernel execute another call of the same ABI in place of this one, before next.
func (c *Call) Replace(number uint64, args [6]uint64) {
	c.number, c.args, c.changed = number, args, true
}

// Return gives the program v as the call's result. Called before next, the kernel does not execute the call;
// called after it, the kernel's result is replaced. The error is an errno, ESRCH if the thread is gone.
func (c *Call) Return(v int64) error {
	var err error
	if c.done {
		err = c.thread.SetResult(v)
	} else {
		err = c.thread.Answer(v)
		c.answered = err == nil
	}
	if err == nil {
		c.result(v)
	}
	return err
}

// Fail makes the call fail with errno, like Return.
func (c *Call) Fail(errno unix.Errno) error { return c.Return(-int64(errno)) }

func (c *Call) result(v int64) {
	c.Result, c.Errno = v, 0
	if v < 0 && v >= -4095 {
		c.Result, c.Errno = -1, unix.Errno(-v)
	}
}

// Delay holds the thread for d. Other threads go on.
func (c *Call) Delay(d time.Duration) { c.handling.delay(d) }
