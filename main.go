// Command envoy-wait stands in front of an app as its entrypoint. It waits until the Envoy sidecar's readiness
// endpoint answers 200, or a timeout expires, and then becomes the app by execve(2): same process, nothing left
// running, so that signals, exit status, stdin and terminal are the app's own.
//
//	envoy-wait [flags] [--] [command [args...]]
//
// This file is the story: internal/cli turns words into settings, probe asks the sidecar, internal/report says what
// happens, and exec becomes the command.
//
// Go would keep the files with the container's CPU limit open, and read them each second, to set GOMAXPROCS: 1 here.
//
//go:debug containermaxprocs=0
//go:debug updatemaxprocs=0
package main

import (
	"cmp"
	"context"
	"errors"
	"io"
	"log"
	"os"
	"runtime"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/envoy-wait/envoy-wait/exec"
	"github.com/envoy-wait/envoy-wait/internal/cli"
	"github.com/envoy-wait/envoy-wait/internal/install"
	"github.com/envoy-wait/envoy-wait/internal/report"
	"github.com/envoy-wait/envoy-wait/probe"
)

// The exit statuses of envoy-wait itself, those of timeout(1) and env(1) in GNU coreutils. Once the app runs, every
// status is the app's own.
const (
	exitNotReady  = 1   // --once, and not ready
	exitTimeout   = 124 // timed out, and the command was not started
	exitFailure   = 125 // usage, configuration, or envoy-wait itself failed
	exitCannotRun = 126 // the command cannot be run
	exitNotFound  = 127 // the command is not found
	exitSignal    = 128 // plus n: signal n ended the wait, or a Job's command
)

func main() { os.Exit(run(os.Args, os.Environ(), os.Stdout, os.Stderr)) }

// run returns an exit status unless it becomes the app.
func run(args, env []string, stdout, stderr io.Writer) (status int) {
	signals := exec.Catch()   // first of all: until then a signal to PID 1 is lost
	runtime.GOMAXPROCS(1)     // the program waits most of the time: a second thread would only cost CPU
	debug.SetGCPercent(25)    // an attempt leaves 3 kB of garbage: not up to 4 MB of it
	log.SetOutput(io.Discard) // net/http's words about odd endpoints; what matters is in our lines

	s, err := cli.Parse(args, env)
	e := &entrypoint{Settings: s, env: env, signals: signals, report: report.New(stderr, report.Options{
		Format: s.LogFormat, Level: s.LogLevel, OnTerminal: exec.WriteInBackground, LiveLine: s.LiveLine,
		URLs: s.Probe.URLs, Timeout: s.Probe.Timeout, Command: s.Name(), Job: s.IsJob(), Once: s.Probe.Once,
		Disabled: s.Disabled, TerminationLog: s.WantsCommand || os.Getpid() == 1,
	})}
	switch {
	case err != nil:
	case s.Answer != "":
		err = signals.UntilSignal(func() error { _, err := io.WriteString(stdout, s.Answer); return err })
	case s.Install != "":
		err = signals.UntilSignal(func() error { return install.To(s.Install) })
	default:
		status, err = e.waitAndBecome()
	}

	if err != nil {
		status = exitCode(err)
		e.report.Failed(err, status)
	}
	if s.IsJob() {
		e.quit(status)
	}
	return status
}

// entrypoint is one run of this program.
type entrypoint struct {
	*cli.Settings
	env        []string
	signals    *exec.Signals
	report     *report.Reporter
	path       string // of the command
	wasReady   bool   // the wait has ended well; like allRefused not to be read after a signal
	allRefused bool   // the wait has timed out, and every attempt was refused
}

// waitAndBecome returns without an error only where there is no command to become, or a supervised one has ended.
func (e *entrypoint) waitAndBecome() (status int, err error) {
	for _, warning := range e.Warnings {
		e.report.Warn(warning)
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	err = e.signals.UntilSignal(func() error { return e.lookUpAndWait(ctx) })
	timeout, timedOut := errors.AsType[*probe.TimeoutError](err)
	switch {
	case err == nil:
		e.report.Ready()
	case timedOut && e.StartAnyway && e.HasCommand():
		e.report.StartingAnyway(timeout)
	default:
		return 0, err
	}
	switch {
	case !e.HasCommand():
		return 0, nil
	case e.Supervise:
		return exec.Supervise(e.path, e.Command, e.env, e.signals)
	default:
		return 0, exec.Become(e.path, e.Command, e.env, e.signals)
	}
}

// lookUpAndWait returns nil once the command is there and every endpoint is ready. After a signal it may still run: the
// command may be on a file system that hangs.
func (e *entrypoint) lookUpAndWait(ctx context.Context) error {
	// A command that is missing must be reported now, not after the timeout.
	if err := e.lookUp(); err != nil {
		return err
	}
	waited := e.wait(ctx)
	if waited != nil && !e.StartAnyway {
		return waited
	}
	// Look up once more: the file may have been replaced or removed meanwhile.
	return cmp.Or(e.lookUp(), waited)
}

// lookUp sets the path of the command, if there is one.
func (e *entrypoint) lookUp() (err error) {
	if e.HasCommand() {
		e.path, err = exec.LookPath(e.Name(), e.env)
	}
	return err
}

// wait returns nil once every endpoint is ready.
func (e *entrypoint) wait(ctx context.Context) error {
	if e.Disabled {
		return nil
	}
	e.Probe.Start = time.Now()
	e.report.Begin(e.Probe.Start)
	e.Probe.OnAttempt = func(a probe.Attempt) {
		if a.Outcome != probe.Ready {
			e.signals.CatchAll()
		}
		e.report.Attempt(a)
	}
	err := probe.Wait(ctx, e.Probe)
	timeout, timedOut := errors.AsType[*probe.TimeoutError](err)
	e.wasReady, e.allRefused = err == nil, timedOut && timeout.Refused
	return err
}

// quit tells the sidecars to quit. It never changes the exit status. After a stop signal it is short: whoever deletes a
// Pod stops the sidecar too, and the grace period is the app's.
func (e *entrypoint) quit(status int) {
	if e.QuitOnSuccess && status != 0 {
		e.report.NotQuit(status)
		return
	}
	e.signals.CatchAll() // where there was no wait
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var noRetry atomic.Bool
	noRetry.Store(e.signals.Stopped() || !e.QuitTimeoutGiven && (e.Disabled || e.allRefused))
	if e.signals.Stopped() {
		e.Quit.Timeout = min(e.Quit.Timeout, time.Second)
	} else {
		go func() { e.signals.AwaitStop(); noRetry.Store(true); time.AfterFunc(time.Second, cancel) }()
	}
	e.Quit.MayBeStarting = e.signals.Stopped() || !e.wasReady
	e.Quit.Retry = func() bool { return !noRetry.Load() }
	e.Quit.OnResult = e.report.Quit
	_ = probe.Quit(ctx, e.Quit) // report.Quit has said what failed
}

// exitCode is the one place where an error becomes a status.
func exitCode(err error) int {
	if signal, ok := errors.AsType[*exec.SignalError](err); ok {
		return exitSignal + int(signal.Signal)
	}
	if command, ok := errors.AsType[*exec.Error](err); ok {
		if command.NotFound {
			return exitNotFound
		}
		return exitCannotRun
	}
	if timeout, ok := errors.AsType[*probe.TimeoutError](err); ok {
		if timeout.Once {
			return exitNotReady
		}
		return exitTimeout
	}
	return exitFailure
}
