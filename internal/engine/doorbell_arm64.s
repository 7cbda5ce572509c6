#include "textflag.h"

// The handler of the doorbell: returns to the vDSO's sigreturn, whose address the kernel put in LR.
TEXT bellHandler<>(SB), NOSPLIT|NOFRAME, $0
	RET

// func bellHandlerAddr() uintptr
TEXT ·bellHandlerAddr(SB), NOSPLIT, $0-8
	MOVD $bellHandler<>(SB), R0
	MOVD R0, ret+0(FP)
	RET

// func bellRestorerAddr() uintptr
TEXT ·bellRestorerAddr(SB), NOSPLIT, $0-8
	MOVD ZR, ret+0(FP)
	RET
