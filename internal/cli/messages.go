package cli

import (
	"errors"
	"fmt"
	"io"
	"strings"
)

// Messages writes what farcall itself has to say, never the trace. Every error, warning and hint
// of the program goes through here, so that they look alike: one line each, after the name the
// program was called by.
type Messages struct {
	w        io.Writer
	name     string // the program's first argument, as strace(1) prints it
	help     string // the command that shows the help
	asStrace bool   // strace's messages and nothing more
}

// A hinter is an error that knows a remedy.
type hinter interface {
	error
	Hint() string // one line, or ""
}

// A commandError is a mistake in the command line.
type commandError struct {
	text  string // in strace's words where strace has the message
	hint  string // a remedy, or ""
	usage bool   // point at the help as well
}

func (e *commandError) Error() string { return e.text }

// Hint is the remedy, "" where none is known.
func (e *commandError) Hint() string { return e.hint }

// fail is an error without a pointer at the help.
func fail(format string, args ...any) error {
	return &commandError{text: fmt.Sprintf(format, args...)}
}

// misuse is an error that points at the help.
func misuse(format string, args ...any) error {
	return &commandError{text: fmt.Sprintf(format, args...), usage: true}
}

// notYet is the error for what strace has and this version of farcall has not.
func notYet(option string) error {
	return &commandError{text: option + " is not in this version of farcall"}
}

// Error reports what ended or prevented the command, with its hint.
func (m *Messages) Error(err error) {
	m.Warn(err.Error())
	var h hinter
	if errors.As(err, &h) && h.Hint() != "" {
		for line := range strings.Lines(h.Hint()) {
			m.Hint(strings.TrimSuffix(line, "\n"))
		}
	}
	var c *commandError
	if errors.As(err, &c) && c.usage {
		fmt.Fprintf(m.w, "Try '%s' for more information.\n", m.help)
	}
}

// Warn reports something that does not prevent the command.
func (m *Messages) Warn(text string) {
	fmt.Fprintf(m.w, "%s: %s\n", m.name, text)
}

// Hint proposes a remedy for what was reported before. Strace has no hints, so under its name
// there are none.
func (m *Messages) Hint(text string) {
	if !m.asStrace {
		m.Warn("hint: " + text)
	}
}
