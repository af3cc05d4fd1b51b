//go:build linux

package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/envoy-wait/envoy-wait/e2e/harness"
)

// console is a shell on a terminal, and its keyboard.
type console struct {
	*harness.Process
	t        *testing.T
	keyboard *os.File
	seen     int // bytes of the output up to the last line that was wanted
}

// typed types a line, or a control character.
func (c *console) typed(text string) {
	c.t.Helper()
	if _, err := c.keyboard.WriteString(text); err != nil {
		c.t.Fatal(err)
	}
}

// want waits for a line behind the one that was wanted last.
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

// shell starts an interactive bash. Its variable job is the command line of envoy-wait
// up to the command, and test is this binary.
func shell(t *testing.T) *console {
	t.Helper()
	harness.NeedTools(t, "bash")
	c := &console{t: t}
	cmd := exec.Command("bash", "--norc", "--noprofile", "--noediting", "-i")
	cmd.Env = harness.Env("PS1=", "job="+strings.Join(supervising(t).Args, " "), "test="+os.Args[0], "HISTFILE=")
	c.Process, c.keyboard = withTerminal(t, harness.Role(cmd, "acknowledge"), 0)
	// Without the echo the output has no typed line.
	c.typed("stty -echo -echoctl; echo off\n")
	c.want("off")
	return c
}

// Ctrl-C arrives once, and the shell gets the terminal back.
func TestCtrlC(t *testing.T) {
	c := shell(t)
	c.typed("$job $test\n")
	c.want("ready")
	c.typed("\x03")
	c.want("2")
	c.typed("\x03")
	c.want("2")
	c.typed("\n") // ends it
	c.typed("echo status $?\n")
	c.want("status 0")
	harness.Want(t, "SIGINT for two Ctrl-C", strings.Count(c.Stdout(), "\n2\r"), 2)

	c.typed("$job cat; echo status $?\n")
	c.typed("one\n")
	c.want("one")
	c.typed("\x03")
	c.want("status 130")
}

// A script around envoy-wait gets the terminal back when the command has ended.
func TestTerminalIsGivenBack(t *testing.T) {
	c := shell(t)
	c.typed("sh -c '$job head -n1; read -r line; echo script: $line'\n")
	c.typed("one\n")
	c.want("one")
	c.typed("two\n")
	c.want("script: two")

	// The child has the terminal until its execve fails.
	c.typed("sh -c '$job " + noShebang(t) + "; echo status $?; read -r line; echo script: $line'\n")
	c.want("status 126")
	c.typed("three\n")
	c.want("script: three")
}

// A script that has started envoy-wait with & can still read from the terminal.
func TestBackgroundOfAScript(t *testing.T) {
	c := shell(t)
	c.typed("sh -c '$job sh -c \"echo runs; exec sleep 1000\" & read -r line; echo script: $line; kill $!'\n")
	c.want("runs")
	c.typed("one\n")
	c.want("script: one")
}

// With stty tostop the kernel stops a background job that writes to the terminal. The app must start all the same.
func TestBackgroundWithTostop(t *testing.T) {
	c := shell(t)
	mark := filepath.Join(t.TempDir(), "started")
	c.typed("stty tostop; " + harness.Binary(t) + " --log-format text --url " + harness.NewPort(t).URL() + " --timeout 300ms -- touch " + mark + " &\n")
	harness.Until(t, "the app", func() bool { _, err := os.Stat(mark); return err == nil }, c.Stdout)
	c.Await("not ready after ")
}
