package engine

import "golang.org/x/sys/unix"

// SharesMemory tells whether a thread and one that it has made have one address space. It asks the kernel (kcmp(2), KCMP_VM); one
// without that call (CONFIG_KCMP) leaves the way in which the child was made: after vfork they have.
func SharesMemory(parent, child *Thread, how How) bool {
	if parent.Proc == child.Proc {
		return true
	}
	const kcmpVM = 1
	r, _, errno := unix.RawSyscall6(unix.SYS_KCMP, uintptr(parent.TID), uintptr(child.TID), kcmpVM, 0, 0, 0)
	if errno != 0 {
		return how == HowVfork
	}
	return r == 0
}
