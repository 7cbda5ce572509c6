// Package action has things that can be done to system calls, as plain values: an [Action] is made by a function such as [Fail] or
// [Delay], a [Rule] says to which calls some of them are done, and [Apply] makes a middleware of rules.
//
//	tracer.Use(action.Apply(action.Rule{Calls: set, When: action.Only(3), Actions: []action.Action{action.Fail(unix.ENOENT)}}))
//
// Command lines and files are read into the same values.
package action

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"farcall"
	"farcall/syscalls"

	"golang.org/x/sys/unix"
)

// An Action is one thing to be done to a call. Before is done before the kernel executes it and After when it has
// answered; nil means nothing. Their errors end the trace, but ESRCH and farcall.ErrGone, by which threads that
// were killed make themselves known.
type Action struct {
	Text    string // as it stands in a rule
	Answers bool   // Before answers the call in place of the kernel, or has it execute another one
	Before  func(*farcall.Call) error
	After   func(*farcall.Call) error

	// Errno is set for an action that only makes the call fail, whatever its arguments: a seccomp filter can do that alone.
	Errno unix.Errno
}

func (a Action) String() string { return a.Text }

// Skip keeps the kernel from executing the call, which fails with ENOSYS.
func Skip() Action {
	a := Fail(unix.ENOSYS)
	a.Text = "skip"
	return a
}

// Fail lets the call fail with an error without executing it.
func Fail(errno unix.Errno) Action {
	return Action{Text: "fail " + errnoName(errno), Answers: true, Errno: errno,
		Before: func(c *farcall.Call) error { return c.Fail(errno) }}
}

// Return lets the call return a value without executing it. Whatever the value, the trace does not show an error; the program sees one for
// -4095 to -1.
func Return(v int64) Action {
	return Action{Text: "return " + strconv.FormatInt(v, 10), Answers: true,
		Before: func(c *farcall.Call) error { return c.Answer(v, false) }}
}

// Result lets the kernel execute the call and then gives the program another result: a value, or a negated errno.
func Result(v int64) Action {
	return Action{Text: "result " + strconv.FormatInt(v, 10), After: func(c *farcall.Call) error { return c.Return(v) }}
}

// Replace lets the kernel execute another call in place of this one. Arguments that are not given are 0.
//
// Error: some ABI lacks a call of that name. It is an error of the Action, when it is done, if the call's own ABI does.
func Replace(name string, args ...uint64) (Action, error) {
	known := false
	for abi := syscalls.ABI(0); abi < syscalls.NumABI; abi++ {
		_, ok := abi.Number(name)
		known = known || ok
	}
	if !known || len(args) > 6 {
		return Action{}, fmt.Errorf("replace %s: there is no such call", name)
	}
	var regs [6]uint64
	copy(regs[:], args)
	words := make([]string, len(args))
	for i, a := range args {
		words[i] = strconv.FormatUint(a, 10)
	}
	return Action{Text: "replace " + name + "(" + strings.Join(words, ", ") + ")", Answers: true, Before: func(c *farcall.Call) error {
		nr, ok := c.ABI().Number(name)
		if !ok {
			return fmt.Errorf("replace %s: %v has no such call", name, c.ABI())
		}
		c.Replace(Native(c.ABI(), nr), regs)
		return nil
	}}, nil
}

// Native is a call's number as the kernel wants it, for one from a table.
func Native(abi syscalls.ABI, nr uint64) uint64 {
	if abi == syscalls.X32 {
		return nr | syscalls.X32Bit
	}
	return nr
}

// Set changes a number: an argument, or with a point in it a field of a structure, such as statbuf.st_size. Arguments, and structures
// that the kernel reads, are changed before the call; structures that it only writes, after it if it succeeds.
func Set(path string, v uint64) Action {
	return set(path, strconv.FormatUint(v, 10), func(c *farcall.Call) error { return c.SetField(path, v) })
}

// SetNames is Set with names of the argument's or field's own, such as O_RDONLY and O_CLOEXEC, which are put together.
func SetNames(path string, names ...string) Action {
	return set(path, strings.Join(names, "|"), func(c *farcall.Call) error {
		t, err := farcall.FieldType(c.Decoded().Desc, c.ABI(), path)
		if err != nil {
			return err
		}
		v, err := value(t, c.ABI(), names)
		if err != nil {
			return err
		}
		return c.SetField(path, v)
	})
}

// value puts names of a type together.
func value(t *syscalls.Type, abi syscalls.ABI, names []string) (v uint64, err error) {
	for _, name := range names {
		if t.Kind == syscalls.KindSignal {
			if n, ok := syscalls.SignalNumber(name); ok && len(names) == 1 {
				return uint64(n), nil
			}
		}
		if t.Kind == syscalls.KindDirFD && name == "AT_FDCWD" {
			at := int64(unix.AT_FDCWD)
			return uint64(at), nil
		}
		if t.Set == nil {
			return 0, fmt.Errorf("%q: its values have no names", name)
		}
		found := false
		for _, val := range t.Set.For(abi) {
			if val.Name == name {
				v |= val.Value
				found = true
				break
			}
		}
		if !found {
			return 0, fmt.Errorf("%q is none of %s", name, t.Set.Name)
		}
	}
	return v, nil
}

func set(path, text string, change func(*farcall.Call) error) Action {
	return Action{Text: "set " + path + " " + text,
		Before: func(c *farcall.Call) error {
			if written(c, path) {
				return nil
			}
			return change(c)
		},
		After: func(c *farcall.Call) error {
			if !written(c, path) || c.Errno != 0 {
				return nil
			}
			return change(c)
		}}
}

// written tells whether path is in memory that the kernel only writes to.
func written(c *farcall.Call, path string) bool {
	name, _, deep := strings.Cut(path, ".")
	if !deep {
		return false
	}
	args := c.Decoded().Desc.Args
	for i := range args {
		if args[i].Name == name {
			return args[i].Type.Dir == syscalls.Out
		}
	}
	return false
}

// SetString lets an argument, such as a path, point to another string.
func SetString(name, s string) Action {
	return Action{Text: "set " + name + " " + strconv.Quote(s), Before: func(c *farcall.Call) error { return c.SetString(name, s) }}
}

// SetBytes lets an argument point to other bytes.
func SetBytes(name string, b []byte) Action {
	return Action{Text: fmt.Sprintf("set %s %x", name, b), Before: func(c *farcall.Call) error { return c.SetBytes(name, b) }}
}

// Short lets a read or a write transfer at most n bytes.
func Short(n uint64) Action {
	return Action{Text: "short " + strconv.FormatUint(n, 10), Before: func(c *farcall.Call) error { return c.Short(n) }}
}

// Delay holds the thread before the call is executed. Other threads go on.
func Delay(d Duration) Action {
	return Action{Text: "delay " + d.String(), Before: func(c *farcall.Call) error { return c.Delay(d.Next()) }}
}

// DelayAfter holds the thread when the call has been executed.
func DelayAfter(d Duration) Action {
	return Action{Text: "delay " + d.String() + " after", After: func(c *farcall.Call) error {
		c.DelayReturn(d.Next())
		return nil
	}}
}

// Signal delivers a signal: before the call is executed, so that it interrupts calls that wait, or after it. With info nil it
// comes from the kernel (SI_KERNEL).
func Signal(sig unix.Signal, info *farcall.Siginfo, after bool) Action {
	send := func(c *farcall.Call) error { return c.Deliver(sig, info) }
	name := syscalls.SignalName(int(sig))
	if after {
		return Action{Text: "signal " + name + " after", After: send}
	}
	return Action{Text: "signal " + name, Before: send}
}

// Kill kills the process.
func Kill() Action {
	return Action{Text: "kill", Before: func(c *farcall.Call) error { return c.Kill() }}
}

// Stop stops the process and lets go of it, so that a debugger can be attached; tell is told its id. The tracer must not have
// installed a filter (farcall.SeccompOff).
func Stop(tell func(pid int)) Action {
	return Action{Text: "stop", Before: func(c *farcall.Call) error {
		if err := c.Freeze(); err != nil {
			return fmt.Errorf("stop: %w", err)
		}
		tell(c.PID)
		return nil
	}}
}

// Log calls f and does nothing else to the call.
func Log(f func(*farcall.Call)) Action {
	return Action{Text: "log", Before: func(c *farcall.Call) error {
		f(c)
		return nil
	}}
}

func errnoName(e unix.Errno) string {
	if s := syscalls.ErrnoName(int(e)); s != "" {
		return s
	}
	return strconv.Itoa(int(e))
}

// gone tells whether an error only says that the thread was killed.
func gone(err error) bool { return errors.Is(err, farcall.ErrGone) || errors.Is(err, unix.ESRCH) }

// A Duration is a fixed time, or one that is drawn anew each time.
type Duration interface {
	Next() time.Duration
	String() string
}
