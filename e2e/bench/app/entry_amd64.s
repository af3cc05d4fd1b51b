//go:build linux

#include "textflag.h"

TEXT ·entry(SB), NOSPLIT|NOFRAME, $0
	SUBQ $16, SP
	MOVQ $228, AX          // clock_gettime(CLOCK_MONOTONIC, sp)
	MOVQ $1, DI
	MOVQ SP, SI
	SYSCALL
	MOVQ $1, AX            // write(1, sp, 16)
	MOVQ $1, DI
	MOVQ SP, SI
	MOVQ $16, DX
	SYSCALL
	MOVQ $231, AX          // exit_group(0)
	MOVQ $0, DI
	SYSCALL
