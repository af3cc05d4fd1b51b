package main

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/envoy-wait/envoy-wait/exec"
	"github.com/envoy-wait/envoy-wait/probe"
)

// drawing runs scenario with a report in virtual time that takes its stderr for a
// terminal of that width, and returns all that was written.
func drawing(t *testing.T, width int, args []string, scenario func(*report)) (written string) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		env := []string{"TERM=xterm"}
		s, err := parse(append([]string{"--log-format=text"}, args...), env, nil)
		if err != nil {
			t.Fatal(err)
		}
		out := &stderr{}
		r := newReport(s, out)
		defer close(r.lines.queue)
		r.live.width = func() int { return width }
		r.begin(env)
		scenario(r)
		r.flush()
		time.Sleep(time.Hour) // nothing is drawn after the end
		written = out.String()
	})
	return written
}

const redrawn = "\x1b[K\r"

func TestLiveLine(t *testing.T) {
	got := drawing(t, 200, []string{"--timeout=60s", "app"}, func(r *report) {
		r.attempt(refused(1))
		time.Sleep(249 * time.Millisecond) // nothing yet
		r.attempt(status(2, 503))
		time.Sleep(2 * time.Millisecond)
		r.attempt(status(3, 503))
		time.Sleep(9850 * time.Millisecond)
		r.heartbeat()
		r.attempt(status(4, 200))
		time.Sleep(time.Second)
		r.outcome(nil)
	})
	line := func(elapsed, attempt int) string {
		left := time.Minute - time.Duration(elapsed)*time.Second
		return fmt.Sprintf("\renvoy-wait: %ds, %v left, attempt %d, status 503: %s"+redrawn, elapsed, left, attempt, url)
	}
	want := "envoy-wait: waiting for " + url + ": connection refused\n" +
		"envoy-wait: " + url + ": status 503, was connection refused\n" + line(0, 2)
	for i := 2; i <= 40; i++ {
		want += line(i/4, 3)
	}
	want += eraseLine + "envoy-wait: still waiting after 10s: " + url + ": status 503\n" + line(10, 3)
	want += eraseLine + "envoy-wait: ready after 11.101s, starting \"app\"\n"
	if got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

// The line is gone before the message that says why envoy-wait ends.
func TestLiveLineAtTheEnd(t *testing.T) {
	for want, err := range map[string]error{
		"warning: SIGTERM after 1s": &exec.SignalError{Signal: 15},
		"not ready after 1s":        &probe.TimeoutError{Elapsed: time.Second},
	} {
		got := drawing(t, 80, nil, func(r *report) {
			r.attempt(refused(1))
			time.Sleep(time.Second)
			r.end(err, exitCode(err))
		})
		if _, last, _ := strings.Cut(got, eraseLine); !strings.HasPrefix(last, "envoy-wait: "+want) || strings.Contains(last, "\x1b") {
			t.Errorf("%q", got)
		}
	}
}

func TestLiveLineOfSeveralEndpoints(t *testing.T) {
	got := drawing(t, 200, []string{"--timeout=0", "--url", url, "--url=http://me:secret@b/\xff\u009b", "--url=tcp://c:1"}, func(r *report) {
		r.attempt(status(1, 200))
		r.attempt(probe.Attempt{URL: "tcp://c:1", Number: 7, Outcome: probe.Refused, Err: refused(1).Err})
		time.Sleep(redrawInterval + 1)
		r.outcome(nil)
	})
	if want := "\renvoy-wait: 0s, attempt 0, no attempt yet, and 1 more not ready: http://xxxxx@b/??" + redrawn; !strings.Contains(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

// Cut to one column less than there are.
func TestLiveLineOnANarrowTerminal(t *testing.T) {
	for width, want := range map[int]string{20: "\renvoy-wait: 0s, 1m0" + redrawn, 2: "\re" + redrawn, 1: "", 0: ""} {
		got := drawing(t, width, nil, func(r *report) {
			r.attempt(refused(1))
			time.Sleep(redrawInterval + 1)
			r.outcome(nil)
		})
		_, drawn, _ := strings.Cut(got, "\n")
		if want != "" {
			want += eraseLine
		}
		if want += "envoy-wait: ready"; !strings.HasPrefix(drawn, want) {
			t.Errorf("%d columns: got %q, want %q", width, drawn, want)
		}
	}
}

// Where nothing is drawn, nothing of it runs.
func TestNoLiveLine(t *testing.T) {
	ready := func(r *report) {
		time.Sleep(time.Second)
		r.attempt(status(1, 200))
		time.Sleep(time.Second)
		r.outcome(nil)
	}
	unready := func(r *report) { r.attempt(refused(1)); time.Sleep(time.Second); r.outcome(nil) }
	for name, test := range map[string]struct {
		args     []string
		scenario func(*report)
	}{
		"ready at the first attempt": {nil, ready},
		"--once":                     {[]string{"--once"}, unready},
		"--log-level":                {[]string{"--log-level=warn"}, unready},
	} {
		got := drawing(t, 80, test.args, func(r *report) {
			test.scenario(r)
			if r.live.timer != nil {
				t.Errorf("%s: a timer runs", name)
			}
		})
		if strings.ContainsAny(got, "\r\x1b") {
			t.Errorf("%s: %q", name, got)
		}
	}
}

func TestWantsLive(t *testing.T) {
	for _, test := range []struct {
		args, env string
		want      bool
	}{
		{"", "TERM=xterm", true},
		{"--log-format=text --log-level=debug", "TERM=linux NO_COLOR=", true},
		{"", "", false},
		{"", "TERM=", false},
		{"", "TERM=dumb", false},
		{"", "TERM=xterm NO_COLOR=1", false},
		{"--log-format=json", "TERM=xterm", false},
		{"--log-level=warn", "TERM=xterm", false},
		{"--log-level=error", "TERM=xterm", false},
		{"--once", "TERM=xterm", false},
	} {
		s, err := parse(strings.Fields(test.args), nil, nil)
		if got := wantsLive(s, strings.Fields(test.env)); err != nil || got != test.want {
			t.Errorf("%s %s: %v, %v", test.args, test.env, got, err)
		}
	}
}

// A terminal that is stopped gets no redraws on top of what waits already, so
// that no line of the log is lost, and no more than flushLimit.
func TestLiveLineOnATerminalThatIsStopped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := parse([]string{"--log-format=text", "app"}, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		stuck := make(stuckWriter)
		r := newReport(s, stuck)
		r.live.width = func() int { return 80 }
		r.attempt(refused(1))
		time.Sleep(time.Hour)
		if n := len(r.lines.queue); n > 1 {
			t.Errorf("%d redraws are waiting", n)
		}
		start := time.Now()
		r.outcome(nil)
		r.flush()
		if waited := time.Since(start); waited != flushLimit {
			t.Errorf("waited %v", waited)
		}
		close(stuck)
		close(r.lines.queue)
	})
}
