//go:build linux

package e2e

import (
	"net"
	"path/filepath"
	"strings"
	"testing"

	"github.com/envoy-wait/envoy-wait/e2e/harness"
	"github.com/envoy-wait/envoy-wait/e2e/sidecar"
)

// One wait for all kinds of targets. The log has the cause of each until it is ready.
func TestTargetsOfEveryKind(t *testing.T) {
	dir := t.TempDir()
	socket, file := filepath.Join(dir, "admin.sock"), filepath.Join(dir, "secret")
	http, tcp := harness.NewPort(t), harness.NewPort(t)
	args := []string{
		"--url", http.URL(), "--url", "tcp://" + tcp.Address,
		"--url", "unix://" + socket + ":" + sidecar.Path, "--url", "unix://" + socket, "--url", "file://" + file,
	}
	run(t, append(args, "--timeout", "1s")...).WantCode(t, 124).Says(t, "",
		http.URL()+": connection refused", "tcp://"+tcp.Address+": connection refused",
		"unix://"+socket+":"+sidecar.Path+": no such file or directory", "unix://"+socket+": no such file or directory", "file://"+file+": no such file or directory")

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
	harness.WriteFile(t, file, "secret", 0o600)
	p.Result().Want(t, 0, "started\n")
	harness.Want(t, "probes", a.Requests(), 1)
}

func TestStatus(t *testing.T) {
	port := harness.NewPort(t)
	port.Sidecar(false)
	run(t, "--url", port.URL(), "--ready-status", "204,5xx").WantCode(t, 0)
	run(t, "--url", readyURL(t), "--ready-status", "204", "--timeout", "100ms").WantCode(t, 124)
}

// The hint says what to change where the scheme, or the status that counts, is wrong.
func TestHintsAboutWhatWasTyped(t *testing.T) {
	port := harness.NewPort(t)
	port.Sidecar(true)
	run(t, "--url", strings.Replace(port.URL(), "http:", "https:", 1), "--timeout", "100ms").WantCode(t, 124).
		Says(t, "", "hint: the endpoint speaks no TLS: use http://")
	run(t, "--url", port.URL(), "--ready-status", "204", "--timeout", "100ms").WantCode(t, 124).Says(t, "", "look at --ready-status")
}

// The wait is short where every attempt is refused. One answer, even 503, makes it as long as ever.
func TestAbsentAfter(t *testing.T) {
	port := harness.NewPort(t)
	absent := func(args ...string) harness.Result {
		return run(t, append(args, "--url", port.URL(), "--absent-after", "100ms", "--", "echo", "started")...)
	}
	absent().Want(t, 0, "started\n").Says(t, "no sidecar after ")
	absent("--on-timeout", "fail").Want(t, 124, "")
	port.Sidecar(false)
	absent("--timeout", "500ms").WantCode(t, 0).Says(t, "not ready after ")
}

// As an exec probe or a HEALTHCHECK: one attempt, one line, 0 or 1.
func TestOnce(t *testing.T) {
	port := harness.NewPort(t)
	once := func(code int, says string) {
		t.Helper()
		run(t, "--once", "--url", port.URL()).Want(t, code, "").WantLines(t, 1).Says(t, "", says)
	}
	once(1, "connection refused")
	agent := port.Sidecar(false)
	once(1, "status 503")
	agent.SetReady(true)
	once(0, "ready")
	harness.Want(t, "probes", agent.Requests(), 2)
}
