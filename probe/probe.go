// Package probe waits until a sidecar is ready, and knows HTTP and time only.
//
// [Wait] polls one or more readiness endpoints, side by side, under one
// deadline, until each has answered 200 once. A Go program can call it before
// its first outbound connection; the command envoy-wait is the same loop in
// front of any program.
//
// What is retried: everything. A refused connection, a reset, an EOF, a
// malformed answer, a hang, a TLS error, a redirect (never followed), any
// status but 200: the sidecar is simply not ready yet. Only a [Config] that can
// never work is an error, and that before the first attempt.
//
// Who owns the deadline: Wait, by Config.Timeout, and the caller, by ctx,
// whichever ends first. It holds under every fault of the endpoint. Time is
// monotonic and goes on while the process is stopped.
//
// What is never done: no log line is written (Config.OnAttempt reports), no
// proxy variable is read, Retry-After is not obeyed, no resolver is asked for
// localhost, at most 4 KiB of a body and 16 KiB of headers are read.
package probe

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"
)

// The values that the zero Config stands for. They are right for Istio's agent
// and so for Cloud Service Mesh.
const (
	DefaultURL            = "http://localhost:15020/healthz/ready"
	DefaultTimeout        = 60 * time.Second
	DefaultRequestTimeout = 5 * time.Second
	DefaultInterval       = 500 * time.Millisecond

	// MinInterval is the smallest Config.Interval: an attempt costs a few
	// tenths of a millisecond, so that more than 100 a second would take a
	// noticeable part of a core.
	MinInterval = 10 * time.Millisecond

	// NoTimeout as Config.Timeout leaves the deadline to the context alone.
	NoTimeout time.Duration = -1
)

// Config says what to wait for and how long. The zero value waits up to a
// minute for Istio's agent.
type Config struct {
	// URLs are the endpoints, http or https; every one must be ready. Each is
	// polled until its first 200, then no more. Empty means DefaultURL.
	URLs []string

	// Timeout bounds the whole wait. Zero means DefaultTimeout, a negative
	// value (NoTimeout) no bound but the context's.
	Timeout time.Duration

	// RequestTimeout bounds one attempt, from connecting to the end of the
	// headers. Zero means DefaultRequestTimeout. Istio's agent takes up to 4 s
	// for an answer while Envoy's admin hangs.
	RequestTimeout time.Duration

	// Interval is the longest pause between two attempts at one URL, at least
	// MinInterval. Zero means DefaultInterval.
	Interval time.Duration

	// UserAgent is sent as the User-Agent header. Empty means "envoy-wait".
	UserAgent string

	// OnAttempt, if set, is called after every attempt, from the goroutines
	// that poll but never from two at once. It delays the next attempt for as
	// long as it runs. It is not called once Wait has returned.
	OnAttempt func(Attempt)
}

// Attempt is what one attempt at one URL found.
type Attempt struct {
	// URL is the endpoint as configured: it may hold a password, see Redact.
	URL string
	// Number counts the attempts at this URL, from 1.
	Number int
	// Elapsed is the time since the wait began.
	Elapsed time.Duration
	// Outcome says how the attempt ended.
	Outcome Outcome
	// Status is the HTTP status where Outcome is Ready or Unready, else 0.
	Status int
	// Err is the cause where there is no HTTP status, else nil.
	Err error
}

// Cause is the outcome in a few words, such as "connection refused" or
// "status 503". Ports of our own, which change with every attempt, are not part
// of it.
func (a Attempt) Cause() string {
	switch {
	case a.Err != nil:
		return a.Err.Error()
	case a.Status != 0:
		return fmt.Sprintf("status %d", a.Status)
	default:
		return "no attempt yet"
	}
}

// TimeoutError is what Wait returns when a deadline, Config.Timeout or that of
// the context, passed before every endpoint was ready. It wraps
// context.DeadlineExceeded and the last causes.
type TimeoutError struct {
	// Elapsed is how long the wait took.
	Elapsed time.Duration
	// Attempts counts all attempts, at all URLs.
	Attempts int
	// Pending has the last attempt at each URL that was not ready, in the order
	// of Config.URLs. It is never empty.
	Pending []Attempt
}

// Error names every endpoint that was not ready, with its own last cause.
func (e *TimeoutError) Error() string {
	causes := make([]string, len(e.Pending))
	for i, a := range e.Pending {
		causes[i] = Redact(a.URL) + ": " + a.Cause()
	}
	return fmt.Sprintf("not ready after %v: %s", e.Elapsed.Round(time.Millisecond), strings.Join(causes, "; "))
}

// Unwrap lets errors.Is find context.DeadlineExceeded and the last causes, such
// as syscall.ECONNREFUSED.
func (e *TimeoutError) Unwrap() []error {
	errs := []error{context.DeadlineExceeded}
	for _, a := range e.Pending {
		if a.Err != nil {
			errs = append(errs, a.Err)
		}
	}
	return errs
}

// Wait returns nil once every endpoint has answered 200. Otherwise it returns a
// *TimeoutError when a deadline passed, the context's cause when ctx was
// cancelled, or, before any attempt, an error that says what is wrong with cfg.
// All its goroutines have ended by then.
func Wait(ctx context.Context, cfg Config) error {
	return wait(ctx, cfg, func(requestTimeout time.Duration) http.RoundTripper {
		return newTransport(requestTimeout)
	})
}

// wait is Wait over any transport; each target gets its own.
func wait(ctx context.Context, cfg Config, transport func(requestTimeout time.Duration) http.RoundTripper) error {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return err
	}
	start := time.Now()
	if cfg.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, start.Add(cfg.Timeout))
		defer cancel()
	}

	targets := make([]*target, len(cfg.URLs))
	var reporting sync.Mutex
	var polls sync.WaitGroup
	for i, url := range cfg.URLs {
		t, err := newTarget(ctx, url, start, cfg, transport(cfg.RequestTimeout), &reporting)
		if err != nil {
			return fmt.Errorf("probe: Config.URLs: %q: not a valid URL", Redact(url))
		}
		targets[i] = t
	}
	for _, t := range targets {
		polls.Go(t.poll)
	}
	polls.Wait()

	timeout := &TimeoutError{Elapsed: time.Since(start)}
	for _, t := range targets {
		timeout.Attempts += t.last.Number
		if t.last.Outcome != Ready {
			timeout.Pending = append(timeout.Pending, t.last)
		}
	}
	switch {
	case len(timeout.Pending) == 0:
		return nil
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return timeout
	case ctx.Err() != nil:
		return context.Cause(ctx)
	default:
		// No path leads here, and none must ever lead from here to "ready".
		return fmt.Errorf("probe: gave up early: %w", timeout)
	}
}

func (c Config) withDefaults() Config {
	if len(c.URLs) == 0 {
		c.URLs = []string{DefaultURL}
	}
	if c.Timeout == 0 {
		c.Timeout = DefaultTimeout
	}
	if c.RequestTimeout == 0 {
		c.RequestTimeout = DefaultRequestTimeout
	}
	if c.Interval == 0 {
		c.Interval = DefaultInterval
	}
	if c.UserAgent == "" {
		c.UserAgent = "envoy-wait"
	}
	if c.OnAttempt == nil {
		c.OnAttempt = func(Attempt) {}
	}
	return c
}

func (c Config) validate() error {
	for _, url := range c.URLs {
		if err := ValidateURL(url); err != nil {
			return fmt.Errorf("probe: Config.URLs: %q: %w", Redact(url), err)
		}
	}
	if c.RequestTimeout < 0 {
		return fmt.Errorf("probe: Config.RequestTimeout: %v: must be positive", c.RequestTimeout)
	}
	if c.Interval < MinInterval {
		return fmt.Errorf("probe: Config.Interval: %v: must be at least %v", c.Interval, MinInterval)
	}
	return nil
}
