package exec

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// Supervise starts the command at path as a child, with argv (argv[0] as typed) and env, and returns when it has
// ended: nil where its exit status is 0, else an [*ExitError]. It returns a *SignalError if a signal came before the
// start, an *Error if the command cannot be run, and another error where no process or descriptor was left for it.
//
// The command gets a process group of its own, and the terminal if that is its stdin and was ours. Every signal that
// os/signal can catch is forwarded to it, but for CHLD, PIPE (it may be about a line of our own), PROF, URG (Go's
// own), 32 to 34 (the C library's), and those of faults. Signals coalesce, real-time signals too. All children are
// reaped: nothing else in the process may wait for any. Stdin and stdout of this process become /dev/null, so that
// what the command closes is closed. If this process is killed the command gets SIGTERM (PR_SET_PDEATHSIG in
// prctl(2)).
//
// There is no more job control than that. A command that is stopped (Ctrl-Z) stays stopped until it gets CONT.
func Supervise(path string, argv, env []string, signals *Signals) error {
	signals.CatchAll()
	arrived := make(chan os.Signal, 1024)
	signal.Notify(arrived, append(forwarded(), syscall.SIGCHLD)...)
	if err := signals.lastLook(); err != nil {
		return err
	}
	runtime.LockOSThread() // PR_SET_PDEATHSIG is about the end of this thread
	terminal := ourTerminal()
	pid, err := syscall.ForkExec(path, argv, &syscall.ProcAttr{
		Env: env, Files: []uintptr{0, 1, 2},
		Sys: &syscall.SysProcAttr{Setpgid: true, Foreground: terminal >= 0, Ctty: 0, Pdeathsig: syscall.SIGTERM},
	})
	defer takeBack(terminal)
	switch {
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.EAGAIN): // by fork or its pipe
		return fmt.Errorf("starting %q: %w", path, err)
	case err != nil:
		return runError(path, err)
	}
	closeStdio()
	for sig := range arrived {
		if sig != syscall.SIGCHLD {
			_ = syscall.Kill(pid, sig.(syscall.Signal)) // not reaped yet, so the PID is still its own
		}
		if status, ended := reap(pid); ended {
			return exitError(status)
		}
	}
	return nil // never: nobody closes arrived
}

// forwarded are the signals that Supervise forwards. One that is ignored stays so, for the command too.
func forwarded() (signals []os.Signal) {
	for sig := syscall.Signal(1); sig <= 64; sig++ {
		switch sig {
		case syscall.SIGKILL, syscall.SIGSTOP, syscall.SIGCHLD, syscall.SIGPIPE, syscall.SIGPROF, syscall.SIGURG, 32, 33, 34,
			syscall.SIGILL, syscall.SIGTRAP, syscall.SIGBUS, syscall.SIGFPE, syscall.SIGSEGV, syscall.SIGSYS, syscall.SIGSTKFLT:
		default:
			if !signal.Ignored(sig) {
				signals = append(signals, sig)
			}
		}
	}
	return signals
}

// reap takes all children that have ended, and returns the status of the command if that is one of them.
func reap(command int) (status syscall.WaitStatus, ended bool) {
	for {
		var s syscall.WaitStatus
		pid, _ := syscall.Wait4(-1, &s, syscall.WNOHANG, nil)
		if pid <= 0 {
			return status, ended
		}
		if pid == command {
			status, ended = s, true
		}
	}
}

func exitError(status syscall.WaitStatus) error {
	code := status.ExitStatus()
	if status.Signaled() {
		code = 128 + int(status.Signal())
	}
	if code == 0 {
		return nil
	}
	return &ExitError{code}
}

// closeStdio lets what the command closes be closed.
func closeStdio() {
	if null, err := unix.Open("/dev/null", unix.O_RDWR|unix.O_CLOEXEC, 0); err == nil {
		_ = unix.Dup3(null, 0, unix.O_CLOEXEC)
		_ = unix.Dup3(null, 1, unix.O_CLOEXEC)
		_ = unix.Close(null)
	}
}

// ourTerminal returns a descriptor of the terminal that is stdin, if our process group has it, else -1.
func ourTerminal() int {
	if group, err := unix.IoctlGetInt(0, unix.TIOCGPGRP); err != nil || group != unix.Getpgrp() {
		return -1
	}
	terminal, err := unix.FcntlInt(0, unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		return -1
	}
	return terminal
}

// takeBack gives the terminal to our group again, for the script around us.
func takeBack(terminal int) {
	if terminal >= 0 {
		WriteInBackground() // which the kernel takes this for
		_ = unix.IoctlSetPointerInt(terminal, unix.TIOCSPGRP, unix.Getpgrp())
		_ = unix.Close(terminal)
	}
}
