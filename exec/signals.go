package exec

import (
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
)

// Signals catches the signals that end a wait, and those that Supervise forwards. They must be caught: the kernel drops
// a signal to PID 1 that has no handler (pid_namespaces(7)), and the Go runtime dies of SIGQUIT with a dump of its
// goroutines, and drops SIGUSR1.
type Signals struct {
	caught  chan os.Signal
	all     sync.Once
	stopped atomic.Bool
}

// SignalError says that a signal came before the command was started.
type SignalError struct{ Signal syscall.Signal }

// Error is the name of the signal, such as "SIGTERM".
func (e *SignalError) Error() string {
	if name := signalName(e.Signal); name != "" {
		return name
	}
	return fmt.Sprintf("signal %d", int(e.Signal))
}

// Catch begins to catch TERM, INT and HUP. Call it first of all in main. Those that are ignored (nohup) stay so. os/signal
// takes 0.04 to 0.15 ms for each signal, which every start pays: so the others wait for CatchAll.
func Catch() *Signals {
	runtime.LockOSThread() // on the first thread: debuggers expect execve there, and it has the parent death signal
	s := &Signals{caught: make(chan os.Signal, 1024)}
	s.catch(syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
	return s
}

// CatchAll begins to catch the other signals whose default action ends a process, since an image may name any of them as
// its STOPSIGNAL. It leaves out PIPE, PROF and URG, which come from the kernel or the Go runtime, those of faults, and
// real-time signals but RTMIN+3, systemd's STOPSIGNAL. WINCH, httpd's STOPSIGNAL, is caught where no terminal is attached.
func (s *Signals) CatchAll() { s.all.Do(func() { s.catch(otherSignals()...) }) }

func (s *Signals) catch(signals ...syscall.Signal) {
	for _, sig := range signals {
		if !signal.Ignored(sig) {
			signal.Notify(s.caught, sig)
		}
	}
}

// Caught returns the channel on which the signals come. Whoever takes a signal out of it passes it to End.
func (s *Signals) Caught() <-chan os.Signal { return s.caught }

// End notes that a signal has ended the wait, and returns the error that says so.
func (s *Signals) End(sig os.Signal) *SignalError {
	s.stopped.Store(true)
	number, _ := sig.(syscall.Signal)
	return &SignalError{Signal: number}
}

// Stopped reports whether a signal has ended the wait, or Supervise has forwarded TERM, INT or QUIT to the command.
// Other signals, such as USR1, stop nothing.
func (s *Signals) Stopped() bool { return s.stopped.Load() }

// AwaitStop returns when TERM, INT or QUIT comes after the command has ended.
func (s *Signals) AwaitStop() {
	for sig := range s.caught {
		if isStop(sig) {
			return
		}
	}
}

func isStop(sig os.Signal) bool {
	return sig == syscall.SIGTERM || sig == syscall.SIGINT || sig == syscall.SIGQUIT
}

// handOver ends the catching. A signal that came before is returned as a *SignalError. TERM, INT or HUP that comes
// from now on ends the process at once, until execve(2) gives it to the command.
func (s *Signals) handOver() error {
	signal.Stop(s.caught) // returns when all signals so far are in the channel
	return s.lastLook()
}

// lastLook returns the signal that came first, if any, as a *SignalError.
func (s *Signals) lastLook() error {
	select {
	case sig := <-s.caught:
		return s.End(sig)
	default:
		return nil
	}
}
