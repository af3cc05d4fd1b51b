//go:build linux && (amd64 || arm64)

package exec

import (
	"os"
	"sync/atomic"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// What the handler works with.
var (
	pipeFD     int32  = -1 // the end of the pipe that it writes to
	handedOver uint32      // not 0 when it shall end the process
	ownPID     int32       // the sender of what the kernel sends for our own writes
)

// handlers returns the addresses of the signal handler and of what it returns
// to. The handler writes the number of the signal into the pipe, and then, if
// handedOver is set, ends the process with 128 plus that number. The order
// matters: handOver sets handedOver first and looks into the pipe after that, so
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

// source is the pipe that signals come out of.
type source struct {
	pipe int
}

// catch puts our handler in the place of the Go runtime's. os/signal would need
// two more threads, and four switches between threads for each signal: a good
// part of the whole start-up. It also could not say for certain that no signal
// is under way at the moment of the hand-over.
func catch(signals []syscall.Signal) source {
	ends := [2]int{-1, -1}
	atomic.StoreUint32(&handedOver, 0)
	if err := unix.Pipe2(ends[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		// No descriptor is left: a signal then ends the process without a word.
		atomic.StoreUint32(&handedOver, 1)
	}
	atomic.StoreInt32(&pipeFD, int32(ends[1]))
	atomic.StoreInt32(&ownPID, int32(os.Getpid()))
	s := source{pipe: ends[0]}
	s.catch(signals)
	return s
}

// catch catches signals as well, but for those that are ignored.
func (source) catch(signals []syscall.Signal) {
	const (
		saSiginfo  = 0x00000004 // the sender
		saOnStack  = 0x08000000 // the stack of a goroutine has no room for the frame
		saRestorer = 0x04000000
		saRestart  = 0x10000000 // as the runtime has it: Go code expects no EINTR
		sigIgn     = 1
	)
	handler, restorer := handlers()
	action := kernelSigaction{
		handler: uint64(handler), restorer: uint64(restorer),
		flags: saSiginfo | saOnStack | saRestorer | saRestart, mask: ^uint64(0),
	}
	for _, sig := range signals {
		if disposition(sig).handler != sigIgn {
			sigaction(sig, &action, nil)
		}
	}
}

// release gives signals that are caught their default back.
func (source) release(signals []syscall.Signal) {
	handler, _ := handlers()
	for _, sig := range signals {
		if disposition(sig).handler == uint64(handler) {
			sigaction(sig, &kernelSigaction{}, nil)
		}
	}
}

func disposition(sig syscall.Signal) (current kernelSigaction) {
	sigaction(sig, nil, &current)
	return current
}

func sigaction(sig syscall.Signal, action, previous *kernelSigaction) {
	const sizeofMask = 8
	_, _, _ = unix.RawSyscall6(unix.SYS_RT_SIGACTION, uintptr(sig),
		uintptr(unsafe.Pointer(action)), uintptr(unsafe.Pointer(previous)), sizeofMask, 0, 0)
}

// handOver makes every signal that comes from now on end the process, until
// execve puts the default actions back.
func (source) handOver() { atomic.StoreUint32(&handedOver, 1) }

// next takes the signal that came first, and never waits for one.
func (s source) next() (syscall.Signal, bool) {
	var number [1]byte
	n, _ := unix.Read(s.pipe, number[:])
	return syscall.Signal(number[0]), n == 1
}

// works reports whether there is a pipe: without one a signal ends the process.
func (s source) works() bool { return s.pipe >= 0 }

// wait takes the signal that comes next.
func (s source) wait() syscall.Signal {
	for {
		if sig, ok := s.next(); ok {
			return sig
		}
		_, _ = unix.Poll([]unix.PollFd{{Fd: int32(s.pipe), Events: unix.POLLIN}}, -1)
	}
}

// notify sends to c each time that next may have something.
func (s source) notify(c chan<- struct{}) {
	file := os.NewFile(uintptr(s.pipe), "signals")
	if file == nil {
		return
	}
	conn, err := file.SyscallConn()
	for err == nil {
		err = conn.Read(func(fd uintptr) bool {
			readable := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
			n, _ := unix.Poll(readable, 0)
			return n > 0
		})
		if err == nil {
			c <- struct{}{}
		}
	}
}
