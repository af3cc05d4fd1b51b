//go:build linux

package main

import (
	"fmt"
	"time"
)

// compare compares the program with the baseline.
func (r *report) compare() {
	t := newTable(1, "", "now", "baseline", "now to baseline")
	duration := func(what string, now, before time.Duration) {
		if before > 0 {
			t.row(what, ms(now), ms(before), times(float64(now), float64(before)))
		}
	}
	for _, names := range [][2]string{{nameOwn, nameBaseline}, {nameDisabled, nameDisabledBaseline}} {
		now, before := r.start(names[0]), r.start(names[1])
		duration(now.name+", to the app's first instruction", quantile(now.first, 0.5), quantile(before.first, 0.5))
		duration(now.name+", CPU of a start", quantile(now.cpu, 0.5), quantile(before.cpu, 0.5))
	}
	for _, phase := range phases {
		for _, length := range r.plan.lengths {
			now, before := choose(r.waits, nameOwn, phase, length), choose(r.waits, nameBaseline, phase, length)
			duration(fmt.Sprintf("lag, %s, %s, p95", phase, seconds(length)), quantile(lags(now), 0.95), quantile(lags(before), 0.95))
		}
		for _, length := range r.plan.costs {
			now, before := r.costOf(nameOwn, phase, length), r.costOf(nameBaseline, phase, length)
			what := fmt.Sprintf("%s wait, %s, ", seconds(length), phase)
			duration(what+"CPU", now.CPU, before.CPU)
			if before.PeakKB > 0 {
				t.row(what+"peak memory", megabytes(1024*now.PeakKB), megabytes(1024*before.PeakKB), times(float64(now.PeakKB), float64(before.PeakKB)))
			}
		}
	}
	r.show("Beside the baseline", t)
	if now, before := r.start(nameOwn), r.start(nameBaseline); before.name != "" {
		r.print(fmt.Sprintf("Start-up takes %s the time of the baseline, and %s its CPU: medians of %d starts, to the app's first instruction.\n\n",
			ratio(now.first, before.first), ratio(now.cpu, before.cpu), r.plan.starts))
	}
}
