package cli

import (
	"errors"
	"strings"

	"farcall"
	"farcall/internal/cmdline"
	"farcall/internal/doctor"
	"farcall/internal/message"

	"golang.org/x/sys/unix"
)

// launchError is the message for a program that could not even be begun with.
func launchError(err error) error {
	c := &message.Error{Text: err.Error(), Remedy: doctor.LaunchHint(err)}
	var launch *farcall.LaunchError
	var errno unix.Errno
	switch {
	case errors.As(err, &launch):
		c.Text = launch.Op + ": " + reason(launch.Err)
	case errors.As(err, &errno):
		c.Text = strings.TrimSuffix(err.Error(), errno.Error()) + reason(errno)
	}
	return c
}

// checkTraceme tells whether a program can ask to be traced, as --seize=no has it do: one to which that is refused would
// wait for its tracer for good.
func checkTraceme(o *cmdline.Options) error {
	if o.Seize {
		return nil
	}
	e, remedy := doctor.TracemeRefused()
	if e == 0 {
		return nil
	}
	return &message.Error{Text: "ptrace(PTRACE_TRACEME, ...): " + reason(e), Remedy: remedy}
}
