//go:build linux

// Command standin is all the sidecars of a bench, in a process of its own so that
// they share nothing with the bench. It prints the address at which it takes
// orders, and ends with its stdin.
//
//	POST /open?refused=true&after=3s   a sidecar that is ready after 3 s; negative: never
//	POST /close?address=…              its wire.Counts
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/envoy-wait/envoy-wait/e2e/bench/wire"
	agent "github.com/envoy-wait/envoy-wait/e2e/sidecar"
)

func main() {
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	if err := serve(); err != nil {
		fmt.Fprintln(os.Stderr, "standin:", err)
		os.Exit(1)
	}
}

func serve() error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	var sidecars sync.Map // of *sidecar, by address
	mux := http.NewServeMux()
	mux.HandleFunc("POST /open", func(w http.ResponseWriter, req *http.Request) {
		after, err := time.ParseDuration(req.FormValue("after"))
		if err == nil {
			var s *sidecar
			if s, err = open(req.FormValue("refused") == "true", after); err == nil {
				sidecars.Store(s.port.Address, s)
				_, _ = io.WriteString(w, s.port.Address)
				return
			}
		}
		http.Error(w, err.Error(), http.StatusInternalServerError)
	})
	mux.HandleFunc("POST /close", func(w http.ResponseWriter, req *http.Request) {
		s, ok := sidecars.LoadAndDelete(req.FormValue("address"))
		if !ok {
			http.NotFound(w, req)
			return
		}
		counts, err := s.(*sidecar).close()
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		_ = json.NewEncoder(w).Encode(counts)
	})
	fmt.Println(l.Addr())
	return http.Serve(l, mux)
}

// sidecar refuses connections or answers 503 until it is ready.
type sidecar struct {
	port        *agent.Port
	agent       *agent.Sidecar
	timer       *time.Timer
	connections atomic.Int64

	mu       sync.Mutex // guards what follows
	listener net.Listener
	ready    time.Duration
	err      error
}

func open(refused bool, after time.Duration) (*sidecar, error) {
	port, err := agent.Bind()
	if err != nil {
		return nil, err
	}
	s := &sidecar{port: port, agent: agent.New(false)}
	if !refused {
		if err := s.listen(); err != nil {
			return nil, err
		}
	}
	switch {
	case after == 0:
		s.becomeReady()
	case after > 0:
		s.timer = time.AfterFunc(after, s.becomeReady)
	}
	return s, nil
}

// becomeReady takes the clock just before: a lag may come out some microseconds
// too long, and never too short.
func (s *sidecar) becomeReady() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ready, s.err = wire.Now()
	s.agent.SetReady(true)
	if s.listener == nil {
		if err := s.listen(); err != nil {
			s.err = err
		}
	}
}

func (s *sidecar) listen() (err error) {
	if s.listener, err = s.port.Listen(); err != nil {
		return err
	}
	go func() { _ = s.agent.Serve(counting{s.listener, &s.connections}) }()
	return nil
}

func (s *sidecar) close() (wire.Counts, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.timer != nil {
		s.timer.Stop()
	}
	if s.listener != nil {
		_ = s.listener.Close()
	}
	s.port.Close()
	return wire.Counts{Ready: s.ready, Connections: int(s.connections.Load()), Requests: s.agent.Requests()}, s.err
}

// counting counts the connections that are accepted.
type counting struct {
	net.Listener
	n *atomic.Int64
}

func (c counting) Accept() (net.Conn, error) {
	conn, err := c.Listener.Accept()
	if err == nil {
		c.n.Add(1)
	}
	return conn, err
}
