//go:build linux

package main

import (
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/envoy-wait/envoy-wait/e2e/harness"
	"github.com/envoy-wait/envoy-wait/e2e/sidecar"
	"github.com/envoy-wait/envoy-wait/e2e/wire"
)

// never is longer than any wait.
const never = time.Hour

// state is the answer of a sidecar that is not ready.
type state string

const (
	refused state = "refused"
	unready state = "503"
	gated   state = "503, 15021 refused" // as Istio's: see probe.Config.Gate
)

var phases = []state{refused, unready, gated}

// in runs f where the phase can be: ports 15020 and 15021 need a network for each sidecar.
func (p state) in(f func() error) error {
	if p == gated {
		return harness.OwnNetwork(f)
	}
	return f()
}

// standIn is a sidecar in its phase, until it is ready.
type standIn struct {
	*sidecar.Sidecar
	*sidecar.Port
	phase  state
	gate   *sidecar.Port
	timers []*time.Timer

	mu    sync.Mutex    // guards what follows
	ready time.Duration // by wire.Now
	err   error
}

// open starts a sidecar on the network of this thread.
func open(phase state, after time.Duration) (*standIn, error) {
	s := &standIn{Sidecar: sidecar.New(false), phase: phase}
	var err error
	port := 0 // any
	if phase == gated {
		port = 15020
	}
	if s.Port, err = sidecar.Bind(port); err != nil {
		return nil, err
	}
	if phase != refused {
		if err := s.serve(s.Port); err != nil {
			return nil, err
		}
	}
	if phase == gated {
		if s.gate, err = sidecar.Bind(15021); err != nil {
			return nil, err
		}
		early := time.Duration(rand.Int64N(int64(20 * time.Millisecond)))
		s.timers = append(s.timers, time.AfterFunc(max(0, after-early), s.openGate))
	}
	if after > 0 {
		s.timers = append(s.timers, time.AfterFunc(after, s.becomeReady))
	} else {
		s.becomeReady()
	}
	return s, nil
}

// openGate lets 15021 accept, as Envoy does when its workers start.
func (s *standIn) openGate() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = errors.Join(s.err, s.serve(s.gate))
}

// becomeReady takes the clock first: a lag may come out some microseconds too
// long, and never too short.
func (s *standIn) becomeReady() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ready, s.err = wire.Now()
	s.SetReady(true)
	if s.phase == refused {
		s.err = errors.Join(s.err, s.serve(s.Port))
	}
}

func (s *standIn) serve(p *sidecar.Port) error {
	l, err := p.Open()
	if err == nil {
		go func() { _ = s.Serve(l) }()
	}
	return err
}

// close ends the sidecar, and says when it became ready.
func (s *standIn) close() (ready time.Duration, err error) {
	for _, timer := range s.timers {
		timer.Stop()
	}
	s.Sidecar.Close()
	s.Port.Close()
	if s.gate != nil {
		s.gate.Close()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ready, s.err
}
