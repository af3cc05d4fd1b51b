package exec

import (
	"cmp"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// sigrtmin3 is SIGRTMIN+3, systemd's STOPSIGNAL. The C libraries keep the kernel's first real-time signals, 32 to 34,
// for themselves (signal(7)).
const sigrtmin3 = syscall.Signal(34 + 3)

// Signals catches the signals that end a wait, and those that Supervise forwards. They must be caught: the kernel drops
// a signal to PID 1 that has no handler (pid_namespaces(7)), and the Go runtime dies of SIGQUIT with a dump of its
// goroutines, and drops SIGUSR1. Its methods are for the goroutine that called Catch, but for CatchAll and AwaitStop.
type Signals struct {
	caught  chan os.Signal
	all     sync.Once
	stopped bool
}

// SignalError says that a signal came before the command was started.
type SignalError struct{ Signal syscall.Signal }

// Error is the name of the signal, such as "SIGTERM".
func (e *SignalError) Error() string {
	if e.Signal == sigrtmin3 {
		return "SIGRTMIN+3"
	}
	return cmp.Or(unix.SignalName(e.Signal), fmt.Sprintf("signal %d", int(e.Signal)))
}

// Catch begins to catch TERM, INT and HUP. Call it first of all in main. os/signal takes 0.04 to 0.15 ms for each signal,
// which every start pays: so the others wait for CatchAll.
func Catch() *Signals {
	// Stay on the first thread: debuggers expect execve there, and the parent death signal is one of a thread
	// (PR_SET_PDEATHSIG in prctl(2)): ours, and that of a supervised command.
	runtime.LockOSThread()
	s := &Signals{caught: make(chan os.Signal, 1024)}
	s.catch(syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
	return s
}

// CatchAll begins to catch the other signals whose default action ends a process, and WINCH: an image may name any as its
// STOPSIGNAL (httpd's is WINCH). Left out are PIPE, PROF and URG, which come from the kernel or the Go runtime, signals
// of faults, STKFLT (os/signal has none), XFSZ (a full log ends no wait) and real-time signals but RTMIN+3.
func (s *Signals) CatchAll() {
	s.all.Do(func() {
		s.catch(syscall.SIGQUIT, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGALRM, syscall.SIGVTALRM, syscall.SIGXCPU,
			syscall.SIGIO, syscall.SIGABRT, sigrtmin3,
			unix.SignalNum("SIGPWR")) // 0 where there is none: outside Linux
		if tty, err := os.Open("/dev/tty"); err == nil {
			_ = tty.Close()
		} else {
			s.catch(syscall.SIGWINCH)
		}
	})
}

// catch leaves signals that are ignored (nohup) as they are.
func (s *Signals) catch(signals ...syscall.Signal) {
	for _, sig := range signals {
		if !signal.Ignored(sig) {
			signal.Notify(s.caught, sig)
		}
	}
}

// UntilSignal returns what f returns, or a *SignalError if a signal comes first. Then f may go on, or hang.
func (s *Signals) UntilSignal(f func() error) error {
	done := make(chan error, 1)
	go func() { done <- f() }()
	late := time.After(3 * time.Millisecond) // a sidecar that is ready answers sooner, and pays for no more signals
	for {
		select {
		case err := <-done:
			return err
		case sig := <-s.caught:
			return s.end(sig)
		case <-late:
			s.CatchAll()
		}
	}
}

func (s *Signals) end(sig os.Signal) error {
	s.stopped = true
	return &SignalError{sig.(syscall.Signal)}
}

// lastLook returns the signal that came first, if any, as a *SignalError.
func (s *Signals) lastLook() error {
	select {
	case sig := <-s.caught:
		return s.end(sig)
	default:
		return nil
	}
}

// Stopped reports whether a signal has ended the wait, or Supervise has forwarded TERM, INT or QUIT to the command.
func (s *Signals) Stopped() bool { return s.stopped }

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
