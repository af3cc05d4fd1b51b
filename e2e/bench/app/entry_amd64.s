//go:build linux

#include "textflag.h"

// At the entry of a process the stack holds argc, argv[0], argv[1].
TEXT ·entry(SB), NOSPLIT|NOFRAME, $0
	MOVQ SP, BX
	SUBQ $16, SP
	MOVQ $228, AX          // clock_gettime(CLOCK_MONOTONIC, sp)
	MOVQ $1, DI
	MOVQ SP, SI
	SYSCALL
	MOVQ $257, AX          // openat(AT_FDCWD, argv[1], O_WRONLY)
	MOVQ $-100, DI
	MOVQ 16(BX), SI
	MOVQ $1, DX
	MOVQ $0, R10
	SYSCALL
	MOVQ AX, DI            // write(fd, sp, 16)
	MOVQ $1, AX
	MOVQ SP, SI
	MOVQ $16, DX
	SYSCALL
	MOVQ $231, AX          // exit_group(0)
	MOVQ $0, DI
	SYSCALL
