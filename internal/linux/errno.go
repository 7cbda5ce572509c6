package linux

import (
	"errors"

	"farcall/syscalls"

	"golang.org/x/sys/unix"
)

// ErrorText is the C library's text (strerror(3)) for the error number in err, or what err says itself if it has none.
func ErrorText(err error) string {
	var errno unix.Errno
	if !errors.As(err, &errno) {
		return err.Error()
	}
	if text := syscalls.ErrnoText(int(errno)); text != "" {
		return text
	}
	return errno.Error()
}
