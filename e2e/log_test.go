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
	"time"

	"github.com/envoy-wait/envoy-wait/e2e/harness"
)

// The lines of a wait through refused, 503 and 200, as Cloud Logging gets them.
func TestJSONLines(t *testing.T) {
	port := harness.NewPort(t)
	p := harness.Start(t, envoyWait(t, "--url", port.URL(), "--", "echo", "secret argument"))
	p.Await("connection refused")
	agent := port.Sidecar(false)
	p.Await("status 503")
	agent.SetReady(true)
	r := p.Result().Want(t, 0, "secret argument\n")
	lines := r.Lines(t)
	if len(lines) != 3 {
		t.Fatalf("got %d lines, want 3: %s", len(lines), r.Stderr)
	}
	for i, want := range []map[string]any{
		{"error": "connection refused", "status": nil, "attempts": 1.0},
		{"error": nil, "status": 503.0},
		{"error": nil, "status": 200.0, "remaining": nil},
	} {
		want["severity"], want["logger"], want["url"] = "INFO", "envoy-wait", port.URL()
		for field, value := range want {
			harness.Want(t, fmt.Sprintf("line %d, %s", i, field), lines[i][field], value)
		}
		at, err := time.Parse(time.RFC3339Nano, lines[i]["time"].(string))
		if err != nil || time.Since(at) > time.Hour || time.Since(at) < 0 {
			t.Errorf("line %d: got the time %v, want one of the last hour", i, lines[i]["time"])
		}
		if elapsed, ok := lines[i]["elapsed"].(float64); !ok || elapsed < 0 || elapsed > harness.Patience.Seconds() {
			t.Errorf("line %d: got elapsed %v, want seconds", i, lines[i]["elapsed"])
		}
		if remaining, ok := lines[i]["remaining"].(float64); i < 2 && (!ok || remaining <= 0 || remaining > 60) {
			t.Errorf("line %d: got remaining %v, want up to 60 seconds", i, lines[i]["remaining"])
		}
	}
	harness.WantNotIn(t, r.Stderr, "secret") // the app's arguments are not logged
}

// If the first attempt succeeds, one line is all.
func TestOneLineIfReady(t *testing.T) {
	run(t, "--url", readyURL(t), "--", "true").WantLines(t, 1).Says(t, "", `, starting "true"`)
}

// At the level debug each attempt has a line, and nothing comes after the last line of the wait.
func TestDebugTellsEachAttempt(t *testing.T) {
	for last, end := range map[string]func(*harness.Process, *harness.Port){
		"ready after ":   func(_ *harness.Process, port *harness.Port) { port.Sidecar(true) },
		"SIGTERM after ": func(p *harness.Process, _ *harness.Port) { p.Signal(syscall.SIGTERM) },
	} {
		port := harness.NewPort(t)
		p := harness.Start(t, envoyWait(t, "--url", port.URL(), "--interval", "10ms", "--log-level", "debug"))
		p.Await("attempt 9: ")
		end(p, port)
		lines := p.Result().Says(t, last).Lines(t)
		told := 0.0
		for _, line := range lines {
			if line["severity"] == "DEBUG" {
				told++
				harness.Want(t, "number of an attempt", line["attempts"], any(told))
			}
		}
		harness.Want(t, last+": attempts in the last line", lines[len(lines)-1]["attempts"], any(told))
	}
}

func TestTextOnATerminal(t *testing.T) {
	url := readyURL(t)
	for format, want := range map[string]string{"auto": "envoy-wait: ready after ", "text": "envoy-wait: ready after ", "json": `{"severity":"INFO"`} {
		p := onTerminal(t, envoyWait(t, "--log-format", format, "--url", url, "--", "echo", "started"))
		if r := p.Result(); !strings.HasPrefix(r.Stdout, want) || !strings.HasSuffix(r.Stdout, "started\r\n") || strings.Contains(r.Stdout, "\x1b") {
			t.Errorf("%s: got %q, want %s first, the app's line last, and no code", format, r.Stdout, want)
		}
	}
	harness.WantIn(t, run(t, "--log-format", "text", "--timeout", "x").WantCode(t, 125).Stderr, `envoy-wait: --timeout: "x": expected `)
}

func TestPasswordsAreNotPrinted(t *testing.T) {
	refusing := strings.Replace(harness.NewPort(t).URL(), "//", "//me:hunter2@", 1)
	for _, args := range [][]string{
		{"--url", refusing, "--timeout", "50ms", "--log-level", "debug"},
		{"--url", "http://me:hunter2@h:99999/"},
	} {
		r := run(t, args...)
		harness.WantIn(t, r.Stderr, "xxxxx@")
		harness.WantNotIn(t, r.Stderr, "hunter2")
	}
}

// Stderr stays blocking or non-blocking: other processes have it too.
func TestStderrKeepsItsMode(t *testing.T) {
	for _, want := range []int{0, syscall.O_NONBLOCK} {
		_, w := harness.Pipe(t)
		fd := int(w.Fd()) // blocking from here on
		if err := syscall.SetNonblock(fd, want != 0); err != nil {
			t.Fatal(err)
		}
		cmd := envoyWait(t, "--url", readyURL(t), "--", "true")
		// Not by os/exec, which makes a descriptor blocking.
		pid, err := syscall.ForkExec(cmd.Path, cmd.Args, &syscall.ProcAttr{Env: cmd.Env, Files: []uintptr{0, 1, uintptr(fd)}})
		if err != nil {
			t.Fatal(err)
		}
		var status syscall.WaitStatus
		if _, err := syscall.Wait4(pid, &status, 0, nil); err != nil || status != 0 {
			t.Errorf("got %v, status %#x, want 0", err, status)
		}
		flags, _, errno := syscall.Syscall(syscall.SYS_FCNTL, uintptr(fd), syscall.F_GETFL, 0)
		if errno != 0 || flags&syscall.O_NONBLOCK != uintptr(want) {
			t.Errorf("got the flags %#x, %v, want %#x", flags, errno, want)
		}
	}
}

// The termination log gets the reason of a container's failure. Otherwise it stays as it is.
func TestTerminationLog(t *testing.T) {
	harness.NeedRoot(t)
	harness.NeedTools(t, "unshare", "mount", "sh")
	refusing := harness.NewPort(t).URL()
	for _, test := range []struct {
		name string
		args []string
		code int
		want string // "": the file stays as it is
	}{
		{"timeout", []string{"--url", refusing, "--timeout", "50ms", "--on-timeout", "fail", "true"}, 124, "not ready after "},
		{"usage", []string{"--timeout", "x", "--", "app"}, 125, `envoy-wait: --timeout: "x": expected `},
		{"nothing after the dashes", []string{"--"}, 125, "expected a command"},
		{"not found", []string{"no-such-app"}, 127, `envoy-wait: looking up "no-such-app": not found in PATH`},
		{"wait only", []string{"--url", refusing, "--timeout", "50ms"}, 124, ""},
		{"ready", []string{"--url", readyURL(t), "true"}, 0, ""},
	} {
		for kind, prepare := range map[string]string{"file": `cp "$1.old" "$1"`, "fifo": `mkfifo "$1"`, "none": ":"} {
			t.Run(test.name+", "+kind, func(t *testing.T) {
				path := filepath.Join(t.TempDir(), "termination-log")
				old := "old" + strings.Repeat(" and longer than the reason", 100)
				harness.WriteFile(t, path+".old", old, 0o600)
				// A /dev of its own, with the file as the kubelet would mount it.
				args := append([]string{"--mount", "--propagation=private", "sh", "-c",
					`set -e; ` + prepare + `; d=$(mktemp -d); mount -t tmpfs tmpfs "$d"; [ ! -e "$1" ] || mv "$1" "$d/termination-log"
					 mknod "$d/null" c 1 3; mount --move "$d" /dev; rmdir "$d"; p=$1; shift; set +e; "$@"; s=$?
					 [ ! -f /dev/termination-log ] || cat /dev/termination-log >"$p"; exit $s`, "sh", path, harness.Binary(t)}, test.args...)
				cmd := exec.Command("unshare", args...)
				cmd.Env = harness.Env()
				r := harness.Start(t, cmd).Result()
				if r.Code != test.code {
					t.Fatalf("got exit status %d, want %d: %s", r.Code, test.code, r.Stderr)
				}
				got, err := os.ReadFile(path)
				switch {
				case kind != "file":
					if err == nil {
						t.Errorf("got a file with %q, want none", got)
					}
				case test.want == "":
					harness.Want(t, "the file", string(got), old)
				case err != nil || !strings.Contains(string(got), test.want) || len(got) > 1024 || strings.Contains(string(got), "longer"):
					t.Errorf("got %q, %v, want %q in at most 1024 bytes, and nothing of the old text", got, err, test.want)
				}
			})
		}
	}
}

func TestNothingOnStdout(t *testing.T) {
	for _, args := range [][]string{{"--timeout", "x"}, {"--timeout", "20ms"}, {"--"}, {"no-such-app"}, {"--disabled"}} {
		harness.Want(t, fmt.Sprintf("stdout of %v", args), run(t, args...).Stdout, "")
	}
}
