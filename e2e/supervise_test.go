//go:build linux

package e2e

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/envoy-wait/envoy-wait/e2e/harness"
)

// supervising is envoy-wait as the parent of command, without a wait.
func supervising(t *testing.T, command ...string) *exec.Cmd {
	t.Helper()
	port := harness.NewPort(t)
	port.Sidecar(true)
	return envoyWait(t, append([]string{"--disabled", "--quit-url", port.QuitURL(), "--"}, command...)...)
}

// Every exit status, and death by a signal as 128+n.
func TestSupervisedEnd(t *testing.T) {
	_, flags := job(t)
	for code := range 256 {
		run(t, append(flags, "--disabled", "--log-level", "error", "--", "sh", "-c", "exit "+strconv.Itoa(code))...).WantCode(t, code).WantLines(t, 0)
	}
	for _, signal := range []syscall.Signal{syscall.SIGKILL, syscall.SIGTERM, syscall.SIGSEGV, syscall.SIGUSR1, syscall.SIGPIPE, 64} {
		run(t, append(flags, "--disabled", "--", "sh", "-c", fmt.Sprintf("kill -%d $$", signal))...).WantCode(t, 128+int(signal))
	}
}

// forwarded are the signals that reach a supervised command.
func forwarded() (signals []syscall.Signal) {
	kept := []syscall.Signal{
		syscall.SIGKILL, syscall.SIGSTOP, syscall.SIGCHLD, syscall.SIGURG, 32, 33, 34,
		syscall.SIGILL, syscall.SIGTRAP, syscall.SIGBUS, syscall.SIGFPE, syscall.SIGSEGV, syscall.SIGSYS, syscall.SIGSTKFLT,
		syscall.SIGPROF, // os/signal never tells a program of it
		syscall.SIGPIPE, // it may be about a line of our own
	}
	for sig := syscall.Signal(1); sig <= 64; sig++ {
		if !slices.Contains(kept, sig) {
			signals = append(signals, sig)
		}
	}
	return signals
}

// acknowledging is a supervised command that prints the number of each signal.
type acknowledging struct {
	*harness.Process
	stdin  io.Closer
	stdout *os.File
	output *bufio.Reader
}

func startAcknowledging(t *testing.T, change func(*exec.Cmd)) *acknowledging {
	t.Helper()
	cmd := detached(harness.Role(supervising(t, os.Args[0]), "acknowledge"))
	change(cmd)
	stdin := harness.Stdin(t, cmd)
	r, w := harness.Pipe(t)
	cmd.Stdout = w
	p := &acknowledging{Process: harness.Start(t, cmd), stdin: stdin, stdout: r, output: bufio.NewReader(r)}
	_ = w.Close()
	p.want(t, "ready")
	return p
}

func (p *acknowledging) want(t *testing.T, line string) {
	t.Helper()
	_ = p.stdout.SetReadDeadline(time.Now().Add(harness.Patience))
	if got, err := p.output.ReadString('\n'); got != line+"\n" {
		t.Fatalf("the command printed %q (%v), want %q", got, err, line)
	}
}

// end ends the command, which must have nothing more to say.
func (p *acknowledging) end(t *testing.T) {
	t.Helper()
	_ = p.stdin.Close()
	if rest, err := io.ReadAll(p.output); len(rest) > 0 || err != nil {
		t.Errorf("more was printed: %q (%v)", rest, err)
	}
	p.Result().WantCode(t, 0)
}

// No signal is lost, and none comes twice, each acknowledged before the next is
// sent: half of them to envoy-wait alone, half to its process group.
func TestSignalsReachTheSupervised(t *testing.T) {
	p := startAcknowledging(t, func(*exec.Cmd) {})
	signals := forwarded()
	for i := range 1000 {
		sig := signals[rand.IntN(len(signals))]
		if i < len(signals) {
			sig = signals[i] // each at least once
		}
		if err := syscall.Kill(p.Process.Process.Pid*(1-2*(i%2)), sig); err != nil {
			t.Fatal(err)
		}
		p.want(t, strconv.Itoa(int(sig)))
	}
	p.end(t)
}

// What a command does not handle ends it.
func TestSignalEndsTheSupervised(t *testing.T) {
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGALRM, 64} {
		p := harness.Start(t, detached(supervising(t, "sh", "-c", "echo ready; exec sleep 1000")))
		p.Await("ready")
		p.Signal(signal)
		p.Result().WantCode(t, 128+int(signal))
	}
}

// A signal that was blocked when envoy-wait started is passed on all the same:
// the command may unblock it.
func TestBlockedSignalsReachTheSupervised(t *testing.T) {
	harness.NeedTools(t, "env")
	p := startAcknowledging(t, func(cmd *exec.Cmd) {
		cmd.Path, cmd.Args = "/usr/bin/env", append([]string{"env", "--block-signal=USR1"}, cmd.Args...)
	})
	p.Signal(syscall.SIGUSR2)
	p.want(t, "12")
	p.Signal(syscall.SIGUSR1) // Go's os/signal unblocks it
	p.want(t, "10")
	p.end(t)
}

// The SIGPIPE that a line of our own raises is not the command's affair.
func TestOurOwnSIGPIPE(t *testing.T) {
	var stderr, reader *os.File
	p := startAcknowledging(t, func(cmd *exec.Cmd) {
		reader, stderr = harness.FullPipe(t)
		cmd.Stderr = stderr
	})
	_ = stderr.Close()
	_ = reader.Close() // the line that blocked fails now
	for range 50 {
		p.Signal(syscall.SIGUSR1)
		p.want(t, "10")
	}
	p.end(t)
}

// A fork takes a millisecond on some machines, so the number is for the asking.
var orphans = flag.Int("orphans", 1000, "how many orphans there are to reap; rounded up to hundreds")

// All orphans are reaped, while the command's own status stays its own.
func TestOrphans(t *testing.T) {
	asSubreaper := func(cmd *exec.Cmd) *exec.Cmd {
		cmd.Path, cmd.Args = os.Args[0], append([]string{os.Args[0]}, cmd.Args...)
		return harness.Role(cmd, "subreaper")
	}
	for name, how := range map[string]func(*exec.Cmd) *exec.Cmd{"as a subreaper": asSubreaper, "as PID 1": asPID1} {
		t.Run(name, func(t *testing.T) {
			if name == "as PID 1" {
				harness.NeedRoot(t)
			}
			// Each orphan is a child of a subshell that has ended.
			batches := (*orphans + 99) / 100
			script := fmt.Sprintf(`i=0; while [ $i -lt %d ]; do (%s); i=$((i+1)); echo "batch $i."; done; (sleep 1000 & echo "last orphan"); read -r _; exit 7`,
				batches, strings.Repeat(": & ", 100))
			cmd := how(supervising(t, "sh", "-c", script))
			stdin := harness.Stdin(t, cmd)
			p := harness.Start(t, cmd)
			for i := range batches {
				p.Await(fmt.Sprintf("batch %d.", i+1))
			}
			p.Await("last orphan")
			// What is left are the command and the last orphan, both alive.
			harness.Until(t, "only two children", func() bool { return len(children(t, p.Process.Pid)) == 2 })
			harness.Until(t, "only the command", func() bool {
				left := children(t, p.Process.Pid)
				for _, child := range left {
					if commandOf(child) == "sleep" { // not before it is that
						_ = syscall.Kill(child, syscall.SIGKILL)
					}
				}
				return len(left) == 1
			})
			_ = stdin.Close()
			p.Result().WantCode(t, 7)
		})
	}
}

// children returns the PIDs of the children of a process, of zombies too.
func children(t *testing.T, pid int) (pids []int) {
	t.Helper()
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	if err != nil || len(files) == 0 {
		t.Fatalf("no children of %d in /proc: %v", pid, err)
	}
	for _, file := range files {
		content, _ := os.ReadFile(file)
		for _, field := range strings.Fields(string(content)) {
			if child, err := strconv.Atoi(field); err == nil {
				pids = append(pids, child)
			}
		}
	}
	return pids
}

func commandOf(pid int) string {
	name, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
	return strings.TrimSpace(string(name))
}

// If envoy-wait is killed the command is told.
func TestSupervisorIsKilled(t *testing.T) {
	read, write := harness.Pipe(t)
	cmd := supervising(t, "sh", "-c", `trap 'echo told; exit' TERM; echo ready; while :; do read -r _ || exit 9; done`)
	cmd.Stdout = write
	harness.Stdin(t, cmd)
	p := harness.Start(t, detached(cmd))
	_ = write.Close()
	output := bufio.NewReader(read)
	if line, err := output.ReadString('\n'); line != "ready\n" {
		t.Fatalf("%q, %v", line, err)
	}
	p.Signal(syscall.SIGKILL)
	if line, err := output.ReadString('\n'); line != "told\n" {
		t.Errorf("%q, %v", line, err)
	}
}

// Not a byte of stdin is taken, and what the command closes is closed.
func TestSupervisedStreams(t *testing.T) {
	content := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
	cmd := supervising(t, "sha256sum")
	cmd.Stdin = bytes.NewReader(content)
	harness.Start(t, cmd).Result().Want(t, 0, fmt.Sprintf("%x  -\n", sha256.Sum256(content)))

	stdinRead, stdin := harness.Pipe(t)
	stdout, stdoutWrite := harness.Pipe(t)
	control, controlWrite := harness.Pipe(t)
	cmd = supervising(t, "sh", "-c", "echo last; exec <&- >&-; read -r _ <&3")
	cmd.Stdin, cmd.Stdout, cmd.ExtraFiles = stdinRead, stdoutWrite, []*os.File{control}
	p := harness.Start(t, cmd)
	_, _, _ = stdinRead.Close(), stdoutWrite.Close(), control.Close()
	if got, err := io.ReadAll(stdout); string(got) != "last\n" || err != nil { // it ends though the command runs
		t.Errorf("%q, %v", got, err)
	}
	harness.Until(t, "stdin without a reader", func() bool {
		_, err := stdin.WriteString("x")
		return err != nil
	})
	_ = controlWrite.Close()
	p.Result().WantCode(t, 1) // read's at the end of file
}
