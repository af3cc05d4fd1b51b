//go:build linux

package e2e

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/envoy-wait/envoy-wait/e2e/harness"
)

// A process that was frozen beyond its deadline reports the cause from before: an attempt that was frozen is no hang.
func TestFreezeBeyondTheDeadline(t *testing.T) {
	const timeout = 300 * time.Millisecond
	for round := range 12 {
		t.Run(fmt.Sprint(round), func(t *testing.T) {
			t.Parallel()
			p := harness.Start(t, harness.Detached(envoyWait(t, "--url", harness.NewPort(t).URL(), "--timeout", timeout.String(), "--interval", "10ms")))
			p.Await("connection refused")
			time.Sleep(time.Duration(round) * 7 * time.Millisecond) // any moment of an attempt, or between two
			p.Signal(syscall.SIGSTOP)
			time.Sleep(2 * timeout) // this is the freeze
			p.Signal(syscall.SIGCONT)
			r := p.Result().WantCode(t, 124).Says(t, "not ready after ", "connection refused")
			harness.WantNotIn(t, r.Stderr, "no answer")
		})
	}
}

// Frozen time says nothing about the sidecar: one that comes soon after the freeze is awaited.
func TestFreezeDoesNotMakeTheSidecarAbsent(t *testing.T) {
	port := harness.NewPort(t)
	p := harness.Start(t, harness.Detached(envoyWait(t, "--url", port.URL(), "--absent-after", "2s", "--", "echo", "app")))
	p.Await("connection refused")
	p.Signal(syscall.SIGSTOP)
	time.Sleep(3 * time.Second) // this is the freeze
	p.Signal(syscall.SIGCONT)
	time.Sleep(500 * time.Millisecond) // some attempts are refused
	port.Sidecar(true)
	p.Result().Want(t, 0, "app\n").Says(t, "ready after ")
}
