//go:build linux

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"sync"
	"time"

	"github.com/envoy-wait/envoy-wait/e2e/wire"
)

// wait is one wait of one program.
type wait struct {
	wire.Report
	Name  string
	Phase state
	// Nominal is the planned length, Length the time from the start to ready.
	Nominal, Length time.Duration
	// Lag is the time from ready to the app's first instruction.
	Lag                   time.Duration
	Attempts              int // -1: unknown
	Connections, Requests int
	LogBytes, LogLines    int
}

// job is a wait to be done.
type job struct {
	rival   rival
	phase   state
	nominal time.Duration
	after   time.Duration // when the sidecar becomes ready
}

func (b *bench) wait(ctx context.Context, j job) (w wait, err error) {
	err = j.phase.in(func() error {
		w, err = b.waitHere(ctx, j)
		return err
	})
	return w, err
}

func (b *bench) waitHere(ctx context.Context, j job) (w wait, err error) {
	if ctx.Err() != nil {
		return w, ctx.Err()
	}
	s, err := open(j.phase, j.after)
	if err != nil {
		return w, err
	}
	t, err := b.try(ctx, j.rival, s, j.after)
	ready, closeErr := s.close()
	if err = errors.Join(err, closeErr); err != nil {
		return w, err
	}
	w = wait{
		Report: t.Report, Name: j.rival.name, Phase: j.phase,
		Nominal: j.nominal, Length: ready - t.Start, Lag: t.first - ready,
		Attempts:    attempts(t.log, j.phase == refused || j.phase == gated && j.rival.asksHealth(), s.Requests()),
		Connections: s.Connections(), Requests: s.Requests(),
		LogBytes: len(t.log), LogLines: bytes.Count(t.log, []byte("\n")),
	}
	if ready == 0 || w.Lag < 0 {
		return w, fmt.Errorf("%s: started the app before the sidecar was ready: %s", w.Name, t.log)
	}
	return w, nil
}

// waitAll does the jobs, some side by side: a wait is idle nearly all the time.
// They begin a little apart, so that they don't wake up together.
func (b *bench) waitAll(ctx context.Context, jobs []job, side int) ([]wait, error) {
	waits := make([]wait, len(jobs))
	ctx, cancel := context.WithCancelCause(ctx) // the first error ends all
	defer cancel(nil)
	next := make(chan int)
	var group sync.WaitGroup
	for slot := range side {
		group.Go(func() {
			time.Sleep(min(time.Second, jobs[0].nominal) * time.Duration(slot) / time.Duration(side))
			for i := range next {
				var err error
				if waits[i], err = b.wait(ctx, jobs[i]); err != nil {
					cancel(err)
				}
			}
		})
	}
	for i := range jobs {
		next <- i
	}
	close(next)
	group.Wait()
	return waits, context.Cause(ctx)
}

var attemptsField = regexp.MustCompile(`"attempts":(\d+)`)

// attempts includes refused ones, which no sidecar sees. envoy-wait's last line has
// the number; curl writes a line for each failure.
func attempts(log []byte, refused bool, requests int) int {
	if fields := attemptsField.FindAllSubmatch(log, -1); fields != nil {
		n, _ := strconv.Atoi(string(fields[len(fields)-1][1]))
		return n
	}
	if failed := bytes.Count(log, []byte("curl: (")); failed > 0 {
		return failed + 1
	}
	if refused {
		return -1
	}
	return requests
}

// choose finds the waits of a kind.
func choose(waits []wait, name string, phase state, nominal time.Duration) (chosen []wait) {
	for _, w := range waits {
		if w.Name == name && w.Phase == phase && w.Nominal == nominal {
			chosen = append(chosen, w)
		}
	}
	return chosen
}
