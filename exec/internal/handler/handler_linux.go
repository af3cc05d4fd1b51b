//go:build amd64 || arm64

package handler

import (
	"sync/atomic"
	"unsafe"
)

// What the handler works with.
var (
	pipeFD     int32  = -1 // the end of the pipe that it writes to
	handedOver uint32      // not 0 when it shall end the process
	ownPID     int32       // the sender of what the kernel sends for our own writes
)

var readEnd = -1 // of the pipe

// handlers returns the addresses of the signal handler and of what it returns
// to. The handler writes the number of the signal into the pipe, and then, if
// handedOver is set, ends the process with 128 plus that number. The order
// matters: HandOver sets handedOver first and looks into the pipe after that, so
// one of the two sees the other. It is in assembly since no Go code can run in a
// handler that the runtime does not know of.
//
// A signal that the process itself seems to have sent by kill(2) is dropped: so
// the kernel marks the SIGPIPE of a write without a reader and the SIGXFSZ of one
// beyond a limit, which are about a line of ours and nobody else's affair.
func handlers() (handler, restorer uintptr)

// kernelSigaction is struct sigaction as rt_sigaction(2) takes it.
type kernelSigaction struct {
	handler, flags, restorer, mask uint64
}

// syscall makes a system call, of those that never block, and returns what the
// kernel does: a negative errno if it failed.
func syscall(number, a, b, c, d uintptr) int

// EndSignals are those that end a wait: TERM, INT, HUP, QUIT, USR1, USR2,
// RTMIN+3 and WINCH.
var EndSignals = []int{15, 2, 1, 3, 10, 12, 37, 28}

// Catch catches signals, as well as those that are caught already, but for those
// that are ignored. After HandOver it begins anew.
func Catch[Signal ~int](signals []Signal) {
	const (
		saSiginfo  = 0x00000004 // the sender
		saOnStack  = 0x08000000 // the stack of a goroutine has no room for the frame
		saRestorer = 0x04000000
		saRestart  = 0x10000000 // as the runtime has it: Go code expects no EINTR
		sigIgn     = 1
	)
	open()
	handler, restorer := handlers()
	action := kernelSigaction{
		handler: uint64(handler), restorer: uint64(restorer),
		flags: saSiginfo | saOnStack | saRestorer | saRestart, mask: ^uint64(0),
	}
	for _, sig := range signals {
		if disposition(int(sig)) != sigIgn {
			sigaction(int(sig), &action, nil)
		}
	}
}

// open makes the pipe where there is none yet.
func open() {
	const flags = 0x80000 | 0x800 // O_CLOEXEC, O_NONBLOCK
	var ends [2]int32
	if readEnd < 0 && syscall(sysPipe2, uintptr(unsafe.Pointer(&ends)), flags, 0, 0) == 0 {
		atomic.StoreInt32(&ownPID, int32(syscall(sysGetpid, 0, 0, 0, 0)))
		atomic.StoreInt32(&pipeFD, ends[1])
		readEnd = int(ends[0])
	}
	if readEnd >= 0 {
		atomic.StoreUint32(&handedOver, 0)
	} else { // no descriptor is left: a signal then ends the process without a word
		HandOver()
	}
}

// Release gives those of signals that are caught their default back.
func Release[Signal ~int](signals []Signal) {
	for _, sig := range signals {
		if IsCaught(int(sig)) {
			sigaction(int(sig), &kernelSigaction{}, nil)
		}
	}
}

// IsCaught reports whether signal has our handler.
func IsCaught(signal int) bool {
	handler, _ := handlers()
	return disposition(signal) == uint64(handler)
}

// HandOver makes every signal that comes from now on end the process with 128
// plus its number, until execve(2) puts the default actions back.
func HandOver() { atomic.StoreUint32(&handedOver, 1) }

// Pipe returns the descriptor that the numbers of the signals come out of, a byte
// each, or -1 where no descriptor was left for it. It never blocks.
func Pipe() int { return readEnd }

func disposition(signal int) (handler uint64) {
	var current kernelSigaction
	sigaction(signal, nil, &current)
	return current.handler
}

func sigaction(signal int, action, previous *kernelSigaction) {
	const sizeofMask = 8
	syscall(sysRtSigaction, uintptr(signal), uintptr(unsafe.Pointer(action)), uintptr(unsafe.Pointer(previous)), sizeofMask)
}
