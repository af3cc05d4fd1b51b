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

func catch(signals []syscall.Signal) source {
	s := source{make(chan os.Signal, 64), make(chan os.Signal, 1)}
	for _, sig := range signals {
		signal.Notify(s.signals, sig)
		signal.Notify(s.arrivals, sig)
	}
	return s
}

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
