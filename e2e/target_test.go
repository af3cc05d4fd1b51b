//go:build linux

package e2e

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/envoy-wait/envoy-wait/e2e/harness"
	"github.com/envoy-wait/envoy-wait/e2e/sidecar"
)

// Every kind of target, mixed, under one deadline; each is named with its own
// cause until it is ready.
func TestTargetsOfEveryKind(t *testing.T) {
	dir := t.TempDir()
	socket, file := filepath.Join(dir, "admin.sock"), filepath.Join(dir, "secret")
	http, tcp := harness.NewPort(t), harness.NewPort(t)
	args := []string{
		"--url", http.URL(), "--url", "tcp://" + tcp.Address,
		"--url", "unix://" + socket + ":" + sidecar.Path, "--url", "file://" + file,
	}
	r := run(t, append(args, "--timeout", "1s")...)
	for _, want := range []string{
		http.URL() + ": connection refused", "tcp://" + tcp.Address + ": connection refused",
		"unix://" + socket + ":" + sidecar.Path + ": no such file or directory", "file://" + file + ": no such file or directory",
	} {
		if last := message(t, r.Stderr); r.Code != 124 || !strings.Contains(last, want) {
			t.Errorf("exit status %d, no %q in %s", r.Code, want, last)
		}
	}

	p := harness.Start(t, envoyWait(t, append(args, "--", "echo", "started")...))
	for i := 1; i < len(args); i += 2 {
		p.Await("waiting for " + args[i] + ": ")
	}
	http.Sidecar(true)
	tcp.Listen()
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	a := sidecar.New(true)
	go func() { _ = a.Serve(l) }()
	p.Await("is ready, waiting for file://" + file + ": no such file or directory")
	if err := os.WriteFile(file, []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	if r := p.Result(); r.Code != 0 || r.Stdout != "started\n" || a.Requests() != 1 {
		t.Errorf("%d requests, %+v", a.Requests(), r)
	}
}

func TestStatus(t *testing.T) {
	port := harness.NewPort(t)
	port.Sidecar(false)
	if r := run(t, "--url", port.URL(), "--status", "204,5xx"); r.Code != 0 {
		t.Errorf("%+v", r)
	}
	if r := run(t, "--url", readyURL(t), "--status", "204", "--timeout", "100ms"); r.Code != 124 {
		t.Errorf("%+v", r)
	}
}

// Without a sidecar the wait is short; one answer, even 503, and it is not.
func TestAbsentAfter(t *testing.T) {
	port := harness.NewPort(t)
	r := run(t, "--url", port.URL(), "--absent-after", "100ms", "--", "echo", "started")
	if r.Code != 0 || r.Stdout != "started\n" || !strings.HasPrefix(message(t, r.Stderr), "no sidecar after ") {
		t.Errorf("%+v", r)
	}
	r = run(t, "--url", port.URL(), "--absent-after", "100ms", "--on-timeout", "fail", "--", "echo", "started")
	if r.Code != 124 || r.Stdout != "" {
		t.Errorf("%+v", r)
	}
	port.Sidecar(false)
	r = run(t, "--url", port.URL(), "--absent-after", "100ms", "--timeout", "500ms", "--", "echo", "started")
	if r.Code != 0 || !strings.HasPrefix(message(t, r.Stderr), "not ready after ") {
		t.Errorf("%+v", r)
	}
}

// As an exec probe or a HEALTHCHECK: one attempt, one line, 0 or 1.
func TestOnce(t *testing.T) {
	port := harness.NewPort(t)
	expect := func(code int, says string) {
		t.Helper()
		r := run(t, "--once", "--url", port.URL())
		if r.Code != code || !strings.Contains(message(t, r.Stderr), says) || strings.Count(r.Stderr, "\n") != 1 || r.Stdout != "" {
			t.Errorf("%+v, want %d and %s", r, code, says)
		}
	}
	expect(1, "connection refused")
	agent := port.Sidecar(false)
	expect(1, "status 503")
	agent.SetReady(true)
	expect(0, "ready after ")
	if n := agent.Requests(); n != 2 {
		t.Errorf("%d requests, want 2", n)
	}
}
