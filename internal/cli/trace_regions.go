package cli

import (
	"errors"
	"os"

	"farcall"
	"farcall/internal/message"
)

// regionError adds to an error about a region that the program is a script, whose symbols are its interpreter's.
func (r *traceRun) regionError(err error) error {
	var re *farcall.RegionError
	if !errors.As(err, &re) || len(r.opts.Command) == 0 {
		return err
	}
	path, perr := findProgram(r.opts.Command[0], os.Getenv("PATH"))
	if perr != nil {
		return err
	}
	f, perr := os.Open(path)
	if perr != nil {
		return err
	}
	defer f.Close()
	var magic [2]byte
	if _, perr := f.Read(magic[:]); perr != nil || string(magic[:]) != "#!" {
		return err
	}
	return &message.Error{Text: re.Error(), Remedy: path + " is a script: its interpreter is the program"}
}
