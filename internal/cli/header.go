package cli

import (
	"io"

	"farcall/include"

	"github.com/spf13/cobra"
)

const headerHelp = `Print farcall.h, with which a program in C or C++ marks its own regions for
"farcall trace --marks". Nothing has to be linked. For Go there is the package
farcall/mark.`

const headerExamples = `  farcall header > farcall.h`

// newHeaderCommand prints the header.
func newHeaderCommand(std Streams) *cobra.Command {
	return &cobra.Command{
		Use:                   "header",
		Short:                 "Print farcall.h, for programs that mark regions",
		Long:                  headerHelp,
		Example:               headerExamples,
		Args:                  cobra.NoArgs,
		DisableFlagsInUseLine: true,
		RunE: func(*cobra.Command, []string) error {
			_, err := io.WriteString(std.Out, include.Header)
			return err
		},
	}
}
