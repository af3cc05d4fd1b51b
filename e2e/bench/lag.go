//go:build linux

package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"
)

// side is how many waits of a length run side by side. They are idle nearly all of
// the time, the more so the longer they are; but one curl of the shell loop may
// take 40 ms of CPU on a slow machine.
func side(length time.Duration) int {
	switch {
	case length <= time.Second:
		return 4
	case length <= 5*time.Second:
		return 8
	case length <= 15*time.Second:
		return 12
	default:
		return 20
	}
}

func sideBySide(lengths []time.Duration) string {
	var parts []string
	for _, length := range lengths {
		parts = append(parts, fmt.Sprintf("%d of %v", side(length), length))
	}
	return strings.Join(parts, ", ") + " side by side"
}

// moments are when the sidecars become ready: drawn at random around length, one
// in each of n equal parts, so that few waits meet every phase of a pause.
func moments(length time.Duration, n int) []time.Duration {
	spread := min(0.2*length.Seconds(), 1)
	list := make([]time.Duration, n)
	for i := range list {
		share := (float64(i) + rand.Float64()) / float64(n)
		list[i] = length + time.Duration((2*share-1)*spread*float64(time.Second))
	}
	return list
}

// lag lets all rivals wait in one shuffled crowd, for each length.
func (b *bench) lag(ctx context.Context, r *results, rivals []rival) error {
	for _, length := range r.Plan.Lengths {
		var jobs []job
		for _, rival := range rivals {
			for _, refused := range []bool{true, false} {
				for _, after := range moments(length, r.Plan.Waits) {
					jobs = append(jobs, job{rival, refused, length, after})
				}
			}
		}
		rand.Shuffle(len(jobs), func(i, j int) { jobs[i], jobs[j] = jobs[j], jobs[i] })
		waits, err := b.waitAll(ctx, jobs, side(length))
		if err != nil {
			return err
		}
		r.Waits = append(r.Waits, waits...)
	}
	t := table{{"until ready", "wait", "", "lag p50", "p95", "max", "max to wait", "attempts, p50"}}
	for _, refused := range []bool{true, false} {
		for _, length := range r.Plan.Lengths {
			for _, rival := range rivals {
				waits := r.waitsOf(rival.name, refused, length)
				lags, share := lags(waits), 0.0
				for _, w := range waits {
					share = max(share, float64(w.Lag)/float64(w.Length))
				}
				t.row(until(refused), seconds(length), rival.name, ms(quantile(lags, 0.5)), ms(quantile(lags, 0.95)), ms(quantile(lags, 1)),
					percent(share), count(quantile(attemptsOf(waits), 0.5)))
			}
		}
	}
	r.show("Lag from ready to the app's first instruction", t)
	return nil
}

func (r *results) waitsOf(name string, refused bool, nominal time.Duration) []wait {
	return choose(r.Waits, name, refused, nominal)
}

func choose(waits []wait, name string, refused bool, nominal time.Duration) (chosen []wait) {
	for _, w := range waits {
		if w.Name == name && w.Refused == refused && w.Nominal == nominal {
			chosen = append(chosen, w)
		}
	}
	return chosen
}

func lags(waits []wait) []time.Duration {
	return each(waits, func(w wait) time.Duration { return w.Lag })
}

func attemptsOf(waits []wait) []int { return each(waits, func(w wait) int { return w.Attempts }) }
