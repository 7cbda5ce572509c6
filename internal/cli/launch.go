package cli

import (
	"errors"
	"os"
	"path/filepath"
	"strings"

	"farcall"
	"farcall/internal/cmdline"
	"farcall/internal/linux"
	"farcall/internal/message"

	"golang.org/x/sys/unix"
)

// What stands between parsed options and a trace: the user, the program and the output file are
// looked up, each with strace's message where that fails.

// prepareTrace looks for the program, or the process, before it touches the output file: strace truncates an old
// trace and then finds that the program's name was mistyped.
func prepareTrace(opts *cmdline.Options) error {
	if len(opts.Command) > 0 {
		if _, err := findProgram(opts.Command[0], os.Getenv("PATH")); err != nil {
			return err
		}
	}
	if len(opts.Command) == 0 && len(opts.Attach) == 1 {
		pid := opts.Attach[0]
		if unix.Kill(pid, 0) == unix.ESRCH {
			gone := &farcall.AttachError{PID: pid, Cause: farcall.CauseGone, Err: unix.ESRCH}
			return (&traceRun{opts: opts}).attachError(pid, gone)
		}
	}
	_, pipes := opts.Pipes()
	switch {
	case opts.Output == "" || pipes:
	case opts.OutputSeparately:
		return checkSeparate(opts.Output)
	default:
		f, err := openOutput(opts.Output, opts.OutputAppend)
		if err != nil {
			return err
		}
		return f.Close()
	}
	return nil
}

// openOutput creates or truncates the file that the trace goes to, or opens it for appending.
// Tracees do not inherit it.
func openOutput(name string, appending bool) (*os.File, error) {
	flags := os.O_WRONLY | os.O_CREATE | os.O_TRUNC
	if appending {
		flags = os.O_WRONLY | os.O_CREATE | os.O_APPEND
	}
	f, err := os.OpenFile(name, flags, 0o666)
	if err != nil {
		return nil, cannotOpen(name, err)
	}
	return f, nil
}

// checkSeparate tells whether files can be made whose names begin with prefix: the first would be opened when the program
// has begun to run.
func checkSeparate(prefix string) error {
	dir := filepath.Dir(prefix)
	st, err := os.Stat(dir)
	switch {
	case err != nil:
	case !st.IsDir():
		err = unix.ENOTDIR
	default:
		err = unix.Access(dir, unix.W_OK|unix.X_OK)
	}
	if err != nil {
		return cannotOpen(prefix+".PID", err)
	}
	return nil
}

// outputHints are the remedies for a file that the trace cannot go to.
var outputHints = map[unix.Errno]string{
	unix.ENOENT:  "the directory of that file does not exist",
	unix.ENOTDIR: "a part of that path is a file, not a directory",
	unix.EISDIR:  "-o takes the name of a file, and this is a directory",
	unix.EACCES:  "that file, or its directory, may not be written by this user",
	unix.EPERM:   "that file, or its directory, is protected against changes (lsattr)",
	unix.EROFS:   "its file system is mounted read-only",
	unix.ENOSPC:  "its file system is full",
	unix.EDQUOT:  "the quota of this user is used up",
	unix.EFBIG:   "the file has reached the largest size allowed: see 'ulimit -f'",
	unix.ETXTBSY: "that file is a program which is running",
	unix.ELOOP:   "the path has too many symbolic links",
	unix.ENXIO:   "nobody reads from that FIFO or socket",
	unix.EIO:     "what is there takes no data",
	unix.EINVAL:  "what is there takes no data",
}

// outputHint is one of them, or "".
func outputHint(err error) string {
	var errno unix.Errno
	if !errors.As(err, &errno) {
		return ""
	}
	return outputHints[errno]
}

func cannotOpen(name string, err error) error {
	return &message.Error{Text: "Can't fopen '" + name + "': " + reason(err), Remedy: outputHint(err)}
}

// findProgram finds the file that a command's first word means. A word with a slash is a path,
// taken as it is; others are looked for in the directories of path, the value of PATH, for a
// regular file that somebody may execute (as strace does it, which leaves the rest to execve).
func findProgram(word, path string) (string, error) {
	file := word
	if !strings.Contains(word, "/") {
		file = searchPath(word, path)
	}
	if file == "" {
		return "", cannotStat(word, unix.ENOENT)
	}
	if _, err := os.Stat(file); err != nil {
		return "", cannotStat(word, err)
	}
	return file, nil
}

// searchPath spells the file as strace does, which shows in the arguments of the first execve: an
// empty directory within the list is the working directory, at its end it is nothing.
func searchPath(word, path string) string {
	if word == "" {
		return ""
	}
	for path != "" {
		var dir string
		dir, path, _ = strings.Cut(path, ":")
		if dir == "" {
			var err error
			if dir, err = os.Getwd(); err != nil {
				continue
			}
		}
		file := strings.TrimSuffix(dir, "/") + "/" + word
		if st, err := os.Stat(file); err == nil && st.Mode().IsRegular() && st.Mode()&0o111 != 0 {
			return file
		}
	}
	return ""
}

func cannotStat(word string, err error) error {
	c := &message.Error{Text: "Can't stat '" + word + "': " + reason(err)}
	switch {
	case errors.Is(err, unix.ENOENT) && strings.HasPrefix(word, "-"):
		c.Remedy = "options stand before the program to run"
	case errors.Is(err, unix.ENOENT) && !strings.Contains(word, "/"):
		c.Remedy = "no program of this name is in the directories of PATH"
	case errors.Is(err, unix.ENOENT):
		c.Remedy = "there is no such file"
	case errors.Is(err, unix.ENOTDIR):
		c.Remedy = "a part of that path is a file, not a directory"
	case errors.Is(err, unix.EACCES):
		c.Remedy = "a directory on the way may not be searched by this user"
	case errors.Is(err, unix.ELOOP):
		c.Remedy = "the path has too many symbolic links"
	case errors.Is(err, unix.ENAMETOOLONG):
		c.Remedy = "the name is longer than the file system allows"
	}
	return c
}

// reason is the C library's text for the error number in err.
func reason(err error) string { return linux.ErrorText(err) }
