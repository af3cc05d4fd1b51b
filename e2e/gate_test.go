//go:build linux

package e2e

import (
	"io"
	"net"
	"testing"
	"time"

	"github.com/envoy-wait/envoy-wait/e2e/harness"
	"github.com/envoy-wait/envoy-wait/e2e/sidecar"
)

// Istio's sidecar starts: its agent answers 503, then Envoy listens on 15021, and a moment later the agent answers
// 200. Port 15021 gets one connection without a byte, and no line of the log names it.
func TestGateOfIstio(t *testing.T) {
	harness.InNetwork(t, func() {
		agent := harness.PortAt(t, 15020).Listen()
		unready := make(chan struct{}, 100)
		await := func() {
			select {
			case <-unready:
			case <-time.After(harness.Patience):
				t.Error("got no request, want one")
			}
		}
		s := sidecar.New(false)
		s.OnUnready = func() { unready <- struct{}{} }
		go func() { _ = s.Serve(agent) }()
		t.Cleanup(s.Close)

		cmd := envoyWait(t, "--log-level", "debug", "--", "echo", "app")
		p := harness.Start(t, cmd)
		for range 3 {
			await() // the first at once, the others though the gate is shut
		}
		gate := harness.PortAt(t, 15021).Listen()
		_ = gate.(*net.TCPListener).SetDeadline(time.Now().Add(harness.Patience))
		conn, err := gate.Accept()
		if err != nil {
			t.Error(err)
			return
		}
		await() // a moment too early
		s.SetReady(true)
		r := p.Result().WantCode(t, 0)
		harness.Want(t, "stdout", r.Stdout, "app\n")

		sent, err := io.ReadAll(conn)
		if err != nil || len(sent) != 0 {
			t.Errorf("port 15021: got %q, %v, want no byte", sent, err)
		}
		_ = gate.(*net.TCPListener).SetDeadline(time.Now().Add(100 * time.Millisecond))
		if _, err := gate.Accept(); err == nil {
			t.Error("port 15021: got a second connection, want one")
		}
		harness.WantIn(t, r.Stderr, ":15020")
		harness.WantNotIn(t, r.Stderr, ":15021")
	})
}

// The kernel may choose the sidecar's port as the source port of a connect to that port. Then the socket is connected
// to itself. After that the sidecar must still be able to bind its port.
func TestTheSidecarGetsItsPorts(t *testing.T) {
	for port, agent := range map[string]bool{"15020": false, "15021": true} {
		t.Run(port, func(t *testing.T) {
			harness.InNetwork(t, func() {
				if agent {
					harness.PortAt(t, 15020).Sidecar(false)
				}
				harness.Must(t, "sh", "-c", "echo "+port+" "+port+" >/proc/sys/net/ipv4/ip_local_port_range")
				harness.Start(t, envoyWait(t, "--timeout", "500ms", "--", "true")).Result().WantCode(t, 0)
				harness.WantIn(t, harness.Must(t, "cat", "/proc/net/tcp"), " 06 ") // TIME_WAIT
				l, err := net.Listen("tcp", "127.0.0.1:"+port)
				if err != nil {
					t.Fatal(err)
				}
				_ = l.Close()
			})
		})
	}
}
