//go:build linux

// Package wire is what the processes of a bench tell each other. All of their
// times are CLOCK_MONOTONIC, which processes of one machine share.
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

// Usage is what one process cost, with all its descendants that were waited for.
type Usage struct {
	Start, End time.Duration
	CPU        time.Duration // user and system
	PeakKB     int64         // of resident memory, of the largest process
	Voluntary  int64         // context switches: it went to sleep
	Status     int           // 0: exited with 0
}

// Counts is what a sidecar saw.
type Counts struct {
	Ready       time.Duration
	Connections int
	Requests    int
}
