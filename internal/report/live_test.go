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

// drawing is reporting as text on a terminal.
func drawing(t *testing.T, o Options, scenario func(*Reporter)) (written string) {
	t.Helper()
	o.Format = "text"
	return reportingOn(t, o, true, func(r *Reporter) {
		scenario(r)
		time.Sleep(time.Hour) // nothing is drawn after the end
	})
}

func TestLiveLine(t *testing.T) {
	got := drawing(t, app(), func(r *Reporter) {
		r.Attempt(refused(1))
		time.Sleep(249 * time.Millisecond) // nothing yet
		r.Attempt(status(2, 503))
		time.Sleep(1852 * time.Millisecond)
		r.Attempt(status(3, 500))
		r.Attempt(status(4, 200))
		time.Sleep(time.Second)
		r.Ready()
	})
	line := func(elapsed int) string {
		return drawn(fmt.Sprintf("envoy-wait: %ds, %v left, status 503", elapsed, time.Minute-time.Duration(elapsed)*time.Second))
	}
	want := "envoy-wait: waiting for " + url + ": connection refused\n" +
		"envoy-wait: " + url + ": status 503, was connection refused\n" + line(0)
	for i := 2; i <= 8; i++ {
		want += eraseLine + line(i/4)
	}
	want += eraseLine + "envoy-wait: " + url + ": status 500, was status 503\n" + line(2)
	want += eraseLine + "envoy-wait: ready after 3.101s, starting \"app\"\n"
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
		got := drawing(t, app(), func(r *Reporter) {
			r.Attempt(refused(1))
			time.Sleep(time.Second)
			r.Failed(err, status)
		})
		last := got[strings.LastIndex(got, eraseLine)+len(eraseLine):]
		if !strings.HasPrefix(last, "envoy-wait: "+want) || strings.Contains(last, "\x1b") {
			t.Errorf("got %q, want %q after the last live line", got, want)
		}
	}
}

// The first endpoint that is not ready stands for all. Its URL, and a cause that is too long, do not fit.
func TestLiveLineIsShort(t *testing.T) {
	got := drawing(t, app(urls(url, "http://me:secret@b/\xff\u009b"), func(o *Options) { o.Timeout = 0 }), func(r *Reporter) {
		r.Attempt(status(1, 200))
		r.Attempt(probe.Attempt{URL: "http://me:secret@b/\xff\u009b", Number: 7, Outcome: probe.Failed, Err: errors.New("a\x1b" + strings.Repeat("é", 100))})
		time.Sleep(redrawInterval + 1)
		r.Ready()
	})
	if want := drawn("envoy-wait: 0s, a?" + strings.Repeat("é", liveColumns-len("envoy-wait: 0s, a?"))); !strings.Contains(got, want) {
		t.Errorf("got  %q\nwant %q in it", got, want)
	}
}

// Where nothing was ever wrong there is no line.
func TestNoLiveLine(t *testing.T) {
	got := drawing(t, app(), func(r *Reporter) {
		time.Sleep(time.Second)
		r.Attempt(status(1, 200))
		time.Sleep(time.Second)
		r.Ready()
	})
	if strings.ContainsAny(got, "\r\x1b") {
		t.Errorf("got %q, want no control character", got)
	}
}

// A terminal that is stopped gets no redraws on top of what waits already, so that no
// line of the log is lost, and costs no more than flushLimit.
func TestLiveLineOnATerminalThatIsStopped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stuck := make(stuckWriter)
		r := New(stuck, app(level("warn")))
		r.live = true
		r.Begin(time.Now())
		r.Attempt(refused(1))
		time.Sleep(time.Hour)
		if n := len(r.out.queue); n > 1 {
			t.Errorf("%d redraws are waiting, want at most 1", n)
		}
		start := time.Now()
		r.Ready()
		if waited := time.Since(start); waited != flushLimit {
			t.Errorf("waited %v, want %v", waited, flushLimit)
		}
		close(stuck)
		close(r.out.queue)
	})
}
