//go:build linux

package scuttle

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/envoy-wait/envoy-wait/e2e/harness"
)

// world is the Pod around one run: Envoy's admin on port 15000, Istio's agent on 15020, and others to quit on 7001 and
// 7002. A redirect leads to 7003.
type world struct {
	asked  event // at the first question to the admin
	told   event // at the first request to quit
	ending event // lets hanging handlers end

	mu       sync.Mutex
	requests map[string]int // that are no questions to the admin
}

// event happens once.
type event struct {
	once sync.Once
	ch   chan struct{}
}

func (e *event) happen() { e.once.Do(func() { close(e.ch) }) }

func (e *event) await(t *testing.T) {
	t.Helper()
	select {
	case <-e.ch:
	case <-time.After(harness.Patience):
		t.Error("got no request, want one")
	}
}

// newWorld starts the servers on the network of this thread. What they do is a word of handle.
func newWorld(t *testing.T, admin, agent string) *world {
	t.Helper()
	w := &world{requests: map[string]int{}}
	for _, s := range []*event{&w.asked, &w.told, &w.ending} {
		s.ch = make(chan struct{})
	}
	for port, how := range map[string]string{"15000": admin, "15020": agent, "7001": "", "7002": "", "7003": ""} {
		if how == "is down" {
			continue
		}
		l, err := net.Listen("tcp", ":"+port)
		if err != nil {
			t.Fatal(err)
		}
		server := &http.Server{Handler: http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { w.handle(rw, r, port, how) })}
		go func() { _ = server.Serve(l) }()
		t.Cleanup(func() { _ = server.Close() })
	}
	t.Cleanup(w.ending.happen)
	return w
}

func (w *world) handle(rw http.ResponseWriter, r *http.Request, port, how string) {
	question := r.Method == http.MethodGet && (strings.HasSuffix(r.URL.Path, "/ready") || strings.HasSuffix(r.URL.Path, "/server_info"))
	if question {
		w.asked.happen()
	} else {
		w.mu.Lock()
		w.requests[r.Method+" "+port+r.URL.Path]++
		w.mu.Unlock()
		w.told.happen()
	}
	switch how {
	case "is starting":
		rw.WriteHeader(http.StatusServiceUnavailable)
		_, _ = io.WriteString(rw, `{"state": "PRE_INITIALIZING"}`)
	case "says LIVE with 503":
		rw.WriteHeader(http.StatusServiceUnavailable)
		_, _ = io.WriteString(rw, `{"state": "LIVE"}`)
	case "answers 404", "answers 500":
		status := 0
		_, _ = fmt.Sscan(how[len("answers "):], &status)
		rw.WriteHeader(status)
	case "redirects":
		http.Redirect(rw, r, "http://127.0.0.1:7003/elsewhere", http.StatusFound)
	case "redirects with 307":
		http.Redirect(rw, r, "http://127.0.0.1:7003/elsewhere", http.StatusTemporaryRedirect)
	case "hangs":
		<-w.ending.ch
	case "resets", "hangs up":
		conn, _, err := rw.(http.Hijacker).Hijack()
		if err != nil {
			return
		}
		if how == "resets" {
			_ = conn.(*net.TCPConn).SetLinger(0)
		}
		_ = conn.Close()
	case "speaks no JSON":
		_, _ = io.WriteString(rw, "LIVE")
	case "":
		if strings.HasPrefix(r.URL.Path, "//") { // as Envoy and the agent
			rw.WriteHeader(http.StatusNotFound)
			return
		}
		if question || r.URL.Path == "/elsewhere" {
			_, _ = io.WriteString(rw, `{"state": "LIVE"}`)
		}
	}
}

// seen lists the requests, each once, with "again" where it came more than once.
func (w *world) seen() (list []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for request, n := range w.requests {
		if n > 1 {
			request += " again"
		}
		list = append(list, request)
	}
	slices.Sort(list)
	return list
}
