package cli

import (
	"context"
	"errors"
	"os"
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

// prepareTrace looks for the program before it touches the output file: strace truncates an old
// trace and then finds that the program's name was mistyped.
func prepareTrace(opts *TraceOptions) error {
	if len(opts.Command) > 0 {
		if _, err := findProgram(opts.Command[0], os.Getenv("PATH")); err != nil {
			return err
		}
	}
	if _, pipes := opts.Pipes(); opts.Output != "" && !pipes && !opts.OutputSeparately {
		f, err := openOutput(opts.Output, opts.OutputAppend)
		if err != nil {
			return err
		}
		return f.Close()
	}
	return nil
}
