package exec

import (
	"fmt"
	"runtime"
	"slices"
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
// control) stay so. WINCH is let be where a terminal is attached: there it says
// only that the window changed its size.
//
// What comes before Catch meets Go's own handlers, which drop some signals and
// cannot end PID 1 by others: a program imports the package early against that.
func Catch() *Signals {
	runtime.LockOSThread()
	s := &Signals{source: newSource(endSignals())}
	if hasTerminal() {
		s.source.release(terminalSignals())
	}
	for _, sig := range endSignals() {
		if s.source.caught(sig) {
			s.end = append(s.end, sig)
		}
	}
	return s
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
	for {
		switch sig, ok := s.source.next(); {
		case !ok:
			return nil
		case slices.Contains(s.end, sig):
			return &SignalError{Signal: sig}
		}
	}
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
