package probe

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptrace"
	"sync"
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

	// UserAgent is sent as the User-Agent header. Empty means "envoy-wait".
	UserAgent string

	// OnResult, if set, is called once for each URL, as soon as its result is
	// known, with the last attempt: never twice at once. Its Outcome is Ready
	// where the sidecar was told: with a status of 2xx, or with 0 where it was
	// gone before it answered.
	OnResult func(Attempt)
}

// ValidateQuitURL is ValidateURL for QuitConfig.URLs.
func ValidateQuitURL(raw string) error {
	e, err := parseURL(raw)
	if err == nil && !e.isHTTP() {
		err = errors.New("the scheme must be http, https or unix")
	}
	return err
}

// Quit tells sidecars to end: it sends a POST without a body to every URL, side
// by side, and returns nil if each was told, else an error that names each that
// was not. Whether a sidecar does end is not awaited.
//
// Told is one that answers 2xx, and one whose connection ends in any other way
// once the request was sent: an agent may exit before its answer is out. What
// fails before the request was sent, such as a refused connection, is tried again
// until the deadline, paced as in Wait: a sidecar that is only now starting must
// not be missed. Every other status is final, and so is an answer that is not
// HTTP. Redirects are not followed.
func Quit(ctx context.Context, cfg QuitConfig) error {
	if cfg.Timeout == 0 {
		cfg.Timeout = DefaultQuitTimeout
	}
	if cfg.Timeout < 0 {
		return fmt.Errorf("probe: QuitConfig.Timeout: %v: must not be negative", cfg.Timeout)
	}
	if cfg.OnResult == nil {
		cfg.OnResult = func(Attempt) {}
	}
	start := time.Now()
	ctx, cancel := context.WithDeadline(ctx, start.Add(cfg.Timeout))
	defer cancel()

	attempts := Config{
		method:         http.MethodPost,
		RequestTimeout: cfg.Timeout,
		UserAgent:      cfg.UserAgent,
		Accepts:        func(status int) bool { return status == gone || status/100 == 2 },
		retry:          func(o Outcome) bool { return o == Refused || o == Failed },
		transport:      func(e endpoint) http.RoundTripper { return quitTransport{e.transport(cfg.Timeout)} },
	}.withDefaults()
	targets := make([]*target, len(cfg.URLs))
	for i, url := range cfg.URLs {
		err := ValidateQuitURL(url)
		if err == nil {
			targets[i], err = newTarget(ctx, url, start, attempts, &shared{})
		}
		if err != nil {
			return fmt.Errorf("probe: QuitConfig.URLs: %q: %w", Redact(url), err)
		}
	}

	var reporting sync.Mutex
	var polls sync.WaitGroup
	for _, t := range targets {
		polls.Go(func() {
			t.poll()
			reporting.Lock()
			defer reporting.Unlock()
			cfg.OnResult(t.last)
		})
	}
	polls.Wait()

	var errs []error
	for _, t := range targets {
		if t.last.Outcome != Ready {
			errs = append(errs, fmt.Errorf("telling %s to quit: %s", Redact(t.url), t.last.Cause()))
		}
	}
	return errors.Join(errs...)
}

// gone is the status of a sidecar that was gone before it answered.
const gone = 0

// quitTransport takes a connection that ends once the request was sent for an
// answer.
type quitTransport struct{ http.RoundTripper }

func (t quitTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	var sent atomic.Bool // set by another goroutine
	trace := &httptrace.ClientTrace{WroteRequest: func(info httptrace.WroteRequestInfo) { sent.Store(info.Err == nil) }}
	resp, err := t.RoundTripper.RoundTrip(req.WithContext(httptrace.WithClientTrace(req.Context(), trace)))
	if err == nil || !sent.Load() {
		return resp, err
	}
	if outcome, _ := classify(nil, err, nil); outcome != Failed || req.Context().Err() != nil {
		return nil, err
	}
	return &http.Response{StatusCode: gone, Header: http.Header{}, Body: http.NoBody, Request: req}, nil
}

// CloseIdleConnections lets http.Client reach the transport's.
func (t quitTransport) CloseIdleConnections() {
	if c, ok := t.RoundTripper.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}
