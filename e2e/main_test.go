//go:build linux

package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/envoy-wait/envoy-wait/e2e/harness"
)

func TestMain(m *testing.M) {
	harness.Main(m, map[string]func() error{"acknowledge": acknowledge, "subreaper": subreaper})
}

// acknowledge prints the number of each signal until stdin ends.
func acknowledge() error {
	signals := make(chan os.Signal, 100)
	signal.Notify(signals)
	go func() {
		_, _ = os.Stdin.Read(make([]byte, 1))
		close(signals)
	}()
	fmt.Println("ready")
	for sig := range signals {
		if sig != syscall.SIGURG { // the Go runtime's own
			fmt.Println(int(sig.(syscall.Signal)))
		}
	}
	return nil
}

// subreaper becomes the command in its arguments as a subreaper.
func subreaper() error {
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return err
	}
	return syscall.Exec(os.Args[1], os.Args[1:], os.Environ())
}

// envoyWait is the command with our variables out of its environment.
func envoyWait(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(harness.Binary(t), args...)
	cmd.Env = harness.Env()
	return cmd
}

func run(t *testing.T, args ...string) harness.Result {
	t.Helper()
	return harness.Start(t, envoyWait(t, args...)).Result()
}

// runEnv is run with more variables.
func runEnv(t *testing.T, env []string, args ...string) harness.Result {
	t.Helper()
	cmd := envoyWait(t, args...)
	cmd.Env = append(cmd.Env, env...)
	return harness.Start(t, cmd).Result()
}

// readyURL is the URL of a sidecar that is ready.
func readyURL(t *testing.T) string {
	t.Helper()
	port := harness.NewPort(t)
	port.Sidecar(true)
	return port.URL()
}

// hangingURL is the URL of an endpoint that accepts connections and never answers.
func hangingURL(t *testing.T) string {
	t.Helper()
	port := harness.NewPort(t)
	port.Listen()
	return port.URL()
}

// noShebang is a script without a #! line: execve(2) refuses it.
func noShebang(t *testing.T) string {
	t.Helper()
	path := t.TempDir() + "/noshebang"
	harness.WriteFile(t, path, "echo hi\n", 0o755)
	return path
}

// wantNone checks that there is no file, such as an app makes at its start.
func wantNone(t *testing.T, path string) {
	t.Helper()
	if _, err := os.Lstat(path); err == nil {
		t.Errorf("got the file %s, want none", path)
	}
}

// onTerminal starts cmd on a pseudo-terminal, which is also its stdin, stdout and
// stderr. All output is in the process's stdout.
func onTerminal(t *testing.T, cmd *exec.Cmd) *harness.Process {
	t.Helper()
	p, _ := withTerminal(t, cmd, 0)
	return p
}

// withTerminal is onTerminal with that number of columns, or 0 for unknown. It returns
// the other end of the terminal, too.
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
