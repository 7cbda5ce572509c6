#include "textflag.h"

// The machine code of the launcher: see launcher_amd64.s. R19 is the address of struct launchData,
// R20 the stack pointer at the start.

TEXT launcherCode<>(SB), NOSPLIT|NOFRAME, $0
	MOVD RSP, R20
	MOVD $0x10010000, R19
	MOVWU 4(R19), R21 // flags

	TBNZ $4, R21, signals
	MOVD $167, R8 // prctl(PR_SET_PDEATHSIG, SIGKILL)
	MOVD $1, R0
	MOVD $9, R1
	SVC

signals:
	MOVD $1, R22
	MOVD 8(R19), R23
nextsig:
	AND  $1, R23, R0
	MOVD R0, 64(R19)
	MOVD $134, R8 // rt_sigaction
	MOVD R22, R0
	ADD  $64, R19, R1
	MOVD ZR, R2
	MOVD $8, R3
	SVC
	LSR  $1, R23
	ADD  $1, R22
	CMP  $65, R22
	BLO  nextsig

	TBZ  $0, R21, wait
	MOVD $117, R8 // ptrace(PTRACE_TRACEME)
	MOVD ZR, R0
	MOVD ZR, R1
	MOVD ZR, R2
	MOVD ZR, R3
	SVC
	MOVD $172, R8 // getpid
	SVC
	MOVD $129, R8 // kill
	MOVD $19, R1
	SVC
	B    ready

wait:
	MOVWU (R19), R0
	CBNZ R0, ready
	MOVD $98, R8 // futex(&go, FUTEX_WAIT, 0, NULL)
	MOVD R19, R0
	MOVD ZR, R1
	MOVD ZR, R2
	MOVD ZR, R3
	SVC
	B    wait

ready:
	TBNZ $4, R21, newprivs
	MOVD $167, R8 // prctl(PR_SET_PDEATHSIG, 0)
	MOVD $1, R0
	MOVD ZR, R1
	SVC

newprivs:
	TBZ  $1, R21, filter
	MOVD $167, R8 // prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
	MOVD $38, R0
	MOVD $1, R1
	MOVD ZR, R2
	MOVD ZR, R3
	MOVD ZR, R4
	SVC
	CBNZ R0, fail

filter:
	TBZ  $2, R21, creds
	MOVD $277, R8 // seccomp(SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_SPEC_ALLOW, &fprog)
	MOVD $1, R0
	MOVD $4, R1
	ADD  $24, R19, R2
	SVC
	CBNZ R0, fail

creds:
	TBZ  $3, R21, exec
	MOVD $159, R8 // setgroups
	MOVD 48(R19), R0
	MOVD 56(R19), R1
	SVC
	CBNZ R0, fail
	MOVD $149, R8 // setresgid
	MOVWU 44(R19), R0
	MOVD R0, R1
	MOVD R0, R2
	SVC
	CBNZ R0, fail
	MOVD $147, R8 // setresuid
	MOVWU 40(R19), R0
	MOVD R0, R1
	MOVD R0, R2
	SVC
	CBNZ R0, fail

exec:
	MOVD $221, R8 // execve(path, argv, envp)
	MOVD 16(R19), R0
	ADD  $8, R20, R1
	MOVD (R20), R2
	LSL  $3, R2
	ADD  R20, R2, R2
	ADD  $16, R2
	SVC

fail:
	MOVD $94, R8 // exit_group(1)
	MOVD $1, R0
	SVC
	BRK

// func launcherAddr() unsafe.Pointer
TEXT ·launcherAddr(SB), NOSPLIT, $0-8
	MOVD $launcherCode<>(SB), R0
	MOVD R0, ret+0(FP)
	RET
