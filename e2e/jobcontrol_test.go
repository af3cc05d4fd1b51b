//go:build linux

package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/envoy-wait/envoy-wait/e2e/harness"
)

const ctrlC, ctrlZ = "\x03", "\x1a"

// console is what a person has in front of them.
type console struct {
	*harness.Process
	t        *testing.T
	keyboard *os.File
	seen     int // how much of the output a want has seen
}

// typed types a line, or a control character.
func (c *console) typed(text string) {
	c.t.Helper()
	if _, err := c.keyboard.WriteString(text); err != nil {
		c.t.Fatal(err)
	}
}

// want waits for a line in what comes after the last want.
func (c *console) want(line string) {
	c.t.Helper()
	harness.Until(c.t, "on the terminal: "+line, func() bool {
		i := strings.Index(c.Stdout()[c.seen:], line+"\r\n")
		if i >= 0 {
			c.seen += i + len(line)
		}
		return i >= 0
	}, c.Stdout)
}

// shell is an interactive one on a terminal, with the variable job set to
// envoy-wait and its flags.
func shell(t *testing.T) *console {
	t.Helper()
	harness.NeedTools(t, "bash")
	words := supervising(t).Args
	c := &console{t: t}
	cmd := exec.Command("bash", "--norc", "--noprofile", "--noediting", "-i")
	cmd.Env = harness.Env("PS1=", "job="+strings.Join(words, " "), "test="+os.Args[0], "HISTFILE=")
	c.Process, c.keyboard = withTerminal(t, cmd, 0)
	// What is typed is not shown: only what is written counts.
	c.typed("stty -echo -echoctl; echo off\n")
	c.want("off")
	return c
}

// Ctrl-C arrives once, Ctrl-Z stops both so that the shell goes on, fg and bg
// continue both, and the terminal is the shell's again in the end.
func TestJobControl(t *testing.T) {
	c := shell(t)
	c.typed("E2E_APP=acknowledge $job $test\n")
	c.want("ready")
	c.typed(ctrlC)
	c.want("2")
	c.typed(ctrlC)
	c.want("2")
	c.typed("\n") // ends it
	c.typed("echo status $?\n")
	c.want("status 0")
	if n := strings.Count(c.Stdout(), "\n2\r"); n != 2 {
		t.Errorf("two Ctrl-C became %d:\n%s", n, c.Stdout())
	}

	c.typed("$job cat\n")
	c.typed("one\n")
	c.want("one")
	c.typed(ctrlZ)
	c.want("$job cat") // is stopped
	c.typed("echo status $?\n")
	c.want("status 148")
	c.typed("fg >/dev/null; echo status $?\n")
	c.typed("two\n")
	c.want("two")
	c.typed(ctrlC)
	c.want("status 130")

	c.typed("$job sh -c 'kill -STOP $$; echo continued'\n") // as some programs take Ctrl-Z
	c.want("$job sh -c 'kill -STOP $$; echo continued'")
	c.typed("fg >/dev/null\n")
	c.want("continued")
}

// In the background it stops when it wants to read, and fg gives it the terminal.
func TestJobControlFromTheBackground(t *testing.T) {
	c := shell(t)
	c.typed("$job cat & wait %1\n")
	c.want("$job cat") // is stopped
	c.typed("fg >/dev/null; echo status $?\n")
	c.typed("one\n")
	c.want("one")
	c.typed(ctrlC)
	c.want("status 130")
}

// A script, which shares envoy-wait's process group, has the terminal again when
// the command has ended, and stops together with it.
func TestTerminalIsGivenBack(t *testing.T) {
	c := shell(t)
	c.typed("sh -c '$job head -n1; read -r line; echo script: $line'\n")
	c.typed("one\n")
	c.want("one")
	c.typed("two\n")
	c.want("script: two")

	c.typed("sh -c '$job cat; echo script goes on'\n")
	c.typed("one\n")
	c.want("one")
	c.typed(ctrlZ)
	c.want("sh -c '$job cat; echo script goes on'") // is stopped
	c.typed("fg >/dev/null\n")
	c.typed("two\n")
	c.want("two")
	c.typed("\x04") // the end of cat's stdin
	c.want("script goes on")

	// The child has it for a moment, before its execve fails.
	noShebang := filepath.Join(t.TempDir(), "noshebang")
	if err := os.WriteFile(noShebang, []byte("echo hi\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	c.typed("sh -c '$job " + noShebang + "; echo status $?; read -r line; echo script: $line'\n")
	c.want("status 126")
	c.typed("three\n")
	c.want("script: three")
}

// A script that has started it with & goes on reading from the terminal.
func TestBackgroundOfAScript(t *testing.T) {
	c := shell(t)
	c.typed("sh -c '$job sh -c \"echo runs; exec sleep 1000\" & read -r line; echo script: $line; kill $!'\n")
	c.want("runs")
	c.typed("one\n")
	c.want("script: one")
}

// Where no shell is there to continue it, as with docker run -it, Ctrl-Z has no
// effect.
func TestCtrlZWithoutAShell(t *testing.T) {
	p, keyboard := withTerminal(t, supervising(t, "cat"), 0)
	c := &console{Process: p, t: t, keyboard: keyboard}
	c.typed("one\n")
	c.want("one") // shown by the terminal
	c.want("one") // and by cat
	c.typed(ctrlZ)
	c.typed("two\n")
	c.want("two")
	c.want("two")
	c.typed(ctrlC)
	if r := p.Result(); r.Code != 130 {
		t.Errorf("%+v", r)
	}
}

// A command that something else has stopped is left stopped there.
func TestSIGSTOPWithoutAShell(t *testing.T) {
	p, keyboard := withTerminal(t, supervising(t, "cat"), 0)
	c := &console{Process: p, t: t, keyboard: keyboard}
	c.typed("one\n")
	c.want("one") // shown by the terminal
	c.want("one") // and by cat
	cat := children(t, p.Process.Pid)[0]
	_ = syscall.Kill(cat, syscall.SIGSTOP)
	harness.Until(t, "the stop", func() bool { return statusOf(t, cat, "State") == "T (stopped)" })
	// What is passed on comes after the stop was seen to.
	p.Signal(syscall.SIGUSR1)
	harness.Until(t, "a pending SIGUSR1", func() bool { return statusOf(t, cat, "ShdPnd") != "0000000000000000" })
	if state := statusOf(t, cat, "State"); state != "T (stopped)" {
		t.Error(state)
	}
	_ = syscall.Kill(cat, syscall.SIGCONT)
	if r := p.Result(); r.Code != 128+int(syscall.SIGUSR1) {
		t.Errorf("%+v", r)
	}
}

// statusOf returns a field of /proc/PID/status.
func statusOf(t *testing.T, pid int, field string) string {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, value, _ := strings.Cut(string(status), field+":\t")
	value, _, _ = strings.Cut(value, "\n")
	return value
}
