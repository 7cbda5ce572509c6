package cli

import (
	"context"
	"errors"
)

// runTrace traces as the options say and returns the exit status.
func runTrace(_ context.Context, opts *TraceOptions, _ Streams, messages *Messages) int {
	if err := prepareTrace(opts); err != nil {
		messages.Error(err)
		return exitFailure
	}
	messages.Error(errors.New("not wired yet"))
	return exitFailure
}
