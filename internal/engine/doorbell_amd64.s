#include "textflag.h"

// The handler of the doorbell: returns to the restorer that the kernel put on the stack.
TEXT bellHandler<>(SB), NOSPLIT|NOFRAME, $0
	RET

TEXT bellRestorer<>(SB), NOSPLIT|NOFRAME, $0
	MOVQ $15, AX // rt_sigreturn
	SYSCALL
	INT  $3

// func bellHandlerAddr() uintptr
TEXT ·bellHandlerAddr(SB), NOSPLIT, $0-8
	LEAQ bellHandler<>(SB), AX
	MOVQ AX, ret+0(FP)
	RET

// func bellRestorerAddr() uintptr
TEXT ·bellRestorerAddr(SB), NOSPLIT, $0-8
	LEAQ bellRestorer<>(SB), AX
	MOVQ AX, ret+0(FP)
	RET
