// Go would keep the files with the container's CPU limit open, and read them each second, to set GOMAXPROCS: 1 here.
//
//go:debug containermaxprocs=0
//go:debug updatemaxprocs=0

// Command envoy-wait stands in front of an app as its entrypoint. It waits until the Envoy sidecar's readiness
// endpoint answers 200, or a timeout expires, and then becomes the app by execve(2): same process, nothing left
// running, so that signals, exit status, stdin and terminal are the app's own.
//
//	envoy-wait [flags] [--] [command [args...]]
//
// This file is the story. The rooms know nothing of one another: internal/cli turns words into settings, probe asks
// the sidecar, internal/report says what happens, exec becomes the command.
package main

import (
	"context"
	"errors"
	"io"
	"log"
	"os"
	"runtime"
	"runtime/debug"
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
func run(args, env []string, stdout, stderr io.Writer) int {
	signals := exec.Catch()   // first of all: until then a signal to PID 1 is lost
	runtime.GOMAXPROCS(1)     // or threads would look for work of one another at each waking
	debug.SetGCPercent(25)    // an attempt leaves 3 kB of garbage: not up to 4 MB of it
	log.SetOutput(io.Discard) // net/http's words about odd endpoints; what matters is in our lines

	s, err := cli.Parse(args, env, stdout)
	if err == nil && s.Answered {
		return 0
	}
	r := report.New(stderr, report.Options{
		Format: s.LogFormat, Level: s.LogLevel, OnTerminal: exec.WriteInBackground, LiveLine: s.LiveLine,
		URLs: s.Probe.URLs, Sidecars: s.Sidecars, Timeout: s.Probe.Timeout, Command: s.Name(),
		Once: s.Probe.Once, Disabled: s.Disabled, TerminationLog: s.Meant || os.Getpid() == 1,
	})
	s.Quit.Retry = func() bool { return !s.Disabled && !signals.Stopped() }
	if err == nil && s.Install != "" {
		err = install.To(s.Install)
	} else if err == nil {
		err = waitAndBecome(s, env, signals, r)
	}

	status := exitCode(err)
	if _, ended := errors.AsType[*exec.ExitError](err); err != nil && !ended { // else the command spoke for itself
		r.Failed(err, status)
	}
	if s.IsJob() {
		quit(s, status, r)
	}
	return status
}

// waitAndBecome returns nil only where there is no command to become, or a Job's has ended well.
func waitAndBecome(s *cli.Settings, env []string, signals *exec.Signals, r *report.Reporter) error {
	for _, warning := range s.Warnings {
		r.Warn(warning)
	}
	// A command that is missing must be reported now, not after the timeout.
	if _, err := lookUp(s, env); err != nil {
		return err
	}

	err := wait(s, signals, r)
	timeout, timedOut := errors.AsType[*probe.TimeoutError](err)
	if timedOut && timeout.Absent {
		s.Quit.Retry = func() bool { return false } // there is no sidecar
	}
	startAnyway := timedOut && s.StartAnyway && s.HasCommand()
	if err != nil && !startAnyway {
		return err
	}

	// Looked up once more: the file may have been replaced or removed meanwhile.
	path, err := lookUp(s, env)
	if err != nil {
		return err
	}
	if startAnyway {
		r.StartingAnyway(timeout)
	} else {
		r.Ready()
	}
	switch {
	case !s.HasCommand():
		return nil
	case s.IsJob():
		return exec.Supervise(path, s.Command, env, signals)
	default:
		return exec.Become(path, s.Command, env, signals)
	}
}

func lookUp(s *cli.Settings, env []string) (path string, err error) {
	if !s.HasCommand() {
		return "", nil
	}
	return exec.LookPath(s.Name(), env)
}

// wait returns nil when every endpoint is ready, an *exec.SignalError when a signal came first, or what probe.Wait
// returns. Nothing is reported after it.
func wait(s *cli.Settings, signals *exec.Signals, r *report.Reporter) error {
	if s.Disabled {
		return nil
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	s.Probe.OnAttempt = func(a probe.Attempt) {
		if a.Outcome != probe.Ready {
			signals.CatchAll()
		}
		r.Attempt(a)
	}
	var err error
	done := make(chan struct{})
	go func() { err = probe.Wait(ctx, s.Probe); close(done) }()

	late := time.After(3 * time.Millisecond) // a sidecar that is ready answers sooner, and pays for no more signals
	heartbeat := time.NewTicker(report.HeartbeatInterval)
	defer heartbeat.Stop()
	for {
		select {
		case <-done:
			return err
		case sig := <-signals.Caught():
			cancel()
			<-done // nothing is reported after the end
			return signals.End(sig)
		case <-late:
			signals.CatchAll()
			r.Debug("all signals are caught; timeout %v, interval %v", s.Probe.Timeout, s.Probe.Interval)
		case <-heartbeat.C:
			r.Heartbeat()
		}
	}
}

// quit tells the sidecars to quit. It never changes the exit status. Quit.Retry is false where there is no sidecar to
// wait for, and after a signal: whoever deletes a Pod stops the sidecar too, and the grace period is the app's.
func quit(s *cli.Settings, status int, r *report.Reporter) {
	if s.QuitOnSuccess && status != 0 {
		r.NotQuit(status)
		return
	}
	s.Quit.OnResult = r.Quit
	_ = probe.Quit(context.Background(), s.Quit) // r.Quit has said what failed
}

// exitCode is the one place where an error becomes a status.
func exitCode(err error) int {
	if ended, ok := errors.AsType[*exec.ExitError](err); ok {
		return ended.Status
	}
	if signal, ok := errors.AsType[*exec.SignalError](err); ok {
		return exitSignal + int(signal.Signal)
	}
	command, isCommand := errors.AsType[*exec.Error](err)
	timeout, isTimeout := errors.AsType[*probe.TimeoutError](err)
	switch {
	case err == nil:
		return 0
	case isCommand && command.NotFound:
		return exitNotFound
	case isCommand:
		return exitCannotRun
	case isTimeout && timeout.Once:
		return exitNotReady
	case isTimeout:
		return exitTimeout
	default:
		return exitFailure
	}
}
