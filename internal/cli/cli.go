// Package cli is the command line of farcall: its subcommands, their options, the help, the exit
// statuses, and the one place that prints errors and hints. What a command does is elsewhere;
// this package turns words into values such as [TraceOptions] and back into messages.
package cli

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"farcall/filter"
	"farcall/internal/message"

	"github.com/spf13/cobra"
)

// exitFailure is the status for every error of farcall itself, as strace's.
const exitFailure = 1

// Streams are the standard streams of the process.
type Streams struct {
	In  io.Reader
	Out io.Writer
	Err io.Writer
}

// Main runs farcall and returns its exit status. args are the process's arguments with the
// program's name first. When the last element of that name is strace, the whole program is
// "farcall trace".
func Main(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	std := Streams{In: stdin, Out: stdout, Err: stderr}
	called := "farcall"
	if len(args) > 0 && args[0] != "" {
		called = args[0]
	}
	args = args[min(len(args), 1):]

	if filepath.Base(called) == "strace" {
		return traceMain(called, true, args, std)
	}
	// These two must answer at once; building the tree of commands takes longer than all else.
	if len(args) > 0 {
		switch args[0] {
		case "-V", "--version":
			printVersion(stdout, false)
			return 0
		case "trace":
			return traceMain(called, false, args[1:], std)
		}
	}
	return runRoot(called, args, std)
}

// exitStatus lets a command end with a status of its own; it has printed its messages.
type exitStatus int

func (e exitStatus) Error() string { return fmt.Sprintf("exit status %d", int(e)) }

func runRoot(called string, args []string, std Streams) int {
	root := newRootCommand(called, std)
	root.SetArgs(args)
	err := unknownCommand(root, args)
	if err == nil {
		err = root.Execute()
	}
	if status, ok := err.(exitStatus); ok {
		return int(status)
	}
	if err != nil {
		m := &message.Printer{W: std.Err, Name: called, Help: "farcall help"}
		m.Error(rootError(err))
		return exitFailure
	}
	return 0
}

func newRootCommand(called string, std Streams) *cobra.Command {
	root := &cobra.Command{
		Use:           "farcall",
		Short:         "See and change the system calls of programs",
		Long:          rootHelp,
		SilenceErrors: true,
		SilenceUsage:  true,
		RunE: func(*cobra.Command, []string) error {
			return message.Misuse("no command given")
		},
	}
	root.SetIn(std.In)
	root.SetOut(std.Out)
	root.SetErr(std.Err)
	root.Flags().BoolP("version", "V", false, "print the version")
	root.SetHelpCommand(newHelpCommand(root))
	root.AddCommand(
		newTraceCommand(called, std),
		newRunCommand(called, std),
		newDoctorCommand(std),
		newSymbolsCommand(std),
		newHeaderCommand(std),
		newProxyCommand(std),
		newServeCommand(std),
		newCertsCommand(std),
		newVersionCommand(std),
	)
	return root
}

// newHelpCommand is "farcall help [command]". Cobra's own takes a command that does not exist for
// a question about all of them.
func newHelpCommand(root *cobra.Command) *cobra.Command {
	return &cobra.Command{
		Use:   "help [command]",
		Short: "Explain a command",
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			var out []string
			for _, c := range root.Commands() {
				out = append(out, c.Name())
			}
			return out, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(_ *cobra.Command, args []string) error {
			if err := unknownCommand(root, args); err != nil {
				return err
			}
			cmd, _, err := root.Find(args)
			if err != nil {
				return err
			}
			return cmd.Help()
		},
	}
}

// unknownCommand finds out before cobra does that the first word is no command: cobra would first
// complain about the options behind it, which may be those of a program to trace.
func unknownCommand(root *cobra.Command, args []string) error {
	if len(args) == 0 || strings.HasPrefix(args[0], "-") || strings.HasPrefix(args[0], "__") {
		return nil
	}
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd(args...)
	if cmd, _, err := root.Find(args); err == nil && cmd != root {
		return nil
	}
	return &message.Error{
		Text:   "unknown command '" + args[0] + "'",
		Remedy: suggestCommand(root, args),
		Usage:  true,
	}
}

// rootError lets an error of cobra's point at the help.
func rootError(err error) error {
	if h, ok := err.(message.Hinter); ok {
		return h
	}
	return &message.Error{Text: err.Error(), Usage: true}
}

// suggestCommand is a hint for a first word that is no command: one of the commands, or that the
// word may be a program to trace.
func suggestCommand(root *cobra.Command, args []string) string {
	if _, err := findProgram(args[0], os.Getenv("PATH")); err == nil {
		return "to trace that program: farcall trace " + strings.Join(args, " ")
	}
	best := filter.Nearest(args[0], func(yield func(string) bool) {
		for _, c := range root.Commands() {
			if !c.Hidden && !yield(c.Name()) {
				return
			}
		}
	})
	if best != "" {
		return "did you mean 'farcall " + best + "'?"
	}
	return ""
}
