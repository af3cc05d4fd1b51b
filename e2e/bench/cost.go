//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// cost takes waits of fixed lengths, three of a kind, all of one length side by side.
func (b *bench) cost(ctx context.Context, r *results, rivals []rival) error {
	for _, length := range r.Plan.Costs {
		var jobs []job
		for range 3 {
			for _, rival := range rivals {
				for _, refused := range []bool{true, false} {
					jobs = append(jobs, job{rival, refused, length, length})
				}
			}
		}
		waits, err := b.waitAll(ctx, jobs, len(jobs))
		if err != nil {
			return err
		}
		r.Costs = append(r.Costs, waits...)
	}
	t := table{{"until ready", "wait", "", "CPU", "of a core", "an attempt", "peak memory", "attempts", "connections", "requests", "slept", "log"}}
	for _, refused := range []bool{true, false} {
		for _, length := range r.Plan.Costs {
			for _, rival := range rivals {
				c := r.costOf(rival.name, refused, length)
				an := "?"
				if c.Attempts > 0 {
					an = ms(c.CPU / time.Duration(c.Attempts))
				}
				t.row(until(refused), seconds(length), rival.name, ms(c.CPU), percent(float64(c.CPU)/float64(c.Length)), an, kb(c.PeakKB),
					count(c.Attempts), count(c.Connections), count(c.Requests), fmt.Sprint(c.Voluntary),
					fmt.Sprintf("%d lines, %d bytes", c.LogLines, c.LogBytes))
			}
		}
	}
	r.show("Cost of a wait", t)
	return nil
}

// costOf is the mean of the CPU, and of all else the most.
func (r *results) costOf(name string, refused bool, length time.Duration) (c wait) {
	waits := choose(r.Costs, name, refused, length)
	for i, w := range waits {
		if i == 0 {
			c = w
			continue
		}
		c.CPU += w.CPU
		c.PeakKB, c.Voluntary = max(c.PeakKB, w.PeakKB), max(c.Voluntary, w.Voluntary)
		c.Attempts, c.Connections, c.Requests = max(c.Attempts, w.Attempts), max(c.Connections, w.Connections), max(c.Requests, w.Requests)
		c.LogBytes, c.LogLines = max(c.LogBytes, w.LogBytes), max(c.LogLines, w.LogLines)
	}
	c.CPU /= time.Duration(max(1, len(waits)))
	return c
}

// growth is the peak memory of a long wait.
type growth struct {
	Name        string
	Refused     bool
	Early, Late time.Duration
	// EarlyKB and LateKB are VmHWM.
	EarlyKB, LateKB int64
}

// beginGrowth starts waits for sidecars that never become ready, and watches
// their memory while other things are measured: they are nearly idle by then.
func (b *bench) beginGrowth(ctx context.Context, rivals []rival, length time.Duration) func() ([]growth, error) {
	all := make([]growth, 2*len(rivals))
	errs := make([]error, len(all))
	for i := range all {
		b.rest.Go(func() { all[i], errs[i] = b.grow(ctx, rivals[i%len(rivals)], i < len(rivals), length) })
	}
	return func() ([]growth, error) {
		b.rest.Wait()
		return all, errors.Join(errs...)
	}
}

func (b *bench) grow(ctx context.Context, r rival, refused bool, length time.Duration) (growth, error) {
	g := growth{Name: r.name, Refused: refused, Early: length / 10, Late: length}
	address, err := b.open(refused, -1)
	if err != nil {
		return g, err
	}
	ctx, cancel := context.WithTimeout(ctx, length+time.Minute)
	defer cancel()
	cmd := r.command(ctx, address, []string{b.helper("app"), "/dev/null"})
	if err := cmd.Start(); err != nil {
		return g, err
	}
	peak := func(after time.Duration) int64 {
		select {
		case <-time.After(after):
		case <-ctx.Done():
		}
		return statusKB(cmd.Process.Pid, "VmHWM")
	}
	g.EarlyKB = peak(g.Early)
	g.LateKB = peak(g.Late - g.Early)
	cancel()
	_ = cmd.Wait()
	if g.LateKB == 0 {
		return g, fmt.Errorf("%s: ended before its sidecar was ready", r.name)
	}
	_, err = b.closeSidecar(address)
	return g, err
}
