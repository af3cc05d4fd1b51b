//go:build linux

package faults

import (
	"bufio"
	"encoding/json"
	"io"
	"math/rand/v2"
	"net"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/envoy-wait/envoy-wait/e2e/harness"
)

// Readiness, the deadline and a signal come within 5 ms. There is one outcome, and the
// last line tells it.
func TestReadinessDeadlineAndSignalAtOnce(t *testing.T) {
	binary, _ := binaries(t)
	repeat(t, "readiness, deadline and SIGTERM within 5 ms", *rounds, func(random *rand.Rand) string {
		// Attempts are 10 ms apart, so the deadline is a random point between two of
		// them. The wait begins up to 8 ms before the first request: lead guesses it.
		deadline := 60*time.Millisecond + time.Duration(random.Int64N(10e6))
		lead := time.Duration(random.Int64N(8e6))
		within := func() time.Duration {
			return deadline - lead - 2500*time.Microsecond + time.Duration(random.Int64N(5e6))
		}
		readyAfter, signalAfter := within(), within()
		onTimeout := []string{"start", "fail"}[random.IntN(2)]

		// All times count from the first request.
		var once sync.Once
		asked := make(chan struct{})
		var first time.Time
		e := newEndpoint(t, func(conn net.Conn, _ *endpoint) {
			for in := bufio.NewReader(conn); readRequest(in); {
				once.Do(func() { first = time.Now(); close(asked) })
				text := unready
				if time.Since(first) >= readyAfter {
					text = genuine
				}
				if _, err := io.WriteString(conn, text); err != nil {
					return
				}
			}
		})
		cmd := exec.Command(binary, "--url", e.url, "--timeout", deadline.String(), "--interval", "10ms", "--on-timeout", onTimeout, "--", "sh", "-c", app)
		cmd.Env = harness.Env()
		stdin, err := harness.Detached(cmd).StdinPipe()
		if err != nil {
			t.Error(err)
			return "not started"
		}
		p := harness.Start(t, cmd)
		timer := time.AfterFunc(5*time.Second, func() { _ = stdin.Close() })
		defer timer.Stop()
		select {
		case <-asked:
			time.Sleep(signalAfter - time.Since(first))
		case <-time.After(10 * deadline):
			// No request before the deadline: the machine is busy.
		}
		_ = syscall.Kill(p.Process.Pid, syscall.SIGTERM)
		r := p.Result()
		_ = stdin.Close()
		return endOfRace(t, onTimeout, r)
	})
}

// endOfRace checks that the outcome and the last line agree.
func endOfRace(t *testing.T, onTimeout string, r harness.Result) string {
	t.Helper()
	if r.Signal == syscall.SIGTERM && r.Stdout == "" && r.Stderr == "" {
		return "signal before main" // no request: the machine is busy
	}
	lines := strings.Split(strings.TrimSpace(r.Stderr), "\n")
	var last struct{ Message string }
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &last); err != nil {
		t.Errorf("got %+v (%v), want JSON in the last line", r, err)
	}
	started := strings.Contains(r.Stdout, "started\n")
	starting := strings.Contains(last.Message, `, starting "sh"`)
	killed := r.Signal == syscall.SIGTERM // the app was
	switch {
	case r.Code == 124 && r.Signal == 0 && !started && onTimeout == "fail" && strings.HasPrefix(last.Message, "not ready after "):
		return "timeout, 124"
	case r.Code == 143 && r.Signal == 0 && !started && strings.HasPrefix(last.Message, "SIGTERM after ") && strings.HasSuffix(last.Message, `"sh" not started`):
		return "signal, 143"
	case r.Code == 143 && r.Signal == 0 && !started && starting:
		// In the last microseconds before execve no line can follow.
		return "signal at execve, 143"
	case killed && starting && strings.HasPrefix(last.Message, "ready after "):
		return "ready, app took the signal"
	case killed && starting && strings.HasPrefix(last.Message, "not ready after ") && onTimeout == "start":
		return "timeout, app took the signal"
	}
	t.Errorf("on timeout %s: got %+v, want one outcome, and the last line to tell it", onTimeout, r)
	return "none"
}
