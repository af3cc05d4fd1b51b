//go:build linux

#include "textflag.h"

// At the entry of a process the stack holds argc, argv[0], argv[1].
TEXT ·entry(SB), NOSPLIT|NOFRAME, $0
	MOVD RSP, R19
	SUB  $16, RSP
	MOVD $113, R8          // clock_gettime(CLOCK_MONOTONIC, sp)
	MOVD $1, R0
	MOVD RSP, R1
	SVC
	MOVD $56, R8           // openat(AT_FDCWD, argv[1], O_WRONLY)
	MOVD $-100, R0
	MOVD 16(R19), R1
	MOVD $1, R2
	MOVD $0, R3
	SVC
	MOVD $64, R8           // write(fd, sp, 16)
	MOVD RSP, R1
	MOVD $16, R2
	SVC
	MOVD $94, R8           // exit_group(0)
	MOVD $0, R0
	SVC
