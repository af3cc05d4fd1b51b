//go:build linux

package main

import (
	"context"
	"fmt"
	"time"
)

// cost takes waits of fixed lengths, three of a kind, all of one length side by side.
func (b *bench) cost(ctx context.Context, r *report, rivals []rival) error {
	for _, length := range r.plan.costs {
		var jobs []job
		for range 3 {
			for phase, rival := range pairs(rivals) {
				jobs = append(jobs, job{rival, phase, length, length})
			}
		}
		waits, err := b.waitAll(ctx, jobs, len(jobs))
		if err != nil {
			return err
		}
		r.costs = append(r.costs, waits...)
	}
	t := newTable(3, "until ready", "wait", "", "CPU", "of a core", "an attempt", "peak memory", "attempts", "connections", "requests", "slept", "log lines", "log bytes")
	for _, phase := range phases {
		for _, length := range r.plan.costs {
			for _, rival := range rivals {
				c := r.costOf(rival.name, phase, length)
				if c.Length == 0 {
					continue
				}
				an := "?"
				if c.Attempts > 0 {
					an = ms(c.CPU / time.Duration(c.Attempts))
				}
				t.row(string(phase), seconds(length), rival.name, ms(c.CPU), percent(c.CPU.Seconds()/c.Length.Seconds()), an,
					megabytes(1024*c.PeakKB), count(c.Attempts), count(c.Connections), count(c.Requests), fmt.Sprint(c.Voluntary),
					count(c.LogLines), count(c.LogBytes))
			}
		}
	}
	r.show("Cost of a wait", t)
	return nil
}

// costOf is the mean of the CPU, and the most of all else.
func (r *report) costOf(name string, phase state, length time.Duration) (c wait) {
	waits := choose(r.costs, name, phase, length)
	c.Attempts = -1
	for _, w := range waits {
		c.Length, c.CPU = max(c.Length, w.Length), c.CPU+w.CPU
		c.PeakKB, c.Voluntary = max(c.PeakKB, w.PeakKB), max(c.Voluntary, w.Voluntary)
		c.Attempts, c.Connections, c.Requests = max(c.Attempts, w.Attempts), max(c.Connections, w.Connections), max(c.Requests, w.Requests)
		c.LogBytes, c.LogLines = max(c.LogBytes, w.LogBytes), max(c.LogLines, w.LogLines)
	}
	c.CPU /= time.Duration(max(1, len(waits)))
	return c
}
