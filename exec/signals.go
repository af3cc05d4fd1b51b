package exec

import (
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"syscall"
)

// Signals catches the signals that end a wait. They must be caught: the kernel
// drops a signal sent to PID 1 that has no handler (pid_namespaces(7)), and Go
// would die of SIGQUIT with a dump of its goroutines.
type Signals struct {
	// C receives the signals. Read one and end, or hand over by Become.
	C      chan os.Signal
	caught []os.Signal
}

// SignalError says that a signal came before the command was started.
type SignalError struct {
	Signal syscall.Signal
}

// NewSignalError is for a signal read from Signals.C.
func NewSignalError(sig os.Signal) *SignalError {
	return &SignalError{Signal: sig.(syscall.Signal)}
}

func (e *SignalError) Error() string { return SignalName(e.Signal) + ", command not started" }

// Catch begins to catch. Call it first of all in main, and Become in the same
// goroutine: both then run on the first thread of the process, which the kernel
// prefers for a signal to the process (complete_signal in kernel/signal.c). On
// any other thread that has just taken one, execve would kill the handler in its
// first instructions, and the signal would be lost.
//
// INT and HUP
// that are ignored (nohup, a background job of a shell without job control) stay
// so. SIGPIPE is caught and thrown away: otherwise Go ends the program when it
// writes to a stderr whose reader is gone.
func Catch() *Signals {
	runtime.LockOSThread()
	s := &Signals{C: make(chan os.Signal, 1)}
	for _, sig := range append(endSignals(), terminalSignals()...) {
		if !signal.Ignored(sig) {
			s.caught = append(s.caught, sig)
		}
	}
	signal.Notify(s.C, s.caught...)
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	return s
}

// handOver ends the catching. A signal that came before it is returned as a
// *SignalError; one that comes from now on ends the process at once, with 128+n
// where the platform allows it, until execve gives it to the command.
func (s *Signals) handOver() error {
	for _, sig := range s.caught {
		exitOn(sig.(syscall.Signal))
	}
	// Stop waits until what Go's own handlers have taken is in the channel.
	signal.Stop(s.C)
	select {
	case sig := <-s.C:
		return NewSignalError(sig)
	default:
		return nil
	}
}

// SignalName returns "SIGTERM" and the like.
func SignalName(sig syscall.Signal) string {
	if name := signalName(sig); name != "" {
		return name
	}
	return fmt.Sprintf("signal %d", int(sig))
}
