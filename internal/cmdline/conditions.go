package cmdline

import (
	"errors"

	"farcall/filter"
	"farcall/internal/message"
)

// ConditionOptions are the conditions of docs/filter.md that narrow a trace, nil where there is none.
type ConditionOptions struct {
	Where      *filter.Expr // what is shown and counted
	CountWhere *filter.Expr // what is counted
	StopWhen   *filter.Expr // what ends the trace
}

// condition makes an option whose argument is a condition.
func condition(field func(*ConditionOptions) **filter.Expr) func(*parser, parsedOption) error {
	return func(p *parser, opt parsedOption) error {
		e, err := filter.Parse(opt.arg)
		if err != nil {
			return ConditionError(opt.name, err)
		}
		*field(&p.o.ConditionOptions) = e
		return nil
	}
}

// ConditionError shows where in a condition the mistake is.
func ConditionError(option string, err error) error {
	var ee *filter.ExprError
	if !errors.As(err, &ee) {
		return err
	}
	line, marks := ee.Caret()
	if ee.Hint != "" {
		marks += " " + ee.Hint
	}
	return &message.Error{Text: option + ": " + err.Error(), Remedy: line + "\n" + marks}
}
