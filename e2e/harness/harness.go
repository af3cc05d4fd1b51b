//go:build linux

// Package harness runs the real binary in tests: real processes, real sockets,
// and handshakes instead of sleeps.
package harness

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/envoy-wait/envoy-wait/e2e/sidecar"
)

// Patience bounds everything that a test waits for. It is no measure of
// anything: a machine may be very busy.
const Patience = 60 * time.Second

// Root is the directory of the repository.
func Root() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Join(filepath.Dir(file), "..", "..")
}

var build = sync.OnceValues(func() ([]byte, error) {
	return exec.Command("make", "-s", "-C", Root(), "build").CombinedOutput()
})

// Binary builds the static binary with the release flags, once, and returns its
// path.
func Binary(t testing.TB) string {
	t.Helper()
	if out, err := build(); err != nil {
		t.Fatalf("make build: %v\n%s", err, out)
	}
	return filepath.Join(Root(), "bin", "envoy-wait")
}

// Need skips the test with the reason unless ok. Under CI=true, where all must
// run, it fails.
func Need(t testing.TB, ok bool, reason string) {
	t.Helper()
	switch {
	case ok:
	case os.Getenv("CI") == "true":
		t.Fatalf("must not be skipped in CI: %s", reason)
	default:
		t.Skip(reason)
	}
}

// NeedRoot is Need for namespaces, mounts and iptables.
func NeedRoot(t testing.TB) {
	t.Helper()
	Need(t, os.Getuid() == 0 && runtime.GOOS == "linux", "needs root on Linux")
}

// NeedTools is Need for programs in PATH.
func NeedTools(t testing.TB, names ...string) {
	t.Helper()
	for _, name := range names {
		_, err := exec.LookPath(name)
		Need(t, err == nil, "needs "+name)
	}
}

// Result is how a process ended.
type Result struct {
	Stdout, Stderr string
	// Code is the exit status, or 128 plus the number of Signal.
	Code   int
	Signal syscall.Signal
}

// Process is a process under test.
type Process struct {
	*exec.Cmd
	t              testing.TB
	stdout, stderr output
	read           chan struct{} // closed when Capture has read all, or nil
}

// Start starts cmd, and kills it when the test ends. Stdout and stderr are
// captured where they are not set.
func Start(t testing.TB, cmd *exec.Cmd) *Process {
	t.Helper()
	p := &Process{Cmd: cmd, t: t}
	if cmd.Stdout == nil {
		cmd.Stdout = &p.stdout
	}
	if cmd.Stderr == nil {
		cmd.Stderr = &p.stderr
	}
	cmd.WaitDelay = Patience
	if err := cmd.Start(); err != nil {
		t.Fatalf("%s: %v", cmd, err)
	}
	t.Cleanup(func() {
		if cmd.ProcessState == nil {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		}
	})
	return p
}

// Stdout is what was written so far.
func (p *Process) Stdout() string { return p.stdout.String() }

// Stderr is what was written so far.
func (p *Process) Stderr() string { return p.stderr.String() }

// Capture takes what comes from r, a terminal's other end, as the stdout.
func (p *Process) Capture(r io.Reader) {
	p.read = make(chan struct{})
	go func() {
		defer close(p.read)
		_, _ = io.Copy(&p.stdout, r) // EIO when the last process has closed it
	}()
}

// Await returns when the process has written text to stdout or stderr.
func (p *Process) Await(text string) {
	p.t.Helper()
	Until(p.t, "written: "+text, func() bool {
		return strings.Contains(p.Stdout(), text) || strings.Contains(p.Stderr(), text)
	}, func() string { return p.Stdout() + p.Stderr() })
}

// Signal sends a signal.
func (p *Process) Signal(signal syscall.Signal) {
	p.t.Helper()
	if err := p.Process.Signal(signal); err != nil {
		p.t.Fatal(err)
	}
}

// Result waits for the end.
func (p *Process) Result() Result {
	p.t.Helper()
	timer := time.AfterFunc(Patience, func() { _ = p.Process.Kill() })
	defer timer.Stop()
	_ = p.Wait()
	if p.read != nil {
		<-p.read
	}
	status := p.ProcessState.Sys().(syscall.WaitStatus)
	r := Result{Stdout: p.Stdout(), Stderr: p.Stderr(), Code: status.ExitStatus()}
	if status.Signaled() {
		r.Signal = status.Signal()
		r.Code = 128 + int(r.Signal)
	}
	return r
}

// Want compares what a test got with what it wants.
func Want[T comparable](t testing.TB, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %#v, want %#v", what, got, want)
	}
}

// Run runs a command to its end.
func Run(t testing.TB, name string, args ...string) Result {
	t.Helper()
	return Start(t, exec.Command(name, args...)).Result()
}

// Must runs a command that has to succeed, and returns its stdout.
func Must(t testing.TB, name string, args ...string) string {
	t.Helper()
	r := Run(t, name, args...)
	if r.Code != 0 {
		t.Fatalf("%s %q: exit status %d\n%s%s", name, args, r.Code, r.Stdout, r.Stderr)
	}
	return r.Stdout
}

// Until waits for condition.
func Until(t testing.TB, what string, condition func() bool, details ...func() string) {
	t.Helper()
	for deadline := time.Now().Add(Patience); !condition(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			text := ""
			for _, detail := range details {
				text += "\n" + detail()
			}
			t.Fatalf("in vain: %s%s", what, text)
		}
	}
}

// Env is the environment of this process without any of our own variables, plus
// more.
func Env(more ...string) []string {
	env := slices.DeleteFunc(os.Environ(), func(entry string) bool { return strings.HasPrefix(entry, "ENVOY_WAIT_") })
	return append(env, more...)
}

// Port is an sidecar.Port of a test.
type Port struct {
	*sidecar.Port
	t testing.TB
}

// NewPort binds a port without listening.
func NewPort(t testing.TB) *Port {
	t.Helper()
	p, err := sidecar.Bind()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return &Port{Port: p, t: t}
}

// Listen accepts connections from now on.
func (p *Port) Listen() net.Listener {
	p.t.Helper()
	l, err := p.Port.Listen()
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { _ = l.Close() })
	return l
}

// Sidecar listens, and is ready or not. It survives requests to quit, so that a
// test can count them.
func (p *Port) Sidecar(ready bool) *sidecar.Sidecar {
	p.t.Helper()
	s := sidecar.New(ready)
	s.Survives = true
	l := p.Listen()
	go func() { _ = s.Serve(l) }()
	return s
}

// Terminal is a new pseudo-terminal.
func Terminal(t testing.TB) (master, slave *os.File) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	Need(t, err == nil, fmt.Sprintf("needs a pseudo-terminal: %v", err))
	t.Cleanup(func() { _ = master.Close() })
	number, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	slave, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	return master, slave
}

// FullPipe returns the end of a pipe that takes no more, and that nobody reads.
func FullPipe(t testing.TB) *os.File {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = r.Close(), w.Close() })
	fd := int(w.Fd()) // each call makes it blocking
	if err := syscall.SetNonblock(fd, true); err != nil {
		t.Fatal(err)
	}
	for err == nil {
		_, err = syscall.Write(fd, make([]byte, 4096))
	}
	if err := syscall.SetNonblock(fd, false); err != nil {
		t.Fatal(err)
	}
	return w
}

// output may be read while it is written.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}
