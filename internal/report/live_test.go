package report

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/envoy-wait/envoy-wait/probe"
)

// drawing is reporting as text on a terminal of that width.
func drawing(t *testing.T, width int, o Options, scenario func(*Reporter)) (written string) {
	t.Helper()
	o.Format, o.LiveLine = "text", true
	return reporting(t, o, func(r *Reporter) {
		r.out.live.columns = func() int { return width }
		scenario(r)
		time.Sleep(time.Hour) // nothing is drawn after the end
	})
}

const redrawn = "\x1b[K\r"

func TestLiveLine(t *testing.T) {
	got := drawing(t, 200, app(), func(r *Reporter) {
		r.Attempt(refused(1))
		time.Sleep(249 * time.Millisecond) // nothing yet
		r.Attempt(status(2, 503))
		time.Sleep(2 * time.Millisecond)
		r.Attempt(status(3, 503))
		time.Sleep(9850 * time.Millisecond)
		r.Heartbeat()
		r.Attempt(status(4, 200))
		time.Sleep(time.Second)
		r.Ready()
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
		"warning: SIGTERM after 1s": errors.New("SIGTERM"),
		"not ready after 1s":        &probe.TimeoutError{Elapsed: time.Second},
	} {
		status := 143
		if strings.HasPrefix(want, "not") {
			status = 124
		}
		got := drawing(t, 80, app(), func(r *Reporter) {
			r.Attempt(refused(1))
			time.Sleep(time.Second)
			r.Failed(err, status)
		})
		if _, last, _ := strings.Cut(got, eraseLine); !strings.HasPrefix(last, "envoy-wait: "+want) || strings.Contains(last, "\x1b") {
			t.Errorf("%q", got)
		}
	}
}

func TestLiveLineOfSeveralEndpoints(t *testing.T) {
	got := drawing(t, 200, app(urls(url, "http://me:secret@b/\xff\u009b", "tcp://c:1"), func(o *Options) { o.Timeout = 0 }), func(r *Reporter) {
		r.Attempt(status(1, 200))
		r.Attempt(probe.Attempt{URL: "tcp://c:1", Number: 7, Outcome: probe.Refused, Err: refused(1).Err})
		time.Sleep(redrawInterval + 1)
		r.Ready()
	})
	if want := "\renvoy-wait: 0s, attempt 0, no attempt yet, and 1 more not ready: http://xxxxx@b/??" + redrawn; !strings.Contains(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

// Cut to one column less than there are.
func TestLiveLineOnANarrowTerminal(t *testing.T) {
	for width, want := range map[int]string{20: "\renvoy-wait: 0s, 1m0" + redrawn, 2: "\re" + redrawn, 1: "", 0: ""} {
		got := drawing(t, width, app(), func(r *Reporter) {
			r.Attempt(refused(1))
			time.Sleep(redrawInterval + 1)
			r.Ready()
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

// Where nothing was ever wrong there is no line.
func TestNoLiveLine(t *testing.T) {
	got := drawing(t, 80, app(), func(r *Reporter) {
		time.Sleep(time.Second)
		r.Attempt(status(1, 200))
		time.Sleep(time.Second)
		r.Ready()
	})
	if strings.ContainsAny(got, "\r\x1b") {
		t.Errorf("%q", got)
	}
}

// A terminal that is stopped gets no redraws on top of what waits already, so that no
// line of the log is lost, and costs no more than flushLimit.
func TestLiveLineOnATerminalThatIsStopped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stuck := make(stuckWriter)
		r := New(stuck, app())
		r.out.live.columns = func() int { return 80 }
		r.Attempt(refused(1))
		time.Sleep(time.Hour)
		if n := len(r.out.queue); n > 1 {
			t.Errorf("%d redraws are waiting", n)
		}
		start := time.Now()
		r.Ready()
		if waited := time.Since(start); waited != flushLimit {
			t.Errorf("waited %v", waited)
		}
		close(stuck)
		close(r.out.queue)
	})
}
