//go:build linux

package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"
)

// side is how many waits of a length run side by side. A wait is idle most of the time,
// and a longer one is idler, but one curl may take 40 ms of CPU.
func side(length time.Duration) int {
	switch {
	case length <= time.Second:
		return 4
	case length <= 5*time.Second:
		return 8
	case length <= 15*time.Second:
		return 20
	default:
		return 30
	}
}

// moments are when the sidecars become ready. They are random and near length, one in
// each of n equal parts: so a few waits cover all phases of a pause.
func moments(length time.Duration, n int) []time.Duration {
	spread := min(length/5, time.Second).Seconds()
	list := make([]time.Duration, n)
	for i := range list {
		share := (float64(i) + rand.Float64()) / float64(n)
		list[i] = length + time.Duration((2*share-1)*spread*float64(time.Second))
	}
	return list
}

// lag lets all programs wait in one shuffled crowd, for each length.
func (b *bench) lag(ctx context.Context, r *report, rivals []rival) error {
	for _, length := range r.plan.lengths {
		var jobs []job
		for phase, rival := range pairs(rivals) {
			n := r.plan.waits
			if !rival.ours {
				n /= 4
			}
			for _, after := range moments(length, n) {
				jobs = append(jobs, job{rival, phase, length, after})
			}
		}
		rand.Shuffle(len(jobs), func(i, j int) { jobs[i], jobs[j] = jobs[j], jobs[i] })
		waits, err := b.waitAll(ctx, jobs, side(length))
		if err != nil {
			return err
		}
		r.waits = append(r.waits, waits...)
	}
	r.showLag(rivals)
	return nil
}

func (r *report) showLag(rivals []rival) {
	t := newTable(3, "until ready", "wait", "", "lag p50", "p95", "max", "max to wait", "attempts, p50")
	for _, phase := range phases {
		for _, length := range r.plan.lengths {
			for _, rival := range rivals {
				waits := choose(r.waits, rival.name, phase, length)
				if waits == nil {
					continue
				}
				lags := lags(waits)
				share := quantile(each(waits, func(w wait) float64 { return w.Lag.Seconds() / w.Length.Seconds() }), 1)
				tries := quantile(each(waits, func(w wait) int { return w.Attempts }), 0.5)
				t.row(string(phase), seconds(length), rival.name, ms(quantile(lags, 0.5)), ms(quantile(lags, 0.95)), ms(quantile(lags, 1)),
					percent(share), count(tries))
			}
		}
	}
	r.show(fmt.Sprintf("Lag from ready to the app's first instruction, %d waits of each kind of envoy-wait, %d of others", r.plan.waits, r.plan.waits/4), t)
}

func lags(waits []wait) []time.Duration {
	return each(waits, func(w wait) time.Duration { return w.Lag })
}
