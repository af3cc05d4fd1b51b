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

// toCommand are the signals that somebody may send to a command.
var toCommand = []syscall.Signal{
	syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGABRT, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGALRM,
	syscall.SIGTERM, syscall.SIGCONT, syscall.SIGTSTP, syscall.SIGTTIN, syscall.SIGTTOU, syscall.SIGXCPU, syscall.SIGXFSZ,
	syscall.SIGVTALRM, syscall.SIGWINCH, syscall.SIGIO, syscall.SIGPWR,
	35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49, // real-time signals, without 32 to 34 of the C library
	50, 51, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 62, 63, 64,
}

// notToCommand are signals that are about envoy-wait itself: about a child, a pipe, and the Go runtime.
var notToCommand = []syscall.Signal{syscall.SIGCHLD, syscall.SIGPIPE, syscall.SIGURG, syscall.SIGPROF}

// acknowledging is a supervised command that prints the number of each signal.
type acknowledging struct {
	*harness.Process
	stdin  io.Closer
	stdout *os.File
	output *bufio.Reader
}

func startAcknowledging(t *testing.T, change func(*exec.Cmd)) *acknowledging {
	t.Helper()
	cmd := harness.Detached(harness.Role(supervising(t, os.Args[0]), "acknowledge"))
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

// wantBoth wants two signals, in any order.
func (p *acknowledging) wantBoth(t *testing.T, signals ...syscall.Signal) {
	t.Helper()
	var got []string
	for range signals {
		line, _ := p.output.ReadString('\n')
		got = append(got, strings.TrimSpace(line))
	}
	for _, sig := range signals {
		if !slices.Contains(got, strconv.Itoa(int(sig))) {
			t.Fatalf("the command printed %q, want %d among them", got, sig)
		}
	}
}

// end ends the command. It must have printed nothing more.
func (p *acknowledging) end(t *testing.T) {
	t.Helper()
	_ = p.stdin.Close()
	if rest, err := io.ReadAll(p.output); len(rest) > 0 || err != nil {
		t.Errorf("got more output, %q (%v), want none", rest, err)
	}
	p.Result().WantCode(t, 0)
}

// No signal is lost, and none comes twice, where each is acknowledged before the next
// is sent. Half of them go to envoy-wait alone, half to its process group.
func TestSignalsReachTheSupervised(t *testing.T) {
	p := startAcknowledging(t, func(*exec.Cmd) {})
	for _, sig := range notToCommand {
		p.Signal(sig)
	}
	for i := range 1000 {
		sig := toCommand[rand.IntN(len(toCommand))]
		if i < len(toCommand) {
			sig = toCommand[i] // each at least once
		}
		if err := syscall.Kill(p.Process.Process.Pid*(1-2*(i%2)), sig); err != nil {
			t.Fatal(err)
		}
		if sig == syscall.SIGTERM || sig == syscall.SIGHUP { // with a CONT, or a command that is stopped could not end
			p.wantBoth(t, sig, syscall.SIGCONT)
		} else {
			p.want(t, strconv.Itoa(int(sig)))
		}
	}
	p.end(t)
}

// A signal without a handler ends the command.
func TestSignalEndsTheSupervised(t *testing.T) {
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGALRM, 64} {
		p := harness.Start(t, harness.Detached(supervising(t, "sh", "-c", "echo ready; exec sleep 1000")))
		p.Await("ready")
		p.Signal(signal)
		p.Result().WantCode(t, 128+int(signal))
	}
}

// A signal that was blocked when envoy-wait started is forwarded all the same: the
// command may unblock it.
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

// A line of our own to a broken pipe raises SIGPIPE. The command does not get it.
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

var orphans = flag.Int("orphans", 1000, "how many orphans there are to reap; rounded up to hundreds")

// All orphans are reaped, and the exit status is the command's, not an orphan's.
func TestOrphans(t *testing.T) {
	asSubreaper := func(cmd *exec.Cmd) *exec.Cmd {
		cmd.Path, cmd.Args = os.Args[0], append([]string{os.Args[0]}, cmd.Args...)
		return harness.Role(cmd, "subreaper")
	}
	for name, how := range map[string]func(*exec.Cmd) *exec.Cmd{"as a subreaper": asSubreaper, "as PID 1": harness.AsPID1} {
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
			// The command and the last orphan are alive.
			harness.Until(t, "only two children", func() bool { return len(harness.Children(p.Process.Pid)) == 2 })
			harness.Until(t, "only the command", func() bool {
				left := harness.Children(p.Process.Pid)
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

func commandOf(pid int) string {
	name, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
	return strings.TrimSpace(string(name))
}

// If envoy-wait is killed, the command gets TERM.
func TestSupervisorIsKilled(t *testing.T) {
	read, write := harness.Pipe(t)
	cmd := supervising(t, "sh", "-c", `trap 'echo told; exit' TERM; echo ready; while :; do read -r _ || exit 9; done`)
	cmd.Stdout = write
	harness.Stdin(t, cmd)
	p := harness.Start(t, harness.Detached(cmd))
	_ = write.Close()
	output := bufio.NewReader(read)
	if line, err := output.ReadString('\n'); line != "ready\n" {
		t.Fatalf("got %q, %v, want ready", line, err)
	}
	p.Signal(syscall.SIGKILL)
	if line, err := output.ReadString('\n'); line != "told\n" {
		t.Errorf("got %q, %v, want told", line, err)
	}
}

// The command gets each byte of stdin. A stream that it closes is closed for the other end.
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
	if got, err := io.ReadAll(stdout); string(got) != "last\n" || err != nil { // the end of the file comes while the command runs
		t.Errorf("got %q, %v, want last", got, err)
	}
	harness.Until(t, "stdin without a reader", func() bool {
		_, err := stdin.WriteString("x")
		return err != nil
	})
	_ = controlWrite.Close()
	p.Result().WantCode(t, 1) // read's at the end of file
}

// What the command closes above 2 is closed too, such as the lock or the pipe of a script around it.
func TestSupervisedDescriptors(t *testing.T) {
	control, controlWrite := harness.Pipe(t)
	inherited, inheritedWrite := harness.Pipe(t)
	cmd := supervising(t, "sh", "-c", "echo last >&4; exec 4>&-; read -r _ <&3")
	cmd.ExtraFiles = []*os.File{control, inheritedWrite}
	p := harness.Start(t, cmd)
	_, _ = control.Close(), inheritedWrite.Close()
	if got, err := io.ReadAll(inherited); string(got) != "last\n" || err != nil { // the end of the file comes while the command runs
		t.Errorf("got %q, %v, want last", got, err)
	}
	_ = controlWrite.Close()
	p.Result().WantCode(t, 1) // read's at the end of file
}

// TERM and HUP end a command that is stopped.
func TestSignalEndsAStoppedCommand(t *testing.T) {
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGHUP} {
		p := harness.Start(t, harness.Detached(supervising(t, "sh", "-c", "kill -STOP $$; sleep 1000")))
		harness.Until(t, "a stopped command", func() bool {
			return slices.ContainsFunc(harness.Children(p.Process.Pid), func(child int) bool {
				stat, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", child))
				return strings.Contains(string(stat), ") T ")
			})
		})
		p.Signal(signal)
		p.Result().WantCode(t, 128+int(signal))
	}
}
