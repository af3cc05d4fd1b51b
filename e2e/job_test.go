//go:build linux

package e2e

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/envoy-wait/envoy-wait/e2e/harness"
	"github.com/envoy-wait/envoy-wait/e2e/sidecar"
)

// job returns the flags of a Job whose sidecar is ready.
func job(t *testing.T) (*sidecar.Sidecar, []string) {
	t.Helper()
	port := harness.NewPort(t)
	return port.Sidecar(true), []string{"--url", port.URL(), "--quit-url", port.QuitURL()}
}

// The sidecar is told to quit once, whatever became of the command; the exit
// status is that of the same run without --quit-url.
func TestQuit(t *testing.T) {
	refusing := harness.NewPort(t).URL()
	noShebang := filepath.Join(t.TempDir(), "noshebang")
	if err := os.WriteFile(noShebang, []byte("echo hi\n"), 0o755); err != nil {
		t.Fatal(err)
	}
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
		{"cannot be run, as the start shows", []string{noShebang}, "", 126, 1},

		{"success: exit 0", append(onSuccess, "true"), "", 0, 1},
		{"success: exit 3", append(onSuccess, "sh", "-c", "exit 3"), "", 3, 0},
		{"success: killed", append(onSuccess, "sh", "-c", "kill -KILL $$"), "", 137, 0},
		{"success: not ready", append(onSuccess, append(inVain, "--on-timeout", "fail", "true")...), "", 124, 0},
		{"success: no such command", []string{"no-such-command"}, "ENVOY_WAIT_QUIT_ON=success", 127, 0},

		{"usage: no command", nil, "", 125, 0},
		{"usage: a flag", []string{"--tiemout", "1s", "true"}, "", 125, 0},
		{"usage: a value", []string{"--quit-timeout", "0", "true"}, "", 125, 0},
		{"usage: a URL", []string{"--quit-url", "tcp://localhost:1", "true"}, "", 125, 0},
		{"usage: a variable", []string{"true"}, "ENVOY_WAIT_QUIT_ON=never", 125, 0},
		{"help", []string{"--help"}, "", 0, 0},
		{"install", []string{"--install", t.TempDir()}, "", 0, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			agent, flags := job(t)
			cmd := envoyWait(t, append(flags, test.args...)...)
			cmd.Env = append(cmd.Env, test.env)
			r := harness.Start(t, cmd).Result()
			if r.Code != test.code || agent.Quits() != test.quits {
				t.Errorf("told to quit %d times, want %d, with %d; %+v", agent.Quits(), test.quits, test.code, r)
			}
			if last := message(t, r.Stderr); test.quits > 0 && !strings.HasPrefix(last, "told to quit: http://") {
				t.Errorf("the last line is %s", last)
			}
		})
	}
}

// It is told after the command's end, and not before.
func TestQuitComesLast(t *testing.T) {
	agent, flags := job(t)
	cmd := envoyWait(t, append(flags, "--", "cat")...)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	p := harness.Start(t, cmd)
	_, _ = io.WriteString(stdin, "running\n")
	p.Await("running")
	if n := agent.Quits(); n != 0 {
		t.Errorf("told to quit %d times while the command runs", n)
	}
	_ = stdin.Close()
	if r := p.Result(); r.Code != 0 || agent.Quits() != 1 {
		t.Errorf("told to quit %d times: %+v", agent.Quits(), r)
	}
}

func TestQuitAfterASignalDuringTheWait(t *testing.T) {
	agent, flags := job(t)
	p := harness.Start(t, detached(envoyWait(t, append(flags, "--url", harness.NewPort(t).URL(), "--", "echo", "started")...)))
	p.Await("connection refused")
	p.Signal(syscall.SIGTERM)
	p.Signal(syscall.SIGTERM) // one more changes nothing
	if r := p.Result(); r.Code != 128+15 || r.Stdout != "" || agent.Quits() != 1 {
		t.Errorf("told to quit %d times: %+v", agent.Quits(), r)
	}
}

func TestQuitOfSeveral(t *testing.T) {
	one, two := harness.NewPort(t), harness.NewPort(t)
	agents := []*sidecar.Sidecar{one.Sidecar(true), two.Sidecar(true)}
	cmd := envoyWait(t, "--disabled", "true")
	cmd.Env = append(cmd.Env, "ENVOY_WAIT_QUIT_URL="+one.QuitURL()+","+two.QuitURL())
	r := harness.Start(t, cmd).Result()
	if r.Code != 0 || agents[0].Quits() != 1 || agents[1].Quits() != 1 || strings.Count(r.Stderr, "told to quit") != 2 {
		t.Errorf("%+v", r)
	}
}

// Whatever the sidecar does, the exit status is the command's, one POST is sent
// and no GET, and one line says what came of it.
func TestQuitAnswers(t *testing.T) {
	status := func(line string) func(net.Conn) {
		return func(conn net.Conn) { _, _ = io.WriteString(conn, "HTTP/1.1 "+line+"\r\nContent-Length: 0\r\n\r\n") }
	}
	for name, test := range map[string]struct {
		answer   func(net.Conn)
		severity string
		says     string
	}{
		"200":   {status("200 OK"), "INFO", "status 200"},
		"204":   {status("204 No Content"), "INFO", "status 204"},
		"EOF":   {func(net.Conn) {}, "INFO", "gone before it answered"},
		"reset": {func(conn net.Conn) { _ = conn.(*net.TCPConn).SetLinger(0) }, "INFO", "gone before it answered"},
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
			r := run(t, "--disabled", "--quit-url", port.QuitURL(), "--", "sh", "-c", "exit 7")
			if r.Code != 7 {
				t.Errorf("%+v", r)
			}
			lines := jsonLines(t, r.Stderr)
			last := lines[len(lines)-1]
			if last["severity"] != test.severity || !strings.Contains(last["message"].(string), port.QuitURL()+": "+test.says) ||
				last["attempts"] != 1.0 || last["url"] != port.QuitURL() {
				t.Errorf("the last line is %v", last)
			}
			if got := <-requests; got != "POST /quitquitquit" {
				t.Errorf("the request was %s", got)
			}
			select {
			case more := <-requests:
				t.Errorf("one more request: %s", more)
			default:
			}
		})
	}
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

// What never answers is given up at --quit-timeout, for all URLs together.
func TestQuitTimeout(t *testing.T) {
	refusing, hanging := harness.NewPort(t).QuitURL(), hangingURL(t)
	r := run(t, "--disabled", "--quit-timeout", "300ms", "--quit-url", refusing, "--quit-url", hanging, "--", "sh", "-c", "exit 7")
	if r.Code != 7 ||
		!strings.Contains(r.Stderr, "not told to quit: "+refusing+": connection refused; hint: nothing listens there") ||
		!strings.Contains(r.Stderr, "not told to quit: "+hanging+": no answer in time; hint: ") {
		t.Errorf("%+v", r)
	}
}

// A sidecar that is only now starting is told as soon as it listens.
func TestQuitOfASidecarThatIsOnlyStarting(t *testing.T) {
	first, second := harness.NewPort(t), harness.NewPort(t)
	begun, release := make(chan struct{}), make(chan struct{})
	answering(first.Listen(), func(net.Conn) { close(begun); <-release })
	p := harness.Start(t, envoyWait(t, "--disabled", "--quit-timeout", harness.Patience.String(),
		"--quit-url", first.QuitURL(), "--quit-url", second.QuitURL(), "true"))
	<-begun // and the second has been refused by now, or will be
	agent := second.Sidecar(false)
	close(release)
	if r := p.Result(); r.Code != 0 || agent.Quits() != 1 || !strings.Contains(r.Stderr, "told to quit: "+second.QuitURL()+": status 200") {
		t.Errorf("%+v", r)
	}
}

// The agent as a whole: it exits as soon as it is told, often before its answer.
func TestQuitOfAnAgentThatExits(t *testing.T) {
	port := harness.NewPort(t)
	l := port.Listen()
	requests := answering(l, func(conn net.Conn) { _ = l.Close(); _ = conn.(*net.TCPConn).SetLinger(0) })
	r := run(t, "--disabled", "--quit-url", port.QuitURL(), "--", "true")
	if r.Code != 0 || !strings.Contains(r.Stderr, fmt.Sprintf("told to quit: %s: gone", port.QuitURL())) || <-requests == "" {
		t.Errorf("%+v", r)
	}
}
