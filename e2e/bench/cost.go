//go:build linux

package main

import (
	"context"
	"fmt"
	"time"
)

// cost takes waits of fixed lengths, two of a kind, all of one length side by side.
func (b *bench) cost(r *results, rivals []rival) error {
	for _, length := range r.Plan.Costs {
		var jobs []job
		for range 2 {
			for _, rival := range rivals {
				for _, refused := range []bool{true, false} {
					jobs = append(jobs, job{rival, refused, length, length})
				}
			}
		}
		waits, err := b.waitAll(jobs, len(jobs))
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

// costOf is the mean of the CPU, and of all else the worse.
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
func (b *bench) beginGrowth(rivals []rival, length time.Duration) func() ([]growth, error) {
	type answer struct {
		growth
		err error
	}
	answers := make(chan answer)
	for _, rival := range rivals {
		for _, refused := range []bool{true, false} {
			go func() {
				g, err := b.grow(rival, refused, length)
				answers <- answer{g, err}
			}()
		}
	}
	return func() (all []growth, err error) {
		for range 2 * len(rivals) {
			a := <-answers
			if a.err != nil {
				err = a.err
			}
			all = append(all, a.growth)
		}
		return all, err
	}
}

func (b *bench) grow(r rival, refused bool, length time.Duration) (growth, error) {
	g := growth{Name: r.name, Refused: refused, Early: length / 10, Late: length}
	address, err := b.open(refused, -1)
	if err != nil {
		return g, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	cmd := command(ctx, r.fill(address, urlOf(address), []string{b.helper("app"), "/dev/null"}), r.env)
	if err := cmd.Start(); err != nil {
		return g, err
	}
	time.Sleep(g.Early)
	g.EarlyKB = statusKB(cmd.Process.Pid, "VmHWM")
	time.Sleep(g.Late - g.Early)
	g.LateKB = statusKB(cmd.Process.Pid, "VmHWM")
	cancel()
	_ = cmd.Wait()
	if g.LateKB == 0 {
		return g, fmt.Errorf("%s: ended before its sidecar was ready", r.name)
	}
	_, err = b.closeSidecar(address)
	return g, err
}
