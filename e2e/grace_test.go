//go:build linux

package e2e

import (
	"syscall"
	"testing"
	"time"

	"github.com/envoy-wait/envoy-wait/e2e/harness"
)

// A refused quit is tried once where there is no sidecar to wait for: so no Job ends late. It is tried once after a
// stop signal too: the grace period is the app's.
func TestQuitIsTriedOnce(t *testing.T) {
	refusing := harness.NewPort(t)
	long := (10 * harness.Patience).String() // with a second attempt the test would kill the process
	quit := []string{"--quit-url", refusing.QuitURL(), "--quit-timeout", long}
	once := func(t *testing.T, r harness.Result) {
		t.Helper()
		lines := r.Lines(t)
		last := lines[len(lines)-1]
		harness.Want[any](t, "attempts", last["attempts"], 1.0)
		harness.WantIn(t, last["message"].(string), "not told to quit: "+refusing.QuitURL()+": connection refused")
	}
	for name, args := range map[string][]string{
		"--disabled":                {"--disabled"},
		"no sidecar":                {"--url", refusing.URL(), "--absent-after", "50ms"},
		"refused until the timeout": {"--url", refusing.URL(), "--timeout", "50ms"},
	} {
		t.Run(name, func(t *testing.T) {
			args = append([]string{"--quit-url", refusing.QuitURL()}, args...)
			once(t, run(t, append(args, "--", "sh", "-c", "exit 3")...).WantCode(t, 3))
			if name != "--disabled" {
				once(t, run(t, append(args, "--on-timeout", "fail", "--", "true")...).WantCode(t, 124))
			}
			// A time that is given counts more than this guess.
			r := run(t, append(args, "--quit-timeout", "500ms", "--", "sh", "-c", "exit 3")...).WantCode(t, 3)
			lines := r.Lines(t)
			if attempts, _ := lines[len(lines)-1]["attempts"].(float64); attempts < 2 {
				t.Errorf("got %v attempts with --quit-timeout, want at least 2: %s", attempts, r.Stderr)
			}
		})
	}
	t.Run("a signal in the wait", func(t *testing.T) {
		p := harness.Start(t, harness.Detached(envoyWait(t, append(quit, "--url", refusing.URL(), "--", "true")...)))
		p.Await("connection refused")
		p.Signal(syscall.SIGTERM)
		once(t, p.Result().WantCode(t, 143))
	})
	t.Run("a signal that is forwarded", func(t *testing.T) {
		cmd := envoyWait(t, append(quit, "--url", readyURL(t), "--", "sh", "-c", `trap 'exit 0' TERM; echo ready; while :; do read -r _ || exit 9; done`)...)
		stdin := harness.Stdin(t, cmd)
		defer func() { _ = stdin.Close() }()
		p := harness.Start(t, harness.Detached(cmd))
		p.Await("ready\n")
		p.Signal(syscall.SIGTERM)
		once(t, p.Result().WantCode(t, 0))
	})
}

// timeout(1) and some shells send a stop signal twice, to the process and to its group. The sidecar is told all the same.
func TestTwoStopSignals(t *testing.T) {
	for range 10 {
		port, refusing := harness.NewPort(t), harness.NewPort(t)
		sidecar := port.Sidecar(true)
		p := harness.Start(t, harness.Detached(envoyWait(t, "--url", refusing.URL(), "--quit-url", port.QuitURL(), "--", "true")))
		p.Await("connection refused")
		p.Signal(syscall.SIGTERM)
		_ = p.Process.Signal(syscall.SIGTERM) // it may have ended
		p.Result().WantCode(t, 143).Says(t, "told to quit: ")
		harness.Want(t, "requests to quit", sidecar.Quits(), 1)
	}
}

// A signal that asks for something else, and that the command handles, does not make the quit shorter.
func TestOtherSignalsStopNothing(t *testing.T) {
	refusing := harness.NewPort(t)
	for _, signal := range []syscall.Signal{syscall.SIGUSR1, syscall.SIGHUP, syscall.SIGWINCH, syscall.SIGALRM} {
		cmd := envoyWait(t, "--disabled", "--quit-url", refusing.QuitURL(), "--quit-timeout", "300ms",
			"--", "sh", "-c", `trap 'exit 3' USR1 HUP WINCH ALRM; echo ready; while :; do read -r _ || exit 9; done`)
		stdin := harness.Stdin(t, cmd)
		p := harness.Start(t, harness.Detached(cmd))
		p.Await("ready\n")
		p.Signal(signal)
		r := p.Result().WantCode(t, 3)
		_ = stdin.Close()
		lines := r.Lines(t)
		if attempts, _ := lines[len(lines)-1]["attempts"].(float64); attempts < 2 {
			t.Errorf("%v: got %v attempts, want at least 2: %s", signal, attempts, r.Stderr)
		}
	}
}

// A signal ends the attempts of a refused quit.
func TestSignalWhileQuitting(t *testing.T) {
	refusing := harness.NewPort(t)
	p := harness.Start(t, harness.Detached(envoyWait(t, "--url", refusing.URL(), "--timeout", "50ms", "--on-timeout", "fail",
		"--quit-url", refusing.QuitURL(), "--quit-timeout", (10*harness.Patience).String(), "--", "true")))
	p.Await("not ready after ")
	time.Sleep(50 * time.Millisecond) // any moment: the attempts go on for ten minutes
	p.Signal(syscall.SIGTERM)
	p.Result().WantCode(t, 124).Says(t, "not told to quit: "+refusing.QuitURL()+": connection refused")
}
