package cli

import (
	"fmt"
	"io"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// Version is farcall's version; the build of a release sets it with -ldflags -X.
var Version = "0.1.0-dev"

// straceVersion is the version whose options and output farcall follows. Programs that ask
// "strace -V" compare the number on the first line.
const straceVersion = "6.1"

func newVersionCommand(std Streams) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			printVersion(std.Out, false)
			return nil
		},
	}
}

func printVersion(w io.Writer, asStrace bool) {
	if asStrace {
		fmt.Fprintf(w, "strace -- version %s\nThis is farcall %s, with the options and the output of strace %s.\n",
			straceVersion, Version, straceVersion)
		return
	}
	fmt.Fprintf(w, "farcall %s%s (%s/%s, %s)\n", Version, revision(), runtime.GOOS, runtime.GOARCH, runtime.Version())
}

// revision is the commit the program was built from, where the build recorded it.
func revision() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 {
			return " " + s.Value[:12]
		}
	}
	return ""
}
