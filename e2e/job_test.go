//go:build linux

package e2e

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/envoy-wait/envoy-wait/e2e/harness"
	"github.com/envoy-wait/envoy-wait/e2e/sidecar"
)

// job returns the flags of a Job whose sidecar is ready.
func job(t *testing.T) (*sidecar.Sidecar, []string) {
	t.Helper()
	port := harness.NewPort(t)
	return port.Sidecar(true), []string{"--url", port.URL(), "--quit-url", port.QuitURL()}
}

// The sidecar is told to quit once, whatever became of the command. The exit status
// is the same as without --quit-url.
func TestQuit(t *testing.T) {
	refusing := harness.NewPort(t).URL()
	inVain := []string{"--url", refusing, "--timeout", "50ms"}
	onSuccess := []string{"--quit-on", "success"}
	for _, test := range []struct {
		name        string
		args        []string
		env         string
		code, quits int
	}{
		{"exit 0", []string{"true"}, "", 0, 1},
		{"exit 3", []string{"sh", "-c", "exit 3"}, "", 3, 1},
		{"killed", []string{"sh", "-c", "kill -KILL $$"}, "", 137, 1},
		{"disabled", []string{"--disabled", "sh", "-c", "exit 3"}, "", 3, 1},
		{"not ready, started anyway", append(inVain, "sh", "-c", "exit 3"), "", 3, 1},
		{"not ready, not started", append(inVain, "--on-timeout", "fail", "true"), "", 124, 1},
		{"no such command", []string{"no-such-command"}, "", 127, 1},
		{"cannot be run", []string{"/"}, "", 126, 1},
		{"cannot be run, as the start shows", []string{noShebang(t)}, "", 126, 1},

		{"success: exit 0", append(onSuccess, "true"), "", 0, 1},
		{"success: exit 3", append(onSuccess, "sh", "-c", "exit 3"), "", 3, 0},
		{"success: killed", append(onSuccess, "sh", "-c", "kill -KILL $$"), "", 137, 0},
		{"success: not ready", append(onSuccess, append(inVain, "--on-timeout", "fail", "true")...), "", 124, 0},
		{"success: no such command", []string{"no-such-command"}, "ENVOY_WAIT_QUIT_ON=success", 127, 0},

		{"usage: no command", nil, "", 125, 0}, // a script that only waits keeps its sidecar
		{"usage: nothing after the dashes", []string{"--"}, "", 125, 1},
		{"usage: a flag", []string{"--tiemout", "1s", "true"}, "", 125, 1},
		{"usage: a value", []string{"--quit-timeout", "0", "true"}, "", 125, 1},
		{"usage: a URL", []string{"--quit-url", "tcp://localhost:1", "true"}, "", 125, 1},
		{"usage: a variable", []string{"true"}, "ENVOY_WAIT_QUIT_ON=never", 125, 1},
		{"help", []string{"--help"}, "", 0, 0},
		{"install", []string{"--install", t.TempDir()}, "", 0, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			agent, flags := job(t)
			r := runEnv(t, []string{test.env}, append(flags, test.args...)...).WantCode(t, test.code)
			harness.Want(t, "requests to quit", agent.Quits(), test.quits)
			if test.quits > 0 {
				r.Says(t, "told to quit: http://")
			}
		})
	}
}

// It is told after the command's end, and not before.
func TestQuitComesLast(t *testing.T) {
	agent, flags := job(t)
	cmd := envoyWait(t, append(flags, "--", "cat")...)
	stdin := harness.Stdin(t, cmd)
	p := harness.Start(t, cmd)
	_, _ = io.WriteString(stdin, "running\n")
	p.Await("running")
	harness.Want(t, "requests to quit while the command runs", agent.Quits(), 0)
	_ = stdin.Close()
	p.Result().WantCode(t, 0)
	harness.Want(t, "requests to quit", agent.Quits(), 1)
}

func TestQuitAfterASignalDuringTheWait(t *testing.T) {
	agent, flags := job(t)
	p := harness.Start(t, harness.Detached(envoyWait(t, append(flags, "--url", harness.NewPort(t).URL(), "--", "echo", "started")...)))
	p.Await("connection refused")
	p.Signal(syscall.SIGTERM)
	p.Signal(syscall.SIGTERM) // one more changes nothing
	p.Result().Want(t, 128+15, "")
	harness.Want(t, "requests to quit", agent.Quits(), 1)
}

// QUIT ends a quit request as TERM does, also where there was no wait to catch it for.
func TestStopSignalWhileQuittingAfterAnError(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGQUIT, syscall.SIGTERM, syscall.SIGINT} {
		port := harness.NewPort(t)
		begun, release := make(chan struct{}), make(chan struct{})
		answering(port.Listen(), func(net.Conn) { close(begun); <-release })
		p := harness.Start(t, harness.Detached(envoyWait(t, "--quit-timeout", harness.Patience.String(), "--quit-url", port.QuitURL(), "--", "no-such-command")))
		<-begun
		p.Signal(sig)
		p.Result().WantCode(t, 127)
		close(release)
	}
}

// What became of the wait counts for the quit request, also where the command is gone after it.
func TestQuitWhereTheCommandIsGoneAfterTheWait(t *testing.T) {
	for _, ready := range []bool{true, false} {
		port, quit := harness.NewPort(t), harness.NewPort(t)
		command := filepath.Join(t.TempDir(), "app")
		harness.WriteFile(t, command, "#!/bin/sh\n", 0o755)
		args, answered := []string{"--url", port.URL(), "--quit-url", quit.QuitURL()}, make(<-chan string)
		if ready {
			answered = answering(quit.Listen(), func(net.Conn) {}) // ends the connection: told at once
		} else {
			args = append(args, "--timeout", "3s") // all refused: one attempt
		}
		p := harness.Start(t, envoyWait(t, append(args, "--", command)...))
		p.Await("connection refused")
		if err := os.Remove(command); err != nil {
			t.Fatal(err)
		}
		if ready {
			port.Sidecar(true)
		}
		r := p.Result().WantCode(t, 127)
		lines := r.Lines(t)
		harness.Want(t, "attempts to quit", lines[len(lines)-1]["attempts"], any(1.0))
		harness.Want(t, "requests to quit", len(answered), map[bool]int{true: 1}[ready])
	}
}

// A signal that ends no program, such as that of a child of the shell before, does not keep the command from starting.
func TestSignalsThatEndNothingBeforeTheStart(t *testing.T) {
	agent, flags := job(t)
	for range 20 {
		p := harness.Start(t, harness.Detached(envoyWait(t, append(flags, "--disabled", "--", "echo", "started")...)))
		go func() {
			for sig := syscall.SIGCHLD; p.Process.Signal(sig) == nil; sig = syscall.SIGCHLD + syscall.SIGCONT - sig {
				time.Sleep(50 * time.Microsecond)
			}
		}()
		p.Result().Want(t, 0, "started\n")
	}
	harness.Want(t, "requests to quit", agent.Quits(), 20)
}

func TestQuitOfSeveral(t *testing.T) {
	one, two := harness.NewPort(t), harness.NewPort(t)
	a, b := one.Sidecar(true), two.Sidecar(true)
	r := runEnv(t, []string{"ENVOY_WAIT_QUIT_URL=" + one.QuitURL() + "," + two.QuitURL()}, "--disabled", "--", "true").WantCode(t, 0)
	harness.Want(t, "requests to quit", [2]int{a.Quits(), b.Quits()}, [2]int{1, 1})
	harness.Want(t, "lines about it", strings.Count(r.Stderr, "told to quit"), 2)
}

// Whatever the sidecar answers, there is one POST, no GET, one line about it, and the command's exit status.
func TestQuitAnswers(t *testing.T) {
	for name, test := range map[string]struct {
		answer   func(net.Conn)
		severity string
		says     string
	}{
		"200":   {status("200 OK"), "INFO", "status 200"},
		"204":   {status("204 No Content"), "INFO", "status 204"},
		"EOF":   {func(net.Conn) {}, "INFO", "gone before it answered"},
		"reset": {func(conn net.Conn) { _ = conn.(*net.TCPConn).SetLinger(0) }, "WARNING", "connection reset by peer"},
		"half an answer": {func(conn net.Conn) { _, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nVary: *\r\n") },
			"INFO", "gone before it answered"},
		"404":      {status("404 Not Found"), "WARNING", "status 404; hint: no such endpoint"},
		"403":      {status("403 Forbidden"), "WARNING", "status 403; hint: the sidecar takes this from its own Pod's loopback only"},
		"405":      {status("405 Method Not Allowed"), "WARNING", "status 405; hint: it takes no POST"},
		"503":      {status("503 Service Unavailable"), "WARNING", "status 503"},
		"redirect": {status("307 Temporary Redirect\r\nLocation: /"), "WARNING", "status 307"},
		"not HTTP": {func(conn net.Conn) { _, _ = io.WriteString(conn, "220 smtp ESMTP\r\n") }, "WARNING", "net/http: HTTP/1.x transport connection broken: malformed"},
	} {
		t.Run(name, func(t *testing.T) {
			port := harness.NewPort(t)
			requests := answering(port.Listen(), test.answer)
			r := run(t, "--disabled", "--quit-url", port.QuitURL(), "--", "sh", "-c", "exit 7").WantCode(t, 7)
			r.Says(t, "", port.QuitURL()+": "+test.says)
			lines := r.Lines(t)
			for field, want := range map[string]any{"severity": test.severity, "attempts": 1.0, "url": port.QuitURL()} {
				harness.Want(t, field, lines[len(lines)-1][field], want)
			}
			harness.Want(t, "request", <-requests, "POST /quitquitquit")
			select {
			case more := <-requests:
				t.Errorf("got one more request, %s, want one request", more)
			default:
			}
		})
	}
}

// status answers with a status line.
func status(line string) func(net.Conn) {
	return func(conn net.Conn) { _, _ = io.WriteString(conn, "HTTP/1.1 "+line+"\r\nContent-Length: 0\r\n\r\n") }
}

// answering reads a request from each connection and answers it.
func answering(l net.Listener, answer func(net.Conn)) <-chan string {
	requests := make(chan string, 10)
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			if r, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
				requests <- r.Method + " " + r.URL.Path
			}
			answer(conn)
			_ = conn.Close()
		}
	}()
	return requests
}

// --quit-timeout ends the attempts at all URLs together.
func TestQuitTimeout(t *testing.T) {
	refusing, hanging := harness.NewPort(t).QuitURL(), hangingURL(t)
	r := run(t, "--disabled", "--quit-timeout", "300ms", "--quit-url", refusing, "--quit-url", hanging, "--", "sh", "-c", "exit 7").WantCode(t, 7)
	harness.WantIn(t, r.Stderr, "not told to quit: "+refusing+": connection refused; hint: nothing listens there",
		"not told to quit: "+hanging+": no answer in time; hint: ")
}

// A sidecar that is only now starting is told as soon as it listens.
func TestQuitOfASidecarThatIsOnlyStarting(t *testing.T) {
	first, second := harness.NewPort(t), harness.NewPort(t)
	begun, release := make(chan struct{}), make(chan struct{})
	l := first.Listen()
	answering(l, func(net.Conn) { _ = l.Close(); close(begun); <-release })
	p := harness.Start(t, envoyWait(t, "--url", readyURL(t), "--quit-timeout", harness.Patience.String(),
		"--quit-url", first.QuitURL(), "--quit-url", second.QuitURL(), "true"))
	<-begun // the second URL is refused now or soon
	agent := second.Sidecar(false)
	close(release)
	harness.WantIn(t, p.Result().WantCode(t, 0).Stderr, "told to quit: "+second.QuitURL()+": status 200")
	harness.Want(t, "requests to quit", agent.Quits(), 1)
}

// A sidecar that was ready once, and ends the connection, was told. One that may only be starting was not: the handler of
// Istio's agent panics in its first moments.
func TestQuitOfASidecarThatEndsTheConnection(t *testing.T) {
	port := harness.NewPort(t)
	var number atomic.Int32
	requests := answering(port.Listen(), func(conn net.Conn) {
		if number.Add(1) == 2 {
			status("200 OK")(conn)
		}
	})
	run(t, "--quit-timeout", harness.Patience.String(), "--quit-url", port.QuitURL(), "--", "no-such-command").WantCode(t, 127).
		Says(t, "told to quit: "+port.QuitURL()+": status 200")
	harness.Want(t, "requests to quit", len(requests), 2)

	run(t, "--url", readyURL(t), "--quit-url", port.QuitURL(), "--", "true").WantCode(t, 0).
		Says(t, "told to quit: "+port.QuitURL()+": gone before it answered")
	harness.Want(t, "requests to quit", len(requests), 3)
}

// Istio's agent exits at once when it is told to quit, and may do so before it has answered.
func TestQuitOfAnAgentThatExits(t *testing.T) {
	port := harness.NewPort(t)
	s, l := sidecar.New(true), port.Listen()
	go func() { _ = s.Serve(l) }()
	run(t, "--disabled", "--quit-url", port.QuitURL(), "--", "true").WantCode(t, 0).Says(t, "told to quit: "+port.QuitURL()+": status 200")
	<-s.Quit()

	port = harness.NewPort(t)
	l = port.Listen()
	answering(l, func(net.Conn) { _ = l.Close() })
	run(t, "--disabled", "--quit-url", port.QuitURL(), "--", "true").WantCode(t, 0).Says(t, "told to quit: "+port.QuitURL()+": gone")
}
