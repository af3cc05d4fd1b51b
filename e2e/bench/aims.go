//go:build linux

package main

import (
	"fmt"
	"time"
)

// judge compares the figures with the aims.
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
	switch {
	case w.Phase == refused:
		return w.Length/50 + 15*time.Millisecond
	case w.Phase == gated && w.Length > 12*time.Second:
		return 275 * time.Millisecond
	case w.Phase == gated:
		return w.Length/50 + 25*time.Millisecond
	default:
		return max(w.Length/20, 100*time.Millisecond) + 15*time.Millisecond
	}
}

// judgeLag judges each lag by the length of its own wait.
func (r *report) judgeLag(t *table) {
	for _, phase := range phases {
		rule := map[state]string{
			refused: "2 % + 15 ms", unready: "5 % or 100 ms, + 15 ms", gated: "2 % + 25 ms, above 12 s 275 ms",
		}[phase]
		for _, length := range r.plan.lengths {
			waits := choose(r.Waits, nameOwn, phase, length)
			if waits == nil {
				continue
			}
			shares := each(waits, func(w wait) float64 { return float64(w.Lag) / float64(lagAim(w)) })
			what := fmt.Sprintf("lag, %s, %s", phase, seconds(length))
			t.aim(what+", p95", rule, ms(quantile(lags(waits), 0.95)), quantile(shares, 0.95))
			t.aim(what+", p50", "half of that", ms(quantile(lags(waits), 0.5)), 2*quantile(shares, 0.5))
		}
	}
}

func (r *report) judgeCost(t *table) {
	for _, length := range r.plan.costs {
		for _, phase := range phases {
			c := r.costOf(nameOwn, phase, length)
			if c.Length == 0 {
				continue
			}
			what := fmt.Sprintf("%s wait, %s, ", seconds(length), phase)
			share := c.CPU.Seconds() / c.Length.Seconds()
			limit := map[state]float64{refused: 0.005, unready: 0.003}[phase]
			switch ungated := r.costOf(nameUngated, phase, length); {
			case length != 30*time.Second:
			case phase == gated:
				most := 1.2 * ungated.CPU.Seconds()
				t.aim(what+"CPU", "1.2 × that with --url", times(c.CPU.Seconds(), ungated.CPU.Seconds()), c.CPU.Seconds()/most)
			default:
				t.aim(what+"CPU of a core", percent(limit), percent(share), share/limit)
			}
			t.aim(what+"peak memory", "12 MB", megabytes(1024*c.PeakKB), 1024*float64(c.PeakKB)/12e6)
		}
	}
	for _, g := range r.growth {
		if g.name == nameOwn && g.phase == gated && g.early == time.Minute {
			t.aim("requests in a minute, "+string(g.phase), "40", count(g.earlyRequests), float64(g.earlyRequests)/40)
		}
		if g.name == nameOwn {
			t.aim(fmt.Sprintf("peak memory after %s, %s", seconds(g.late), g.phase),
				fmt.Sprintf("%s, as after %s", megabytes(g.earlyBytes), seconds(g.early)),
				megabytes(g.lateBytes), float64(g.lateBytes)/float64(g.earlyBytes))
		}
	}
}

func (r *report) judgeStart(t *table) {
	own := r.start(nameOwn)
	if own.name == "" {
		return
	}
	for _, other := range []struct {
		start
		factor float64
	}{{r.start(nameGo), 2}, {r.start(nameScuttle), 1}} {
		atMost := func(what string, own, first []time.Duration) {
			if other.name != "" {
				value, limit := quantile(own, 0.5).Seconds(), other.factor*quantile(first, 0.5).Seconds()
				t.aim(what, fmt.Sprintf("%.0f × %s", other.factor, other.name), times(value, limit/other.factor), value/limit)
			}
		}
		atMost("start-up when ready, to the app's first instruction", own.first, other.first)
		atMost("start-up when ready, to the app's end", own.whole, other.whole)
	}
	cpu := quantile(own.cpu, 0.5)
	t.aim("start-up when ready, CPU", "7 ms", ms(cpu), 1000*cpu.Seconds()/7)
	for _, c := range r.company {
		if c.name == nameOwn {
			t.aim("processes beside the app", "0", count(c.processes), float64(c.processes))
		}
	}
}
