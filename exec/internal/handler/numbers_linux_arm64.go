package handler

// Numbers of system calls.
const (
	sysPipe2       = 59
	sysRtSigaction = 134
	sysGetpid      = 172
)
