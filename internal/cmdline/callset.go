package cmdline

import (
	"errors"

	"farcall/filter"
	"farcall/internal/inject"
	"farcall/internal/message"
)

// parseCalls is filter.ParseCallSet with its errors made messages.
func parseCalls(expr string) (*filter.CallSet, error) {
	set, err := filter.ParseCallSet(expr)
	return set, callsError(err)
}

// callsError makes a message of an error of package filter or inject.
func callsError(err error) error {
	var pe *filter.ParseError
	var ie *inject.ParseError
	switch {
	case errors.As(err, &ie):
		return &message.Error{Text: ie.Message, Remedy: ie.Hint}
	case !errors.As(err, &pe):
		return err
	}
	hint := pe.Hint
	if hint == "" && !pe.Usage {
		hint = callSetHint
	}
	return &message.Error{Text: pe.Message, Remedy: hint, Usage: pe.Usage}
}

// callSetHint is the remedy for a set of calls that resembles nothing.
const callSetHint = "a set is names, numbers, %classes or /regular expressions, with commas in between"
