//go:build linux

// Package wire is the report of e2e/launch on a command, as JSON. All times are
// CLOCK_MONOTONIC, which the processes of a machine share.
package wire

import (
	"time"

	"golang.org/x/sys/unix"
)

// Now is the time since boot.
func Now() (time.Duration, error) {
	var t unix.Timespec
	err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &t)
	return time.Duration(t.Nano()), err
}

// Report is the end of a command, and its cost. The cost of descendants counts too, if
// their parents have waited for them.
type Report struct {
	Pid        int
	Start, End time.Duration // just before the fork, just after the end
	CPU        time.Duration // user and system
	PeakKB     int64         // resident memory of the largest process
	Voluntary  int64         // context switches: it went to sleep
	Code       int           // the exit status, or 128 plus Signal
	Signal     int           // the signal that ended it, or 0
}

// Took is how long the command ran.
func (r Report) Took() time.Duration { return r.End - r.Start }
