package probe

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"time"
)

var (
	errEmpty = errors.New("the file is empty")
	errReady = errors.New("ready") // of an endpoint without HTTP: there is no response to return
)

// endpoint is a URL taken apart.
type endpoint struct {
	scheme  string
	address string // host:port, or the path of a socket or file
	request string // the URL of an HTTP request, where isHTTP
	isHTTP  bool   // there is a status to judge
}

// transport returns what makes an attempt at e. It is a RoundTripper whatever the scheme, so that one retry loop
// serves all.
func (e endpoint) transport(c Config) http.RoundTripper {
	d := dialer{net.Dialer{KeepAlive: -1, Control: control, FallbackDelay: min(250*time.Millisecond, c.RequestTimeout/2)}}
	dial := d.dial
	if e.scheme == "unix" {
		dial = func(ctx context.Context, _, _ string) (net.Conn, error) { return d.DialContext(ctx, "unix", e.address) }
	}
	switch {
	case e.isHTTP:
		return &http.Transport{
			Proxy:                  nil,  // a sidecar is never behind one
			DialContext:            dial, // net/http then leaves HTTP/2 out: see ForceAttemptHTTP2
			TLSClientConfig:        &tls.Config{RootCAs: c.RootCAs},
			MaxIdleConns:           1,
			DisableCompression:     true,     // or a body would be inflated
			MaxResponseHeaderBytes: 16 << 10, // 1xx answers included
		}
	case e.scheme == "file":
		return oneAtATime(func() error { return lookAtFile(e.address) })
	default:
		return look(func(ctx context.Context) error {
			conn, err := dial(ctx, "tcp", e.address)
			if err != nil {
				return err
			}
			return conn.Close()
		})
	}
}

// look is the transport of an endpoint without HTTP. It returns nil where the endpoint is ready.
type look func(context.Context) error

func (l look) RoundTrip(req *http.Request) (*http.Response, error) {
	return nil, cmp.Or(l(req.Context()), errReady)
}

// oneAtATime makes a look of one that has no context. The kernel may never return from a file system that hangs, and
// that keeps a thread: so the next attempt waits for the look that is under way.
func oneAtATime(lookNow func() error) look {
	result, underWay := make(chan error, 1), false
	return func(ctx context.Context) error {
		if !underWay {
			underWay = true
			go func() { result <- lookNow() }()
		}
		select {
		case err := <-result:
			underWay = false
			return err
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// lookAtFile returns nil where there is a file with something in it.
func lookAtFile(path string) error {
	info, err := os.Stat(path)
	if err == nil && !info.Mode().IsRegular() {
		return errors.New("not a regular file")
	}
	if err == nil && info.Size() == 0 {
		return errEmpty
	}
	return err
}

// dialer connects to localhost without a resolver: an image made from scratch has no /etc/hosts, and then Go would
// ask a name server, which in a mesh is behind the sidecar. RFC 6761 section 6.3 binds the name to the loopback addresses.
type dialer struct{ net.Dialer }

// dial connects to 127.0.0.1 and ::1 in turn if the host is localhost, until one accepts or 127.0.0.1 has failed. The
// error is a refusal if one of them refuses and the other fails, or if ::1 is silent after 127.0.0.1 has refused.
//
// On loopback the kernel accepts or refuses at once: that needs no goroutine. An address that is silent has a full queue
// or a firewall. The kernel would send the next SYN after 1 s, and here each turn sends one. The first turn is the
// shortest. The later ones are twice as long, for a machine where loopback is slow.
func (d dialer) dial(ctx context.Context, network, address string) (net.Conn, error) {
	host, port, _ := net.SplitHostPort(address)
	if !strings.EqualFold(strings.TrimSuffix(host, "."), "localhost") {
		return d.DialContext(ctx, network, address)
	}
	for d.Timeout = d.FallbackDelay; ctx.Err() == nil; d.Timeout = 2 * d.FallbackDelay {
		conn, err := d.DialContext(ctx, network, net.JoinHostPort("127.0.0.1", port))
		if err == nil {
			return conn, nil
		}
		conn, err6 := d.DialContext(ctx, network, net.JoinHostPort("::1", port))
		switch {
		case err6 == nil:
			return conn, nil
		case !os.IsTimeout(err) && errors.Is(err6, syscall.ECONNREFUSED):
			return nil, err6
		case !os.IsTimeout(err):
			return nil, err
		}
	}
	return nil, context.Cause(ctx)
}
