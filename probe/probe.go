// Package probe waits until a sidecar is ready, and knows HTTP and time only.
//
// [Wait] polls one or more readiness endpoints, side by side, under one deadline, until each was ready once. An HTTP
// endpoint is ready when it answers 200.
//
// What is retried: everything. A refused connection, a reset, an EOF, a malformed answer, a hang, a TLS error, a
// redirect (never followed), any status but an accepted one: the sidecar is simply not ready yet. Only a [Config]
// that can never work is an error, and that before the first attempt.
//
// Who owns the deadline: Wait, by Config.Timeout, and the caller, by ctx, whichever ends first. It holds under every
// fault of the endpoint. Time is monotonic and goes on while the process is stopped.
//
// What is never done: no log line is written (Config.OnAttempt reports), no proxy variable is read, Retry-After is
// not obeyed, no resolver is asked for localhost, at most 4 KiB of a body and 16 KiB of headers are read.
//
// [Quit] is for the other end of a Job's life: it tells sidecars to quit, by POST and never by GET.
package probe

import (
	"cmp"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode"
)

// The values that the zero Config stands for. They are right for Istio's agent and so for Cloud Service Mesh.
const (
	DefaultURL            = "http://localhost:15020/healthz/ready"
	DefaultGate           = 15021
	DefaultTimeout        = 60 * time.Second
	DefaultRequestTimeout = 5 * time.Second
	DefaultInterval       = 500 * time.Millisecond

	// MinInterval is the smallest Config.Interval: 100 attempts a second take 5 % of a core.
	MinInterval = 10 * time.Millisecond
	// NoTimeout as Config.Timeout leaves the deadline to the context alone.
	NoTimeout time.Duration = -1
)

// Config says what to wait for and how long. The zero value waits up to a minute for Istio's agent.
type Config struct {
	// URLs are the endpoints. All must be ready; each is polled until it is, then no more. Empty means DefaultURL.
	// The forms, and what is ready:
	//
	//	http://host:port/path            an accepted status; https likewise
	//	unix:///path/to/socket:/ready    the same over a Unix socket
	//	unix:///path/to/socket           the connection is accepted
	//	tcp://host:port                  the connection is accepted
	//	file:///path                     a file that is there and not empty
	URLs []string
	// Gate, if set, is a TCP port on loopback that refuses connections until the endpoints are about to be ready. Zero
	// means none, but DefaultGate where URLs is empty. It is ignored on other systems than Linux.
	//
	// While an endpoint answers that it is not ready, Wait connects to Gate, which costs the sidecar nothing, and asks
	// the endpoint a quarter as often. When Gate accepts, Wait asks the endpoint at once, and never connects to Gate for it
	// again. The endpoint alone says whether it is ready.
	//
	// Envoy calls listen(2) on DefaultGate when its workers start (doFinalPreWorkerInit in
	// source/common/listener_manager/listener_impl.cc), and Istio's agent then answers 200
	// (pilot/cmd/pilot-agent/status/ready/probe.go).
	Gate uint16
	// Accepts says which HTTP status of a URL is ready. Nil means 200 alone.
	Accepts func(url string, status int) bool
	// Timeout bounds the whole wait. Zero means DefaultTimeout, NoTimeout no bound but the context's.
	Timeout time.Duration
	// Start is when the wait began, by time.Now: Timeout, AbsentAfter and Attempt.Elapsed count from it. Zero means the
	// call of Wait.
	Start time.Time
	// RequestTimeout bounds one attempt, from connecting to the end of the headers. Zero means DefaultRequestTimeout.
	// Istio's agent takes up to 4 s while Envoy's admin hangs (pilot/cmd/pilot-agent/status/ready/probe.go).
	RequestTimeout time.Duration
	// Interval is the longest pause between two attempts at one URL, at least MinInterval. While a Gate refuses it is 4
	// times as long. Zero means DefaultInterval.
	Interval time.Duration
	// AbsentAfter, if positive, ends the wait at the first attempt after so much time, if by then every attempt at every
	// URL was Refused: there is no sidecar. Absent is then true in the *TimeoutError. Time in which the process was
	// stopped does not count. Zero means never.
	AbsentAfter time.Duration
	// Once makes one attempt at each URL, and no wait: what is not ready then is a *TimeoutError. An attempt during which
	// the process was stopped for long is made again.
	Once bool
	// RootCAs are the authorities that may sign the certificate of an https endpoint. Nil means the system's.
	RootCAs *x509.CertPool
	// UserAgent is sent as the User-Agent header, and must have no control character. Empty means "envoy-wait".
	UserAgent string
	// OnAttempt, if set, is called after every attempt, but for one that a deadline cuts off, by the goroutines that poll,
	// and never by two at once. The next attempt waits until it returns. It is not called once Wait has returned.
	OnAttempt func(Attempt)
}

// Wait returns nil once every endpoint was ready. Otherwise it returns a *TimeoutError when a deadline passed, the
// context's cause when ctx was cancelled, or, before any attempt, an error that says what is wrong with cfg. Its
// goroutines end with it, but for one that looks for a file on a file system that hangs.
func Wait(ctx context.Context, cfg Config) error {
	return wait(ctx, cfg, endpoint.transport, knock)
}

// wait is Wait with a network that tests can choose.
func wait(ctx context.Context, cfg Config, transport func(endpoint, Config) http.RoundTripper, knock func(port uint16) bool) error {
	cfg = cfg.withDefaults()
	ctx, cancel := context.WithDeadline(ctx, cfg.Start.Add(cfg.Timeout))
	defer cancel()

	result := &TimeoutError{Once: cfg.Once}
	p := &poller{Config: cfg, method: http.MethodGet, parse: parseURL, knock: knock}
	p.again = func(t *target) bool {
		cfg.OnAttempt(t.last)
		if cfg.AbsentAfter > 0 && !cfg.Once && t.last.Elapsed-p.stopped >= cfg.AbsentAfter && p.allRefused() {
			result.Absent = true
			cancel()
		}
		return t.last.Outcome != Ready && !cfg.Once
	}
	if err := p.poll(ctx, transport, nil); err != nil {
		return fmt.Errorf("probe: %w", err)
	}
	result.Elapsed, result.Refused = time.Since(cfg.Start), p.allRefused()
	for _, t := range p.targets {
		result.Attempts += t.last.Number
		if t.last.Outcome != Ready {
			result.Pending = append(result.Pending, t.last)
		}
	}
	switch {
	case len(result.Pending) == 0:
		return nil
	case !result.Absent && errors.Is(ctx.Err(), context.Canceled):
		return context.Cause(ctx)
	}
	return result
}

// allRefused reports whether every attempt at every URL was refused, and there was one at each.
func (p *poller) allRefused() bool {
	return !slices.ContainsFunc(p.targets, func(t *target) bool { return t.last.Outcome == 0 || t.last.Reached })
}

func (c Config) withDefaults() Config {
	if len(c.URLs) == 0 {
		c.URLs, c.Gate = []string{DefaultURL}, cmp.Or(c.Gate, DefaultGate)
	}
	if c.Timeout = cmp.Or(c.Timeout, DefaultTimeout); c.Timeout == NoTimeout {
		c.Timeout = 100 * 365 * 24 * time.Hour
	}
	c.RequestTimeout = cmp.Or(c.RequestTimeout, DefaultRequestTimeout)
	c.Interval = cmp.Or(c.Interval, DefaultInterval)
	c.Start = cmp.Or(c.Start, time.Now())
	c.UserAgent = cmp.Or(c.UserAgent, "envoy-wait")
	if c.Accepts == nil {
		c.Accepts = func(_ string, status int) bool { return status == http.StatusOK }
	}
	if c.OnAttempt == nil {
		c.OnAttempt = func(Attempt) {}
	}
	return c
}

func (c Config) validate() error {
	switch {
	case c.Timeout < 0: // withDefaults has replaced NoTimeout
		return fmt.Errorf("Config.Timeout: %v: must be positive, 0 or NoTimeout", c.Timeout)
	case c.RequestTimeout < 0:
		return fmt.Errorf("Config.RequestTimeout: %v: must be positive", c.RequestTimeout)
	case c.Interval < MinInterval:
		return fmt.Errorf("Config.Interval: %v: must be at least %v", c.Interval, MinInterval)
	case c.AbsentAfter < 0:
		return fmt.Errorf("Config.AbsentAfter: %v: must not be negative", c.AbsentAfter)
	case strings.ContainsFunc(c.UserAgent, unicode.IsControl): // net/http refuses them
		return fmt.Errorf("Config.UserAgent: %q: must have no control character", c.UserAgent)
	}
	return nil
}
