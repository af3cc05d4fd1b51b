package exec

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// Supervise starts the command at path as a child, with argv (argv[0] as typed) and env. When the command has ended it
// returns the exit status, or 128 plus the number of the signal that killed it. It returns a *SignalError if a signal
// came before the start, an *Error if the command cannot be run, and another error where no process or descriptor was
// left for it.
//
// The command gets a process group of its own, and the terminal if that is its stdin and was ours. Every signal that
// os/signal can catch is forwarded to it, but for CHLD, PIPE (it may be about a line of our own), PROF, URG (Go's
// own), 32 to 34 (the C library's), and those of faults. Signals coalesce, real-time signals too. All children are
// reaped: nothing else in the process may wait for any. What the command closes is closed, but for stderr: this process
// keeps that for its log. Without /proc it keeps the descriptors above 2. If it is killed the command gets SIGTERM.
//
// There is no more job control than that. A command that is stopped (Ctrl-Z) stays stopped until it gets CONT. CONT
// follows each TERM and HUP, or a stopped command would not end.
func Supervise(path string, argv, env []string, signals *Signals) (status int, err error) {
	if err := signals.lastLook(); err != nil {
		return 0, err
	}
	signals.catch(supervised()...)
	terminal := ourTerminal()
	pid, err := syscall.ForkExec(path, argv, &syscall.ProcAttr{
		Env: env, Files: []uintptr{0, 1, 2},
		Sys: &syscall.SysProcAttr{Setpgid: true, Foreground: terminal >= 0, Ctty: 0, Pdeathsig: syscall.SIGTERM},
	})
	defer takeBack(terminal)
	switch {
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE), errors.Is(err, syscall.EAGAIN), errors.Is(err, syscall.ENOMEM): // by fork or its pipe
		return 0, fmt.Errorf("starting %q: %w", path, err)
	case err != nil:
		return 0, runError(path, err)
	}
	closeInherited()
	for {
		signals.forward(<-signals.caught, pid)
		if status, ended := reap(pid); ended {
			return status, nil
		}
	}
}

// supervised are CHLD and the signals to forward.
func supervised() (signals []syscall.Signal) {
	for sig := syscall.Signal(1); sig <= 64; sig++ {
		switch sig {
		case syscall.SIGKILL, syscall.SIGSTOP, syscall.SIGPIPE, syscall.SIGPROF, syscall.SIGURG, 32, 33, 34,
			syscall.SIGILL, syscall.SIGTRAP, syscall.SIGBUS, syscall.SIGFPE, syscall.SIGSEGV, syscall.SIGSYS, syscall.SIGSTKFLT:
		default:
			signals = append(signals, sig)
		}
	}
	return signals
}

// forward passes a signal on. The command is not reaped yet, so the PID is still its own.
func (s *Signals) forward(sig os.Signal, pid int) {
	if sig == syscall.SIGCHLD {
		return
	}
	s.stopped = s.stopped || isStop(sig)
	_ = syscall.Kill(pid, sig.(syscall.Signal))
	if sig == syscall.SIGTERM || sig == syscall.SIGHUP {
		_ = syscall.Kill(pid, syscall.SIGCONT)
	}
}

// reap takes all children that have ended, and returns the exit status of the command if it is one of them.
func reap(command int) (status int, ended bool) {
	for {
		var s syscall.WaitStatus
		switch pid, _ := syscall.Wait4(-1, &s, syscall.WNOHANG, nil); {
		case pid <= 0:
			return status, ended
		case pid == command && s.Signaled():
			status, ended = 128+int(s.Signal()), true
		case pid == command:
			status, ended = s.ExitStatus(), true
		}
	}
}

// closeInherited closes the descriptors that this process shares with the command. Those of our own have O_CLOEXEC.
// Stdin and stdout become /dev/null, and stderr stays for the log.
func closeInherited() {
	if null, err := unix.Open("/dev/null", unix.O_RDWR|unix.O_CLOEXEC, 0); err == nil {
		_ = unix.Dup3(null, 0, unix.O_CLOEXEC)
		_ = unix.Dup3(null, 1, unix.O_CLOEXEC)
		_ = unix.Close(null)
	}
	open, _ := os.ReadDir("/proc/self/fd")
	for _, entry := range open {
		fd, _ := strconv.Atoi(entry.Name())
		flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
		if fd > 2 && err == nil && flags&unix.FD_CLOEXEC == 0 {
			_ = unix.Close(fd)
		}
	}
}

// ourTerminal returns a descriptor of the terminal that is stdin, if our process group has it, else -1.
func ourTerminal() int {
	if group, err := unix.IoctlGetInt(0, unix.TIOCGPGRP); err != nil || group != unix.Getpgrp() {
		return -1
	}
	terminal, _ := unix.FcntlInt(0, unix.F_DUPFD_CLOEXEC, 3) // -1 with an error
	return terminal
}

// takeBack gives the terminal to our group again, for the script around us.
func takeBack(terminal int) {
	if terminal >= 0 {
		WriteInBackground() // the kernel takes this for a write
		_ = unix.IoctlSetPointerInt(terminal, unix.TIOCSPGRP, unix.Getpgrp())
		_ = unix.Close(terminal)
	}
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
