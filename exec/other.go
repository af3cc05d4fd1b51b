//go:build !linux

package exec

import (
	"errors"
	"syscall"

	"golang.org/x/sys/unix"
)

// otherSignals are those of CatchAll. Other systems are for development: they have no STOPSIGNAL of an image.
func otherSignals() []syscall.Signal {
	return []syscall.Signal{
		syscall.SIGQUIT, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGALRM, syscall.SIGVTALRM, syscall.SIGXCPU, syscall.SIGABRT,
	}
}

func signalName(sig syscall.Signal) string { return unix.SignalName(sig) }

// Supervise is for Linux only: what it does for the command is Linux's.
func Supervise(string, []string, []string, *Signals) (status int, err error) {
	return 0, errors.New("expected Linux")
}

// WriteInBackground is for Linux only.
func WriteInBackground() {}
