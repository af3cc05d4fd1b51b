//go:build linux

package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/envoy-wait/envoy-wait/e2e/harness"
)

// envoyWait is the command with our variables out of its environment.
func envoyWait(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(harness.Binary(t), args...)
	cmd.Env = harness.Env()
	return cmd
}

func run(t *testing.T, args ...string) harness.Result {
	t.Helper()
	return harness.Start(t, envoyWait(t, args...)).Result()
}

// readyURL is that of a sidecar that is ready.
func readyURL(t *testing.T) string {
	t.Helper()
	port := harness.NewPort(t)
	port.Sidecar(true)
	return port.URL()
}

// message returns that of the last line on stderr, all of which must be JSON.
func message(t *testing.T, stderr string) (last string) {
	t.Helper()
	for _, line := range jsonLines(t, stderr) {
		last = line["message"].(string)
	}
	return last
}

func jsonLines(t *testing.T, stderr string) (lines []map[string]any) {
	t.Helper()
	for text := range strings.Lines(stderr) {
		var line map[string]any
		if err := json.Unmarshal([]byte(text), &line); err != nil {
			t.Fatalf("%v: %s", err, text)
		}
		lines = append(lines, line)
	}
	return lines
}

func TestWaitOnly(t *testing.T) {
	if r := run(t, "--url", readyURL(t)); r.Code != 0 || !strings.HasPrefix(message(t, r.Stderr), "ready after ") || r.Stdout != "" {
		t.Errorf("%+v", r)
	}
	if r := run(t, "--url", harness.NewPort(t).URL(), "--timeout", "100ms"); r.Code != 124 || !strings.HasPrefix(message(t, r.Stderr), "not ready after ") {
		t.Errorf("%+v", r)
	}
	if r := run(t, "--disabled"); r.Code != 0 {
		t.Errorf("%+v", r)
	}
}

func TestOnTimeout(t *testing.T) {
	url := harness.NewPort(t).URL()
	r := run(t, "--url", url, "--timeout", "100ms", "--on-timeout", "fail", "--", "echo", "started")
	if r.Code != 124 || r.Stdout != "" {
		t.Errorf("fail: %+v", r)
	}
	r = run(t, "--url", url, "--timeout", "100ms", "--", "echo", "started")
	if r.Code != 0 || r.Stdout != "started\n" {
		t.Errorf("start: %+v", r)
	}
	warnings := 0
	for _, line := range jsonLines(t, r.Stderr) {
		if line["severity"] == "WARNING" {
			warnings++
		}
	}
	last := message(t, r.Stderr)
	if warnings != 1 || !strings.Contains(last, `starting "echo" anyway`) || !strings.Contains(last, url+": connection refused; hint: is there a sidecar") {
		t.Errorf("start: %s", r.Stderr)
	}
}

func TestVersionAndHelp(t *testing.T) {
	if r := run(t, "--version"); r.Code != 0 || !strings.HasPrefix(r.Stdout, "envoy-wait ") || r.Stderr != "" || strings.Count(r.Stdout, "\n") != 1 {
		t.Errorf("%+v", r)
	}
	if r := run(t, "--help", "--", "app"); r.Code != 0 || !strings.HasPrefix(r.Stdout, "Usage: envoy-wait ") || r.Stderr != "" {
		t.Errorf("%+v", r)
	}
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip(err)
	}
	defer func() { _ = full.Close() }()
	cmd := envoyWait(t, "--help")
	cmd.Stdout = full
	if r := harness.Start(t, cmd).Result(); r.Code != 125 {
		t.Errorf("stdout is full: %+v", r)
	}
}

// A usage error is one line, starts nothing and probes nothing.
func TestUsageErrors(t *testing.T) {
	port := harness.NewPort(t)
	agent := port.Sidecar(true)
	mark := filepath.Join(t.TempDir(), "started")
	for _, test := range []struct {
		args []string
		env  string
	}{
		{args: []string{"--"}},
		{args: []string{"--tiemout", "5s", "--", "touch", mark}},
		{args: []string{"--timeout", "5", "--", "touch", mark}},
		{args: []string{"--timeout", "-1s", "touch", mark}},
		{args: []string{"--url", "ftp://x", "touch", mark}},
		{args: []string{"touch", mark}, env: "ENVOY_WAIT_INTERVAL=1ms"},
		{args: []string{"touch", mark}, env: "ENVOY_WAIT_ON_TIMEOUT=never"},
	} {
		cmd := envoyWait(t, test.args...)
		cmd.Env = append(harness.Env("ENVOY_WAIT_URL="+port.URL()), test.env)
		r := harness.Start(t, cmd).Result()
		if r.Code != 125 || r.Stdout != "" || strings.Count(r.Stderr, "\n") != 1 || message(t, r.Stderr) == "" {
			t.Errorf("%v %s: %+v", test.args, test.env, r)
		}
	}
	if _, err := os.Stat(mark); err == nil {
		t.Error("the command was started")
	}
	if n := agent.Requests(); n != 0 {
		t.Errorf("the sidecar was probed %d times", n)
	}
}

func TestWarningAboutATypo(t *testing.T) {
	for env, warnings := range map[string]int{
		"ENVOY_WAIT_TIMOUT=1s": 1, "ENVOY_WAIT_SERVICE_HOST=10.0.0.1": 0, "ENVOY_WAIT_PORT_80_TCP_ADDR=10.0.0.1": 0, "ENVOY_WAIT_TIMEOUT=": 0,
	} {
		cmd := envoyWait(t, "--url", readyURL(t), "true")
		cmd.Env = harness.Env(env)
		r := harness.Start(t, cmd).Result()
		if r.Code != 0 || strings.Count(r.Stderr, "WARNING") != warnings || strings.Count(r.Stderr, "\n") != warnings+1 {
			t.Errorf("%s: %+v", env, r)
		}
	}
}

// A command that cannot be run is reported before the first probe.
func TestCommandsThatCannotBeRun(t *testing.T) {
	dir := t.TempDir()
	write := func(name, content string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for _, test := range []struct {
		command, message string
		code             int
		probed           bool
	}{
		{"no-such-command", `looking up "no-such-command": not found in PATH`, 127, false},
		{dir + "/missing", "no such file or directory", 127, false},
		{"", "not found in PATH", 127, false},
		{dir, "is a directory", 126, false},
		{write("denied", "#!/bin/sh\n", 0o644), "permission denied", 126, false},
		{write("noshebang", "echo hi\n", 0o755), "a script without a #! line?", 126, true},
		{write("badinterpreter", "#!/no/such/interpreter\n", 0o755), `its interpreter "/no/such/interpreter" is not in this image`, 126, true},
		{write("foreign", foreignELF, 0o755), "built for another architecture", 126, true},
	} {
		port := harness.NewPort(t)
		agent := port.Sidecar(true)
		r := run(t, "--url", port.URL(), "--", test.command)
		if r.Code != test.code || !strings.Contains(message(t, r.Stderr), test.message) || r.Stdout != "" {
			t.Errorf("%q: %+v", test.command, r)
		}
		if probed := agent.Requests() > 0; probed != test.probed {
			t.Errorf("%q: probed is %v", test.command, probed)
		}
	}
}

// foreignELF begins like a program for a machine that nobody has.
var foreignELF = "\x7fELF\x02\x01\x01" + strings.Repeat("\x00", 9) + "\x02\x00\xff\xfe" + strings.Repeat("\x00", 64)

// A dynamically linked program without its loader: the distroless mistake.
func TestMissingLoader(t *testing.T) {
	harness.NeedRoot(t)
	harness.NeedTools(t, "chroot")
	root := t.TempDir()
	for name, source := range map[string]string{"envoy-wait": harness.Binary(t), "app": "/bin/true"} {
		content, err := os.ReadFile(source)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(root, name), content, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	r := harness.Run(t, "chroot", root, "/envoy-wait", "--disabled", "/app")
	if r.Code != 126 || !strings.Contains(r.Stderr, "the file is there, but its dynamic loader") {
		t.Errorf("%+v", r)
	}
}

// The file that runs is the one that is there when the wait ends.
func TestCommandChangesDuringTheWait(t *testing.T) {
	for _, test := range []struct {
		name         string
		change       func(path string) error
		code         int
		stdout, says string
	}{
		{"replaced", func(path string) error {
			if err := os.WriteFile(path+".new", []byte("#!/bin/sh\necho new\n"), 0o755); err != nil {
				return err
			}
			return os.Rename(path+".new", path)
		}, 0, "new\n", "ready after "},
		{"removed", os.Remove, 127, "", "looking up "},
		{"no longer executable", func(path string) error { return os.Chmod(path, 0o644) }, 126, "", "permission denied"},
	} {
		t.Run(test.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "app")
			if err := os.WriteFile(path, []byte("#!/bin/sh\necho old\n"), 0o755); err != nil {
				t.Fatal(err)
			}
			port := harness.NewPort(t)
			p := harness.Start(t, envoyWait(t, "--url", port.URL(), path))
			p.Await("connection refused")
			if err := test.change(path); err != nil {
				t.Fatal(err)
			}
			port.Sidecar(true)
			if r := p.Result(); r.Code != test.code || r.Stdout != test.stdout || !strings.Contains(message(t, r.Stderr), test.says) {
				t.Errorf("%+v", r)
			}
		})
	}
}

// The app's own end: every exit status, and death by a signal.
func TestTheAppsOwnEnd(t *testing.T) {
	url := readyURL(t)
	for code := range 256 {
		if r := run(t, "--url", url, "--", "sh", "-c", "exit "+strconv.Itoa(code)); r.Code != code || r.Signal != 0 {
			t.Errorf("exit %d became %+v", code, r)
		}
	}
	for _, signal := range []syscall.Signal{syscall.SIGKILL, syscall.SIGTERM, syscall.SIGSEGV, syscall.SIGUSR1} {
		if r := run(t, "--url", url, "--", "sh", "-c", fmt.Sprintf("kill -%d $$", signal)); r.Signal != signal {
			t.Errorf("%v became %+v", signal, r)
		}
	}
}

// What comes after the first "--", or the first word, is the app's.
func TestArguments(t *testing.T) {
	url := readyURL(t)
	dir := t.TempDir()
	for _, name := range []string{"-h", "--version", "--"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\necho \"ran ${0##*/}:$*\"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, test := range []struct {
		args []string
		want string
	}{
		{[]string{"--", "echo", "--timeout", "1s", "--help", "--", "x"}, "--timeout 1s --help -- x\n"},
		{[]string{"echo", "--timeout", "1s", "--help", "--", "x"}, "--timeout 1s --help -- x\n"},
		{[]string{"--", "printf", "%s|", "", "$HOME", "a b", "*", "\xff"}, "|$HOME|a b|*|\xff|"},
		{[]string{"--", "-h", "1"}, "ran -h:1\n"},
		{[]string{"--", "--version"}, "ran --version:\n"},
		{[]string{"--", "--", "2"}, "ran --:2\n"},
	} {
		cmd := envoyWait(t, append([]string{"--url", url}, test.args...)...)
		cmd.Env = harness.Env("PATH=" + dir + ":" + os.Getenv("PATH"))
		if r := harness.Start(t, cmd).Result(); r.Code != 0 || r.Stdout != test.want {
			t.Errorf("%q: %+v", test.args, r)
		}
	}
}
