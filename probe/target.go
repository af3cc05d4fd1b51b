package probe

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-retryablehttp"
)

const (
	// leastHang is how long an attempt that the end of the wait cuts off must have lasted to count as a hang. A sound
	// endpoint on loopback answers in milliseconds. A shorter attempt says nothing: the cause found before it stays.
	leastHang = time.Second

	// frozen is how late an attempt may begin, or end after its deadline. Where it is later, the process was stopped
	// meanwhile (SIGSTOP, a cgroup freezer, a suspended machine), and that time says nothing about the endpoint.
	frozen = 250 * time.Millisecond

	// bodyTimeout bounds the body of an answer. A body has one use: where it ends, the connection can be kept.
	bodyTimeout = 100 * time.Millisecond
)

// policy is a Config, and what differs between Wait and Quit.
type policy struct {
	Config
	method string
	parse  func(url string) (endpoint, error)
	again  func(*target) bool // called after each attempt that says something, never twice at once
	gate   func() bool        // whether the gate accepts a connection; nil where there is none
}

// target is one endpoint and what is known of it.
type target struct {
	policy
	endpoint  endpoint
	transport http.RoundTripper // connects, asks, and returns the headers
	all       []*target         // the targets of this poll
	mu        *sync.Mutex       // guards last and awake of them all, and again

	number     int           // of the attempt under way, or of the last one
	began, due time.Time     // when that attempt began, and its deadline
	ended      time.Time     // when it ended: with the headers, or with an error
	sent       atomic.Bool   // its request was sent; set by a goroutine of net/http
	last       Attempt       // the last one that says something
	opened     time.Time     // when the gate was found open
	pause      time.Duration // between the last attempt and the next
	awake      time.Duration // since Start, without the time in which the process was stopped
	counted    time.Time     // until when awake counts
	closed     bool          // a connection has ended after the request was sent: Quit goes by it
}

// poll polls all URLs side by side. It calls each, if set, with the last attempt at a URL that is not polled any more,
// never twice at once. Its error says what is wrong with the Config.
func (p policy) poll(ctx context.Context, transport func(endpoint, policy) http.RoundTripper, each func(Attempt)) ([]*target, error) {
	if err := p.validate(); err != nil {
		return nil, err
	}
	mu, now := &sync.Mutex{}, time.Now()
	targets := make([]*target, len(p.URLs))
	for i, url := range p.URLs {
		e, err := p.parse(url)
		if err != nil {
			return nil, fmt.Errorf("Config.URLs: %q: %w", Redact(url), err)
		}
		targets[i] = &target{
			policy: p, endpoint: e, transport: transport(e, p), mu: mu, all: targets,
			last: Attempt{URL: url}, counted: now, awake: now.Sub(p.Start),
		}
	}
	var polls sync.WaitGroup
	for _, t := range targets {
		polls.Go(func() {
			t.poll(ctx)
			mu.Lock()
			defer mu.Unlock()
			if each != nil {
				each(t.last)
			}
		})
	}
	polls.Wait()
	return targets, nil
}

// poll makes attempts until the policy has enough or ctx is done. What they found is in t.last alone, never in what a
// library returns.
func (t *target) poll(ctx context.Context) {
	defer t.CloseIdleConnections()
	client := &retryablehttp.Client{
		HTTPClient:   &http.Client{Transport: t},
		RetryMax:     math.MaxInt, // 0 would mean one attempt
		CheckRetry:   t.check,
		Backoff:      t.backoff,
		PrepareRetry: t.waitAtGate,
	}
	traced := httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		WroteRequest: func(info httptrace.WroteRequestInfo) { t.sent.Store(info.Err == nil) },
	})
	req, err := retryablehttp.NewRequestWithContext(traced, t.method, t.endpoint.request, nil)
	if err != nil || ctx.Err() != nil {
		return // err is nil: parseURL has refused what has no request
	}
	req.Header.Set("User-Agent", t.UserAgent)
	if resp, err := client.Do(req); err == nil {
		_ = resp.Body.Close()
	}
}

// RoundTrip makes one attempt and owns its deadline: connecting, asking and waiting for the headers end with
// RequestTimeout, the body ends bodyTimeout after the headers.
func (t *target) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithTimeoutCause(req.Context(), t.RequestTimeout, errNoAnswer)
	t.number++
	t.sent.Store(false)
	t.began = time.Now()
	t.due, _ = ctx.Deadline()
	resp, err := t.transport.RoundTrip(req.WithContext(ctx))
	t.ended = time.Now()
	if err != nil {
		cancel()
		return nil, err
	}
	resp.Header.Del("Location") // http.Client would fail where it does not parse, and follow it where it does
	if resp.StatusCode == http.StatusSwitchingProtocols {
		_ = resp.Body.Close() // it is the connection itself, and no context ends a read of it
		resp.Body = http.NoBody
	}
	late := time.AfterFunc(bodyTimeout, cancel)
	resp.Body = attemptBody{resp.Body, func() { late.Stop(); cancel() }}
	return resp, nil
}

// attemptBody ends its attempt when it is closed.
type attemptBody struct {
	io.ReadCloser
	end func()
}

func (b attemptBody) Close() error {
	defer b.end()
	return b.ReadCloser.Close()
}

// check is the CheckRetry of the library: it judges an attempt, records it, and says whether to make another.
func (t *target) check(ctx context.Context, resp *http.Response, err error) (again bool, _ error) {
	a := t.judge(ctx, resp, err)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last.Number = t.number
	t.awake += min(t.ended.Sub(t.counted), t.pause+frozen)
	t.counted = t.ended
	if a.Outcome == 0 {
		return true, nil
	}
	a.URL, a.Number, a.Elapsed = t.last.URL, t.number, t.ended.Sub(t.Start)
	a.Reached = t.last.Reached || a.Outcome != Refused
	t.last = a
	return t.again(t), nil
}

// judge returns Outcome, Status and Err of an attempt. Outcome is 0 where it says nothing about the endpoint.
func (t *target) judge(ctx context.Context, resp *http.Response, err error) Attempt {
	if err == nil {
		return t.judgeAnswer(resp)
	}
	outcome, cause := classify(err)
	if outcome != NoAnswer && !errors.Is(err, context.Cause(ctx)) {
		return Attempt{Outcome: outcome, Err: cause}
	}
	t.CloseIdleConnections() // a connection that is not there yet would go on connecting
	if !t.isHang(ctx) {
		return Attempt{}
	}
	return Attempt{Outcome: NoAnswer, Err: errNoAnswer}
}

// judgeAnswer judges complete headers. Go's HTTP client takes any three characters that strconv.Atoi takes for a
// status, "+20" too.
func (t *target) judgeAnswer(resp *http.Response) Attempt {
	switch status := resp.StatusCode; {
	case status < 100 || status > 599:
		text, _, _ := strings.Cut(resp.Status, " ")
		return Attempt{Outcome: NotHTTP, Err: fmt.Errorf("malformed HTTP status code %q", text)}
	case t.Accepts(t.last.URL, status):
		return Attempt{Outcome: Ready, Status: status}
	default:
		return Attempt{Outcome: Unready, Status: status}
	}
}

// isHang reports whether an attempt without an answer proves that the endpoint hangs. It does not where the process was
// frozen, or where the end of the wait came soon.
func (t *target) isHang(wait context.Context) bool {
	deadline, _ := wait.Deadline()
	switch {
	case t.ended.Sub(t.due) > frozen:
		return false
	case wait.Err() == nil && t.ended.Before(deadline), t.ended.Sub(t.began) >= leastHang:
		return true
	default:
		return t.last.Outcome == 0 && !errors.Is(wait.Err(), context.Canceled) // at the deadline it is all there is
	}
}

// CloseIdleConnections closes what the transport has open, and gives up what it is about to open.
func (t *target) CloseIdleConnections() {
	(&http.Client{Transport: t.transport}).CloseIdleConnections()
}
