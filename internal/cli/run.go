package cli

import (
	"fmt"
	"io"

	"farcall/internal/cmdline"
	"farcall/internal/message"

	"github.com/spf13/cobra"
)

const runHelp = `Usage: farcall run [options] [--] PROG [ARG]...

Run PROG with some of its system calls changed, and show nothing of them.

  --rule='CALLS [if CONDITION] then ACTION[, ACTION...]'
                      what to do to which calls; may be repeated
  --rules=FILE        the same from a file, a rule a line, # for comments
  --inject=SET:...    as strace has it; also -e inject=, -e fault=
  --explain           say how each rule is served, and how rules meet
  --dry-run           do nothing; with trace: show what would have been done
  --emulate           the kernel does not see a call before the rules have
                      (PTRACE_SYSEMU): one stop for each that they answer, three
                      more for each that they leave to the kernel
  --in=FUNCTION       only while a thread is inside of that function
  -f                  in the processes that PROG starts, too

All options of 'farcall trace' are understood. The exit status is that of PROG;
farcall ends by the signal that ended it; farcall's own errors give 1.

Examples:
  farcall run --rule 'openat if args.filename glob "/etc/*" then fail ENOENT' -- PROG
  farcall run -f --rule 'fsync|fdatasync then return 0' -- make install
  farcall run --rule 'read then short 7' -- python3 script.py
  farcall run --rule 'connect then delay 100ms..1s' -- curl http://localhost/
`

// newRunCommand is "farcall run": a trace that shows nothing, for the sake of its rules.
func newRunCommand(called string, std Streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:                   "run [options] [--] program [arguments]",
		Short:                 "Run a program with some of its system calls changed",
		DisableFlagParsing:    true,
		DisableFlagsInUseLine: true,
		ValidArgsFunction:     cmdline.Complete,
		RunE: func(_ *cobra.Command, args []string) error {
			if status := runMain(called, args, std); status != 0 {
				return exitStatus(status)
			}
			return nil
		},
	}
	cmd.SetHelpFunc(func(cmd *cobra.Command, _ []string) { printRunHelp(cmd.OutOrStdout()) })
	return cmd
}

func printRunHelp(w io.Writer) { fmt.Fprint(w, runHelp) }

func runMain(called string, args []string, std Streams) int {
	messages := &message.Printer{W: std.Err, Name: called, Help: "farcall run -h"}
	return tracing(args, std, messages, printRunHelp, func(o *cmdline.Options) error {
		o.Silent, o.Quiet = true, cmdline.QuietAll
		if len(o.Rules) == 0 && len(o.Injections) == 0 {
			return message.Misuse("nothing to do: give --rule, --rules or --inject")
		}
		return nil
	})
}
