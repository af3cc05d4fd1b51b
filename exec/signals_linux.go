package exec

import (
	"syscall"

	"github.com/mattn/go-isatty"
	"golang.org/x/sys/unix"
)

// sigrtmin3 is SIGRTMIN+3, systemd's STOPSIGNAL. glibc and musl keep the
// kernel's first real-time signals, 32 and up, for themselves (signal(7)).
const sigrtmin3 = syscall.Signal(34 + 3)

// endSignals are those that an image may name as its STOPSIGNAL, or a person
// sends to stop a program.
func endSignals() []syscall.Signal {
	return []syscall.Signal{
		syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGQUIT,
		syscall.SIGUSR1, syscall.SIGUSR2, sigrtmin3, syscall.SIGWINCH,
	}
}

// terminalSignals are those of endSignals that a terminal sends for other reasons.
func terminalSignals() []syscall.Signal { return []syscall.Signal{syscall.SIGWINCH} }

func hasTerminal() bool {
	for fd := range uintptr(3) {
		if isatty.IsTerminal(fd) {
			return true
		}
	}
	controlling := openTerminal()
	defer controlling.close()
	return controlling >= 0
}

func signalName(sig syscall.Signal) string {
	if sig == sigrtmin3 {
		return "SIGRTMIN+3"
	}
	return unix.SignalName(sig)
}
