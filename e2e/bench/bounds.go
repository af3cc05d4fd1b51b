//go:build linux

package main

import "time"

// pause is what the contract says about the time between two attempts after a
// wait of elapsed. It is written down once more, not taken from probe: the plots
// hold the program against it.
func pause(elapsed time.Duration, refused bool) time.Duration {
	if refused {
		return max(10*time.Millisecond, min(elapsed/50, 250*time.Millisecond))
	}
	return max(100*time.Millisecond, min(elapsed/20, 500*time.Millisecond))
}

// mostAttempts is how many attempts of no length such pauses allow.
func mostAttempts(wait time.Duration, refused bool) int {
	n := 1
	for t := time.Duration(0); t < wait; n++ {
		t += pause(t, refused)
	}
	return n
}
