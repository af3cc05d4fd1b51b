package probe

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"strings"
	"time"
)

// A gate is Config.Gate: whether its address accepts connections.
type gate func() bool

var errGate = errors.New("must be of the form tcp://127.0.0.1:15021")

// parseGate returns the gate at raw, or nil where there is none. knock connects to it; nil means that it cannot.
func parseGate(raw string, knock func(netip.AddrPort) bool) (gate, error) {
	text, isTCP := strings.CutPrefix(raw, "tcp://")
	address, err := netip.ParseAddrPort(text)
	switch {
	case raw == "":
		return nil, nil
	case !isTCP || err != nil || !address.Addr().Is4() || !address.Addr().IsLoopback():
		return nil, errGate
	case knock == nil:
		return nil, nil
	default:
		return func() bool { return knock(address) }, nil
	}
}

// gated reports whether to knock: the endpoint has answered that it is not ready, and the gate was never open.
func (t *target) gated() bool { return t.gate != nil && t.opened.IsZero() && t.last.Outcome == Unready }

// waitAtGate is the PrepareRetry of the library: it returns when the gate opens, or when an attempt is due though the
// gate is shut. Its error says that the wait has ended: there is no attempt any more.
func (t *target) waitAtGate(req *http.Request) error {
	ctx := req.Context()
	due := t.ended.Add(pauseAtGate(t.ended.Sub(t.start), t.interval))
	for t.gated() && ctx.Err() == nil && time.Now().Before(due) {
		if t.gate() {
			t.opened = time.Now()
			break
		}
		sleep(ctx, min(pause(time.Since(t.start), t.interval, true), time.Until(due)))
	}
	return ctx.Err()
}

func sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
