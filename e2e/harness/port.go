//go:build linux

package harness

import (
	"net"
	"testing"

	"github.com/envoy-wait/envoy-wait/e2e/sidecar"
)

// Port is a sidecar.Port of a test.
type Port struct {
	*sidecar.Port
	t testing.TB
}

// NewPort binds any port without listening.
func NewPort(t testing.TB) *Port {
	t.Helper()
	return PortAt(t, 0)
}

// PortAt binds that port without listening, on the network of this thread.
func PortAt(t testing.TB, port int) *Port {
	t.Helper()
	p, err := sidecar.Bind(port)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return &Port{Port: p, t: t}
}

// Listen accepts connections from now on.
func (p *Port) Listen() net.Listener {
	p.t.Helper()
	l, err := p.Port.Listen()
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { _ = l.Close() })
	return l
}

// Sidecar listens, and is ready or not. A request to quit does not end it.
func (p *Port) Sidecar(ready bool) *sidecar.Sidecar {
	p.t.Helper()
	s := sidecar.New(ready)
	s.Survives = true
	l := p.Listen()
	go func() { _ = s.Serve(l) }()
	return s
}
