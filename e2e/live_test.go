//go:build linux

package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/envoy-wait/envoy-wait/e2e/harness"
)

// drawn is part of every live line, and of nothing else.
const drawn = "s left"

// onXterm is the command with the environment of an ordinary terminal.
func onXterm(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	cmd := envoyWait(t, args...)
	cmd.Env = harness.Env("TERM=xterm", "NO_COLOR=")
	return cmd
}

// At the end the screen shows the log and the app's output, and nothing else.
func TestLiveLineLeavesNoTrace(t *testing.T) {
	for name, test := range map[string]struct {
		columns  int
		app, out string
	}{
		"wide":                  {200, `echo out; echo err >&2`, "out\nerr\n"},
		"narrow":                {30, `echo out`, "out\n"},
		"very narrow":           {1, `echo out`, "out\n"},
		"no end of line":        {80, `printf out`, "out"},
		"a full-screen program": {80, `printf '\033[?1049h\033[2J\033[Hfull\033[?1049l'; echo bye`, "bye\n"},
	} {
		t.Run(name, func(t *testing.T) {
			port := harness.NewPort(t)
			p, _ := withTerminal(t, onXterm(t, "--url", port.URL(), "--", "sh", "-c", test.app), test.columns)
			await(t, p, 2)
			agent := port.Sidecar(false)
			p.Await("status 503, was")
			await(t, p, strings.Count(p.Stdout(), drawn)+2)
			agent.SetReady(true)
			r := p.Result()
			ready := regexp.MustCompile(`ready after \S+, starting "sh"`).FindString(r.Stdout)
			want := "envoy-wait: waiting for " + port.URL() + ": connection refused\n" +
				"envoy-wait: " + port.URL() + ": status 503, was connection refused\n" +
				"envoy-wait: " + ready + "\n" + test.out
			harness.Want(t, "screen", screen(t, test.columns, r.Stdout), screen(t, test.columns, strings.ReplaceAll(want, "\n", "\r\n")))
			r.WantCode(t, 0)
		})
	}
}

// The live line is gone before the last message, however the wait ends.
func TestLiveLineAtTheEnd(t *testing.T) {
	for name, test := range map[string]struct {
		timeout string
		end     func(p *harness.Process, terminal *os.File)
		last    string
	}{
		"timeout": {"3s", func(*harness.Process, *os.File) {}, "not ready after "},
		"signal":  {"60s", func(p *harness.Process, _ *os.File) { p.Signal(syscall.SIGTERM) }, "warning: SIGTERM after "},
		// The terminal writes ^C where the cursor is: into the live line.
		"Ctrl-C": {"60s", func(_ *harness.Process, terminal *os.File) { _, _ = terminal.WriteString("\x03") }, "warning: SIGINT after "},
	} {
		t.Run(name, func(t *testing.T) {
			port := harness.NewPort(t)
			p, terminal := withTerminal(t, onXterm(t, "--url", port.URL(), "--timeout", test.timeout), 300)
			await(t, p, 1)
			test.end(p, terminal)
			r := p.Result()
			lines := strings.Split(screen(t, 300, r.Stdout), "\n")
			if len(lines) != 3 || !strings.HasPrefix(lines[1], "envoy-wait: "+test.last) || lines[2] != "" || r.Code == 0 {
				t.Errorf("got exit status %d and the screen %q, want an error, and %q in the second of two lines\nall that was written: %q",
					r.Code, lines, "envoy-wait: "+test.last, r.Stdout)
			}
		})
	}
}

// A terminal that is made narrower breaks a line in two, and joins the parts when it is made wider.
func TestLiveLineAfterAResize(t *testing.T) {
	harness.NeedTools(t, "tmux")
	port, socket := harness.NewPort(t), filepath.Join(t.TempDir(), "tmux")
	tmux := func(args ...string) string {
		t.Helper()
		return harness.Must(t, "tmux", append([]string{"-f", "/dev/null", "-S", socket}, args...)...)
	}
	// On a narrower screen the rows at the top scroll away, out of the reach of any program: so there are some.
	tmux("new-session", "-d", "-x", "100", "-y", "40", "sh", "-c", `seq 20; exec "$@"`, "sh",
		harness.Binary(t), "--url", port.URL(), "--", "sh", "-c", "echo started; exec cat")
	t.Cleanup(func() { tmux("kill-server") })
	screen := func() string { return tmux("capture-pane", "-p", "-J", "-S", "-") } // with what has scrolled away
	shown := func(text string) {
		t.Helper()
		harness.Until(t, text+" on the screen", func() bool { return strings.Contains(screen(), text) }, screen)
	}
	shown(drawn)
	for i, columns := range []string{"30", "100", "20", "50", "100"} {
		tmux("resize-window", "-x", columns)
		shown(fmt.Sprintf("envoy-wait: %ds", i+2)) // it was drawn anew since
	}
	port.Sidecar(true)
	shown("started")
	got := strings.Join(strings.Fields(screen()), " ")
	want := regexp.MustCompile(`^1 .* 20 envoy-wait: waiting for \S+: connection refused envoy-wait: ready after \S+, starting "sh" started$`)
	if !want.MatchString(got) {
		t.Errorf("got the screen %q, want the log and the app's output alone: %v", got, want)
	}
}

// The app starts though Ctrl-S has stopped the terminal.
func TestLiveLineOnATerminalThatIsStopped(t *testing.T) {
	port := harness.NewPort(t)
	mark := filepath.Join(t.TempDir(), "started")
	p, terminal := withTerminal(t, onXterm(t, "--url", port.URL(), "--", "touch", mark), 200)
	await(t, p, 1)
	if _, err := terminal.WriteString("\x13"); err != nil {
		t.Fatal(err)
	}
	harness.Until(t, "silence", func() bool {
		before := p.Stdout()
		time.Sleep(time.Second) // four redraws
		return p.Stdout() == before
	})
	port.Sidecar(true)
	r := p.Result().WantCode(t, 0)
	if _, err := os.Stat(mark); err != nil {
		t.Errorf("got %v, want the app's file", err)
	}
	harness.WantNotIn(t, r.Stdout, "ready after")
}

// There is no live line in these cases, though each wait is long enough for one.
func TestNoLiveLine(t *testing.T) {
	for name, test := range map[string]struct {
		env, args []string
		how       func(*exec.Cmd)
	}{
		"NO_COLOR":     {env: []string{"NO_COLOR=1"}},
		"a dumb one":   {env: []string{"TERM=dumb"}},
		"no TERM":      {env: []string{"TERM="}},
		"JSON":         {args: []string{"--log-format=json"}},
		"warnings":     {args: []string{"--log-level=warn"}},
		"--once":       {args: []string{"--once"}},
		"--disabled":   {args: []string{"--disabled"}},
		"a pipe":       {how: func(cmd *exec.Cmd) { wrap(cmd, `"$@" 2>&1 | cat`) }},
		"text, a pipe": {args: []string{"--log-format=text"}, how: func(cmd *exec.Cmd) { wrap(cmd, `"$@" 2>&1 | cat`) }},
		"background":   {how: func(cmd *exec.Cmd) { wrap(cmd, `set -m; "$@" & wait`) }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cmd := onXterm(t, append(test.args, "--timeout", "1s", "--url", harness.NewPort(t).URL())...)
			cmd.Env = append(cmd.Env, test.env...)
			if test.how != nil {
				test.how(cmd)
			}
			p, _ := withTerminal(t, cmd, 80)
			noLiveLine(t, p.Result().Stdout)
		})
	}
	t.Run("ready", func(t *testing.T) {
		p, _ := withTerminal(t, onXterm(t, "--url", readyURL(t), "--", "echo", "started"), 80)
		noLiveLine(t, p.Result().Stdout)
	})
}

func noLiveLine(t *testing.T, written string) {
	t.Helper()
	if text := strings.ReplaceAll(written, "\r\n", "\n"); text == "" || strings.ContainsAny(text, "\r\x1b") {
		t.Errorf("got %q, want whole lines without codes", written)
	}
}

// wrap has a shell run cmd by script.
func wrap(cmd *exec.Cmd, script string) {
	cmd.Path = "/bin/bash"
	cmd.Args = append([]string{"bash", "-c", script, "bash"}, cmd.Args...)
}

// await returns when the live line has been drawn n times.
func await(t *testing.T, p *harness.Process, n int) {
	t.Helper()
	harness.Until(t, "a live line", func() bool { return strings.Count(p.Stdout(), drawn) >= n }, p.Stdout)
}

var escape = regexp.MustCompile(`^\x1b\[[?0-9;]*[A-Za-z]`)

// screen is the text on a terminal after written. It knows the codes of envoy-wait, and
// those of a full-screen program.
func screen(t *testing.T, columns int, written string) string {
	t.Helper()
	main, row, column := [][]byte{nil}, 0, 0
	other, wraps := false, true
	for len(written) > 0 {
		next := written[:1]
		if match := escape.FindString(written); match != "" {
			next = match
		}
		written = written[len(next):]
		switch {
		case next == "\x1b[?1049h":
			other = true
		case next == "\x1b[?1049l":
			other = false
		case other:
		case next == "\r":
			column = 0
		case next == "\n":
			row++
		case next == "\x1b[?7l", next == "\x1b[?7h":
			wraps = next == "\x1b[?7h"
		case next == "\x1b[C":
			column = min(column+1, columns-1)
		case next == "\x1b[J":
			main = main[:row+1]
			fallthrough
		case next == "\x1b[K":
			main[row] = main[row][:min(column, len(main[row]))]
		case next[0] < ' ':
			t.Fatalf("got %q, want codes that each terminal knows", next)
		default:
			if column == columns && wraps { // the cursor waits behind the last column
				row, column = row+1, 0
			}
			column = min(column, columns-1)
			for len(main) <= row {
				main = append(main, nil)
			}
			main[row] = append(main[row], slices.Repeat([]byte(" "), max(0, column+1-len(main[row])))...)
			main[row][column] = next[0]
			column++
		}
		for len(main) <= row {
			main = append(main, nil)
		}
	}
	lines := make([]string, len(main))
	for i, line := range main {
		lines[i] = string(line)
	}
	return strings.Join(lines, "\n")
}
