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
// reaped: nothing else in the process may wait for any. This process keeps none of the command's descriptors, so what
// the command closes is closed. If this process is killed the command gets SIGTERM (PR_SET_PDEATHSIG in prctl(2)).
//
// There is no more job control than that. A command that is stopped (Ctrl-Z) stays stopped until it gets CONT, which
// follows each TERM and HUP: without it the command could not end.
func Supervise(path string, argv, env []string, signals *Signals) (status int, err error) {
	signals.CatchAll()
	signals.catch(append(forwarded(), syscall.SIGCHLD)...)
	if err := signals.lastLook(); err != nil {
		return 0, err
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
		return 0, fmt.Errorf("starting %q: %w", path, err)
	case err != nil:
		return 0, runError(path, err)
	}
	closeInherited()
	for sig := range signals.caught {
		forward(pid, sig, signals)
		if status, ended := reap(pid); ended {
			return exitStatus(status), nil
		}
	}
	return 0, nil // never: nobody closes the channel
}

// forward passes a signal on. The command is not reaped yet, so the PID is still its own.
func forward(pid int, sig os.Signal, signals *Signals) {
	if sig == syscall.SIGCHLD {
		return
	}
	if isStop(sig) {
		signals.stopped.Store(true)
	}
	_ = syscall.Kill(pid, sig.(syscall.Signal))
	if sig == syscall.SIGTERM || sig == syscall.SIGHUP {
		_ = syscall.Kill(pid, syscall.SIGCONT)
	}
}

// forwarded are the signals that Supervise forwards.
func forwarded() (signals []syscall.Signal) {
	for sig := syscall.Signal(1); sig <= 64; sig++ {
		switch sig {
		case syscall.SIGKILL, syscall.SIGSTOP, syscall.SIGCHLD, syscall.SIGPIPE, syscall.SIGPROF, syscall.SIGURG, 32, 33, 34,
			syscall.SIGILL, syscall.SIGTRAP, syscall.SIGBUS, syscall.SIGFPE, syscall.SIGSEGV, syscall.SIGSYS, syscall.SIGSTKFLT:
		default:
			signals = append(signals, sig)
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

func exitStatus(status syscall.WaitStatus) int {
	if status.Signaled() {
		return 128 + int(status.Signal())
	}
	return status.ExitStatus()
}

// closeInherited closes the descriptors that this process shares with the command: what the command closes is closed.
// Those of our own have O_CLOEXEC. Stdin and stdout become /dev/null, and stderr stays for the log.
func closeInherited() {
	if null, err := unix.Open("/dev/null", unix.O_RDWR|unix.O_CLOEXEC, 0); err == nil {
		_ = unix.Dup3(null, 0, unix.O_CLOEXEC)
		_ = unix.Dup3(null, 1, unix.O_CLOEXEC)
		_ = unix.Close(null)
	}
	open, _ := os.ReadDir("/proc/self/fd")
	for _, entry := range open {
		fd, err := strconv.Atoi(entry.Name())
		if flags, errFlags := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err == nil && errFlags == nil && fd > 2 && flags&unix.FD_CLOEXEC == 0 {
			_ = unix.Close(fd)
		}
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
