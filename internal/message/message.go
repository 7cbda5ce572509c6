// Package message prints what farcall itself has to say: errors with their hints, and warnings.
package message

import (
	"errors"
	"fmt"
	"io"
	"strings"
)

// A Printer writes what farcall itself has to say, never the trace. Every error, warning and hint
// of the program goes through here, so that they look alike: one line each, after the name the
// program was called by.
type Printer struct {
	W        io.Writer
	Name     string // the program's first argument, as strace(1) prints it
	Help     string // the command that shows the help
	AsStrace bool   // strace's messages and nothing more
}

// A Hinter is an error that knows a remedy.
type Hinter interface {
	error
	Hint() string // one line, or ""
}

// An Error is a mistake in the command line.
type Error struct {
	Text   string // in strace's words where strace has the message
	Remedy string // a hint, or ""
	Usage  bool   // point at the help as well
}

func (e *Error) Error() string { return e.Text }

// Hint is the remedy, "" where none is known.
func (e *Error) Hint() string { return e.Remedy }

// Fail is an error without a pointer at the help.
func Fail(format string, args ...any) error {
	return &Error{Text: fmt.Sprintf(format, args...)}
}

// Misuse is an error that points at the help.
func Misuse(format string, args ...any) error {
	return &Error{Text: fmt.Sprintf(format, args...), Usage: true}
}

// NotYet is the error for what strace has and this version of farcall has not.
func NotYet(option string) error {
	return &Error{Text: option + " is not in this version of farcall"}
}

// Error reports what ended or prevented the command, with its hint.
func (m *Printer) Error(err error) {
	m.Warn(err.Error())
	var h Hinter
	if errors.As(err, &h) && h.Hint() != "" {
		for line := range strings.Lines(h.Hint()) {
			m.Hint(strings.TrimSuffix(line, "\n"))
		}
	}
	var c *Error
	if errors.As(err, &c) && c.Usage {
		fmt.Fprintf(m.W, "Try '%s' for more information.\n", m.Help)
	}
}

// Warn reports something that does not prevent the command.
func (m *Printer) Warn(text string) {
	fmt.Fprintf(m.W, "%s: %s\n", m.Name, text)
}

// Hint proposes a remedy for what was reported before. Strace has no hints, so under its name
// there are none.
func (m *Printer) Hint(text string) {
	if !m.AsStrace {
		m.Warn("hint: " + text)
	}
}
