package cli

import (
	"context"
	"io"

	"farcall/internal/cmdline"
	"farcall/internal/message"

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
		ValidArgsFunction:     cmdline.Complete,
		RunE: func(_ *cobra.Command, args []string) error {
			if status := traceMain(called, false, args, std); status != 0 {
				return exitStatus(status)
			}
			return nil
		},
	}
	cmd.SetHelpFunc(func(cmd *cobra.Command, _ []string) {
		cmdline.PrintHelp(cmd.OutOrStdout(), "farcall trace")
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
	messages := &message.Printer{W: std.Err, Name: called, Help: command + " -h", AsStrace: asStrace}
	return tracing(args, std, messages, func(w io.Writer) { cmdline.PrintHelp(w, command) }, nil)
}

// tracing is what "farcall trace" and "farcall run" have in common. check, if not nil, sees the options before they
// are acted on.
func tracing(args []string, std Streams, messages *message.Printer, help func(io.Writer), check func(*cmdline.Options) error) int {
	request, err := cmdline.Parse(messages.Name, messages.AsStrace, args)
	for _, w := range request.Warnings {
		messages.Warn(w)
	}
	if err == nil && request.Action == cmdline.ActionTrace && check != nil {
		err = check(request.Options)
	}
	if err != nil {
		messages.Error(err)
		return exitFailure
	}
	switch request.Action {
	case cmdline.ActionHelp:
		help(std.Out)
		return 0
	case cmdline.ActionVersion:
		printVersion(std.Out, messages.AsStrace)
		return 0
	case cmdline.ActionNothing:
		return 0
	}
	return runTrace(context.Background(), request.Options, std, messages)
}
