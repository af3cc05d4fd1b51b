//go:build linux

package main

import (
	"fmt"
	"time"
)

// aim is a figure that envoy-wait should reach, and whether it does.
type aim struct {
	What, Most, Measured string
	Share                float64 // of what it may be: up to 1 is met
}

func (a aim) verdict() string {
	if a.Share <= 1 {
		return "met, at " + percent(a.Share) + " of it"
	}
	return "missed by " + percent(a.Share-1)
}

// judge holds the figures against the aims.
func (r *results) judge() {
	r.judgeLag()
	r.judgeCost()
	r.judgeStart()
	t := table{{"aim", "at most", "measured", ""}}
	for _, a := range r.Aims {
		t.row(a.What, a.Most, a.Measured, a.verdict())
	}
	r.show("Aims", t)
}

func (r *results) aim(what, most, measured string, value, limit float64) {
	r.Aims = append(r.Aims, aim{what, most, measured, value / limit})
}

// lagAim is what the 95th percentile of a wait's lag may be.
func lagAim(w wait) time.Duration {
	if w.Refused {
		return w.Length/50 + 15*time.Millisecond
	}
	return max(w.Length/20, 100*time.Millisecond) + 15*time.Millisecond
}

// judgeLag measures each lag by the aim for a wait of its very length.
func (r *results) judgeLag() {
	for _, refused := range []bool{true, false} {
		rule := map[bool]string{true: "2 % + 15 ms", false: "5 % or 100 ms, + 15 ms"}[refused]
		for _, length := range r.Plan.Lengths {
			waits := r.waitsOf(nameOwn, refused, length)
			shares := each(waits, func(w wait) float64 { return float64(w.Lag) / float64(lagAim(w)) })
			what := fmt.Sprintf("lag, %s, %s", until(refused), seconds(length))
			p95, p50 := quantile(lags(waits), 0.95), quantile(lags(waits), 0.5)
			r.aim(what+", p95", rule, ms(p95), quantile(shares, 0.95), 1)
			r.aim(what+", p50", "half of that", ms(p50), quantile(shares, 0.5), 0.5)
		}
	}
}

func (r *results) judgeCost() {
	const peak = 12e6 // bytes
	for _, length := range r.Plan.Costs {
		for _, refused := range []bool{true, false} {
			limit := map[bool]float64{true: 0.005, false: 0.003}[refused]
			what := fmt.Sprintf("%s of a %s wait, ", until(refused), seconds(length))
			c := r.costOf(nameOwn, refused, length)
			share := float64(c.CPU) / float64(c.Length)
			if length == 30*time.Second {
				r.aim(what+"CPU of a core", percent(limit), percent(share), share, limit)
			}
			r.aim(what+"peak memory", "12 MB", kb(c.PeakKB), float64(c.PeakKB)*1024, peak)
		}
	}
	for _, g := range r.Growth {
		if g.Name == nameOwn {
			r.aim(fmt.Sprintf("%s, peak memory after %s", until(g.Refused), seconds(g.Late)), "that after "+seconds(g.Early),
				kb(g.LateKB)+", was "+kb(g.EarlyKB), float64(g.LateKB), float64(g.EarlyKB))
		}
	}
}

func (r *results) judgeStart() {
	own, program := r.start(nameOwn), r.start(nameGo)
	times := func(what string, own, program []time.Duration) {
		value, limit := quantile(own, 0.5), 2*quantile(program, 0.5)
		r.aim(what, "2 × a Go program that execs, "+ms(limit), ms(value), float64(value), float64(limit))
	}
	times("start-up when ready, to the app's first instruction", own.First, program.First)
	times("the same, to the app's end", own.Whole, program.Whole)
	cpu := quantile(own.CPU, 0.5)
	r.aim("start-up when ready, CPU", "7 ms", ms(cpu), millis(cpu), 7)
	for _, c := range r.Company {
		if c.Name == nameOwn {
			r.Aims = append(r.Aims, aim{"processes beside the app", "0", fmt.Sprint(c.Processes), float64(c.Processes)})
		}
	}
}

// compare holds the program against an older build, if there is one.
func (r *results) compare() {
	t := table{{"", "now", "baseline", "now to baseline"}}
	row := func(what string, now, before float64, format func(float64) string) {
		t.row(what, format(now), format(before), times(now, before))
	}
	duration := func(v float64) string { return ms(time.Duration(v)) }
	memory := func(v float64) string { return kb(int64(v)) }
	for _, name := range []string{nameOwn, nameDisabled} {
		now, before := r.start(name), r.start(map[string]string{nameOwn: nameBaseline, nameDisabled: nameDisabled + ", baseline"}[name])
		if before.Name == "" {
			return
		}
		row(name+", to the app's first instruction", float64(quantile(now.First, 0.5)), float64(quantile(before.First, 0.5)), duration)
		row(name+", CPU of a start", float64(quantile(now.CPU, 0.5)), float64(quantile(before.CPU, 0.5)), duration)
	}
	for _, refused := range []bool{true, false} {
		for _, length := range r.Plan.Lengths {
			now, before := r.waitsOf(nameOwn, refused, length), r.waitsOf(nameBaseline, refused, length)
			row(fmt.Sprintf("lag, %s, %s, p95", until(refused), seconds(length)),
				float64(quantile(lags(now), 0.95)), float64(quantile(lags(before), 0.95)), duration)
		}
		for _, length := range r.Plan.Costs {
			now, before := r.costOf(nameOwn, refused, length), r.costOf(nameBaseline, refused, length)
			what := fmt.Sprintf("%s of a %s wait, ", until(refused), seconds(length))
			row(what+"CPU", float64(now.CPU), float64(before.CPU), duration)
			row(what+"peak memory", float64(now.PeakKB), float64(before.PeakKB), memory)
		}
	}
	r.show("Beside the baseline", t)
}
