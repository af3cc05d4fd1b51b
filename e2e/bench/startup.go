//go:build linux

package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"
)

// start is how long the starts of one program took.
type start struct {
	name  string
	first []time.Duration // from fork to the app's first instruction
	whole []time.Duration // from fork to the end of the app
	cpu   []time.Duration
}

// startUp starts the app where the sidecar is ready. Each round has one start of
// each program, in random order.
func (b *bench) startUp(ctx context.Context, r *report, rivals []rival) error {
	s, err := open(unready, 0)
	if err != nil {
		return err
	}
	r.starts = make([]start, len(rivals))
	for range r.plan.starts {
		for _, i := range rand.Perm(len(rivals)) {
			t, err := b.try(ctx, rivals[i], s, 0)
			if err != nil {
				return err
			}
			of := &r.starts[i]
			of.name = rivals[i].name
			of.first = append(of.first, t.first-t.Start)
			of.whole = append(of.whole, t.End-t.Start)
			of.cpu = append(of.cpu, t.CPU)
		}
	}
	t := newTable(1, "", "to the app's first instruction, least", "p50", "p95", "to direct", "to Go", "CPU, p50", "p95", "to the app's end, p50", "to Go")
	direct, program := r.start(nameDirect), r.start(nameGo)
	for _, of := range r.starts {
		t.row(of.name, ms(quantile(of.first, 0)), ms(quantile(of.first, 0.5)), ms(quantile(of.first, 0.95)),
			ratio(of.first, direct.first), ratio(of.first, program.first),
			ms(quantile(of.cpu, 0.5)), ms(quantile(of.cpu, 0.95)),
			ms(quantile(of.whole, 0.5)), ratio(of.whole, program.whole))
	}
	r.show(fmt.Sprintf("Start-up when ready, %d starts of each program", r.plan.starts), t)
	_, err = s.close()
	return err
}

// start has the starts of a program, if they were measured.
func (r *report) start(name string) start {
	for _, s := range r.starts {
		if s.name == name {
			return s
		}
	}
	return start{}
}
