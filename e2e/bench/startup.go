//go:build linux

package main

import (
	"context"
	"time"
)

// start is how long the starts of one kind took.
type start struct {
	Name  string
	First []time.Duration // from fork to the app's first instruction
	Whole []time.Duration // from fork to the end of the app
	CPU   []time.Duration
}

// startUp starts the app where the sidecar is ready, one of each kind in turn.
func (b *bench) startUp(ctx context.Context, r *results, rivals []rival) error {
	address, err := b.open(false, 0)
	if err != nil {
		return err
	}
	starts := make([]start, len(rivals))
	for range r.Plan.Starts {
		for i, rival := range rivals {
			t, err := b.try(ctx, rival, address, 0)
			if err != nil {
				return err
			}
			s := &starts[i]
			s.Name = rival.name
			s.First = append(s.First, t.First-t.Start)
			s.Whole = append(s.Whole, t.End-t.Start)
			s.CPU = append(s.CPU, t.CPU)
		}
	}
	_, err = b.closeSidecar(address)
	r.Starts = starts
	r.show("Start-up when ready", r.startTable())
	return err
}

func (r *results) startTable() table {
	t := table{{"", "to the app's first instruction, least", "p50", "p95", "to direct", "to Go", "CPU, p50", "p95", "to the app's end, p50", "to Go"}}
	direct, program := r.start(nameDirect), r.start(nameGo)
	for _, s := range r.Starts {
		t.row(s.Name, ms(quantile(s.First, 0)), ms(quantile(s.First, 0.5)), ms(quantile(s.First, 0.95)),
			ratio(s.First, direct.First), ratio(s.First, program.First),
			ms(quantile(s.CPU, 0.5)), ms(quantile(s.CPU, 0.95)),
			ms(quantile(s.Whole, 0.5)), ratio(s.Whole, program.Whole))
	}
	return t
}

func (r *results) start(name string) start {
	for _, s := range r.Starts {
		if s.Name == name {
			return s
		}
	}
	return start{}
}
