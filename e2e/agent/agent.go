// Package agent stands in for the part of Istio's agent that envoy-wait talks
// to, where no real one can be had. It answers as pilot-agent does on its status
// port: refused, then 503, then 200, all with an empty body.
package agent

import (
	"io"
	"log"
	"net"
	"net/http"
	"sync/atomic"
)

// Path is where the agent tells whether it is ready, QuitPath where it is told to
// quit.
const (
	Path     = "/healthz/ready"
	QuitPath = "/quitquitquit"
)

// Agent is one sidecar. The zero value is not ready.
type Agent struct {
	// OnUnready, if set, is called for each probe answered by 503: the real
	// agent then writes a line to its log.
	OnUnready func()

	ready    atomic.Bool
	requests atomic.Int64
	quits    atomic.Int64
}

// SetReady changes the answer from 503 to 200 or back.
func (a *Agent) SetReady(ready bool) { a.ready.Store(ready) }

// Requests counts the probes that were answered.
func (a *Agent) Requests() int { return int(a.requests.Load()) }

// Quits counts the requests to quit, which this agent survives.
func (a *Agent) Quits() int { return int(a.quits.Load()) }

// Serve answers on l until l is closed. As with the real agent a trailing slash
// is 404, a doubled one a redirect, and any method will do.
func (a *Agent) Serve(l net.Listener) error {
	mux := http.NewServeMux()
	mux.HandleFunc(Path, func(w http.ResponseWriter, _ *http.Request) {
		a.requests.Add(1)
		w.Header().Set("Vary", "Accept-Encoding")
		if a.ready.Load() {
			w.WriteHeader(http.StatusOK)
			return
		}
		if a.OnUnready != nil {
			a.OnUnready()
		}
		w.WriteHeader(http.StatusServiceUnavailable)
	})
	// Envoy's admin port says it in its own way: scuttle, for one, asks there.
	mux.HandleFunc("/server_info", func(w http.ResponseWriter, _ *http.Request) {
		a.requests.Add(1)
		state := "PRE_INITIALIZING"
		if a.ready.Load() {
			state = "LIVE"
		}
		_, _ = io.WriteString(w, `{"state":"`+state+`"}`)
	})
	mux.HandleFunc(QuitPath, func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost {
			w.WriteHeader(http.StatusMethodNotAllowed)
			return
		}
		a.quits.Add(1)
	})
	server := &http.Server{Handler: mux, ErrorLog: log.New(io.Discard, "", 0)}
	return server.Serve(l)
}
