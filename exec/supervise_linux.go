package exec

import (
	"errors"
	"fmt"
	"slices"
	"syscall"
	"time"

	"github.com/mattn/go-isatty"
	"golang.org/x/sys/unix"
)

// supervised is the command while it runs.
type supervised struct {
	pid      int
	source   source
	terminal terminal
	reads    bool // the terminal is the command's stdin, too
}

// stopSignals are those of job control.
var stopSignals = []syscall.Signal{syscall.SIGTSTP, syscall.SIGTTIN, syscall.SIGTTOU, syscall.SIGCONT}

// Supervise starts the command at path as a child, with argv (argv[0] as typed)
// and env, and returns when it has ended: nil where its exit status is 0, else an
// [*ExitError]. It returns a *SignalError if one of signals came before the
// start, an *Error if the command cannot be run, and another error where there was
// no process or descriptor left to start it with. Call it in the goroutine that
// called Catch.
//
// Every signal that can be caught is passed on to the command alone, from just
// before the start: but for CHLD, URG (Go's own), 32 to 34 (the C library's), and
// ILL, TRAP, BUS, FPE, SEGV and SYS, by which the kernel tells of our own faults.
// Standard signals coalesce as ever; so do real-time signals, whose queueing and
// values are not kept.
//
// The command is in a process group of its own, so that a signal to our group
// reaches it once, from us. It gets the terminal whenever our group has it, where
// that is its stdin too, and else when it wants it: a script may have started us
// with &, and go on reading. When it is stopped (Ctrl-Z) our group stops too, for
// the shell to see, and both are continued together. In a pipeline on a terminal
// the other programs are in the background then, and Ctrl-C, which only the
// command gets, does not end a script around it: the exit status is all that the
// script sees.
//
// All children are reaped, which matters where this process is PID 1 or a
// subreaper: nothing else in the process may wait for any. Stdin and stdout of
// this process become /dev/null, so that what the command closes is closed. If
// this process is killed the command gets SIGTERM (PR_SET_PDEATHSIG in prctl(2)),
// unless it has changed its credentials.
func Supervise(path string, argv, env []string, signals *Signals) error {
	if !signals.source.works() {
		return errors.New("no descriptor is left to catch signals with")
	}
	signals.source.catch(append(passedOn(), syscall.SIGCHLD))
	early, err := signals.beforeStart()
	if err != nil {
		return err
	}
	s := &supervised{source: signals.source, terminal: openTerminal(), reads: isatty.IsTerminal(0)}
	defer s.terminal.close()
	attributes := s.attributes(env)
	s.pid, err = syscall.ForkExec(path, argv, attributes)
	s.blockOnlyTTOU()
	if err != nil {
		if attributes.Sys.Foreground { // a child that is gone has had it
			s.terminal.takeBack()
		}
		if errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.EAGAIN) { // by fork or its pipe
			return fmt.Errorf("starting %q: %w", path, err)
		}
		return runError(path, err)
	}
	s.dropStdio()
	for _, sig := range early {
		s.passOn(sig)
	}
	for {
		s.passOn(s.source.wait())
		if ended, status := s.reap(); ended {
			s.source.release(stopSignals) // what follows is ours to be stopped in
			if s.terminal.foreground() == s.pid {
				s.terminal.takeBack()
			}
			return exitError(status)
		}
	}
}

// passedOn are the signals that Supervise passes on.
func passedOn() []syscall.Signal {
	var signals []syscall.Signal
	for sig := syscall.Signal(1); sig <= 64; sig++ {
		switch sig {
		case syscall.SIGKILL, syscall.SIGSTOP, syscall.SIGCHLD, syscall.SIGURG, 32, 33, 34,
			syscall.SIGILL, syscall.SIGTRAP, syscall.SIGBUS, syscall.SIGFPE, syscall.SIGSEGV, syscall.SIGSYS:
		default:
			signals = append(signals, sig)
		}
	}
	return signals
}

// beforeStart takes what has come so far: a signal that ends a wait is returned
// as a *SignalError, others are to be passed on.
func (s *Signals) beforeStart() (others []syscall.Signal, err error) {
	for {
		sig, ok := s.source.next()
		switch {
		case !ok:
			return others, nil
		case slices.Contains(s.end, sig):
			return nil, &SignalError{Signal: sig}
		}
		others = append(others, sig)
	}
}

func (s *supervised) attributes(env []string) *syscall.ProcAttr {
	sys := &syscall.SysProcAttr{Setpgid: true}
	if s.reads && s.terminal.isOurs() {
		sys.Foreground, sys.Ctty = true, int(s.terminal)
	}
	if unix.Gettid() == unix.Getpid() {
		sys.Pdeathsig = syscall.SIGTERM // sent at the end of the thread that forks: the first lives longest
	}
	return &syscall.ProcAttr{Env: env, Files: []uintptr{0, 1, 2}, Sys: sys}
}

// blockOnlyTTOU is for after the fork: the command has the mask that we inherited.
// With TTOU blocked a group in the background may give the terminal away.
func (s *supervised) blockOnlyTTOU() {
	mask := unix.Sigset_t{}
	mask.Val[0] = 1 << (syscall.SIGTTOU - 1)
	_ = unix.PthreadSigmask(unix.SIG_SETMASK, &mask, nil)
}

// dropStdio lets what the command closes be closed.
func (s *supervised) dropStdio() {
	if null, err := unix.Open("/dev/null", unix.O_RDWR|unix.O_CLOEXEC, 0); err == nil {
		_ = unix.Dup3(null, 0, unix.O_CLOEXEC)
		_ = unix.Dup3(null, 1, unix.O_CLOEXEC)
		_ = unix.Close(null)
	}
}

func (s *supervised) passOn(sig syscall.Signal) {
	switch sig {
	case syscall.SIGCHLD:
		return
	case syscall.SIGCONT: // by a shell's fg, perhaps
		if s.reads {
			s.terminal.give(s.pid)
		}
	}
	_ = syscall.Kill(s.pid, sig) // not reaped yet, so the PID is still its own
}

// reap takes all children that have ended, and sees whether the command has.
func (s *supervised) reap() (ended bool, status syscall.WaitStatus) {
	for {
		var status syscall.WaitStatus
		pid, _ := syscall.Wait4(-1, &status, syscall.WNOHANG|syscall.WUNTRACED, nil)
		switch {
		case pid <= 0:
			return false, 0
		case pid != s.pid:
		case status.Stopped():
			s.stopped(status.StopSignal())
		default:
			return true, status
		}
	}
}

// stopped does for the command's group what the kernel would have done for a
// group that we share: stop all of it where a shell is there to continue it.
func (s *supervised) stopped(by syscall.Signal) {
	if s.terminal < 0 {
		return
	}
	wantsTerminal := by == syscall.SIGTTIN || by == syscall.SIGTTOU
	if !wantsTerminal || !s.terminal.give(s.pid) {
		continued := s.stopOurselves()
		hasTerminal := (s.reads || wantsTerminal) && s.terminal.give(s.pid)
		switch {
		case by == syscall.SIGSTOP && !continued:
			return // it is not a shell's to continue, but that of whoever stopped it
		case wantsTerminal && !hasTerminal:
			time.Sleep(100 * time.Millisecond) // or both would spin where nothing has stopped us
		}
	}
	_ = syscall.Kill(-s.pid, syscall.SIGCONT)
}

// stopOurselves stops our group, and reports whether it was continued then. Where
// no shell is there to do that, the kernel drops the signal (orphaned process
// groups), and there is no stop.
func (s *supervised) stopOurselves() (continued bool) {
	s.source.release([]syscall.Signal{syscall.SIGTSTP})
	_ = syscall.Kill(0, syscall.SIGTSTP)
	s.source.catch([]syscall.Signal{syscall.SIGTSTP})
	for {
		switch sig, ok := s.source.next(); {
		case !ok:
			return continued
		case sig == syscall.SIGCONT:
			continued = true
		default:
			s.passOn(sig)
		}
	}
}

func exitError(status syscall.WaitStatus) error {
	switch {
	case status.Signaled():
		return &ExitError{Status: 128 + int(status.Signal()), Signal: status.Signal()}
	case status.ExitStatus() != 0:
		return &ExitError{Status: status.ExitStatus()}
	default:
		return nil
	}
}

// terminal is a descriptor of the controlling terminal, or -1.
type terminal int

func openTerminal() terminal {
	fd, err := unix.Open("/dev/tty", unix.O_RDWR|unix.O_CLOEXEC|unix.O_NOCTTY, 0)
	if err != nil {
		return -1
	}
	return terminal(fd)
}

// foreground returns the process group that has the terminal.
func (t terminal) foreground() int {
	group, err := unix.IoctlGetUint32(int(t), unix.TIOCGPGRP)
	if err != nil {
		return -1
	}
	return int(group)
}

func (t terminal) isOurs() bool { return t.foreground() == unix.Getpgrp() }

// give gives the terminal to group if it is ours, and reports whether group has
// it.
func (t terminal) give(group int) bool {
	if t.isOurs() {
		_ = unix.IoctlSetPointerInt(int(t), unix.TIOCSPGRP, group)
	}
	return t.foreground() == group
}

// takeBack gives the terminal to our own group.
func (t terminal) takeBack() {
	_ = unix.IoctlSetPointerInt(int(t), unix.TIOCSPGRP, unix.Getpgrp())
}

func (t terminal) close() {
	if t >= 0 {
		_ = unix.Close(int(t))
	}
}
