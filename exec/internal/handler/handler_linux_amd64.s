#include "textflag.h"

// The kernel calls with the signal's number in DI, its siginfo_t in SI, and a
// return address that is the restorer.
TEXT handler<>(SB), NOSPLIT|NOFRAME, $0
	CMPL 8(SI), $0 // si_code: SI_USER, by kill(2)
	JNE  pass
	MOVL 16(SI), AX // si_pid
	CMPL AX, ·ownPID(SB)
	JEQ  done

pass:
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

done:
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

// func syscall(number, a, b, c, d uintptr) int
TEXT ·syscall(SB), NOSPLIT, $0-48
	MOVQ number+0(FP), AX
	MOVQ a+8(FP), DI
	MOVQ b+16(FP), SI
	MOVQ c+24(FP), DX
	MOVQ d+32(FP), R10
	SYSCALL
	MOVQ AX, ret+40(FP)
	RET
