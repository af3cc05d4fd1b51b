//go:build linux

// Package machine gives a test a machine of its own: network, processes and mounts,
// as a Pod or a host has them, with a sidecar. It needs root.
package machine

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/envoy-wait/envoy-wait/e2e/harness"
)

// Main is a TestMain for tests that use machines.
func Main(m *testing.M) {
	harness.Main(m, map[string]func() error{"init": initProcess})
}

// Machine has a network, processes and mounts of its own, as a Pod or a host. They are
// those of its init process, and end with it. The init process ends with its stdin, so
// at the end of the test.
type Machine struct {
	T    *testing.T
	init *harness.Process
	stop func()
}

// New makes one, with loopback.
func New(t *testing.T) *Machine {
	t.Helper()
	harness.NeedRoot(t)
	harness.NeedTools(t, "ip", "nsenter")
	cmd := harness.Role(exec.Command("/proc/self/exe"), "init")
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:   unix.CLONE_NEWNET | unix.CLONE_NEWPID,
		Unshareflags: unix.CLONE_NEWNS,
	}
	harness.Stdin(t, cmd)
	m := &Machine{T: t, init: harness.Start(t, cmd)}
	m.stop = sync.OnceFunc(func() {
		_ = m.init.Process.Kill()
		_ = m.init.Wait()
	})
	m.init.Await("up")
	m.Must("ip", "link", "set", "lo", "up")
	return m
}

// initProcess is the first process of a machine. It reaps orphans, as some daemons need.
func initProcess() error {
	if err := unix.Mount("proc", "/proc", "proc", 0, ""); err != nil {
		return err
	}
	children := make(chan os.Signal, 1)
	signal.Notify(children, syscall.SIGCHLD)
	go func() {
		for range children {
			for pid := 1; pid > 0; {
				pid, _ = syscall.Wait4(-1, nil, syscall.WNOHANG, nil)
			}
		}
	}()
	fmt.Println("up")
	_, err := io.Copy(io.Discard, os.Stdin)
	return err
}

func (m *Machine) pid() string { return strconv.Itoa(m.init.Process.Pid) }

// Command is one that runs in the machine.
func (m *Machine) Command(name string, args ...string) *exec.Cmd {
	enter := []string{"--target", m.pid(), "--net", "--pid", "--mount", "--", name}
	cmd := exec.Command("nsenter", append(enter, args...)...)
	cmd.Env = harness.Env()
	return cmd
}

// Start starts a command, which the end of the test kills.
func (m *Machine) Start(cmd *exec.Cmd) *harness.Process {
	m.T.Helper()
	p := harness.Start(m.T, cmd)
	// Before harness kills nsenter: a child of nsenter would outlive it.
	m.T.Cleanup(m.stop)
	return p
}

// StartSidecar starts a sidecar on Istio's status port. It listens when it is told to.
func (m *Machine) StartSidecar() *harness.SidecarProcess {
	m.T.Helper()
	s := harness.StartSidecar(m.T, m.Command(harness.SidecarProgram(m.T)))
	m.T.Cleanup(m.stop)
	return s
}

// Run runs a command to its end.
func (m *Machine) Run(name string, args ...string) harness.Result {
	m.T.Helper()
	return m.Start(m.Command(name, args...)).Result()
}

// Must runs a command that has to succeed, and returns its stdout.
func (m *Machine) Must(name string, args ...string) string {
	m.T.Helper()
	return m.MustRead("", name, args...)
}

// MustRead runs a command that has to succeed, with stdin.
func (m *Machine) MustRead(stdin, name string, args ...string) string {
	m.T.Helper()
	cmd := m.Command(name, args...)
	cmd.Stdin = strings.NewReader(stdin)
	r := m.Start(cmd).Result()
	if r.Code != 0 {
		m.T.Fatalf("%s %q: got exit status %d, want 0\n%s%s", name, args, r.Code, r.Stdout, r.Stderr)
	}
	return r.Stdout
}
