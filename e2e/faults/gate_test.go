//go:build linux

package faults

import (
	"net"
	"testing"
)

// Istio's preset with an agent that answers 503, and whatever may be on port 15021: an
// Envoy that is about to be ready listens there, and nothing before it.
func TestGateFaults(t *testing.T) {
	var never, becomes []fault
	for _, gate := range []struct {
		name string
		open func(*testing.T, *endpoint)
	}{
		{"refuses", func(*testing.T, *endpoint) {}},
		{"accepts from the start", func(t *testing.T, e *endpoint) { e.listen(listen(t, "127.0.0.1:15021"), func(net.Conn, *endpoint) {}) }},
		{"accepts once, then refuses", func(t *testing.T, e *endpoint) {
			l := listen(t, "127.0.0.1:15021")
			e.listen(l, func(net.Conn, *endpoint) { _ = l.Close() })
		}},
		{"hangs", func(t *testing.T, _ *endpoint) { fill(t, listen(t, "127.0.0.1:15021")) }},
		{"resets", func(t *testing.T, e *endpoint) {
			e.listen(listen(t, "127.0.0.1:15021"), func(conn net.Conn, _ *endpoint) { _ = conn.(*net.TCPConn).SetLinger(0) })
		}},
	} {
		row := func(agent func() func(net.Conn, *endpoint), ready bool) fault {
			return fault{name: "503, and 15021 " + gate.name, ready: ready, alone: true, setUp: func(t *testing.T, e *endpoint, _ *start) {
				e.url = ""
				e.listen(listen(t, "127.0.0.1:15020"), agent())
				gate.open(t, e)
			}}
		}
		never = append(never, row(func() func(net.Conn, *endpoint) { return answer(unready) }, false))
		becomes = append(becomes, row(func() func(net.Conn, *endpoint) { return inTurn(unready, 3) }, true))
	}
	check(t, "gate, never ready", never, false)
	check(t, "gate, becomes ready", becomes, false)
}

// listen is for the network of this thread.
func listen(t *testing.T, address string) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}
