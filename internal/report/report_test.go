package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	neturl "net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/envoy-wait/envoy-wait/internal/cli"
	"github.com/envoy-wait/envoy-wait/probe"
)

const url = probe.DefaultURL

// app is a start of the command app behind the default endpoint.
func app(change ...func(*Options)) Options {
	o := Options{URLs: []string{url}, Timeout: time.Minute, Command: "app", Level: "info"}
	for _, f := range change {
		f(&o)
	}
	return o
}

func level(level string) func(*Options) { return func(o *Options) { o.Level = level } }

func urls(urls ...string) func(*Options) { return func(o *Options) { o.URLs = urls } }

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

// reporting runs scenario with a Reporter in virtual time, and returns what it wrote.
func reporting(t *testing.T, o Options, scenario func(*Reporter)) (written string) {
	t.Helper()
	return reportingOn(t, o, false, scenario)
}

// reportingOn is reporting with a live line, or without.
func reportingOn(t *testing.T, o Options, live bool, scenario func(*Reporter)) (written string) {
	t.Helper()
	synctest.Test(t, func(*testing.T) {
		out := &stderr{}
		r := New(out, o)
		r.live = live
		r.Begin(time.Now())
		defer close(r.out.queue)
		scenario(r)
		r.out.flush()
		written = out.String()
	})
	return written
}

// reported is reporting for JSON.
func reported(t *testing.T, o Options, scenario func(*Reporter)) (lines []map[string]any) {
	t.Helper()
	for text := range strings.Lines(reporting(t, o, scenario)) {
		var line map[string]any
		if err := json.Unmarshal([]byte(text), &line); err != nil {
			t.Fatalf("got %s (%v), want JSON", text, err)
		}
		if line["logger"] != "envoy-wait" {
			t.Errorf("got the logger %v, want envoy-wait", line["logger"])
		}
		if at, ok := line["time"].(string); ok == o.Once {
			t.Errorf("got the time %v, want one, but none with --once", line["time"])
		} else if _, err := time.Parse(time.RFC3339Nano, at); ok && err != nil {
			t.Error(err)
		}
		lines = append(lines, line)
	}
	return lines
}

// wants compares some fields of each line.
func wants(t *testing.T, got []map[string]any, want ...map[string]any) {
	t.Helper()
	for i, line := range got {
		if i >= len(want) {
			t.Errorf("got one line more, %v, want %d lines", line, len(want))
			continue
		}
		for field, value := range want[i] {
			if line[field] != value {
				t.Errorf("line %d, %s: got\n%v\nwant\n%v", i, field, line[field], value)
			}
		}
	}
	if len(got) < len(want) {
		t.Errorf("got %d lines, want %d", len(got), len(want))
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
	got := reported(t, app(), func(r *Reporter) {
		r.Attempt(refused(1))
		r.Attempt(refused(2))
		time.Sleep(250 * time.Millisecond)
		r.Attempt(status(3, 503))
		r.Attempt(status(4, 503))
		time.Sleep(10 * time.Second)
		r.Attempt(status(5, 200))
		r.Ready()
		r.Attempt(status(6, 503)) // one that is late
	})
	wants(t, got,
		map[string]any{"severity": "INFO", "message": "waiting for " + url + ": connection refused", "url": url,
			"error": "connection refused", "attempts": 1.0, "elapsed": 0.0, "remaining": 60.0},
		map[string]any{"message": url + ": status 503, was connection refused", "status": 503.0, "error": nil,
			"attempts": 3.0, "elapsed": 0.25, "remaining": 59.75},
		map[string]any{"message": "still waiting after 10s: " + url + ": status 503", "status": 503.0,
			"attempts": 4.0, "elapsed": 10.0, "remaining": 50.0},
		map[string]any{"severity": "INFO", "message": `ready after 10.25s, starting "app"`, "url": url, "status": 200.0,
			"attempts": 5.0, "elapsed": 10.25, "remaining": nil},
	)
}

func TestReportOfOneLine(t *testing.T) {
	ready := func(r *Reporter) { r.Attempt(status(1, 200)); r.Ready() }
	wants(t, reported(t, app(), ready), map[string]any{"message": `ready after 0s, starting "app"`})
	wants(t, reported(t, app(func(o *Options) { o.Command = "" }), ready), map[string]any{"message": `ready after 0s`})
	wants(t, reported(t, app(func(o *Options) { o.Disabled = true }), func(r *Reporter) { r.Ready() }),
		map[string]any{"severity": "INFO", "message": `disabled, no wait, starting "app"`})
}

func TestReportWithoutATimeout(t *testing.T) {
	wants(t, reported(t, app(func(o *Options) { o.Timeout = probe.NoTimeout }), func(r *Reporter) { r.Attempt(refused(1)) }),
		map[string]any{"remaining": nil})
}

func TestReportOfSeveralEndpoints(t *testing.T) {
	const other = "https://me:secret@other/"
	got := reported(t, app(urls(url, other, "http://third/")), func(r *Reporter) {
		r.Attempt(probe.Attempt{URL: "http://third/", Number: 1, Outcome: probe.Ready, Status: 200}) // never pending
		r.Attempt(refused(1))
		r.Attempt(probe.Attempt{URL: other, Number: 1, Outcome: probe.Unready, Status: 503})
		time.Sleep(heartbeatInterval + 1)
		r.Attempt(status(2, 200))
		r.Attempt(probe.Attempt{URL: other, Number: 2, Outcome: probe.Ready, Status: 200})
		r.Ready()
	})
	wants(t, got,
		map[string]any{"message": "waiting for " + url + ": connection refused"},
		map[string]any{"message": "waiting for https://xxxxx@other/: status 503", "url": "https://xxxxx@other/"},
		map[string]any{"message": "still waiting after 10s: " + url + ": connection refused; https://xxxxx@other/: status 503", "attempts": 2.0},
		map[string]any{"message": url + " is ready, waiting for https://xxxxx@other/: status 503"},
		map[string]any{"message": `ready after 10s, starting "app"`, "attempts": 5.0},
	)
	if targets, ok := got[2]["targets"].([]any); !ok || len(targets) != 2 {
		t.Errorf("got the targets %v, want two", got[2]["targets"])
	}
}

// Under 20 lines a minute, whatever an endpoint does.
func TestReportOfAnEndpointThatFlaps(t *testing.T) {
	const minutes = 10
	got := reported(t, app(func(o *Options) { o.Timeout = 0 }), func(r *Reporter) {
		for i := range minutes * 60 * 10 {
			if i%2 == 0 {
				r.Attempt(refused(i + 1))
			} else {
				r.Attempt(status(i+1, 503))
			}
			time.Sleep(100 * time.Millisecond)
		}
		r.Attempt(status(10000, 200))
		r.Ready()
	})
	start, _ := time.Parse(time.RFC3339Nano, got[0]["time"].(string))
	perMinute := map[int]int{}
	for _, line := range got {
		at, _ := time.Parse(time.RFC3339Nano, line["time"].(string))
		perMinute[int(at.Sub(start)/time.Minute)]++
	}
	for minute, n := range perMinute {
		if n >= 20 {
			t.Errorf("minute %d: got %d lines, want less than 20", minute, n)
		}
	}
	if len(perMinute) < minutes {
		t.Errorf("got lines in %d minutes, want them in %d", len(perMinute), minutes)
	}
}

// Each situation has its own hint.
func TestHints(t *testing.T) {
	const consul = "http://127.0.0.1:19000/ready"
	certificate := errors.New("tls: failed to verify certificate: x509: certificate signed by unknown authority")
	for name, test := range map[string]struct {
		attempt probe.Attempt
		want    string
	}{
		"only refused":                         {probe.Attempt{URL: url, Outcome: probe.Refused}, noSidecar},
		"only refused, Cloud SQL":              {probe.Attempt{URL: "http://localhost:9090/startup", Outcome: probe.Refused}, "--health-check"},
		"only refused, Kuma":                   {probe.Attempt{URL: "http://localhost:9902/ready", Outcome: probe.Refused}, "before Kuma 2.14"},
		"only refused, another URL":            {probe.Attempt{URL: "http://localhost:9090/healthz", Outcome: probe.Refused}, noSidecar},
		"refused after something":              {probe.Attempt{URL: url, Outcome: probe.Refused, Reached: true}, "was there and is gone"},
		"503 of Istio":                         {probe.Attempt{URL: url, Outcome: probe.Unready, Status: 503}, "reaches istiod"},
		"503 of Istio, by address":             {probe.Attempt{URL: "http://127.0.0.1:15020/healthz/ready", Outcome: probe.Unready, Status: 503}, "reaches istiod"},
		"503 of Consul":                        {probe.Attempt{URL: consul, Outcome: probe.Unready, Status: 503}, "reaches its control plane"},
		"500 of Dapr":                          {probe.Attempt{URL: "http://localhost:3500/v1.0/healthz/outbound", Outcome: probe.Unready, Status: 500}, "the log of daprd"},
		"404":                                  {probe.Attempt{URL: url, Outcome: probe.Unready, Status: 404}, notReadiness},
		"204":                                  {probe.Attempt{URL: url, Outcome: probe.Unready, Status: 204}, "look at --ready-status"},
		"EOF":                                  {probe.Attempt{URL: url, Outcome: probe.Failed, Err: errors.New("connection closed without a complete answer")}, "ended the connection"},
		"no such host":                         {probe.Attempt{URL: url, Outcome: probe.Failed, Err: errors.New("looking up the host: no such host")}, ""},
		"307":                                  {probe.Attempt{URL: url, Outcome: probe.Unready, Status: 307}, notReadiness},
		"not HTTP":                             {probe.Attempt{URL: url, Outcome: probe.NotHTTP}, notReadiness},
		"HTTP instead of TLS":                  {probe.Attempt{URL: "https://h/", Outcome: probe.NotHTTP, Err: http.ErrSchemeMismatch}, "use http://"},
		"a private CA":                         {probe.Attempt{URL: "https://h/", Outcome: probe.Failed, Err: certificate}, "SSL_CERT_FILE"},
		"no answer of the agent":               {probe.Attempt{URL: url, Outcome: probe.NoAnswer}, "Istio's agent does not answer"},
		"no answer, and a port in a path":      {probe.Attempt{URL: "http://localhost:3500/x:15020/", Outcome: probe.NoAnswer}, "the sidecar does not answer"},
		"no answer, and a port that is longer": {probe.Attempt{URL: "http://h:150200/", Outcome: probe.NoAnswer}, "the sidecar does not answer"},
		"a file":                               {probe.Attempt{URL: "file:///x", Outcome: probe.Refused, Err: syscall.ENOENT}, "the writer of that file"},
		"an empty file":                        {probe.Attempt{URL: "file:///x", Outcome: probe.Refused, Err: errors.New("the file is empty")}, "write something into it"},
		"a socket as a file":                   {probe.Attempt{URL: "file:///x", Outcome: probe.Failed, Err: errors.New("not a regular file")}, "use unix:///path"},
		"a file system that hangs":             {probe.Attempt{URL: "file:///x", Outcome: probe.NoAnswer}, "the file system does not answer"},
		"a file as a socket":                   {probe.Attempt{URL: "unix:///x:/ready", Outcome: probe.Refused}, "it must be a socket"},
		"a port":                               {probe.Attempt{URL: "tcp://h:1", Outcome: probe.Refused}, "nothing listens there yet"},
		"a port, in capitals":                  {probe.Attempt{URL: "TCP://h:1", Outcome: probe.Refused, Reached: true}, "nothing listens there yet"},
		"a port that hangs":                    {probe.Attempt{URL: "tcp://h:1", Outcome: probe.NoAnswer}, "NetworkPolicies"},
		"500":                                  {probe.Attempt{URL: url, Outcome: probe.Unready, Status: 500}, ""},
		"reset":                                {probe.Attempt{URL: url, Outcome: probe.Failed}, ""},
		"nothing is known":                     {probe.Attempt{URL: url, Number: 1}, ""},
	} {
		got := waitHints.find(test.attempt, false)
		if !strings.Contains(got, test.want) || (got == "") != (test.want == "") {
			t.Errorf("%s: got %q, want %q in it", name, got, test.want)
		}
		if !strings.Contains(test.attempt.URL, ":15020/") && strings.Contains(strings.ToLower(got), "isti") {
			t.Errorf("%s: got %q, want no part of Istio in it", name, got)
		}
	}
	if got, want := waitHints.find(probe.Attempt{URL: url, Outcome: probe.Refused}, true), "a Job's first try may have told it to quit"; !strings.Contains(got, want) {
		t.Errorf("a Job: got %q, want %q in it", got, want)
	}
	for name, test := range map[string]struct {
		attempt probe.Attempt
		want    string
	}{
		"istio refuses":           {probe.Attempt{URL: probe.DefaultQuitURL, Outcome: probe.Refused}, "nothing listens there"},
		"consul refuses":          {probe.Attempt{URL: "http://127.0.0.1:20600/graceful_shutdown", Outcome: probe.Refused}, "use --quit-url http://127.0.0.1:20300/graceful_shutdown in place of --quit"},
		"cloud-sql-proxy refuses": {probe.Attempt{URL: "http://localhost:9091/quitquitquit", Outcome: probe.Refused}, "--quitquitquit"},
		"404 of linkerd":          {probe.Attempt{URL: "http://localhost:4191/shutdown", Outcome: probe.Unready, Status: 404}, "proxy.enableShutdownEndpoint=true"},
		"404":                     {probe.Attempt{URL: probe.DefaultQuitURL, Outcome: probe.Unready, Status: 404}, "no such endpoint"},
		"401 of dapr":             {probe.Attempt{URL: "http://localhost:3500/v1.0/shutdown", Outcome: probe.Unready, Status: 401}, "DAPR_API_TOKEN"},
		"401":                     {probe.Attempt{URL: "http://h/", Outcome: probe.Unready, Status: 401}, "credentials"},
		"403":                     {probe.Attempt{URL: probe.DefaultQuitURL, Outcome: probe.Unready, Status: 403}, "use the host localhost"},
		"405":                     {probe.Attempt{URL: "http://localhost:9901/ready", Outcome: probe.Unready, Status: 405}, "it takes no POST"},
		"no answer":               {probe.Attempt{URL: probe.DefaultQuitURL, Outcome: probe.NoAnswer}, "the Job's Pod does not complete"},
		"503":                     {probe.Attempt{URL: probe.DefaultQuitURL, Outcome: probe.Unready, Status: 503}, "could not quit"},
		"301":                     {probe.Attempt{URL: probe.DefaultQuitURL, Outcome: probe.Unready, Status: 301}, "no quit endpoint"},
		"not HTTP":                {probe.Attempt{URL: probe.DefaultQuitURL, Outcome: probe.NotHTTP}, "no quit endpoint"},
		"reset":                   {probe.Attempt{URL: probe.DefaultQuitURL, Outcome: probe.Failed, Err: syscall.ECONNRESET}, ""},
	} {
		if got := quitHints.find(test.attempt, true); !strings.Contains(got, test.want) || (got == "") != (test.want == "") {
			t.Errorf("quit, %s: got %q, want %q in it", name, got, test.want)
		}
	}
}

// The first row that fits counts, so a row that is more special must stand above the others.
func TestEachHintCanBeReached(t *testing.T) {
	for _, table := range []hints{waitHints, quitHints} {
		for i, h := range table {
			for _, above := range table[:i] {
				isSpecial := above.at != "" && !strings.HasPrefix(h.at, above.at) || above.scheme != "" && above.scheme != h.scheme ||
					above.outcome != 0 && above.outcome != h.outcome || above.status != 0 && above.status != h.status && above.status != h.status/100 ||
					above.cause != "" && !strings.Contains(h.cause, above.cause) || above.never && !h.never || above.job && !h.job
				if !isSpecial {
					t.Errorf("got a hint that no attempt can have, %+v, want it above %+v", h, above)
				}
			}
		}
	}
}

// A hint that names a port is for a preset.
func TestHintsAreForPresets(t *testing.T) {
	var known []string
	for _, p := range cli.Presets {
		for _, raw := range []string{p.Ready, p.Quit} {
			if u, err := neturl.Parse(raw); err == nil {
				known = append(known, ":"+u.Port()+u.Path)
			}
		}
	}
	for _, h := range append(waitHints, quitHints...) {
		if !slices.ContainsFunc(known, func(endpoint string) bool { return strings.HasPrefix(endpoint, h.at) }) {
			t.Errorf("got a hint for %q, want one of the presets' endpoints: %q", h.at, known)
		}
	}
}

// A timeout names all that is pending, and each hint once.
func TestReportOfATimeout(t *testing.T) {
	timeout := &probe.TimeoutError{Elapsed: time.Minute, Pending: []probe.Attempt{refused(7), {URL: "tcp://h:1", Number: 2, Outcome: probe.Failed, Err: syscall.ECONNRESET}}}
	const causes = url + ": connection refused; tcp://h:1: connection reset by peer; hint: " + noSidecar + "; the other side ended the connection: look at its log"
	o := app(urls(url, "tcp://h:1"), level("warn"))
	wants(t, reported(t, o, func(r *Reporter) { r.StartingAnyway(timeout) }),
		map[string]any{"severity": "WARNING", "message": `not ready after 1m0s, starting "app" anyway: ` + causes, "attempts": 9.0})
	wants(t, reported(t, o, func(r *Reporter) { r.Failed(timeout, 124) }),
		map[string]any{"severity": "ERROR", "message": "not ready after 1m0s: " + causes, "exit_status": 124.0})
	timeout.Absent, timeout.Pending = true, timeout.Pending[:1]
	wants(t, reported(t, o, func(r *Reporter) { r.StartingAnyway(timeout) }),
		map[string]any{"severity": "WARNING", "message": `no sidecar after 1m0s, starting "app" anyway: ` + url + ": connection refused"})
}

// At the deadline the last line says it all.
func TestNoHeartbeatAtTheDeadline(t *testing.T) {
	got := reported(t, app(func(o *Options) { o.Timeout = 20 * time.Second }), func(r *Reporter) {
		r.Attempt(refused(1))
		time.Sleep(time.Minute)
	})
	if len(got) != 2 {
		t.Errorf("got %d lines, want the first and one heartbeat", len(got))
	}
}

// --once says the same words each time: the kubelet counts equal events of a probe.
func TestReportOfOneAttempt(t *testing.T) {
	o := app(func(o *Options) { o.Once, o.Command = true, "" })
	once := func(d time.Duration) string {
		return reporting(t, o, func(r *Reporter) {
			time.Sleep(d)
			r.Attempt(status(1, 503))
			r.Failed(&probe.TimeoutError{Elapsed: d, Once: true, Pending: []probe.Attempt{status(1, 503)}}, 1)
		})
	}
	if first, second := once(time.Millisecond), once(time.Second); first != second {
		t.Errorf("got %s\nwant the words of another time, %s", second, first)
	}
	wants(t, reported(t, o, func(r *Reporter) {
		r.Failed(&probe.TimeoutError{Once: true, Pending: []probe.Attempt{status(1, 503)}}, 1)
	}), map[string]any{"severity": "ERROR", "exit_status": 1.0, "status": 503.0, "elapsed": nil})
	wants(t, reported(t, o, func(r *Reporter) { r.Attempt(status(1, 200)); r.Ready() }), map[string]any{"message": "ready", "elapsed": nil})
}

func TestReportOfASignal(t *testing.T) {
	got := reported(t, app(level("debug")), func(r *Reporter) {
		r.Attempt(refused(1))
		time.Sleep(3200 * time.Millisecond)
		r.Failed(errors.New("SIGTERM"), 143)
		r.Attempt(status(2, 503)) // nothing is reported after the end
		time.Sleep(time.Minute)
	})
	wants(t, got[2:], map[string]any{"severity": "WARNING", "message": `SIGTERM after 3.2s, "app" not started`,
		"exit_status": 143.0, "error": "connection refused"})
}

func TestReportOfAQuit(t *testing.T) {
	const quit = "http://me:secret@localhost:15020/quitquitquit"
	attempt := func(outcome probe.Outcome, status int, err error) probe.Attempt {
		return probe.Attempt{URL: quit, Number: 3, Elapsed: 1511 * time.Millisecond, Outcome: outcome, Status: status, Err: err}
	}
	wants(t, reported(t, app(), func(r *Reporter) {
		r.Quit(attempt(probe.Ready, 200, nil))
		r.Quit(attempt(probe.Ready, 0, nil))
		r.Quit(attempt(probe.Unready, 403, nil))
		r.Quit(attempt(probe.Failed, 0, syscall.ECONNRESET))
		r.NotQuit(3)
	}),
		map[string]any{"severity": "INFO", "message": "told to quit: http://xxxxx@localhost:15020/quitquitquit: status 200", "elapsed": 1.511, "attempts": 3.0},
		map[string]any{"severity": "INFO", "message": "told to quit: http://xxxxx@localhost:15020/quitquitquit: gone before it answered"},
		map[string]any{"severity": "WARNING", "message": "not told to quit: http://xxxxx@localhost:15020/quitquitquit: status 403; hint: the sidecar takes this from its own Pod's loopback only: use the host localhost"},
		map[string]any{"severity": "WARNING", "message": "not told to quit: http://xxxxx@localhost:15020/quitquitquit: connection reset by peer"},
		map[string]any{"message": "exit status 3: the sidecar is not told to quit (--quit-on success)", "exit_status": 3.0},
	)
}

// What comes from outside can neither forge a line nor drive a terminal, in every
// format.
func TestWhatComesFromOutsideIsPrintable(t *testing.T) {
	const nasty = "a\nenvoy-wait: ready \x1b[2J\r\t\x00\x7f\u009b31m\u202e\u2066\u200f\xff é 日"
	for _, format := range []string{"json", "text"} {
		o := app(func(o *Options) { o.Format, o.Command, o.URLs = format, nasty, []string{url} })
		text := reporting(t, o, func(r *Reporter) {
			bad := probe.Attempt{URL: url, Number: 1, Outcome: probe.Failed, Err: errors.New(nasty)}
			r.Warn(nasty)
			r.Attempt(bad)
			r.StartingAnyway(&probe.TimeoutError{Pending: []probe.Attempt{bad}})
			r.Ready()
			r.Failed(errors.New(nasty), 125)
			r.Failed(errors.New(nasty), 143)
			r.Quit(bad)
		})
		if n := strings.Count(text, "\n"); n != 7 {
			t.Errorf("%s: got %d lines, want 7:\n%s", format, n, text)
		}
		if format == "json" { // as its reader sees it
			decoded := ""
			for line := range strings.Lines(text) {
				var fields map[string]any
				if err := json.Unmarshal([]byte(line), &fields); err != nil {
					t.Fatal(err)
				}
				decoded += fmt.Sprint(fields)
			}
			text = decoded
		}
		for _, c := range "\x1b\r\t\x00\x7f\u009b\u202e\u2066\u200f" {
			if strings.ContainsRune(text, c) {
				t.Errorf("%s: got %q, want it replaced", format, c)
			}
		}
		if !strings.Contains(text, "é 日") {
			t.Errorf("%s: got %s\nwant the harmless letters é 日 in it", format, text)
		}
	}
}

func TestPasswordsAreNotPrinted(t *testing.T) {
	for text, want := range map[string]string{
		`looking up "http://u:secret@h:1/": no such file`: `looking up "http://xxxxx@h:1/": no such file`,
		"unknown flag --x=https://u:secret@h, did you":    "unknown flag --x=https://xxxxx@h, did you",
		"me@example.com and http://h/":                    "me@example.com and http://h/",
	} {
		if got := printable(text); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}

// Seconds have no digits that a float64 made up.
func TestSeconds(t *testing.T) {
	var out bytes.Buffer
	log := newLogger(&out)
	for ms := range 100000 {
		out.Reset()
		log.Log().Dur("elapsed", time.Duration(ms)*time.Millisecond).Send()
		want := strings.TrimRight(strings.TrimRight(fmt.Sprintf(`"elapsed":%d.%03d`, ms/1000, ms%1000), "0"), ".")
		if ms == 0 {
			want = `"elapsed":0`
		}
		if got := out.String(); !strings.Contains(got, want+"}") {
			t.Fatalf("got %s, want %s in it", got, want)
		}
	}
}

func TestLevels(t *testing.T) {
	for name, want := range map[string]int{"debug": 4, "info": 3, "warn": 1, "error": 1} {
		got := reported(t, app(level(name)), func(r *Reporter) {
			r.Attempt(refused(1))
			time.Sleep(heartbeatInterval + 1)
			r.Failed(&probe.TimeoutError{}, 124)
		})
		if len(got) != want {
			t.Errorf("%s: got %d lines, want %d", name, len(got), want)
		}
	}
}

// A stderr that nobody reads takes no more than flushLimit, however often.
func TestStderrThatIsStuck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stuck := make(stuckWriter)
		l := newWriter(stuck, nil)
		for range 1000 {
			_, _ = l.Write([]byte("x\n"))
		}
		start := time.Now()
		l.flush()
		if waited := time.Since(start); waited != flushLimit {
			t.Errorf("got a wait of %v, want %v", waited, flushLimit)
		}
		close(stuck)
		close(l.queue)
	})
}

// On a machine that is slow the last line comes late, and is not lost: there is room
// for it.
func TestLastLineOnASlowMachine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reader, stderr, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		l := newWriter(stderr, nil)
		l.put(func() string { time.Sleep(3*flushLimit + time.Millisecond); return "" })
		_, _ = l.Write([]byte("x\n"))
		l.flush()
		got := make([]byte, 2)
		if _, err := io.ReadFull(reader, got); err != nil || string(got) != "x\n" {
			t.Errorf("got %q, %v, want the line", got, err)
		}
		close(l.queue)
	})
}

// A pipe that is full has none, and nothing waits for it.
func TestStderrThatIsFull(t *testing.T) {
	reader, stderr, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	l := newWriter(stderr, nil)
	_, _ = l.Write(make([]byte, 1<<20)) // a pipe takes 64 KiB
	for l.hasRoom() {
		time.Sleep(time.Millisecond)
	}
	start := time.Now()
	l.flush()
	if waited := time.Since(start); waited < flushLimit || waited >= 9*flushLimit {
		t.Errorf("got a wait of %v, want one limit of %v: with room it would be 9", waited, flushLimit)
	}
	_ = reader.Close()
	close(l.queue)
}

type stuckWriter chan struct{}

func (w stuckWriter) Write(p []byte) (int, error) { <-w; return len(p), nil }
