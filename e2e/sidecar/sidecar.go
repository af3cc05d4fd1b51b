// Package sidecar stands in for the part of Istio's sidecar that envoy-wait
// talks to. It answers byte for byte as pilot-agent does on its status port.
//
// The life of one, in a test:
//
//	port, _ := sidecar.Bind(0)   // refuses: nothing listens
//	l, _ := port.Listen()
//	s := sidecar.New(false)      // 503
//	go s.Serve(l)
//	s.SetReady(true)             // 200
//	s.Close()                    // gone, as after a crash
//
// The command sidecar/cmd is a sidecar in a process of its own.
package sidecar

import (
	"io"
	"log"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
)

// The paths of the status port: readiness, and the request to quit.
const (
	Path     = "/healthz/ready"
	QuitPath = "/quitquitquit"
)

// Sidecar is one sidecar. Set its fields before Serve.
type Sidecar struct {
	// Survives keeps the sidecar running after a request to quit, which is only
	// counted. The real agent exits.
	Survives bool
	// OnUnready, if set, is called for each 503. The real agent writes a line to
	// its log for each.
	OnUnready func()

	ready, told                  atomic.Bool
	connections, requests, quits atomic.Int64

	server   *http.Server
	quit     chan struct{}
	quitOnce sync.Once
}

// New makes a sidecar, ready or not.
func New(ready bool) *Sidecar {
	s := &Sidecar{quit: make(chan struct{})}
	s.SetReady(ready)
	mux := http.NewServeMux() // 404 for a trailing slash, 307 for a doubled one
	mux.HandleFunc(Path, s.answerReady)
	mux.HandleFunc("/server_info", s.answerInfo)
	mux.HandleFunc(QuitPath, s.answerQuit)
	s.server = &http.Server{Handler: mux, ErrorLog: log.New(io.Discard, "", 0), ConnState: s.connState}
	return s
}

func (s *Sidecar) connState(_ net.Conn, state http.ConnState) {
	switch {
	case state == http.StateNew:
		s.connections.Add(1)
	case state != http.StateActive && s.told.Load(): // the answer to the request to quit is written
		s.quitOnce.Do(func() { close(s.quit) })
		s.Close()
	}
}

// Serve answers on l until Close. It may be called for several listeners: Envoy's
// port 15021 forwards to the agent's.
func (s *Sidecar) Serve(l net.Listener) error { return s.server.Serve(l) }

// SetReady changes the answer from 503 to 200 or back.
func (s *Sidecar) SetReady(ready bool) { s.ready.Store(ready) }

// Close ends the sidecar at once: connections are closed, new ones refused.
func (s *Sidecar) Close() { _ = s.server.Close() }

// Quit is closed when the sidecar has been told to quit, unless it survives that.
func (s *Sidecar) Quit() <-chan struct{} { return s.quit }

// Connections counts those that were accepted.
func (s *Sidecar) Connections() int { return int(s.connections.Load()) }

// Requests counts the probes that were answered.
func (s *Sidecar) Requests() int { return int(s.requests.Load()) }

// Quits counts the requests to quit that were accepted.
func (s *Sidecar) Quits() int { return int(s.quits.Load()) }

// answered counts a probe, and reports whether the sidecar is ready.
func (s *Sidecar) answered() (ready bool) {
	s.requests.Add(1)
	return s.ready.Load()
}

// answerReady takes any method, as the agent does.
func (s *Sidecar) answerReady(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Vary", "Accept-Encoding")
	if s.answered() {
		w.WriteHeader(http.StatusOK)
		return
	}
	if s.OnUnready != nil {
		s.OnUnready()
	}
	w.WriteHeader(http.StatusServiceUnavailable)
}

// answerInfo is the readiness of Envoy's admin port: scuttle asks there.
func (s *Sidecar) answerInfo(w http.ResponseWriter, _ *http.Request) {
	state := "PRE_INITIALIZING"
	if s.answered() {
		state = "LIVE"
	}
	_, _ = io.WriteString(w, `{"state":"`+state+`"}`)
}

func (s *Sidecar) answerQuit(w http.ResponseWriter, r *http.Request) {
	host, _, _ := net.SplitHostPort(r.RemoteAddr)
	if !net.ParseIP(host).IsLoopback() {
		http.Error(w, "Only requests from localhost are allowed", http.StatusForbidden)
		return
	}
	if r.Method != http.MethodPost {
		http.Error(w, "Method Not Allowed", http.StatusMethodNotAllowed)
		return
	}
	s.quits.Add(1)
	_, _ = io.WriteString(w, "OK")
	if !s.Survives {
		s.told.Store(true)
	}
}
