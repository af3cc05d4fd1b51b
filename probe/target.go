package probe

import (
	"context"
	"errors"
	"math"
	"net/http"
	"sync"
	"sync/atomic"
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
	endpoint  endpoint
	request   *retryablehttp.Request
	start     time.Time
	cfg       Config
	transport http.RoundTripper
	shared    *shared

	number int       // of the attempt under way, or the last one
	began  time.Time // when it began
	ended  time.Time // when its outcome was known
	last   Attempt

	reached bool // one of its attempts was not refused
	absent  bool // all were, for Config.AbsentAfter
}

// shared is what all targets of one wait have in common.
type shared struct {
	reporting sync.Mutex   // OnAttempt is never called twice at once
	unseen    atomic.Int32 // targets that are not known to be absent
	absent    func()       // called when there is none of them left
}

func newTarget(ctx context.Context, url string, start time.Time, cfg Config, shared *shared) (*target, error) {
	endpoint, err := parseURL(url)
	if err != nil {
		return nil, err
	}
	req, err := retryablehttp.NewRequestWithContext(ctx, cfg.method, endpoint.request, nil)
	if err != nil {
		return nil, errors.New("not a valid URL")
	}
	req.Header.Set("User-Agent", cfg.UserAgent)
	return &target{
		url: url, endpoint: endpoint, request: req, start: start, cfg: cfg,
		transport: cfg.transport(endpoint), shared: shared, last: Attempt{URL: url},
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
	// A connection has the deadline too, and may fail by it before the context.
	deadline, ok := ctx.Deadline()
	if err != nil && (ctx.Err() != nil || ok && !t.ended.Before(deadline)) {
		t.cutOff()
		return ctx.Err() == nil, ctx.Err()
	}
	accepts, status := only200, 0
	if t.endpoint.isHTTP() {
		accepts = t.cfg.Accepts
		if resp != nil {
			status = resp.StatusCode
		}
	}
	outcome, cause := classify(resp, err, accepts)
	t.record(outcome, status, cause)
	return t.cfg.retry(outcome), nil
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

func only200(status int) bool { return status == http.StatusOK }

func (t *target) record(outcome Outcome, status int, err error) {
	t.last = Attempt{
		URL: t.url, Number: t.number, Elapsed: t.ended.Sub(t.start),
		Outcome: outcome, Status: status, Err: err,
	}
	t.reached = t.reached || outcome != Refused
	if t.reached && t.absent { // it was only late
		t.absent = false
		t.shared.unseen.Add(1)
	}
	if after := t.cfg.AbsentAfter; after > 0 && !t.reached && !t.absent && t.last.Elapsed >= after {
		if t.absent = true; t.shared.unseen.Add(-1) == 0 {
			t.shared.absent()
		}
	}
	t.shared.reporting.Lock()
	defer t.shared.reporting.Unlock()
	t.cfg.OnAttempt(t.last)
}

// backoff paces from the end of the attempt, not from the end of the drain that
// retryablehttp puts between, and does not look at Retry-After.
func (t *target) backoff(_, _ time.Duration, _ int, _ *http.Response) time.Duration {
	wait := pause(t.ended.Sub(t.start), t.cfg.Interval, t.last.Outcome == Refused)
	return max(0, wait-time.Since(t.ended))
}
