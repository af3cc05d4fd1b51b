package probe

import "time"

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
