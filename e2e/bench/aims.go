//go:build linux

package main

import (
	"fmt"
	"time"
)

// judge holds the figures against the aims.
func (r *report) judge() {
	t := newTable(2, "aim", "at most", "measured", "share of the aim", "")
	r.judgeLag(t)
	r.judgeCost(t)
	r.judgeStart(t)
	r.show("Aims", t)
}

// aim is met up to a share of 1.
func (t *table) aim(what, most, measured string, share float64) {
	verdict := "met"
	if share > 1 {
		verdict = "missed"
	}
	t.row(what, most, measured, percent(share), verdict)
}

// lagAim is the aim for the 95th percentile of a wait's lag.
func lagAim(w wait) time.Duration {
	if w.Refused {
		return w.Length/50 + 15*time.Millisecond
	}
	return max(w.Length/20, 100*time.Millisecond) + 15*time.Millisecond
}

// judgeLag judges each lag by the length of its own wait.
func (r *report) judgeLag(t *table) {
	for _, refused := range []bool{true, false} {
		rule := map[bool]string{true: "2 % + 15 ms", false: "5 % or 100 ms, + 15 ms"}[refused]
		for _, length := range r.plan.lengths {
			waits := choose(r.Waits, nameOwn, refused, length)
			if waits == nil {
				continue
			}
			shares := each(waits, func(w wait) float64 { return float64(w.Lag) / float64(lagAim(w)) })
			what := fmt.Sprintf("lag, %s, %s", until(refused), seconds(length))
			t.aim(what+", p95", rule, ms(quantile(lags(waits), 0.95)), quantile(shares, 0.95))
			t.aim(what+", p50", "half of that", ms(quantile(lags(waits), 0.5)), 2*quantile(shares, 0.5))
		}
	}
}

func (r *report) judgeCost(t *table) {
	for _, length := range r.plan.costs {
		for _, refused := range []bool{true, false} {
			c := r.costOf(nameOwn, refused, length)
			if c.Length == 0 {
				continue
			}
			what := fmt.Sprintf("%s wait, %s, ", seconds(length), until(refused))
			if length == 30*time.Second {
				limit := map[bool]float64{true: 0.005, false: 0.003}[refused]
				share := c.CPU.Seconds() / c.Length.Seconds()
				t.aim(what+"CPU of a core", percent(limit), percent(share), share/limit)
			}
			t.aim(what+"peak memory", "12 MB", megabytes(1024*c.PeakKB), 1024*float64(c.PeakKB)/12e6)
		}
	}
	for _, g := range r.growth {
		if g.name == nameOwn {
			t.aim(fmt.Sprintf("peak memory after %s, %s", seconds(g.late), until(g.refused)),
				fmt.Sprintf("%s, as after %s", megabytes(g.earlyBytes), seconds(g.early)),
				megabytes(g.lateBytes), float64(g.lateBytes)/float64(g.earlyBytes))
		}
	}
}

func (r *report) judgeStart(t *table) {
	own, program := r.start(nameOwn), r.start(nameGo)
	if own.name == "" {
		return
	}
	twice := func(what string, own, program []time.Duration) {
		value, limit := quantile(own, 0.5), 2*quantile(program, 0.5)
		t.aim(what, "2 × a Go program that execs, "+ms(limit), ms(value), float64(value)/float64(limit))
	}
	twice("start-up when ready, to the app's first instruction", own.first, program.first)
	twice("start-up when ready, to the app's end", own.whole, program.whole)
	cpu := quantile(own.cpu, 0.5)
	t.aim("start-up when ready, CPU", "7 ms", ms(cpu), 1000*cpu.Seconds()/7)
	for _, c := range r.company {
		if c.name == nameOwn {
			t.aim("processes beside the app", "0", count(c.processes), float64(c.processes))
		}
	}
}
