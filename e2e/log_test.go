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

// A real wait through refused, 503 and 200: what Cloud Logging gets of it.
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
		t.Fatalf("%d lines: %s", len(lines), r.Stderr)
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
			t.Errorf("line %d: time is %v", i, lines[i]["time"])
		}
		if elapsed, ok := lines[i]["elapsed"].(float64); !ok || elapsed < 0 || elapsed > harness.Patience.Seconds() {
			t.Errorf("line %d: elapsed is %v", i, lines[i]["elapsed"])
		}
		if remaining, ok := lines[i]["remaining"].(float64); i < 2 && (!ok || remaining <= 0 || remaining > 60) {
			t.Errorf("line %d: remaining is %v", i, lines[i]["remaining"])
		}
	}
	if strings.Contains(r.Stderr, "secret") {
		t.Errorf("the app's arguments are logged: %s", r.Stderr)
	}
}

// If the first attempt succeeds, one line is all.
func TestOneLineIfReady(t *testing.T) {
	run(t, "--url", readyURL(t), "--", "true").WantLines(t, 1).Says(t, "", `, starting "true"`)
}

func TestTextOnATerminal(t *testing.T) {
	url := readyURL(t)
	for format, want := range map[string]string{"auto": "envoy-wait: ready after ", "text": "envoy-wait: ready after ", "json": `{"severity":"INFO"`} {
		p := onTerminal(t, envoyWait(t, "--log-format", format, "--url", url, "--", "echo", "started"))
		if r := p.Result(); !strings.HasPrefix(r.Stdout, want) || !strings.HasSuffix(r.Stdout, "started\r\n") || strings.Contains(r.Stdout, "\x1b") {
			t.Errorf("%s: %+v", format, r)
		}
	}
	if r := run(t, "--log-format", "text", "--timeout", "x"); !strings.HasPrefix(r.Stderr, `envoy-wait: --timeout: "x": expected `) {
		t.Errorf("%+v", r)
	}
}

func TestPasswordsAreNotPrinted(t *testing.T) {
	refusing := strings.Replace(harness.NewPort(t).URL(), "//", "//me:hunter2@", 1)
	for _, args := range [][]string{
		{"--url", refusing, "--timeout", "50ms", "--log-level", "debug"},
		{"--url", "http://me:hunter2@h:99999/"},
	} {
		if r := run(t, args...); strings.Contains(r.Stderr, "hunter2") || r.Code == 0 {
			t.Errorf("%+v", r)
		}
	}
}

// The descriptors that are inherited keep their mode: they are shared.
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
			t.Errorf("%v, status %#x", err, status)
		}
		flags, _, errno := syscall.Syscall(syscall.SYS_FCNTL, uintptr(fd), syscall.F_GETFL, 0)
		if errno != 0 || flags&syscall.O_NONBLOCK != uintptr(want) {
			t.Errorf("flags %#x, %v, want %#x", flags, errno, want)
		}
	}
}

// The kubelet's file gets the reason where a container fails, and only there.
func TestTerminationLog(t *testing.T) {
	harness.NeedRoot(t)
	harness.NeedTools(t, "unshare", "mount", "sh")
	refusing := harness.NewPort(t).URL()
	for _, test := range []struct {
		name string
		args []string
		want string
	}{
		{"timeout", []string{"--url", refusing, "--timeout", "50ms", "--on-timeout", "fail", "true"}, "not ready after "},
		{"usage", []string{"--timeout", "x", "--", "app"}, `envoy-wait: --timeout: "x": expected `},
		{"nothing after the dashes", []string{"--"}, "expected a command"},
		{"not found", []string{"no-such-app"}, `envoy-wait: looking up "no-such-app": not found in PATH`},
		{"wait only", []string{"--url", refusing, "--timeout", "50ms"}, "old"},
		{"ready", []string{"--url", readyURL(t), "true"}, "old"},
	} {
		for kind, prepare := range map[string]string{"file": `cp "$1.old" "$1"`, "fifo": `mkfifo "$1"`, "none": ":"} {
			t.Run(test.name+", "+kind, func(t *testing.T) {
				path := filepath.Join(t.TempDir(), "termination-log")
				old := "old" + strings.Repeat(" longer than what will be written", 100)
				harness.WriteFile(t, path+".old", old, 0o600)
				// A /dev of its own, with the file as the kubelet would mount it.
				args := append([]string{"--mount", "--propagation=private", "sh", "-c",
					`set -e; ` + prepare + `; d=$(mktemp -d); mount -t tmpfs tmpfs "$d"; [ ! -e "$1" ] || mv "$1" "$d/termination-log"
					 mknod "$d/null" c 1 3; mount --move "$d" /dev; rmdir "$d"; p=$1; shift; set +e; "$@"; s=$?
					 [ ! -f /dev/termination-log ] || cat /dev/termination-log >"$p"; exit $s`, "sh", path, harness.Binary(t)}, test.args...)
				cmd := exec.Command("unshare", args...)
				cmd.Env = harness.Env()
				r := harness.Start(t, cmd).Result()
				if (r.Code == 0) != (test.name == "ready") || r.Code == 1 {
					t.Fatalf("%+v", r)
				}
				got, err := os.ReadFile(path)
				switch {
				case kind != "file":
					if err == nil {
						t.Errorf("a file was made: %q", got)
					}
				case err != nil || !strings.Contains(string(got), test.want) || len(got) > 1024 && test.want != "old":
					t.Errorf("%v: %q, want %q", err, got, test.want)
				case test.want != "old" && strings.Contains(string(got), "longer"):
					t.Errorf("not truncated: %q", got)
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
