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
)

// wait is one wait of one rival.
type wait struct {
	Name    string
	Refused bool
	// Nominal is the length asked for, Length from the start to ready.
	Nominal, Length time.Duration
	// Lag is from ready to the app's first instruction.
	Lag                   time.Duration
	CPU                   time.Duration
	PeakKB, Voluntary     int64
	Attempts              int // -1 where nobody knows
	Connections, Requests int
	LogBytes, LogLines    int
}

// job is a wait to be done.
type job struct {
	rival   rival
	refused bool
	nominal time.Duration
	after   time.Duration // when the sidecar is ready
}

func (b *bench) wait(ctx context.Context, j job) (wait, error) {
	w := wait{Name: j.rival.name, Refused: j.refused, Nominal: j.nominal}
	if ctx.Err() != nil {
		return w, ctx.Err()
	}
	address, err := b.open(j.refused, j.after)
	if err != nil {
		return w, err
	}
	t, err := b.try(ctx, j.rival, address, j.after)
	counts, closeErr := b.closeSidecar(address)
	if err != nil {
		return w, err
	}
	if closeErr != nil {
		return w, closeErr
	}
	w.Length, w.Lag = counts.Ready-t.Start, t.First-counts.Ready
	if counts.Ready == 0 || w.Lag < 0 {
		return w, fmt.Errorf("%s: started the app before the sidecar was ready: %s", w.Name, t.Log)
	}
	w.CPU, w.PeakKB, w.Voluntary = t.CPU, t.PeakKB, t.Voluntary
	w.Connections, w.Requests = counts.Connections, counts.Requests
	w.Attempts = attempts(t.Log, j.refused, counts.Requests)
	w.LogBytes, w.LogLines = len(t.Log), bytes.Count(t.Log, []byte("\n"))
	return w, nil
}

// waitAll does the jobs, some at a time: they are idle nearly all of it. The
// first start a little apart, so that they don't wake up together.
func (b *bench) waitAll(ctx context.Context, jobs []job, side int) ([]wait, error) {
	waits, errs := make([]wait, len(jobs)), make([]error, len(jobs))
	ctx, cancel := context.WithCancel(ctx) // the first error ends it
	defer cancel()
	next := make(chan int)
	var group sync.WaitGroup
	for slot := range side {
		group.Go(func() {
			time.Sleep(min(time.Second, jobs[0].nominal) * time.Duration(slot) / time.Duration(side))
			for i := range next {
				if waits[i], errs[i] = b.wait(ctx, jobs[i]); errs[i] != nil {
					cancel()
				}
			}
		})
	}
	for i := range jobs {
		next <- i
	}
	close(next)
	group.Wait()
	for _, err := range errs {
		if err != nil && !errors.Is(err, context.Canceled) {
			return nil, err
		}
	}
	return waits, ctx.Err()
}

var attemptsField = regexp.MustCompile(`"attempts":(\d+)`)

// attempts counts refused ones too, which no sidecar sees: envoy-wait's last line
// has the number, curl writes a line for each that failed.
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

func until(refused bool) string {
	if refused {
		return "refused"
	}
	return "503"
}
