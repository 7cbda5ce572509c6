package server

import (
	"errors"
	"fmt"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// landlockWrites are the rights of Landlock (landlock(7)) by which files and directories are changed, with the version of its interface
// that each needs.
var landlockWrites = []struct {
	abi    uintptr
	rights uint64
}{
	{1, unix.LANDLOCK_ACCESS_FS_WRITE_FILE | unix.LANDLOCK_ACCESS_FS_REMOVE_DIR | unix.LANDLOCK_ACCESS_FS_REMOVE_FILE |
		unix.LANDLOCK_ACCESS_FS_MAKE_CHAR | unix.LANDLOCK_ACCESS_FS_MAKE_DIR | unix.LANDLOCK_ACCESS_FS_MAKE_REG |
		unix.LANDLOCK_ACCESS_FS_MAKE_SOCK | unix.LANDLOCK_ACCESS_FS_MAKE_FIFO | unix.LANDLOCK_ACCESS_FS_MAKE_BLOCK |
		unix.LANDLOCK_ACCESS_FS_MAKE_SYM},
	{2, unix.LANDLOCK_ACCESS_FS_REFER},
	{3, unix.LANDLOCK_ACCESS_FS_TRUNCATE},
}

// GiveUpWriting has the kernel refuse the whole process every change of files and directories, for good: a second lock behind
// Options.Write. Files that are open for writing stay so. Permissions, owners and times are not covered by it.
//
// Errors: errors.ErrUnsupported on kernels without Landlock (Linux 5.13), or in a program that was built with cgo; errnos.
func GiveUpWriting() error {
	const version = 1 // LANDLOCK_CREATE_RULESET_VERSION
	abi, _, e := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, version)
	if e != 0 {
		return fmt.Errorf("landlock: %w: %w", errors.ErrUnsupported, e)
	}
	attr := unix.LandlockRulesetAttr{}
	for _, w := range landlockWrites {
		if abi >= w.abi {
			attr.Handled_access_fs |= w.rights
		}
	}
	// Only the first member, which all versions have.
	fd, _, e := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, uintptr(unsafe.Pointer(&attr)), unsafe.Sizeof(attr.Handled_access_fs), 0)
	if e != 0 {
		return fmt.Errorf("landlock_create_ruleset: %w", e)
	}
	defer unix.Close(int(fd))
	for _, c := range []struct {
		name string
		args [4]uintptr
	}{
		{"prctl(PR_SET_NO_NEW_PRIVS)", [4]uintptr{unix.SYS_PRCTL, unix.PR_SET_NO_NEW_PRIVS, 1, 0}},
		{"landlock_restrict_self", [4]uintptr{unix.SYS_LANDLOCK_RESTRICT_SELF, fd, 0, 0}},
	} {
		_, _, e := syscall.AllThreadsSyscall(c.args[0], c.args[1], c.args[2], c.args[3])
		switch {
		case e == syscall.ENOTSUP:
			return fmt.Errorf("%s on all threads: %w", c.name, errors.ErrUnsupported)
		case e != 0:
			return fmt.Errorf("%s: %w", c.name, e)
		}
	}
	return nil
}
