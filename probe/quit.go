package probe

import (
	"cmp"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// What the zero QuitConfig stands for: Istio's agent.
const (
	DefaultQuitURL     = "http://localhost:15020/quitquitquit"
	DefaultQuitTimeout = 5 * time.Second
)

// QuitConfig says whom to tell to quit.
type QuitConfig struct {
	// URLs are the quit endpoints, of the schemes http, https and unix. Empty means DefaultQuitURL.
	URLs []string
	// Timeout bounds all of it together. Zero means DefaultQuitTimeout, NoTimeout no bound but the context's.
	Timeout time.Duration
	// Retry, if set, is asked once after each attempt that told nobody and may pass, never twice at once: false ends the
	// attempts at that URL. Nil means true.
	Retry func() bool
	// MayBeStarting says that nobody has seen the sidecar ready. EOF then counts only if the sidecar is gone: in its first
	// moments the handler of Istio's agent panics (handleQuit in
	// github.com/istio/istio/pilot/cmd/pilot-agent/status/server.go).
	MayBeStarting bool
	// RootCAs and UserAgent are as in Config.
	RootCAs   *x509.CertPool
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
	switch {
	case err == nil && e.scheme == "unix" && !e.isHTTP:
		err = errors.New("the form is unix:///path/to/socket:/quit")
	case errors.Is(err, errScheme), err == nil && !e.isHTTP:
		err = errors.New("the scheme must be http, https or unix")
	}
	return e, err
}

// Quit tells sidecars to quit: it sends a POST without a body to every URL, side by side, and returns nil if each was
// told. Otherwise its error names each that was not. It wraps their causes, such as syscall.ECONNREFUSED, and
// context.DeadlineExceeded or context.Canceled where the time or ctx ended. Whether a sidecar does quit is not awaited.
//
// A sidecar was told if it answers 2xx, or if it ends the connection (EOF) after the request was sent: Istio's agent may
// exit before its answer is out. With MayBeStarting it must refuse a later connection too, or Retry allow none.
//
// What may pass is tried again within Timeout, paced as in Wait: a connection that is refused, reset or ended, a status of
// 5xx, no answer to a request that was never sent. The sidecar may only be starting. All else is final: every other
// status, also of a redirect, an answer that is not HTTP, and no answer to a request that was sent.
func Quit(ctx context.Context, cfg QuitConfig) error {
	if len(cfg.URLs) == 0 {
		cfg.URLs = []string{DefaultQuitURL}
	}
	c := Config{
		URLs: cfg.URLs, Timeout: cmp.Or(cfg.Timeout, DefaultQuitTimeout), RootCAs: cfg.RootCAs, UserAgent: cfg.UserAgent,
		Accepts: func(_ string, status int) bool { return status/100 == 2 },
	}.withDefaults()
	c.RequestTimeout = c.Timeout
	ctx, cancel := context.WithDeadline(ctx, c.Start.Add(c.Timeout))
	defer cancel()
	p := &poller{Config: c, method: http.MethodPost, parse: parseQuitURL, again: cfg.again}
	if err := p.poll(ctx, endpoint.transport, cfg.OnResult); err != nil {
		return fmt.Errorf("probe: Quit%w", err)
	}
	var errs []error
	for _, t := range p.targets {
		if t.last.Outcome != Ready {
			errs = append(errs, fmt.Errorf("telling %s to quit: %w", Redact(t.last.URL), cmp.Or(t.last.Err, errors.New(t.last.Cause()))))
		}
	}
	if len(errs) > 0 && ctx.Err() != nil {
		return fmt.Errorf("%w: %w", ctx.Err(), errors.Join(errs...))
	}
	return errors.Join(errs...)
}

// again says whether to tell a sidecar once more. Where the sidecar was told although it has not answered, it makes the
// last attempt a ready one.
func (c *QuitConfig) again(t *target) bool {
	a := &t.last
	ended := t.sent.Load() && errors.Is(a.Err, errClosed)
	told := ended && !c.MayBeStarting || t.dropped && a.Outcome == Refused
	t.dropped = t.dropped || ended
	mayPass := a.Outcome == Refused || a.Outcome == Failed || a.Status/100 == 5 || a.Outcome == NoAnswer && !t.sent.Load()
	again := mayPass && !told && (c.Retry == nil || c.Retry())
	if told || ended && !again {
		a.Outcome, a.Err = Ready, nil
	}
	return again
}
