//go:build linux

#include "textflag.h"

TEXT ·entry(SB), NOSPLIT|NOFRAME, $0
	SUB  $16, RSP
	MOVD $113, R8          // clock_gettime(CLOCK_MONOTONIC, sp)
	MOVD $1, R0
	MOVD RSP, R1
	SVC
	MOVD $64, R8           // write(1, sp, 16)
	MOVD $1, R0
	MOVD RSP, R1
	MOVD $16, R2
	SVC
	MOVD $94, R8           // exit_group(0)
	MOVD $0, R0
	SVC
