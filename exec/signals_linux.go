package exec

import (
	"os"
	"runtime"
	"syscall"

	"github.com/mattn/go-isatty"
	"golang.org/x/sys/unix"
)

// sigrtmin3 is SIGRTMIN+3. The C libraries keep the kernel's first real-time signals, 32 to 34, for themselves
// (signal(7)).
const sigrtmin3 = syscall.Signal(34 + 3)

// otherSignals are those of CatchAll. STKFLT is missing: os/signal does not have it, and the kernel never sends it.
func otherSignals() []syscall.Signal {
	signals := []syscall.Signal{
		syscall.SIGQUIT, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGALRM, syscall.SIGVTALRM,
		syscall.SIGXCPU, syscall.SIGIO, syscall.SIGPWR, syscall.SIGABRT, sigrtmin3,
	}
	if !hasTerminal() {
		signals = append(signals, syscall.SIGWINCH)
	}
	return signals
}

// WriteInBackground lets the calling goroutine write to a terminal that another process group has: with stty tostop
// the kernel would stop us (tty_check_change in the kernel). It blocks TTOU for the thread of this goroutine, and
// keeps the goroutine on it. To ignore TTOU would be no help: the command would inherit that.
func WriteInBackground() {
	runtime.LockOSThread()
	mask := unix.Sigset_t{}
	mask.Val[0] = 1 << (syscall.SIGTTOU - 1)
	_ = unix.PthreadSigmask(unix.SIG_BLOCK, &mask, nil)
}

func hasTerminal() bool {
	for fd := range uintptr(3) {
		if isatty.IsTerminal(fd) {
			return true
		}
	}
	tty, err := os.OpenFile("/dev/tty", os.O_RDONLY|unix.O_NOCTTY, 0)
	if err != nil {
		return false
	}
	_ = tty.Close()
	return true
}

func signalName(sig syscall.Signal) string {
	if sig == sigrtmin3 {
		return "SIGRTMIN+3"
	}
	return unix.SignalName(sig)
}
