package cli

import (
	"errors"
	"fmt"
	"io/fs"

	"farcall/internal/message"
	"farcall/remote/certs"

	"github.com/spf13/cobra"
)

const certsHelp = `Make certificates for "farcall serve" and "farcall proxy" over TCP, in the
directory DIR: an authority of their own (ca.pem, ca.key), and a pair each for
the server and for clients that it has signed. NAMEs are the host names and
addresses of the server. Copy ca.pem and server.* to the server, ca.pem and
client.* to clients, and keep ca.key.`

const certsExamples = `  farcall certs ./certs far.example 10.0.0.7
  farcall serve --listen tcp://0.0.0.0:7070 --tls ./certs
  farcall proxy --to tcp://far.example:7070 --tls ./certs -- ls`

// newCertsCommand makes certificates.
func newCertsCommand(std Streams) *cobra.Command {
	return &cobra.Command{
		Use:                   "certs DIR NAME...",
		Short:                 "Make certificates for serve and proxy over a network",
		Long:                  certsHelp,
		Example:               certsExamples,
		DisableFlagsInUseLine: true,
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) < 2 {
				return message.Misuse("certs wants a directory and the server's names")
			}
			err := certs.Make(args[0], args[1:])
			switch {
			case errors.Is(err, fs.ErrExist):
				return &message.Error{Text: err.Error(), Remedy: "certificates are not overwritten: name another directory"}
			case err != nil:
				return message.Fail("%v", err)
			}
			fmt.Fprintf(std.Out, "certificates made in %s\n", args[0])
			return nil
		},
	}
}
