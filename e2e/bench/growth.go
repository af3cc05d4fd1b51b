//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// growth is the peak memory of a long wait.
type growth struct {
	name                  string
	phase                 state
	early, late           time.Duration
	earlyBytes, lateBytes int64
	earlyRequests         int
	err                   error
}

// beginGrowth starts waits for sidecars that never become ready, and watches their
// memory beside the other parts: such a wait is nearly idle.
func (b *bench) beginGrowth(ctx context.Context, rivals []rival, length time.Duration) func() ([]*growth, error) {
	var all []*growth
	for phase, rival := range pairs(rivals) {
		g := &growth{name: rival.name, phase: phase, early: length / 10, late: length}
		all = append(all, g)
		b.rest.Go(func() { g.err = phase.in(func() error { return b.grow(ctx, rival, g) }) })
	}
	return func() ([]*growth, error) {
		b.rest.Wait()
		return all, errors.Join(each(all, func(g *growth) error { return g.err })...)
	}
}

func (b *bench) grow(ctx context.Context, r rival, g *growth) error {
	s, err := open(g.phase, never)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	cmd := r.command(ctx, s, []string{b.helper("app")})
	if err := cmd.Start(); err != nil {
		return err
	}
	peak := func(after time.Duration) int64 {
		select {
		case <-time.After(after):
		case <-ctx.Done():
		}
		return memory(cmd.Process.Pid, "VmHWM")
	}
	g.earlyBytes = peak(g.early)
	g.earlyRequests = s.Requests()
	g.lateBytes = peak(g.late - g.early)
	cancel()
	_ = cmd.Wait()
	if g.lateBytes == 0 {
		return fmt.Errorf("%s: ended before its sidecar was ready", r.name)
	}
	_, err = s.close()
	return err
}

func (r *report) showGrowth(all []*growth, err error) error {
	if err != nil {
		return err
	}
	t := newTable(2, "until ready", "", "after "+seconds(r.plan.growth/10), "after "+seconds(r.plan.growth), "requests in "+seconds(r.plan.growth/10))
	for _, g := range all {
		t.row(string(g.phase), g.name, megabytes(g.earlyBytes), megabytes(g.lateBytes), count(g.earlyRequests))
	}
	r.show("Peak memory and requests of a long wait", t)
	return nil
}
