package linux

import (
	"strconv"

	"golang.org/x/sys/unix"
)

// relation compares user namespaces by the ioctls of ioctl_ns(2). Opening the file of another process needs the right to read
// what ptrace could (PTRACE_MODE_READ_FSCREDS).
func relation(self, pid int) NSRelation {
	ours, err := unix.Open("/proc/"+strconv.Itoa(self)+"/ns/user", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return NSUnknown
	}
	defer unix.Close(ours)
	fd, err := unix.Open("/proc/"+strconv.Itoa(pid)+"/ns/user", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return NSUnknown
	}
	if sameFile(ours, fd) {
		unix.Close(fd)
		return NSSame
	}
	const deepest = 40 // the kernel allows 32 levels
	child := -1
	for range deepest {
		parent, err := unix.IoctlRetInt(fd, unix.NS_GET_PARENT)
		if err != nil { // EPERM: it is not below ours
			unix.Close(fd)
			if child >= 0 {
				unix.Close(child)
			}
			return NSOther
		}
		if child >= 0 {
			unix.Close(child)
		}
		child, fd = fd, parent
		if sameFile(ours, fd) {
			break
		}
	}
	defer unix.Close(child)
	defer unix.Close(fd)
	if owner, err := unix.IoctlGetUint32(child, unix.NS_GET_OWNER_UID); err == nil && int(owner) == unix.Geteuid() {
		return NSOwned
	}
	return NSBelow
}

func sameFile(a, b int) bool {
	var sa, sb unix.Stat_t
	return unix.Fstat(a, &sa) == nil && unix.Fstat(b, &sb) == nil && sa.Dev == sb.Dev && sa.Ino == sb.Ino
}
