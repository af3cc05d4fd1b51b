package probe

import (
	"net/http"
	"time"
)

// pause is the time between two attempts after a wait of elapsed. A share of the elapsed time keeps the lag in
// proportion to the wait and makes the number of attempts grow with its logarithm. The bounds differ: a refusal costs
// the sidecar nothing, while Istio's agent writes a warning line for each failed probe that reaches it.
func pause(elapsed, interval time.Duration, refused bool) time.Duration {
	if refused {
		return min(clamp(elapsed/50, 10*time.Millisecond, 250*time.Millisecond), interval)
	}
	return min(max(elapsed/20, 100*time.Millisecond), interval)
}

// pauseAtGate is that time while a gate is shut.
func pauseAtGate(elapsed, interval time.Duration) time.Duration {
	return 4 * pause(elapsed, interval, false)
}

func clamp(d, low, high time.Duration) time.Duration {
	return max(low, min(d, high))
}

// backoff is the Backoff of the library: the time to the next attempt, or to the first knock at the gate before it.
func (t *target) backoff(_, _ time.Duration, _ int, _ *http.Response) time.Duration {
	full := pause(t.ended.Sub(t.start), t.interval, t.last.Outcome == Refused || t.gated())
	if !t.opened.IsZero() {
		full = min(full, max(t.ended.Sub(t.opened), MinInterval)) // it will be ready in a moment: 10 ms, 20 ms, 40 ms ...
	}
	return full - time.Since(t.ended)
}
