package probe

import (
	"context"
	"errors"
	"io"
	"net"
	"testing"
)

// A knock connects to 127.0.0.1 or ::1 and closes, and sends nothing. A gate that is open gets one.
func TestKnock(t *testing.T) {
	for network, address := range map[string]string{"tcp4": "127.0.0.1:0", "tcp6": "[::1]:0"} {
		t.Run(network, func(t *testing.T) {
			status := answering(t, "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n", true)
			sent := make(chan []byte, 100)
			gate := listen(t, network, address, func(conn net.Conn, _ *server) {
				all, _ := io.ReadAll(conn)
				sent <- all
			})
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			err := Wait(ctx, Config{
				URLs: []string{status.url()}, Gate: uint16(gate.port()),
				OnAttempt: func(a Attempt) {
					if a.Number == 5 {
						cancel()
					}
				},
			})
			if !errors.Is(err, context.Canceled) {
				t.Fatalf("got %v, want the context's error", err)
			}
			if got := gate.connections.Load(); got != 1 {
				t.Fatalf("%d connections, want 1", got)
			}
			if all := <-sent; len(all) != 0 {
				t.Errorf("a knock sent %q, want nothing", all)
			}
		})
	}
}
