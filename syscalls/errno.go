package syscalls

import "strings"

//go:generate go run farcall/internal/gen/facts zerrno .

type errno struct{ name, text string }

func findErrno(n int) errno {
	switch {
	case 0 <= n && n < len(userErrnos):
		return userErrnos[n]
	case firstKernelErrno <= n && n < firstKernelErrno+len(kernelErrnos):
		return kernelErrnos[n-firstKernelErrno]
	}
	return errno{}
}

// ErrnoName is the name of error number n, "ENOENT" for 2, or "" if it has none. Beside the
// errors of errno(3) it knows those that the kernel keeps to itself and only a tracer sees, such
// as ERESTARTSYS, 512 (include/linux/errno.h).
func ErrnoName(n int) string { return findErrno(n).name }

// ErrnoText describes error number n in the words of glibc's strerror(3), "No such file or
// directory" for 2; for the kernel's own restart errors in those of strace. It is "" for a number
// without a name.
func ErrnoText(n int) string { return findErrno(n).text }

// Further names of an error in asm-generic/errno.h and errno(3).
var errnoAliases = [...]struct{ name, errno string }{
	{"EWOULDBLOCK", "EAGAIN"},
	{"EDEADLOCK", "EDEADLK"},
	{"ENOTSUP", "EOPNOTSUPP"},
}

// ErrnoNumber is the number of the error of that name, in upper or lower case, and whether there
// is one. Beside the names of ErrnoName it knows the second names of errno(3), as EWOULDBLOCK.
func ErrnoNumber(name string) (n int, ok bool) {
	for _, alias := range errnoAliases {
		if strings.EqualFold(alias.name, name) {
			name = alias.errno
		}
	}
	if name == "" {
		return 0, false // the gaps of the tables
	}
	for n, e := range userErrnos {
		if strings.EqualFold(e.name, name) {
			return n, true
		}
	}
	for i, e := range kernelErrnos {
		if strings.EqualFold(e.name, name) {
			return firstKernelErrno + i, true
		}
	}
	return 0, false
}
