package probe

import (
	"context"
	"errors"
	"io"
	"net"
	"testing"
)

// A knock connects and closes, and sends nothing. A gate that is open gets one.
func TestKnock(t *testing.T) {
	status := answering(t, "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n", true)
	sent := make(chan []byte, 100)
	gate := listen(t, "tcp4", "127.0.0.1:0", func(conn net.Conn, _ *server) {
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
		t.Fatal(err)
	}
	if all := <-sent; len(all) != 0 {
		t.Errorf("a knock sent %q, want nothing", all)
	}
	if got := gate.connections.Load(); got != 1 {
		t.Errorf("%d connections, want 1", got)
	}
}
