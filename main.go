// Go would keep the files with the container's CPU limit open, and read them once
// a second, to set GOMAXPROCS: that is 1 here.
//
//go:debug containermaxprocs=0
//go:debug updatemaxprocs=0

// Command envoy-wait stands in front of an app as its entrypoint. It waits until
// the Envoy sidecar's readiness endpoint answers 200, or a timeout expires, and
// then becomes the app by execve(2): same process, nothing left running, so that
// signals, exit status, stdin and terminal are the app's own.
//
//	envoy-wait [flags] [--] [command [args...]]
//
// This file is the whole story, but for what a Job adds to it, in job.go. Flags and their
// variables are in flags.go and values.go, what is said on the way in report.go, how a line gets
// out in log.go. The package probe knows HTTP and time, the package exec knows how to become the
// command.
package main

import (
	"context"
	"errors"
	"io"
	"log"
	"os"
	"runtime/debug"
	"time"

	"github.com/envoy-wait/envoy-wait/exec"
	_ "github.com/envoy-wait/envoy-wait/exec/early" // catches signals, and sets GOMAXPROCS, before all else
	"github.com/envoy-wait/envoy-wait/probe"
)

// The exit statuses of envoy-wait itself, those of timeout(1) and env(1) in GNU
// coreutils. Once the app runs, every status is the app's own.
const (
	exitNotReady  = 1   // --once alone: not ready
	exitTimeout   = 124 // not ready in time, and no app started
	exitFailure   = 125 // usage, configuration, or envoy-wait itself failed
	exitCannotRun = 126 // the command is there and cannot be run
	exitNotFound  = 127 // there is no such command
	exitSignal    = 128 // plus n, the number of the signal that ended the wait, or a Job's command
)

func main() { os.Exit(run(os.Args[1:], os.Environ(), os.Stdout, os.Stderr)) }

// run returns an exit status unless it becomes the app.
func run(args, env []string, stdout, stderr io.Writer) int {
	// Before all else: a signal that is not caught yet is dropped by the kernel
	// where this process is PID 1.
	signals := exec.Catch()
	// An attempt leaves about 3 kB of garbage: let it not come to the 4 MB that Go
	// has nothing against.
	debug.SetGCPercent(25)
	// net/http reports some oddities of an endpoint to the standard logger: what
	// matters of them is in our own lines.
	log.SetOutput(io.Discard)

	s, err := parse(args, env, stdout)
	report := newReport(s, stderr)
	switch {
	case err != nil || s.answered:
	case s.Install != nil:
		err = install(*s.Install)
	default:
		report.begin(env)
		err = waitAndBecome(s, env, signals, report)
		defer quit(s, exitCode(err), report)
	}
	return report.end(err, exitCode(err))
}

// waitAndBecome returns nil only where there is no command to become, or a Job's
// has ended well.
func waitAndBecome(s *settings, env []string, signals *exec.Signals, report *report) error {
	// A command that is missing must be reported now, not after the timeout.
	if s.hasCommand() {
		if _, err := exec.LookPath(s.Command[0], env); err != nil {
			return err
		}
	}

	err := wait(s, signals, report)
	var timeout *probe.TimeoutError
	startAnyway := errors.As(err, &timeout) && s.hasCommand() && s.OnTimeout == onTimeoutStart
	if err != nil && !startAnyway {
		return err
	}

	// Looked up once more: the file may have been replaced or removed meanwhile.
	path := ""
	if s.hasCommand() {
		if path, err = exec.LookPath(s.Command[0], env); err != nil {
			return err
		}
	}
	report.outcome(timeout)
	if !s.hasCommand() {
		return nil
	}
	report.flush()
	if s.isJob() {
		return exec.Supervise(path, s.Command, env, signals)
	}
	return exec.Become(path, s.Command, env, signals)
}

// wait returns nil when every endpoint is ready, an *exec.SignalError when a
// signal came first, or what probe.Wait returns.
func wait(s *settings, signals *exec.Signals, report *report) error {
	if s.Disabled {
		return nil
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- probe.Wait(ctx, s.probeConfig(report.attempt)) }()

	arrivals := signals.Arrivals()
	heartbeat := time.NewTicker(heartbeatInterval)
	defer heartbeat.Stop()
	for {
		select {
		case err := <-done:
			return err
		case <-arrivals:
			if err := signals.Next(); err != nil {
				return err
			}
		case <-heartbeat.C:
			report.heartbeat()
		}
	}
}

// exitCode is the one place where an error becomes a status.
func exitCode(err error) int {
	var signal *exec.SignalError
	var command *exec.Error
	var timeout *probe.TimeoutError
	var ended *exec.ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &ended):
		return ended.Status
	case errors.As(err, &signal):
		return exitSignal + int(signal.Signal)
	case errors.As(err, &command) && command.NotFound:
		return exitNotFound
	case errors.As(err, &command):
		return exitCannotRun
	case errors.As(err, &timeout) && timeout.Once:
		return exitNotReady
	case errors.As(err, &timeout):
		return exitTimeout
	default:
		return exitFailure
	}
}
