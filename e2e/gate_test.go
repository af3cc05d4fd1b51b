//go:build linux

package e2e

import (
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/envoy-wait/envoy-wait/e2e/harness"
	"github.com/envoy-wait/envoy-wait/e2e/sidecar"
)

// Istio's sidecar as it comes up: its agent answers 503, then Envoy listens on 15021,
// and a moment later the agent answers 200. Nobody speaks of 15021, and it gets one
// connection, with nothing in it.
func TestGateOfIstio(t *testing.T) {
	harness.InNetwork(t, func() {
		agent := listenHere(t, "127.0.0.1:15020")
		if agent == nil {
			return
		}
		unready := make(chan struct{}, 100)
		s := sidecar.New(false)
		s.OnUnready = func() { unready <- struct{}{} }
		go func() { _ = s.Serve(agent) }()
		t.Cleanup(s.Close)

		cmd := envoyWait(t, "--log-level", "debug", "--", "echo", "app")
		p := harness.Start(t, cmd)
		for range 3 {
			<-unready // the first at once, the others though the gate is shut
		}
		gate := listenHere(t, "127.0.0.1:15021")
		if gate == nil {
			return
		}
		_ = gate.(*net.TCPListener).SetDeadline(time.Now().Add(harness.Patience))
		conn, err := gate.Accept()
		if err != nil {
			t.Error(err)
			return
		}
		<-unready // asked at once, and a moment too early
		s.SetReady(true)
		r := p.Result().WantCode(t, 0)
		harness.Want(t, "stdout", r.Stdout, "app\n")

		sent, err := io.ReadAll(conn)
		if err != nil || len(sent) != 0 {
			t.Errorf("15021 got %q, %v", sent, err)
		}
		_ = gate.(*net.TCPListener).SetDeadline(time.Now().Add(100 * time.Millisecond))
		if _, err := gate.Accept(); err == nil {
			t.Error("15021 got a second connection")
		}
		if strings.Contains(r.Stderr, "15021") || !strings.Contains(r.Stderr, "15020") {
			t.Errorf("got %s", r.Stderr)
		}
		harness.Want(t, "answers of 503 or more, and one of 200", s.Requests() >= 5, true)
	})
}

// listenHere is for the network of this thread; nil where that failed.
func listenHere(t *testing.T, address string) net.Listener {
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Error(err)
		return nil
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}
