package probe

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"
	"time"
)

// DefaultQuitTimeout is what a zero QuitConfig.Timeout stands for.
const DefaultQuitTimeout = 5 * time.Second

// QuitConfig says whom to tell to quit.
type QuitConfig struct {
	// URLs are the quit endpoints, of the schemes http, https and unix.
	URLs []string
	// Timeout bounds all of it together. Zero means DefaultQuitTimeout.
	Timeout time.Duration
	// Retry, if set, is asked after an attempt that told nobody: false ends the attempts at that URL. It is called
	// from several goroutines. Nil means true.
	Retry func() bool
	// UserAgent is sent as the User-Agent header. Empty means "envoy-wait".
	UserAgent string
	// OnResult, if set, is called once for each URL with the last attempt, never twice at once. Its Outcome is Ready
	// where the sidecar was told: with a status of 2xx, or with 0 where it was gone before it answered.
	OnResult func(Attempt)
}

// ValidateQuitURL is ValidateURL for QuitConfig.URLs.
func ValidateQuitURL(raw string) error {
	_, err := parseQuitURL(raw)
	return err
}

func parseQuitURL(raw string) (endpoint, error) {
	e, err := parseURL(raw)
	if errors.Is(err, errScheme) || err == nil && !e.isHTTP() {
		return e, errors.New("the scheme must be http, https or unix")
	}
	return e, err
}

// Quit tells sidecars to quit: it sends a POST without a body to every URL, side by side, and returns nil if each was
// told, else an error that names each that was not. Whether a sidecar does quit is not awaited.
//
// A sidecar was told if it answers 2xx, or if it ends the connection (EOF) after the request was sent and refuses a
// later one: Istio's agent may exit before its answer is out. One that listens on was not told: the handler of that agent
// panics in its first moments, when there is nothing to shut down yet (handleQuit in
// github.com/istio/istio/pilot/cmd/pilot-agent/status/server.go). Where Retry allows no second attempt, EOF is enough.
//
// A connection that is refused, ends or is reset is tried again within Timeout, paced as in Wait: the sidecar may only
// be starting. Every other status is final, and so is an answer that is not HTTP. Redirects are not followed.
func Quit(ctx context.Context, cfg QuitConfig) error {
	cfg.Timeout = cmp.Or(cfg.Timeout, DefaultQuitTimeout)
	if cfg.Timeout < 0 {
		return fmt.Errorf("probe: QuitConfig.Timeout: %v: must not be negative", cfg.Timeout)
	}
	if cfg.OnResult == nil {
		cfg.OnResult = func(Attempt) {}
	}
	if cfg.Retry == nil {
		cfg.Retry = func() bool { return true }
	}
	start := time.Now()
	ctx, cancel := context.WithDeadline(ctx, start.Add(cfg.Timeout))
	defer cancel()

	targets, err := newTargets(cfg.URLs, parseQuitURL, start, policy{
		method: http.MethodPost, userAgent: cmp.Or(cfg.UserAgent, defaultUserAgent),
		accepts:        func(status int) bool { return status/100 == 2 },
		again:          func(a Attempt) bool { return (a.Outcome == Refused || a.Outcome == Failed) && cfg.Retry() },
		requestTimeout: cfg.Timeout, interval: DefaultInterval,
		report: func(Attempt) {},
	}, func(e endpoint, requestTimeout time.Duration) http.RoundTripper {
		return &quitTransport{RoundTripper: e.transport(requestTimeout), retry: cfg.Retry}
	})
	if err != nil {
		return fmt.Errorf("probe: QuitConfig.URLs: %w", err)
	}
	pollAll(ctx, targets, cfg.OnResult)

	var errs []error
	for _, t := range targets {
		if t.last.Outcome != Ready {
			errs = append(errs, fmt.Errorf("telling %s to quit: %s", Redact(t.last.URL), t.last.Cause()))
		}
	}
	return errors.Join(errs...)
}

// errTold is what became of a request after which the sidecar is gone.
var errTold = errors.New("connection closed after the request")

// quitTransport recognizes a sidecar that was told and is gone before it answered.
type quitTransport struct {
	http.RoundTripper
	retry func() bool
	ended bool // a connection did, after the request was sent
}

func (t *quitTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	var sent atomic.Bool // set by another goroutine
	trace := &httptrace.ClientTrace{WroteRequest: func(info httptrace.WroteRequestInfo) { sent.Store(info.Err == nil) }}
	resp, err := t.RoundTripper.RoundTrip(req.WithContext(httptrace.WithClientTrace(req.Context(), trace)))
	if err == nil {
		return resp, nil
	}
	outcome, cause := classify(err)
	end := sent.Load() && errors.Is(cause, errClosed)
	if t.ended && outcome == Refused || end && !t.retry() {
		return nil, errTold
	}
	t.ended = t.ended || end
	return nil, err
}

// CloseIdleConnections passes it on: the embedded interface does not have it.
func (t *quitTransport) CloseIdleConnections() { closeIdle(t.RoundTripper) }
