package probe

import (
	"context"
	"net"
	"strings"
	"time"
)

// dialer connects to localhost without a resolver: an image made from scratch has no /etc/hosts, and then Go would
// ask a name server, which in a mesh is behind the sidecar.
type dialer struct {
	net.Dialer
	// fallback is how long 127.0.0.1 may take before ::1 gets its turn. Nearly always it is refused or accepted at
	// once.
	fallback time.Duration
}

func (d dialer) dial(ctx context.Context, network, address string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil || !isLocalhost(host) {
		return d.DialContext(ctx, network, address)
	}
	first, cancel := context.WithTimeout(ctx, d.fallback)
	defer cancel()
	conn, err := d.DialContext(first, "tcp4", net.JoinHostPort("127.0.0.1", port))
	if err == nil {
		return conn, nil
	}
	if conn, err6 := d.DialContext(ctx, "tcp6", net.JoinHostPort("::1", port)); err6 == nil {
		return conn, nil
	}
	return nil, err // ::1 may be absent altogether, so 127.0.0.1 is the one to tell
}

// isLocalhost reports whether host is the name that RFC 6761 section 6.3 binds to the loopback addresses.
func isLocalhost(host string) bool {
	return strings.EqualFold(strings.TrimSuffix(host, "."), "localhost")
}
