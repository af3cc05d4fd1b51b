//go:build !linux

package exec

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// Other systems are for development: no PID 1, no STOPSIGNAL of an image.
func endSignals() []syscall.Signal {
	return []syscall.Signal{
		syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGQUIT,
		syscall.SIGUSR1, syscall.SIGUSR2,
	}
}

func terminalSignals() []syscall.Signal { return nil }

func hasTerminal() bool { return false }

func signalName(sig syscall.Signal) string { return unix.SignalName(sig) }
