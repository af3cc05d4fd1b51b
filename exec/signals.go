package exec

import (
	"fmt"
	"os/signal"
	"runtime"
	"syscall"
)

// Signals catches the signals that end a wait. They must be caught: the kernel
// drops a signal sent to PID 1 that has no handler (pid_namespaces(7)), and Go
// would die of SIGQUIT with a dump of its goroutines. There is one for a process.
type Signals struct {
	source source
	end    []syscall.Signal // those that end a wait
}

// SignalError says that a signal came before the command was started.
type SignalError struct {
	Signal syscall.Signal
}

func (e *SignalError) Error() string { return SignalName(e.Signal) + ", command not started" }

// Catch begins to catch. Call it first of all in main, and Become in the same
// goroutine: both then run on the first thread of the process, which the kernel
// prefers for a signal to the process (complete_signal in kernel/signal.c). On
// any other thread that has just taken one, execve would kill the handler in its
// first instructions, and the signal would be lost.
//
// INT and HUP that are ignored (nohup, a background job of a shell without job
// control) stay so.
func Catch() *Signals {
	runtime.LockOSThread()
	var caught []syscall.Signal
	for _, sig := range append(endSignals(), terminalSignals()...) {
		if !signal.Ignored(sig) {
			caught = append(caught, sig)
		}
	}
	return &Signals{source: catch(caught), end: caught}
}

// Arrivals returns a channel that receives when Next may have a signal.
func (s *Signals) Arrivals() <-chan struct{} {
	c := make(chan struct{})
	go s.source.notify(c)
	return c
}

// Next returns the signal that came first and was not returned yet, as a
// *SignalError, or nil if there is none. It never waits.
func (s *Signals) Next() error {
	if sig, ok := s.source.next(); ok {
		return &SignalError{Signal: sig}
	}
	return nil
}

// handOver ends the catching. A signal that came before is returned as a
// *SignalError; one that comes from now on ends the process at once, with 128+n
// where the platform allows it, until execve gives it to the command.
func (s *Signals) handOver() error {
	s.source.handOver()
	return s.Next()
}

// SignalName returns "SIGTERM" and the like.
func SignalName(sig syscall.Signal) string {
	if name := signalName(sig); name != "" {
		return name
	}
	return fmt.Sprintf("signal %d", int(sig))
}
