//go:build linux

package legacy

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

func TestMain(m *testing.M) {
	harness.Main(m, map[string]func() error{"init": initProcess, "sidecar": sidecarProcess})
}

// machine has a network, processes and mounts of its own, as a Pod or a host.
// They are those of its init process: the kernel ends and removes them all with
// it, and it ends with its stdin, that is with the test, however that ends.
type machine struct {
	t    *testing.T
	init *harness.Process
	stop func()
}

func newMachine(t *testing.T) *machine {
	t.Helper()
	harness.NeedRoot(t)
	harness.NeedTools(t, "ip", "nsenter")
	cmd := harness.Role(exec.Command("/proc/self/exe"), "init")
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:   unix.CLONE_NEWNET | unix.CLONE_NEWPID,
		Unshareflags: unix.CLONE_NEWNS,
	}
	harness.Stdin(t, cmd)
	m := &machine{t: t, init: harness.Start(t, cmd)}
	m.stop = sync.OnceFunc(func() {
		_ = m.init.Process.Kill()
		_ = m.init.Wait()
	})
	m.init.Await("up")
	m.must("ip", "link", "set", "lo", "up")
	return m
}

// initProcess is the first process of a machine: it reaps, which some daemons
// rely on.
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

func (m *machine) pid() string { return strconv.Itoa(m.init.Process.Pid) }

func (m *machine) command(name string, args ...string) *exec.Cmd {
	enter := []string{"--target", m.pid(), "--net", "--pid", "--mount", "--", name}
	cmd := exec.Command("nsenter", append(enter, args...)...)
	cmd.Env = harness.Env()
	return cmd
}

func (m *machine) start(cmd *exec.Cmd) *harness.Process {
	m.t.Helper()
	p := harness.Start(m.t, cmd)
	// Before harness kills nsenter: what that has started would outlive it.
	m.t.Cleanup(m.stop)
	return p
}

func (m *machine) run(name string, args ...string) harness.Result {
	m.t.Helper()
	return m.start(m.command(name, args...)).Result()
}

func (m *machine) must(name string, args ...string) string {
	m.t.Helper()
	return m.mustRead("", name, args...)
}

// mustRead runs a command that has to succeed, with stdin.
func (m *machine) mustRead(stdin, name string, args ...string) string {
	m.t.Helper()
	cmd := m.command(name, args...)
	cmd.Stdin = strings.NewReader(stdin)
	r := m.start(cmd).Result()
	if r.Code != 0 {
		m.t.Fatalf("%s %q: exit status %d\n%s%s", name, args, r.Code, r.Stdout, r.Stderr)
	}
	return r.Stdout
}
