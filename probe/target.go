package probe

import (
	"context"
	"errors"
	"fmt"
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

// poller polls the URLs of one Wait or Quit.
type poller struct {
	Config
	method string
	parse  func(url string) (endpoint, error)
	again  func(*target) bool     // called after each attempt that says something, never twice at once
	knock  func(port uint16) bool // whether Gate accepts a connection; nil where there are no gates

	targets []*target
	mu      sync.Mutex    // guards what follows, last of each target, and again
	seen    time.Time     // the end of the latest attempt
	stopped time.Duration // for how long the process was stopped, if all attempts were refused
}

// target is one endpoint and what is known of it.
type target struct {
	*poller
	request   string            // the URL of an HTTP request
	transport http.RoundTripper // connects, asks, and returns the headers

	began, ended time.Time   // of the last attempt: it ends with the headers, or with an error
	release      func()      // ends the context of that attempt
	sent         atomic.Bool // its request was sent; set by a goroutine of net/http
	last         Attempt     // the last one that says something
	opened       time.Time   // when the gate was found open
	dropped      bool        // a connection has ended after the request was sent: see Quit
}

// poll polls all URLs side by side. It calls each, if set, with the last attempt at a URL that is not polled any more,
// never twice at once. Its error says what is wrong with the Config.
func (p *poller) poll(ctx context.Context, transport func(endpoint, Config) http.RoundTripper, each func(Attempt)) error {
	if err := p.validate(); err != nil {
		return err
	}
	for _, url := range p.URLs {
		e, err := p.parse(url)
		if err != nil {
			return fmt.Errorf("Config.URLs: %q: %w", Redact(url), err)
		}
		p.targets = append(p.targets, &target{poller: p, request: e.request, transport: transport(e, p.Config), last: Attempt{URL: url}})
	}
	p.seen = time.Now()
	var polls sync.WaitGroup
	for _, t := range p.targets {
		polls.Go(func() {
			t.poll(ctx)
			p.mu.Lock()
			defer p.mu.Unlock()
			if each != nil {
				each(t.last)
			}
		})
	}
	polls.Wait()
	return nil
}

// poll makes attempts until again has enough or ctx is done. What they found is in t.last alone, never in what a
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
	req, err := retryablehttp.NewRequestWithContext(traced, t.method, t.request, nil)
	if err != nil || ctx.Err() != nil {
		return // err is nil: parseURL has refused what has no request
	}
	req.Header.Set("User-Agent", t.UserAgent)
	if resp, err := client.Do(req); err == nil {
		_ = resp.Body.Close()
	}
	t.release()
}

// RoundTrip makes one attempt and owns its deadline: connecting, asking and waiting for the headers end with
// RequestTimeout, the body ends bodyTimeout after the headers.
func (t *target) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithTimeoutCause(req.Context(), t.RequestTimeout, errNoAnswer)
	t.release = cancel
	t.sent.Store(false)
	t.began = time.Now()
	resp, err := t.transport.RoundTrip(req.WithContext(ctx))
	t.ended = time.Now()
	if err != nil {
		return nil, err
	}
	resp.Header.Del("Location") // http.Client would fail where it does not parse, and follow it where it does
	if resp.StatusCode == http.StatusSwitchingProtocols {
		_ = resp.Body.Close() // it is the connection itself, and no context ends a read of it
		resp.Body = http.NoBody
	}
	late := time.AfterFunc(bodyTimeout, cancel)
	t.release = func() { late.Stop(); cancel() }
	return resp, nil
}

// check is the CheckRetry of the library: it judges an attempt, records it, and says whether to make another.
func (t *target) check(wait context.Context, resp *http.Response, err error) (again bool, _ error) {
	outcome, status, cause := t.judge(wait, resp, err)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.stopped += max(0, t.ended.Sub(t.seen)-pace(t.seen.Sub(t.Start), t.Interval, true)-frozen)
	t.seen = t.ended
	a := &t.last
	a.Number++
	if outcome == 0 {
		return true, nil
	}
	a.Elapsed, a.Outcome, a.Status, a.Err = t.ended.Sub(t.Start), outcome, status, cause
	a.Reached = a.Reached || outcome != Refused
	return t.again(t), nil
}

// judge returns Outcome, Status and Err of an attempt. The outcome is 0 where it says nothing about the endpoint.
func (t *target) judge(wait context.Context, resp *http.Response, err error) (Outcome, int, error) {
	if err == nil {
		switch status := resp.StatusCode; {
		case status < 100 || status > 599: // net/http takes what strconv.Atoi takes, "+20" too
			text, _, _ := strings.Cut(resp.Status, " ")
			return NotHTTP, 0, fmt.Errorf("malformed HTTP status code %q", text)
		case t.Accepts(t.last.URL, status):
			return Ready, status, nil
		default:
			return Unready, status, nil
		}
	}
	outcome, cause := classify(err)
	if outcome != NoAnswer && !errors.Is(err, context.Cause(wait)) {
		return outcome, 0, cause
	}
	t.CloseIdleConnections() // a connection that is not there yet would go on connecting
	if !t.isHang(wait) {
		return 0, 0, nil
	}
	return NoAnswer, 0, errNoAnswer
}

// isHang reports whether an attempt without an answer counts as a hang of the endpoint. It does not if the process was
// frozen meanwhile, or if the wait ended soon after the attempt began.
func (t *target) isHang(wait context.Context) bool {
	deadline, _ := wait.Deadline()
	took, left := t.ended.Sub(t.began), deadline.Sub(t.began)
	switch {
	case took > min(t.RequestTimeout, left)+frozen:
		return false
	case took >= leastHang, took < left && wait.Err() == nil:
		return true
	default:
		return t.last.Outcome == 0 && !errors.Is(wait.Err(), context.Canceled) // at the deadline it is all there is
	}
}

// CloseIdleConnections closes what the transport has open, and gives up what it is about to open.
func (t *target) CloseIdleConnections() {
	(&http.Client{Transport: t.transport}).CloseIdleConnections()
}
