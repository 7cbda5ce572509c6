#include "textflag.h"

// The machine code of the launcher (see launcher.go). It is never executed here, but copied into the image of
// a new process, where it runs without stack frames or symbols. R13 is the address of struct launchData, whose
// offsets are those of the constants below.

#define DATA $0x10010000
#define GO 0(R13)
#define FLAGS 4(R13)
#define IGNORED 8(R13)
#define PATH 16(R13)
#define FPROG 24
#define UID 40(R13)
#define GID 44(R13)
#define NGROUPS 48(R13)
#define GROUPS 56(R13)
#define ACTION 64

TEXT launcherCode<>(SB), NOSPLIT|NOFRAME, $0
	MOVQ SP, R12
	MOVQ DATA, R13

	// Die with the tracer until the program starts.
	TESTL $16, FLAGS
	JNZ   signals
	MOVQ $157, AX // prctl(PR_SET_PDEATHSIG, SIGKILL)
	MOVQ $1, DI
	MOVQ $9, SI
	SYSCALL

signals:
	// The dispositions that the tracer was started with: SIG_IGN (1) or SIG_DFL (0) for each signal.
	MOVQ $1, R14
	MOVQ IGNORED, R15
nextsig:
	MOVQ R15, AX
	ANDQ $1, AX
	MOVQ AX, ACTION(R13)
	MOVQ $13, AX // rt_sigaction
	MOVQ R14, DI
	LEAQ ACTION(R13), SI
	XORL DX, DX
	MOVQ $8, R10
	SYSCALL
	SHRQ $1, R15
	INCQ R14
	CMPQ R14, $65
	JB   nextsig

	TESTL $1, FLAGS
	JZ    wait
	MOVQ $101, AX // ptrace(PTRACE_TRACEME)
	XORL DI, DI
	XORL SI, SI
	XORL DX, DX
	XORL R10, R10
	SYSCALL
	MOVQ $39, AX // getpid
	SYSCALL
	MOVQ AX, DI
	MOVQ $62, AX // kill
	MOVQ $19, SI // SIGSTOP
	SYSCALL
	JMP  ready

wait:
	MOVL GO, AX
	TESTL AX, AX
	JNZ  ready
	MOVQ $202, AX // futex(&go, FUTEX_WAIT, 0, NULL)
	MOVQ R13, DI
	XORL SI, SI
	XORL DX, DX
	XORL R10, R10
	SYSCALL
	JMP  wait

ready:
	TESTL $16, FLAGS
	JNZ   newprivs
	MOVQ $157, AX // prctl(PR_SET_PDEATHSIG, 0)
	MOVQ $1, DI
	XORL SI, SI
	SYSCALL

newprivs:
	TESTL $2, FLAGS
	JZ    filter
	MOVQ $157, AX // prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
	MOVQ $38, DI
	MOVQ $1, SI
	XORL DX, DX
	XORL R10, R10
	XORL R8, R8
	SYSCALL
	TESTQ AX, AX
	JNZ  fail

filter:
	TESTL $4, FLAGS
	JZ    creds
	MOVQ $317, AX // seccomp(SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_SPEC_ALLOW, &fprog)
	MOVQ $1, DI
	MOVQ $4, SI
	LEAQ FPROG(R13), DX
	SYSCALL
	TESTQ AX, AX
	JNZ  fail

creds:
	TESTL $8, FLAGS
	JZ    exec
	MOVQ $116, AX // setgroups
	MOVQ NGROUPS, DI
	MOVQ GROUPS, SI
	SYSCALL
	TESTQ AX, AX
	JNZ  fail
	MOVQ $119, AX // setresgid
	MOVL GID, DI
	MOVL DI, SI
	MOVL DI, DX
	SYSCALL
	TESTQ AX, AX
	JNZ  fail
	MOVQ $117, AX // setresuid
	MOVL UID, DI
	MOVL DI, SI
	MOVL DI, DX
	SYSCALL
	TESTQ AX, AX
	JNZ  fail

exec:
	MOVQ $59, AX // execve(path, argv, envp)
	MOVQ PATH, DI
	LEAQ 8(R12), SI
	MOVQ (R12), DX // argc
	LEAQ 16(R12)(DX*8), DX
	SYSCALL

fail:
	MOVQ $231, AX // exit_group(1)
	MOVQ $1, DI
	SYSCALL
	INT  $3

// func launcherAddr() unsafe.Pointer
TEXT ·launcherAddr(SB), NOSPLIT, $0-8
	LEAQ launcherCode<>(SB), AX
	MOVQ AX, ret+0(FP)
	RET
