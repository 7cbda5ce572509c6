package ptrace

import "unsafe"

// SeccompGetFilter reads the classic BPF program of the tracee's seccomp filter number index (0 is the
// oldest) into prog, 8 bytes for each instruction, and returns the number of instructions. With a nil prog
// it only counts; prog must otherwise have room for all of them.
//
// Errors: EACCES if the tracer lacks CAP_SYS_ADMIN in the initial user namespace or is confined by seccomp
// itself; ENOENT if there are not that many filters; EINVAL if the tracee has none, or without
// CONFIG_CHECKPOINT_RESTORE; EMEDIUMTYPE if the filter is not classic BPF; ESRCH as usual.
func SeccompGetFilter(tid int, index uint64, prog []SockFilter) (int, error) {
	return doPtr(ReqSeccompGetFilter, tid, uintptr(index), unsafe.Pointer(unsafe.SliceData(prog)))
}

// SockFilter is the kernel's struct sock_filter, one instruction of classic BPF.
type SockFilter struct {
	Code   uint16
	Jt, Jf uint8
	K      uint32
}

// SeccompGetMetadata gives the flags (only SECCOMP_FILTER_FLAG_LOG) of the tracee's filter number index.
//
// Errors: as SeccompGetFilter.
func SeccompGetMetadata(tid int, index uint64) (flags uint64, err error) {
	md := struct{ index, flags uint64 }{index: index}
	_, err = doPtr(ReqSeccompGetMetadata, tid, unsafe.Sizeof(md), unsafe.Pointer(&md))
	return md.flags, err
}

// RseqConfiguration is the kernel's struct ptrace_rseq_configuration: what the thread registered with
// rseq(2). Pointer 0 means nothing.
type RseqConfiguration struct {
	Pointer   uint64 // struct rseq in the tracee
	Size      uint32
	Signature uint32
	Flags     uint32
	_         uint32
}

// GetRseqConfiguration reads it.
//
// Errors: EIO before Linux 5.13 or without CONFIG_RSEQ; ESRCH as usual.
func GetRseqConfiguration(tid int, c *RseqConfiguration) error {
	_, err := doPtr(ReqGetRseqConfiguration, tid, unsafe.Sizeof(*c), unsafe.Pointer(c))
	return err
}

// SyscallUserDispatch is the kernel's struct ptrace_sud_config: the arguments of prctl(2)
// PR_SET_SYSCALL_USER_DISPATCH.
type SyscallUserDispatch struct {
	Mode     uint64 // 0 off, 1 on
	Selector uint64 // address of the byte that allows (0) or blocks (1) calls; 0 for none
	Offset   uint64 // start and length of the range whose calls are always allowed
	Len      uint64
}

// SetSyscallUserDispatchConfig changes the tracee's Syscall User Dispatch.
//
// Errors: EIO before Linux 6.4; EINVAL without CONFIG_GENERIC_ENTRY, for an impossible range or mode, or
// nonzero fields with mode 0; EFAULT for a selector outside user space; ESRCH as usual.
func SetSyscallUserDispatchConfig(tid int, c *SyscallUserDispatch) error {
	_, err := doPtr(ReqSetSyscallUserDispatchConfig, tid, unsafe.Sizeof(*c), unsafe.Pointer(c))
	return err
}

// GetSyscallUserDispatchConfig reads it.
//
// Errors: EIO and EINVAL as SetSyscallUserDispatchConfig on a kernel without it; ESRCH as usual.
func GetSyscallUserDispatchConfig(tid int, c *SyscallUserDispatch) error {
	_, err := doPtr(ReqGetSyscallUserDispatchConfig, tid, unsafe.Sizeof(*c), unsafe.Pointer(c))
	return err
}
