//go:build linux

package faults

import (
	"net"
	"testing"

	"github.com/envoy-wait/envoy-wait/e2e/harness"
)

// The preset istio with an agent that answers 503, and faults of port 15021, where Envoy
// listens just before it is ready.
func TestGateFaults(t *testing.T) {
	var never, becomes []fault
	for _, gate := range []struct {
		name string
		open func(*testing.T, *endpoint)
	}{
		{"refuses", func(*testing.T, *endpoint) {}},
		{"accepts from the start", func(t *testing.T, e *endpoint) {
			e.listen(harness.PortAt(t, 15021).Listen(), func(net.Conn, *endpoint) {})
		}},
		{"accepts once, then refuses", func(t *testing.T, e *endpoint) {
			l := harness.PortAt(t, 15021).Listen()
			e.listen(l, func(net.Conn, *endpoint) { _ = l.Close() })
		}},
		{"hangs", func(t *testing.T, _ *endpoint) { fill(t, harness.PortAt(t, 15021).Listen()) }},
		{"resets", func(t *testing.T, e *endpoint) {
			e.listen(harness.PortAt(t, 15021).Listen(), func(conn net.Conn, _ *endpoint) { _ = conn.(*net.TCPConn).SetLinger(0) })
		}},
	} {
		row := func(agent func() func(net.Conn, *endpoint), ready bool) fault {
			return fault{name: "503, and 15021 " + gate.name, ready: ready, alone: true, setUp: func(t *testing.T, e *endpoint, _ *start) {
				e.url = ""
				e.listen(harness.PortAt(t, 15020).Listen(), agent())
				gate.open(t, e)
			}}
		}
		never = append(never, row(func() func(net.Conn, *endpoint) { return answer(unready) }, false))
		becomes = append(becomes, row(func() func(net.Conn, *endpoint) { return inTurn(unready, 3) }, true))
	}
	check(t, "gate, never ready", never, false)
	check(t, "gate, becomes ready", becomes, false)
}
