package probe

import (
	"context"
	"math"
	"net/http"
	"sync"
	"time"

	"github.com/hashicorp/go-retryablehttp"
)

// telling is how long an attempt that the deadline cuts off must have lasted to
// count as a hang. A sound endpoint on loopback answers in milliseconds; a
// shorter attempt says nothing, so the cause found before it stays the last.
const telling = time.Second

// target is one endpoint and what is known of it.
type target struct {
	url       string
	request   *retryablehttp.Request
	start     time.Time
	cfg       Config
	transport http.RoundTripper
	reporting *sync.Mutex // shared by all targets: OnAttempt is never called twice at once

	number int       // of the attempt under way, or the last one
	began  time.Time // when it began
	ended  time.Time // when its outcome was known
	last   Attempt
}

func newTarget(ctx context.Context, url string, start time.Time, cfg Config, transport http.RoundTripper, reporting *sync.Mutex) (*target, error) {
	req, err := retryablehttp.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("User-Agent", cfg.UserAgent)
	return &target{
		url: url, request: req, start: start, cfg: cfg,
		transport: transport, reporting: reporting, last: Attempt{URL: url},
	}, nil
}

// poll returns when the target is ready or the context of its request is done.
// Which of them it was is in t.last alone, never in what a library returns.
func (t *target) poll() {
	client := &retryablehttp.Client{
		HTTPClient: &http.Client{
			Transport:     t,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		RetryMax:   math.MaxInt, // 0 would mean one try; the context ends the loop
		CheckRetry: t.checkRetry,
		Backoff:    t.backoff,
	}
	defer client.HTTPClient.CloseIdleConnections()
	if resp, err := client.Do(t.request); err == nil {
		_ = resp.Body.Close() // the body is neither awaited nor judged
	}
}

// RoundTrip notes when each attempt begins and hands it on.
func (t *target) RoundTrip(req *http.Request) (*http.Response, error) {
	if err := req.Context().Err(); err != nil {
		return nil, err // no attempt any more
	}
	t.number++
	t.began = time.Now()
	return t.transport.RoundTrip(req)
}

// CloseIdleConnections lets http.Client reach the transport's.
func (t *target) CloseIdleConnections() {
	if c, ok := t.transport.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}

// checkRetry is the one hook that sees both response and error, so the outcome
// is recorded here: a deadline in mid-pause returns a bare context error.
func (t *target) checkRetry(ctx context.Context, resp *http.Response, err error) (bool, error) {
	t.ended = time.Now()
	if err != nil && ctx.Err() != nil {
		t.cutOff()
		return false, ctx.Err()
	}
	outcome, cause := classify(resp, err)
	status := 0
	if resp != nil {
		status = resp.StatusCode
	}
	t.record(outcome, status, cause)
	return outcome != Ready, nil
}

// cutOff accounts for an attempt that the context ended before its outcome.
func (t *target) cutOff() {
	switch {
	case t.number == t.last.Number: // it had not begun
	case t.ended.Sub(t.began) >= telling, t.last.Number == 0:
		t.record(NoAnswer, 0, errNoAnswer)
	default:
		t.last.Number = t.number
	}
}

func (t *target) record(outcome Outcome, status int, err error) {
	t.last = Attempt{
		URL: t.url, Number: t.number, Elapsed: t.ended.Sub(t.start),
		Outcome: outcome, Status: status, Err: err,
	}
	t.reporting.Lock()
	defer t.reporting.Unlock()
	t.cfg.OnAttempt(t.last)
}

// backoff paces from the end of the attempt, not from the end of the drain that
// retryablehttp puts between, and does not look at Retry-After.
func (t *target) backoff(_, _ time.Duration, _ int, _ *http.Response) time.Duration {
	wait := pause(t.ended.Sub(t.start), t.cfg.Interval, t.last.Outcome == Refused)
	return max(0, wait-time.Since(t.ended))
}
