#include "textflag.h"

// The kernel calls with the signal's number in DI, and a return address that is
// the restorer.
TEXT handler<>(SB), NOSPLIT|NOFRAME, $0
	SUBQ $16, SP
	MOVQ DI, (SP) // its first byte is what is written
	MOVL ·pipeFD(SB), DI
	MOVQ SP, SI
	MOVL $1, DX
	MOVL $1, AX // write
	SYSCALL
	MFENCE
	CMPL ·handedOver(SB), $0
	JNE  exit
	ADDQ $16, SP
	RET

exit:
	MOVQ (SP), DI
	ADDL $128, DI
	MOVL $231, AX // exit_group
	SYSCALL
	INT  $3

TEXT restorer<>(SB), NOSPLIT|NOFRAME, $0
	MOVL $15, AX // rt_sigreturn
	SYSCALL
	INT  $3

// func handlers() (handler, restorer uintptr)
TEXT ·handlers(SB), NOSPLIT, $0-16
	MOVQ $handler<>(SB), AX
	MOVQ AX, handler+0(FP)
	MOVQ $restorer<>(SB), AX
	MOVQ AX, restorer+8(FP)
	RET
