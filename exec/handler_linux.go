//go:build linux && (amd64 || arm64)

package exec

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/envoy-wait/envoy-wait/exec/internal/handler"
)

// source is the pipe that signals come out of, from our own handler: os/signal
// would need two more threads, and four switches between threads for each signal,
// a good part of the whole start-up. It also could not say for certain that no
// signal is under way at the moment of the hand-over.
type source struct {
	pipe int
}

func newSource(signals []syscall.Signal) source {
	handler.Catch(signals)
	return source{pipe: handler.Pipe()}
}

// catch catches signals as well, but for those that are ignored.
func (source) catch(signals []syscall.Signal) { handler.Catch(signals) }

// release gives signals that are caught their default back.
func (source) release(signals []syscall.Signal) { handler.Release(signals) }

// caught tells the signals that are caught from those that are ignored.
func (source) caught(sig syscall.Signal) bool { return handler.IsCaught(int(sig)) }

// handOver makes every signal that comes from now on end the process.
func (source) handOver() { handler.HandOver() }

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
