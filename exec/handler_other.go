//go:build !linux || (!amd64 && !arm64)

package exec

import (
	"os"
	"os/signal"
	"syscall"
)

// source is what os/signal delivers, to both channels. As PID 1 the kernel drops
// a signal that comes in the few microseconds between hand-over and execve.
type source struct {
	signals, arrivals chan os.Signal
}

func newSource(signals []syscall.Signal) source {
	s := source{make(chan os.Signal, 1024), make(chan os.Signal, 1)}
	for _, sig := range signals {
		if !signal.Ignored(sig) {
			signal.Notify(s.signals, sig)
			signal.Notify(s.arrivals, sig)
		}
	}
	return s
}

// catch catches signals as well, but for those that are ignored, and for SIGPIPE:
// os/signal does not tell whether a write of our own is the reason. SIGPROF it
// never delivers.
func (s source) catch(signals []syscall.Signal) {
	for _, sig := range signals {
		if sig != syscall.SIGPIPE && !signal.Ignored(sig) {
			signal.Notify(s.signals, sig)
		}
	}
}

// release gives signals that are caught their default back.
func (s source) release(signals []syscall.Signal) {
	for _, sig := range signals {
		signal.Reset(sig)
	}
}

// caught tells the signals that are caught from those that are ignored.
func (source) caught(sig syscall.Signal) bool { return !signal.Ignored(sig) }

func (source) works() bool { return true }

// wait takes the signal that comes next.
func (s source) wait() syscall.Signal { return (<-s.signals).(syscall.Signal) }

// handOver gives the signals back their default, which ends the process. Stop
// waits until what Go's own handler has taken is in the channels.
func (s source) handOver() {
	signal.Stop(s.arrivals)
	signal.Stop(s.signals)
}

// next takes the signal that came first, and never waits for one.
func (s source) next() (syscall.Signal, bool) {
	select {
	case sig := <-s.signals:
		return sig.(syscall.Signal), true
	default:
		return 0, false
	}
}

// notify sends to c each time that next may have something.
func (s source) notify(c chan<- struct{}) {
	for range s.arrivals {
		c <- struct{}{}
	}
}
