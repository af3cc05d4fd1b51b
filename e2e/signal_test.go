//go:build linux

package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/envoy-wait/envoy-wait/e2e/harness"
)

const sigrtmin3 = syscall.Signal(37)

var endSignals = map[string]syscall.Signal{
	"SIGTERM": syscall.SIGTERM, "SIGINT": syscall.SIGINT, "SIGHUP": syscall.SIGHUP, "SIGQUIT": syscall.SIGQUIT,
	"SIGUSR1": syscall.SIGUSR1, "SIGUSR2": syscall.SIGUSR2, "SIGRTMIN+3": sigrtmin3, "SIGWINCH": syscall.SIGWINCH,
}

// detached starts cmd in a session of its own: no terminal, however the tests
// are run.
func detached(cmd *exec.Cmd) *exec.Cmd {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	return cmd
}

// asPID1 starts cmd as PID 1 of a PID namespace of its own.
func asPID1(cmd *exec.Cmd) *exec.Cmd {
	cmd = detached(cmd)
	cmd.SysProcAttr.Cloneflags = syscall.CLONE_NEWPID
	return cmd
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
		r := p.Result()
		if r.Code != 128+int(signal) || r.Signal != 0 {
			t.Errorf("exit status %d, signal %d, want %d", r.Code, r.Signal, 128+int(signal))
		}
		if got := message(t, r.Stderr); !strings.HasPrefix(got, name+" after ") || !strings.HasSuffix(got, `, "touch" not started`) {
			t.Errorf("the last line is %s", got)
		}
		if _, err := os.Stat(mark); err == nil {
			t.Error("the app was started")
		}
	}
}

// hangingURL accepts connections, and that is all.
func hangingURL(t *testing.T) string {
	t.Helper()
	port := harness.NewPort(t)
	port.Listen()
	return port.URL()
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
	if r := p.Result(); r.Code != 0 || r.Stdout != "started\n" {
		t.Errorf("%+v", r)
	}
}

// WINCH on a terminal says only that the window changed its size.
func TestWindowChangeOnATerminal(t *testing.T) {
	port := harness.NewPort(t)
	p := onTerminal(t, envoyWait(t, "--url", port.URL(), "--", "echo", "started"))
	p.Await("connection refused")
	p.Signal(syscall.SIGWINCH)
	port.Sidecar(true)
	if r := p.Result(); r.Code != 0 || !strings.Contains(r.Stdout, "started") {
		t.Errorf("%+v", r)
	}
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
			stdin, err := cmd.StdinPipe() // a builtin that waits: no child delays the trap
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = stdin.Close() }()
			p := harness.Start(t, how(cmd))
			p.Await("ready as ")
			p.Signal(syscall.SIGTERM)
			if r := p.Result(); r.Code != 7 || !strings.Contains(r.Stdout, "got TERM") {
				t.Errorf("%+v", r)
			}
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
		stdin, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
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

// onTerminal starts cmd with a pseudo-terminal as its controlling terminal, and
// as stdin, stdout and stderr. What it writes is in the process's stdout.
func onTerminal(t *testing.T, cmd *exec.Cmd) *harness.Process {
	t.Helper()
	p, _ := withTerminal(t, cmd, 0)
	return p
}

// withTerminal is onTerminal for one of so many columns, where 0 is not known. It
// returns the other end, too.
func withTerminal(t *testing.T, cmd *exec.Cmd, columns int) (*harness.Process, *os.File) {
	t.Helper()
	master, slave := harness.Terminal(t)
	if err := unix.IoctlSetWinsize(int(master.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: uint16(columns)}); err != nil {
		t.Fatal(err)
	}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = slave, slave, slave
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	p := harness.Start(t, cmd)
	_ = slave.Close()
	p.Capture(master)
	return p, master
}
