//go:build linux

package harness

import (
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"testing"
)

// roleVariable makes a test binary play a role.
const roleVariable = "E2E_ROLE"

// Main is a TestMain. It runs the tests, or plays the role that Role has set. The
// arguments of a role are os.Args.
func Main(m *testing.M, roles map[string]func() error) {
	name := os.Getenv(roleVariable)
	if name == "" {
		for _, sig := range []os.Signal{syscall.SIGHUP, syscall.SIGINT} {
			if signal.Ignored(sig) { // by nohup, or a shell's &: no child may inherit that
				signal.Notify(make(chan os.Signal, 1), sig)
			}
		}
		os.Exit(m.Run())
	}
	_ = os.Unsetenv(roleVariable)
	role, ok := roles[name]
	if !ok {
		role = func() error { return fmt.Errorf("no role is called %q", name) }
	}
	if err := role(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// Role lets the test binary, which cmd runs, play a role.
func Role(cmd *exec.Cmd, name string) *exec.Cmd {
	cmd.Env = append(cmd.Environ(), roleVariable+"="+name)
	return cmd
}
