package probe_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/envoy-wait/envoy-wait/probe"
)

// A program that waits for its sidecar by itself calls Wait before its first
// outbound connection. The zero Config is right for Istio.
func ExampleWait() {
	attempts := 0
	sidecar := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if attempts++; attempts < 3 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	defer sidecar.Close()

	err := probe.Wait(context.Background(), probe.Config{
		URLs: []string{sidecar.URL}, // leave it out for Istio
		OnAttempt: func(a probe.Attempt) {
			fmt.Printf("attempt %d: %s\n", a.Number, a.Cause())
		},
	})
	fmt.Println("error:", err)
	// Output:
	// attempt 1: status 503
	// attempt 2: status 503
	// attempt 3: status 200
	// error: <nil>
}

// A Job tells its sidecar to quit when it has ended, or its Pod never completes.
func ExampleQuit() {
	sidecar := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		fmt.Println("the sidecar gets a", r.Method)
	}))
	defer sidecar.Close()

	err := probe.Quit(context.Background(), probe.QuitConfig{
		URLs: []string{sidecar.URL}, // leave it out for Istio
	})
	fmt.Println("error:", err)
	// Output:
	// the sidecar gets a POST
	// error: <nil>
}

// What a timeout says, field by field.
func ExampleTimeoutError() {
	sidecar := httptest.NewServer(http.NotFoundHandler())
	defer sidecar.Close()

	err := probe.Wait(context.Background(), probe.Config{
		URLs:    []string{sidecar.URL},
		Timeout: 500 * time.Millisecond,
	})
	if timeout, ok := errors.AsType[*probe.TimeoutError](err); ok {
		last := timeout.Pending[0]
		fmt.Println("last cause:", last.Cause())
	}
	// Output:
	// last cause: status 404
}
