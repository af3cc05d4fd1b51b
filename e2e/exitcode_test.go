//go:build linux

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/envoy-wait/envoy-wait/e2e/harness"
)

func TestWaitOnly(t *testing.T) {
	run(t, "--url", readyURL(t)).Want(t, 0, "").Says(t, "ready after ")
	run(t, "--url", harness.NewPort(t).URL(), "--timeout", "100ms").WantCode(t, 124).Says(t, "not ready after ")
	run(t, "--disabled").WantCode(t, 0)
}

func TestOnTimeout(t *testing.T) {
	url := harness.NewPort(t).URL()
	args := []string{"--url", url, "--timeout", "100ms", "--", "echo", "started"}
	run(t, append([]string{"--on-timeout", "fail"}, args...)...).Want(t, 124, "")
	r := run(t, args...).Want(t, 0, "started\n")
	r.Says(t, "", `starting "echo" anyway`, url+": connection refused; hint: no sidecar in this Pod")
	warnings := 0
	for _, line := range r.Lines(t) {
		if line["severity"] == "WARNING" {
			warnings++
		}
	}
	harness.Want(t, "warnings", warnings, 1)
}

func TestVersionAndHelp(t *testing.T) {
	for _, test := range []struct {
		args  []string
		begin string
	}{
		{[]string{"--version"}, "envoy-wait "},
		{[]string{"--help", "--", "app"}, "Usage: envoy-wait "},
	} {
		r := run(t, test.args...).WantCode(t, 0).WantLines(t, 0)
		if !strings.HasPrefix(r.Stdout, test.begin) || test.args[0] == "--version" && strings.Count(r.Stdout, "\n") != 1 {
			t.Errorf("%v: got %q, want %q first", test.args, r.Stdout, test.begin)
		}
	}
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip(err)
	}
	defer func() { _ = full.Close() }()
	cmd := envoyWait(t, "--help")
	cmd.Stdout = full
	harness.Start(t, cmd).Result().WantCode(t, 125)
}

// A usage error is one line that names the word, starts nothing and probes nothing.
func TestUsageErrors(t *testing.T) {
	port := harness.NewPort(t)
	agent := port.Sidecar(true)
	mark := filepath.Join(t.TempDir(), "started")
	for _, test := range []struct {
		args []string
		env  string
		says string
	}{
		{args: []string{"--"}, says: `expected a command after "--"`},
		{args: []string{"--tiemout", "5s", "--", "touch", mark}, says: "unknown flag --tiemout"},
		{args: []string{"--timeout", "5", "--", "touch", mark}, says: `--timeout: "5": expected `},
		{args: []string{"--timeout", "-1s", "touch", mark}, says: `--timeout: "-1s": expected `},
		{args: []string{"--url", "ftp://x", "touch", mark}, says: `--url: "ftp://x": expected `},
		{args: []string{"touch", mark}, env: "ENVOY_WAIT_INTERVAL=1ms", says: `ENVOY_WAIT_INTERVAL: "1ms": expected `},
		{args: []string{"touch", mark}, env: "ENVOY_WAIT_ON_TIMEOUT=never", says: `ENVOY_WAIT_ON_TIMEOUT: "never": expected `},
	} {
		runEnv(t, []string{"ENVOY_WAIT_URL=" + port.URL(), test.env}, test.args...).Want(t, 125, "").WantLines(t, 1).Says(t, test.says)
	}
	wantNone(t, mark)
	harness.Want(t, "probes", agent.Requests(), 0)
}

func TestWarningAboutATypo(t *testing.T) {
	for env, warnings := range map[string]int{
		"ENVOY_WAIT_TIMOUT=1s": 1, "ENVOY_WAIT_SERVICE_HOST=10.0.0.1": 0, "ENVOY_WAIT_PORT_80_TCP_ADDR=10.0.0.1": 0, "ENVOY_WAIT_TIMEOUT=": 0,
	} {
		r := runEnv(t, []string{env}, "--url", readyURL(t), "true").WantCode(t, 0).WantLines(t, warnings+1)
		harness.Want(t, "warnings about "+env, strings.Count(r.Stderr, "WARNING"), warnings)
	}
}

// A command that cannot be run is reported before the first probe.
func TestCommandsThatCannotBeRun(t *testing.T) {
	dir := t.TempDir()
	write := func(name, content string, mode os.FileMode) string {
		harness.WriteFile(t, dir+"/"+name, content, mode)
		return dir + "/" + name
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
		{noShebang(t), "a script without a #! line", 126, true},
		{write("badinterpreter", "#!/no/such/interpreter\n", 0o755), `its interpreter "/no/such/interpreter" is not in this image`, 126, false},
		{write("foreign", foreignELF, 0o755), "for another architecture", 126, true},
	} {
		port := harness.NewPort(t)
		agent := port.Sidecar(true)
		run(t, "--url", port.URL(), "--", test.command).Want(t, test.code, "").Says(t, "", test.message)
		harness.Want(t, fmt.Sprintf("%q: probed", test.command), agent.Requests() > 0, test.probed)
	}
}

// foreignELF is the head of a program for an unknown machine.
var foreignELF = "\x7fELF\x02\x01\x01" + strings.Repeat("\x00", 9) + "\x02\x00\xff\xfe" + strings.Repeat("\x00", 64)

// A dynamically linked program without its loader: the distroless mistake.
func TestMissingLoader(t *testing.T) {
	harness.NeedRoot(t)
	harness.NeedTools(t, "chroot")
	root := bareImage(t)
	harness.WriteFile(t, root+"/app", harness.ReadFile(t, "/bin/true"), 0o755)
	r := harness.Run(t, "chroot", root, "/envoy-wait", "--disabled", "/app").WantCode(t, 126)
	harness.WantIn(t, r.Stderr, "the file is there, but its dynamic loader")
}

// The command is looked up once more at the end of the wait.
func TestCommandChangesDuringTheWait(t *testing.T) {
	for _, test := range []struct {
		name         string
		change       func(path string) error
		code         int
		stdout, says string
	}{
		{"replaced", func(path string) error {
			harness.WriteFile(t, path+".new", "#!/bin/sh\necho new\n", 0o755)
			return os.Rename(path+".new", path)
		}, 0, "new\n", "ready after "},
		{"removed", os.Remove, 127, "", "looking up "},
		{"no longer executable", func(path string) error { return os.Chmod(path, 0o644) }, 126, "", "permission denied"},
	} {
		t.Run(test.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "app")
			harness.WriteFile(t, path, "#!/bin/sh\necho old\n", 0o755)
			port := harness.NewPort(t)
			p := harness.Start(t, envoyWait(t, "--url", port.URL(), path))
			p.Await("connection refused")
			if err := test.change(path); err != nil {
				t.Fatal(err)
			}
			port.Sidecar(true)
			p.Result().Want(t, test.code, test.stdout).Says(t, "", test.says)
		})
	}
}

// Every exit status of the app is kept, and death by a signal.
func TestTheAppsOwnEnd(t *testing.T) {
	url := readyURL(t)
	for code := range 256 {
		run(t, "--url", url, "--", "sh", "-c", "exit "+strconv.Itoa(code)).WantCode(t, code)
	}
	for _, signal := range []syscall.Signal{syscall.SIGKILL, syscall.SIGTERM, syscall.SIGSEGV, syscall.SIGUSR1} {
		run(t, "--url", url, "--", "sh", "-c", fmt.Sprintf("kill -%d $$", signal)).WantSignal(t, signal)
	}
}

// All words from the command on are the app's.
func TestArguments(t *testing.T) {
	url := readyURL(t)
	dir := t.TempDir()
	for _, name := range []string{"-h", "--version", "--"} {
		harness.WriteFile(t, dir+"/"+name, "#!/bin/sh\necho \"ran ${0##*/}:$*\"\n", 0o755)
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
		path := "PATH=" + dir + ":" + os.Getenv("PATH")
		runEnv(t, []string{path}, append([]string{"--url", url}, test.args...)...).Want(t, 0, test.want)
	}
}
