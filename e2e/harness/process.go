//go:build linux

package harness

import (
	"bytes"
	"io"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

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

// Stdin returns the writing end of cmd's stdin, which is closed when the test ends.
func Stdin(t testing.TB, cmd *exec.Cmd) io.WriteCloser {
	t.Helper()
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = stdin.Close() })
	return stdin
}

// Stdout is the output so far.
func (p *Process) Stdout() string { return p.stdout.String() }

// Stderr is the output so far.
func (p *Process) Stderr() string { return p.stderr.String() }

// Capture reads the stdout from r, the other end of a terminal.
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
		t.Fatalf("%s %q: got exit status %d, want 0\n%s%s", name, args, r.Code, r.Stdout, r.Stderr)
	}
	return r.Stdout
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
