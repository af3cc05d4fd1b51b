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
	refused               bool
	early, late           time.Duration
	earlyBytes, lateBytes int64
}

// beginGrowth starts waits for sidecars that never become ready, and watches their
// memory beside the other parts: such a wait is nearly idle.
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
	g := growth{name: r.name, refused: refused, early: length / 10, late: length}
	s, err := open(refused, never)
	if err != nil {
		return g, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	cmd := r.command(ctx, s.Address, []string{b.helper("app")})
	if err := cmd.Start(); err != nil {
		return g, err
	}
	peak := func(after time.Duration) int64 {
		select {
		case <-time.After(after):
		case <-ctx.Done():
		}
		return memory(cmd.Process.Pid, "VmHWM")
	}
	g.earlyBytes = peak(g.early)
	g.lateBytes = peak(g.late - g.early)
	cancel()
	_ = cmd.Wait()
	if g.lateBytes == 0 {
		return g, fmt.Errorf("%s: ended before its sidecar was ready", r.name)
	}
	_, err = s.close()
	return g, err
}

func (r *report) showGrowth(all []growth, err error) error {
	if err != nil {
		return err
	}
	r.growth = all
	t := newTable(2, "until ready", "", "after "+seconds(r.plan.growth/10), "after "+seconds(r.plan.growth))
	for _, g := range all {
		t.row(until(g.refused), g.name, megabytes(g.earlyBytes), megabytes(g.lateBytes))
	}
	r.show("Peak memory of a long wait", t)
	return nil
}
