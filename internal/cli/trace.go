package cli

import (
	"context"

	"github.com/spf13/cobra"
)

// newTraceCommand is "farcall trace" in the tree of commands, for help and completion. Its
// options are not cobra's: they follow getopt_long(3), as strace's do.
func newTraceCommand(called string, std Streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:                   "trace [options] [--] program [arguments] | -p pid",
		Short:                 "Print the system calls and signals of a program",
		DisableFlagParsing:    true,
		DisableFlagsInUseLine: true,
		ValidArgsFunction:     completeTrace,
		RunE: func(_ *cobra.Command, args []string) error {
			if status := traceMain(called, false, args, std); status != 0 {
				return exitStatus(status)
			}
			return nil
		},
	}
	cmd.SetHelpFunc(func(cmd *cobra.Command, _ []string) {
		printTraceHelp(cmd.OutOrStdout(), "farcall trace")
	})
	return cmd
}

// traceMain is "farcall trace" from its arguments to its exit status. called is the name that
// messages begin with.
func traceMain(called string, asStrace bool, args []string, std Streams) int {
	command := "farcall trace"
	if asStrace {
		command = "strace"
	}
	messages := &Messages{w: std.Err, name: called, help: command + " -h", asStrace: asStrace}

	request, err := parseTrace(called, asStrace, args)
	for _, w := range request.warnings {
		messages.Warn(w)
	}
	if err != nil {
		messages.Error(err)
		return exitFailure
	}
	switch request.action {
	case actionHelp:
		printTraceHelp(std.Out, command)
		return 0
	case actionVersion:
		printVersion(std.Out, asStrace)
		return 0
	case actionNothing:
		return 0
	}
	return runTrace(context.Background(), request.options, std, messages)
}
