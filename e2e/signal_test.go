//go:build linux

package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
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
	"SIGALRM": syscall.SIGALRM, "SIGVTALRM": syscall.SIGVTALRM, "SIGXCPU": syscall.SIGXCPU, "SIGIO": syscall.SIGIO,
	"SIGPWR": syscall.SIGPWR, "SIGABRT": syscall.SIGABRT,
}

// eachWay runs a test of an ordinary process, and of PID 1.
func eachWay(t *testing.T, test func(t *testing.T, how func(*exec.Cmd) *exec.Cmd)) {
	t.Run("ordinary", func(t *testing.T) { test(t, harness.Detached) })
	t.Run("as PID 1", func(t *testing.T) {
		harness.NeedRoot(t)
		test(t, harness.AsPID1)
	})
}

// A signal during the wait ends it with 128+n, and the app never starts.
func TestSignalDuringTheWait(t *testing.T) {
	mark := filepath.Join(t.TempDir(), "started")
	eachWay(t, func(t *testing.T, how func(*exec.Cmd) *exec.Cmd) {
		for name, signal := range endSignals {
			t.Run(name, func(t *testing.T) {
				// All signals are caught once an attempt has failed: here one fails, and one hangs.
				refusing := harness.NewPort(t).URL()
				p := harness.Start(t, how(envoyWait(t, "--url", hangingURL(t), "--url", refusing, "--timeout", "30s", "--", "touch", mark)))
				p.Await("waiting for " + refusing)
				p.Signal(signal)
				p.Result().WantCode(t, 128+int(signal)).Says(t, name+" after ", `, "touch" not started`)
			})
		}
	})
	wantNone(t, mark)
}

// The rarer signals are caught also while the first attempt is under way, but not in
// its first 3 ms.
func TestSignalDuringTheFirstAttempt(t *testing.T) {
	mark := filepath.Join(t.TempDir(), "started")
	eachWay(t, func(t *testing.T, how func(*exec.Cmd) *exec.Cmd) {
		port := harness.NewPort(t)
		l := port.Listen()
		p := harness.Start(t, how(envoyWait(t, "--url", port.URL(), "--timeout", "30s", "--", "touch", mark)))
		conn, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }() // without an answer
		result := make(chan harness.Result, 1)
		go func() { result <- p.Result() }()
		for {
			select {
			case r := <-result:
				r.Want(t, 128+int(syscall.SIGUSR1), "").WantLines(t, 1).Says(t, "SIGUSR1 after ", `, "touch" not started`)
				return
			case <-time.After(time.Millisecond):
				_ = p.Process.Signal(syscall.SIGUSR1)
			}
		}
	})
	wantNone(t, mark)
}

// Where nobody waits a signal ends envoy-wait as well, though a call hangs in the kernel.
func TestSignalDuringACallThatHangs(t *testing.T) {
	full := func(t *testing.T, how func(*exec.Cmd) *exec.Cmd) *harness.Process {
		cmd := how(envoyWait(t, "--help"))
		_, cmd.Stdout = harness.FullPipe(t)
		p := harness.Start(t, cmd)
		harness.Until(t, "a write to stdout", func() bool { return inCall(p.Process.Pid, fmt.Sprintf("%d 0x1 ", syscall.SYS_WRITE)) })
		return p
	}
	hanging := func(args ...string) func(*testing.T, func(*exec.Cmd) *exec.Cmd) *harness.Process {
		return func(t *testing.T, how func(*exec.Cmd) *exec.Cmd) *harness.Process {
			dir, asked, _ := hangingFS(t, false)
			p := harness.Start(t, how(envoyWait(t, append(args, dir+"/app")...)))
			select {
			case <-asked:
			case <-time.After(harness.Patience):
				t.Fatal("got no look at the file system, want one")
			}
			return p
		}
	}
	eachWay(t, func(t *testing.T, how func(*exec.Cmd) *exec.Cmd) {
		for name, start := range map[string]func(*testing.T, func(*exec.Cmd) *exec.Cmd) *harness.Process{
			"--help into a full pipe": full, "--install": hanging("--install"), "look-up": hanging("--disabled", "--"),
		} {
			for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP} {
				t.Run(fmt.Sprintf("%s, %v", name, signal), func(t *testing.T) {
					p := start(t, how)
					p.Signal(signal)
					p.Result().WantCode(t, 128+int(signal)).WantLines(t, 1).Says(t, unix.SignalName(signal))
				})
			}
		}
	})
}

// inCall reports whether a thread of a process is in a system call, as /proc/PID/syscall shows it.
func inCall(pid int, call string) bool {
	threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/syscall", pid))
	return slices.ContainsFunc(threads, func(thread string) bool {
		text, _ := os.ReadFile(thread)
		return strings.HasPrefix(string(text), call)
	})
}

// Ignored INT and HUP stay ignored, in the wait and in the app.
func TestIgnoredSignalsStayIgnored(t *testing.T) {
	port := harness.NewPort(t)
	cmd := envoyWait(t, "--url", port.URL(), "--", "echo", "started")
	cmd = exec.Command("sh", append([]string{"-c", `trap "" INT HUP; exec "$@"`, "sh"}, cmd.Args...)...)
	p := harness.Start(t, harness.Detached(cmd))
	p.Await("connection refused")
	p.Signal(syscall.SIGINT)
	p.Signal(syscall.SIGHUP)
	port.Sidecar(true)
	p.Result().Want(t, 0, "started\n")
}

// WINCH does not end a wait on a terminal: there it means a new size of the window.
func TestWindowChangeOnATerminal(t *testing.T) {
	port := harness.NewPort(t)
	p := onTerminal(t, envoyWait(t, "--url", port.URL(), "--", "echo", "started"))
	p.Await("connection refused")
	p.Signal(syscall.SIGWINCH)
	port.Sidecar(true)
	harness.WantIn(t, p.Result().WantCode(t, 0).Stdout, "started")
}

// After the start the app itself gets the signals.
func TestSignalAfterTheStart(t *testing.T) {
	eachWay(t, func(t *testing.T, how func(*exec.Cmd) *exec.Cmd) {
		app := `trap 'echo got TERM; exit 7' TERM; echo "ready as $$"; while :; do read -r _ || exit 9; done`
		cmd := envoyWait(t, "--url", readyURL(t), "--", "sh", "-c", app)
		harness.Stdin(t, cmd) // read is a builtin: the shell waits for no child, which would delay the trap
		p := harness.Start(t, how(cmd))
		p.Await("ready as ")
		p.Signal(syscall.SIGTERM)
		harness.WantIn(t, p.Result().WantCode(t, 7).Stdout, "got TERM")
	})
}

// A signal at any moment either ends envoy-wait before the start, or reaches the app.
func TestSignalAroundTheStart(t *testing.T) {
	before, after := 0, 0
	aroundTheStart(t, nil, "exec cat", syscall.SIGTERM, func(r harness.Result) bool {
		// cat has no handler: the signal kills it.
		switch notStarted := strings.Contains(r.Stderr, "not started"); {
		case notStarted && r.Code == 128+int(syscall.SIGTERM) && r.Signal == 0:
			before++
		case !notStarted && r.Signal == syscall.SIGTERM:
			after++
		default:
			return false
		}
		return true
	})
	t.Logf("%d before the app, %d after", before, after)
}

func TestSignalAroundTheSupervisedStart(t *testing.T) {
	before, after := 0, 0
	_, flags := job(t)
	aroundTheStart(t, flags, "echo started; exec sleep 1000", syscall.SIGUSR1, func(r harness.Result) bool {
		started := r.Stdout != ""
		switch notStarted := strings.Contains(r.Stderr, "not started"); {
		case r.Code != 128+int(syscall.SIGUSR1) || r.Signal != 0 || started && notStarted:
			return false
		case notStarted:
			before++
		default:
			after++
		}
		return true
	})
	t.Logf("%d before the command, %d after", before, after)
}

// aroundTheStart sends a signal in 50 rounds, each at a later moment after the sidecar's
// readiness. Each round must end well.
func aroundTheStart(t *testing.T, flags []string, app string, signal syscall.Signal, well func(harness.Result) bool) {
	for i := range 50 {
		port := harness.NewPort(t)
		cmd := envoyWait(t, append(flags, "--url", port.URL(), "--", "sh", "-c", app)...)
		harness.Stdin(t, cmd)
		p := harness.Start(t, harness.Detached(cmd))
		p.Await("connection refused")
		port.Sidecar(true)
		time.Sleep(time.Duration(i) * 500 * time.Microsecond)
		p.Signal(signal)
		if r := p.Result(); !well(r) {
			t.Fatalf("round %d: got %+v, want the signal to end envoy-wait or the app", i, r)
		}
	}
}
