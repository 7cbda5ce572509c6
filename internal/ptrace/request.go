package ptrace

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A Request is the first argument of ptrace(2).
type Request uint32

// The requests (include/uapi/linux/ptrace.h). Those below 0x4200 differ between architectures;
// the ones given here have the same number on x86-64 and, where it has them, on arm64.
const (
	ReqTraceme                      Request = 0
	ReqPeekText                     Request = 1
	ReqPeekData                     Request = 2
	ReqPeekUser                     Request = 3
	ReqPokeText                     Request = 4
	ReqPokeData                     Request = 5
	ReqPokeUser                     Request = 6
	ReqCont                         Request = 7
	ReqKill                         Request = 8
	ReqSingleStep                   Request = 9
	ReqGetRegs                      Request = 12
	ReqSetRegs                      Request = 13
	ReqGetFPRegs                    Request = 14
	ReqSetFPRegs                    Request = 15
	ReqAttach                       Request = 16
	ReqDetach                       Request = 17
	ReqSyscall                      Request = 24
	ReqSysemu                       Request = 31
	ReqSysemuSingleStep             Request = 32
	ReqSetOptions                   Request = 0x4200
	ReqGetEventMsg                  Request = 0x4201
	ReqGetSiginfo                   Request = 0x4202
	ReqSetSiginfo                   Request = 0x4203
	ReqGetRegSet                    Request = 0x4204
	ReqSetRegSet                    Request = 0x4205
	ReqSeize                        Request = 0x4206
	ReqInterrupt                    Request = 0x4207
	ReqListen                       Request = 0x4208
	ReqPeekSiginfo                  Request = 0x4209
	ReqGetSigmask                   Request = 0x420a
	ReqSetSigmask                   Request = 0x420b
	ReqSeccompGetFilter             Request = 0x420c
	ReqSeccompGetMetadata           Request = 0x420d
	ReqGetSyscallInfo               Request = 0x420e
	ReqGetRseqConfiguration         Request = 0x420f
	ReqSetSyscallUserDispatchConfig Request = 0x4210
	ReqGetSyscallUserDispatchConfig Request = 0x4211
	ReqSetSyscallInfo               Request = 0x4212
)

var requestNames = map[Request]string{
	ReqTraceme: "PTRACE_TRACEME", ReqPeekText: "PTRACE_PEEKTEXT", ReqPeekData: "PTRACE_PEEKDATA",
	ReqPeekUser: "PTRACE_PEEKUSER", ReqPokeText: "PTRACE_POKETEXT", ReqPokeData: "PTRACE_POKEDATA",
	ReqPokeUser: "PTRACE_POKEUSER", ReqCont: "PTRACE_CONT", ReqKill: "PTRACE_KILL",
	ReqSingleStep: "PTRACE_SINGLESTEP", ReqGetRegs: "PTRACE_GETREGS", ReqSetRegs: "PTRACE_SETREGS",
	ReqGetFPRegs: "PTRACE_GETFPREGS", ReqSetFPRegs: "PTRACE_SETFPREGS", ReqAttach: "PTRACE_ATTACH",
	ReqDetach: "PTRACE_DETACH", ReqSyscall: "PTRACE_SYSCALL", ReqSysemu: "PTRACE_SYSEMU",
	ReqSysemuSingleStep: "PTRACE_SYSEMU_SINGLESTEP", ReqSetOptions: "PTRACE_SETOPTIONS",
	ReqGetEventMsg: "PTRACE_GETEVENTMSG", ReqGetSiginfo: "PTRACE_GETSIGINFO",
	ReqSetSiginfo: "PTRACE_SETSIGINFO", ReqGetRegSet: "PTRACE_GETREGSET",
	ReqSetRegSet: "PTRACE_SETREGSET", ReqSeize: "PTRACE_SEIZE", ReqInterrupt: "PTRACE_INTERRUPT",
	ReqListen: "PTRACE_LISTEN", ReqPeekSiginfo: "PTRACE_PEEKSIGINFO",
	ReqGetSigmask: "PTRACE_GETSIGMASK", ReqSetSigmask: "PTRACE_SETSIGMASK",
	ReqSeccompGetFilter:             "PTRACE_SECCOMP_GET_FILTER",
	ReqSeccompGetMetadata:           "PTRACE_SECCOMP_GET_METADATA",
	ReqGetSyscallInfo:               "PTRACE_GET_SYSCALL_INFO",
	ReqGetRseqConfiguration:         "PTRACE_GET_RSEQ_CONFIGURATION",
	ReqSetSyscallUserDispatchConfig: "PTRACE_SET_SYSCALL_USER_DISPATCH_CONFIG",
	ReqGetSyscallUserDispatchConfig: "PTRACE_GET_SYSCALL_USER_DISPATCH_CONFIG",
	ReqSetSyscallInfo:               "PTRACE_SET_SYSCALL_INFO",
}

// String is the name that ptrace(2) uses, or the number in hexadecimal.
func (r Request) String() string {
	if s, ok := requestNames[r]; ok {
		return s
	}
	return fmt.Sprintf("Request(%#x)", uint32(r))
}

// errnoErr is e as an error. Boxing a small integer does not allocate.
func errnoErr(e unix.Errno) error {
	if e == 0 {
		return nil
	}
	return e
}

// do makes a request whose arguments are plain numbers.
func do(r Request, tid int, addr, data uintptr) error {
	_, _, e := unix.RawSyscall6(unix.SYS_PTRACE, uintptr(r), uintptr(tid), addr, data, 0, 0)
	return errnoErr(e)
}

// doPtr makes a request whose last argument points into the tracer's memory. The conversion to
// uintptr has to stand in the call itself: the stack may move before it.
func doPtr(r Request, tid int, addr uintptr, data unsafe.Pointer) (int, error) {
	n, _, e := unix.RawSyscall6(unix.SYS_PTRACE, uintptr(r), uintptr(tid), addr, uintptr(data), 0, 0)
	return int(n), errnoErr(e)
}
