#include "textflag.h"

// The kernel calls with the signal's number in R0, its siginfo_t in R1, and the
// restorer in the link register.
TEXT handler<>(SB), NOSPLIT|NOFRAME, $0
	MOVW  8(R1), R2 // si_code: SI_USER, by kill(2)
	CBNZ  R2, pass
	MOVWU 16(R1), R2 // si_pid
	MOVWU ·ownPID(SB), R3
	CMPW  R2, R3
	BEQ   done

pass:
	SUB   $16, RSP
	MOVD  R0, (RSP) // its first byte is what is written
	MOVW  ·pipeFD(SB), R0
	MOVD  RSP, R1
	MOVD  $1, R2
	MOVD  $64, R8 // write
	SVC
	DMB   $0xB // ISH: nothing moves across
	MOVWU ·handedOver(SB), R1
	CBNZ  R1, exit
	ADD   $16, RSP

done:
	RET

exit:
	MOVD (RSP), R0
	ADD  $128, R0
	MOVD $94, R8 // exit_group
	SVC
	BRK

TEXT restorer<>(SB), NOSPLIT|NOFRAME, $0
	MOVD $139, R8 // rt_sigreturn
	SVC
	BRK

// func handlers() (handler, restorer uintptr)
TEXT ·handlers(SB), NOSPLIT, $0-16
	MOVD $handler<>(SB), R0
	MOVD R0, handler+0(FP)
	MOVD $restorer<>(SB), R0
	MOVD R0, restorer+8(FP)
	RET

// func syscall(number, a, b, c, d uintptr) int
TEXT ·syscall(SB), NOSPLIT, $0-48
	MOVD number+0(FP), R8
	MOVD a+8(FP), R0
	MOVD b+16(FP), R1
	MOVD c+24(FP), R2
	MOVD d+32(FP), R3
	SVC
	MOVD R0, ret+40(FP)
	RET
