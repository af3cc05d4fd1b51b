package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/envoy-wait/envoy-wait/exec"
	"github.com/envoy-wait/envoy-wait/probe"
)

const url = probe.DefaultURL

// stderr collects what is written, by another goroutine.
type stderr struct {
	mu sync.Mutex
	bytes.Buffer
}

func (s *stderr) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.Buffer.Write(p)
}

// reporting runs scenario with a report in virtual time, and returns its lines.
func reporting(t *testing.T, args []string, scenario func(*report)) []map[string]any {
	t.Helper()
	var lines []map[string]any
	synctest.Test(t, func(t *testing.T) {
		s, err := parse(args, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		out := &stderr{}
		r := newReport(s, out)
		defer close(r.lines.queue)
		scenario(r)
		r.flush()
		for text := range strings.Lines(out.String()) {
			var line map[string]any
			if err := json.Unmarshal([]byte(text), &line); err != nil {
				t.Fatalf("%v: %s", err, text)
			}
			if line["logger"] != "envoy-wait" {
				t.Errorf("logger is %v", line["logger"])
			}
			if _, err := time.Parse(time.RFC3339Nano, line["time"].(string)); err != nil {
				t.Error(err)
			}
			lines = append(lines, line)
		}
	})
	return lines
}

// wants compares some fields of each line.
func wants(t *testing.T, got []map[string]any, want ...map[string]any) {
	t.Helper()
	for i, line := range got {
		if i >= len(want) {
			t.Errorf("one line too many: %v", line)
			continue
		}
		for field, value := range want[i] {
			if line[field] != value {
				t.Errorf("line %d: %s is\n%v, want\n%v", i, field, line[field], value)
			}
		}
	}
	if len(got) < len(want) {
		t.Errorf("%d lines, want %d", len(got), len(want))
	}
}

func refused(n int) probe.Attempt {
	return probe.Attempt{URL: url, Number: n, Outcome: probe.Refused, Err: syscall.ECONNREFUSED}
}

func status(n, status int) probe.Attempt {
	outcome := probe.Unready
	if status == 200 {
		outcome = probe.Ready
	}
	return probe.Attempt{URL: url, Number: n, Outcome: outcome, Status: status}
}

func TestReportOfAnOrdinaryStart(t *testing.T) {
	got := reporting(t, []string{"--timeout=60s", "--", "app", "secret"}, func(r *report) {
		r.attempt(refused(1))
		r.attempt(refused(2))
		time.Sleep(250 * time.Millisecond)
		r.attempt(status(3, 503))
		r.attempt(status(4, 503))
		time.Sleep(10 * time.Second)
		r.heartbeat()
		r.attempt(status(5, 200))
		r.outcome(nil)
		r.attempt(status(6, 503)) // one that is late
	})
	wants(t, got,
		map[string]any{"severity": "INFO", "message": "waiting for " + url + ": connection refused", "url": url,
			"error": "connection refused", "attempts": 1.0, "elapsed": 0.0, "remaining": 60.0},
		map[string]any{"message": url + ": status 503, was connection refused", "status": 503.0, "error": nil,
			"attempts": 3.0, "elapsed": 0.25, "remaining": 59.75},
		map[string]any{"message": "still waiting after 10s: " + url + ": status 503", "status": 503.0,
			"attempts": 4.0, "elapsed": 10.25, "remaining": 49.75},
		map[string]any{"severity": "INFO", "message": `ready after 10.25s, starting "app"`, "url": url, "status": 200.0,
			"attempts": 5.0, "elapsed": 10.25, "remaining": nil},
	)
}

func TestReportOfOneLine(t *testing.T) {
	ready := func(r *report) { r.attempt(status(1, 200)); r.outcome(nil) }
	wants(t, reporting(t, []string{"app"}, ready), map[string]any{"message": `ready after 0s, starting "app"`})
	wants(t, reporting(t, nil, ready), map[string]any{"message": `ready after 0s`})
	wants(t, reporting(t, []string{"--disabled", "app"}, func(r *report) { r.outcome(nil) }),
		map[string]any{"severity": "INFO", "message": `disabled, no wait, starting "app"`})
}

func TestReportWithoutATimeout(t *testing.T) {
	wants(t, reporting(t, []string{"--timeout=0"}, func(r *report) { r.attempt(refused(1)) }),
		map[string]any{"remaining": nil})
}

func TestReportOfSeveralEndpoints(t *testing.T) {
	const other = "https://me:secret@other/"
	got := reporting(t, []string{"--url", url, "--url", other, "--url", "http://third/"}, func(r *report) {
		r.attempt(probe.Attempt{URL: "http://third/", Number: 1, Outcome: probe.Ready, Status: 200}) // never pending
		r.attempt(refused(1))
		r.attempt(probe.Attempt{URL: other, Number: 1, Outcome: probe.Unready, Status: 503})
		r.heartbeat()
		r.attempt(status(2, 200))
		r.attempt(probe.Attempt{URL: other, Number: 2, Outcome: probe.Ready, Status: 200})
		r.outcome(nil)
	})
	wants(t, got,
		map[string]any{"message": "waiting for " + url + ": connection refused"},
		map[string]any{"message": "waiting for https://xxxxx@other/: status 503", "url": "https://xxxxx@other/"},
		map[string]any{"message": "still waiting after 0s: " + url + ": connection refused; https://xxxxx@other/: status 503", "attempts": 2.0},
		map[string]any{"message": url + " is ready, waiting for https://xxxxx@other/: status 503"},
		map[string]any{"message": "ready after 0s", "attempts": 5.0},
	)
	if targets, ok := got[2]["targets"].([]any); !ok || len(targets) != 2 {
		t.Errorf("targets are %v", got[2]["targets"])
	}
}

// Under 20 lines a minute, whatever an endpoint does.
func TestReportOfAnEndpointThatFlaps(t *testing.T) {
	const minutes = 10
	got := reporting(t, []string{"--timeout=0", "app"}, func(r *report) {
		for i := range minutes * 60 * 10 {
			if i%2 == 0 {
				r.attempt(refused(i + 1))
			} else {
				r.attempt(status(i+1, 503))
			}
			if i%100 == 99 {
				r.heartbeat()
			}
			time.Sleep(100 * time.Millisecond)
		}
		r.attempt(status(10000, 200))
		r.outcome(nil)
	})
	start, _ := time.Parse(time.RFC3339Nano, got[0]["time"].(string))
	perMinute := map[int]int{}
	for _, line := range got {
		at, _ := time.Parse(time.RFC3339Nano, line["time"].(string))
		perMinute[int(at.Sub(start)/time.Minute)]++
	}
	for minute, n := range perMinute {
		if n >= 20 {
			t.Errorf("%d lines in minute %d", n, minute)
		}
	}
	if len(perMinute) < minutes {
		t.Errorf("lines in %d minutes only", len(perMinute))
	}
}

// Each hint in its situation, and in no other.
func TestHints(t *testing.T) {
	attempt := func(outcome probe.Outcome) probe.Attempt {
		return probe.Attempt{URL: url, Number: 1, Outcome: outcome, Err: errors.New("cause")}
	}
	hints := map[string]string{
		"sidecar?":   "is this an init container?",
		"config":     "is istiod reachable?",
		"gone":       "was there and is gone",
		"endpoint?":  "a readiness endpoint?",
		"no answer":  "Envoy's admin does not answer",
		"file":       "whatever writes that file",
		"listens?":   "does anything listen there?",
		"dropped?":   "a NetworkPolicy drop",
		"any at all": "; hint: ",
	}
	for _, test := range []struct {
		name string
		seen []probe.Attempt
		hint string
	}{
		{"only refused", []probe.Attempt{refused(1), refused(2)}, "sidecar?"},
		{"only 503", []probe.Attempt{status(1, 503)}, "config"},
		{"refused, then 503", []probe.Attempt{refused(1), status(2, 503)}, "config"},
		{"refused after 503", []probe.Attempt{status(1, 503), refused(2)}, "gone"},
		{"refused after a reset", []probe.Attempt{attempt(probe.Failed), refused(2)}, "gone"},
		{"404", []probe.Attempt{status(1, 404)}, "endpoint?"},
		{"204", []probe.Attempt{status(1, 204)}, "endpoint?"},
		{"redirect", []probe.Attempt{status(1, 307)}, "endpoint?"},
		{"not HTTP", []probe.Attempt{attempt(probe.NotHTTP)}, "endpoint?"},
		{"hang", []probe.Attempt{refused(1), attempt(probe.NoAnswer)}, "no answer"},
		{"a file", []probe.Attempt{{URL: "file:///x", Number: 1, Outcome: probe.Refused, Err: syscall.ENOENT}}, "file"},
		{"a port, in capitals", []probe.Attempt{{URL: "TCP://h:1", Number: 1, Outcome: probe.Refused, Err: syscall.ECONNREFUSED}}, "listens?"},
		{"a port", []probe.Attempt{{URL: "tcp://h:1", Number: 1, Outcome: probe.Refused, Err: syscall.ECONNREFUSED}}, "listens?"},
		{"a port that hangs", []probe.Attempt{{URL: "tcp://h:1", Number: 1, Outcome: probe.NoAnswer, Err: errors.New("cause")}}, "dropped?"},
		{"500", []probe.Attempt{status(1, 500)}, "no hint"},
		{"reset", []probe.Attempt{attempt(probe.Failed)}, "no hint"},
	} {
		for _, args := range [][]string{{"app"}, {"--on-timeout=fail", "app"}, nil} {
			message := timeoutMessage(t, args, test.seen)
			for hint, text := range hints {
				want := hint == test.hint || hint == "any at all" && test.hint != "no hint"
				if strings.Contains(message, text) != want {
					t.Errorf("%s: %q is there: %v, want %v: %s", test.name, text, !want, want, message)
				}
			}
			cause := test.seen[0].URL + ": " + test.seen[len(test.seen)-1].Cause()
			if !strings.HasPrefix(message, "not ready after 1m0s") || !strings.Contains(message, cause) {
				t.Errorf("%s: %s", test.name, message)
			}
		}
	}
}

// Only Istio's hints name Istio's parts.
func TestHintsOfOtherProxies(t *testing.T) {
	for _, p := range proxies[1:] {
		for name, seen := range map[string]probe.Attempt{
			"its log has the reason": status(1, 503),
			"does not answer":        {URL: url, Number: 1, Outcome: probe.NoAnswer, Err: errors.New("cause")},
		} {
			message := timeoutMessage(t, []string{"--proxy", p.name, "app"}, []probe.Attempt{seen})
			if !strings.Contains(message, name) || strings.Contains(message, "isti") || strings.Contains(message, "Envoy") {
				t.Errorf("%s: %s", p.name, message)
			}
		}
	}
}

// Nor does the default proxy's hint for a URL that is not Istio's.
func TestHintsOfOwnURLs(t *testing.T) {
	for own, istio := range map[string]bool{
		url: true, "http://localhost:15021/healthz/ready": true, "http://127.0.0.1:15000/ready": true,
		"http://localhost:3500/v1.0/healthz/outbound": false, "http://localhost:4191/ready": false,
	} {
		message := timeoutMessage(t, []string{"app"}, []probe.Attempt{{URL: own, Number: 1, Outcome: probe.Unready, Status: 503}})
		if strings.Contains(message, "istiod") != istio {
			t.Errorf("%s: %s", own, message)
		}
	}
}

// At the deadline the last line says it all.
func TestNoHeartbeatAtTheDeadline(t *testing.T) {
	got := reporting(t, []string{"--timeout=20s", "app"}, func(r *report) {
		r.attempt(refused(1))
		time.Sleep(10 * time.Second)
		r.heartbeat()
		time.Sleep(10 * time.Second)
		r.heartbeat()
	})
	if len(got) != 2 {
		t.Errorf("%d lines, want the first and one heartbeat", len(got))
	}
}

// timeoutMessage is the one line that a timeout after some attempts gives.
func timeoutMessage(t *testing.T, args []string, seen []probe.Attempt) string {
	t.Helper()
	got := reporting(t, append([]string{"--log-level=warn", "--url", seen[0].URL}, args...), func(r *report) {
		for _, a := range seen {
			r.attempt(a)
		}
		timeout := &probe.TimeoutError{Elapsed: time.Minute}
		if len(args) == 1 {
			r.outcome(timeout)
		} else {
			r.end(timeout, exitTimeout)
		}
	})
	if len(got) != 1 {
		t.Fatalf("%d lines, want one", len(got))
	}
	return got[0]["message"].(string)
}

func TestReportOfAnAbsentSidecar(t *testing.T) {
	absent := &probe.TimeoutError{Elapsed: 5 * time.Second, Absent: true}
	got := reporting(t, []string{"--log-level=warn", "app"}, func(r *report) { r.attempt(refused(1)); r.outcome(absent) })
	wants(t, got, map[string]any{"severity": "WARNING",
		"message": `no sidecar after 5s, starting "app" anyway: ` + url + ": connection refused"})
}

func TestReportOfOneAttempt(t *testing.T) {
	once := &probe.TimeoutError{Elapsed: time.Millisecond, Once: true}
	got := reporting(t, []string{"--once"}, func(r *report) { r.attempt(status(1, 503)); r.end(once, exitCode(once)) })
	wants(t, got, map[string]any{"severity": "ERROR", "exit_status": 1.0, "status": 503.0})
}

func TestReportOfASignal(t *testing.T) {
	got := reporting(t, []string{"app"}, func(r *report) {
		r.attempt(refused(1))
		time.Sleep(3200 * time.Millisecond)
		r.end(&exec.SignalError{Signal: syscall.SIGTERM}, 143)
	})
	wants(t, got[1:], map[string]any{"severity": "WARNING", "message": `SIGTERM after 3.2s, "app" not started`,
		"exit_status": 143.0, "error": "connection refused"})
}

func TestSeconds(t *testing.T) {
	for ms := range 100000 {
		want := strings.TrimRight(strings.TrimRight(fmt.Sprintf("%d.%03d", ms/1000, ms%1000), "0"), ".")
		if got := strconv.FormatFloat(seconds(time.Duration(ms)*time.Millisecond+499*time.Microsecond), 'f', -1, 64); got != want {
			t.Fatalf("got %s, want %s", got, want)
		}
	}
}

func TestLevels(t *testing.T) {
	for level, want := range map[string]int{"debug": 3, "info": 3, "warn": 1, "error": 1} {
		got := reporting(t, []string{"--log-level", level}, func(r *report) {
			r.attempt(refused(1))
			r.heartbeat()
			r.end(&probe.TimeoutError{}, exitTimeout)
		})
		if len(got) != want {
			t.Errorf("%s: %d lines, want %d", level, len(got), want)
		}
	}
}

// A stderr that nobody reads takes no more than flushLimit, however often.
func TestStderrThatIsStuck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stuck := make(stuckWriter)
		l := newLines(stuck)
		for range 1000 {
			_, _ = l.Write([]byte("x\n"))
		}
		start := time.Now()
		l.flush()
		if waited := time.Since(start); waited != flushLimit {
			t.Errorf("waited %v", waited)
		}
		close(stuck)
		close(l.queue)
	})
}

type stuckWriter chan struct{}

func (w stuckWriter) Write(p []byte) (int, error) { <-w; return len(p), nil }
