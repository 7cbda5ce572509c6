package proxy

import "golang.org/x/sys/unix"

// A form is a call's counterpart in the generic interface, which lacks the oldest calls, and what its arguments are made of.
type form struct {
	name string
	args [6]source
}

// A source is where an argument of a generic call comes from: a register of the program's call or, with constant, a number.
type source int64

const constant source = 1 << 40

func number(n int64) source { return constant + source(n) }

// value is the argument, given the registers of the program's call.
func (s source) value(regs *[6]uint64) uint64 {
	if s < constant/2 {
		return regs[s]
	}
	return uint64(int64(s - constant))
}

var cwd = number(unix.AT_FDCWD)

// forms are the calls that differ from their generic form. Structures differ only in those that have a function of their own.
var forms = map[string]form{
	"access":     {"faccessat", [6]source{cwd, 0, 1}},
	"readlink":   {"readlinkat", [6]source{cwd, 0, 1, 2}},
	"mkdir":      {"mkdirat", [6]source{cwd, 0, 1}},
	"mknod":      {"mknodat", [6]source{cwd, 0, 1, 2}},
	"rmdir":      {"unlinkat", [6]source{cwd, 0, number(unix.AT_REMOVEDIR)}},
	"unlink":     {"unlinkat", [6]source{cwd, 0, number(0)}},
	"rename":     {"renameat2", [6]source{cwd, 0, cwd, 1, number(0)}},
	"renameat":   {"renameat2", [6]source{0, 1, 2, 3, number(0)}},
	"link":       {"linkat", [6]source{cwd, 0, cwd, 1, number(0)}},
	"symlink":    {"symlinkat", [6]source{0, cwd, 1}},
	"chmod":      {"fchmodat", [6]source{cwd, 0, 1}},
	"chown":      {"fchownat", [6]source{cwd, 0, 1, 2, number(0)}},
	"lchown":     {"fchownat", [6]source{cwd, 0, 1, 2, number(unix.AT_SYMLINK_NOFOLLOW)}},
	"open":       {"openat", [6]source{cwd, 0, 1, 2}},
	"creat":      {"openat", [6]source{cwd, 0, number(unix.O_CREAT | unix.O_WRONLY | unix.O_TRUNC), 1}},
	"stat":       {"statx", [6]source{cwd, 0, number(0), number(unix.STATX_BASIC_STATS), 1}},
	"lstat":      {"statx", [6]source{cwd, 0, number(unix.AT_SYMLINK_NOFOLLOW), number(unix.STATX_BASIC_STATS), 1}},
	"fstat":      {"statx", [6]source{0, number(0), number(unix.AT_EMPTY_PATH), number(unix.STATX_BASIC_STATS), 1}},
	"newfstatat": {"statx", [6]source{0, 1, 3, number(unix.STATX_BASIC_STATS), 2}},
	"utime":      {"utimensat", [6]source{cwd, 0, 1, number(0)}},
	"utimes":     {"utimensat", [6]source{cwd, 0, 1, number(0)}},
	"futimesat":  {"utimensat", [6]source{0, 1, 2, number(0)}},
}

// throughForms are the forms of calls whose path is a link in /proc that leads to an open file: its handle comes in place of the path. A
// register is one of the generic form.
var throughForms = map[string]form{
	"statx":       {"statx", [6]source{handle, number(0), number(unix.AT_EMPTY_PATH), 3, 4}},
	"faccessat":   {"faccessat2", [6]source{handle, number(0), 2, number(unix.AT_EMPTY_PATH)}},
	"faccessat2":  {"faccessat2", [6]source{handle, number(0), 2, number(unix.AT_EMPTY_PATH)}},
	"fchmodat":    {"fchmod", [6]source{handle, 2}},
	"fchownat":    {"fchownat", [6]source{handle, number(0), 2, 3, number(unix.AT_EMPTY_PATH)}},
	"utimensat":   {"utimensat", [6]source{handle, number(0), 2, number(unix.AT_EMPTY_PATH)}},
	"linkat":      {"linkat", [6]source{handle, number(0), 2, 3, number(unix.AT_EMPTY_PATH)}},
	"truncate":    {"ftruncate", [6]source{handle, 1}},
	"statfs":      {"fstatfs", [6]source{handle, 1}},
	"getxattr":    {"fgetxattr", [6]source{handle, 1, 2, 3}},
	"setxattr":    {"fsetxattr", [6]source{handle, 1, 2, 3, 4}},
	"listxattr":   {"flistxattr", [6]source{handle, 1, 2}},
	"removexattr": {"fremovexattr", [6]source{handle, 1}},
}

// handle stands for the handle of the open file.
const handle source = -1

// through is the form of a call about an open file, if it has one.
func (f form) through(h uint32) (form, bool) {
	t, ok := throughForms[f.name]
	for i, s := range t.args {
		switch {
		case s == handle:
			t.args[i] = number(int64(h))
		case s < constant/2:
			t.args[i] = f.args[s]
		}
	}
	return t, ok
}

// formOf is the form of a call; most are generic themselves.
func formOf(name string) form {
	if f, ok := forms[name]; ok {
		return f
	}
	return form{name, [6]source{0, 1, 2, 3, 4, 5}}
}
