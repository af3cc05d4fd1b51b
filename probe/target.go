package probe

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-retryablehttp"
)

const (
	// telling is how long an attempt that the deadline cuts off must have lasted to count as a hang. A sound endpoint
	// on loopback answers in milliseconds. A shorter attempt says nothing, so the cause found before it stays the
	// last.
	telling = time.Second

	// frozen is how late an attempt may end after its deadline. A later end means that the process was stopped
	// meanwhile (SIGSTOP, a cgroup freezer, a suspended machine): the attempt says nothing about the endpoint.
	frozen = 250 * time.Millisecond

	// drainLimit and drainTimeout bound what is read of a body. The only use of a body is that its end lets the
	// connection be kept.
	drainLimit   = 4 << 10
	drainTimeout = 100 * time.Millisecond
)

// policy says how to ask, and what to make of the answers. Wait and Quit differ in nothing else.
type policy struct {
	method         string
	userAgent      string
	accepts        func(status int) bool
	again          func(Attempt) bool // whether to ask once more
	requestTimeout time.Duration
	interval       time.Duration
	report         func(Attempt) // called after each attempt, never twice at once
	gate           gate          // nil where there is none
}

// target is one endpoint and what is known of it.
type target struct {
	policy
	endpoint  endpoint
	transport http.RoundTripper // makes the attempts
	start     time.Time
	mu        *sync.Mutex // guards last in all targets, and report

	number int       // of the attempt under way, or the last one
	ended  time.Time // when the last attempt ended
	last   Attempt   // the last one that says something
	opened time.Time // when the gate was found open
}

func newTargets(urls []string, parse func(string) (endpoint, error), start time.Time, p policy,
	transport func(endpoint, time.Duration) http.RoundTripper) ([]*target, error) {
	mu := &sync.Mutex{}
	targets := make([]*target, len(urls))
	for i, url := range urls {
		e, err := parse(url)
		if err != nil {
			return nil, fmt.Errorf("%q: %w", Redact(url), err)
		}
		targets[i] = &target{
			policy: p, endpoint: e, transport: transport(e, p.requestTimeout), start: start, mu: mu, last: Attempt{URL: url},
		}
	}
	return targets, nil
}

// pollAll polls the targets side by side. It calls each with the last attempt of a target that is not polled any
// more, never twice at once.
func pollAll(ctx context.Context, targets []*target, each func(Attempt)) {
	var polls sync.WaitGroup
	for _, t := range targets {
		polls.Go(func() {
			t.poll(ctx)
			t.mu.Lock()
			defer t.mu.Unlock()
			each(t.last)
		})
	}
	polls.Wait()
}

// poll asks until the policy has enough or ctx is done. The outcome is in t.last alone, never in what a library
// returns.
func (t *target) poll(ctx context.Context) {
	client := &retryablehttp.Client{
		HTTPClient: &http.Client{Transport: t},
		RetryMax:   math.MaxInt, // 0 would mean one try; the context ends the loop
		CheckRetry: func(ctx context.Context, _ *http.Response, _ error) (bool, error) { return t.again(t.last), ctx.Err() },
		Backoff: func(_, _ time.Duration, _ int, _ *http.Response) time.Duration {
			return t.pause() - time.Since(t.ended)
		},
	}
	defer closeIdle(t.transport)
	req, err := retryablehttp.NewRequestWithContext(ctx, t.method, t.endpoint.request, nil)
	if err != nil {
		return // parseURL has refused what has no request
	}
	req.Header.Set("User-Agent", t.userAgent)
	if resp, err := client.Do(req); err == nil {
		_ = resp.Body.Close()
	}
}

// RoundTrip makes one attempt, as soon as the gate allows it. retryablehttp and http.Client see that it was made, and no
// more: no Location to follow, no Retry-After to obey, no body to drain.
func (t *target) RoundTrip(req *http.Request) (*http.Response, error) {
	t.waitAtGate(req.Context())
	if err := req.Context().Err(); err != nil {
		return nil, err // the wait has ended: no attempt any more
	}
	t.attempt(req)
	return answer(req), nil
}

// pause is the time from the end of an attempt to the next attempt, or to the first knock before it.
func (t *target) pause() time.Duration {
	full := pause(t.ended.Sub(t.start), t.interval, t.last.Outcome == Refused || t.gated())
	if t.opened.IsZero() {
		return full
	}
	return min(full, max(t.ended.Sub(t.opened), MinInterval)) // it will be ready in a moment: 10 ms, 20 ms, 40 ms ...
}

// attempt asks once and records the outcome. It owns the deadline of the attempt: connecting, asking and waiting for
// the headers all end with it.
func (t *target) attempt(req *http.Request) {
	ctx, cancel := context.WithTimeoutCause(req.Context(), t.requestTimeout, errNoAnswer)
	defer cancel()
	t.number++
	began := time.Now()
	resp, err := t.transport.RoundTrip(req.WithContext(ctx))
	t.ended = time.Now()
	if err == nil {
		outcome, status, cause := t.judge(resp)
		t.record(outcome, status, cause)
		drain(resp, outcome, cancel)
		return
	}
	outcome, cause := classify(err)
	if outcome != NoAnswer && !errors.Is(err, context.Cause(ctx)) {
		t.record(outcome, 0, cause)
		return
	}
	closeIdle(t.transport) // a connection that is not there yet would go on connecting
	if t.saysSomething(ctx, req.Context(), began) {
		t.record(NoAnswer, 0, errNoAnswer)
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last.Number = t.number
}

// saysSomething is false for an attempt without an answer that proves nothing: the process was frozen, or the end of
// the wait came too early for a hang.
func (t *target) saysSomething(attempt, wait context.Context, began time.Time) bool {
	if deadline, ok := attempt.Deadline(); ok && t.ended.Sub(deadline) > frozen {
		return false
	}
	deadline, ok := wait.Deadline()
	cutOff := wait.Err() != nil || ok && !t.ended.Before(deadline)
	firstOne := t.last.Outcome == 0 && !errors.Is(wait.Err(), context.Canceled) // at the deadline it is all there is
	return !cutOff || t.ended.Sub(began) >= telling || firstOne
}

// judge says what a complete answer means. Go's HTTP client takes any three characters that strconv.Atoi takes, "+20"
// too.
func (t *target) judge(resp *http.Response) (outcome Outcome, status int, cause error) {
	switch status := resp.StatusCode; {
	case !t.endpoint.isHTTP():
		return Ready, 0, nil
	case status < 100 || status > 599:
		text, _, _ := strings.Cut(resp.Status, " ")
		return NotHTTP, 0, fmt.Errorf("malformed HTTP status code %q", text)
	case t.accepts(status):
		return Ready, status, nil
	default:
		return Unready, status, nil
	}
}

func (t *target) record(outcome Outcome, status int, cause error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last = Attempt{
		URL: t.last.URL, Number: t.number, Elapsed: t.ended.Sub(t.start),
		Outcome: outcome, Reached: t.last.Reached || outcome != Refused, Status: status, Err: cause,
	}
	t.report(t.last)
}

// drain reads so much of a body that the connection can be kept for the next attempt, and closes it. The body of a
// 101 is the connection itself, which no context ends.
func drain(resp *http.Response, outcome Outcome, cancel func()) {
	if outcome != Ready && resp.StatusCode != http.StatusSwitchingProtocols {
		timer := time.AfterFunc(drainTimeout, cancel)
		defer timer.Stop()
		_, _ = io.CopyN(io.Discard, resp.Body, drainLimit)
	}
	_ = resp.Body.Close()
}

// answer is a response without content.
func answer(req *http.Request) *http.Response {
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: http.NoBody, Request: req}
}

func closeIdle(transport http.RoundTripper) {
	if t, ok := transport.(interface{ CloseIdleConnections() }); ok {
		t.CloseIdleConnections()
	}
}
