//go:build linux

package main

import (
	"errors"
	"sync"
	"time"

	"github.com/envoy-wait/envoy-wait/e2e/sidecar"
	"github.com/envoy-wait/envoy-wait/e2e/wire"
)

// never is longer than any wait.
const never = time.Hour

// standIn is a sidecar that refuses connections, or answers 503, until it is ready.
type standIn struct {
	*sidecar.Sidecar
	*sidecar.Port
	refused bool
	timer   *time.Timer

	mu    sync.Mutex    // guards what follows
	ready time.Duration // by wire.Now
	err   error
}

func open(refused bool, after time.Duration) (*standIn, error) {
	port, err := sidecar.Bind()
	if err != nil {
		return nil, err
	}
	s := &standIn{Sidecar: sidecar.New(false), Port: port, refused: refused}
	if !refused {
		if err := s.listen(); err != nil {
			return nil, err
		}
	}
	if after > 0 {
		s.timer = time.AfterFunc(after, s.becomeReady)
	} else {
		s.becomeReady()
	}
	return s, nil
}

// becomeReady takes the clock first: a lag may come out some microseconds too
// long, and never too short.
func (s *standIn) becomeReady() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ready, s.err = wire.Now()
	s.SetReady(true)
	if s.refused {
		s.err = errors.Join(s.err, s.listen())
	}
}

func (s *standIn) listen() error {
	l, err := s.Listen()
	if err == nil {
		go func() { _ = s.Serve(l) }()
	}
	return err
}

// close ends the sidecar, and says when it became ready.
func (s *standIn) close() (ready time.Duration, err error) {
	if s.timer != nil {
		s.timer.Stop()
	}
	s.Sidecar.Close()
	s.Port.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ready, s.err
}
