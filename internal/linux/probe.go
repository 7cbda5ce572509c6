package linux

import (
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// ProbePtrace tells whether ptrace(2) is refused as such, by a seccomp filter or by what stands in for the kernel: it
// names a thread that cannot exist, for which the kernel itself answers ESRCH. 0 means that it is not refused.
func ProbePtrace() unix.Errno {
	_, _, e := unix.RawSyscall6(unix.SYS_PTRACE, unix.PTRACE_CONT, 0, 0, 0, 0, 0)
	if e == unix.ESRCH {
		return 0
	}
	return e
}

// ProbeVMRead tells whether process_vm_readv(2) works, on memory of this process: 0, or the error, which is ENOSYS without
// CONFIG_CROSS_MEMORY_ATTACH and EPERM under most filters.
func ProbeVMRead() unix.Errno {
	src, dst := uint64(0x66617263616c6c), uint64(0)
	local := unix.Iovec{Base: (*byte)(unsafe.Pointer(&dst)), Len: 8}
	remote := unix.RemoteIovec{Base: uintptr(unsafe.Pointer(&src)), Len: 8}
	_, _, e := unix.RawSyscall6(unix.SYS_PROCESS_VM_READV, uintptr(unix.Getpid()), uintptr(unsafe.Pointer(&local)), 1,
		uintptr(unsafe.Pointer(&remote)), 1, 0)
	if e == 0 && dst != src {
		return unix.EIO
	}
	return e
}

// ProbeX32 tells whether the kernel answers calls of the x32 ABI (CONFIG_X86_X32_ABI), by a getpid.
func ProbeX32() bool {
	const x32Bit, getpid = 0x40000000, 39 // arch/x86/include/uapi/asm/unistd.h
	if runtime.GOARCH != "amd64" {
		return false
	}
	pid, _, e := unix.RawSyscall(x32Bit|getpid, 0, 0, 0)
	return e == 0 && int(pid) == unix.Getpid()
}

// ProbeBPF tells whether this process may use eBPF, by making a small map: 0, or the error, EPERM without CAP_BPF where
// kernel.unprivileged_bpf_disabled is set.
func ProbeBPF() unix.Errno {
	const mapCreate, array = 0, 2 // enum bpf_cmd, enum bpf_map_type
	attr := struct{ kind, keySize, valueSize, maxEntries, flags uint32 }{array, 4, 8, 1, 0}
	fd, _, e := unix.Syscall(unix.SYS_BPF, mapCreate, uintptr(unsafe.Pointer(&attr)), unsafe.Sizeof(attr))
	if e == 0 {
		unix.Close(int(fd))
	}
	return e
}

// Seccomp is what the kernel's seccomp(2) can do.
type Seccomp struct {
	Filter       unix.Errno // 0: filters can be installed
	Trace        bool       // SECCOMP_RET_TRACE
	Notify       bool       // SECCOMP_RET_USER_NOTIF (Linux 5.0)
	WaitKillable bool       // SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (5.19)
	AddFDSend    bool       // SECCOMP_ADDFD_FLAG_SEND (5.14)
}

// waitKillable is SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, addFDSend SECCOMP_ADDFD_FLAG_SEND (include/uapi/linux/seccomp.h).
const (
	waitKillable = 1 << 5
	addFDSend    = 1 << 1
)

// ProbeSeccomp tries seccomp(2) out, in a thread that ends with the probe: a filter cannot be taken off.
func ProbeSeccomp() Seccomp {
	var s Seccomp
	OnOwnThread(func(int) { s = probeSeccomp() })
	return s
}

func probeSeccomp() Seccomp {
	var s Seccomp
	available := func(action uint32) bool {
		_, _, e := unix.RawSyscall(unix.SYS_SECCOMP, unix.SECCOMP_GET_ACTION_AVAIL, 0, uintptr(unsafe.Pointer(&action)))
		return e == 0
	}
	s.Trace, s.Notify = available(unix.SECCOMP_RET_TRACE), available(unix.SECCOMP_RET_USER_NOTIF)
	// Without a program, known flags give EFAULT and unknown ones EINVAL.
	_, _, e := unix.RawSyscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER,
		unix.SECCOMP_FILTER_FLAG_NEW_LISTENER|waitKillable, 0)
	s.WaitKillable = e == unix.EFAULT

	_ = unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
	allow := unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW}
	prog := unix.SockFprog{Len: 1, Filter: &allow}
	fd, _, e := unix.RawSyscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_NEW_LISTENER,
		uintptr(unsafe.Pointer(&prog)))
	if e != 0 { // no listener: an old kernel, or there is one already, of a container's engine
		_, _, s.Filter = unix.RawSyscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, 0, uintptr(unsafe.Pointer(&prog)))
		return s
	}
	defer unix.Close(int(fd))
	// There is no call with id 0: ENOENT if the flag is known, otherwise EINVAL.
	addfd := struct {
		id                   uint64
		flags, srcfd, fd, of uint32
	}{flags: addFDSend, srcfd: uint32(fd)}
	_, _, e = unix.RawSyscall(unix.SYS_IOCTL, fd, unix.SECCOMP_IOCTL_NOTIF_ADDFD, uintptr(unsafe.Pointer(&addfd)))
	s.AddFDSend = e == unix.ENOENT
	return s
}

// NoExec tells whether the file system of a path is mounted noexec.
func NoExec(path string) bool {
	var st unix.Statfs_t
	return unix.Statfs(path, &st) == nil && st.Flags&unix.ST_NOEXEC != 0
}

// Limit is the soft limit of a resource (unix.RLIMIT_*); false for none.
func Limit(resource int) (uint64, bool) {
	var l unix.Rlimit
	if unix.Getrlimit(resource, &l) != nil || l.Cur == unix.RLIM_INFINITY {
		return 0, false
	}
	return l.Cur, true
}
