package probe

import (
	"context"
	"errors"
	"net/http"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// gated is a sidecar with a gate, without a network. knock says whether the gate accepts a connection.
type gated struct {
	endpoint script
	knock    func(elapsed time.Duration) bool
	knocks   int
}

func (g *gated) wait(ctx context.Context, cfg Config) error {
	start := time.Now()
	return wait(ctx, cfg, g.endpoint.transport(), func(uint16) bool {
		g.knocks++
		return g.knock(time.Since(start))
	})
}

func accepts(time.Duration) bool { return true }

func refuses(time.Duration) bool { return false }

func acceptsFrom(moment time.Duration) func(time.Duration) bool {
	return func(elapsed time.Duration) bool { return elapsed >= moment }
}

func acceptsUntil(moment time.Duration) func(time.Duration) bool {
	return func(elapsed time.Duration) bool { return elapsed < moment }
}

// The cadence of endpoint and gate together, of an endpoint that answers 503 all along.
func TestCadenceAtTheGate(t *testing.T) {
	timeouts := []time.Duration{time.Second, 10 * time.Second, time.Minute, 10 * time.Minute}
	for _, test := range []struct {
		name     string
		knock    func(time.Duration) bool
		attempts []int // for each timeout
		knocks   []int
	}{
		{"refuses or hangs", refuses, []int{3, 14, 39, 309}, []int{83, 196, 374, 2264}},
		{"accepts from the start", accepts, []int{15, 58, 158, 1238}, []int{1, 1, 1, 1}},
		{"accepts after half a second", acceptsFrom(500 * time.Millisecond), []int{11, 54, 154, 1234}, []int{49, 49, 49, 49}},
		{"accepts after 30 s", acceptsFrom(30 * time.Second), []int{3, 14, 90, 1170}, []int{83, 196, 270, 270}},
		{"accepts, then refuses", acceptsUntil(500 * time.Millisecond), []int{15, 58, 158, 1238}, []int{1, 1, 1, 1}},
	} {
		for i, timeout := range timeouts {
			t.Run(test.name+" for "+timeout.String(), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					g := &gated{endpoint: unready, knock: test.knock}
					timeout-- // or one attempt would fall on the deadline itself
					var timedOut *TimeoutError
					if err := g.wait(t.Context(), Config{Timeout: timeout}); !errors.As(err, &timedOut) {
						t.Fatalf("got %v, want a timeout", err)
					}
					if timedOut.Elapsed != timeout {
						t.Errorf("the wait took %v, want exactly %v", timedOut.Elapsed, timeout)
					}
					if timedOut.Attempts != test.attempts[i] || g.knocks != test.knocks[i] {
						t.Errorf("%d attempts and %d knocks, want %d and %d", timedOut.Attempts, g.knocks, test.attempts[i], test.knocks[i])
					}
					if last := timedOut.Pending[0]; last.Outcome != Unready || last.URL != DefaultURL {
						t.Errorf("got %v as the last attempt, want unready of %s", last, DefaultURL)
					}
				})
			})
		}
	}
}

// Whatever the gate does, the wait ends at a 200, and not long after the first.
func TestLagAtTheGate(t *testing.T) {
	interval := func(wait time.Duration) time.Duration {
		return min(max(wait/20, 100*time.Millisecond), DefaultInterval)
	}
	for _, test := range []struct {
		name  string
		knock func(at time.Duration) func(time.Duration) bool
		limit func(wait time.Duration) time.Duration
	}{
		{"accepts just before", func(at time.Duration) func(time.Duration) bool { return acceptsFrom(at - 15*time.Millisecond) },
			func(wait time.Duration) time.Duration {
				return min(max(wait/50, 20*time.Millisecond), 250*time.Millisecond)
			}},
		{"accepts just after", func(at time.Duration) func(time.Duration) bool { return acceptsFrom(at + 15*time.Millisecond) },
			func(wait time.Duration) time.Duration {
				return min(max(wait/50, 20*time.Millisecond), 250*time.Millisecond) + 20*time.Millisecond
			}},
		{"refuses or hangs", func(time.Duration) func(time.Duration) bool { return refuses },
			func(wait time.Duration) time.Duration { return min(max(wait/5, 400*time.Millisecond), 2*time.Second) }},
		{"accepts from the start", func(time.Duration) func(time.Duration) bool { return accepts }, interval},
		{"accepts, then refuses", func(at time.Duration) func(time.Duration) bool { return acceptsUntil(at / 2) }, interval},
	} {
		t.Run(test.name, func(t *testing.T) {
			wantLag(t, test.limit, func(ctx context.Context, readyAt time.Duration) error {
				g := &gated{endpoint: script(unready).readyAt(readyAt), knock: test.knock(readyAt)}
				return g.wait(ctx, Config{})
			})
		})
	}
}

// Only an answer that is not ready leads to the gate: before it a refusal costs nothing, and says as much.
func TestNobodyKnocks(t *testing.T) {
	for name, test := range map[string]struct {
		endpoint script
		cfg      Config
	}{
		"ready at once":     {script(unready).readyAt(0), Config{}},
		"refused":           {refused, Config{Timeout: time.Minute}},
		"refused, once":     {refused, Config{Once: true}},
		"503, once":         {unready, Config{Once: true}},
		"hang":              {hang, Config{Timeout: time.Minute}},
		"reset":             {script(func(time.Duration, *http.Request) (int, error) { return 0, syscall.ECONNRESET }), Config{Timeout: time.Minute}},
		"URLs, and no gate": {unready, Config{Timeout: time.Minute, URLs: []string{DefaultURL}}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := &gated{endpoint: test.endpoint, knock: refuses}
				_ = g.wait(t.Context(), test.cfg)
				if g.knocks != 0 {
					t.Errorf("%d knocks, want none", g.knocks)
				}
			})
		})
	}
}
