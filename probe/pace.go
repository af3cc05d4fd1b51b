package probe

import (
	"net/http"
	"time"
)

// longestPause is the longest pause after an attempt that was refused.
const longestPause = 250 * time.Millisecond

// pace is the pause between two attempts after a wait of elapsed. A share of the elapsed time keeps the lag in
// proportion to the wait and makes the number of attempts grow with its logarithm. The bounds differ: a refusal costs
// the sidecar nothing, while Istio's agent writes a warning line for each failed probe that reaches it.
func pace(elapsed, interval time.Duration, refused bool) time.Duration {
	if refused {
		return min(max(elapsed/50, 10*time.Millisecond), longestPause, interval)
	}
	return min(max(elapsed/20, 100*time.Millisecond), interval)
}

// backoff is the Backoff of the library: the time to the next attempt, or to the first knock at the gate before it. The
// library has read the body by now, so the last attempt is over.
func (t *target) backoff(_, _ time.Duration, _ int, _ *http.Response) time.Duration {
	t.release()
	pause := pace(t.ended.Sub(t.Start), t.Interval, t.last.Outcome == Refused || t.gated())
	if !t.opened.IsZero() {
		pause = min(pause, max(t.ended.Sub(t.opened), MinInterval)) // it will be ready in a moment: 10 ms, 20 ms, 40 ms ...
	}
	return pause - time.Since(t.ended)
}

// gated reports whether to knock at the gate: the endpoint answers that it is not ready, and the gate was never open.
func (t *target) gated() bool {
	return t.Gate != 0 && t.knock != nil && t.opened.IsZero() && t.last.Outcome == Unready
}

// waitAtGate is the PrepareRetry of the library. It knocks at the gate, at the pace of refused attempts, and returns
// when the gate opens. While it is shut, attempts are made at a quarter of their pace. An error says that the wait has
// ended.
func (t *target) waitAtGate(req *http.Request) error {
	ctx := req.Context()
	due := t.ended.Add(4 * pace(t.ended.Sub(t.Start), t.Interval, false))
	for t.gated() && ctx.Err() == nil && time.Now().Before(due) {
		if t.knock(t.Gate) {
			t.opened = time.Now()
			break
		}
		select {
		case <-time.After(min(pace(time.Since(t.Start), t.Interval, true), time.Until(due))):
		case <-ctx.Done():
		}
	}
	return ctx.Err()
}
