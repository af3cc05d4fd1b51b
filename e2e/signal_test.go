//go:build linux

package e2e

import (
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/envoy-wait/envoy-wait/e2e/harness"
)

const sigrtmin3 = syscall.Signal(37)

var endSignals = map[string]syscall.Signal{
	"SIGTERM": syscall.SIGTERM, "SIGINT": syscall.SIGINT, "SIGHUP": syscall.SIGHUP, "SIGQUIT": syscall.SIGQUIT,
	"SIGUSR1": syscall.SIGUSR1, "SIGUSR2": syscall.SIGUSR2, "SIGRTMIN+3": sigrtmin3, "SIGWINCH": syscall.SIGWINCH,
}

// A signal during the wait ends it with 128+n, and the app never starts.
func TestSignalDuringTheWait(t *testing.T) {
	for name, signal := range endSignals {
		t.Run(name, func(t *testing.T) {
			signalDuringTheWait(t, name, signal, detached)
		})
	}
}

func TestSignalDuringTheWaitAsPID1(t *testing.T) {
	harness.NeedRoot(t)
	for name, signal := range endSignals {
		t.Run(name, func(t *testing.T) {
			signalDuringTheWait(t, name, signal, asPID1)
		})
	}
}

func signalDuringTheWait(t *testing.T, name string, signal syscall.Signal, how func(*exec.Cmd) *exec.Cmd) {
	for _, url := range []string{harness.NewPort(t).URL(), hangingURL(t)} {
		mark := filepath.Join(t.TempDir(), "started")
		p := harness.Start(t, how(envoyWait(t, "--log-level", "debug", "--url", url, "--timeout", "30s", "--", "touch", mark)))
		p.Await("DEBUG") // signals are caught before anything is said
		p.Signal(signal)
		p.Result().WantCode(t, 128+int(signal)).Says(t, name+" after ", `, "touch" not started`)
		wantNone(t, mark)
	}
}

// INT and HUP that are ignored stay so, for the wait and for the app.
func TestIgnoredSignalsStayIgnored(t *testing.T) {
	port := harness.NewPort(t)
	cmd := envoyWait(t, "--url", port.URL(), "--", "echo", "started")
	cmd = exec.Command("sh", append([]string{"-c", `trap "" INT HUP; exec "$@"`, "sh"}, cmd.Args...)...)
	p := harness.Start(t, detached(cmd))
	p.Await("connection refused")
	p.Signal(syscall.SIGINT)
	p.Signal(syscall.SIGHUP)
	port.Sidecar(true)
	p.Result().Want(t, 0, "started\n")
}

// WINCH on a terminal says only that the window changed its size.
func TestWindowChangeOnATerminal(t *testing.T) {
	port := harness.NewPort(t)
	p := onTerminal(t, envoyWait(t, "--url", port.URL(), "--", "echo", "started"))
	p.Await("connection refused")
	p.Signal(syscall.SIGWINCH)
	port.Sidecar(true)
	harness.WantIn(t, p.Result().WantCode(t, 0).Stdout, "started")
}

// After the start signals are the app's own affair.
func TestSignalAfterTheStart(t *testing.T) {
	for name, how := range map[string]func(*exec.Cmd) *exec.Cmd{"ordinary": detached, "as PID 1": asPID1} {
		t.Run(name, func(t *testing.T) {
			if name == "as PID 1" {
				harness.NeedRoot(t)
			}
			app := `trap 'echo got TERM; exit 7' TERM; echo "ready as $$"; while :; do read -r _ || exit 9; done`
			cmd := envoyWait(t, "--url", readyURL(t), "--", "sh", "-c", app)
			harness.Stdin(t, cmd) // a builtin that waits: no child delays the trap
			p := harness.Start(t, how(cmd))
			p.Await("ready as ")
			p.Signal(syscall.SIGTERM)
			harness.WantIn(t, p.Result().WantCode(t, 7).Stdout, "got TERM")
		})
	}
}

// A signal at any moment either ends envoy-wait with 128+n before the app, or
// reaches the app. Never both, never neither.
func TestSignalAroundTheStart(t *testing.T) {
	const rounds = 50
	url := readyURL(t)
	before, after := 0, 0
	for i := range rounds {
		// /bin/cat has no handler: SIGUSR1 kills it.
		cmd := envoyWait(t, "--log-level", "debug", "--url", url, "--", "cat")
		stdin := harness.Stdin(t, cmd)
		p := harness.Start(t, detached(cmd))
		p.Await("DEBUG")
		time.Sleep(time.Duration(i) * 100 * time.Microsecond) // any moment of the few milliseconds left
		p.Signal(syscall.SIGUSR1)
		r := p.Result()
		_ = stdin.Close()
		switch {
		case r.Code == 128+int(syscall.SIGUSR1) && r.Signal == 0:
			before++
		case r.Signal == syscall.SIGUSR1:
			after++
		default:
			t.Fatalf("round %d: %+v", i, r)
		}
	}
	t.Logf("%d before the app, %d after", before, after)
}
